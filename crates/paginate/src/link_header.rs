//! The `Link` header of RFC 8288, as servers really send it.

use http::HeaderMap;
use http::header::LINK;

/// The target of the first link with this relation type, as it stands in the header: it may be relative.
///
/// Relation types are compared without case. Several header lines, several links in a line, several types in one `rel`,
/// and commas or semicolons inside of `<>` and of quoted texts are understood (RFC 8288, section 3 and appendix B.2).
/// Of several `rel` parameters of one link the first counts (section 3.3). A link that says of itself `results="false"`
/// is none: Sentry's API sends a next link on its last page, too, and marks it so.
pub fn link_target(headers: &HeaderMap, rel: &str) -> Option<String> {
    headers
        .get_all(LINK)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(links)
        .find(|link| link.is(rel) && link.parameter("results") != Some("false"))
        .map(|link| link.target)
}

/// Whether what stands in the header can be read as links at all; an absent or empty header can.
pub(crate) fn has_links(headers: &HeaderMap) -> bool {
    let mut lines = headers
        .get_all(LINK)
        .iter()
        .filter(|line| !line.as_bytes().trim_ascii().is_empty())
        .peekable();
    lines.peek().is_none()
        || lines.any(|line| line.to_str().is_ok_and(|line| !links(line).is_empty()))
}

#[derive(Debug)]
struct Link {
    target: String,
    parameters: Vec<(String, String)>,
}

impl Link {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    fn is(&self, rel: &str) -> bool {
        self.parameter("rel").is_some_and(|types| {
            types
                .split_ascii_whitespace()
                .any(|one| one.eq_ignore_ascii_case(rel))
        })
    }
}

/// The links of one header line. What follows something that is no link is skipped up to the next comma.
fn links(line: &str) -> Vec<Link> {
    let mut rest = line;
    let mut links = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        if rest.is_empty() {
            return links;
        }
        let link = rest
            .strip_prefix('<')
            .and_then(|inside| inside.split_once('>'));
        let Some((target, after)) = link else {
            rest = rest.split_once(',').map_or("", |(_, after)| after);
            continue;
        };
        let (parameters, after) = parameters(after);
        links.push(Link {
            target: target.trim().to_owned(),
            parameters,
        });
        rest = after;
    }
}

/// The `; name=value` pairs after a target, and what follows them: nothing, or a comma and more links.
fn parameters(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut parameters = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        let Some(after) = rest.strip_prefix(';') else {
            let end = rest.find(',').unwrap_or(rest.len());
            return (parameters, &rest[end..]);
        };
        let after = after.trim_ascii_start();
        let end = after.find(['=', ';', ',']).unwrap_or(after.len());
        let name = after[..end].trim_ascii_end().to_owned();
        rest = &after[end..];
        let value = match rest.strip_prefix('=') {
            Some(after) => {
                let (value, after) = value(after.trim_ascii_start());
                rest = after;
                value
            }
            None => String::new(),
        };
        if !name.is_empty() {
            parameters.push((name, value));
        }
    }
}

/// A quoted text without its quotes and escapes, or all up to the next `;` or `,`. (Single quotes are no quotes of RFC 8288, but
/// some APIs write them.)
fn value(text: &str) -> (String, &str) {
    let single = || {
        let (inside, after) = text.strip_prefix('\'')?.split_once('\'')?;
        let ends =
            after.trim_ascii_start().is_empty() || after.trim_ascii_start().starts_with([';', ',']);
        ends.then(|| (inside.to_owned(), after))
    };
    let Some(inside) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        let bare = || (text[..end].trim_ascii_end().to_owned(), &text[end..]);
        return single().unwrap_or_else(bare);
    };
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, &inside[at + 1..]),
            _ => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn next(lines: &[&str]) -> Option<String> {
        find(lines, "next")
    }

    fn find(lines: &[&str], rel: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(LINK, HeaderValue::from_str(line).unwrap());
        }
        link_target(&headers, rel)
    }

    #[test]
    fn the_link_of_the_relation_is_found_wherever_it_stands() {
        for line in [
            r#"<https://h/a?page=2>; rel="next", <https://h/a?page=9>; rel="last""#,
            r#"<https://h/a?page=1>; rel="prev", <https://h/a?page=2>; rel="next""#,
            r#"<https://h/a?page=2>;rel=next"#,
            r#"<https://h/a?page=2>; rel = next ;title=x"#,
            r#"<https://h/a?page=2>; rel="last NEXT""#,
            r#"<https://h/a?page=2>; title="a, b; rel=\"prev\" <x>"; Rel="next""#,
            r#"<https://h/x>; rel="prev"; title="unclosed rel=prev" , <https://h/a?page=2>; rel=Next"#,
            r#"nonsense, <https://h/a?page=2>; rel=next"#,
            r#"<https://h/a?page=2>; rel='next'"#,
            r#"<https://h/a?page=1>; rel='prev', <https://h/a?page=2>; title='a; b'; rel = 'next' ;x"#,
            r#"<https://h/x>; rel, <https://h/a?page=2>; crossorigin; rel=next"#,
        ] {
            assert_eq!(
                next(&[line]).as_deref(),
                Some("https://h/a?page=2"),
                "{line}"
            );
        }
    }

    #[test]
    fn commas_and_semicolons_belong_to_the_target() {
        let line = r#"<https://h/a?ids=1,2;3>; rel="prev", </b?ids=4,5;6>; rel="next""#;
        assert_eq!(next(&[line]).as_deref(), Some("/b?ids=4,5;6"));
    }

    #[test]
    fn several_header_lines_are_one_list() {
        let lines = [
            r#"<https://h/1>; rel="first""#,
            r#"<https://h/2>; rel="next""#,
        ];
        assert_eq!(next(&lines).as_deref(), Some("https://h/2"));
    }

    #[test]
    fn other_relations_are_no_next_link() {
        for line in [
            r#"<https://h/a>; rel="nextish""#,
            r#"<https://h/a>; rel="prev"; rel="next""#,
            r#"<https://h/a>; title="next""#,
            r#"<https://h/a>; title="rel=next""#,
            r#"<https://h/a"#,
            r#"https://h/a; rel=next"#,
            "",
            ",,;;=",
        ] {
            assert_eq!(next(&[line]), None, "{line}");
        }
        assert_eq!(
            find(&["<https://h/a>; rel=older"], "older").as_deref(),
            Some("https://h/a")
        );
    }

    #[test]
    fn a_next_link_that_says_it_has_no_results_is_none() {
        assert_eq!(
            next(&[r#"<https://h/a>; rel="next"; results="false"; cursor="x""#]),
            None
        );
        assert!(next(&[r#"<https://h/a>; rel="next"; results="true"; cursor="x""#]).is_some());
    }
}
