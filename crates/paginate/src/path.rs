//! A path of the settings: where in an answer something stands.

use http::HeaderName;
use longshore_jq::{Filter, Val};

use crate::error::{Error, ErrorKind};
use crate::page::Page;

/// Dotted (`meta.after_cursor`), a literal key (`@odata.nextLink`), jq (`.data[-1].id`) or a header (`header:X-Next`, perhaps with jq on its
/// text: `header:X-Pagination | fromjson | .TotalCount`).
#[derive(Clone, Debug)]
pub(crate) struct Path {
    text: String,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// Tried as one literal key first, then member by member.
    Keys,
    Jq(Filter),
    Header(HeaderName),
    HeaderJq(HeaderName, Filter),
}

impl Path {
    /// Reads a path. The error is a sentence without a subject: "is no header name".
    pub(crate) fn parse(text: &str) -> Result<Path, String> {
        let text = text.trim();
        let form = if let Some(name) = text.strip_prefix("header:") {
            let (name, on_text) = match name.split_once('|') {
                Some((name, filter)) => (name, Some(filter)),
                None => (name, None),
            };
            let name = name.trim();
            let header = HeaderName::try_from(name)
                .map_err(|_| format!("`{name}` is no name for a header"))?;
            match on_text {
                None => Form::Header(header),
                Some(filter) => Form::HeaderJq(header, compiled(filter)?),
            }
        } else if let Some(keys) = text.strip_prefix('.').filter(|keys| is_plain(keys)) {
            return Ok(Path {
                text: keys.to_owned(),
                form: Form::Keys,
            });
        } else if text.starts_with('.') {
            Form::Jq(compiled(text)?)
        } else if text.contains(['[', '|', '(', '"']) {
            return Err(format!(
                "`{text}` is neither a dotted path nor jq; a jq path begins with a dot: `.{text}`"
            ));
        } else {
            Form::Keys
        };
        Ok(Path {
            text: text.to_owned(),
            form,
        })
    }

    /// As the user wrote it, but for a leading dot that a dotted path does not need.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The last name of a dotted path or a header.
    pub(crate) fn last_name(&self) -> &str {
        match &self.form {
            Form::Header(name) => name.as_str(),
            _ => {
                let last = self.text.rsplit('.').next().unwrap_or_default();
                // `["TotalPages"]`
                last.trim_matches(|c| matches!(c, '[' | ']' | '"'))
            }
        }
    }

    /// What stands there. Missing and null are the same: nothing.
    pub(crate) fn read(&self, page: &Page<'_>) -> Result<Option<Val>, Error> {
        let found = match &self.form {
            Form::Keys => member(page.value(), &self.text).cloned(),
            Form::Header(name) => page.header(name).map(Val::from),
            Form::Jq(filter) => self.first(filter, page.value())?,
            Form::HeaderJq(name, filter) => match page.header(name) {
                Some(text) => self.first(filter, &Val::from(text))?,
                None => None,
            },
        };
        Ok(found.filter(|value| !value.is_null()))
    }

    fn first(&self, filter: &Filter, input: &Val) -> Result<Option<Val>, Error> {
        filter.first(input).map_err(|error| {
            Error::new(
                ErrorKind::Expression,
                format!("the path `{}` failed on the answer", self.text),
            )
            .with_source(error)
        })
    }
}

fn compiled(jq: &str) -> Result<Filter, String> {
    Filter::compile(jq).map_err(|error| format!("is no jq path: {error}"))
}

pub(crate) fn is_plain(keys: &str) -> bool {
    let name = |key: &str| {
        !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '@' | '$'))
    };
    keys.split('.').all(name)
}

/// A member of a body, by one literal key or by a dotted path; a number in the path is an index of an array.
pub(crate) fn member<'a>(body: &'a Val, path: &str) -> Option<&'a Val> {
    if let Some(literal) = body.get(path) {
        return Some(literal);
    }
    if !path.contains('.') {
        return None;
    }
    path.split('.')
        .try_fold(body, |value, key| match value.as_array() {
            Some(items) => items.get(key.parse::<usize>().ok()?),
            None => value.get(key),
        })
}
