//! `authType: custom`: `customAuthRequest`, one request or several, and `customAuthRequestTemplate`.

use http::Method;
use longshore_auth::{
    CustomAuth, CustomAuthBuilder, CustomRequest, Error, JsonTemplate, Template, UrlTemplate,
};
use serde_json::Value;
use url::Url;

use super::auth::Written;
use super::auth_oauth2::path_filter;
use super::fields::{Fields, Unknown, unfold};
use super::list::{read_body, read_method};
use super::notice::{Findings, Place};
use super::spelling::Keys;
use super::tree::{Node, Shape};
use super::{connection, values};

/// Reads the requests and what of their answers goes on others.
pub(super) fn read(
    written: &mut Written,
    base_url: Option<&Url>,
    findings: &mut Findings,
) -> Option<CustomAuthBuilder> {
    let before = findings.problem_count();
    let request = written.take("customAuthRequest");
    let template = written.take("customAuthRequestTemplate");
    let mut needed = |node: Option<Node>, name: &str| {
        if node.is_none() {
            findings.problem(
                &written.place,
                format!("custom needs `{name}`, which is not set"),
            );
        }
        node
    };
    let request = needed(request, "customAuthRequest");
    let template = needed(template, "customAuthRequestTemplate");
    let steps = request.and_then(|node| steps(node, base_url, findings));
    let template = template.and_then(|node| read_template(node, findings));
    if findings.problem_count() > before {
        return None;
    }
    let (steps, template) = (steps?, template?);
    let mut builder = CustomAuth::builder(steps.requests);
    if let Some(seconds) = steps.lifetime {
        builder = builder.lifetime(std::time::Duration::from_secs(seconds));
    }
    if let Some(path) = steps.expiry_path {
        builder = builder.expiry_path(path);
    }
    for (name, value) in template.headers {
        // The name was checked above.
        builder = builder.header(&name, value).ok()?;
    }
    for (name, value) in template.query {
        builder = builder.query(name, value);
    }
    if let Some(body) = template.body {
        builder = builder.body(body);
    }
    Some(builder)
}

#[derive(Default)]
struct Steps {
    requests: Vec<CustomRequest>,
    lifetime: Option<u64>,
    expiry_path: Option<longshore_jq::Filter>,
}

fn steps(node: Node, base_url: Option<&Url>, findings: &mut Findings) -> Option<Steps> {
    let node = unfold(node, findings)?;
    let nodes = match node.shape {
        Shape::List(items) if items.is_empty() => {
            findings.problem(
                &node.place,
                "is empty; write the request that gives a token",
            );
            return None;
        }
        Shape::List(items) => items,
        shape => vec![Node {
            shape,
            place: node.place,
        }],
    };
    let mut steps = Steps::default();
    let last = nodes.len() - 1;
    for (index, node) in nodes.into_iter().enumerate() {
        let place = Position {
            is_first: index == 0,
            is_last: index == last,
        };
        if let Some(request) = step(node, place, base_url, &mut steps, findings) {
            steps.requests.push(request);
        }
    }
    Some(steps)
}

#[derive(Clone, Copy)]
struct Position {
    /// There is no answer yet, so braces are just braces.
    is_first: bool,
    /// Its answer is the one that templates see.
    is_last: bool,
}

fn step(
    node: Node,
    position: Position,
    base_url: Option<&Url>,
    steps: &mut Steps,
    findings: &mut Findings,
) -> Option<CustomRequest> {
    let template = |text: &str| match position.is_first {
        true => Ok(Template::literal(text)),
        false => Template::parse(text),
    };
    let mut fields = Fields::of(node, Keys::Settings, Unknown::Refused, findings)?;
    let request = match fields.take(&["endpoint"], findings) {
        Some(node) if node.text().is_some_and(|text| text.contains("{{")) => {
            match position.is_first {
                true => {
                    let message = "holds {{…}}, and before the first request there is no answer to take it from";
                    findings.problem(&node.place, message);
                    None
                }
                false => endpoint_template(&node, base_url, findings).map(CustomRequest::to),
            }
        }
        Some(node) => endpoint(&node, base_url, findings).map(CustomRequest::new),
        None => {
            findings.problem(
                &fields.missing("endpoint"),
                "is not set; write a path under baseUrl or a whole URL",
            );
            None
        }
    };
    let method = match fields.take(&["method"], findings) {
        None => Some(Method::POST),
        Some(node) => read_method(&node, findings),
    };
    let headers = fields.take(&["headers"], findings);
    let headers = templates(headers, true, &template, findings);
    let query = fields.take(&["queryParams"], findings);
    let query = templates(query, false, &template, findings);
    let body = fields.take(&["body"], findings);
    let form = fields.take(&["bodyForm"], findings);
    if let (Some(_), Some(form)) = (&body, &form) {
        findings.problem(&form.place, "cannot stand beside body; keep one");
    }
    let body = body.and_then(|node| {
        let place = node.place.clone();
        let value = read_body(node, findings)?;
        match position.is_first {
            true => Some(JsonTemplate::literal(&value)),
            false => json_template(&value, &place, findings),
        }
    });
    let form = form.and_then(|node| {
        let text = values::filled_text(&node, findings)?;
        report(template(&text), &node.place, findings)
    });
    if let Some(node) = fields.take(&["reauthenticateIntervalSeconds"], findings)
        && let Some(seconds) = values::whole_number(&node, 1, findings)
    {
        steps.lifetime = Some(steps.lifetime.map_or(seconds, |other| other.min(seconds)));
    }
    if let Some(node) = fields.take(&["expiryPath"], findings) {
        if !position.is_last {
            findings.problem(
                &node.place,
                "belongs to the last request, whose answer it looks at",
            );
        }
        steps.expiry_path = path_filter(&node, findings);
    }
    fields.finish(findings);
    let mut request = request?.method(method?);
    for (name, value) in headers? {
        // The name was checked above.
        request = request.header(&name, value).ok()?;
    }
    for (name, value) in query? {
        request = request.query(name, value);
    }
    if let Some(body) = body {
        request = request.json_template(body);
    }
    if let Some(form) = form {
        request = request.form(form);
    }
    Some(request)
}

/// A whole URL, or a path under the base URL.
pub(super) fn endpoint(
    node: &Node,
    base_url: Option<&Url>,
    findings: &mut Findings,
) -> Option<Url> {
    let text = values::filled_text(node, findings)?;
    if longshore_transport::is_absolute(&text) {
        return connection::url(node, findings);
    }
    if begins_with_host(&text) {
        findings.warning(
            &node.place,
            "is read as a path under baseUrl, and begins like a host; write https:// in front of a host, or / in front of a path",
        );
    }
    match longshore_transport::join(base_url?, &text) {
        Ok(url) => Some(url),
        Err(error) => {
            findings.problem(&node.place, error.to_string());
            None
        }
    }
}

/// `login.example.com/token`, but not `index.php/token` or `v1.0/token`.
fn begins_with_host(text: &str) -> bool {
    const FILES: [&str; 8] = ["php", "asp", "aspx", "jsp", "do", "json", "html", "cgi"];
    let host = text.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let labels: Vec<&str> = host.split('.').collect();
    let is_label = |label: &&str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let is_top = |label: &str| {
        label.len() > 1
            && label.chars().all(|c| c.is_ascii_alphabetic())
            && !FILES.iter().any(|file| file.eq_ignore_ascii_case(label))
    };
    labels.len() > 1 && labels.iter().all(is_label) && labels.last().is_some_and(|top| is_top(top))
}

fn endpoint_template(
    node: &Node,
    base_url: Option<&Url>,
    findings: &mut Findings,
) -> Option<UrlTemplate> {
    let text = values::filled_text(node, findings)?;
    if base_url.is_none() && !longshore_transport::is_absolute(&text) {
        // Whatever is wrong with it was said of baseUrl.
        return None;
    }
    report(UrlTemplate::parse(base_url, &text), &node.place, findings)
}

struct Parts {
    headers: Vec<(String, Template)>,
    query: Vec<(String, Template)>,
    body: Option<JsonTemplate>,
}

fn read_template(node: Node, findings: &mut Findings) -> Option<Parts> {
    let mut fields = Fields::of(node, Keys::Settings, Unknown::Refused, findings)?;
    let headers = fields.take(&["headers"], findings);
    let query = fields.take(&["queryParams"], findings);
    let body = fields.take(&["body"], findings);
    let is_there = |node: &Option<Node>| {
        let empty = |node: &Node| matches!(&node.shape, Shape::Map(entries) if entries.is_empty());
        node.as_ref().is_some_and(|node| !empty(node))
    };
    if ![&headers, &query, &body].into_iter().any(is_there) {
        findings.problem(
            &fields.place,
            "needs at least one of headers, queryParams and body, as in headers: {Authorization: 'Bearer {{.access_token}}'}",
        );
    }
    let parse = |text: &str| Template::parse(text);
    let headers = templates(headers, true, &parse, findings);
    let query = templates(query, false, &parse, findings);
    let body = body.and_then(|node| {
        let place = node.place.clone();
        let value = read_body(node, findings)?;
        if !value.is_object() {
            findings.problem(
                &place,
                "must be an object, whose members go into the JSON body of requests",
            );
            return None;
        }
        json_template(&value, &place, findings)
    });
    fields.finish(findings);
    Some(Parts {
        headers: headers?,
        query: query?,
        body,
    })
}

/// Names and texts. `None` when something in them is a problem.
fn templates(
    node: Option<Node>,
    are_headers: bool,
    template: &dyn Fn(&str) -> Result<Template, Error>,
    findings: &mut Findings,
) -> Option<Vec<(String, Template)>> {
    let Some(node) = node else {
        return Some(Vec::new());
    };
    let node = unfold(node, findings)?;
    let Shape::Map(entries) = node.shape else {
        findings.problem(&node.place, "must be an object of names and values");
        return None;
    };
    let before = findings.problem_count();
    let mut all = Vec::new();
    for entry in entries {
        let place = entry.place();
        if are_headers && let Err(error) = longshore_transport::header(&entry.key, "") {
            findings.problem(&place, error.to_string());
        }
        let text = match entry.node.text() {
            Some(_) if entry.node.is_null() => {
                findings.problem(&place, "has no value; is a space missing after the colon?");
                continue;
            }
            Some(text) => text,
            None => {
                findings.problem(&place, "must be text, a number, true or false");
                continue;
            }
        };
        if are_headers && let Err(error) = longshore_transport::header("x-any", text) {
            findings.problem(&place, error.to_string().replace("x-any", &entry.key));
        }
        if let Some(template) = report(template(text), &place, findings) {
            all.push((entry.key, template));
        }
    }
    (findings.problem_count() == before).then_some(all)
}

fn json_template(value: &Value, place: &Place, findings: &mut Findings) -> Option<JsonTemplate> {
    match JsonTemplate::parse(value) {
        Ok(template) => Some(template),
        Err(problems) => {
            for (path, error) in problems {
                let place = Place {
                    path: format!("{}{path}", place.path),
                    ..place.clone()
                };
                findings.problem(&place, error.to_string());
            }
            None
        }
    }
}

fn report<T>(result: Result<T, Error>, place: &Place, findings: &mut Findings) -> Option<T> {
    result
        .map_err(|error| findings.problem(place, error.to_string()))
        .ok()
}
