//! Any REST API as a stream of mapped entities, and that stream as a sync of the Port software catalog.
