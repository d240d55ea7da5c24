use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::credential::config;
use crate::{Error, ErrorKind, SigningKey};

/// How long an assertion is valid, unless said: long enough for clocks that differ, short enough to be worthless soon.
const LIFETIME: Duration = Duration::from_secs(300);

/// A JWT that says who asks, signed anew for every login (RFC 7523 §3).
///
/// It carries `iss`, `sub`, `aud`, `iat`, `exp` (after 300 s, unless said) and a random `jti`, so that no server takes it for a replay.
#[derive(Clone)]
pub struct Assertion {
    key: SigningKey,
    header: Map<String, Value>,
    issuer: String,
    subject: Option<String>,
    audience: String,
    lifetime: Duration,
    claims: Map<String, Value>,
}

impl Assertion {
    /// An assertion of `issuer` for `audience`, which is most often the token endpoint's URL.
    pub fn new(
        key: SigningKey,
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Assertion {
        let mut header = Map::new();
        header.insert("alg".into(), key.algorithm().name().into());
        header.insert("typ".into(), "JWT".into());
        Assertion {
            key,
            header,
            issuer: issuer.into(),
            subject: None,
            audience: audience.into(),
            lifetime: LIFETIME,
            claims: Map::new(),
        }
    }

    /// Whom it speaks of.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Assertion {
        self.subject = Some(subject.into());
        self
    }

    /// Which of several keys it is: the header `kid`.
    #[must_use]
    pub fn key_id(mut self, id: impl Into<String>) -> Assertion {
        self.header.insert("kid".into(), Value::String(id.into()));
        self
    }

    /// The certificate of the key, PEM, whose thumbprints go into the headers `x5t` and `x5t#S256` (RFC 7515 §4.1.7 and §4.1.8): how Microsoft Entra
    /// knows a key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for text that holds no certificate.
    pub fn certificate(mut self, pem: &str) -> Result<Assertion, Error> {
        let der = certificate(pem)?;
        for (name, algorithm) in [
            ("x5t", &digest::SHA1_FOR_LEGACY_USE_ONLY),
            ("x5t#S256", &digest::SHA256),
        ] {
            let thumbprint = URL_SAFE_NO_PAD.encode(digest::digest(algorithm, &der));
            self.header.insert(name.into(), thumbprint.into());
        }
        Ok(self)
    }

    /// For how long it is valid.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Assertion {
        self.lifetime = lifetime;
        self
    }

    /// A claim beside the usual ones, or in the place of one of them; null leaves one out.
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Assertion {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// The signed assertion.
    pub(crate) fn sign(&self, now: SystemTime) -> Result<SecretString, Error> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut id = [0; 16];
        rand::fill(&mut id)
            .map_err(|_| Error::new(ErrorKind::Other, "the system gives no random numbers"))?;
        let mut claims = Map::new();
        claims.insert("iss".into(), self.issuer.as_str().into());
        if let Some(subject) = &self.subject {
            claims.insert("sub".into(), subject.as_str().into());
        }
        claims.insert("aud".into(), self.audience.as_str().into());
        claims.insert("iat".into(), now.as_secs().into());
        claims.insert("exp".into(), (now + self.lifetime).as_secs().into());
        claims.insert("jti".into(), URL_SAFE_NO_PAD.encode(id).into());
        claims.extend(self.claims.clone());
        claims.retain(|_, value| !value.is_null());
        let header = Value::Object(self.header.clone()).to_string();
        let claims = Value::Object(claims).to_string();
        self.key.sign(header.as_bytes(), claims.as_bytes())
    }
}

/// Checks the PEM text of a certificate.
///
/// # Errors
///
/// [`ErrorKind::Config`] for text that holds none.
pub fn check_certificate(pem: &str) -> Result<(), Error> {
    certificate(pem).map(drop)
}

fn certificate(pem: &str) -> Result<CertificateDer<'static>, Error> {
    let pem = pem.replace("\\n", "\n");
    CertificateDer::from_pem_slice(pem.as_bytes()).or_else(|_| {
        config("is no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----")
    })
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertion")
            .field("key", &self.key)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
