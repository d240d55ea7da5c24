//! How many lists a sync asks for, before it asks for them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use futures::StreamExt;
use longshore_nested::RequestTemplate;
use serde::Serialize;

use crate::children::Search;
use crate::fetch::Api;
use crate::parameters::{ReadIdentity, Source};
use crate::resource::{Parts, Resource};
use crate::session::Session;

/// Problems kept for people to read.
const KEPT_PROBLEMS: usize = 20;

/// How many lists are asked for by resources. Each list takes a request for each of its pages, so that this many requests are the least.
///
/// Its JSON form has for each resource `kind` and `lists`, and of each of these `endpoint`, `count`, `for_each`, `batches`, `is_least`, `read_by`
/// and `embedded`.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Estimate {
    /// In the order of the resources.
    pub resources: Vec<ResourceEstimate>,
}

/// The lists of one resource.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ResourceEstimate {
    /// The resource's kind.
    pub kind: String,
    /// The lists of its parents, each after those that it builds on, and last its own.
    pub lists: Vec<ListEstimate>,
    /// What will not work, and what went wrong while parents were counted: the first few, and how many more there are.
    pub problems: Vec<String>,
}

/// The lists of one path.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ListEstimate {
    /// The path as it is written.
    pub endpoint: String,
    /// How many lists; where `for_each` names parameters, for each set of their values.
    pub count: u64,
    /// Parameters that come from a list of the API: how many values they have is not known before it is read.
    pub for_each: Vec<String>,
    /// How many values of these go into one request, where that is more than one.
    pub batches: BTreeMap<String, usize>,
    /// There may be more: parents failed, or windows of time are halved where they hit their cap.
    pub is_least: bool,
    /// Another resource reads these lists anyway: this one.
    pub read_by: Option<String>,
    /// Only where they do not stand in a parent's record already.
    pub embedded: bool,
}

impl Estimate {
    /// The fewest requests that reading takes, as far as it is known.
    pub fn least_requests(&self) -> u64 {
        let counted = self.own_lists().filter(|list| list.is_counted());
        counted.fold(0, |requests, list| requests.saturating_add(list.count))
    }

    /// Whether these are all but for further pages.
    pub fn is_exact(&self) -> bool {
        self.own_lists()
            .all(|list| list.is_counted() && !list.is_least)
    }

    /// Lists that nobody else reads anyway.
    fn own_lists(&self) -> impl Iterator<Item = &ListEstimate> {
        let lists = self.resources.iter().flat_map(|resource| &resource.lists);
        lists.filter(|list| list.read_by.is_none())
    }
}

impl ListEstimate {
    fn is_counted(&self) -> bool {
        self.for_each.is_empty() && !self.embedded
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for resource in &self.resources {
            writeln!(f, "{}", resource.kind)?;
            for list in &resource.lists {
                writeln!(f, "    {list}")?;
            }
            for problem in &resource.problems {
                writeln!(f, "    {problem}")?;
            }
        }
        let more = match self.is_exact() {
            true => "and one for each further page",
            false => "and those that are not known yet, and one for each further page",
        };
        let count = self.least_requests();
        let requests = if count == 1 { "request" } else { "requests" };
        write!(f, "at least {count} {requests}, {more}")
    }
}

impl fmt::Display for ListEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = if self.is_least { "at least " } else { "" };
        let lists = if self.count == 1 { "list" } else { "lists" };
        write!(f, "{}: {least}{} {lists}", self.endpoint, self.count)?;
        if !self.for_each.is_empty() {
            let names = self.for_each.iter().map(|it| match self.batches.get(it) {
                Some(size) => format!("{size} of {{{it}}}"),
                None => format!("{{{it}}}"),
            });
            let names: Vec<String> = names.collect();
            write!(f, " for each {}", names.join(", "))?;
        }
        if self.embedded {
            f.write_str(", where it is not embedded")?;
        }
        match &self.read_by {
            Some(kind) => write!(f, " (read for {kind})"),
            None => Ok(()),
        }
    }
}

/// Without a request.
pub(crate) fn estimate(resources: &[&Resource], now: SystemTime) -> Estimate {
    let mut known = Known::of(resources);
    let each = resources.iter().map(|resource| {
        let parts = resource.parts();
        let mut lists = Vec::new();
        for level in &parts.levels {
            if let Source::List(parents) = &level.source {
                let mut list = count(&parents.list.request, resource, now);
                list.embedded = parents.embedded.is_some();
                list.read_by = known.reader(&parents.lineage, resource.kind());
                lists.push(list);
            }
        }
        let mut own = count(&parts.list.request, resource, now);
        own.embedded = parts.embedded.is_some();
        let mut problems = Vec::new();
        if own.for_each.is_empty() && own.count > parts.max_children {
            problems.push(format!(
                "there are more than {} children; give fewer values or windows, or raise selector.maxChildren",
                parts.max_children
            ));
        }
        lists.push(own);
        ResourceEstimate {
            kind: resource.kind().to_owned(),
            lists,
            problems,
        }
    });
    Estimate {
        resources: each.collect(),
    }
}

/// With the requests that it takes to read the lists of parents, one resource after the other.
pub(crate) async fn counted(api: &Arc<Api>, resources: &[&Resource]) -> Estimate {
    let mut estimate = estimate(resources, api.client.clock().wall());
    let session = Session::new(api.clone(), resources.iter().copied()).without_publishers();
    for (resource, estimated) in resources.iter().zip(&mut estimate.resources) {
        if resource.parts().levels.is_empty() {
            continue;
        }
        let search = Search::new(session.clone(), (*resource).clone());
        let mut children = search.children();
        let (mut own, mut further) = (0, 0_u64);
        while let Some(child) = children.next().await {
            match child {
                Ok(child) => own += u64::from(child.is_asked_for(resource)),
                Err(trouble) if estimated.problems.len() < KEPT_PROBLEMS => {
                    estimated.problems.push(trouble.error.to_string());
                }
                Err(_) => further += 1,
            }
        }
        if further > 0 {
            estimated
                .problems
                .push(format!("{further} further problems"));
        }
        drop(children);
        let counts = search.lists().into_iter().chain([own]);
        for (list, count) in estimated.lists.iter_mut().zip(counts) {
            *list = ListEstimate {
                count,
                for_each: Vec::new(),
                batches: BTreeMap::new(),
                is_least: list.is_least || !estimated.problems.is_empty(),
                embedded: false,
                ..list.clone()
            };
        }
    }
    estimate
}

/// Who reads which lists.
struct Known(Vec<(ReadIdentity, String)>);

impl Known {
    /// What resources read as their own.
    fn of(resources: &[&Resource]) -> Self {
        let own = resources
            .iter()
            .filter(|resource| resource.parts().embedded.is_none());
        let own =
            own.map(|resource| (resource.parts().lineage.clone(), resource.kind().to_owned()));
        Known(own.collect())
    }

    /// Who else reads the lists of a lineage; from now on it is whoever asked first.
    fn reader(&mut self, lineage: &ReadIdentity, kind: &str) -> Option<String> {
        let known = self.0.iter().find(|(known, _)| known == lineage);
        let reader = known.map(|(_, kind)| kind.clone());
        if reader.is_none() {
            self.0.push((lineage.clone(), kind.to_owned()));
        }
        reader
    }
}

/// One list for each set of the values that it is asked for with, as far as there may be so many.
fn count(request: &RequestTemplate, resource: &Resource, now: SystemTime) -> ListEstimate {
    let names = request.parameters();
    let Parts {
        levels,
        max_children,
        ..
    } = resource.parts();
    let most = usize::try_from(*max_children).unwrap_or(usize::MAX);
    let mut list = ListEstimate {
        endpoint: request.path().as_str().to_owned(),
        count: 1,
        for_each: Vec::new(),
        batches: BTreeMap::new(),
        is_least: false,
        read_by: None,
        embedded: false,
    };
    for level in levels.iter().filter(|level| names.contains(&&*level.name)) {
        let known = match &level.source {
            Source::List(_) => None,
            Source::Fixed(items) => {
                let distinct: BTreeSet<&str> = items.iter().map(|item| &*item.text).collect();
                let batch = level.batch.as_ref().map_or(1, |batch| batch.size);
                Some(distinct.len().div_ceil(batch.max(1)) as u64)
            }
            Source::Windows(windows) => {
                list.is_least |= windows.result_cap().is_some();
                let mut windows = windows.iter(now).ok();
                let count = windows
                    .as_mut()
                    .map(|windows| windows.take(most).count() as u64);
                list.is_least |= windows.is_some_and(|mut more| more.next().is_some());
                count
            }
        };
        match known {
            Some(known) => list.count = list.count.saturating_mul(known),
            None => {
                let name = level.name.to_string();
                if let Some(batch) = &level.batch {
                    list.batches.insert(name.clone(), batch.size);
                }
                list.for_each.push(name);
            }
        }
    }
    list
}
