use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{AUTHORIZATION, HeaderValue};
use longshore_transport::{
    Error, ErrorKind, Exchange, Generation, Prepare, Renewal, Request, Response, Unauthenticated,
    async_trait,
};

use crate::support::{Events, Fake, URL, answer, get, read};

/// Counts up: `Bearer 1`, and after each renewal the next.
#[derive(Debug)]
struct Counting {
    generation: AtomicU64,
    prepared: AtomicU64,
}

impl Counting {
    fn new() -> Self {
        Self {
            generation: AtomicU64::new(1),
            prepared: AtomicU64::new(0),
        }
    }
}

#[async_trait]
impl Prepare for Counting {
    async fn prepare(&self, request: &mut Request) -> Result<Generation, Error> {
        self.prepared.fetch_add(1, Ordering::SeqCst);
        let generation = self.generation.load(Ordering::SeqCst);
        let value = format!("Bearer {generation}").parse().unwrap();
        request.headers.insert(AUTHORIZATION, value);
        Ok(Generation(generation))
    }

    async fn renew(&self, rejected: Generation) -> Result<Renewal, Error> {
        self.generation.store(rejected.0 + 1, Ordering::SeqCst);
        Ok(Renewal::Renewed)
    }
}

fn sent_credentials(api: &Fake) -> Vec<String> {
    api.requests()
        .iter()
        .map(|request| request.headers[AUTHORIZATION].to_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_401_renews_once_and_repeats_at_once() {
    let api = Fake::sequence(vec![(401, &[]), (200, &[])]);
    read(&api.client(), &Counting::new()).await.unwrap();
    assert_eq!(sent_credentials(&api), ["Bearer 1", "Bearer 2"]);
    assert_eq!(api.times(), [0.0, 0.0]);
}

#[tokio::test(start_paused = true)]
async fn a_second_401_is_final_even_after_other_retries() {
    for (statuses, requests) in [
        (vec![(401, &[][..])], 2),
        (vec![(401, &[][..]), (500, &[]), (401, &[])], 3),
        (vec![(500, &[][..]), (401, &[])], 3),
    ] {
        let api = Fake::sequence(statuses);
        let error = read(&api.client(), &Counting::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert!(!error.is_retryable());
        assert_eq!(api.count(), requests);
    }
}

#[tokio::test(start_paused = true)]
async fn a_401_with_nothing_to_renew_is_final() {
    let api = Fake::sequence(vec![(401, &[])]);
    let events = Events::default();
    let listener = |attempt: &_| events.push(attempt);
    let how = Exchange::new(&Unauthenticated).on_attempt(&listener);
    let error = api
        .client()
        .send(get(URL), &how, Response::success)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!(api.count(), 1);
    let events = events.all();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].error, Some(ErrorKind::Unauthorized));
}

#[tokio::test(start_paused = true)]
async fn every_request_is_prepared_anew() {
    let api = Fake::new(|n, request| match n {
        0 => Ok(answer(request, 503, &[])),
        1 => Ok(answer(request, 302, &[("location", "/v2")])),
        _ => Ok(answer(request, 200, &[])),
    });
    let prepare = Counting::new();
    read(&api.client(), &prepare).await.unwrap();
    assert_eq!(prepare.prepared.load(Ordering::SeqCst), 3);
}

/// Never gets a credential, and says that it might next time.
#[derive(Debug)]
struct LoggedOut;

#[async_trait]
impl Prepare for LoggedOut {
    async fn prepare(&self, _: &mut Request) -> Result<Generation, Error> {
        Err(Error::new(ErrorKind::Auth, "no token").retryable(true))
    }

    async fn renew(&self, _: Generation) -> Result<Renewal, Error> {
        Err(Error::new(ErrorKind::Auth, "no token").retryable(true))
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_login_is_not_retried_a_second_time_here() {
    let api = Fake::sequence(vec![(200, &[])]);
    let error = read(&api.client(), &LoggedOut).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert_eq!(api.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_added_is_marked_sensitive_and_what_was_there_is_not() {
    #[derive(Debug)]
    struct Key;

    #[async_trait]
    impl Prepare for Key {
        async fn prepare(&self, request: &mut Request) -> Result<Generation, Error> {
            let value = HeaderValue::from_static("s3cret");
            request.headers.insert("x-tenant-key", value);
            Ok(Generation(0))
        }

        async fn renew(&self, _: Generation) -> Result<Renewal, Error> {
            Ok(Renewal::Unchanged)
        }
    }

    let api = Fake::sequence(vec![(200, &[])]);
    let mut request = get(URL);
    request
        .headers
        .insert("accept", HeaderValue::from_static("application/json"));
    api.client()
        .send(request, &Exchange::new(&Key), Response::success)
        .await
        .unwrap();
    let sent = &api.requests()[0].headers;
    assert!(sent["x-tenant-key"].is_sensitive());
    assert!(!sent["accept"].is_sensitive());
}

#[tokio::test(start_paused = true)]
async fn preparing_cannot_send_a_request_elsewhere() {
    #[derive(Debug)]
    struct Detour;

    #[async_trait]
    impl Prepare for Detour {
        async fn prepare(&self, request: &mut Request) -> Result<Generation, Error> {
            request.url.set_host(Some("evil.example")).unwrap();
            Ok(Generation(0))
        }

        async fn renew(&self, _: Generation) -> Result<Renewal, Error> {
            Ok(Renewal::Unchanged)
        }
    }

    let api = Fake::sequence(vec![(200, &[])]);
    let error = read(&api.client(), &Detour).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignOrigin);
    assert_eq!(api.count(), 0);
}
