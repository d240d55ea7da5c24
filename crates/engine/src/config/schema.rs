//! JSON Schemas of the two files, for editors and for checks before a start.
//!
//! The loader reads files into a tree with places and never into these types: their shape and their sentences are the schemas. A test
//! holds them against the keys that the loader asks for.
#![allow(
    dead_code,
    reason = "nothing is ever read into these types; their shape is the schema"
)]

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::spelling::snake_case;

/// The schema of connection files, in the flat shape and in that of Helm values.
pub(super) fn connection() -> Value {
    let mut schema = generate::<ConnectionFile>();
    // In a flat file the connection's settings stand beside those around it.
    let settings = generate::<Settings>();
    if let (Some(top), Some(flat)) = (
        schema.get_mut("properties").and_then(Value::as_object_mut),
        settings.get("properties").and_then(Value::as_object),
    ) {
        top.extend(flat.clone());
    }
    add_credentials(&mut schema);
    add_snake_case(&mut schema);
    schema
}

/// The schema of mapping files.
pub(super) fn mapping() -> Value {
    let mut schema = generate::<MappingFile>();
    add_credentials(&mut schema);
    add_snake_case(&mut schema);
    schema
}

fn generate<T: JsonSchema>() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema: Schema = settings.into_generator().into_root_schema_for::<T>();
    schema.to_value()
}

/// Wherever an `authType` may stand, what belongs to it may.
fn add_credentials(schema: &mut Value) {
    let credential = generate::<Credential>();
    let Some(keys) = credential.get("properties").and_then(Value::as_object) else {
        return;
    };
    add_properties(schema, "authType", keys);
}

fn add_properties(schema: &mut Value, beside: &str, more: &Map<String, Value>) {
    match schema {
        Value::Object(object) => {
            object
                .values_mut()
                .for_each(|value| add_properties(value, beside, more));
            if let Some(Value::Object(properties)) = object.get_mut("properties")
                && properties.contains_key(beside)
            {
                for (name, property) in more {
                    properties.entry(name).or_insert_with(|| property.clone());
                }
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|value| add_properties(value, beside, more)),
        _ => {}
    }
}

/// Every key of more than one word is known in snake_case too, also where it has to be there.
fn add_snake_case(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                let twins: Map<String, Value> = properties
                    .iter()
                    .map(|(name, property)| (snake_case(name), property.clone()))
                    .filter(|(name, _)| !properties.contains_key(name))
                    .collect();
                properties.extend(twins);
            }
            object.values_mut().for_each(add_snake_case);
            let Some(Value::Array(required)) = object.get_mut("required") else {
                return;
            };
            let has_twin =
                |name: &mut Value| name.as_str().is_some_and(|name| snake_case(name) != name);
            let either: Vec<Value> = required
                .extract_if(.., has_twin)
                .filter_map(|name| {
                    let name = name.as_str()?;
                    let spellings = [name, &snake_case(name)];
                    Some(json!({"anyOf": spellings.map(|name| json!({"required": [name]}))}))
                })
                .collect();
            if !either.is_empty() {
                object.insert("allOf".to_owned(), Value::Array(either));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(add_snake_case),
        _ => {}
    }
}

/// Text, or a scalar that is read as its text.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Text {
    Plain(String),
    Count(f64),
    Flag(bool),
}

/// A number, which may be written as text.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Number {
    Plain(f64),
    Written(String),
}

/// true, false, yes, no, on, off, 1 or 0.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Switch {
    Flag(bool),
    Word(String),
    Digit(u8),
}

/// An object, or JSON text that holds one.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum OrText<T> {
    Object(T),
    Json(String),
}

/// A list, or one item.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Items<T> {
    List(Vec<T>),
    One(T),
}

type Names<T> = BTreeMap<String, T>;

/// How an API is reached, and what is around it.
#[derive(JsonSchema)]
#[schemars(
    rename_all = "camelCase",
    deny_unknown_fields,
    title = "Connection of longshore"
)]
struct ConnectionFile {
    /// The settings of the connection in the shape of Helm values.
    integration: Option<Integration>,
    /// How Port is reached.
    port: Option<Port>,
    /// What starts a sync.
    event_listener: Option<OrText<Listener>>,
    /// Minutes between two syncs; 0 is none.
    scheduled_resync_interval: Option<Number>,
    /// Seconds for one request to Port.
    client_timeout: Option<Number>,
    /// How much is logged.
    log_level: Option<String>,
    /// Whether blueprints that are on file are created at Port when the integration is new; true unless set.
    initialize_port_resources: Option<Switch>,
    /// The folder with the blueprints and the mapping of a new integration; `.port/resources` unless set.
    resources_path: Option<Text>,
    /// File that keeps digests of what Port acknowledged from one sync to the next, so that Port need not be asked what has changed.
    sync_state: Option<Text>,
    /// Whether Port gets masked examples of raw records; true unless set.
    send_raw_data_examples: Option<Switch>,
    /// Where health and metrics are answered while polling: an address and a port, or `none`; `0.0.0.0:8000` unless set.
    listen: Option<Text>,
    /// Which part of everything this process reads.
    shard: Option<OrText<ShardFile>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct ShardFile {
    /// Which part, from 0; `JOB_COMPLETION_INDEX` unless set.
    index: Option<Number>,
    /// How many parts there are.
    count: Option<Number>,
    /// The folder for what the shards have seen.
    directory: Option<Text>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Integration {
    /// Which integration at Port this is.
    identifier: Option<Text>,
    /// Its type at Port; `custom` unless set.
    #[schemars(rename = "type")]
    kind: Option<Text>,
    /// The settings of the connection.
    config: Option<OrText<Settings>>,
    /// Those that are secret; counts as `config`.
    secrets: Option<OrText<Settings>>,
    /// What starts a sync.
    event_listener: Option<OrText<Listener>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Port {
    /// Port's client id.
    client_id: Option<String>,
    /// Port's client secret.
    client_secret: Option<String>,
    /// `https://api.getport.io` unless set; `https://api.us.getport.io` in the US.
    base_url: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Listener {
    /// `POLLING`, the default, or `ONCE`.
    #[schemars(rename = "type")]
    kind: Option<String>,
    /// Seconds between two questions for changes; 60 unless set.
    interval: Option<Number>,
    /// Whether a sync runs at the start; true unless set.
    resync_on_start: Option<Switch>,
}

/// How the API is reached.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    /// Root URL of the API. It may carry a path, and a query that goes out with every request.
    base_url: Option<String>,
    /// How the API knows who asks.
    auth_type: Option<AuthType>,
    /// Credentials by name, for `selector.auth` and `rotate`.
    credentials: Option<OrText<Names<OrText<Credential>>>>,
    /// Headers for every request. `${NAME}` is replaced by the variable of that name.
    custom_headers: Option<OrText<Names<Text>>>,
    /// The settings of a well-known API; what is set beside goes over them.
    preset: Option<Preset>,
    /// How lists are read in pages.
    pagination_type: Option<Style>,
    /// Records of a page to ask for; 100 unless set.
    page_size: Option<Number>,
    /// The parameter that carries the position.
    pagination_param: Option<Text>,
    /// The parameter that carries the size; empty sends none.
    size_param: Option<Text>,
    /// The first page's number; 1 unless set.
    start_page: Option<Number>,
    /// An older name of `paginationParam`.
    #[schemars(extend("deprecated" = true))]
    offset_param: Option<Text>,
    /// An older name of `paginationParam`.
    #[schemars(extend("deprecated" = true))]
    page_param: Option<Text>,
    /// An older name of `paginationParam`.
    #[schemars(extend("deprecated" = true))]
    cursor_param: Option<Text>,
    /// An older name of `sizeParam`.
    #[schemars(extend("deprecated" = true))]
    limit_param: Option<Text>,
    /// Where position and size go.
    param_in: Option<ParamIn>,
    /// Where the next position stands in an answer: a dotted path, jq that begins with a dot, or `header:Name`, perhaps followed by `| ` and jq on its text.
    cursor_path: Option<Text>,
    /// Where a flag stands that is true while there is more.
    has_more_path: Option<Text>,
    /// Where a flag stands that is true on the last page.
    last_page_path: Option<Text>,
    /// Where the URL of the next page stands.
    next_link_path: Option<Text>,
    /// The relation of the `Link` header to follow; `next` unless set.
    header_link_rel: Option<Text>,
    /// Where the number of all records stands; empty looks at none.
    total_path: Option<Text>,
    /// jq over the body: true ends the read.
    stop_when: Option<Text>,
    /// Whether a missing position is the end, also on a full first page.
    end_when_absent: Option<Switch>,
    /// jq over `{body, headers, request}` that gives the next position; null is the end.
    next_position: Option<Text>,
    /// Pages to ask for ahead, whether they are there or not.
    look_ahead: Option<Number>,
    /// Pages after which a read is given up; 10,000 unless set.
    max_pages: Option<Number>,
    /// Seconds for one request with its whole answer; 30 unless set.
    timeout: Option<Number>,
    /// False accepts any certificate.
    verify_ssl: Option<Switch>,
    /// Requests in flight at once; 10 unless set.
    max_concurrent_requests: Option<Number>,
    /// What jq's `now` is, as 2024-03-05T10:11:12Z or in seconds since 1970; the clock's time unless set.
    now: Option<Number>,
    /// Largest body that is read, in bytes, decompressed; 67108864 unless set.
    max_body_bytes: Option<Number>,
    /// How often and when a failed request is repeated.
    retry: Option<OrText<Retry>>,
    /// Requests in a second; 0.5 is one every two seconds.
    requests_per_second: Option<Number>,
    /// Requests in a minute.
    requests_per_minute: Option<Number>,
    /// Requests that may go at once after a pause, with one of the two; 1 unless set.
    request_burst: Option<Number>,
    /// Other origins that links and redirects may lead to. They get no credentials, headers, query or body of ours.
    allowed_origins: Option<Items<String>>,
    /// Other origins that are trusted like the base URL's: links and redirects that lead there take everything along.
    credential_origins: Option<Items<String>>,
    /// What becomes of links to other origins.
    next_link_origin: Option<NextLinkOrigin>,
    /// The unit of the numbers by which answers tell when a rate limit is over.
    rate_limit_reset: Option<RateLimitReset>,
    /// True connects to public addresses only.
    deny_private_addresses: Option<Switch>,
    /// The proxy for everything, an http or https URL, which may hold a user name and a password.
    proxy: Option<String>,
    /// A PEM file, or PEM text, with certificate authorities to trust beside the system's.
    ca_file: Option<String>,
    /// A PEM file, or PEM text, with the certificate to show to servers that ask for one.
    client_cert: Option<String>,
    /// A PEM file, or PEM text, with its private key.
    client_key: Option<String>,
    /// What answers of these statuses mean, from 400 to 599.
    on_status: Option<OrText<Names<StatusAction>>>,
    /// jq over the body of a success: anything but true makes it a failure.
    success_when: Option<Text>,
    /// jq over the body of a success: true makes it a failure that is repeated.
    retry_when: Option<Text>,
}

/// How an API knows who asks.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Credential {
    /// How the API knows who asks.
    auth_type: Option<AuthType>,
    /// The token, for `bearer_token`.
    api_token: Option<Text>,
    /// An older name of `apiToken`.
    #[schemars(extend("deprecated" = true))]
    auth_value: Option<Text>,
    /// The key, for `api_key`.
    api_key: Option<Text>,
    /// The header that carries it; `X-API-Key` unless set.
    api_key_header: Option<Text>,
    /// The header, parameter, cookie or member of the body that carries it: `apiKeyHeader` for all places.
    api_key_name: Option<Text>,
    /// Where the key goes; `header` unless set.
    api_key_in: Option<KeyPlace>,
    /// What stands right in front of the key, such as `'Token '`.
    api_key_prefix: Option<Text>,
    /// Several keys: names and keys, or a list of `{name, key, in, prefix}`.
    api_keys: Option<OrText<ApiKeys>>,
    /// The user's name, for `basic` and `grantType: password`.
    username: Option<Text>,
    /// The password, likewise.
    password: Option<Text>,
    /// The token endpoint of `oauth2`: a URL, or a path under `baseUrl`.
    token_url: Option<String>,
    /// What a token is given for; `client_credentials` unless set.
    grant_type: Option<GrantType>,
    /// The client's id.
    client_id: Option<Text>,
    /// The client's secret.
    client_secret: Option<Text>,
    /// How the client shows who it is; what fits to its secret or key unless set.
    client_auth: Option<ClientAuth>,
    /// The scopes to ask for.
    scopes: Option<Items<Text>>,
    /// Another name of `scopes`.
    scope: Option<Items<Text>>,
    /// The audience that the token is for.
    audience: Option<Text>,
    /// The resource that the token is for (RFC 8707).
    resource: Option<Text>,
    /// Further parameters of the token request.
    token_params: Option<OrText<Names<Items<Text>>>>,
    /// Headers of the token request.
    token_headers: Option<OrText<Names<Items<Text>>>>,
    /// Where the token stands in the answer; `access_token` unless set.
    token_path: Option<Text>,
    /// Where its lifetime stands, where it is not one of the usual members: seconds, a moment since 1970, or a date. Nothing there: until a 401.
    expiry_path: Option<Text>,
    /// The header that carries the token; `Authorization` unless set.
    token_header: Option<Text>,
    /// What stands in front of it; `Bearer ` unless set.
    token_prefix: Option<Text>,
    /// The refresh token, for `grantType: refresh_token`.
    refresh_token: Option<Text>,
    /// A file for refresh tokens that the server replaces, counted from this one.
    token_file: Option<String>,
    /// Where the refresh token stands in the answer that replaces this one; `refresh_token`, at the top or beside the token, unless set.
    refresh_token_path: Option<Text>,
    /// The private key for assertions: PEM, a JSON Web Key, or the JSON of a Google service account; a file or the text.
    private_key: Option<OrText<Names<Value>>>,
    /// Which of several keys it is (`kid`).
    private_key_id: Option<Text>,
    /// Its certificate, whose thumbprints go into assertions (`x5t`): a PEM file or PEM text.
    private_key_certificate: Option<String>,
    /// How assertions are signed; what fits to the key unless set.
    signing_algorithm: Option<SigningAlgorithm>,
    /// Who issues assertions (`iss`); the client unless set.
    assertion_issuer: Option<Text>,
    /// Whom assertions speak of (`sub`); the issuer unless set.
    assertion_subject: Option<Text>,
    /// Whom assertions are for (`aud`); the token endpoint unless set.
    assertion_audience: Option<Text>,
    /// Further claims.
    assertion_claims: Option<OrText<Names<Value>>>,
    /// Seconds for which an assertion is valid; 300 unless set.
    assertion_lifetime_seconds: Option<Number>,
    /// The request that gives a token, for `custom`, or several in sequence.
    custom_auth_request: Option<OrText<Items<LoginRequest>>>,
    /// How the last answer goes into requests.
    custom_auth_request_template: Option<OrText<LoginTemplate>>,
    /// Another name of `customAuthRequestTemplate`.
    custom_auth_response: Option<OrText<LoginTemplate>>,
    /// The id of the access key, for `aws_sigv4`.
    access_key_id: Option<Text>,
    /// Its secret.
    secret_access_key: Option<Text>,
    /// The session token of temporary credentials.
    session_token: Option<Text>,
    /// The region, such as `eu-central-1`.
    region: Option<Text>,
    /// The service, such as `execute-api`.
    service: Option<Text>,
    /// Credentials to rotate: names of `credentials`, or objects.
    rotate: Option<OrText<Vec<CredentialOrName>>>,
}

/// A name of `credentials`, or an object with `authType`.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum CredentialOrName {
    Name(String),
    /// Its keys are those of a connection's credentials.
    Credential(Names<Value>),
}

/// `none`, a name of `credentials`, or an object with `authType`.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum ListAuth {
    Name(String),
    Credential(Box<Credential>),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum AuthType {
    None,
    BearerToken,
    ApiKey,
    Basic,
    BasicAuth,
    #[schemars(rename = "oauth2")]
    OAuth2,
    Custom,
    #[schemars(rename = "aws_sigv4")]
    AwsSigV4,
    Rotate,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum KeyPlace {
    Header,
    Query,
    Cookie,
    /// A member of the JSON body; a dot in its name goes one object down.
    Body,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum ApiKeys {
    Names(Names<Text>),
    List(Vec<ApiKey>),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct ApiKey {
    /// The header, parameter, cookie or member of the body that carries it.
    name: Option<Text>,
    /// The key.
    key: Text,
    /// Where it goes.
    #[schemars(rename = "in")]
    place: Option<KeyPlace>,
    /// What stands right in front of it.
    prefix: Option<Text>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum GrantType {
    ClientCredentials,
    RefreshToken,
    Password,
    JwtBearer,
    #[schemars(rename = "urn:ietf:params:oauth:grant-type:jwt-bearer")]
    JwtBearerUrn,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum ClientAuth {
    Basic,
    ClientSecretBasic,
    Post,
    ClientSecretPost,
    PrivateKeyJwt,
    ClientSecretJwt,
    None,
}

#[derive(JsonSchema)]
enum SigningAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
}

/// One request of a login. From the second on, texts may hold `{{.path}}`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct LoginRequest {
    /// A path under `baseUrl`, or a URL.
    endpoint: String,
    /// POST unless set.
    method: Option<Text>,
    /// Its headers.
    headers: Option<OrText<Names<Text>>>,
    /// Its query.
    query_params: Option<OrText<Names<Text>>>,
    /// Its JSON body.
    body: Option<Value>,
    /// Its body as the text of a form.
    body_form: Option<Text>,
    /// Seconds after which the login is repeated; without, as the answer says, and after a 401.
    reauthenticate_interval_seconds: Option<Number>,
    /// Where the lifetime stands in the answer: seconds, a moment since 1970, or a date.
    expiry_path: Option<Text>,
}

/// What requests carry; texts may hold `{{.path}}`, jq over the answer of the login.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct LoginTemplate {
    /// Headers.
    headers: Option<OrText<Names<Text>>>,
    /// Query parameters.
    query_params: Option<OrText<Names<Text>>>,
    /// Members of the JSON body.
    body: Option<OrText<Names<Value>>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum Style {
    None,
    Offset,
    Page,
    Cursor,
    NextLink,
    HeaderLink,
    Auto,
}

/// A preset of paging, by name.
#[derive(JsonSchema)]
#[schemars(extend("enum" = longshore_paginate::Settings::presets()))]
struct Preset(String);

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum ParamIn {
    Query,
    Body,
    Header,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum NextLinkOrigin {
    /// They are an error.
    Strict,
    /// Their path and query are asked for at the base URL.
    Rebase,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
enum RateLimitReset {
    /// By their size: what is too large for a wait is a time.
    Auto,
    /// Seconds from now.
    Seconds,
    /// Seconds since 1970.
    Epoch,
    /// Milliseconds since 1970.
    EpochMilliseconds,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum StatusAction {
    /// There is nothing here: an empty list, read completely.
    Empty,
    /// An error, at once.
    Fail,
    /// A failure that passes: the request is repeated.
    Retry,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Retry {
    /// Tries of a request in all; 6 unless set.
    attempts: Option<Number>,
    /// Bound of the first wait in seconds; 0.2 unless set. It doubles from wait to wait.
    base: Option<Number>,
    /// Largest bound of a wait in seconds, where the server told none; 20 unless set.
    cap: Option<Number>,
    /// Tokens of the API's retry budget; 500 unless set. A retry takes 5, after a timeout 10.
    budget: Option<Number>,
}

/// What becomes of the records of an API.
#[derive(JsonSchema)]
#[schemars(
    rename_all = "camelCase",
    deny_unknown_fields,
    title = "Mapping of longshore"
)]
struct MappingFile {
    /// Deletes what depends on a deleted entity along with it; false unless set.
    delete_dependent_entities: Option<Switch>,
    /// Has Port create the targets of relations; true unless set.
    create_missing_related_entities: Option<Switch>,
    /// Keeps properties that an upsert does not name; true unless set.
    enable_merge_entity: Option<Switch>,
    /// The share of a blueprint's entities, 0 to 1, above which none is deleted; 0.9 unless set.
    entity_deletion_threshold: Option<Number>,
    /// Blueprints that may become empty.
    allow_empty: Option<AllowEmpty>,
    /// Does not write entities that Port has as they are; true unless set.
    skip_unchanged: Option<Switch>,
    /// What is read.
    resources: Vec<Resource>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum AllowEmpty {
    All(Switch),
    Blueprints(Vec<String>),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Resource {
    /// The path of the endpoint; `{name}` in it is a path parameter.
    kind: String,
    /// How the list is asked for.
    selector: Option<Selector>,
    /// What becomes of its records.
    port: PortMapping,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Selector {
    /// jq that gives true for records that count; `true` unless set. (In the older `kind: api_resource` an object.)
    query: Option<OrObject>,
    /// The path of the endpoint, for the older `kind: api_resource`.
    #[schemars(extend("deprecated" = true))]
    endpoint: Option<Text>,
    /// GET unless set. Other methods are repeated like GET: they are reads.
    method: Option<Text>,
    /// Query of every request.
    query_params: Option<OrText<Names<Items<Text>>>>,
    /// Headers of every request.
    headers: Option<OrText<Names<Items<Text>>>>,
    /// JSON body of every request.
    body: Option<Value>,
    /// jq to the records in a body.
    data_path: Option<Text>,
    /// Paging, where it differs from the connection's.
    pagination: Option<OrText<Paging>>,
    /// Credentials, where they are not the connection's.
    auth: Option<ListAuth>,
    /// What answers of these statuses mean, over the connection's rules.
    on_status: Option<Names<StatusAction>>,
    /// jq over the body of a success: anything but true makes it a failure.
    success_when: Option<Text>,
    /// jq over the body of a success: true makes it a failure that is repeated.
    retry_when: Option<Text>,
    /// Where the values of the parameters come from, in the path, in query, headers and body.
    path_parameters: Option<Names<Parameter>>,
    /// Children that stand in their parent's record need no request: jq to them there.
    embedded: Option<Embedded>,
    /// How many children are read at most; 1,000,000 unless set.
    max_children: Option<Number>,
    /// Whether entities come in the order of the parents instead of as they are read.
    ordered: Option<Switch>,
}

/// jq to records in a parent's record, or an object.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Embedded {
    Expression(Text),
    Object(EmbeddedList),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct EmbeddedList {
    /// jq to the records in the parent's record.
    data_path: Text,
    /// jq to the link, or the cursor, of what follows them.
    next: Option<Text>,
    /// In the record of which parameter; of the last one unless set.
    of: Option<Text>,
}

/// Where the values of a parameter come from.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Parameter {
    List(Box<ParentList>),
    Fixed(FixedValues),
    Windows(Windows),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct FixedValues {
    /// The values.
    values: OrText<Vec<Text>>,
    /// How many values go into one request.
    batch: Option<Number>,
    /// What stands between the values of a batch; a comma unless set.
    separator: Option<Text>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Windows {
    /// Where the first window begins: a date, a date with time, `now`, `today`, or `now-30d`.
    from: Text,
    /// Where the last one ends; `now` unless set.
    to: Option<Text>,
    /// How long a window is: `1d`, `12h`, `1mo`.
    step: Text,
    /// How a moment is written: `date`, `datetime`, `unix`, `unix_ms`, or a pattern such as `%Y-%m-%d`.
    format: Option<Text>,
    /// Whether the end of a window counts as inside.
    inclusive: Option<Switch>,
    /// How many results the API gives of one request at most; windows that reach it are read again in halves.
    cap: Option<Number>,
}

/// A jq expression, or an object.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum OrObject {
    Expression(Text),
    Object(Names<Value>),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct ParentList {
    /// The path of the list that the values come from; may hold other parameters.
    endpoint: Text,
    /// jq to the value in each record of it.
    field: Text,
    /// jq that gives true for records that count.
    filter: Option<Text>,
    /// Keys that each record of the children gets: jq of the parent record.
    include: Option<Names<Text>>,
    /// How many values go into one request.
    batch: Option<Number>,
    /// What stands between the values of a batch; a comma unless set.
    separator: Option<Text>,
    /// The list may stand in another parameter's record: jq to it there.
    embedded: Option<Embedded>,
    /// How many values one list may give.
    max_children: Option<Number>,
    /// GET unless set.
    method: Option<Text>,
    /// Query of every request.
    query_params: Option<OrText<Names<Items<Text>>>>,
    /// Headers of every request.
    headers: Option<OrText<Names<Items<Text>>>>,
    /// JSON body of every request.
    body: Option<Value>,
    /// jq to the records in a body.
    data_path: Option<Text>,
    /// Paging, where it differs from the connection's.
    pagination: Option<OrText<Paging>>,
    /// Credentials, where they are not the connection's.
    auth: Option<ListAuth>,
    /// What answers of these statuses mean, over the connection's rules.
    on_status: Option<Names<StatusAction>>,
    /// jq over the body of a success: anything but true makes it a failure.
    success_when: Option<Text>,
    /// jq over the body of a success: true makes it a failure that is repeated.
    retry_when: Option<Text>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Paging {
    /// The settings of a well-known API; what is set beside goes over them.
    preset: Option<Preset>,
    /// How the list is read in pages.
    #[schemars(rename = "type")]
    style: Option<Style>,
    /// The parameter that carries the position.
    param: Option<Text>,
    /// The parameter that carries the size; empty sends none.
    size_param: Option<Text>,
    /// Records of a page to ask for.
    size: Option<Number>,
    /// The first position.
    start: Option<Number>,
    /// Where position and size go.
    param_in: Option<ParamIn>,
    /// Where the next position stands in an answer.
    cursor_path: Option<Text>,
    /// Where a flag stands that is true while there is more.
    has_more_path: Option<Text>,
    /// Where a flag stands that is true on the last page.
    last_page_path: Option<Text>,
    /// Where the URL of the next page stands.
    next_link_path: Option<Text>,
    /// The relation of the `Link` header to follow.
    header_link_rel: Option<Text>,
    /// Where the number of all records stands; empty looks at none.
    total_path: Option<Text>,
    /// jq over the body: true ends the read.
    stop_when: Option<Text>,
    /// Whether a missing position is the end, also on a full first page.
    end_when_absent: Option<Switch>,
    /// jq over `{body, headers, request}` that gives the next position; null is the end.
    next_position: Option<Text>,
    /// Pages to ask for ahead, whether they are there or not.
    look_ahead: Option<Number>,
    /// Pages after which a read is given up.
    max_pages: Option<Number>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct PortMapping {
    /// jq to an array in the record: an entity for each of its items.
    items_to_parse: Option<Text>,
    /// What an item is called in expressions; `item` unless set.
    items_to_parse_name: Option<Text>,
    /// Whether the array is taken out of the record; true unless set.
    items_to_parse_top_level_transform: Option<Switch>,
    /// The entity.
    entity: EntityFile,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct EntityFile {
    /// Its parts, each jq over the record.
    mappings: Mappings,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Mappings {
    /// jq to what identifies the record, or a search query.
    identifier: OrObject,
    /// jq to the blueprint, such as '"user"'.
    blueprint: Text,
    /// jq to the title.
    title: Option<Text>,
    /// jq to the icon.
    icon: Option<Text>,
    /// jq to the team or teams, or a search query.
    team: Option<OrObject>,
    /// jq to each property.
    properties: Option<Names<Text>>,
    /// jq to the identifier or identifiers of each relation, or a search query.
    relations: Option<Names<OrObject>>,
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::{Value, json};

    use crate::Config;
    use crate::config::fields::known;
    use crate::config::notice::Findings;
    use crate::config::spelling::snake_case;
    use crate::config::{auth, auth_oauth2};

    type Keys = BTreeMap<String, BTreeSet<String>>;

    /// Every object that a configuration can hold.
    fn connection() -> Value {
        let settings = json!({
            "retry": {"attempts": 3},
            "onStatus": {"404": "empty"},
            "credentials": {"a": login(), "b": keys()},
        });
        json!({
            "baseUrl": "https://api.example.com",
            "port": {"clientId": "x"},
            "eventListener": {"type": "ONCE"},
            "shard": {"index": 0, "count": 2},
            "integration": {
                "identifier": "x", "config": settings, "secrets": {"apiToken": "x"}, "eventListener": {"type": "ONCE"},
            },
        })
    }

    fn login() -> Value {
        json!({
            "authType": "custom",
            "customAuthRequest": {"endpoint": "/login"},
            "customAuthRequestTemplate": {"headers": {"Authorization": "Bearer {{.token}}"}},
        })
    }

    fn keys() -> Value {
        json!({"authType": "api_key", "apiKeys": [{"name": "X-Key", "key": "x"}]})
    }

    fn mapping() -> Value {
        json!({"resources": [{
            "kind": "/a/{id}/b",
            "selector": {
                "onStatus": {"404": "empty"},
                "pagination": {"type": "page"},
                "embedded": {"data_path": ".b"},
                "auth": login(),
                "path_parameters": {
                    "id": {
                        "auth": keys(),
                        "endpoint": "/a", "field": ".id", "pagination": {"type": "page"}, "onStatus": {"404": "empty"},
                        "include": {"__name": ".name"}, "embedded": {"data_path": ".as", "of": "region"},
                    },
                    "region": {"endpoint": "/regions", "field": ".id"},
                    "fixed": {"values": ["eu", 1], "batch": 2},
                    "window": {"from": "2024-01-01", "step": "1d"},
                },
                "query_params": {"q": "{region}{fixed}{window}"},
            },
            "port": {"entity": {"mappings": {
                "identifier": ".id", "blueprint": "\"b\"", "properties": {"a": ".a"}, "relations": {"r": ".r"},
            }}},
        }, {
            "kind": "api_resource",
            "selector": {"query": {"endpoint": "/old"}},
            "port": {"entity": {"mappings": {"identifier": ".id", "blueprint": "\"b\""}}},
        }]})
    }

    /// What the loader asks for, by the path of the object.
    fn asked(path: impl Fn(&str) -> Option<String>) -> Keys {
        let mut keys = Keys::new();
        for (place, names) in known::keys() {
            if let Some(path) = path(&place) {
                let names = names.iter().map(ToString::to_string);
                keys.entry(path).or_default().extend(names);
            }
        }
        keys
    }

    /// What a schema knows, without the twins in snake_case.
    fn in_schema(schema: &Value) -> Keys {
        fn walk(schema: &Value, path: &str, keys: &mut Keys) {
            for branch in schema["anyOf"].as_array().into_iter().flatten() {
                walk(branch, path, keys);
            }
            if schema["items"].is_object() {
                walk(&schema["items"], &format!("{path}[]"), keys);
            }
            if schema["additionalProperties"].is_object() {
                keys.entry(path.to_owned()).or_default().insert("*".into());
                walk(&schema["additionalProperties"], &format!("{path}.*"), keys);
            }
            let Some(properties) = schema["properties"].as_object() else {
                return;
            };
            for (name, property) in properties {
                let is_twin = properties
                    .keys()
                    .any(|other| other != name && snake_case(other) == *name);
                if !is_twin {
                    keys.entry(path.to_owned())
                        .or_default()
                        .insert(name.clone());
                    let below = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    walk(property, &below, keys);
                }
            }
        }
        let mut keys = Keys::new();
        walk(schema, "", &mut keys);
        keys
    }

    fn problems(schema: &Value, instance: &Value) -> Vec<String> {
        let validator = jsonschema::validator_for(schema).unwrap();
        validator
            .iter_errors(instance)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    /// A YAML file of the repository as JSON.
    fn yaml(path: &str) -> Value {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let text = std::fs::read_to_string(root.join(path)).unwrap();
        let mut findings = Findings::default();
        crate::config::yaml::parse(path, &text, &mut findings)
            .unwrap()
            .to_json()
    }

    #[test]
    fn the_files_of_this_repository_are_valid() {
        let none = Vec::<String>::new();
        for path in [
            "examples/quickstart/connection.yaml",
            "tests/real/github/config.yml",
            "tests/real/oauth/config.yml",
            "tests/real/port/config.yml",
            "tests/real/registry/config.yml",
        ] {
            assert_eq!(problems(&super::connection(), &yaml(path)), none, "{path}");
        }
        for path in [
            "examples/quickstart/mapping.yaml",
            "tests/real/github/mapping.yml",
            "tests/real/oauth/mapping.yml",
            "tests/real/oauth/several.yml",
            "tests/real/port/mapping.yml",
            "tests/real/registry/mapping.yml",
            "tests/real/registry/untagged-accepted.yml",
        ] {
            assert_eq!(problems(&super::mapping(), &yaml(path)), none, "{path}");
        }
        assert_eq!(problems(&super::connection(), &connection()), none);
        assert_eq!(problems(&super::mapping(), &mapping()), none);
    }

    #[test]
    fn spellings_of_users_are_valid() {
        for settings in [
            json!({"baseUrl": "https://h", "pageSize": "100", "verifySsl": "false", "timeout": 2.5}),
            json!({"base_url": "https://h", "page_size": 100, "max_concurrent_requests": 3}),
            json!({"baseUrl": "https://h", "preset": "github"}),
            json!({"customHeaders": "{\"X-A\": \"b\"}", "allowedOrigins": "https://a, https://b"}),
            json!({"customHeaders": {"X-Version": 2}, "allowedOrigins": ["https://a"]}),
            json!({"integration": {"config": {"baseUrl": "https://h"}, "secrets": {"apiToken": "x"}}}),
            json!({"onStatus": {"404": "empty", "409": "retry"}, "retry": {"base": 0.5}, "nextLinkOrigin": "rebase", "rateLimitReset": "epochMilliseconds"}),
        ] {
            assert_eq!(
                problems(&super::connection(), &settings),
                Vec::<String>::new(),
                "{settings}"
            );
        }
    }

    #[test]
    fn what_the_loader_refuses_is_marked() {
        for settings in [
            json!({"baseUrl": "https://h", "pageSze": 10}),
            json!({"authType": "bearer"}),
            json!({"paginationType": "skip_token"}),
            json!({"preset": "githab"}),
            json!({"onStatus": {"404": "ignore"}}),
            json!({"retry": {"tries": 3}}),
            json!({"customHeaders": ["a"]}),
        ] {
            assert_ne!(
                problems(&super::connection(), &settings),
                Vec::<String>::new(),
                "{settings}"
            );
        }
        let resource = |of: &dyn Fn(&mut Value)| {
            let mut mapping = mapping();
            of(&mut mapping["resources"][0]);
            mapping
        };
        for mapping in [
            json!({}),
            resource(&|resource| resource["selector"]["paginaton"] = json!({})),
            resource(&|resource| {
                resource["port"]["entity"]["mappings"]["identifier"] = json!(["a"])
            }),
            resource(&|resource| {
                resource["selector"]["path_parameters"]["id"]
                    .as_object_mut()
                    .unwrap()
                    .remove("field");
            }),
            resource(&|resource| {
                resource.as_object_mut().unwrap().remove("kind");
            }),
        ] {
            assert_ne!(
                problems(&super::mapping(), &mapping),
                Vec::<String>::new(),
                "{mapping}"
            );
        }
    }

    #[test]
    fn the_schema_knows_the_words_of_the_loader() {
        let validator = jsonschema::validator_for(&super::connection()).unwrap();
        for (key, words) in [
            ("authType", auth::TYPES.known),
            ("apiKeyIn", auth::PLACES.known),
            ("grantType", auth_oauth2::GRANTS.known),
            ("clientAuth", auth_oauth2::CLIENT_AUTHS.known),
            ("signingAlgorithm", auth_oauth2::ALGORITHMS.known),
        ] {
            for word in words {
                let settings = json!({"baseUrl": "https://h", key: word});
                assert!(validator.is_valid(&settings), "{settings}");
            }
        }
    }

    /// Every key of a credential, also those of its objects, stands between backquotes in the README.
    #[test]
    fn the_readme_has_every_key_of_a_credential() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
        let rows = readme.lines().filter(|line| line.starts_with("| `"));
        let words: BTreeSet<String> = rows
            .flat_map(|row| row.split('`').skip(1).step_by(2))
            .flat_map(|code| code.split(|c: char| !c.is_ascii_alphanumeric()))
            .map(str::to_owned)
            .collect();
        let credential = super::generate::<super::Credential>();
        let missing: Vec<_> = in_schema(&credential)
            .into_iter()
            .flat_map(|(path, keys)| keys.into_iter().map(move |key| format!("{path}.{key}")))
            .filter(|path| {
                let key = path.rsplit('.').next().unwrap_or_default();
                key != "*" && !words.contains(key)
            })
            .collect();
        assert_eq!(missing, Vec::<String>::new());
    }

    /// The keys at and below a path, by what stands after it.
    fn credentials_below(path: &str, keys: &Keys) -> Keys {
        keys.iter()
            .filter_map(|(key, names)| Some((key.strip_prefix(path)?.to_owned(), names.clone())))
            .collect()
    }

    /// Without objects whose keys are anybody's, which the loader reads as values, and with a list of requests as one.
    fn keep_objects(schema: &mut Keys) {
        let open = [
            "customHeaders",
            "headers",
            "queryParams",
            "body",
            "apiKeys",
            "tokenParams",
            "tokenHeaders",
            "assertionClaims",
            "rotate[]",
        ];
        schema.retain(|path, _| {
            let last = path.rsplit('.').next().unwrap_or_default();
            !open.contains(&last) && !path.contains("customAuthRequest[]")
        });
        // The alias is an object of its own in the schema only.
        schema.retain(|path, _| !path.ends_with("customAuthResponse"));
    }

    #[test]
    fn the_schema_of_connections_has_the_keys_that_the_loader_asks_for() {
        Config::loader()
            .connection_text("c.yml", &connection().to_string())
            .load()
            .unwrap();
        let mut asked = asked(|place| {
            let place = place
                .replace("credentials.a", "credentials.*")
                .replace("credentials.b", "credentials.*")
                .replace("apiKeys[0]", "apiKeys[]");
            (!place.starts_with("OCEAN")).then_some(place)
        });
        // What may stand in `config` may stand in `secrets` and at the top as well.
        let settings = asked["integration.config"].clone();
        asked.get_mut("").unwrap().extend(settings.clone());
        asked.insert("integration.secrets".into(), settings);
        for at in ["", "integration.config.", "integration.secrets."] {
            asked.insert(
                format!("{at}retry"),
                asked["integration.config.retry"].clone(),
            );
            asked.insert(format!("{at}onStatus"), BTreeSet::from(["*".to_owned()]));
            for (path, keys) in credentials_below("integration.config.credentials", &asked) {
                asked.insert(format!("{at}credentials{path}"), keys.clone());
                // What a credential holds, the connection may hold itself.
                if let Some(inner) = path.strip_prefix(".*.") {
                    asked.insert(format!("{at}{inner}"), keys);
                }
            }
        }
        // One listener, wherever it is written.
        asked.insert(
            "integration.eventListener".into(),
            asked["eventListener"].clone(),
        );
        let mut schema = in_schema(&super::connection());
        keep_objects(&mut schema);
        assert_eq!(schema, asked);
    }

    #[test]
    fn the_schema_of_mappings_has_the_keys_that_the_loader_asks_for() {
        let config = Config::loader()
            .connection_text("c.yml", "baseUrl: https://api.example.com")
            .load()
            .unwrap();
        known::forget();
        config.with_mapping_from_port(mapping()).unwrap();
        let mut asked = asked(|place| {
            // The older form says the same again one level further down.
            let place = place
                .replace("resources[0]", "resources[]")
                .replace("resources[1]", "resources[]");
            (!place.ends_with(".query")).then(|| {
                place
                    .replace("apiKeys[0]", "apiKeys[]")
                    .replace("path_parameters.id", "pathParameters.*")
                    .replace("path_parameters.region", "pathParameters.*")
                    .replace("path_parameters.fixed", "pathParameters.*")
                    .replace("path_parameters.window", "pathParameters.*")
                    .replace("path_parameters", "pathParameters")
            })
        });
        // A credential is written alike at both places.
        let places = [
            "resources[].selector.auth",
            "resources[].selector.pathParameters.*.auth",
        ];
        let below: Vec<Keys> = places
            .iter()
            .map(|at| credentials_below(at, &asked))
            .collect();
        for at in places {
            for (path, keys) in below.iter().flatten() {
                asked.insert(format!("{at}{path}"), keys.clone());
            }
        }
        let mut schema = in_schema(&super::mapping());
        keep_objects(&mut schema);
        schema.retain(|path, _| {
            let open = ["query", "queryParams", "headers", "identifier", "team"];
            !open.iter().any(|name| path.ends_with(&format!(".{name}")))
                && !path.ends_with("relations.*")
        });
        assert_eq!(schema, asked);
    }
}
