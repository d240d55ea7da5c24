//! `authType: aws_sigv4`.

use std::sync::Arc;

use longshore_auth::Authenticator;
use longshore_transport::Clock;

use super::auth::{AwsSettings, Written};
use super::notice::Findings;

/// Reads the key and what it signs for.
pub(super) fn read(written: &mut Written, findings: &mut Findings) -> Option<AwsSettings> {
    let before = findings.problem_count();
    let mut word = |name| word(written, name, findings);
    let access_key_id = word("accessKeyId");
    let secret_access_key = word("secretAccessKey");
    let region = word("region");
    let service = word("service");
    let session_token = match written.has("sessionToken") {
        true => self::word(written, "sessionToken", findings),
        false => None,
    };
    if cfg!(not(feature = "aws-sigv4")) {
        findings.problem(
            &written.place,
            "this build has no aws_sigv4; build it with the feature `aws-sigv4` of longshore-engine",
        );
        return None;
    }
    if findings.problem_count() > before {
        return None;
    }
    Some(AwsSettings {
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?.into(),
        session_token: session_token.map(Into::into),
        region: region?,
        service: service?,
    })
}

/// Text that can be signed with.
fn word(written: &mut Written, name: &'static str, findings: &mut Findings) -> Option<String> {
    let place = written.place_of(name);
    let text = written.needed("aws_sigv4", name, findings)?;
    if text.contains(char::is_whitespace) {
        findings.problem(&place, "holds white space; write it alone, in one line");
        return None;
    }
    if let Err(error) = longshore_transport::header("x-amz-any", &text) {
        findings.problem(&place, error.to_string().replace("x-amz-any", name));
        return None;
    }
    Some(text)
}

#[cfg(feature = "aws-sigv4")]
pub(super) fn authenticator(
    settings: &AwsSettings,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Authenticator>, longshore_auth::Error> {
    let signer = longshore_auth::AwsSigV4::new(
        &settings.access_key_id,
        &settings.secret_access_key,
        settings.session_token.as_ref(),
        &settings.region,
        &settings.service,
        clock,
    );
    Ok(Arc::new(signer?))
}

#[cfg(not(feature = "aws-sigv4"))]
pub(super) fn authenticator(
    _: &AwsSettings,
    _: Arc<dyn Clock>,
) -> Result<Arc<dyn Authenticator>, longshore_auth::Error> {
    Err(longshore_auth::Error::new(
        longshore_auth::ErrorKind::Config,
        "this build has no aws_sigv4; build it with the feature `aws-sigv4` of longshore-engine",
    ))
}
