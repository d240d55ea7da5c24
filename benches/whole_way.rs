//! The whole way against servers in this process, over real sockets: pages in, entities out, and a sync into a double of Port.
//!
//! `cargo bench --bench whole_way`. The double of Port costs more than the client: see it as a line to compare with, not as a speed.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark: nobody links to it, and what cannot be set up should panic"
)]

#[path = "mapping/records.rs"]
mod records;

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use futures::StreamExt;
use longshore_engine::paginate::{PageNumber, SinglePage};
use longshore_engine::port_client::PortClient;
use longshore_engine::transport::{Client, HttpTransport};
use longshore_engine::{Engine, ParameterSource, PortSink, Resource};
use longshore_testkit::{Answer, Pages, PortDouble, ScriptedApi, Server, serve};
use tokio::runtime::Runtime;

const RECORDS: u64 = 10_000;
const PARENTS: u64 = 1_000;

fn main() {
    divan::main();
}

/// 100 pages of 100 records, one after the other.
#[divan::bench(sample_count = 10)]
fn pages_to_entities(bencher: Bencher<'_, '_>) {
    let bench = Bench::new();
    bencher
        .counter(ItemsCount::new(RECORDS))
        .bench(|| bench.read(&incidents("/incidents")));
}

/// 1,000 parents with one record each, ten requests at once.
#[divan::bench(sample_count = 10)]
fn children_to_entities(bencher: Bencher<'_, '_>) {
    let bench = Bench::new();
    let children = Resource::builder("/parents/{id}/children")
        .pagination(SinglePage::new().explicit())
        .parameter("id", ParameterSource::new("/parents", ".id"))
        .identifier(".key + \"-\" + .__id")
        .blueprint("child")
        .build()
        .unwrap();
    bencher
        .counter(ItemsCount::new(PARENTS))
        .bench(|| bench.read(&children));
}

/// 1,000 records into an empty catalog.
#[divan::bench(sample_count = 10)]
fn sync_into_port(bencher: Bencher<'_, '_>) {
    let bench = Bench::new();
    bencher
        .counter(ItemsCount::new(1_000_u64))
        .with_inputs(|| {
            bench
                .runtime
                .block_on(serve(PortDouble::new().credentials("id", "secret")))
        })
        .bench_refs(|port| bench.sync(port));
}

struct Bench {
    runtime: Runtime,
    api: Server,
}

impl Bench {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let all = (0..RECORDS).map(records::record);
        let some = (0..1_000).map(records::record);
        let parents = (0..PARENTS).map(|n| serde_json::json!({ "id": n }));
        let api = ScriptedApi::new()
            .pages("/incidents", Pages::page(all).total("total").under("items"))
            .pages(
                "/some-incidents",
                Pages::page(some).total("total").under("items"),
            )
            .pages("/parents", Pages::page(parents))
            .on("/parents/{id}/children", |_| {
                Answer::json(vec![records::record(1)])
            });
        let api = runtime.block_on(serve(api));
        Bench { runtime, api }
    }

    fn engine(&self, resource: &Resource) -> Engine {
        Engine::builder()
            .base_url(self.api.url.as_str())
            .paginator(PageNumber::new().page_size(100))
            .resource(resource.clone())
            .build()
            .unwrap()
    }

    fn read(&self, resource: &Resource) -> u64 {
        self.runtime.block_on(async {
            let mut entities = self.engine(resource).entities(resource);
            while let Some(entity) = entities.next().await {
                entity.unwrap();
            }
            let outcome = entities.outcome();
            assert!(outcome.is_complete(), "{outcome:?}");
            outcome.entities
        })
    }

    fn sync(&self, port: &Server) {
        let resource = incidents("/some-incidents");
        self.runtime.block_on(async {
            let http = Client::builder(Arc::new(HttpTransport::builder().build().unwrap())).build();
            let client = PortClient::builder(http)
                .base_url(port.url.clone())
                .credentials("id", "secret".to_owned())
                .integration("custom", "bench")
                .build()
                .unwrap();
            let report = self.engine(&resource).sync(&PortSink::new(client)).await;
            assert!(report.is_clean(), "{report}");
        });
    }
}

fn incidents(path: &str) -> Resource {
    Resource::builder(path)
        .data_path(".items")
        .identifier(".key")
        .title(".name")
        .blueprint("incident")
        .property("status", ".status.name")
        .property("severity", ".severity | ascii_downcase")
        .property("url", ".url")
        .relation("service", ".service.id")
        .build()
        .unwrap()
}
