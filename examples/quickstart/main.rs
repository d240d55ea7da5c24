//! Two configuration files in, a catalog in step out: `cargo run --example quickstart`.
//!
//! Starts a demo API and a double of Port on this machine, then does what the real runner does: reads the two files beside this one,
//! pulls the API, writes the catalog, and removes the one entity that is gone. Nothing leaves your machine.

mod demo;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use comfy_table::Table;
use indicatif::ProgressBar;
use longshore_engine::config::Config;
use longshore_engine::port_client::PortClient;
use longshore_engine::transport::{Client, HttpTransport};
use longshore_engine::{EngineBuilder, Event, PortSink};
use longshore_testkit::{PortDouble, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = PortDouble::new()
        .credentials("demo-id", "demo-secret")
        .stale_entity("service", "svc-of-last-year");
    let api_server = serve(demo::api()).await;
    let port_server = serve(port.clone()).await;

    // 1. The two files, and the environment over them.
    let config = Config::loader()
        .connection_text("connection.yaml", include_str!("connection.yaml"))
        .mapping_text("mapping.yaml", include_str!("mapping.yaml"))
        .environment([(
            "OCEAN__INTEGRATION__CONFIG__BASE_URL".to_owned(),
            api_server.url.to_string(),
        )])
        .load()?;

    // 2. An engine that reads the API, with a bar that shows how far it is.
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(80));
    let progress = bar.clone();
    let engine = EngineBuilder::from_config(&config)?
        .observer(move |event: &Event<'_>| {
            if let Event::Page {
                kind,
                pages,
                records,
                ..
            } = event
            {
                progress.set_message(format!("{kind}: {pages} pages, {records} records"));
            }
        })
        .build()?;

    // 3. Port, as the place that entities go to.
    let http = Client::builder(Arc::new(HttpTransport::builder().build()?)).build();
    let port_client = PortClient::builder(http)
        .base_url(port_server.url.clone())
        .credentials("demo-id", "demo-secret".to_owned())
        .integration("custom", "quickstart")
        .build()?;
    let report = engine.sync(&PortSink::new(port_client)).await;
    bar.finish_and_clear();

    println!("{}\n", catalog(&port));
    println!("{report}");
    println!(
        "\nNext: put your API's address, credentials and endpoints into copies of examples/quickstart/*.yaml and run\n  \
         cargo run --release --example ocean_custom -- --config connection.yaml --mapping mapping.yaml --dry-run"
    );
    if report.is_clean() {
        Ok(())
    } else {
        Err("the sync is not complete".into())
    }
}

/// What is in the catalog now, by blueprint: a few entities of each.
fn catalog(port: &PortDouble) -> Table {
    const SHOWN: usize = 3;
    let mut table = Table::new();
    table.set_header([
        "blueprint",
        "identifier",
        "title",
        "properties",
        "relations",
    ]);
    for blueprint in ["service", "deployment"] {
        let identifiers = port.identifiers(blueprint);
        for identifier in identifiers.iter().take(SHOWN) {
            let entity = port.entity(blueprint, identifier).unwrap_or_default();
            table.add_row([
                blueprint.to_owned(),
                identifier.clone(),
                entity["title"].as_str().unwrap_or_default().to_owned(),
                entity["properties"].to_string(),
                entity["relations"].to_string(),
            ]);
        }
        let more = identifiers.len().saturating_sub(SHOWN);
        table.add_row([blueprint.to_owned(), format!("… and {more} more")]);
    }
    table
}
