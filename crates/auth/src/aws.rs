use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use http::header::{CONTENT_TYPE, HeaderName};
use longshore_transport::{Clock, Generation, Renewal, Request, header};
use secrecy::{ExposeSecret as _, SecretString};
use tracing::subscriber::NoSubscriber;

use crate::credential::{FIXED, config};
use crate::{Authenticator, Error, ErrorKind};

/// Signs requests for AWS: Signature Version 4, in the header `Authorization`.
///
/// Host, path, query, body, time, `Content-Type` and every `x-amz-…` header are signed; other headers are not, so that whoever is in between may change
/// them. For the service `s3` paths are signed as S3 wants them. The signing itself is done by `aws-sigv4`, the signer of AWS' own SDK.
#[derive(Clone)]
pub struct AwsSigV4 {
    credentials: Credentials,
    region: String,
    service: String,
    clock: Arc<dyn Clock>,
}

/// Headers of ours: what is there under these names is replaced.
const OURS: [&str; 3] = ["x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];

impl AwsSigV4 {
    /// Signs with this access key for a service in a region, as the service's documentation names them (`execute-api`, `eu-central-1`).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when something is empty, or cannot stand in a header.
    pub fn new(
        access_key_id: &str,
        secret_access_key: &SecretString,
        session_token: Option<&SecretString>,
        region: &str,
        service: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<AwsSigV4, Error> {
        for (what, text) in [
            ("access key id", access_key_id),
            ("secret access key", secret_access_key.expose_secret()),
            ("region", region),
            ("service", service),
        ] {
            if text.is_empty() || text.contains(char::is_whitespace) {
                return config(format!("the {what} is empty or holds white space"));
            }
            header("x-amz-any", text)?;
        }
        let token = session_token.map(|token| token.expose_secret().to_owned());
        if let Some(token) = &token {
            header("x-amz-security-token", token)?;
        }
        Ok(AwsSigV4 {
            credentials: Credentials::new(
                access_key_id,
                secret_access_key.expose_secret(),
                token,
                None,
                "configuration",
            ),
            region: region.to_owned(),
            service: service.to_owned(),
            clock,
        })
    }

    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        settings
    }

    fn sign(&self, request: &mut Request) -> Result<(), Error> {
        let failed = || Error::new(ErrorKind::Other, "the request cannot be signed for AWS");
        let identity = self.credentials.clone().into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(self.clock.wall())
            .settings(self.settings())
            .build()
            .map_err(|_| failed())?
            .into();
        for name in OURS {
            request.headers.remove(name);
        }
        let signed =
            |name: &HeaderName| *name == CONTENT_TYPE || name.as_str().starts_with("x-amz-");
        let headers: Vec<(&str, &str)> = request
            .headers
            .iter()
            .filter(|(name, _)| signed(name))
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let signable = SignableRequest::new(
            request.method.as_str(),
            request.url.as_str(),
            headers.into_iter(),
            SignableBody::Bytes(request.body.as_deref().unwrap_or_default()),
        )
        .map_err(|_| failed())?;
        // The signer traces the request that it signs, whose query may hold a secret.
        let output = tracing::subscriber::with_default(NoSubscriber::default(), || {
            sign(signable, &parameters)
        });
        let (instructions, _) = output.map_err(|_| failed())?.into_parts();
        for (name, value) in instructions.headers() {
            let (name, mut value) = header(name, value)?;
            value.set_sensitive(true);
            request.headers.insert(name, value);
        }
        Ok(())
    }
}

#[async_trait]
impl Authenticator for AwsSigV4 {
    async fn authenticate(&self, request: &mut Request) -> Result<Generation, Error> {
        self.sign(request)?;
        Ok(FIXED)
    }

    async fn renew(&self, _: Generation) -> Result<Renewal, Error> {
        Ok(Renewal::Unchanged)
    }
}

impl fmt::Debug for AwsSigV4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsSigV4")
            .field("region", &self.region)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use bytes::Bytes;
    use http::Method;
    use http::header::AUTHORIZATION;

    use super::*;

    /// 2015-08-30T12:36:00Z, the time of the suite.
    #[derive(Debug)]
    struct Then;

    #[async_trait]
    impl Clock for Then {
        fn now(&self) -> Duration {
            Duration::ZERO
        }

        fn wall(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160)
        }

        async fn sleep(&self, _: Duration) {}
    }

    fn signer(token: Option<&str>) -> AwsSigV4 {
        let token = token.map(SecretString::from);
        AwsSigV4::new(
            "AKIDEXAMPLE",
            &"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            token.as_ref(),
            "us-east-1",
            "service",
            Arc::new(Then),
        )
        .unwrap()
    }

    async fn signed(signer: &AwsSigV4, method: Method, target: &str) -> String {
        let url = format!("https://example.amazonaws.com{target}");
        let mut request = Request::new(method, url.parse().unwrap());
        signer.authenticate(&mut request).await.unwrap();
        request.headers[AUTHORIZATION].to_str().unwrap().to_owned()
    }

    /// The cases of AWS' own test suite for signers that are made of host, date and what a URL can hold. (Of paths with encoded
    /// characters it has some that are encoded once, while services other than S3 want them encoded twice: those are not among them, the one
    /// that is encoded twice is below.)
    #[tokio::test]
    async fn signatures_are_those_of_the_test_suite() {
        let all = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let cases = [
            (
                Method::GET,
                "/".to_owned(),
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                Method::POST,
                "/".to_owned(),
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                Method::GET,
                "/?Param2=value2&Param1=value1".to_owned(),
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                Method::GET,
                format!("/?{all}={all}"),
                "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
            ),
            (
                Method::GET,
                "/?ሴ=bar".to_owned(),
                "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
            ),
            (
                Method::GET,
                format!("/{all}"),
                "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
            ),
            (
                Method::POST,
                "/?Param1=value1".to_owned(),
                "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
            ),
            (
                Method::GET,
                "/?Param1=value1".to_owned(),
                "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
            ),
            (
                Method::GET,
                "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1".to_owned(),
                "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
            ),
            (
                Method::GET,
                "//".to_owned(),
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                Method::GET,
                "//example//".to_owned(),
                "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
            ),
            (
                Method::GET,
                "/./".to_owned(),
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                Method::GET,
                "/./example".to_owned(),
                "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
            ),
            (
                Method::GET,
                "/example/..".to_owned(),
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                Method::GET,
                "/example1/example2/../..".to_owned(),
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
        ];
        let signer = signer(None);
        for (method, target, signature) in cases {
            assert_eq!(
                signed(&signer, method, &target).await,
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                     SignedHeaders=host;x-amz-date, Signature={signature}"
                ),
                "{target}"
            );
        }
    }

    /// `double-encode-path` of the suite's newer part, and the two forms of its first edition.
    #[tokio::test]
    async fn paths_are_encoded_twice_and_forms_are_signed_with_their_type() {
        // With the key that the signer's authors made its signature with.
        let theirs = AwsSigV4::new(
            "ANOTREAL",
            &"notrealrnrELgWzOk3IfjzDKtFBhDby".into(),
            None,
            "us-east-1",
            "service",
            Arc::new(Then),
        )
        .unwrap();
        let url = "https://tj9n5r0m12.execute-api.us-east-1.amazonaws.com/test/@connections/JBDvjfGEIAMCERw%3D";
        let mut request = Request::new(Method::POST, url.parse().unwrap());
        theirs.authenticate(&mut request).await.unwrap();
        let signature = "57d157672191bac40bae387e48bbe14b15303c001fdbb01f4abf295dccb09705";
        let signed = request.headers[AUTHORIZATION].to_str().unwrap();
        assert!(signed.ends_with(signature), "{signed}");
        let signer = signer(None);
        for (kind, signature) in [
            (
                "application/x-www-form-urlencoded",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                "application/x-www-form-urlencoded; charset=utf8",
                "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
            ),
        ] {
            let url = "https://example.amazonaws.com/".parse().unwrap();
            let mut request = Request::new(Method::POST, url);
            request.headers.insert(CONTENT_TYPE, kind.parse().unwrap());
            request.body = Some(Bytes::from("Param1=value1"));
            signer.authenticate(&mut request).await.unwrap();
            let signed = request.headers[AUTHORIZATION].to_str().unwrap();
            let expected =
                format!("SignedHeaders=content-type;host;x-amz-date, Signature={signature}");
            assert!(signed.ends_with(&expected), "{signed}");
        }
    }

    #[tokio::test]
    async fn a_session_token_is_signed_and_sent() {
        let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
        let signed = signed(&signer(Some(token)), Method::GET, "/").await;
        assert!(
            signed.ends_with(
                "SignedHeaders=host;x-amz-date;x-amz-security-token, \
             Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"
            ),
            "{signed}"
        );
    }

    #[tokio::test]
    async fn the_body_counts_other_headers_do_not_and_s3_gets_its_checksum() {
        let signer = signer(None);
        let mut request = Request::new(
            Method::POST,
            "https://example.amazonaws.com/".parse().unwrap(),
        );
        request.body = Some(Bytes::from("Param1=value1"));
        request.headers.insert("x-other", "1".parse().unwrap());
        signer.authenticate(&mut request).await.unwrap();
        let first = request.headers[AUTHORIZATION].clone();
        request.headers.insert("x-other", "2".parse().unwrap());
        signer.authenticate(&mut request).await.unwrap();
        assert_eq!(request.headers[AUTHORIZATION], first);
        request.body = Some(Bytes::from("Param1=value2"));
        signer.authenticate(&mut request).await.unwrap();
        assert_ne!(request.headers[AUTHORIZATION], first);
        assert!(request.headers[AUTHORIZATION].is_sensitive());

        let s3 = AwsSigV4 {
            service: "s3".to_owned(),
            ..signer
        };
        s3.authenticate(&mut request).await.unwrap();
        let checksum = request.headers["x-amz-content-sha256"].to_str().unwrap();
        assert_eq!(checksum.len(), 64);
    }

    #[test]
    fn what_cannot_be_signed_with_is_refused_and_nothing_is_shown() {
        for (id, secret) in [
            ("", "s3cret"),
            ("id", ""),
            ("id", "s3cret\n"),
            ("i d", "s3cret"),
        ] {
            let error =
                AwsSigV4::new(id, &secret.into(), None, "r", "s", Arc::new(Then)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!format!("{error} {error:?}").contains("s3cret"));
        }
        assert!(!format!("{:?}", signer(Some("t0ken"))).contains("t0ken"));
    }
}
