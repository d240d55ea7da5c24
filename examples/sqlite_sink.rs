//! A database kept in step with an API: a `Sink` of one's own, here with SQLite.
//!
//! Users and teams are read into one table, three times. An entity that is gone at the API goes from the table too, but
//! only where everything that feeds its blueprint was read to a proven end.
//!
//! `cargo run --example sqlite_sink`
#![allow(
    clippy::unwrap_used,
    reason = "an example that ends at the first thing that is wrong"
)]

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use longshore_engine::mapping::Entity;
use longshore_engine::{
    Engine, Error, ErrorKind, Evidence, Mark, Reconciled, Resource, Sink, Written,
};
use longshore_testkit::{Answer, Network, ScriptedApi};
use rusqlite::{Connection, params};
use serde_json::json;

/// Keeps entities in a table, one row for each.
struct SqliteSink(Mutex<Connection>);

impl SqliteSink {
    fn open(database: Connection) -> Result<Self, Error> {
        database
            .execute_batch(
                "CREATE TABLE IF NOT EXISTS entity (
                    blueprint TEXT NOT NULL, identifier TEXT NOT NULL, title TEXT, properties TEXT NOT NULL, relations TEXT NOT NULL,
                    PRIMARY KEY (blueprint, identifier)
                )",
            )
            .map_err(failed)?;
        Ok(SqliteSink(Mutex::new(database)))
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, blueprint: &str) -> u32 {
        let sql = "SELECT count(*) FROM entity WHERE blueprint = ?1";
        let database = self.database();
        database
            .query_one(sql, [blueprint], |row| row.get::<_, u32>(0))
            .unwrap()
    }
}

#[async_trait]
impl Sink for SqliteSink {
    async fn begin(&self) -> Result<Mark, Error> {
        // A sink that others write to as well would mark the beginning here, so as to spare what they wrote since.
        Ok(Mark::default())
    }

    /// A batch is stored in full or not at all.
    async fn write(&self, entities: Vec<Entity>) -> Result<Written, Error> {
        let mut written = Written::default();
        let mut database = self.database();
        let transaction = database.transaction().map_err(failed)?;
        for entity in &entities {
            let Some(identifier) = entity.identifier.as_str() else {
                written.refuse(entity, "a search query as identifier is for Port alone");
                continue;
            };
            let title = entity.title.as_ref().and_then(|title| title.as_str());
            transaction
                .execute(
                    "INSERT INTO entity VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET
                        title = excluded.title, properties = excluded.properties, relations = excluded.relations",
                    params![
                        entity.blueprint,
                        identifier,
                        title,
                        json!(entity.properties).to_string(),
                        json!(entity.relations).to_string()
                    ],
                )
                .map_err(failed)?;
            written.upserted += 1;
        }
        transaction.commit().map_err(failed)?;
        Ok(written)
    }

    /// Removes what was not seen, of blueprints whose every source was read to its end.
    async fn reconcile(&self, evidence: Evidence) -> Result<Reconciled, Error> {
        let mut reconciled = Reconciled::default();
        let database = self.database();
        let rows: Vec<(String, String)> = database
            .prepare("SELECT blueprint, identifier FROM entity")
            .and_then(|mut rows| {
                rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect()
            })
            .map_err(failed)?;
        let mut gone: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (blueprint, identifier) in rows {
            if !evidence.seen().contains(&blueprint, &identifier) {
                gone.entry(blueprint).or_default().push(identifier);
            }
        }
        for (blueprint, identifiers) in gone {
            if let Err(why) = evidence.permits(&blueprint) {
                reconciled.withhold(&blueprint, why, identifiers.len() as u64);
                continue;
            }
            let sql = "DELETE FROM entity WHERE blueprint = ?1 AND identifier = ?2";
            for identifier in identifiers {
                let removed = database.execute(sql, [&blueprint, &identifier]);
                reconciled.deleted += removed.map_err(failed)? as u64;
            }
        }
        Ok(reconciled)
    }
}

/// A database that is away is away for the whole batch; trying again later may help.
fn failed(error: rusqlite::Error) -> Error {
    Error::new(ErrorKind::Sink, "the database does not take it")
        .with_source(error)
        .retryable(true)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // An API in this process; leave `transport` out to read a real one.
    let api = ScriptedApi::new()
        .json("/teams", json!([{"id": "blue"}, {"id": "red"}]))
        .json("/users", json!([{"id": 1, "name": "Ada", "team": "blue"}, {"id": 2, "name": "Bob", "team": "red"}]));
    let users = Resource::builder("/users")
        .identifier(".id")
        .title(".name")
        .blueprint("user")
        .relation("team", ".team");
    let engine = Engine::builder()
        .base_url("https://api.example.com")
        .transport(
            Network::new()
                .at("https://api.example.com", api.clone())
                .transport(),
        )
        .resource(
            Resource::builder("/teams")
                .identifier(".id")
                .blueprint("team")
                .build()?,
        )
        .resource(users.build()?)
        .build()?;
    let sink = SqliteSink::open(Connection::open_in_memory()?)?;

    let report = engine.sync(&sink).await;
    println!(
        "first: {} stored, {} users in the table",
        report.upserted,
        sink.count("user")
    );
    assert_eq!((report.is_clean(), sink.count("user")), (true, 2));

    // Bob left.
    let _ = api
        .clone()
        .json("/users", json!([{"id": 1, "name": "Ada", "team": "blue"}]));
    let report = engine.sync(&sink).await;
    println!(
        "second: {} removed, {} users in the table",
        report.deleted,
        sink.count("user")
    );
    assert_eq!((report.deleted, sink.count("user")), (1, 1));

    // The API fails: nobody left because of that.
    let _ = api.clone().on("/users", |_| Answer::status(403));
    let report = engine.sync(&sink).await;
    println!(
        "third: {}; {} users in the table",
        report.resources[1].outcome,
        sink.count("user")
    );
    assert_eq!((report.deleted, sink.count("user")), (0, 1));
    Ok(())
}
