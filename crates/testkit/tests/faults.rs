//! What a fault is on the wire, a client sees as what the same fault is in process.
#![allow(
    clippy::unwrap_used,
    reason = "what cannot be set up should fail the test"
)]

use std::time::Duration;

use http::{Method, StatusCode};
use longshore_testkit::{Fault, FaultPlan, Faulty, Network, ScriptedApi, numbered, serve_faulty};
use longshore_transport::{ErrorKind, HttpTransport, Request, Transport, json, parse_url};
use serde_json::Value;

const TIMEOUT: Duration = Duration::from_millis(400);

fn api() -> ScriptedApi {
    ScriptedApi::new().json("/users", numbered(20))
}

fn plan(fault: Fault) -> FaultPlan {
    FaultPlan::new().strike("/users", 1, fault, 1)
}

/// What a client makes of an answer: its status and how its body reads, or the error.
async fn seen(
    transport: &dyn Transport,
    base: &str,
) -> (Option<StatusCode>, Result<(), ErrorKind>) {
    let url = parse_url(base).unwrap().join("/users").unwrap();
    match transport.send(Request::new(Method::GET, url)).await {
        Err(error) => (None, Err(error.kind())),
        Ok(response) => {
            let read = json::read::<Value>(&response.body);
            (
                Some(response.status),
                read.map(drop).map_err(|error| error.kind()),
            )
        }
    }
}

fn http() -> HttpTransport {
    HttpTransport::builder()
        .timeout(TIMEOUT)
        // An unoptimised build takes seconds for the usual 64 MiB.
        .max_body_bytes(1 << 20)
        .build()
        .unwrap()
}

#[tokio::test]
async fn every_fault_is_the_same_on_the_wire_and_in_process() {
    for fault in Fault::ALL {
        let server = serve_faulty(api(), plan(fault)).await;
        let on_the_wire = seen(&http(), server.url.as_str()).await;

        let service = Faulty::new(api(), plan(fault)).timeout(Duration::ZERO);
        let network = Network::new().at("https://api.example.com", service);
        let in_process = seen(&network, "https://api.example.com").await;
        assert_eq!(on_the_wire, in_process, "{fault:?}");
        assert_eq!(
            on_the_wire.1.err().filter(|_| on_the_wire.0.is_none()),
            fault.transport_error(),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn what_heals_is_a_good_answer_over_the_same_client() {
    for fault in Fault::ALL {
        let server = serve_faulty(api(), plan(fault)).await;
        let http = http();
        let struck = seen(&http, server.url.as_str()).await;
        let is_good = struck == (Some(StatusCode::OK), Ok(()));
        // What the body says is for others to judge.
        assert_eq!(
            is_good,
            matches!(fault, Fault::IdleClose | Fault::NotOk),
            "{fault:?}"
        );
        let healed = seen(&http, server.url.as_str()).await;
        assert_eq!(healed, (Some(StatusCode::OK), Ok(())), "{fault:?}");
    }
}

#[tokio::test]
async fn a_server_keeps_all_that_it_received() {
    let server = serve_faulty(api(), FaultPlan::new()).await;
    let url = server.url.join("/users?key=s3cret").unwrap();
    let mut request = Request::new(Method::POST, url);
    request.body = Some("the body".into());
    http().send(request).await.unwrap();
    let received = String::from_utf8(server.received()).unwrap();
    assert!(received.starts_with("POST /users?key=s3cret HTTP/1.1\r\n"));
    assert!(received.ends_with("\r\n\r\nthe body"), "{received}");
}

#[test]
fn a_plan_is_a_pure_function_of_its_seed() {
    let answers = |seed| -> Vec<Option<Fault>> {
        let plan = FaultPlan::seeded(seed);
        (1..=100)
            .flat_map(|page| (1..=4).map(move |attempt| (page, attempt)))
            .map(|(page, attempt)| plan.fault("/users", page, attempt))
            .collect()
    };
    assert_eq!(answers(7), answers(7));
    assert_ne!(answers(7), answers(8));
    let struck = answers(7).iter().flatten().count();
    assert!((20..=120).contains(&struck), "{struck} of 400");
    // Each page is struck by one fault, which heals within three answers.
    for page in answers(7).chunks(4) {
        let faults: Vec<Fault> = page.iter().flatten().copied().collect();
        assert!(
            faults.windows(2).all(|pair| pair[0] == pair[1]),
            "{faults:?}"
        );
        assert_eq!(page[3], None);
    }
}
