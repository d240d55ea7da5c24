//! Requests to a token endpoint: what is sent, repeated and said about them is the same for every kind of login.

use std::time::SystemTime;

use http::header::{ACCEPT, DATE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use longshore_jq::Val;
use longshore_transport::{
    self as transport, Client, Exchange, Request, Response, RetryScope, SafeUrl, StatusRules,
    Unauthenticated, json,
};

use crate::expiry::Made;

/// A token endpoint's answer.
pub(crate) struct TokenAnswer {
    /// The request, as it may be shown.
    pub(crate) asked: String,
    /// Null where there is none.
    pub(crate) body: Val,
    pub(crate) headers: HeaderMap,
    pub(crate) made: Made,
}

/// Sends a token request: the request as it is and nothing else, with the timeouts and the proxy of the client, repeated on connect errors, 429 and 503
/// only (R20).
pub(crate) async fn ask(
    client: &Client,
    mut request: Request,
) -> Result<TokenAnswer, transport::Error> {
    let asked = shown(&request.method, &request.url);
    request
        .headers
        .entry(ACCEPT)
        .or_insert(HeaderValue::from_static("application/json"));
    for value in request.headers.values_mut() {
        value.set_sensitive(true);
    }
    let how = Exchange::new(&Unauthenticated).retry_scope(RetryScope::Token);
    let (body, headers) = client.send(request, &how, read).await?;
    let made = Made {
        date: date(&headers),
        wall: client.clock().wall(),
    };
    Ok(TokenAnswer {
        asked,
        body,
        headers,
        made,
    })
}

pub(crate) fn shown(method: &Method, url: &url::Url) -> String {
    format!("{method} {}", SafeUrl::of(url))
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    let date = headers.get(DATE)?.to_str().ok()?;
    httpdate::parse_http_date(date).ok()
}

fn read(response: Response) -> Result<(Val, HeaderMap), transport::Error> {
    if let Some(error) = refusal(&response) {
        return Err(error);
    }
    let response = response.success()?;
    // A login may give its token in a header alone.
    if response.status == StatusCode::NO_CONTENT || response.body.is_empty() {
        return Ok((Val::null(), response.headers));
    }
    let body = match json::read(&response.body) {
        Ok(body) => body,
        Err(error) => match bare_text(&response) {
            Some(text) => Val::from(text),
            None => return Err(error),
        },
    };
    if let Some(code) = error_code(&body)
        && body.get("access_token").is_none()
    {
        // GitHub, for one, answers 200 to this.
        return Err(StatusRules::default().rejection(&response, explained(code, "200")));
    }
    Ok((body, response.headers))
}

/// Some logins answer with the token and nothing around it.
fn bare_text(response: &Response) -> Option<String> {
    let kind = response.headers.get(http::header::CONTENT_TYPE)?;
    let text = std::str::from_utf8(&response.body).ok()?.trim();
    let is_token = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '<');
    (kind.to_str().ok()?.starts_with("text/plain") && is_token).then(|| text.to_owned())
}

/// What a refusal means that says it by its code (RFC 6749 §5.2).
fn refusal(response: &Response) -> Option<transport::Error> {
    let status = response.status;
    let kind = match status.as_u16() {
        400 | 403 => transport::ErrorKind::Status,
        401 => transport::ErrorKind::Unauthorized,
        _ => return None,
    };
    let body: Option<Val> = json::read(&response.body).ok();
    let message = match body.as_ref().and_then(error_code) {
        Some(code) => explained(code, status.as_str()),
        None if status == StatusCode::UNAUTHORIZED => {
            "the login was refused (401); check its credentials".to_owned()
        }
        None => return None,
    };
    // A limit that is told as a 403 is one all the same.
    match StatusRules::default().check(response.clone()) {
        Err(error) if error.is_retryable() => None,
        _ => Some(transport::Error::new(kind, message).with_status(status)),
    }
}

/// The code, if it is one of those that the specifications know: anything else might be an echo of what was sent.
fn error_code(body: &Val) -> Option<&'static str> {
    let said = body.get("error")?.as_str()?;
    ADVICE
        .iter()
        .map(|(code, _)| *code)
        .find(|code| *code == said)
}

fn explained(code: &str, status: &str) -> String {
    let advice = ADVICE.iter().find(|(known, _)| *known == code);
    let advice = advice.map_or("", |(_, advice)| advice);
    format!("the login was refused ({code}, {status}){advice}")
}

/// The codes of RFC 6749 §5.2 and §4.1.2.1, RFC 8707 §2 and some that are used all the same, with what helps.
const ADVICE: [(&str, &str); 18] = [
    (
        "invalid_client",
        "; check clientId and clientSecret (or privateKey and its id), and try the other way of clientAuth: basic or post",
    ),
    (
        "invalid_grant",
        "; the refresh token, the assertion or the password is not accepted any more: check it, or log in anew and set the new one",
    ),
    (
        "unauthorized_client",
        "; this client may not use this grantType: allow it at the server, or set another grantType",
    ),
    (
        "unsupported_grant_type",
        "; the server does not know this grantType, or tokenUrl is not its token endpoint",
    ),
    (
        "invalid_scope",
        "; the server does not know or allow one of the scopes",
    ),
    (
        "invalid_target",
        "; the server does not know the audience or resource",
    ),
    (
        "invalid_request",
        "; the server misses a parameter: its documentation may name one for tokenParams (or audience, scopes), or want clientAuth: post",
    ),
    (
        "consent_required",
        "; a person or an administrator has to agree to this client's scopes once: log in by the API's own page, and set the refresh token that it gives",
    ),
    (
        "interaction_required",
        "; the server wants a person to act, for a second factor most often: log in by the API's own page, and set the refresh token that it gives, or use a grantType without a person",
    ),
    (
        "login_required",
        "; the server wants the person to log in anew: do so by the API's own page, and set the refresh token that it gives",
    ),
    (
        "account_selection_required",
        "; the server wants a person to choose an account: log in by the API's own page, and set the refresh token that it gives",
    ),
    ("access_denied", ""),
    ("server_error", ""),
    ("temporarily_unavailable", ""),
    ("slow_down", ""),
    ("bad_verification_code", ""),
    (
        "incorrect_client_credentials",
        "; check clientId and clientSecret",
    ),
    ("unsupported_token_type", ""),
];
