//! Which requests a scripted path stands for.

use std::fmt;

use http::Method;
use percent_encoding::percent_decode_str;

/// An optional method and a path, in which `{name}` takes one segment and `{+name}` one or more.
#[derive(Debug)]
pub(crate) struct Route {
    method: Option<Method>,
    segments: Vec<Segment>,
    text: String,
}

#[derive(Debug)]
enum Segment {
    Literal(String),
    One(String),
    Many(String),
}

impl Route {
    pub(crate) fn parse(text: &str) -> Route {
        let (method, path) = match text.split_once(' ') {
            Some((method, path)) => {
                let method = method
                    .parse()
                    .unwrap_or_else(|_| panic!("`{method}` in `{text}` is no HTTP method"));
                (Some(method), path)
            }
            None => (None, text),
        };
        let path = path
            .strip_prefix('/')
            .unwrap_or_else(|| panic!("the path of `{text}` does not begin with a slash"));
        let segments = path.split('/').map(Segment::parse).collect();
        Route {
            method,
            segments,
            text: text.to_owned(),
        }
    }

    /// The parameters when this route takes the request.
    pub(crate) fn matches(&self, method: &Method, path: &str) -> Option<Vec<(String, String)>> {
        if self
            .method
            .as_ref()
            .is_some_and(|expected| expected != method)
        {
            return None;
        }
        let path: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        let mut parameters = Vec::new();
        take(&self.segments, &path, &mut parameters).then_some(parameters)
    }

    /// How specific this route is: literal segments, and a method as half of one.
    pub(crate) fn literals(&self) -> usize {
        let literal = |segment: &&Segment| matches!(segment, Segment::Literal(_));
        2 * self.segments.iter().filter(literal).count() + usize::from(self.method.is_some())
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Segment {
    fn parse(text: &str) -> Segment {
        match text
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
        {
            Some(name) => match name.strip_prefix('+') {
                Some(name) => Segment::Many(name.to_owned()),
                None => Segment::One(name.to_owned()),
            },
            None => Segment::Literal(text.to_owned()),
        }
    }
}

fn take(segments: &[Segment], path: &[&str], parameters: &mut Vec<(String, String)>) -> bool {
    let Some((segment, segments)) = segments.split_first() else {
        return path.is_empty();
    };
    match segment {
        Segment::Literal(literal) => {
            path.first().is_some_and(|first| first == literal)
                && take(segments, &path[1..], parameters)
        }
        Segment::One(name) => match path.split_first() {
            Some((first, rest)) if !first.is_empty() => {
                parameters.push((name.clone(), decoded(first)));
                take(segments, rest, parameters)
            }
            _ => false,
        },
        Segment::Many(name) => (1..=path.len()).rev().any(|length| {
            let before = parameters.len();
            parameters.push((name.clone(), decoded(&path[..length].join("/"))));
            let taken = take(segments, &path[length..], parameters);
            if !taken {
                parameters.truncate(before);
            }
            taken
        }),
    }
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}
