//! One HTTP exchange done right: timeouts, whole bodies, size caps, retries, rate gates, origin policy and redaction.
