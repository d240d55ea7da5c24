//! Text: with an allocation of its own, as a part of the page that it was read from, or as the message of an error.

use super::page::Page;
use crate::fail::Plain;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A string that is cheap to clone.
#[derive(Clone)]
pub(crate) enum Text {
    Own(Arc<str>),
    /// From `start` to `end` of the page's text.
    Part {
        page: Arc<Page>,
        start: u32,
        end: u32,
    },
    /// What an error of ours says, wherever a program takes it.
    Told(Arc<Told>),
}

/// The message of an error, which may quote data, with what may be said about it without.
pub(crate) struct Told {
    pub(crate) message: Box<str>,
    pub(crate) plain: Plain,
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Text::Own(text) => text,
            Text::Part { page, start, end } => page.slice(*start, *end),
            Text::Told(told) => &told.message,
        }
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text::Own(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text::Own(text.into())
    }
}
