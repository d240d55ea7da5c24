//! Private keys as JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037 §2).

use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::credential::config;
use crate::signing::Key;
use crate::{Algorithm, Error, SigningKey};

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<String>,
    p: Option<String>,
    q: Option<String>,
    dp: Option<String>,
    dq: Option<String>,
    qi: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl SigningKey {
    /// A private key as a JSON Web Key (RFC 7517): RSA, EC on P-256, P-384 or P-521, or Ed25519. Also gives its `kid`, where it has one.
    ///
    /// Without an algorithm the key's own `alg` is taken, else that of its kind, as for [`from_pem`](SigningKey::from_pem).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for text that is no such key, and an algorithm that is not the key's. The error shows nothing of the key.
    pub fn from_jwk(
        jwk: impl Into<SecretString>,
        algorithm: Option<Algorithm>,
    ) -> Result<(SigningKey, Option<String>), Error> {
        let text = jwk.into();
        // serde's words may quote what was found.
        let Ok(jwk) = serde_json::from_str::<Jwk>(text.expose_secret()) else {
            return config("is no JSON Web Key, which has a `kty`");
        };
        if jwk.d.is_none() {
            return config("is a public key: the private one has a member `d`");
        }
        let Some(key) = jwk.key() else {
            return config(
                "the private key cannot be used: RSA keys of at least 2048 bits with all of n, e, d, p, q, dp, dq and qi, EC keys on P-256, P-384 and P-521, and Ed25519 keys can",
            );
        };
        let own = jwk.alg.as_deref().and_then(Algorithm::parse);
        let key = SigningKey::of(key, algorithm.or(own))?;
        Ok((key, jwk.kid.filter(|id| !id.is_empty())))
    }
}

impl Jwk {
    fn key(&self) -> Option<Key> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => self.rsa().map(Key::Rsa),
            ("EC", Some("P-256")) => self
                .elliptic(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .map(Key::P256),
            ("EC", Some("P-384")) => self
                .elliptic(&ECDSA_P384_SHA384_FIXED_SIGNING)
                .map(Key::P384),
            ("EC", Some("P-521")) => self
                .elliptic(&ECDSA_P521_SHA512_FIXED_SIGNING)
                .map(Key::P521),
            ("OKP", Some("Ed25519")) => {
                let (seed, public) = (bytes(&self.d)?, bytes(&self.x)?);
                let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &public);
                pair.ok().map(Key::Ed25519)
            }
            _ => None,
        }
    }

    fn rsa(&self) -> Option<RsaKeyPair> {
        RsaKeyPair::from_components(&KeyPairComponents {
            public_key: PublicKeyComponents {
                n: bytes(&self.n)?,
                e: bytes(&self.e)?,
            },
            d: bytes(&self.d)?,
            p: bytes(&self.p)?,
            q: bytes(&self.q)?,
            dP: bytes(&self.dp)?,
            dQ: bytes(&self.dq)?,
            qInv: bytes(&self.qi)?,
        })
        .ok()
    }

    fn elliptic(&self, algorithm: &'static EcdsaSigningAlgorithm) -> Option<EcdsaKeyPair> {
        // SEC 1 §2.3.3: both coordinates, not compressed.
        let public = [vec![4], bytes(&self.x)?, bytes(&self.y)?].concat();
        EcdsaKeyPair::from_private_key_and_public_key(algorithm, &bytes(&self.d)?, &public).ok()
    }
}

fn bytes(member: &Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(member.as_deref()?).ok()
}
