//! The jq compiler and evaluator of the longshore crates, with its limits.
