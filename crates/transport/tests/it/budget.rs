//! R21: a server that is down is asked once for each exchange, and not six times.

use std::sync::Arc;

use futures::future::join_all;
use longshore_transport::{
    Client, Error, ErrorKind, Exchange, RetryBudget, RetryPolicy, Unauthenticated,
};
use proptest::prelude::*;

use crate::support::{Events, Fake, answer, get, read};

const OTHER: &str = "https://other.example.com/";

fn client(api: &Arc<Fake>, budget: Option<RetryBudget>) -> Client {
    let retry = RetryPolicy::default().budget(budget);
    Client::builder(api.clone()).retry(retry).seed(7).build()
}

async fn ask(client: &Client, url: &str) -> Result<(), Error> {
    let how = Exchange::new(&Unauthenticated);
    let answer = client.send(get(url), &how, |response| response.success());
    answer.await.map(drop)
}

/// Fails the first requests of each URL as the URL says: `/503/2` twice with 503, `/timeout/9` nine times without an answer.
fn by_url() -> Arc<Fake> {
    let asked = std::sync::Mutex::new(std::collections::HashMap::<String, u32>::new());
    Fake::new(move |_, request| {
        let mut words = request.url.path().split('/').skip(1);
        let (what, times) = (words.next().unwrap(), words.next().unwrap_or("0"));
        let mut asked = asked.lock().unwrap();
        let before = asked.entry(request.url.to_string()).or_default();
        *before += 1;
        match what {
            _ if *before > times.parse().unwrap() => Ok(answer(request, 200, &[])),
            "timeout" => Err(Error::new(ErrorKind::Timeout, "no whole answer")),
            status => Ok(answer(request, status.parse().unwrap(), &[])),
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_gets_a_hundred_retries_or_fifty_after_timeouts() {
    for (kind, retries) in [
        (ErrorKind::Status, 100),
        (ErrorKind::Connect, 100),
        (ErrorKind::Timeout, 50),
    ] {
        let api = Fake::new(move |_, request| match kind {
            ErrorKind::Status => Ok(answer(request, 503, &[])),
            kind => Err(Error::new(kind, "it went wrong")),
        });
        let client = api.client();
        let results = join_all((0..200).map(|_| read(&client, &Unauthenticated))).await;
        assert_eq!(results.len(), 200);
        assert!(results.iter().all(Result::is_err));
        assert_eq!(api.count(), 200 + retries, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_exchange_without_budget_ends_with_its_own_error_and_says_why() {
    let api = Fake::sequence(vec![(503, &[("retry-after", "7")])]);
    let client = client(&api, Some(RetryBudget::new(4)));
    let events = Events::default();
    let listener = |attempt: &_| events.push(attempt);
    let how = Exchange::new(&Unauthenticated).on_attempt(&listener);
    let request = get("https://api.example.com/v1/users?key=s3cret");
    let error = client
        .send(request, &how, |response| response.success())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "GET https://api.example.com/v1/users: the server answered 503 Service Unavailable; \
         it is not asked again, because the retry budget of https://api.example.com is spent (retry.budget)"
    );
    assert_eq!(error.status().unwrap(), 503);
    assert_eq!(events.all()[0].wait, None);
    assert_eq!(api.times(), [0.0]);
}

#[tokio::test(start_paused = true)]
async fn five_first_successes_pay_for_a_retry() {
    let api = by_url();
    let client = client(&api, Some(RetryBudget::new(10)));
    ask(&client, "https://api.example.com/503/9")
        .await
        .unwrap_err();
    assert_eq!(api.count(), 3, "the bucket held two retries");
    for (successes, requests) in [(4, 1), (1, 2), (9, 2), (1, 2), (100, 3)] {
        for _ in 0..successes {
            ask(&client, "https://api.example.com/ok").await.unwrap();
        }
        let before = api.count();
        let url = format!("https://api.example.com/503/99?{successes}");
        ask(&client, &url).await.unwrap_err();
        assert_eq!(api.count() - before, requests, "{successes}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_after_retries_pays_for_the_last_of_them() {
    // One retry each: nothing is lost, so a flaky server is read to the end.
    let api = by_url();
    let one = client(&api, Some(RetryBudget::new(10)));
    for n in 0..50 {
        ask(&one, &format!("https://api.example.com/503/1?{n}"))
            .await
            .unwrap();
        ask(&one, &format!("https://api.example.com/timeout/1?{n}"))
            .await
            .unwrap();
    }
    // Three retries each cost ten in the end.
    let api = by_url();
    let three = client(&api, Some(RetryBudget::new(40)));
    for n in 0..3 {
        ask(&three, &format!("https://api.example.com/503/3?{n}"))
            .await
            .unwrap();
    }
    let error = ask(&three, "https://api.example.com/503/3?n")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("retry budget"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn other_origins_have_budgets_of_their_own_and_clones_share_them() {
    let api = Fake::new(|_, request| Ok(answer(request, 503, &[])));
    let client = client(&api, Some(RetryBudget::new(15)));
    read(&client, &Unauthenticated).await.unwrap_err();
    assert_eq!(api.count(), 4);
    read(&client.clone(), &Unauthenticated).await.unwrap_err();
    assert_eq!(api.count(), 5, "a clone has nothing left either");
    ask(&client, OTHER).await.unwrap_err();
    assert_eq!(api.count(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_budget_of_none_has_no_end_and_of_zero_no_retries() {
    for (budget, requests) in [(None, 150 * 6), (Some(RetryBudget::new(0)), 150)] {
        let api = Fake::new(|_, request| Ok(answer(request, 500, &[])));
        let client = client(&api, budget);
        join_all((0..150).map(|_| read(&client, &Unauthenticated))).await;
        assert_eq!(api.count(), requests);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_retried_costs_nothing() {
    let api = by_url();
    let client = client(&api, Some(RetryBudget::new(5)));
    for n in 0..20 {
        let url = format!("https://api.example.com/404/1?{n}");
        ask(&client, &url).await.unwrap_err();
    }
    ask(&client, "https://api.example.com/503/1").await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn total_failure_is_asked_no_more_than_the_budget_allows(
        capacity in 0_u32..200, timeouts in any::<u64>(), exchanges in 1_usize..60,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let api = Fake::new(move |n, request| match timeouts >> (n % 64) & 1 {
                0 => Ok(answer(request, 502, &[])),
                _ => Err(Error::new(ErrorKind::Timeout, "no whole answer")),
            });
            let client = client(&api, Some(RetryBudget::new(capacity)));
            join_all((0..exchanges).map(|_| read(&client, &Unauthenticated))).await;
            let most = exchanges + capacity as usize / 5;
            assert!(api.count() <= most, "{} > {most}", api.count());
        });
    }
}
