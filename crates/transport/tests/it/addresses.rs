//! R35: with private addresses denied, no connection is made to any.

use std::sync::Arc;

use futures::FutureExt as _;
use longshore_transport::{
    Client, ErrorKind, Exchange, HttpTransport, Origin, Response, Transport, Unauthenticated,
    parse_url,
};
use tokio::net::TcpListener;

use crate::support::{Fake, answer, get};

/// Ways to write this machine's own address, and names that lead to it.
const NAMES_OF_THIS_MACHINE: [&str; 13] = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0",
    "127.255.255.254",
    "localhost",
    "LOCALHOST",
    "%6cocalhost",
    "１２７.０.０.１",
    "[::1]",
    "[::ffff:127.0.0.1]",
];

#[tokio::test]
async fn no_connection_is_made_to_this_machine_however_it_is_called() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let builder = HttpTransport::builder().deny_private_addresses(true);
    let client = Client::builder(Arc::new(builder.build().unwrap())).build();
    for host in NAMES_OF_THIS_MACHINE {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}:{port}/");
            let how = Exchange::new(&Unauthenticated);
            let answer = client.send(get(&url), &how, Response::success).await;
            let error = answer.unwrap_err();
            assert!(
                error.to_string().contains("denyPrivateAddresses"),
                "{error:?}"
            );
            assert_eq!(error.kind(), ErrorKind::Connect);
            assert_eq!(error.attempts(), 1, "no use in asking again");
        }
    }
    // The kernel would have completed a connection by now, accepted or not.
    assert!(listener.accept().now_or_never().is_none());
}

#[tokio::test]
async fn addresses_of_networks_and_of_a_clouds_metadata_are_refused() {
    let builder = HttpTransport::builder().deny_private_addresses(true);
    let transport = builder.build().unwrap();
    for host in [
        "169.254.169.254",
        "10.0.0.1",
        "192.168.1.1",
        "100.100.100.200",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
    ] {
        let error = transport
            .send(get(&format!("http://{host}/")))
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("denyPrivateAddresses"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn private_addresses_are_reached_unless_denied() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let transport = HttpTransport::builder().build().unwrap();
    let asked = tokio::spawn(async move {
        let url = format!("http://localhost:{port}/");
        transport.send(get(&url)).await
    });
    listener.accept().await.unwrap();
    asked.abort();
}

/// Answers of a public server may lead inside, too.
#[tokio::test]
async fn a_redirect_to_an_allowed_origin_inside_is_refused_by_the_transport() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let inside = format!("https://{}/", listener.local_addr().unwrap());
    let public_only = HttpTransport::builder()
        .deny_private_addresses(true)
        .build()
        .unwrap();
    let location = inside.clone();
    let redirect =
        Fake::new(move |_, request| Ok(answer(request, 302, &[("location", &location)])));

    /// The first request goes to a double, the others out.
    #[derive(Debug)]
    struct First(Arc<Fake>, HttpTransport);

    #[longshore_transport::async_trait]
    impl Transport for First {
        async fn send(
            &self,
            request: longshore_transport::Request,
        ) -> Result<Response, longshore_transport::Error> {
            match self.0.count() {
                0 => self.0.send(request).await,
                _ => self.1.send(request).await,
            }
        }
    }

    let client = Client::builder(Arc::new(First(redirect, public_only))).build();
    let allowed = [Origin::of(&parse_url(&inside).unwrap()).unwrap()];
    let how = Exchange::new(&Unauthenticated).allowed_origins(&allowed);
    let error = client
        .send(get("https://api.example.com/"), &how, Response::success)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("denyPrivateAddresses"),
        "{error:?}"
    );
    assert!(listener.accept().now_or_never().is_none());
}
