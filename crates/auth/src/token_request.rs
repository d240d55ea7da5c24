//! Requests to a token endpoint: what is sent, repeated and said about them is the same for every kind of login.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use longshore_jq::Val;
use longshore_transport::{
    self as transport, Client, Exchange, Request, Response, RetryScope, SafeUrl, StatusRules,
    Unauthenticated, json,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use crate::expiry::Made;

/// A token endpoint's answer.
pub(crate) struct TokenAnswer {
    /// The request, as it may be shown.
    pub(crate) asked: String,
    /// Null where there is none.
    pub(crate) body: Val,
    pub(crate) headers: HeaderMap,
    /// What the server says of an error, without what it was sent.
    pub(crate) said: Option<String>,
    pub(crate) made: Made,
}

/// Sends a token request: the request as it is and nothing else, with the timeouts and the proxy of the client, repeated on connect errors, 429 and 503
/// only (R20). It is shown as one to `shown_as`, whose path holds nothing that an answer gave.
pub(crate) async fn ask(
    client: &Client,
    mut request: Request,
    shown_as: &Url,
) -> Result<TokenAnswer, transport::Error> {
    let asked = shown(&request.method, shown_as);
    request
        .headers
        .entry(ACCEPT)
        .or_insert(HeaderValue::from_static("application/json"));
    for value in request.headers.values_mut() {
        value.set_sensitive(true);
    }
    let sent = sent(&request);
    let how = Exchange::new(&Unauthenticated)
        .retry_scope(RetryScope::Token)
        .label(shown_as.path());
    let (body, headers) = client.send(request, &how, read).await?;
    let made = Made {
        date: date(&headers),
        wall: client.clock().wall(),
    };
    Ok(TokenAnswer {
        said: said(&body, &sent),
        asked,
        body,
        headers,
        made,
    })
}

/// Every text of a request that may be a secret.
fn sent(request: &Request) -> Vec<SecretString> {
    let mut texts: Vec<String> = Vec::new();
    let body = request.body.as_deref().unwrap_or_default();
    match serde_json::from_slice::<Value>(body) {
        Ok(json) => note_texts(&json, &mut texts),
        Err(_) => {
            let pairs = url::form_urlencoded::parse(body);
            let pairs = pairs.filter(|(name, _)| name != "grant_type");
            texts.extend(pairs.map(|(_, value)| value.into_owned()));
        }
    }
    let query = request.url.query_pairs();
    texts.extend(query.map(|(_, value)| value.into_owned()));
    let telling = |name: &HeaderName| *name != ACCEPT && *name != CONTENT_TYPE;
    let headers = request.headers.iter().filter(|(name, _)| telling(name));
    for value in headers.filter_map(|(_, value)| value.to_str().ok()) {
        let pair = value
            .strip_prefix("Basic ")
            .and_then(|pair| STANDARD.decode(pair).ok())
            .and_then(|pair| String::from_utf8(pair).ok());
        // Encoded as in a form, or not: see `oauth2::basic`.
        for part in pair.iter().flat_map(|pair| pair.split(':')) {
            let decoded = url::form_urlencoded::parse(part.as_bytes()).next();
            texts.extend(decoded.map(|(name, _)| name.into_owned()));
            texts.push(part.to_owned());
        }
        texts.push(value.to_owned());
    }
    texts.into_iter().map(SecretString::from).collect()
}

fn note_texts(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| note_texts(item, texts)),
        Value::Object(members) => members.values().for_each(|value| note_texts(value, texts)),
        Value::Number(number) => texts.push(number.to_string()),
        Value::Null | Value::Bool(_) => {}
    }
}

/// `error` and `error_description`, without words that were sent or look like a token: servers like to repeat what they do not understand.
fn said(body: &Val, sent: &[SecretString]) -> Option<String> {
    const SHOWN: usize = 200;
    let member = |name: &str| body.get(name).and_then(Val::as_str).map(str::trim);
    let texts = ["error", "error_description"]
        .into_iter()
        .filter_map(member);
    let texts: Vec<&str> = texts.filter(|text| !text.is_empty()).collect();
    let words = texts.iter().map(|text| {
        let words = text.split(|c: char| c.is_whitespace() || c.is_control());
        let words = words.filter(|word| !word.is_empty());
        let shown = words.map(|word| if is_plain(word, sent) { word } else { "…" });
        shown.collect::<Vec<_>>().join(" ")
    });
    let said = words.collect::<Vec<_>>().join(": ");
    (!said.is_empty()).then(|| match said.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &said[..end]),
        None => said,
    })
}

fn is_plain(word: &str, sent: &[SecretString]) -> bool {
    const LONGEST: usize = 40;
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let was_sent = sent.iter().map(SecretString::expose_secret).any(|text| {
        (bare.len() > 2 && text.contains(bare)) || (text.len() > 2 && word.contains(text))
    });
    word.len() <= LONGEST && !was_sent
}

pub(crate) fn shown(method: &Method, url: &Url) -> String {
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
