//! jq mapping: records out of a body, and records into catalog entities.
