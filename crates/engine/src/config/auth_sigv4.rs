//! `authType: aws_sigv4`.

use std::sync::Arc;

use longshore_auth::Authenticator;
use longshore_transport::Clock;

use super::auth::{AwsSettings, Written};
use super::notice::Findings;

/// Reads the key and what it signs for.
pub(super) fn read(written: &mut Written, findings: &mut Findings) -> Option<AwsSettings> {
    let access_key_id = written.needed("aws_sigv4", "accessKeyId", findings);
    let secret_access_key = written.needed("aws_sigv4", "secretAccessKey", findings);
    let session_token = written.text("sessionToken", findings);
    let region = written.needed("aws_sigv4", "region", findings);
    let service = written.needed("aws_sigv4", "service", findings);
    if cfg!(not(feature = "aws-sigv4")) {
        findings.problem(
            &written.place,
            "this build has no aws_sigv4; build it with the feature `aws-sigv4` of longshore-engine",
        );
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
