//! A client for the API of the [Port](https://port.io) software catalog, as integrations use it: bulk upserts, the list of what
//! one integration owns, and deletes that need a proof.
//!
//! It writes [`Entity`] values and knows nothing of where they come from. It is not a client for all of Port's API: no actions,
//! no scorecards, no pages.
//!
//! - [`PortClient`] is one integration at Port. Entities: [`upsert`](PortClient::upsert), [`upsert_one`](PortClient::upsert_one),
//!   [`search`](PortClient::search), [`owned`](PortClient::owned), [`delete`](PortClient::delete). What they are of:
//!   [`blueprint`](PortClient::blueprint), [`create_blueprint`](PortClient::create_blueprint). Itself:
//!   [`integration`](PortClient::integration), [`update_integration`](PortClient::update_integration),
//!   [`resync_request`](PortClient::resync_request), [`report_resync`](PortClient::report_resync),
//!   [`report_kind`](PortClient::report_kind), [`send_examples`](PortClient::send_examples), [`server_time`](PortClient::server_time). The access token is fetched, renewed and repeated
//!   behind it, and rate limits are kept.
//! - [`Ledger`] records what is read and how each read ended. It gives the [`Proof`] without which nothing can be deleted.
//! - [`Error`] says in one line what to change; what Port said about single entities is in [`Rejected`] and [`NotDeleted`].
//!
//! # Example
//!
//! A run that writes what it read and deletes what is no longer there. (`Canned` stands for the network here; see
//! `longshore_transport::HttpTransport` for the real one.)
//!
//! ```
//! use std::sync::Arc;
//!
//! use longshore_port_client::{Delete, Entity, Feeds, Ledger, PortClient, Upsert, Verdict};
//! use longshore_transport::{Client, Request, Response, Transport, async_trait};
//! # #[derive(Debug)]
//! # struct Canned;
//! # #[async_trait]
//! # impl Transport for Canned {
//! #     async fn send(&self, request: Request) -> Result<Response, longshore_transport::Error> {
//! #         let body = match request.url.path() {
//! #             "/v1/auth/access_token" => r#"{"accessToken":"t","expiresIn":10800,"tokenType":"Bearer"}"#,
//! #             "/v1/blueprints/user/entities/bulk" => r#"{"ok":true,"entities":[{"identifier":"ada","index":0,"created":true}],"errors":[]}"#,
//! #             "/v1/blueprints/entities/datasource-entities" => r#"{"entities":[{"identifier":"ada","blueprint":"user"},{"identifier":"bob","blueprint":"user"}]}"#,
//! #             "/v1/blueprints/user/bulk/entities/delete" => r#"{"ok":true,"deletedEntities":["bob"]}"#,
//! #             _ => "{}",
//! #         };
//! #         Ok(Response::new(http::StatusCode::OK, Default::default(), body, request.url))
//! #     }
//! # }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let port = PortClient::builder(Client::builder(Arc::new(Canned)).build())
//!     .base_url("https://api.getport.io".parse()?)
//!     .credentials("client id", "client secret".to_owned())
//!     .integration("custom", "my-api")
//!     .build()?;
//!
//! let mut ledger = Ledger::new();
//! let users = ledger.open("/users", Feeds::Blueprint("user".to_owned()));
//! let seen = [Entity::new("user", "ada")]; // what the API had
//! let upserted = port.upsert("user", &seen, &Upsert::default()).await?;
//! assert_eq!((upserted.upserted, upserted.rejected.len()), (1, 0));
//! ledger.close(users, Verdict::Complete);
//!
//! let proof = ledger.prove("user")?;
//! let stale: Vec<String> = port
//!     .owned(None)
//!     .await?
//!     .into_iter()
//!     .filter(|owned| owned.blueprint == proof.blueprint())
//!     .map(|owned| owned.identifier)
//!     .filter(|identifier| !seen.iter().any(|entity| entity.identifier.as_str() == Some(identifier)))
//!     .collect();
//! let deleted = port.delete(&proof, &stale, &Delete::default()).await?;
//! assert_eq!(deleted.deleted, ["bob"]);
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run()).unwrap();
//! ```

mod blueprint;
mod client;
mod delete;
mod error;
mod identifier;
mod integration;
mod kinds;
mod ledger;
mod owned;
mod pace;
mod path;
mod refusal;
mod search;
mod time;
mod token;
mod upsert;

pub use blueprint::{Blueprint, BlueprintRelation, BlueprintSchema};
pub use client::{CONCURRENT_BATCHES, PortClient, PortClientBuilder};
pub use delete::{DELETE_BATCH, Delete, Deleted, NotDeleted, NotDeletedReason};
pub use error::{Error, ErrorKind};
pub use identifier::{IdentifierProblem, MAX_IDENTIFIER_CHARS, entity_problem, identifier_problem};
pub use integration::{Integration, IntegrationChanges, NewIntegration, ResyncState, ResyncStatus};
pub use kinds::{KindState, KindStatus};
pub use ledger::{Feeds, Ledger, Proof, SourceId, Unproven, Verdict, Withheld, WithheldReason};
pub use owned::{OWNED_PAGE, Owned};
pub use search::{Found, SEARCH_IDENTIFIERS, Search};
pub use upsert::{LookedUp, MAX_BODY_BYTES, Rejected, UPSERT_BATCH, Upsert, Upserted};

pub use longshore_mapping::{Entity, Identifier};
