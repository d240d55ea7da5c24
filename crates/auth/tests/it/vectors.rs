//! Signatures and headers as the RFCs print them.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use longshore_auth::{Algorithm, Authenticator as _, BasicAuth, ErrorKind, SigningKey};
use longshore_transport::Request;
use rcgen::{KeyPair, PublicKeyData as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

/// RFC 7515 §3.1: the claims of appendices A.1 to A.3, with line ends of two bytes.
const CLAIMS: &str =
    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";

fn decoded(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// RFC 7515 A.2.1.
fn rsa_jwk() -> Value {
    json!({
        "kty": "RSA",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        "e": "AQAB",
        "d": "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
        "p": "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
        "q": "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
        "dp": "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
        "dq": "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
        "qi": "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U"
    })
}

/// RFC 7515 A.3.1.
fn ec_jwk() -> Value {
    json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
    })
}

/// RFC 8037 A.1.
fn okp_jwk() -> Value {
    json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    })
}

fn key(jwk: &Value) -> SigningKey {
    SigningKey::from_jwk(jwk.to_string(), None).unwrap().0
}

fn signed(key: &SigningKey, header: &str, payload: &str) -> String {
    let text = key.sign(header.as_bytes(), payload.as_bytes()).unwrap();
    text.expose_secret().to_owned()
}

#[test]
fn hs256_signs_as_in_rfc_7515_a_1() {
    let secret =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let key = SigningKey::from_secret(&decoded(secret));
    assert_eq!(
        signed(&key, "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}", CLAIMS),
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9\
         .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
         .dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
}

#[test]
fn rs256_signs_as_in_rfc_7515_a_2() {
    assert_eq!(
        signed(&key(&rsa_jwk()), r#"{"alg":"RS256"}"#, CLAIMS),
        "eyJhbGciOiJSUzI1NiJ9\
         .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
         .cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
}

/// ECDSA is random: what we sign holds under the RFC's public key, as what the RFC prints does.
#[test]
fn es256_signs_for_the_key_of_rfc_7515_a_3() {
    let jwk = ec_jwk();
    let public = [
        vec![4],
        decoded(jwk["x"].as_str().unwrap()),
        decoded(jwk["y"].as_str().unwrap()),
    ]
    .concat();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public);
    let text = signed(&key(&jwk), r#"{"alg":"ES256"}"#, CLAIMS);
    let (input, signature) = text.rsplit_once('.').unwrap();
    assert_eq!(
        input,
        "eyJhbGciOiJFUzI1NiJ9\
         .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    );
    public
        .verify(input.as_bytes(), &decoded(signature))
        .unwrap();
    let printed =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    public.verify(input.as_bytes(), &decoded(printed)).unwrap();
}

/// RFC 7515 A.4, likewise.
#[test]
fn es512_signs_for_the_key_of_rfc_7515_a_4() {
    let jwk = json!({
        "kty": "EC",
        "crv": "P-521",
        "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
        "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
        "d": "AY5pb7A0UFiB3RELSD64fTLOSV_jazdF7fLYyuTw8lOfRhWg6Y6rUrPAxerEzgdRhajnu0ferB0d53vM9mE15j2C"
    });
    let public = [
        vec![4],
        decoded(jwk["x"].as_str().unwrap()),
        decoded(jwk["y"].as_str().unwrap()),
    ]
    .concat();
    let public = UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, public);
    let text = signed(&key(&jwk), r#"{"alg":"ES512"}"#, "Payload");
    let (input, signature) = text.rsplit_once('.').unwrap();
    assert_eq!(input, "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA");
    public
        .verify(input.as_bytes(), &decoded(signature))
        .unwrap();
    let printed = "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    public.verify(input.as_bytes(), &decoded(printed)).unwrap();
}

#[test]
fn eddsa_signs_as_in_rfc_8037_a_4() {
    assert_eq!(
        signed(
            &key(&okp_jwk()),
            r#"{"alg":"EdDSA"}"#,
            "Example of Ed25519 signing"
        ),
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc\
         .hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

/// What the RFCs print no signature for: it holds for the public half, and for no other text.
#[test]
fn every_algorithm_signs_what_its_public_key_verifies() {
    fn verified(key: &SigningKey, public: &[u8], algorithm: &'static dyn VerificationAlgorithm) {
        let text = signed(key, "{}", "claims");
        let (input, signature) = text.rsplit_once('.').unwrap();
        let public = UnparsedPublicKey::new(algorithm, public);
        public
            .verify(input.as_bytes(), &decoded(signature))
            .unwrap();
        assert!(public.verify(b"e30.other", &decoded(signature)).is_err());
    }
    let jwk = rsa_jwk();
    let public = PublicKeyComponents {
        n: decoded(jwk["n"].as_str().unwrap()),
        e: decoded(jwk["e"].as_str().unwrap()),
    };
    let algorithms: [(Algorithm, &RsaParameters); 6] = [
        (Algorithm::RS256, &RSA_PKCS1_2048_8192_SHA256),
        (Algorithm::RS384, &RSA_PKCS1_2048_8192_SHA384),
        (Algorithm::RS512, &RSA_PKCS1_2048_8192_SHA512),
        (Algorithm::PS256, &RSA_PSS_2048_8192_SHA256),
        (Algorithm::PS384, &RSA_PSS_2048_8192_SHA384),
        (Algorithm::PS512, &RSA_PSS_2048_8192_SHA512),
    ];
    for (algorithm, parameters) in algorithms {
        let (key, _) = SigningKey::from_jwk(jwk.to_string(), Some(algorithm)).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        let text = signed(&key, "{}", "claims");
        let (input, signature) = text.rsplit_once('.').unwrap();
        public
            .verify(parameters, input.as_bytes(), &decoded(signature))
            .unwrap();
        assert!(
            public
                .verify(parameters, b"e30.other", &decoded(signature))
                .is_err()
        );
    }
    for (kind, algorithm, verification) in [
        (
            &rcgen::PKCS_ECDSA_P256_SHA256,
            Algorithm::ES256,
            &ECDSA_P256_SHA256_FIXED as &'static dyn VerificationAlgorithm,
        ),
        (
            &rcgen::PKCS_ECDSA_P384_SHA384,
            Algorithm::ES384,
            &ECDSA_P384_SHA384_FIXED,
        ),
        (
            &rcgen::PKCS_ECDSA_P521_SHA512,
            Algorithm::ES512,
            &ECDSA_P521_SHA512_FIXED,
        ),
        (&rcgen::PKCS_ED25519, Algorithm::EdDSA, &ED25519),
    ] {
        let pair = KeyPair::generate_for(kind).unwrap();
        let key = SigningKey::from_pem(pair.serialize_pem(), None).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        verified(&key, pair.der_bytes(), verification);
    }
}

#[test]
fn a_json_web_key_says_its_algorithm_and_its_name() {
    let mut jwk = rsa_jwk();
    jwk["alg"] = "PS384".into();
    jwk["kid"] = "k1".into();
    let (key, id) = SigningKey::from_jwk(jwk.to_string(), None).unwrap();
    assert_eq!(
        (key.algorithm(), id.as_deref()),
        (Algorithm::PS384, Some("k1"))
    );
    let (key, _) = SigningKey::from_jwk(jwk.to_string(), Some(Algorithm::RS512)).unwrap();
    assert_eq!(key.algorithm(), Algorithm::RS512);

    let mut public = ec_jwk();
    public.as_object_mut().unwrap().remove("d");
    let mut half = rsa_jwk();
    half.as_object_mut().unwrap().remove("qi");
    let mut mixed = ec_jwk();
    mixed["x"] = mixed["y"].clone();
    let mut odd = okp_jwk();
    odd["crv"] = "X25519".into();
    for (jwk, said) in [
        (public, "public key"),
        (half, "dq and qi"),
        (mixed, "cannot be used"),
        (odd, "cannot be used"),
        (json!({"k": "nWGxne_9WmC6hEr0"}), "no JSON Web Key"),
        (
            json!({"kty": "oct", "d": "nWGxne_9WmC6hEr0"}),
            "cannot be used",
        ),
    ] {
        let error = SigningKey::from_jwk(jwk.to_string(), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(said), "{error}");
        for shown in [format!("{error:?}"), error.to_string()] {
            assert!(
                !shown.contains("nWGxne") && !shown.contains("jpsQnn"),
                "{shown}"
            );
        }
    }
    let error = SigningKey::from_jwk(ec_jwk().to_string(), Some(Algorithm::EdDSA)).unwrap_err();
    assert!(error.to_string().contains("it signs with ES256"), "{error}");
}

/// RFC 7617 §2 and §2.1 (UTF-8), and the ends of the range.
#[tokio::test]
async fn basic_is_as_in_rfc_7617() {
    for (user, password, expected) in [
        (
            "Aladdin",
            "open sesame",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        ("test", "123£", "Basic dGVzdDoxMjPCow=="),
        ("", "", "Basic Og=="),
        ("a", "b:c:", "Basic YTpiOmM6"),
    ] {
        let auth = BasicAuth::new(user, SecretString::from(password)).unwrap();
        let mut request = Request::new(http::Method::GET, "https://h/".parse().unwrap());
        auth.authenticate(&mut request).await.unwrap();
        assert_eq!(
            request.headers[AUTHORIZATION], expected,
            "{user}:{password}"
        );
    }
}
