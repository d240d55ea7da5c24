//! A service behind a real socket on this machine.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use longshore_transport::Request;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

use crate::Service;

/// Serves on a free port of 127.0.0.1 until the [`Server`] is dropped.
///
/// For programs of their own and for tests of real sockets; where paused time matters, use [`Network`](crate::Network).
///
/// # Panics
/// When no port of 127.0.0.1 can be bound.
pub async fn serve(service: impl Service) -> Server {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port on 127.0.0.1");
    let address = listener
        .local_addr()
        .expect("a bound listener has an address");
    let url: Url = format!("http://{address}/")
        .parse()
        .expect("an address with a port is a URL");
    let accepting = tokio::spawn(accept(listener, Arc::new(service), url.clone()));
    Server { url, accepting }
}

/// A running server; dropping it closes the port and every connection.
#[derive(Debug)]
pub struct Server {
    /// Where it listens: `http://127.0.0.1:<port>/`.
    pub url: Url,
    accepting: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, service: Arc<dyn Service>, base: Url) {
    // Owned by this task, so that aborting it ends the connections as well.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(converse(stream, Arc::clone(&service), base.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, service: Arc<dyn Service>, base: Url) {
    let answer = hyper::service::service_fn(|incoming: http::Request<Incoming>| {
        let (service, base) = (Arc::clone(&service), base.clone());
        async move { answer(incoming, &service, &base).await }
    });
    // A connection that ends in an error is the client's to notice.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

async fn answer(
    incoming: http::Request<Incoming>,
    service: &Arc<dyn Service>,
    base: &Url,
) -> Result<http::Response<Full<Bytes>>, io::Error> {
    let (head, body) = incoming.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let wire = head.uri.path_and_query().map_or("/", |wire| wire.as_str());
    let url = format!("{}{wire}", base.as_str().trim_end_matches('/'));
    let mut request = Request::new(head.method, url.parse().map_err(io::Error::other)?);
    request.headers = head.headers;
    request.body = (!body.is_empty()).then_some(body);

    let url = request.url.clone();
    let response = service
        .answer(request)
        .await
        .arrive(url)
        .await
        .map_err(io::Error::other)?;
    let mut outgoing = http::Response::new(Full::new(response.body));
    *outgoing.status_mut() = response.status;
    *outgoing.headers_mut() = response.headers;
    Ok(outgoing)
}
