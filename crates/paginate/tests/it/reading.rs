//! One read from its first request to its end, against a function.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use longshore_jq::Val;
use longshore_paginate::{
    Error, PageRequest, Paginator, Settings, Shortfall, Step, StopReason, Walk,
};
use serde_json::{Value, json};

pub(crate) const BASE: &str = "https://api.example.com/v1/items?keep=a%20b";

/// What a server answers.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) records: Vec<Value>,
    /// The API does not like the request.
    pub(crate) refused: Option<StatusCode>,
}

impl Reply {
    /// A body whose records stand at a JSON pointer; nothing there is no records.
    pub(crate) fn of(body: Value, pointer: &str) -> Reply {
        let records = body
            .pointer(pointer)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        Reply {
            headers: HeaderMap::new(),
            body,
            records,
            refused: None,
        }
    }

    pub(crate) fn bare(records: Vec<Value>) -> Reply {
        Reply::of(Value::Array(records), "")
    }

    pub(crate) fn items(records: Vec<Value>, more: Value) -> Reply {
        let mut body = json!({"items": records});
        merge(&mut body, more);
        Reply::of(body, "/items")
    }

    pub(crate) fn refusal(status: u16) -> Reply {
        Reply {
            refused: Some(StatusCode::from_u16(status).unwrap()),
            ..Reply::of(json!({"error": "unknown parameter"}), "/none")
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Reply {
        self.headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
        self
    }
}

fn merge(body: &mut Value, more: Value) {
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
}

/// A read that is over.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) ids: Vec<u64>,
    pub(crate) requests: Vec<PageRequest>,
    /// Of these, how many led to no page of the list.
    pub(crate) dropped: usize,
    pub(crate) result: Result<StopReason, Shortfall>,
    pub(crate) warnings: Vec<String>,
    /// What `auto` found.
    pub(crate) found: Option<Settings>,
}

impl Read {
    /// The name of the stop reason or of the shortfall.
    pub(crate) fn end(&self) -> &'static str {
        match &self.result {
            Ok(reason) => reason.name(),
            Err(shortfall) => shortfall.name(),
        }
    }

    pub(crate) fn told(&self) -> String {
        match &self.result {
            Ok(_) => self.warnings.join("\n"),
            Err(shortfall) => shortfall.to_string(),
        }
    }

    /// The values of a query parameter, one for each request.
    pub(crate) fn sent(&self, name: &str) -> Vec<Option<String>> {
        self.requests
            .iter()
            .map(|request| request.query(name))
            .collect()
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.requests
            .iter()
            .map(|request| request.url.to_string())
            .collect()
    }
}

pub(crate) fn base() -> PageRequest {
    PageRequest::new(Method::GET, BASE.parse().unwrap())
}

pub(crate) fn try_read(
    paginator: impl Paginator,
    base: PageRequest,
    mut server: impl FnMut(&PageRequest) -> Reply,
) -> Result<Read, Error> {
    let mut walk = Walk::new(Arc::new(paginator), base);
    let (mut ids, mut requests, mut dropped) = (Vec::new(), Vec::new(), 0);
    loop {
        assert!(requests.len() < 20_000, "the read does not end");
        let request = walk.request()?;
        let reply = server(&request);
        requests.push(request);
        let records: Vec<Val> = reply.records.iter().map(Val::from_json).collect();
        let refused = match reply.refused {
            Some(status) => walk.refuse(Some(status))?,
            None => None,
        };
        let step = match refused {
            Some(step) => step,
            None => walk.accept(&reply.headers, &Val::from_json(&reply.body), &records)?,
        };
        if matches!(step, Step::Dropped(_)) {
            dropped += 1;
        } else {
            ids.extend(
                reply
                    .records
                    .iter()
                    .filter_map(|record| record["id"].as_u64()),
            );
        }
        if let Step::Done(ending) | Step::Dropped(Some(ending)) = step {
            return Ok(Read {
                ids,
                requests,
                dropped,
                result: ending.result,
                warnings: ending.warnings,
                found: walk.found(),
            });
        }
    }
}

pub(crate) fn read(paginator: impl Paginator, server: impl FnMut(&PageRequest) -> Reply) -> Read {
    try_read(paginator, base(), server).unwrap()
}

/// Answers one after the other, and a panic when more is asked for.
pub(crate) fn script(replies: Vec<Reply>) -> impl FnMut(&PageRequest) -> Reply {
    let mut replies = replies.into_iter();
    move |request| {
        replies
            .next()
            .unwrap_or_else(|| panic!("one request too many: {}", request.url))
    }
}

/// Records `{"id": n}` of a range of identifiers.
pub(crate) fn ids(range: std::ops::RangeInclusive<u64>) -> Vec<Value> {
    range
        .map(|id| json!({"id": id, "name": format!("record {id}")}))
        .collect()
}

/// `size` of `of` records after the first `skip`.
pub(crate) fn slice(of: u64, skip: u64, size: u64) -> Vec<Value> {
    ids(skip + 1..=of.min(skip.saturating_add(size)))
}

pub(crate) fn number(request: &PageRequest, name: &str, default: u64) -> u64 {
    request
        .query(name)
        .map_or(default, |text| text.parse().unwrap())
}
