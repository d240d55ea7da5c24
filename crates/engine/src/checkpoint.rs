//! Where a read of entities stands, for another process to go on from.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_paginate::Bookmark;
use serde::{Deserialize, Serialize};

/// Where a read of entities stands, from [`EntityStream::checkpoint`](crate::EntityStream::checkpoint): store it (it is a `serde` type), and
/// [`Engine::entities_from`](crate::Engine::entities_from) goes on there, in this process or another.
///
/// It holds positions and counts and nothing of the records, but a position may be a link, and a link may hold a credential: keep it as you keep
/// those.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    pub(crate) walk: longshore_paginate::Checkpoint,
    /// How the list is paged: the position means something else by other settings.
    pub(crate) paging: String,
    /// Whether the body of the first page was taken as one record.
    pub(crate) begins_with_object: Option<bool>,
    #[serde(flatten)]
    pub(crate) counts: Counts,
}

/// What was counted up to a page.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counts {
    pub(crate) pages: u64,
    pub(crate) records: u64,
    pub(crate) entities: u64,
    pub(crate) skipped: u64,
    pub(crate) failed: u64,
    pub(crate) stops: BTreeSet<String>,
}

impl Checkpoint {
    /// Pages that lie behind it.
    pub fn pages(&self) -> u64 {
        self.counts.pages
    }

    /// Records on them.
    pub fn records(&self) -> u64 {
        self.counts.records
    }

    /// Whether nothing is left to be read.
    pub fn is_done(&self) -> bool {
        self.walk.is_done()
    }
}

/// The state behind a page, made into a [`Checkpoint`] where one is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) bookmark: Bookmark,
    pub(crate) paging: String,
    pub(crate) begins_with_object: Option<bool>,
    pub(crate) counts: Counts,
}

/// How far the items of a stream were given to its reader.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    /// The page that is being given, and how many items of it are left.
    current: Option<(usize, Point)>,
    behind: Option<Point>,
}

impl Given {
    /// The items of a page are about to be given.
    pub(crate) fn page(&self, items: usize, point: Point) {
        let mut pages = self.lock();
        match items {
            0 => {
                (pages.current, pages.behind) = (None, Some(point));
            }
            items => pages.current = Some((items, point)),
        }
    }

    /// One item was given.
    pub(crate) fn item(&self) {
        let mut pages = self.lock();
        match pages.current.take() {
            Some((items, point)) if items > 1 => pages.current = Some((items - 1, point)),
            Some((_, point)) => pages.behind = Some(point),
            None => {}
        }
    }

    pub(crate) fn pages(&self) -> u64 {
        let pages = self.lock();
        pages.behind.as_ref().map_or(0, |point| point.counts.pages)
    }

    pub(crate) fn checkpoint(&self) -> Option<Checkpoint> {
        let point = self.lock().behind.clone()?;
        Some(Checkpoint {
            walk: point.bookmark.checkpoint(),
            paging: point.paging,
            begins_with_object: point.begins_with_object,
            counts: point.counts,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
