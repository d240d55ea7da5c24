use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Method, StatusCode};
use longshore_transport::{
    Client, Clock, Error, ErrorKind, Exchange, Request, ResetUnit, Response, RetryPolicy,
    RetryScope, StatusRules, TokioClock, Unauthenticated, async_trait, json,
};
use proptest::prelude::*;

use crate::support::{Events, Fake, URL, answer, get, read};

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for_and_then_asked_once() {
    let api = Fake::sequence(vec![(429, &[("retry-after", "7")]), (200, &[])]);
    read(&api.client(), &Unauthenticated).await.unwrap();
    let times = api.times();
    assert_eq!(times.len(), 2);
    assert!((7.0..=7.7).contains(&times[1]), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_cap_fails_at_once_and_says_so() {
    let api = Fake::sequence(vec![(429, &[("retry-after", "301")])]);
    let error = read(&api.client(), &Unauthenticated).await.unwrap_err();
    assert_eq!(api.times(), [0.0]);
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(error.told_wait(), Some(Duration::from_secs(301)));
    assert_eq!(
        error.to_string(),
        "GET https://api.example.com/v1/users: the rate limit is reached (429 Too Many Requests); \
         it ends in 301 s, and no more than 300 s are waited for"
    );
}

#[tokio::test(start_paused = true)]
async fn a_wait_of_exactly_the_cap_is_waited_for() {
    let api = Fake::sequence(vec![(503, &[("retry-after", "300")]), (200, &[])]);
    read(&api.client(), &Unauthenticated).await.unwrap();
    assert!((300.0..=330.0).contains(&api.times()[1]));
}

#[tokio::test(start_paused = true)]
async fn no_told_wait_makes_a_loop_without_delay() {
    for value in ["0", "-1", "soon", "Thu, 01 Jan 1970 00:00:00 GMT"] {
        let api = Fake::new(move |_, request| Ok(answer(request, 429, &[("retry-after", value)])));
        read(&api.client(), &Unauthenticated).await.unwrap_err();
        let times = api.times();
        assert_eq!(times.len(), 6);
        let waits: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(waits.iter().all(|wait| *wait >= 0.2), "{value}: {waits:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_date_is_reckoned_against_the_answers_own_date() {
    // Years away from this machine's clock.
    let api = Fake::sequence(vec![
        (
            429,
            &[
                ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ("retry-after", "Sun, 06 Nov 1994 08:49:44 GMT"),
            ],
        ),
        (200, &[]),
    ]);
    read(&api.client(), &Unauthenticated).await.unwrap();
    assert!((7.0..=7.7).contains(&api.times()[1]));
}

/// A clock whose time of day stands at 10^9 seconds after 1970.
#[derive(Debug)]
struct Millennium(TokioClock);

#[async_trait]
impl Clock for Millennium {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000_000)
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_date_in_the_answer_the_injected_clock_decides() {
    for header in ["retry-after", "x-ratelimit-reset"] {
        let api = Fake::new(move |n, request| {
            let value = match header {
                "retry-after" => "Sun, 09 Sep 2001 01:46:47 GMT",
                _ => "1000000007",
            };
            let headers = [(header, value)];
            Ok(answer(request, if n == 0 { 429 } else { 200 }, &headers))
        });
        let clock = Arc::new(Millennium(TokioClock::new()));
        let client = Client::builder(api.clone()).clock(clock).seed(1).build();
        read(&client, &Unauthenticated).await.unwrap();
        assert!((7.0..=7.7).contains(&api.times()[1]), "{header}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_in_an_error_is_by_the_injected_clock_too() {
    let api = Fake::sequence(vec![(
        429,
        &[("retry-after", "Sun, 09 Sep 2001 02:46:40 GMT")],
    )]);
    let clock = Arc::new(Millennium(TokioClock::new()));
    let client = Client::builder(api.clone()).clock(clock).build();
    let error = read(&client, &Unauthenticated).await.unwrap_err();
    assert_eq!(error.told_wait(), Some(Duration::from_secs(3600)));
}

#[tokio::test(start_paused = true)]
async fn the_status_decides_what_is_tried_again() {
    let temporary = [
        408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529,
    ];
    for status in (201..600).filter(|status| ![301, 302, 303, 307, 308].contains(status)) {
        let api = Fake::new(move |n, request| {
            Ok(answer(request, if n == 0 { status } else { 200 }, &[]))
        });
        let result = read(&api.client(), &Unauthenticated).await;
        let retried = temporary.contains(&status);
        let succeeds = retried || status < 300;
        assert_eq!(api.count(), if retried { 2 } else { 1 }, "{status}");
        assert_eq!(result.is_ok(), succeeds, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_kind_decides_what_is_tried_again() {
    use ErrorKind::*;
    for (kind, retried) in [
        (Connect, true),
        (Timeout, true),
        (Reset, true),
        (Truncated, true),
        (EmptyBody, true),
        (BodyTooLarge, false),
        (NotJson, false),
        (TooDeep, false),
        (Shape, false),
        (Config, false),
        (Other, false),
    ] {
        let api = Fake::new(move |n, request| match n {
            0 => Err(Error::new(kind, "it went wrong")),
            _ => Ok(answer(request, 200, &[])),
        });
        let result = read(&api.client(), &Unauthenticated).await;
        assert_eq!(api.count(), if retried { 2 } else { 1 }, "{kind:?}");
        assert_eq!(result.is_ok(), retried, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_six_tries_the_last_error_says_what_was_asked_and_how_often() {
    let api = Fake::sequence(vec![(503, &[])]);
    let error = read(&api.client(), &Unauthenticated).await.unwrap_err();
    assert_eq!(api.count(), 6);
    assert_eq!(error.attempts(), 6);
    assert_eq!(error.status(), Some(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(
        error.to_string(),
        "GET https://api.example.com/v1/users: the server answered 503 Service Unavailable \
         (after 6 requests)"
    );
    // 0.2 + 0.4 + 0.8 + 1.6 + 3.2 s at most.
    assert!(*api.times().last().unwrap() <= 6.2);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_was_cut_is_asked_for_again_and_delivered_once() {
    let bodies = ["", "[1,", "[1, 2", "[1, 2, 3]"];
    let api = Fake::new(move |n, request| {
        let mut response = answer(request, 200, &[]);
        response.body = bodies[n].into();
        Ok(response)
    });
    let page: Vec<u64> = api
        .client()
        .send(get(URL), &Exchange::new(&Unauthenticated), |response| {
            json::read(&response.success()?.body)
        })
        .await
        .unwrap();
    assert_eq!(page, [1, 2, 3]);
    assert_eq!(api.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_page_of_html_is_not_asked_for_again() {
    let api = Fake::new(|_, request| {
        let mut response = answer(request, 200, &[]);
        response.body = "<!doctype html><title>Sign in".into();
        Ok(response)
    });
    let error = api
        .client()
        .send(get(URL), &Exchange::new(&Unauthenticated), |response| {
            json::read::<Vec<u64>>(&response.success()?.body)
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotJson);
    assert_eq!(api.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_403_is_waited_for_only_when_it_names_a_limit() {
    type Headers = &'static [(&'static str, &'static str)];
    let cases: [(Headers, Option<f64>); 5] = [
        (&[], None),
        (
            &[("x-ratelimit-remaining", "12"), ("x-ratelimit-reset", "60")],
            None,
        ),
        (&[("retry-after", "7")], Some(7.0)),
        (
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "7")],
            Some(7.0),
        ),
        (&[("ratelimit", "\"default\";r=0;t=7")], Some(7.0)),
    ];
    for (headers, wait) in cases {
        let api = Fake::sequence(vec![(403, headers), (200, &[])]);
        let result = read(&api.client(), &Unauthenticated).await;
        match wait {
            None => {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::Status);
                assert_eq!(api.count(), 1);
            }
            Some(wait) => assert!((wait..=wait * 1.1).contains(&api.times()[1])),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_unit_of_resets_can_be_set() {
    let api = Fake::sequence(vec![
        (429, &[("x-ratelimit-reset", "7000000000")]),
        (200, &[]),
    ]);
    let rules = StatusRules::default().reset_unit(ResetUnit::DeltaSeconds);
    let error = api
        .client()
        .send(get(URL), &Exchange::new(&Unauthenticated), |response| {
            rules.check(response)
        })
        .await
        .unwrap_err();
    assert!(error.told_wait().unwrap() > Duration::from_secs(4_000_000_000));
}

#[tokio::test(start_paused = true)]
async fn a_token_request_is_repeated_only_where_it_cannot_count_twice() {
    type Fault = fn() -> Result<u16, ErrorKind>;
    let faults: [(Fault, bool); 7] = [
        (|| Err(ErrorKind::Connect), true),
        (|| Err(ErrorKind::Reset), false),
        (|| Err(ErrorKind::Timeout), false),
        (|| Ok(429), true),
        (|| Ok(503), true),
        (|| Ok(500), false),
        (|| Ok(502), false),
    ];
    for (fault, retried) in faults {
        let api = Fake::new(move |n, request| match (n, fault()) {
            (0, Err(kind)) => Err(Error::new(kind, "it went wrong")),
            (0, Ok(status)) => Ok(answer(request, status, &[])),
            _ => Ok(answer(request, 200, &[])),
        });
        let how = Exchange::new(&Unauthenticated).retry_scope(RetryScope::Token);
        let result = api.client().send(get(URL), &how, Response::success).await;
        assert_eq!(result.is_ok(), retried, "{:?}", fault());
        assert_eq!(api.count(), if retried { 2 } else { 1 });
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_waits() {
    async fn times(seed: u64) -> Vec<f64> {
        let api = Fake::sequence(vec![(500, &[])]);
        let client = Client::builder(api.clone()).seed(seed).build();
        read(&client, &Unauthenticated).await.unwrap_err();
        api.times()
    }
    assert_eq!(times(1).await, times(1).await);
    assert_ne!(times(1).await, times(2).await);
}

#[tokio::test(start_paused = true)]
async fn the_policy_says_how_often() {
    for (attempts, requests) in [(0, 1), (1, 1), (3, 3)] {
        let api = Fake::sequence(vec![(500, &[])]);
        let retry = RetryPolicy::default().attempts(attempts);
        let client = Client::builder(api.clone()).retry(retry).build();
        read(&client, &Unauthenticated).await.unwrap_err();
        assert_eq!(api.count(), requests);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_beyond_all_time_is_none_too_long_to_reckon_with() {
    let api = Fake::sequence(vec![(429, &[("retry-after", "1")])]);
    let retry = RetryPolicy::default()
        .base(Duration::MAX)
        .cap(Duration::MAX)
        .attempts(1);
    let client = Client::builder(api.clone()).retry(retry).build();
    for _ in 0..2 {
        let error = read(&client, &Unauthenticated).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimited);
    }
    assert_eq!(api.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_request_is_told_to_the_listener() {
    let api = Fake::slow(Duration::from_millis(30), |n, request| match n {
        0 => Ok(answer(request, 429, &[("retry-after", "7")])),
        1 => Err(Error::new(ErrorKind::Reset, "it went wrong")),
        2 => Ok(answer(request, 307, &[("location", "/v2/users?page=1")])),
        _ => Ok(answer(request, 200, &[])),
    });
    let events = Events::default();
    let listener = |attempt: &_| events.push(attempt);
    let how = Exchange::new(&Unauthenticated)
        .label("/v1/{what}?key=secret")
        .on_attempt(&listener);
    api.client()
        .send(get(URL), &how, Response::success)
        .await
        .unwrap();
    let events = events.all();
    let seen: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event.number,
                event.status.map(|status| status.as_u16()),
                event.error,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (1, Some(429), Some(ErrorKind::RateLimited)),
            (2, None, Some(ErrorKind::Reset)),
            (3, Some(307), None),
            (4, Some(200), None),
        ]
    );
    assert!(events[0].wait.unwrap() >= Duration::from_secs(7));
    assert!(events[1].wait.unwrap() <= Duration::from_millis(400));
    assert_eq!(events[2].wait, Some(Duration::ZERO));
    assert_eq!(events[3].wait, None);
    for event in &events {
        assert_eq!(event.url.to_string(), "https://api.example.com/v1/{what}");
        assert_eq!(event.elapsed, Duration::from_millis(30));
    }
    assert_eq!(events[3].bytes, 2);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_sent_as_post_is_tried_again_with_its_body() {
    let api = Fake::sequence(vec![(502, &[]), (200, &[])]);
    let request =
        Request::new(Method::POST, get(URL).url).with_json(&serde_json::json!({"page": 2}));
    let how = Exchange::new(&Unauthenticated);
    api.client()
        .send(request, &how, Response::success)
        .await
        .unwrap();
    let sent = api.requests();
    assert_eq!(sent.len(), 2);
    for sent in sent {
        assert_eq!(sent.method, Method::POST);
        assert_eq!(sent.body.unwrap(), r#"{"page":2}"#);
        assert_eq!(sent.headers["content-type"], "application/json");
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_means_what_the_rules_say() {
    async fn ask(api: &Arc<Fake>, rules: &StatusRules) -> Result<Response, Error> {
        let how = Exchange::new(&Unauthenticated);
        let client = api.client();
        client
            .send(get(URL), &how, |response| rules.check(response))
            .await
    }
    let rules = StatusRules::default()
        .retry(StatusCode::CONFLICT)
        .fail(StatusCode::SERVICE_UNAVAILABLE)
        .retry(StatusCode::NOT_FOUND)
        .fail(StatusCode::NOT_FOUND)
        .fail(StatusCode::FORBIDDEN)
        .fail(StatusCode::OK);

    let api = Fake::sequence(vec![(409, &[("retry-after", "7")]), (200, &[])]);
    ask(&api, &rules).await.unwrap();
    assert!(
        (7.0..=7.7).contains(&api.times()[1]),
        "a told wait counts as ever"
    );
    for status in [503, 404] {
        let api = Fake::sequence(vec![(status, &[])]);
        let error = ask(&api, &rules).await.unwrap_err();
        assert_eq!((error.status().unwrap().as_u16(), api.count()), (status, 1));
        assert!(!error.is_retryable());
    }
    let api = Fake::sequence(vec![(500, &[]), (200, &[])]);
    ask(&api, &rules).await.unwrap();

    // A limit in disguise is none where 403 was said to be final, and pauses nobody.
    let api = Fake::sequence(vec![(
        403,
        &[("x-ratelimit-remaining", "0"), ("retry-after", "60")],
    )]);
    let error = ask(&api, &rules).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Status);
    assert_eq!(error.told_wait(), None);
    assert_eq!(api.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_429_that_is_final_pauses_the_others_all_the_same() {
    let api = Fake::sequence(vec![(429, &[("retry-after", "60")]), (200, &[])]);
    let client = api.client();
    let rules = StatusRules::default().fail(StatusCode::TOO_MANY_REQUESTS);
    let how = Exchange::new(&Unauthenticated);
    let refused = client
        .send(get(URL), &how, |response| rules.check(response))
        .await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::RateLimited);
    read(&client, &Unauthenticated).await.unwrap();
    assert!(api.times()[1] >= 60.0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_says_no_is_final_unless_the_caller_says_that_it_passes() {
    for (passes, requests) in [(false, 1), (true, 2)] {
        let api = Fake::sequence(vec![(200, &[("retry-after", "7")]), (200, &[])]);
        let first = std::sync::atomic::AtomicBool::new(true);
        let rules = StatusRules::default();
        let how = Exchange::new(&Unauthenticated);
        let client = api.client();
        let result = client
            .send(get(URL), &how, |response| {
                match first.swap(false, std::sync::atomic::Ordering::SeqCst) {
                    true => Err(rules.rejection(&response, "ok is false").retryable(passes)),
                    false => Ok(()),
                }
            })
            .await;
        assert_eq!(api.count(), requests);
        match result {
            Ok(()) => assert!((7.0..=7.7).contains(&api.times()[1])),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Rejected);
                assert!(!error.is_retryable());
                assert_eq!(error.status().unwrap(), StatusCode::OK);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    // R14, R16: whatever is told, in however many headers, the next request comes no earlier than the base and the largest number,
    // and no later than a tenth after that.
    #[test]
    fn any_told_wait_is_kept(
        values in prop::collection::vec(prop_oneof![
            3 => (0_u32..300).prop_map(|seconds| seconds.to_string()),
            1 => "-[0-9]{1,3}|[a-z ;=.]{0,10}|[0-9]{1,3}[a-z]|0x[0-9]{2}|\\+[0-9]{1,3}|NaN|inf|1e[0-9]",
        ], 1..5),
        status in prop::sample::select(vec![429_u16, 503, 403]),
    ) {
        let largest = values.iter().filter_map(|value| value.trim().parse::<u32>().ok().filter(|_| !value.starts_with('+'))).max();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let sent = values.clone();
            let api = Fake::new(move |n, request| {
                let headers: Vec<(&str, &str)> = sent.iter().map(|value| ("retry-after", value.as_str())).collect();
                Ok(if n == 0 { answer(request, status, &headers) } else { answer(request, 200, &[]) })
            });
            read(&api.client(), &Unauthenticated).await.unwrap();
            let wait = api.times()[1];
            let least = f64::from(largest.unwrap_or(0)).max(0.2);
            assert!(wait >= least && wait <= least * 1.1 + 0.002, "{values:?}: {wait}");
        });
    }
}
