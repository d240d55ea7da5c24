//! Conformance checks, a scripted API server and a double of Port, for tests of the longshore crates and of their implementors.
