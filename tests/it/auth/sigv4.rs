//! `authType: aws_sigv4`. The signatures themselves are held to the vectors of AWS in the crate that makes them.

use longshore_testkit::{Answer, ScriptedApi};
use serde_json::json;

use super::well;
use crate::rig::{Rig, config, items};

const KEY: &str = "authType: aws_sigv4\naccessKeyId: AKIDEXAMPLE\nsecretAccessKey: s3cret\nregion: eu-central-1\nservice: execute-api\n";

#[tokio::test(start_paused = true)]
async fn every_attempt_is_signed_anew_with_all_that_goes_out() {
    let api = ScriptedApi::new().json("/items", json!([{"id": 1}])).fault(
        "/items",
        1,
        Answer::status(429).header("retry-after", "90"),
    );
    let rig = Rig::new(api);
    let engine = rig.engine(
        &format!("{KEY}sessionToken: session\n"),
        &items("/items", "{method: POST, query_params: {b: '2', a: 'x y'}, body: {q: 1}, headers: {X-Amz-Target: T.List}}"),
    );
    well(&engine).await;
    let asked = rig.api.requests();
    assert_eq!(asked.len(), 2);
    for seen in &asked {
        let signed = seen.header("authorization").unwrap();
        assert!(
            signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"),
            "{signed}"
        );
        assert!(signed.contains("/eu-central-1/execute-api/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature="), "{signed}");
        assert_eq!(seen.header("x-amz-security-token"), Some("session"));
        assert!(!signed.contains("s3cret"));
    }
}

#[test]
fn all_that_is_missing_is_named() {
    let refused = config(
        "authType: aws_sigv4\naccessKeyId: a",
        &items("/items", "{}"),
    )
    .unwrap_err()
    .to_string();
    for name in ["secretAccessKey", "region", "service"] {
        assert!(
            refused.contains(&format!("aws_sigv4 needs `{name}`")),
            "{refused}"
        );
    }
}
