//! Answers for whoever watches the process: `/health/live`, `/health/ready` and `/metrics`.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::telemetry::Telemetry;

/// A client that sends no request head is not waited for longer.
const HEAD: Duration = Duration::from_secs(10);
/// After a connection could not be accepted: for want of file descriptors, most often.
const PAUSE: Duration = Duration::from_millis(100);

/// For people.
const PATHS: &str = "there are /health/live, /health/ready and /metrics\n";

/// A small HTTP server that is there as long as this is kept, and its connections with it.
///
/// | path | answer |
/// |---|---|
/// | `/health/live` | 200: the process runs |
/// | `/health/ready` | 200 once Port was reached and a mapping was read, else 503; the body says what is wrong |
/// | `/metrics` | the metrics in the text format of Prometheus |
/// | `/docs` | 200, for probes of older versions of Port's Helm chart |
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    _accepting: AbortOnDropHandle<()>,
}

impl Server {
    /// Where it listens: with the port that the system chose, where port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Serves what `telemetry` knows.
///
/// # Errors
/// The address cannot be listened at.
pub async fn serve(address: SocketAddr, telemetry: Telemetry) -> io::Result<Server> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let accepting = tokio::spawn(async move {
        // They end with this task.
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let telemetry = telemetry.clone();
            connections.spawn(async move {
                let answer = service_fn(|request: Request<Incoming>| {
                    let response = answer(&request, &telemetry);
                    async move { Ok::<_, Infallible>(response) }
                });
                // Whoever hangs up early has no use for an error.
                let _ = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD)
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    });
    Ok(Server {
        address,
        _accepting: AbortOnDropHandle::new(accepting),
    })
}

fn answer<B>(request: &Request<B>, telemetry: &Telemetry) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET is answered here\n",
        );
    }
    match request.uri().path().trim_end_matches('/') {
        "/health/live" => health(
            StatusCode::OK,
            json!({"status": "healthy", "check": "live"}),
        ),
        "/health/ready" => {
            let state = telemetry.state();
            let (status, word) = match state.ready {
                true => (StatusCode::OK, "healthy"),
                false => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
            };
            let problem = match (state.ready, state.problem) {
                (false, None) => Some("Port was not reached yet".to_owned()),
                (_, problem) => problem,
            };
            health(
                status,
                json!({"status": word, "check": "ready", "syncing": state.syncing, "problem": problem}),
            )
        }
        "/metrics" => text(StatusCode::OK, &telemetry.metrics()),
        // Where Port's Helm chart has looked for life.
        "/docs" => text(StatusCode::OK, PATHS),
        _ => text(StatusCode::NOT_FOUND, PATHS),
    }
}

fn health(status: StatusCode, body: serde_json::Value) -> Response<Full<Bytes>> {
    respond(status, "application/json", format!("{body}\n"))
}

fn text(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    respond(
        status,
        "text/plain; version=0.0.4; charset=utf-8",
        body.to_owned(),
    )
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
