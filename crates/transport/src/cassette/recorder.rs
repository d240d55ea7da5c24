use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, SET_COOKIE, TRANSFER_ENCODING};

use super::Scrub;
use super::file::{Answered, Asked, Body, FORMAT, Failure, Head, Interaction, Outcome};
use super::scrub::Scrubber;
use crate::{Error, ErrorKind, Request, Response, Transport};

/// A [`Transport`] that lets another one work and writes what passes to a cassette, without the secrets in it; see the
/// [module](super) for what that means. Clones write to the same cassette.
///
/// ```no_run
/// use std::sync::Arc;
/// use longshore_transport::cassette::{Recorder, Scrub};
/// use longshore_transport::{Client, HttpTransport};
///
/// # fn main() -> Result<(), longshore_transport::Error> {
/// let http = Arc::new(HttpTransport::builder().build()?);
/// let recorder = Recorder::create("users.cassette", http, &Scrub::new().query("tenant"))?;
/// let client = Client::builder(Arc::new(recorder)).build();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Recorder {
    transport: Arc<dyn Transport>,
    tape: Arc<Mutex<Tape>>,
}

struct Tape {
    file: File,
    scrubber: Scrubber,
}

impl Recorder {
    /// Starts a cassette; a file that is there is replaced.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when the file cannot be written.
    pub fn create(
        path: impl AsRef<Path>,
        transport: Arc<dyn Transport>,
        scrub: &Scrub,
    ) -> Result<Recorder, Error> {
        let path = path.as_ref();
        let file = File::create(path).map_err(|error| {
            let message = format!("the cassette {} cannot be written", path.display());
            Error::new(ErrorKind::Config, message).with_source(error)
        })?;
        let mut tape = Tape {
            file,
            scrubber: Scrubber::new(scrub),
        };
        tape.write(&Head {
            cassette: FORMAT,
            recorded: httpdate::fmt_http_date(SystemTime::now()),
        })?;
        Ok(Recorder {
            transport,
            tape: Arc::new(Mutex::new(tape)),
        })
    }

    fn record(&self, request: &Request, result: &Result<Response, Error>) -> Result<(), Error> {
        let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
        tape.scrubber.learn_request(request);
        tape.scrubber.learn_login(request, result.as_ref().ok());
        if let Ok(response) = result {
            tape.scrubber.learn_body(&response.body);
            tape.scrubber.learn_location(request, response);
        }
        let scrubber = &tape.scrubber;
        let clean = |bytes: &[u8]| match Body::of(bytes) {
            Body::Text(text) => Body::Text(scrubber.clean(&text)),
            hex => hex,
        };
        let interaction = Interaction {
            request: Asked {
                method: request.method.to_string(),
                url: scrubber.clean_url(&request.url),
                body: request.body.as_deref().map(clean),
            },
            outcome: match result {
                Ok(response) => Outcome::Response(Answered {
                    status: response.status.as_u16(),
                    headers: response
                        .headers
                        .iter()
                        .filter(|(name, _)| {
                            // What belongs to one connection says nothing about a body that is whole and unpacked.
                            ![
                                CONNECTION,
                                CONTENT_ENCODING,
                                CONTENT_LENGTH,
                                SET_COOKIE,
                                TRANSFER_ENCODING,
                            ]
                            .contains(name)
                        })
                        .filter_map(|(name, value)| {
                            Some((name.to_string(), scrubber.clean(value.to_str().ok()?)))
                        })
                        .collect(),
                    body: clean(&response.body),
                }),
                Err(error) => Outcome::Error(Failure::of(error)),
            },
        };
        tape.write(&interaction)
    }
}

impl Tape {
    fn write(&mut self, line: &impl serde::Serialize) -> Result<(), Error> {
        let broken = |error: std::io::Error| {
            Error::new(ErrorKind::Config, "the cassette cannot be written").with_source(error)
        };
        let mut text = serde_json::to_vec(line).map_err(|error| broken(error.into()))?;
        text.push(b'\n');
        // One call, so that whoever reads a file that breaks off finds whole lines and at most one that is not.
        self.file.write_all(&text).map_err(broken)
    }
}

#[async_trait]
impl Transport for Recorder {
    async fn send(&self, request: Request) -> Result<Response, Error> {
        let asked = request.clone();
        let result = self.transport.send(request).await;
        self.record(&asked, &result)?;
        result
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}
