//! How requests get to a server, and how many: retries, quotas, proxies, certificates, other origins.

use std::fmt;
use std::num::NonZeroU32;
use std::path::Path;

use longshore_transport::{
    HttpTransport, HttpTransportBuilder, Origin, Quota, RetryBudget, RetryPolicy,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::connection::Levels;
use super::fields::unfold;
use super::notice::{Findings, Place};
use super::spelling::Words;
use super::tree::{Node, Shape};
use super::values;
use crate::engine::NextLinkOrigin;

const NEXT_LINK_ORIGINS: Words = Words {
    known: &["strict", "rebase"],
    meant: &[
        ("same", "strict"),
        ("rewrite", "rebase"),
        ("base", "rebase"),
    ],
};

/// What the client shows to servers that ask for a certificate.
#[derive(Clone)]
pub struct ClientCertificate {
    /// The certificate with its chain, as PEM.
    pub certificate: String,
    /// Its private key, as PEM.
    pub key: SecretString,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}

/// `retry: {attempts, base, cap, budget}`.
pub(super) fn retry(levels: &mut Levels, findings: &mut Findings) -> RetryPolicy {
    let mut retry = levels.section("retry", findings);
    let mut policy = RetryPolicy::default();
    if let Some(node) = retry.take(&["attempts"], findings)
        && let Some(attempts) = values::whole_number(&node, 1, findings)
    {
        policy = policy.attempts(u32::try_from(attempts).unwrap_or(u32::MAX));
    }
    if let Some(node) = retry.take(&["base"], findings)
        && let Some(base) = values::seconds(&node, findings)
    {
        policy = policy.base(base);
    }
    if let Some(node) = retry.take(&["cap"], findings)
        && let Some(cap) = values::seconds(&node, findings)
    {
        policy = policy.cap(cap);
    }
    if let Some(node) = retry.take(&["budget"], findings)
        && let Some(budget) = values::whole_number(&node, 0, findings)
    {
        let capacity = u32::try_from(budget).unwrap_or(u32::MAX);
        policy = policy.budget(Some(RetryBudget::new(capacity)));
    }
    retry.finish(findings);
    policy
}

/// `requestsPerSecond` or `requestsPerMinute`, with `requestBurst`.
pub(super) fn quota(levels: &mut Levels, findings: &mut Findings) -> Option<Quota> {
    let second = levels.take(&["requestsPerSecond"], findings);
    let minute = levels.take(&["requestsPerMinute"], findings);
    let burst = levels.take(&["requestBurst"], findings);
    let mut quota = None;
    let rates = [
        (&second, Quota::per_second as fn(f64) -> _),
        (&minute, Quota::per_minute),
    ];
    for (node, rate) in rates {
        let Some(node) = node else { continue };
        let number = node.text().and_then(|text| text.trim().parse::<f64>().ok());
        match number.map(rate) {
            Some(Ok(read)) => quota = Some(read),
            Some(Err(error)) => findings.problem(&node.place, error.to_string()),
            None => findings.problem(&node.place, "must be a number"),
        }
    }
    if let (Some(_), Some(minute)) = (&second, &minute) {
        findings.problem(
            &minute.place,
            "cannot stand beside requestsPerSecond; keep one",
        );
    }
    if let Some(node) = burst {
        let requests = values::whole_number(&node, 1, findings)
            .and_then(|number| u32::try_from(number).ok())
            .and_then(NonZeroU32::new);
        if second.is_none() && minute.is_none() {
            findings.problem(
                &node.place,
                "says nothing without requestsPerSecond or requestsPerMinute",
            );
        }
        quota = quota
            .zip(requests)
            .map(|(quota, requests)| quota.burst(requests));
    }
    quota
}

/// `allowedOrigins` or `credentialOrigins`: a list, or text with commas.
pub(super) fn origins(
    levels: &mut Levels,
    name: &'static str,
    findings: &mut Findings,
) -> Vec<Origin> {
    let Some(node) = levels
        .take(&[name], findings)
        .and_then(|node| unfold(node, findings))
    else {
        return Vec::new();
    };
    let written: Vec<(String, Place)> = match &node.shape {
        Shape::List(items) => items
            .iter()
            .filter_map(|item| Some((values::filled_text(item, findings)?, item.place.clone())))
            .collect(),
        Shape::Scalar { text, .. } => text
            .split(',')
            .map(str::trim)
            .filter(|origin| !origin.is_empty())
            .map(|origin| (origin.to_owned(), node.place.clone()))
            .collect(),
        Shape::Map(_) => {
            findings.problem(
                &node.place,
                "must be a list of origins, as in [https://files.example.com]",
            );
            return Vec::new();
        }
    };
    written
        .into_iter()
        .filter_map(|(text, place)| {
            Origin::parse(&text)
                .map_err(|error| findings.problem(&place, error.to_string()))
                .ok()
        })
        .collect()
}

/// `nextLinkOrigin`.
pub(super) fn next_link_origin(levels: &mut Levels, findings: &mut Findings) -> NextLinkOrigin {
    let Some(node) = levels.take(&["nextLinkOrigin"], findings) else {
        return NextLinkOrigin::default();
    };
    let Some(text) = values::text(&node, findings) else {
        return NextLinkOrigin::default();
    };
    match text.trim() {
        "strict" => NextLinkOrigin::Strict,
        "rebase" => NextLinkOrigin::Rebase,
        other => {
            findings.problem(&node.place, NEXT_LINK_ORIGINS.refusal(other));
            NextLinkOrigin::default()
        }
    }
}

/// `proxy`.
pub(super) fn proxy(levels: &mut Levels, findings: &mut Findings) -> Option<SecretString> {
    let node = levels.take(&["proxy"], findings)?;
    let proxy = SecretString::from(values::filled_text(&node, findings)?);
    let builder = HttpTransport::builder().proxy(proxy.clone());
    accepted(builder, &node, findings).then_some(proxy)
}

/// `caFile`: the certificates in it, as PEM.
pub(super) fn ca_file(levels: &mut Levels, findings: &mut Findings) -> Option<String> {
    let node = levels.take(&["caFile"], findings)?;
    let pem = pem(&node, findings)?;
    let builder = HttpTransport::builder().root_certificates(&pem);
    accepted(builder, &node, findings).then_some(pem)
}

/// `clientCert` and `clientKey`.
pub(super) fn client_certificate(
    levels: &mut Levels,
    findings: &mut Findings,
) -> Option<ClientCertificate> {
    let certificate = levels.take(&["clientCert"], findings);
    let key = levels.take(&["clientKey"], findings);
    let (certificate, key) = match (certificate, key) {
        (None, None) => return None,
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(_), None) => {
            let place = levels.missing("clientKey");
            findings.problem(&place, "is not set; clientCert needs its private key");
            return None;
        }
        (None, Some(_)) => {
            let place = levels.missing("clientCert");
            findings.problem(&place, "is not set; clientKey needs its certificate");
            return None;
        }
    };
    let (pem_of_certificate, pem_of_key) = (pem(&certificate, findings), pem(&key, findings));
    let client = ClientCertificate {
        certificate: pem_of_certificate?,
        key: pem_of_key?.into(),
    };
    if client.key.expose_secret().contains("ENCRYPTED") {
        findings.problem(
            &key.place,
            "is encrypted; write the key without a passphrase, as `openssl pkey` does",
        );
        return None;
    }
    let builder = HttpTransport::builder().client_certificate(&client.certificate, &client.key);
    accepted(builder, &certificate, findings).then_some(client)
}

/// Whether the HTTP client takes the setting; it has opened no connection by that.
fn accepted(builder: HttpTransportBuilder, node: &Node, findings: &mut Findings) -> bool {
    match builder.build() {
        Ok(_) => true,
        Err(error) => {
            findings.problem(&node.place, error.to_string());
            false
        }
    }
}

/// PEM text, or a file with it, whose path counts from the file that names it.
pub(super) fn pem(node: &Node, findings: &mut Findings) -> Option<String> {
    let text = values::filled_text(node, findings)?;
    if text.starts_with("-----BEGIN ") || text.starts_with('{') {
        return Some(text);
    }
    let path = node.place.path_to(&text);
    match std::fs::read_to_string(&path) {
        Ok(pem) => Some(pem),
        Err(error) => {
            findings.problem(
                &node.place,
                format!(
                    "names a file that cannot be read: {}{}; write the path of a PEM file, counted from this one, or the PEM text itself",
                    shown_path(&path),
                    error.kind()
                ),
            );
            None
        }
    }
}

/// A path, but for one that may be the key itself: base64 without the lines around it.
fn shown_path(path: &Path) -> String {
    match path.extension() {
        Some(_) if path.as_os_str().len() <= 200 => format!("{}: ", path.display()),
        _ => String::new(),
    }
}
