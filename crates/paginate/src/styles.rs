//! The built-in styles for those who write Rust instead of configuration.

use std::sync::{Arc, OnceLock};

use http::StatusCode;

use crate::configured::Configured;
use crate::error::{Error, ErrorKind};
use crate::page::{Page, Progress};
use crate::paginator::{Next, Paginator};
use crate::request::PageRequest;
use crate::settings::{ParamIn, Settings, Style};
use crate::token::PageToken;

/// Settings and what they make, so that a style can be used at once and still be checked before the first request.
#[derive(Clone, Debug)]
struct Built {
    settings: Settings,
    /// Made at the first use: each setter would compile all expressions anew.
    paginator: OnceLock<Result<Arc<Configured>, Error>>,
}

impl Built {
    fn new(settings: Settings) -> Self {
        Built {
            settings,
            paginator: OnceLock::new(),
        }
    }

    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.settings;
        change(&mut settings);
        Built::new(settings)
    }

    fn get(&self) -> Result<&Arc<Configured>, Error> {
        let made = self.paginator.get_or_init(|| {
            self.settings.build().map(Arc::new).map_err(|problems| {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                Error::new(ErrorKind::Setting, problems.join("; "))
            })
        });
        made.as_ref().map_err(Clone::clone)
    }
}

macro_rules! setter {
    ($(#[$doc:meta])* text $method:ident) => { setter!($(#[$doc])* text $method => $method); };
    ($(#[$doc:meta])* text $method:ident => $field:ident) => {
        $(#[$doc])*
        pub fn $method(self, value: impl Into<String>) -> Self {
            let value = value.into();
            Self(self.0.with(|settings| settings.$field = Some(value)))
        }
    };
    ($(#[$doc:meta])* number $method:ident) => { setter!($(#[$doc])* number $method => $method); };
    ($(#[$doc:meta])* number $method:ident => $field:ident) => {
        $(#[$doc])*
        pub fn $method(self, value: u64) -> Self {
            Self(self.0.with(|settings| settings.$field = Some(value)))
        }
    };
    ($(#[$doc:meta])* on $method:ident) => {
        $(#[$doc])*
        pub fn $method(self) -> Self {
            Self(self.0.with(|settings| settings.$method = Some(true)))
        }
    };
}

macro_rules! style {
    ($(#[$doc:meta])* $name:ident, $style:expr; { $($setters:tt)* }) => {
        $(#[$doc])*
        ///
        /// It is a [`Paginator`] as it stands: a setting that cannot be used is then the error of its first use.
        /// `build` tells at once.
        #[derive(Clone, Debug)]
        pub struct $name(Built);

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl $name {
            /// The style with its defaults.
            pub fn new() -> Self {
                Self(Built::new(Settings::of($style)))
            }

            $($setters)*

            /// The cap on pages of one read.
            pub fn max_pages(self, pages: u64) -> Self {
                Self(self.0.with(|settings| settings.max_pages = Some(pages)))
            }

            /// The paginator.
            ///
            /// # Errors
            /// All settings that cannot be used, in one line.
            pub fn build(self) -> Result<Configured, Error> {
                self.0.get().map(|paginator| paginator.as_ref().clone())
            }
        }

        impl From<$name> for Settings {
            fn from(style: $name) -> Settings {
                style.0.settings
            }
        }

        impl Paginator for $name {
            fn apply(&self, token: Option<&PageToken>, request: &mut PageRequest) -> Result<(), Error> {
                self.0.get()?.apply(token, request)
            }

            fn next(&self, token: Option<&PageToken>, page: &Page<'_>) -> Result<Next, Error> {
                self.0.get()?.next(token, page)
            }

            fn max_pages(&self) -> Option<u64> {
                self.0.settings.max_pages
            }

            fn counts(&self, token: Option<&PageToken>) -> bool {
                self.0.get().is_ok_and(|paginator| paginator.counts(token))
            }

            fn ahead(&self, token: Option<&PageToken>, page: &Page<'_>, next: &PageToken, limit: usize) -> Vec<PageToken> {
                self.0.get().map_or_else(|_| Vec::new(), |paginator| paginator.ahead(token, page, next, limit))
            }

            fn refused(&self, token: &PageToken, status: Option<StatusCode>, progress: &Progress) -> Option<Next> {
                self.0.get().ok()?.refused(token, status, progress)
            }

            fn found(&self, token: &PageToken) -> Option<Settings> {
                self.0.get().ok()?.found(token)
            }
        }
    };
}

macro_rules! common {
    () => {
        setter! {
            /// The path of a flag that is truthy while more follows.
            text has_more_path
        }
        setter! {
            /// The path of a flag that is truthy on the last page.
            text last_page_path
        }
        setter! {
            /// The path of the number of records; `none` looks at no total.
            text total_path
        }
        setter! {
            /// jq over the body that is true on the last page.
            text stop_when
        }
        setter! {
            /// The name that carries the page size; `none` sends no size.
            text size_param
        }
        setter! {
            /// How many records to ask for.
            number page_size => size
        }
        setter! {
            /// Pages to ask for ahead of the one that is read, whether they are there or not; of styles that count.
            number look_ahead
        }
        setter! {
            /// jq over `{body, headers, request}` that gives the next position.
            text next_position
        }
    };
}

style! {
    /// One request. An answer that speaks of more ends Incomplete, unless [`SinglePage::explicit`].
    SinglePage, Style::None; {
        /// It is known that there is but one page: signs of more become warnings.
        pub fn explicit(self) -> Self {
            Self(self.0.with(|settings| settings.explicit = true))
        }
    }
}

style! {
    /// `?offset=0&limit=100`, then the offset grows by the records received.
    Offset, Style::Offset; {
        common!();
        setter! {
            /// The name that carries the offset (`offset`).
            text param
        }
        /// Where position and size go.
        pub fn param_in(self, place: ParamIn) -> Self {
            Self(self.0.with(|settings| settings.param_in = Some(place)))
        }

        setter! {
            /// The first offset (0).
            number start => start
        }
    }
}

style! {
    /// `?page=1&size=100`, then the page grows by one.
    PageNumber, Style::Page; {
        common!();
        setter! {
            /// The name that carries the page number (`page`).
            text param
        }
        /// Where position and size go.
        pub fn param_in(self, place: ParamIn) -> Self {
            Self(self.0.with(|settings| settings.param_in = Some(place)))
        }

        setter! {
            /// The number of the first page (1).
            number start => start
        }
    }
}

style! {
    /// `?limit=100`, then `&cursor=` and what the answer gives.
    Cursor, Style::Cursor; {
        common!();
        setter! {
            /// The name that carries the cursor (`cursor`).
            text param
        }
        /// Where position and size go.
        pub fn param_in(self, place: ParamIn) -> Self {
            Self(self.0.with(|settings| settings.param_in = Some(place)))
        }

        setter! {
            /// Where the answer gives the next cursor.
            text cursor_path
        }
        setter! {
            /// A missing cursor is the end even on a full first page.
            on end_when_absent
        }
    }
}

style! {
    /// The URL of the next page in the body, as it stands.
    NextLink, Style::NextLink; {
        common!();
        setter! {
            /// Where the body gives the link (`@odata.nextLink`).
            text path => next_link_path
        }
        setter! {
            /// A missing link is the end even on a full first page.
            on end_when_absent
        }
    }
}

style! {
    /// The URL of the next page in the header `Link`, as it stands (RFC 8288).
    HeaderLink, Style::HeaderLink; {
        common!();
        setter! {
            /// The relation of the next page (`next`).
            text rel => header_link_rel
        }
        setter! {
            /// A missing link is the end even on a full first page.
            on end_when_absent
        }
    }
}

style! {
    /// Found out from the first answer: what speaks of a next page suggests how to ask for it, and a way is trusted when the second page
    /// differs from the first. What is set here goes over what is found.
    Auto, Style::Auto; {
        common!();
        setter! {
            /// The name that carries the position, where that is known.
            text param
        }
    }
}
