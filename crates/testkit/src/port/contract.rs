//! Every request held against Port's published description, where that file lies beside the project.

use std::path::PathBuf;
use std::sync::OnceLock;

use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use jsonschema::Validator;
use longshore_transport::Request;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::{PortCall, clock};

pub(super) fn is_there() -> bool {
    contract().is_some()
}

/// What is wrong with this request, one line each.
pub(super) fn violations(request: &Request, call: Option<PortCall>) -> Vec<String> {
    let mut problems = Vec::new();
    match (call, undescribed(call), contract()) {
        // Described or not: what the double cannot answer, a test must not rely on.
        (None, ..) => problems.push("no such route".to_owned()),
        (_, Some(shape), _) => shape.check(request, &mut problems),
        (_, None, Some(contract)) => contract.check(request, &mut problems),
        (_, None, None) => {}
    }
    check_headers(request, call, &mut problems);
    let name = format!("{} {}", request.method, request.url.path());
    problems
        .into_iter()
        .map(|problem| format!("{name}: {problem}"))
        .collect()
}

/// Parameters that Port's own clients send with entity calls during a resync, though the description does not list them.
const OF_A_RESYNC: [&str; 2] = ["ocean_info_event_type", "ocean_info_resync_id"];

struct Contract {
    operations: Vec<Operation>,
}

struct Operation {
    method: String,
    segments: Vec<String>,
    parameters: Vec<Parameter>,
    /// The body's schema, and whether a body must be there.
    body: Option<(Value, bool)>,
    validator: OnceLock<Validator>,
}

struct Parameter {
    name: String,
    in_path: bool,
    required: bool,
    schema: Value,
}

fn contract() -> Option<&'static Contract> {
    static CONTRACT: OnceLock<Option<Contract>> = OnceLock::new();
    CONTRACT
        .get_or_init(|| {
            let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join("../../../shared/reference/port-openapi.json");
            let text = std::fs::read_to_string(file).ok()?;
            let description: Value =
                serde_json::from_str(&text).expect("port-openapi.json is JSON");
            Some(Contract::of(&description))
        })
        .as_ref()
}

impl Contract {
    fn of(description: &Value) -> Contract {
        let mut operations = Vec::new();
        for (path, methods) in object(&description["paths"]) {
            for (method, operation) in object(methods) {
                let body = operation.get("requestBody").map(|body| {
                    let mut schema = body["content"]["application/json"]["schema"].clone();
                    // References are absolute in the description; they stay good in a schema that brings the components along.
                    schema["components"] = description["components"].clone();
                    (schema, body["required"] == true)
                });
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                operations.push(Operation {
                    method: method.to_uppercase(),
                    segments: path.split('/').map(str::to_owned).collect(),
                    parameters: parameters.map(Parameter::of).collect(),
                    body,
                    validator: OnceLock::new(),
                });
            }
        }
        Contract { operations }
    }

    fn check(&self, request: &Request, problems: &mut Vec<String>) {
        let path: Vec<&str> = request.url.path().split('/').collect();
        let matching = self
            .operations
            .iter()
            .filter(|operation| operation.matches(request.method.as_str(), &path));
        match matching.max_by_key(|operation| operation.literals()) {
            Some(operation) => operation.check(request, &path, problems),
            None => problems.push("no such route".to_owned()),
        }
    }
}

impl Operation {
    fn matches(&self, method: &str, path: &[&str]) -> bool {
        self.method == method
            && self.segments.len() == path.len()
            && self
                .segments
                .iter()
                .zip(path)
                .all(|(segment, actual)| is_parameter(segment) || segment == actual)
    }

    fn literals(&self) -> usize {
        self.segments
            .iter()
            .filter(|segment| !is_parameter(segment))
            .count()
    }

    fn check(&self, request: &Request, path: &[&str], problems: &mut Vec<String>) {
        for (segment, actual) in self
            .segments
            .iter()
            .zip(path)
            .filter(|(segment, _)| is_parameter(segment))
        {
            let decoded = percent_decode_str(actual).decode_utf8_lossy();
            let named = |parameter: &&Parameter| {
                parameter.in_path && *segment == format!("{{{}}}", parameter.name)
            };
            if let Some(parameter) = self.parameters.iter().find(named) {
                parameter.check(&decoded, problems);
            }
        }
        let query: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
        let declared: Vec<&Parameter> = self
            .parameters
            .iter()
            .filter(|parameter| !parameter.in_path)
            .collect();
        let of_entities = self.segments.iter().any(|segment| segment == "entities");
        for (name, value) in &query {
            match declared.iter().find(|parameter| parameter.name == *name) {
                Some(parameter) => parameter.check(value, problems),
                None if of_entities && OF_A_RESYNC.contains(&name.as_str()) => {}
                None => problems.push(format!("query `{name}` is not a parameter of this call")),
            }
        }
        for parameter in declared.iter().filter(|parameter| parameter.required) {
            if !query.iter().any(|(name, _)| *name == parameter.name) {
                problems.push(format!("query `{}` is required", parameter.name));
            }
        }
        self.check_body(request, problems);
    }

    fn check_body(&self, request: &Request, problems: &mut Vec<String>) {
        let bytes = request.body.as_deref().unwrap_or_default();
        let Some((schema, required)) = &self.body else {
            if !bytes.is_empty() {
                problems.push("this call takes no body".to_owned());
            }
            return;
        };
        if bytes.is_empty() {
            if *required {
                problems.push("a body is required".to_owned());
            }
            return;
        }
        let Ok(body) = serde_json::from_slice::<Value>(bytes) else {
            problems.push("the body is not JSON".to_owned());
            return;
        };
        let validator = self.validator.get_or_init(|| {
            jsonschema::validator_for(schema)
                .unwrap_or_else(|error| panic!("a schema of port-openapi.json is broken: {error}"))
        });
        problems.extend(
            validator
                .iter_errors(&body)
                .map(|error| format!("body{}: {error}", error.instance_path())),
        );
    }
}

impl Parameter {
    fn of(parameter: &Value) -> Parameter {
        Parameter {
            name: parameter["name"].as_str().unwrap_or_default().to_owned(),
            in_path: parameter["in"] == "path",
            required: parameter["required"] == true,
            schema: parameter["schema"].clone(),
        }
    }

    fn check(&self, value: &str, problems: &mut Vec<String>) {
        let name = &self.name;
        if self.schema["type"] == "boolean" && !matches!(value, "true" | "false") {
            problems.push(format!("`{name}` must be true or false"));
        }
        if let Some(least) = self.schema["minLength"].as_u64()
            && (value.chars().count() as u64) < least
        {
            problems.push(format!("`{name}` must have at least {least} characters"));
        }
        if let Some(allowed) = self.schema["enum"].as_array()
            && !allowed.contains(&json!(value))
        {
            problems.push(format!("`{name}` must be one of {}", self.schema["enum"]));
        }
    }
}

/// The shape of a call that the description does not list: the keys of its body, and which of them must be there.
struct Shape {
    keys: Vec<Key>,
    has_body: bool,
    closed: bool,
}

struct Key {
    name: &'static str,
    allows: fn(&Value) -> bool,
    required: bool,
}

fn required(name: &'static str, allows: fn(&Value) -> bool) -> Key {
    Key {
        name,
        allows,
        required: true,
    }
}

fn optional(name: &'static str, allows: fn(&Value) -> bool) -> Key {
    Key {
        name,
        allows,
        required: false,
    }
}

fn undescribed(call: Option<PortCall>) -> Option<Shape> {
    let shape = match call? {
        PortCall::Owned => Shape {
            keys: vec![
                required("datasource_prefix", Value::is_string),
                required("datasource_suffix", Value::is_string),
                optional("limit", is_page_size),
                optional("from", Value::is_string),
                optional("before", is_iso_time),
            ],
            has_body: true,
            closed: true,
        },
        PortCall::CreateIntegration => Shape {
            keys: vec![
                required("installationId", Value::is_string),
                required("installationAppType", Value::is_string),
                optional("version", Value::is_string),
                optional("config", Value::is_object),
            ],
            has_body: true,
            closed: false,
        },
        PortCall::ResyncState => Shape {
            keys: vec![
                required("status", is_resync_status),
                optional("lastResyncStart", is_iso_time_or_null),
                optional("lastResyncEnd", is_iso_time_or_null),
                optional("nextResync", is_iso_time_or_null),
                optional("intervalInMinuets", |value| {
                    value.is_null() || value.is_u64()
                }),
            ],
            has_body: true,
            closed: true,
        },
        PortCall::Examples => Shape {
            keys: vec![required("examples", Value::is_array)],
            has_body: true,
            closed: true,
        },
        PortCall::Kinds => Shape {
            keys: vec![
                optional("syncKindsMetrics", Value::is_array),
                optional("syncKindMetrics", is_kind_state),
            ],
            has_body: true,
            closed: true,
        },
        PortCall::ResyncRequest => Shape {
            keys: Vec::new(),
            has_body: false,
            closed: true,
        },
        _ => return None,
    };
    Some(shape)
}

fn is_kind_state(value: &Value) -> bool {
    let texts = [
        "integrationType",
        "integrationIdentifier",
        "kindIdentifier",
        "kind",
        "eventId",
    ];
    let states = ["pending", "syncing", "completed", "failed"];
    texts.iter().all(|name| value[name].is_string())
        && value["kindIndex"].is_u64()
        && value["metrics"].is_object()
        && value["syncState"]
            .as_str()
            .is_some_and(|state| states.contains(&state))
}

impl Shape {
    fn check(&self, request: &Request, problems: &mut Vec<String>) {
        for (name, _) in request.url.query_pairs() {
            if !OF_A_RESYNC.contains(&name.as_ref()) {
                problems.push(format!("query `{name}` is not a parameter of this call"));
            }
        }
        let bytes = request.body.as_deref().unwrap_or_default();
        if !self.has_body {
            if !bytes.is_empty() {
                problems.push("this call takes no body".to_owned());
            }
            return;
        }
        let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(bytes) else {
            problems.push("the body must be a JSON object".to_owned());
            return;
        };
        self.check_keys(&body, problems);
    }

    fn check_keys(&self, body: &Map<String, Value>, problems: &mut Vec<String>) {
        for Key {
            name,
            allows,
            required,
        } in &self.keys
        {
            match body.get(*name) {
                Some(value) if !allows(value) => {
                    problems.push(format!("body/{name}: this value is not allowed"))
                }
                None if *required => problems.push(format!("body: `{name}` is required")),
                _ => {}
            }
        }
        for name in body.keys().filter(|_| self.closed) {
            if !self.keys.iter().any(|key| key.name == name) {
                problems.push(format!("body: `{name}` is not a key of this call"));
            }
        }
    }
}

fn is_page_size(value: &Value) -> bool {
    value
        .as_u64()
        .is_some_and(|count| (1..=5000).contains(&count))
}

fn is_iso_time(value: &Value) -> bool {
    value.as_str().and_then(clock::parse).is_some()
}

fn is_iso_time_or_null(value: &Value) -> bool {
    value.is_null() || is_iso_time(value)
}

fn is_resync_status(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|status| ["running", "completed", "failed", "aborted"].contains(&status))
}

fn check_headers(request: &Request, call: Option<PortCall>, problems: &mut Vec<String>) {
    let text = |name| {
        request
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let is_json = |kind: &str| {
        kind.split(';')
            .next()
            .is_some_and(|kind| kind.trim() == "application/json")
    };
    if request.body.as_ref().is_some_and(|body| !body.is_empty())
        && !text(CONTENT_TYPE).is_some_and(is_json)
    {
        problems.push("a body needs `Content-Type: application/json`".to_owned());
    }
    if call != Some(PortCall::Token) && text(AUTHORIZATION).is_none() {
        problems.push("the header `Authorization` is missing".to_owned());
    }
    let writes = matches!(call, Some(PortCall::UpsertMany | PortCall::UpsertOne));
    if writes && !text(USER_AGENT).is_some_and(is_ocean_agent) {
        problems.push(
            "`User-Agent` must be `port-ocean/<type>/<version>/<identifier>/exporter`".to_owned(),
        );
    }
}

fn is_ocean_agent(agent: &str) -> bool {
    let parts: Vec<&str> = agent.split('/').collect();
    matches!(parts.as_slice(), ["port-ocean", kind, version, identifier, "exporter"]
        if [kind, version, identifier].iter().all(|part| !part.is_empty()))
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{')
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}
