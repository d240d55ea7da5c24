//! A client for the API of the Port software catalog.
