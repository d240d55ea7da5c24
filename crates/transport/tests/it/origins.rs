use http::Method;
use longshore_transport::{
    ErrorKind, Exchange, Origin, Request, Response, Unauthenticated, parse_url,
};
use url::Url;

use crate::support::{Fake, URL, answer, get, read};

#[tokio::test(start_paused = true)]
async fn redirects_inside_the_origin_are_followed() {
    let targets = [
        "/v2/users?page=1",
        "people#top",
        "https://api.example.com:443/v3",
        "?q=1",
        "//api.example.com/v4",
    ];
    let api = Fake::new(move |n, request| match targets.get(n) {
        Some(target) => Ok(answer(
            request,
            [301, 302, 303, 307, 308][n],
            &[("location", target)],
        )),
        None => Ok(answer(request, 200, &[])),
    });
    let mut request = get(URL);
    request
        .headers
        .insert("x-team", "payments".parse().unwrap());
    let how = Exchange::new(&Unauthenticated);
    api.client()
        .send(request, &how, Response::success)
        .await
        .unwrap();
    let requests = api.requests();
    let urls: Vec<_> = requests
        .iter()
        .map(|request| request.url.as_str())
        .collect();
    assert_eq!(
        urls,
        [
            URL,
            "https://api.example.com/v2/users?page=1",
            "https://api.example.com/v2/people",
            "https://api.example.com/v3",
            "https://api.example.com/v3?q=1",
            "https://api.example.com/v4",
        ]
    );
    assert!(
        requests
            .iter()
            .all(|request| request.headers["x-team"] == "payments")
    );
    assert!(requests.iter().all(|request| request.method == Method::GET));
}

#[tokio::test(start_paused = true)]
async fn redirects_without_end_are_an_error() {
    let api = Fake::sequence(vec![(302, &[("location", "/v1/users")])]);
    let error = read(&api.client(), &Unauthenticated).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect);
    assert!(error.to_string().contains("more than 5 redirects"));
    assert_eq!(api.count(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_to_another_origin_is_refused_and_names_the_setting() {
    for target in [
        "https://evil.example/v1/users?key=s3cret",
        "//evil.example/",
        "\\\\evil.example/",
        "https://api.example.com@evil.example/",
        "https://api.example.com:8443/",
        "https://api.example.com./",
        "http://api.example.com:443/",
    ] {
        let api = Fake::new(move |_, request| Ok(answer(request, 302, &[("location", target)])));
        let error = read(&api.client(), &Unauthenticated).await.unwrap_err();
        assert_eq!(api.count(), 1, "{target}");
        assert!(
            matches!(error.kind(), ErrorKind::ForeignOrigin | ErrorKind::Redirect),
            "{target}: {error}"
        );
        if error.kind() == ErrorKind::ForeignOrigin {
            assert!(error.to_string().contains("baseUrl"), "{error}");
        }
        assert!(!error.to_string().contains("s3cret"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_that_gives_up_encryption_is_refused() {
    let api = Fake::sequence(vec![(
        301,
        &[("location", "http://api.example.com/v1/users")],
    )]);
    let error = read(&api.client(), &Unauthenticated).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect);
    assert!(error.to_string().contains("gives up encryption"));
    assert_eq!(api.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_to_encryption_says_what_base_url_should_be() {
    let api = Fake::sequence(vec![(301, &[("location", "https://api.example.com/v1")])]);
    let error = api
        .client()
        .send(
            get("http://api.example.com/v1"),
            &Exchange::new(&Unauthenticated),
            Response::success,
        )
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("set baseUrl to https://api.example.com")
    );
    assert_eq!(api.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_without_a_usable_target_is_an_error() {
    let cases: [&'static [(&'static str, &'static str)]; 4] = [
        &[],
        &[("location", "https://")],
        &[("location", "file:///etc/passwd")],
        &[("location", "https://user:pass@api.example.com/")],
    ];
    for headers in cases {
        let api = Fake::sequence(vec![(302, headers)]);
        let error = read(&api.client(), &Unauthenticated).await.unwrap_err();
        assert!(!error.is_retryable(), "{error}");
        assert!(!error.to_string().contains("pass@"));
        assert_eq!(api.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn only_get_and_head_follow_redirects() {
    for (method, requests) in [
        (Method::GET, 2),
        (Method::HEAD, 2),
        (Method::POST, 1),
        (Method::PUT, 1),
    ] {
        let api = Fake::sequence(vec![(307, &[("location", "/v2")]), (200, &[])]);
        let request = Request::new(method.clone(), parse_url(URL).unwrap());
        let how = Exchange::new(&Unauthenticated);
        let result = api.client().send(request, &how, Response::success).await;
        assert_eq!(api.count(), requests, "{method}");
        match result {
            Ok(_) => assert!(api.requests().iter().all(|sent| sent.method == method)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Redirect),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_to_another_origin_is_refused_before_anything_is_sent() {
    let api = Fake::sequence(vec![(200, &[])]);
    let origin = Origin::of(&parse_url(URL).unwrap()).unwrap();
    for link in [
        "https://evil.example/?page=2",
        "http://api.example.com/?page=2",
        "https://api.example.com:444/",
        "file:///etc/passwd",
        "https://user@api.example.com/",
    ] {
        let request = Request::new(Method::GET, Url::parse(link).unwrap());
        let how = Exchange::new(&Unauthenticated).origin(origin.clone());
        let error = api
            .client()
            .send(request, &how, Response::success)
            .await
            .unwrap_err();
        assert!(!error.is_retryable(), "{link}");
    }
    assert_eq!(api.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_followed_a_redirect_itself_is_caught() {
    let api = Fake::new(|_, request| {
        let mut response = answer(request, 200, &[]);
        response.url = parse_url("https://elsewhere.example/").unwrap();
        Ok(response)
    });
    let error = read(&api.client(), &Unauthenticated).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignOrigin);
}
