use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    RsaSignatureEncoding,
};
use aws_lc_rs::{error::KeyRejected, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::credential::config;
use crate::{Error, ErrorKind};

/// How a JWT is signed (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256 and a shared secret.
    HS256,
    /// RSA, PKCS #1 v1.5, SHA-256.
    RS256,
    /// RSA, PKCS #1 v1.5, SHA-384.
    RS384,
    /// RSA, PKCS #1 v1.5, SHA-512.
    RS512,
    /// RSA, PSS, SHA-256.
    PS256,
    /// RSA, PSS, SHA-384.
    PS384,
    /// RSA, PSS, SHA-512.
    PS512,
    /// ECDSA on P-256.
    ES256,
    /// ECDSA on P-384.
    ES384,
    /// ECDSA on P-521.
    ES512,
    /// Ed25519.
    EdDSA,
}

impl Algorithm {
    const ALL: [Algorithm; 11] = [
        Algorithm::HS256,
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::ES512,
        Algorithm::EdDSA,
    ];

    /// The algorithm of this name.
    pub fn parse(name: &str) -> Option<Algorithm> {
        Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    /// The name in a JOSE header.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::HS256 => "HS256",
            Algorithm::RS256 => "RS256",
            Algorithm::RS384 => "RS384",
            Algorithm::RS512 => "RS512",
            Algorithm::PS256 => "PS256",
            Algorithm::PS384 => "PS384",
            Algorithm::PS512 => "PS512",
            Algorithm::ES256 => "ES256",
            Algorithm::ES384 => "ES384",
            Algorithm::ES512 => "ES512",
            Algorithm::EdDSA => "EdDSA",
        }
    }
}

/// A key that signs, with its algorithm.
///
/// `Debug` shows the algorithm alone. The signatures themselves are made by `aws-lc-rs`, which the TLS of this workspace is built on
/// too.
#[derive(Clone)]
pub struct SigningKey {
    key: Arc<Key>,
    algorithm: Algorithm,
}

pub(crate) enum Key {
    Secret(Box<hmac::Key>),
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    P521(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// A private key in PEM: PKCS #8 (`PRIVATE KEY`), PKCS #1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`). Line ends may be
    /// written as `\n`, as they are in many variables.
    ///
    /// Without an algorithm the key's own is taken: RS256 for RSA, ES256 for P-256, ES384 for P-384, ES512 for P-521, EdDSA for Ed25519.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for text that is no private key, one with a passphrase, one of another kind, and an algorithm that is not
    /// the key's. The error shows nothing of the key.
    pub fn from_pem(
        pem: impl Into<SecretString>,
        algorithm: Option<Algorithm>,
    ) -> Result<SigningKey, Error> {
        let pem = pem.into();
        let text = SecretString::from(pem.expose_secret().replace("\\n", "\n"));
        let text = text.expose_secret();
        if text.contains("ENCRYPTED") {
            return config(
                "the private key has a passphrase; write it without one, as `openssl pkcs8 -topk8 -nocrypt` does",
            );
        }
        let Ok(der) = PrivateKeyDer::from_pem_slice(text.as_bytes()) else {
            let what = match text {
                text if text.contains("PUBLIC KEY") => "is a public key",
                text if text.contains("BEGIN CERTIFICATE") => "is a certificate",
                _ => "is no PEM text",
            };
            return config(format!(
                "{what} and not a private key, which begins with -----BEGIN PRIVATE KEY-----"
            ));
        };
        let key = match &der {
            PrivateKeyDer::Pkcs1(der) => rsa(RsaKeyPair::from_der(der.secret_pkcs1_der())),
            PrivateKeyDer::Sec1(der) => elliptic(der.secret_sec1_der()),
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                rsa(RsaKeyPair::from_pkcs8(der))
                    .or_else(|| elliptic(der))
                    .or_else(|| Ed25519KeyPair::from_pkcs8(der).ok().map(Key::Ed25519))
            }
            _ => None,
        };
        let Some(key) = key else {
            return config(
                "the private key cannot be used: RSA keys of at least 2048 bits, EC keys on P-256, P-384 and P-521, and Ed25519 keys can",
            );
        };
        SigningKey::of(key, algorithm)
    }

    pub(crate) fn of(key: Key, algorithm: Option<Algorithm>) -> Result<SigningKey, Error> {
        let algorithm = algorithm.unwrap_or_else(|| key.algorithms()[0]);
        if !key.algorithms().contains(&algorithm) {
            let fitting: Vec<&str> = key.algorithms().iter().map(|one| one.name()).collect();
            return config(format!(
                "the private key does not fit {}; it signs with {}",
                algorithm.name(),
                fitting.join(", ")
            ));
        }
        Ok(SigningKey {
            key: Arc::new(key),
            algorithm,
        })
    }

    /// A secret that both sides know, for HS256.
    pub fn from_secret(secret: &[u8]) -> SigningKey {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        SigningKey {
            key: Arc::new(Key::Secret(Box::new(key))),
            algorithm: Algorithm::HS256,
        }
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `header.payload.signature` (RFC 7515 §7.1), of a header and a payload in bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Other`] when the key fails, which a key that was read does not.
    pub fn sign(&self, header: &[u8], payload: &[u8]) -> Result<SecretString, Error> {
        let mut text = URL_SAFE_NO_PAD.encode(header);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut text);
        let signature = self
            .signature(text.as_bytes())
            .map_err(|_| Error::new(ErrorKind::Other, "the private key failed to sign"))?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Ok(text.into())
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
        let random = SystemRandom::new();
        match &*self.key {
            Key::Secret(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Key::Rsa(key) => {
                let padding: &'static RsaSignatureEncoding = match self.algorithm {
                    Algorithm::RS384 => &RSA_PKCS1_SHA384,
                    Algorithm::RS512 => &RSA_PKCS1_SHA512,
                    Algorithm::PS256 => &RSA_PSS_SHA256,
                    Algorithm::PS384 => &RSA_PSS_SHA384,
                    Algorithm::PS512 => &RSA_PSS_SHA512,
                    // Nothing else is let through for an RSA key.
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, message, &mut signature)?;
                Ok(signature)
            }
            Key::P256(key) | Key::P384(key) | Key::P521(key) => {
                Ok(key.sign(&random, message)?.as_ref().to_vec())
            }
            Key::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
        }
    }
}

impl Key {
    /// What it can sign with, the usual first.
    fn algorithms(&self) -> &'static [Algorithm] {
        match self {
            Key::Secret(_) => &[Algorithm::HS256],
            Key::Rsa(_) => &[
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ],
            Key::P256(_) => &[Algorithm::ES256],
            Key::P384(_) => &[Algorithm::ES384],
            Key::P521(_) => &[Algorithm::ES512],
            Key::Ed25519(_) => &[Algorithm::EdDSA],
        }
    }
}

fn rsa(key: Result<RsaKeyPair, KeyRejected>) -> Option<Key> {
    key.ok().map(Key::Rsa)
}

fn elliptic(der: &[u8]) -> Option<Key> {
    let p256 = || EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der);
    let p384 = || EcdsaKeyPair::from_private_key_der(&ECDSA_P384_SHA384_FIXED_SIGNING, der);
    let p521 = || EcdsaKeyPair::from_private_key_der(&ECDSA_P521_SHA512_FIXED_SIGNING, der);
    p256()
        .map(Key::P256)
        .or_else(|_| p384().map(Key::P384))
        .or_else(|_| p521().map(Key::P521))
        .ok()
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
