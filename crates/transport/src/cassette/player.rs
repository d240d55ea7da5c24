use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use url::Url;

use super::SECRET;
use super::file::{Asked, Body, FORMAT, Head, Interaction, Outcome};
use crate::{Clock, Error, ErrorKind, Request, Response, SafeUrl, Transport};

/// A [`Transport`] that answers from a cassette and opens no connection. Clones play the same cassette.
///
/// A request is answered by the first recorded one that has the same method, URL and body and was not played yet, so a request that
/// was repeated gets its answers in their order. One that the cassette does not hold, or not once more, is an error that is not
/// retried: the configuration has changed since, or the mapping asks for something else. What was a secret may be anything.
///
/// ```no_run
/// use std::sync::Arc;
/// use longshore_transport::Client;
/// use longshore_transport::cassette::Player;
///
/// # fn main() -> Result<(), longshore_transport::Error> {
/// let player = Player::open("users.cassette")?;
/// let client = Client::builder(Arc::new(player.clone())).clock(player.clock()).build();
/// // … read, and then:
/// assert_eq!(player.unplayed(), Vec::<String>::new());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Player {
    tape: Arc<Mutex<Vec<Track>>>,
    clock: Arc<PlayerClock>,
}

struct Track {
    interaction: Interaction,
    played: bool,
}

impl Player {
    /// Reads a cassette.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], with the line, for a file that is not there or is no cassette of this version.
    pub fn open(path: impl AsRef<Path>) -> Result<Player, Error> {
        let path = path.as_ref();
        let refuse = |what: String| {
            Error::new(
                ErrorKind::Config,
                format!("the cassette {}: {what}", path.display()),
            )
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| refuse("cannot be read".to_owned()).with_source(error))?;
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let head: Head = serde_json::from_str(first).map_err(|error| {
            refuse("is none: line 1 is not the head of one".to_owned()).with_source(error)
        })?;
        if head.cassette != FORMAT {
            return Err(refuse(format!(
                "is of format {}, and {FORMAT} is what can be played; record it again",
                head.cassette
            )));
        }
        let recorded = httpdate::parse_http_date(&head.recorded)
            .map_err(|error| refuse("line 1 holds no date".to_owned()).with_source(error))?;
        let mut tape = Vec::new();
        let mut lines = rest.split_inclusive('\n').enumerate().peekable();
        while let Some((index, line)) = lines.next() {
            let interaction = match serde_json::from_str(line) {
                Ok(interaction) => interaction,
                // The recording broke off in the middle of it.
                Err(_) if lines.peek().is_none() && !line.ends_with('\n') => break,
                Err(error) => {
                    let what = format!("line {} is no interaction", index + 2);
                    return Err(refuse(what).with_source(error));
                }
            };
            tape.push(Track {
                interaction,
                played: false,
            });
        }
        Ok(Player {
            tape: Arc::new(Mutex::new(tape)),
            clock: Arc::new(PlayerClock::at(recorded)),
        })
    }

    /// A clock whose waits are over at once, and which begins at the time of the recording.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// Requests of the cassette that nobody has made, as `GET https://…`, without their queries.
    pub fn unplayed(&self) -> Vec<String> {
        self.lock()
            .iter()
            .filter(|track| !track.played)
            .map(|track| shown(&track.interaction.request))
            .collect()
    }

    /// How many requests the cassette holds.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Track>> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Transport for Player {
    async fn send(&self, request: Request) -> Result<Response, Error> {
        let mut tape = self.lock();
        let mut others = 0;
        for track in tape.iter_mut() {
            if !asks(&track.interaction.request, &request) {
                continue;
            }
            if track.played {
                others += 1;
                continue;
            }
            track.played = true;
            return answer(&track.interaction.outcome, &request.url);
        }
        let asked = format!("{} {}", request.method, SafeUrl::of(&request.url));
        let what = match others {
            0 => format!("the cassette has no answer to {asked}; record it again"),
            times => format!(
                "the cassette has {times} answers to {asked}, and it was asked once more; record it again"
            ),
        };
        Err(Error::new(ErrorKind::Other, what))
    }
}

fn answer(outcome: &Outcome, url: &Url) -> Result<Response, Error> {
    let broken = |what: &str| Error::new(ErrorKind::Config, format!("the cassette holds {what}"));
    let answered = match outcome {
        Outcome::Error(failure) => return Err(failure.error()),
        Outcome::Response(answered) => answered,
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &answered.headers {
        let name: HeaderName = name
            .parse()
            .map_err(|_| broken("a header name that is none"))?;
        let value = HeaderValue::from_str(value).map_err(|_| broken("a header that is none"))?;
        headers.append(name, value);
    }
    Ok(Response::new(
        StatusCode::from_u16(answered.status).map_err(|_| broken("a status that is none"))?,
        headers,
        answered
            .body
            .bytes()
            .ok_or_else(|| broken("a body that is none"))?,
        url.clone(),
    ))
}

/// Whether a recorded request is this one.
fn asks(recorded: &Asked, request: &Request) -> bool {
    let body = request.body.as_deref().map(Body::of);
    let same_body = match (&recorded.body, &body) {
        (None, None) => true,
        (Some(Body::Text(recorded)), Some(Body::Text(body))) => fits(recorded, body),
        (recorded, body) => recorded == body,
    };
    recorded.method == request.method.as_str()
        && fits(&recorded.url, request.url.as_str())
        && same_body
}

/// Whether `text` is `recorded`, with anything in the place of each secret.
fn fits(recorded: &str, text: &str) -> bool {
    let mut parts = recorded.split(SECRET);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

fn shown(request: &Asked) -> String {
    match Url::parse(&request.url) {
        Ok(url) => format!("{} {}", request.method, SafeUrl::of(&url)),
        Err(_) => request.method.clone(),
    }
}

impl fmt::Debug for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player").finish_non_exhaustive()
    }
}

/// Time that passes by waiting only.
#[derive(Debug)]
struct PlayerClock {
    start: SystemTime,
    passed: Mutex<Duration>,
}

impl PlayerClock {
    fn at(start: SystemTime) -> Self {
        Self {
            start,
            passed: Mutex::default(),
        }
    }

    fn passed(&self) -> MutexGuard<'_, Duration> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for PlayerClock {
    fn now(&self) -> Duration {
        *self.passed()
    }

    fn wall(&self) -> SystemTime {
        self.start + *self.passed()
    }

    async fn sleep(&self, duration: Duration) {
        *self.passed() += duration;
        // Others get their turn, as they would in a wait.
        tokio::task::yield_now().await;
    }
}
