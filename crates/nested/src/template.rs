//! Paths with parameters, and the one place where a value gets into a path.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::{Error, ErrorKind};

/// All but the unreserved characters of [RFC 3986 §2.3](https://www.rfc-editor.org/rfc/rfc3986#section-2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The same with `/` kept, for `{+name}`.
const ENCODED_BUT_SLASH: &AsciiSet = &ENCODED.remove(b'/');

/// A path such as `/tickets/{ticket_id}/comments?sort=asc`, in the manner of
/// [RFC 6570](https://www.rfc-editor.org/rfc/rfc6570).
///
/// A value takes the place of `{name}` percent-encoded, all but letters, digits and `-._~`. `{+name}` keeps the value's slashes, for values
/// that are paths themselves, such as `owner/repo`; all else is encoded there too. A value can never change which path is asked for:
/// what would is refused, and the URL that comes out is compared with the template. A query in the template stays as it is.
///
/// ```
/// use longshore_nested::PathTemplate;
///
/// let comments = PathTemplate::parse("/tickets/{ticket_id}/comments").unwrap();
/// assert_eq!(comments.parameters(), ["ticket_id"]);
/// assert_eq!(comments.expand(&[("ticket_id", "a/b?x=1")]).unwrap(), "/tickets/a%2Fb%3Fx%3D1/comments");
/// assert!(comments.expand(&[("ticket_id", "..")]).is_err());
///
/// let tags = PathTemplate::parse("/v2/{+name}/tags/list").unwrap();
/// assert_eq!(tags.expand(&[("name", "library/debian")]).unwrap(), "/v2/library/debian/tags/list");
/// ```
#[derive(Clone, Debug)]
pub struct PathTemplate {
    text: String,
    parts: Vec<Part>,
    /// What must come out for any values. `None` without parameters: then there is nothing to get wrong.
    shape: Option<Shape>,
}

#[derive(Clone, Debug)]
enum Part {
    Literal(String),
    Parameter { name: String, keeps_slashes: bool },
}

impl PathTemplate {
    /// Reads a template. Text without braces is a template without parameters.
    ///
    /// # Errors
    /// [`ErrorKind::Template`]: unbalanced or nested braces; a name that is empty, is used twice, or has other characters than letters,
    /// digits, `_`, `-` and `.`; other RFC 6570 operators; a control character; a whole URL, `//host/path` included; `.` or `..` as a
    /// segment; and, where there are parameters, a `#`.
    pub fn parse(text: &str) -> Result<PathTemplate, Error> {
        if text.chars().any(char::is_control) {
            return Err(broken(
                "holds a control character, such as a tab or a line end; remove it",
            ));
        }
        let parts = parts(text)?;
        let mut names: Vec<&str> = Vec::new();
        for part in &parts {
            if let Part::Parameter { name, .. } = part {
                if names.contains(&name.as_str()) {
                    return Err(broken(format!(
                        "holds {{{name}}} twice; give each parameter its own name"
                    )));
                }
                names.push(name);
            }
        }
        let marker = marker(text);
        let probe = probe(&parts, &marker);
        refuse_detours(&probe)?;
        let shape = match names.is_empty() {
            true => None,
            false => Some(Shape::of(&probe, &marker, names.len())?),
        };
        Ok(PathTemplate {
            text: text.to_owned(),
            parts,
            shape,
        })
    }

    /// Names of the parameters, in order.
    pub fn parameters(&self) -> Vec<&str> {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Literal(_) => None,
                Part::Parameter { name, .. } => Some(name.as_str()),
            })
            .collect()
    }

    /// Whether a value may stand for a parameter, wherever that stands; where it does not, any may.
    ///
    /// # Errors
    /// [`ErrorKind::Value`], as of [`PathTemplate::expand`].
    pub(crate) fn check(&self, name: &str, value: &str) -> Result<(), Error> {
        for part in &self.parts {
            if let Part::Parameter {
                name: placeholder,
                keeps_slashes,
            } = part
                && placeholder == name
            {
                encode(name, value, *keeps_slashes)?;
            }
        }
        Ok(())
    }

    /// The template as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path with these values in it. Values of other names are not looked at.
    ///
    /// # Errors
    /// [`ErrorKind::MissingValue`] for a parameter without value, [`ErrorKind::Value`] for a value that is refused: empty, `.` or
    /// `..` (also when that is what percent-decoding once and removing tabs and line ends leaves; with `{+name}` each segment), or with a
    /// control character.
    pub fn expand(&self, values: &[(&str, &str)]) -> Result<String, Error> {
        let mut encoded = Vec::new();
        for part in &self.parts {
            if let Part::Parameter {
                name,
                keeps_slashes,
            } = part
            {
                encoded.push(encode(name, value_of(name, values)?, *keeps_slashes)?);
            }
        }
        let mut remaining = encoded.iter();
        let path: String = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Literal(literal) => literal.as_str(),
                Part::Parameter { .. } => remaining.next().map_or("", String::as_str),
            })
            .collect();
        match &self.shape {
            Some(shape) if !shape.admits(&path, &encoded) => Err(Error::new(
                ErrorKind::Value,
                format!(
                    "a value in the path {} would change which path is asked for; it is refused",
                    self.text
                ),
            )),
            _ => Ok(path),
        }
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn broken(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Template, message)
}

fn parts(text: &str) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (literal, brace) = rest.split_at(at);
        let Some(inside) = brace.strip_prefix('{') else {
            return Err(broken(
                "holds a } without a { before it; write %7D for a brace that is meant",
            ));
        };
        let end = match inside.find(['{', '}']) {
            Some(end) if inside[end..].starts_with('}') => end,
            _ => {
                return Err(broken(
                    "holds a { without a } behind it; write %7B for a brace that is meant",
                ));
            }
        };
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.to_owned()));
        }
        parts.push(parameter(&inside[..end])?);
        rest = &inside[end + 1..];
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_owned()));
    }
    Ok(parts)
}

fn parameter(inside: &str) -> Result<Part, Error> {
    let (name, keeps_slashes) = match inside.strip_prefix('+') {
        Some(name) => (name, true),
        None => (inside, false),
    };
    if name.is_empty() {
        return Err(broken(format!(
            "holds {{{inside}}} without a name; write one, such as {{id}}"
        )));
    }
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.starts_with('.') || !name.chars().all(allowed) {
        return Err(broken(format!(
            "holds {{{inside}}}, which is no name; use letters, digits, _ - and . (of RFC 6570's operators only + is known)"
        )));
    }
    Ok(Part::Parameter {
        name: name.to_owned(),
        keeps_slashes,
    })
}

fn value_of<'a>(name: &str, values: &[(&str, &'a str)]) -> Result<&'a str, Error> {
    let found = values
        .iter()
        .find(|(key, _)| *key == name)
        .map(|(_, value)| *value);
    found.ok_or_else(|| {
        Error::new(
            ErrorKind::MissingValue,
            format!("no value was given for {{{name}}}"),
        )
    })
}

/// The only way of a value into a path (R32).
fn encode(name: &str, value: &str, keeps_slashes: bool) -> Result<String, Error> {
    let refuse = |why: &str| {
        Err(Error::new(
            ErrorKind::Value,
            format!("the value for {{{name}}} {why}"),
        ))
    };
    if value.chars().any(char::is_control) {
        return refuse("holds a control character, which no path may");
    }
    let segments = if keeps_slashes {
        value.split('/').collect()
    } else {
        vec![value]
    };
    for segment in segments {
        match reading_of(segment).as_ref() {
            "" if keeps_slashes => {
                return refuse(
                    "has an empty segment: a slash at its start or end, or two in a row",
                );
            }
            "" => return refuse("is empty; leave such parents out by the filter"),
            "." | ".." => {
                return refuse(
                    "is, or has a segment that reads as, `.` or `..`, which would change the path",
                );
            }
            _ => {}
        }
    }
    let set = if keeps_slashes {
        ENCODED_BUT_SLASH
    } else {
        ENCODED
    };
    Ok(utf8_percent_encode(value, set).to_string())
}

/// What a lenient server or URL parser could take a segment for: decoded once, without tabs and line ends.
fn reading_of(segment: &str) -> Cow<'_, str> {
    let decoded = percent_decode_str(segment).decode_utf8_lossy();
    match decoded.contains(['\t', '\r', '\n']) {
        true => Cow::Owned(decoded.replace(['\t', '\r', '\n'], "")),
        false => decoded,
    }
}

/// The template with the marker for every value.
fn probe(parts: &[Part], marker: &str) -> String {
    parts
        .iter()
        .map(|part| match part {
            Part::Literal(literal) => literal.as_str(),
            Part::Parameter { .. } => marker,
        })
        .collect()
}

/// What a template's own text must not do: name a host, or climb out of the path that it is put below.
fn refuse_detours(probe: &str) -> Result<(), Error> {
    // URL parsers drop spaces around the text.
    let text = probe.trim_matches(' ');
    if is_whole_url(text) {
        return Err(broken(
            "is a whole URL; write the path only, the host stands in baseUrl",
        ));
    }
    if starts_with_two_slashes(text) {
        return Err(broken(
            "begins with two slashes, so it is a whole URL; write the path only, with one slash, the host stands in baseUrl",
        ));
    }
    let path = text.split(['?', '#']).next().unwrap_or_default();
    if path
        .split(is_slash)
        .any(|segment| matches!(reading_of(segment).as_ref(), "." | ".."))
    {
        return Err(broken(
            "holds `.` or `..` as a segment; write the path without",
        ));
    }
    Ok(())
}

/// `scheme://…`; `projects:list` is a path.
fn is_whole_url(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
            && starts_with_two_slashes(rest)
    })
}

fn starts_with_two_slashes(text: &str) -> bool {
    text.strip_prefix(is_slash)
        .is_some_and(|rest| rest.starts_with(is_slash))
}

/// As URL parsers see it.
fn is_slash(c: char) -> bool {
    matches!(c, '/' | '\\')
}

/// What a URL parser makes of the template's own text: the literals between the parameters, in path and query.
#[derive(Clone, Debug)]
struct Shape {
    literals: Vec<String>,
}

impl Shape {
    fn of(probe: &str, marker: &str, parameters: usize) -> Result<Shape, Error> {
        let url = parse(probe).ok_or_else(|| broken("is no path of a URL"))?;
        if url.fragment().is_some() {
            return Err(broken(
                "holds a #, and what follows it is never sent; write %23 for one that is meant",
            ));
        }
        let literals: Vec<String> = after_origin(&url)
            .split(marker)
            .map(str::to_owned)
            .collect();
        if literals.len() != parameters + 1 {
            return Err(broken(
                "holds a parameter outside of the path and the query",
            ));
        }
        Ok(Shape { literals })
    }

    /// Whether a URL parser reads the expanded path as the template with exactly these values in it.
    fn admits(&self, path: &str, encoded: &[String]) -> bool {
        let Some(url) = parse(path) else { return false };
        let mut expected = String::new();
        for (index, literal) in self.literals.iter().enumerate() {
            expected.push_str(literal);
            expected.push_str(encoded.get(index).map_or("", String::as_str));
        }
        url.fragment().is_none() && after_origin(&url) == expected
    }
}

/// Text that stands for a value and does not occur in the template.
fn marker(text: &str) -> String {
    let mut marker = String::from("longshore");
    while text.contains(&marker) {
        marker.push('0');
    }
    marker
}

/// Reads a path below a host that cannot exist.
fn parse(path: &str) -> Option<Url> {
    let path = path.trim_start_matches('/');
    Url::parse(&format!("http://template.invalid/{path}")).ok()
}

/// Path and query.
fn after_origin(url: &Url) -> &str {
    let whole = &url[url::Position::BeforePath..];
    whole.split('#').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> PathTemplate {
        PathTemplate::parse(text).unwrap()
    }

    fn problem(text: &str) -> String {
        let error = PathTemplate::parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Template);
        error.to_string()
    }

    #[test]
    fn a_template_without_parameters_is_its_text() {
        for text in [
            "/api/v1/users",
            "users?active=true",
            "users?next=https://h/../x",
            "/projects:list",
            "projects:list",
            "/a/b//c/...",
            "/x#../y",
            "",
        ] {
            let template = template(text);
            assert!(template.parameters().is_empty());
            assert_eq!(template.expand(&[]).unwrap(), text);
        }
    }

    #[test]
    fn values_are_encoded_but_for_unreserved_characters() {
        let users = template("/users/{id}/x");
        for (value, encoded) in [
            ("7", "7"),
            ("a-b.c_d~e", "a-b.c_d~e"),
            ("a b", "a%20b"),
            ("../admin", "..%2Fadmin"),
            ("a/b?x=1#y", "a%2Fb%3Fx%3D1%23y"),
            ("50%", "50%25"),
            ("%2F", "%252F"),
            ("\\..\\", "%5C..%5C"),
            ("é", "%C3%A9"),
            ("a;b,c:d@e&f+g", "a%3Bb%2Cc%3Ad%40e%26f%2Bg"),
            ("...", "..."),
        ] {
            assert_eq!(
                users.expand(&[("id", value)]).unwrap(),
                format!("/users/{encoded}/x"),
                "{value}"
            );
        }
    }

    #[test]
    fn a_plus_keeps_slashes_and_encodes_the_rest() {
        let tags = template("/v2/{+name}/tags/list");
        let expanded = tags.expand(&[("name", "library/de bian?x")]).unwrap();
        assert_eq!(expanded, "/v2/library/de%20bian%3Fx/tags/list");
        for value in [
            "/a",
            "a/",
            "a//b",
            "../a",
            "a/..",
            "a/./b",
            "a/%2e%2E/b",
            "a/%09/b",
        ] {
            assert_eq!(
                tags.expand(&[("name", value)]).unwrap_err().kind(),
                ErrorKind::Value,
                "{value}"
            );
        }
    }

    #[test]
    fn values_that_change_the_path_are_refused_without_being_shown() {
        let users = template("/users/{id}");
        for value in [
            "", ".", "..", "%2e", "%2E%2e", ".%2e", "%09..", "..%0d%0a", "%0A", "\t..", ".\r.",
            "a\nb", "a\0b", "\u{7f}", "\u{85}",
        ] {
            let error = users.expand(&[("id", value)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Value, "{value:?}");
            assert!(error.kind().is_about_one_parent());
        }
        let error = users.expand(&[("id", "secret\n")]).unwrap_err().to_string();
        assert!(
            error.contains("{id}") && !error.contains("secret"),
            "{error}"
        );
    }

    #[test]
    fn dots_of_value_and_template_cannot_add_up() {
        assert!(template("/a/.{x}/b").expand(&[("x", ".")]).is_err());
        assert!(
            template("/a/{x}{y}/b")
                .expand(&[("x", "."), ("y", ".")])
                .is_err()
        );
        assert!(template("/a/%2e{+x}").expand(&[("x", "./b")]).is_err());
        assert_eq!(template("/a/.{x}").expand(&[("x", "b")]).unwrap(), "/a/.b");
        // Half an escape in the template: harmless values become `.` and `..` only together with it.
        assert!(template("/a/%2{x}/b").expand(&[("x", "e")]).is_err());
        assert!(template("/a/.%2{x}/b").expand(&[("x", "E")]).is_err());
    }

    #[test]
    fn the_query_of_a_template_stays_and_may_hold_parameters() {
        let search = template("/orgs/{org}/search?q=a%20b&team={team}&sort=asc");
        assert_eq!(search.parameters(), ["org", "team"]);
        assert_eq!(
            search
                .expand(&[("team", "x&admin=1"), ("org", "o"), ("other", "..")])
                .unwrap(),
            "/orgs/o/search?q=a%20b&team=x%26admin%3D1&sort=asc"
        );
    }

    #[test]
    fn literals_that_a_url_parser_rewrites_are_no_obstacle() {
        let odd = template("/a b/ü/{x}/longshore/y?q=ö z");
        assert_eq!(
            odd.expand(&[("x", "longshore")]).unwrap(),
            "/a b/ü/longshore/longshore/y?q=ö z"
        );
    }

    #[test]
    fn a_missing_value_is_an_error_that_names_it() {
        let error = template("/a/{x}").expand(&[("y", "1")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingValue);
        assert!(error.to_string().contains("{x}"));
    }

    #[test]
    fn broken_templates_are_refused() {
        for (text, part) in [
            ("/a/{x", "{ without a }"),
            ("/a/x}", "} without a {"),
            ("/a/{x{y}}", "{ without a }"),
            ("/a/{}", "without a name"),
            ("/a/{+}", "without a name"),
            ("/a/{x}/{x}", "{x} twice"),
            ("/a/{x}/{+x}", "{x} twice"),
            ("/a/{?x}", "is no name"),
            ("/a/{x*}", "is no name"),
            ("/a/{ x }", "is no name"),
            ("/a/{.x}", "is no name"),
            ("/a/\t{x}", "control character"),
            ("/a/{x}#f", "a #"),
            ("/a/../{x}", "`..`"),
            ("/a/{x}/..", "`..`"),
            ("/a/%2e%2E/{x}", "`..`"),
            ("/a/./{x}", "`.`"),
            ("/../admin", "`..`"),
            ("..", "`..`"),
            (" .. ", "`..`"),
            ("a\\..\\b", "`..`"),
            ("/%2E./admin?x", "`..`"),
            ("./users", "`.`"),
            ("http://evil.example/users", "is a whole URL"),
            (" HTTPS:\\\\evil.example", "is a whole URL"),
            ("{x}://evil.example", "is a whole URL"),
            ("https://{x}/a", "is a whole URL"),
            ("https://{x}.example.com/a", "is a whole URL"),
            ("//evil.example/users", "so it is a whole URL"),
            ("/\\evil.example/{x}", "so it is a whole URL"),
        ] {
            let message = problem(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
