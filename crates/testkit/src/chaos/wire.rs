//! Faults on the wire: HTTP/1.1 by hand, since no server library writes it wrongly.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use flate2::{Compress, Compression, FlushCompress};
use http::{HeaderName, HeaderValue, Method};
use longshore_transport::Request;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

use super::{Fault, FaultPlan, Faulty};
use crate::seen::lock;
use crate::{Answer, Service};

/// Between two bytes of [`Fault::SlowBytes`].
const SLOW: Duration = Duration::from_millis(100);

/// Serves `service` on a free port of 127.0.0.1, and breaks its answers on the wire as `plan` says, until the [`FaultServer`] is
/// dropped.
///
/// Real sockets take real time: give the client under test a timeout of milliseconds. Where paused time matters, use
/// [`Faulty`](crate::Faulty) on a [`Network`](crate::Network).
///
/// # Panics
/// When no port of 127.0.0.1 can be bound.
pub async fn serve_faulty(service: impl Service, plan: FaultPlan) -> FaultServer {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port on 127.0.0.1");
    let address = listener
        .local_addr()
        .expect("a bound listener has an address");
    let url: Url = format!("http://{address}/")
        .parse()
        .expect("an address with a port is a URL");
    let received = Arc::new(Mutex::new(Vec::new()));
    let accepting = tokio::spawn(accept(
        listener,
        Faulty::new(service, plan),
        url.clone(),
        received.clone(),
    ));
    FaultServer {
        url,
        received,
        accepting,
    }
}

/// A running server; dropping it closes the port and every connection.
#[derive(Debug)]
pub struct FaultServer {
    /// Where it listens: `http://127.0.0.1:<port>/`.
    pub url: Url,
    received: Arc<Mutex<Vec<u8>>>,
    accepting: JoinHandle<()>,
}

impl FaultServer {
    /// Every byte that came in, over all connections: for a server that should get none, or no secret.
    pub fn received(&self) -> Vec<u8> {
        lock(&self.received).clone()
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, service: Faulty, base: Url, received: Arc<Mutex<Vec<u8>>>) {
    // Owned by this task, so that aborting it ends the connections as well.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                let connection = converse(stream, service.clone(), base.clone(), received.clone());
                connections.spawn(connection);
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, service: Faulty, base: Url, received: Arc<Mutex<Vec<u8>>>) {
    let mut stream = BufReader::new(stream);
    // A connection that ends in an error is the client's to notice.
    while let Ok(Some(request)) = read_request(&mut stream, &base, &received).await {
        if let Ok(Kept::Open) = answer(stream.get_mut(), &service, request).await {
            continue;
        }
        break;
    }
}

/// Whether the connection serves another request.
enum Kept {
    Open,
    Closed,
}

async fn read_request(
    stream: &mut BufReader<TcpStream>,
    base: &Url,
    received: &Mutex<Vec<u8>>,
) -> io::Result<Option<Request>> {
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    lock(received).extend_from_slice(head.as_bytes());
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let method = words
        .next()
        .and_then(|word| Method::from_bytes(word.as_bytes()).ok());
    let target = words.next().ok_or_else(broken)?;
    let url = base.join(target).map_err(io::Error::other)?;
    let mut request = Request::new(method.ok_or_else(broken)?, url);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let name: HeaderName = name.parse().map_err(io::Error::other)?;
        let value = HeaderValue::from_str(value.trim()).map_err(io::Error::other)?;
        request.headers.append(name, value);
    }
    let length = request
        .headers
        .get("content-length")
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok())
        .unwrap_or_default();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    lock(received).extend_from_slice(&body);
    request.body = (length > 0).then(|| body.into());
    Ok(Some(request))
}

async fn answer(stream: &mut TcpStream, service: &Faulty, request: Request) -> io::Result<Kept> {
    let happens = service.happens(request).await;
    let fault = happens.fault;
    let answer = happens.arrives();
    if let Some(delay) = answer.delay {
        tokio::time::sleep(delay).await;
    }
    let body = &answer.body;
    let half = body.len() / 2;
    match fault {
        Some(Fault::ResetBeforeHeaders) => return reset(stream),
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::ResetInBody) => {
            stream
                .write_all(&head(&answer, &length(body.len())))
                .await?;
            stream.write_all(&body[..half]).await?;
            // What was written is to arrive before the reset, which throws away what has not.
            stream.flush().await?;
            tokio::time::sleep(Duration::from_millis(5)).await;
            return reset(stream);
        }
        Some(Fault::ShortLength) => {
            stream
                .write_all(&head(&answer, &length(body.len() + 10)))
                .await?;
            stream.write_all(body).await?;
        }
        Some(Fault::CutChunked) => {
            stream
                .write_all(&head(&answer, "transfer-encoding: chunked\r\n"))
                .await?;
            stream
                .write_all(format!("{:x}\r\n", body.len()).as_bytes())
                .await?;
            stream.write_all(&body[..half]).await?;
        }
        Some(Fault::CutClose) => {
            stream
                .write_all(&head(&answer, "connection: close\r\n"))
                .await?;
            // Cut already, as what arrives.
            stream.write_all(body).await?;
        }
        Some(Fault::BadGzip) => {
            let encoding = format!("content-encoding: gzip\r\n{}", length(body.len()));
            stream.write_all(&head(&answer, &encoding)).await?;
            stream.write_all(body).await?;
            stream.flush().await?;
            return Ok(Kept::Open);
        }
        Some(Fault::Bomb) => {
            let encoding = format!("content-encoding: gzip\r\n{}", length(bomb().len()));
            stream.write_all(&head(&answer, &encoding)).await?;
            stream.write_all(bomb()).await?;
        }
        Some(Fault::SlowBytes) => {
            stream
                .write_all(&head(&answer, &length(body.len())))
                .await?;
            for byte in body {
                stream.write_all(&[*byte]).await?;
                tokio::time::sleep(SLOW).await;
            }
        }
        fault => {
            stream
                .write_all(&head(&answer, &length(body.len())))
                .await?;
            stream.write_all(body).await?;
            stream.flush().await?;
            if fault != Some(Fault::IdleClose) {
                return Ok(Kept::Open);
            }
        }
    }
    stream.shutdown().await?;
    Ok(Kept::Closed)
}

fn length(bytes: usize) -> String {
    format!("content-length: {bytes}\r\n")
}

fn head(answer: &Answer, framing: &str) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} Answer\r\n{framing}", answer.status.as_u16()).into_bytes();
    for (name, value) in &answer.headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// With a linger time of zero, closing is a reset.
fn reset(stream: &TcpStream) -> io::Result<Kept> {
    stream.set_zero_linger()?;
    Ok(Kept::Closed)
}

/// Blanks, which are as good a beginning of JSON as any. Each block of them stands alone, so that one is compressed and all the others
/// are copies; there is no end, since nobody should read that far.
fn bomb() -> &'static [u8] {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(|| {
        let blanks = [b' '; 1 << 16];
        let mut deflate = Compress::new(Compression::best(), false);
        let mut block = Vec::with_capacity(blanks.len());
        deflate
            .compress_vec(&blanks, &mut block, FlushCompress::Full)
            .expect("a vector with room takes everything");
        // The shortest header of a gzip file, RFC 1952.
        let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        bomb.extend(block.repeat(Fault::BOMB_BYTES / blanks.len()));
        bomb
    })
}
