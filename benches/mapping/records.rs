//! The input of the mapping benchmark: pages of records of about 900 bytes, as issue trackers and incident tools give them.

use serde_json::{Value, json};

/// One record. Deterministic in `n`.
pub(crate) fn record(n: u64) -> Value {
    let severity = ["Critical", "High", "Medium", "Low"][(n % 4) as usize];
    json!({
        "id": 100_000 + n,
        "key": format!("INC-{n}"),
        "name": format!("Checkout latency above its objective in region {}", n % 17),
        "type": if n.is_multiple_of(10) { "drill" } else { "incident" },
        "status": { "name": "In Progress", "category": { "key": "indeterminate", "colour": "yellow" } },
        "severity": severity,
        "score": (n % 1000) as f64 / 8.0 + 0.0625,
        "description": "p99 of the checkout service has been above 1.2 s for ten minutes; customers see timeouts when they pay.",
        "url": format!("https://tracker.example.com/browse/INC-{n}"),
        "created_at": "2024-03-05T10:11:12.123Z",
        "updated_at": "2024-03-06T08:00:00Z",
        "resolved": n.is_multiple_of(3),
        "resolved_at": null,
        "owner": { "id": n % 50, "email": format!("Owner{}@Example.com", n % 50), "name": "A. Person" },
        "service": { "id": format!("svc-{}", n % 200), "slug": "checkout", "tier": 1 },
        "labels": [ { "name": "latency", "weight": 3 }, { "name": "customer-facing", "weight": 9 } ],
        "watchers": [ "u1", "u2", "u3" ],
        "custom": { "a": "b", "c": [1, 2, 3], "d": { "e": "f" } }
    })
}
