//! Every problem of a configuration comes at once, with its place, and without secrets.

// Panicking is how a test reports.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use longshore_engine::Config;
use longshore_engine::config::{ConfigError, Loader};
use longshore_engine::paginate::Settings;

const CONNECTION: &str = "baseUrl: https://api.example.com\n";
const MAPPING: &str = r#"
resources:
  - kind: /users
    port:
      entity:
        mappings:
          identifier: .id
          blueprint: '"user"'
"#;

fn problems(loader: Loader) -> Vec<String> {
    let ConfigError { problems, .. } = loader
        .load()
        .expect_err("a configuration with problems loads");
    problems.iter().map(ToString::to_string).collect()
}

fn of_connection(text: &str) -> Vec<String> {
    problems(
        Config::loader()
            .connection_text("c.yml", text)
            .mapping_text("m.yml", MAPPING),
    )
}

fn of_mapping(text: &str) -> Vec<String> {
    problems(
        Config::loader()
            .connection_text("c.yml", CONNECTION)
            .mapping_text("m.yml", text),
    )
}

fn of_environment(variables: &[(&str, &str)]) -> Vec<String> {
    problems(Config::loader().environment(variables.iter().copied()))
}

/// Holds each text against the problems it must give, word for word.
#[track_caller]
/// `PRESETS` in what is expected stands for the names of all of them.
fn assert_problems(read: fn(&str) -> Vec<String>, table: &[(&str, &[&str])]) {
    let presets = Settings::presets().join(", ");
    for (text, expected) in table {
        let expected: Vec<String> = expected
            .iter()
            .map(|line| line.replace("PRESETS", &presets))
            .collect();
        assert_eq!(read(text), expected, "for:\n{text}");
    }
}

/// A resource with these lines in `selector`, which begin on line 4 of `m.yml`.
fn with_selector(lines: &str) -> Vec<String> {
    of_mapping(&format!(
        "resources:\n  - kind: /users\n    selector:\n{}    port: {{entity: {{mappings: {{identifier: .id, blueprint: '\"user\"'}}}}}}\n",
        lines
            .lines()
            .map(|line| format!("      {line}\n"))
            .collect::<String>()
    ))
}

#[test]
fn folders_that_are_written_and_not_there_are_problems() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a-file"), "").unwrap();
    for (written, why) in [("nowhere", "is not there"), ("a-file", "is no folder")] {
        let file = folder.path().join("c.yml");
        let text =
            format!("baseUrl: https://h\nresourcesPath: {written}\nsyncState: no/folder/state\n");
        std::fs::write(&file, text).unwrap();
        assert_eq!(
            problems(Config::loader().connection_file(&file)),
            [
                format!(
                    "{}:2: resourcesPath: {} {why}; write the folder with blueprints.json and port-app-config.yml, \
                     counted from the file that names it, or leave the setting out",
                    file.display(),
                    folder.path().join(written).display(),
                ),
                format!(
                    "{}:3: syncState: is in a directory that does not exist; make it, or write another path",
                    file.display()
                ),
            ]
        );
    }
}

/// A resource with these mappings, which begin on line 5 of `m.yml`.
fn with_mappings(lines: &str) -> Vec<String> {
    of_mapping(&format!(
        "resources:\n  - kind: /users\n    port: {{entity: {{\n      mappings: {{\n{}      }}}}}}\n",
        lines
            .lines()
            .map(|line| format!("        {line},\n"))
            .collect::<String>()
    ))
}

#[test]
fn everything_wrong_in_both_files_and_the_environment_is_one_sorted_report() {
    let problems = problems(
        Config::loader()
            .connection_text(
                "c.yml",
                "authType: bearer\npaginatonType: page\nbaseUrl: api.example.com\ntimeout: soon\n",
            )
            .mapping_text(
                "m.yml",
                r#"
entityDeletionThreshold: 90
resources:
  - kind: /users
    selector:
      query: .active ==
      query_parms: {}
    port:
      entity:
        mappings:
          identifier: .id
          blueprint: '"user"'
          properties:
            name: .name
            email: .email | nope
  - kind: /teams
    port:
      entity:
        mappings:
          blueprint: '"team"'
          properties:
            email: '.email |'
"#,
            )
            .environment([("OCEAN__INTEGRATION__CONFIG__VERIFY_SSL", "maybe")]),
    );
    let places: Vec<_> = problems
        .iter()
        .map(|problem| {
            problem
                .splitn(3, ": ")
                .take(2)
                .collect::<Vec<_>>()
                .join(": ")
        })
        .collect();
    assert_eq!(
        places,
        [
            "c.yml:1: authType",
            "c.yml:2: paginatonType",
            "c.yml:3: baseUrl",
            "c.yml:4: timeout",
            "environment: OCEAN__INTEGRATION__CONFIG__VERIFY_SSL",
            "m.yml:2: entityDeletionThreshold",
            "m.yml:6: resources[0].selector.query",
            "m.yml:7: resources[0].selector.query_parms",
            "m.yml:15: resources[0].port.entity.mappings.properties.email",
            "m.yml:20: resources[1].port.entity.mappings.identifier",
            "m.yml:22: resources[1].port.entity.mappings.properties.email",
        ]
    );
}

#[test]
fn the_report_shows_one_problem_per_line() {
    let error = Config::loader()
        .connection_text("c.yml", "timeout: 0\npageSize: none\n")
        .load()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "c.yml:1: baseUrl: is not set; write the root URL of the API, as in https://api.example.com\n\
         c.yml:1: timeout: must be a number of seconds above 0 and at most 86400\n\
         c.yml:2: pageSize: must be a whole number of at least 1"
    );
}

#[test]
fn a_refusal_keeps_the_warnings_that_may_explain_it() {
    let error = Config::loader()
        .connection_text("c.yml", "verifySsl: false\n")
        .environment([("OCEAN__INTEGRATION__CONFIG__BASEURL", "https://CANARY")])
        .load()
        .unwrap_err();
    assert_eq!((error.problems.len(), error.warnings.len()), (1, 2));
    assert_eq!(
        error.to_string(),
        "c.yml:1: baseUrl: is not set; write the root URL of the API, as in https://api.example.com\n\
         warning: c.yml:1: verifySsl: certificates are not checked: whoever is in between can read and change everything\n\
         warning: environment: OCEAN__INTEGRATION__CONFIG__BASEURL: is not known and ignored; did you mean OCEAN__INTEGRATION__CONFIG__BASE_URL?"
    );
}

#[test]
fn connection_settings_that_cannot_work() {
    assert_problems(
        of_connection,
        &[
            (
                "timeout: 5\n",
                &[
                    "c.yml:1: baseUrl: is not set; write the root URL of the API, as in https://api.example.com",
                ],
            ),
            (
                "integration:\n  identifier: x\n  config:\n    timeout: 5\n",
                &[
                    "c.yml:4: integration.config.baseUrl: is not set; write the root URL of the API, as in https://api.example.com",
                ],
            ),
            ("baseUrl: ''\n", &["c.yml:1: baseUrl: is empty"]),
            (
                "\nbaseUrl: localhost:8080\n",
                &[
                    "c.yml:2: baseUrl: must begin with https:// or http://, as in https://api.example.com",
                ],
            ),
            (
                "baseUrl: ftp://api.example.com\n",
                &[
                    "c.yml:1: baseUrl: must begin with https:// or http://, as in https://api.example.com",
                ],
            ),
            (
                "baseUrl: 'https://'\n",
                &[
                    "c.yml:1: baseUrl: not a URL; write it with its scheme, as in https://api.example.com",
                ],
            ),
            (
                "baseUrl: https://api.example.com/#users\n",
                &["c.yml:1: baseUrl: holds a `#`, and what follows it is never sent; take it out"],
            ),
            (
                "baseUrl: https://ada:secret@api.example.com\n",
                &[
                    "c.yml:1: baseUrl: the URL holds a user name or password; take them out and use authType: basic",
                ],
            ),
            (
                "baseUrl: https://h\nauthType: bearer\n",
                &[
                    "c.yml:2: authType: `bearer` is not known; did you mean `bearer_token`? (one of: none, bearer_token, api_key, basic, oauth2, custom, aws_sigv4, rotate)",
                ],
            ),
            (
                "baseUrl: https://h\nauthType: custom\ncustomAuthRequest: {endpoint: /token}\n",
                &["c.yml:2: authType: custom needs `customAuthRequestTemplate`, which is not set"],
            ),
            (
                "baseUrl: https://h\nauthType: bearer_token\n",
                &["c.yml:2: authType: bearer_token needs `apiToken`, which is not set"],
            ),
            (
                "baseUrl: https://h\nauthType: bearer_token\napiToken: ' '\n",
                &["c.yml:3: apiToken: is empty"],
            ),
            (
                "baseUrl: https://h\nauthType: api_key\napiKeyHeader: X Key\n",
                &[
                    "c.yml:2: authType: api_key needs `apiKey`, which is not set",
                    "c.yml:3: apiKeyHeader: a header name may hold letters, digits and -_.!#$%&'*+^`|~ only",
                ],
            ),
            (
                "baseUrl: https://h\nauthType: basic\n",
                &[
                    "c.yml:2: authType: basic needs `password`, which is not set (if it is meant to be empty, write `password: ''`)",
                    "c.yml:2: authType: basic needs `username`, which is not set (if it is meant to be empty, write `username: ''`)",
                ],
            ),
            (
                "baseUrl: https://h\npaginationType: skip_token\n",
                &[
                    "c.yml:2: paginationType: `skip_token` is not known; did you mean `next_link`? (one of: none, offset, page, cursor, next_link, header_link, auto)",
                ],
            ),
            (
                "baseUrl: https://h\npaginationType: github\n",
                &[
                    "c.yml:2: paginationType: `github` is a preset; write `preset: github` in place of the type",
                ],
            ),
            (
                "baseUrl: https://h\npreset: sales force\nsizeParam: p\n",
                &[
                    "c.yml:2: preset: `sales_force` is not known; did you mean `salesforce`? (one of: PRESETS)",
                ],
            ),
            (
                "baseUrl: https://h\npreset: msgraph\n",
                &[
                    "c.yml:2: preset: `msgraph` is not known; did you mean `odata`? (one of: PRESETS)",
                ],
            ),
            (
                "baseUrl: https://h\npreset: stripe\nsizeParam: starting_after\n",
                &["c.yml:3: sizeParam: is the same name as `param`, which carries the position"],
            ),
            (
                "baseUrl: https://h\nverifySsl: maybe\nmaxConcurrentRequests: 0\nstartPage: -1\n",
                &[
                    "c.yml:2: verifySsl: must be true or false (also: yes, no, on, off, 1, 0)",
                    "c.yml:3: maxConcurrentRequests: must be a whole number of at least 1",
                    "c.yml:4: startPage: must be a whole number of at least 0",
                ],
            ),
            (
                "baseUrl: https://h\neventListener: {type: POLING, interval: 0}\nscheduledResyncInterval: hourly\n",
                &[
                    "c.yml:2: eventListener.type: `POLING` is not known; did you mean `POLLING`? (one of: POLLING, ONCE)",
                    "c.yml:3: scheduledResyncInterval: must be a whole number of minutes, at most 525600, 0 for no schedule; a cron expression \
                     belongs to the scheduler that starts single passes (eventListener {\"type\": \"ONCE\"})",
                ],
            ),
            (
                "baseUrl: https://h\neventListener: {type: POLLING, intervall: 5}\nscheduledResyncInterval: 307445734561825861\nlisten: example.com:80\n",
                &[
                    "c.yml:2: eventListener.intervall: is not a known key; did you mean `interval`?",
                    "c.yml:3: scheduledResyncInterval: must be a whole number of minutes, at most 525600, 0 for no schedule; a cron expression \
                     belongs to the scheduler that starts single passes (eventListener {\"type\": \"ONCE\"})",
                    "c.yml:4: listen: must be an address and a port, such as 0.0.0.0:8000, or `none`",
                ],
            ),
            (
                "baseUrl: https://h\nshard: {index: 3, count: 3}\n",
                &[
                    "c.yml:2: shard.index: a shard's index counts from 0 to count - 1, and 3 of 3 is not one of them",
                ],
            ),
            (
                "baseUrl: https://h\neventListener: {type: Kafka, brokers: b, securityProtocol: s}\n",
                &[
                    "c.yml:2: eventListener.type: KAFKA is not supported; set eventListener to {\"type\": \"POLLING\"} to run on and ask Port for changes, or to {\"type\": \"ONCE\"} for a single pass, which a scheduler may repeat",
                ],
            ),
            (
                "timeout: 0\nintegration:\n  eventListener:\n    type: WEBHOOK\n    appHost: h\n",
                &[
                    "c.yml:1: baseUrl: is not set; write the root URL of the API, as in https://api.example.com",
                    "c.yml:1: timeout: must be a number of seconds above 0 and at most 86400",
                    "c.yml:4: integration.eventListener.type: WEBHOOK is not supported; set eventListener to {\"type\": \"POLLING\"} to run on and ask Port for changes, or to {\"type\": \"ONCE\"} for a single pass, which a scheduler may repeat",
                ],
            ),
            (
                "baseUrl: https://h\nport: {baseUrl: api.getport.io, clientID: x}\n",
                &[
                    "c.yml:2: port.baseUrl: must begin with https:// or http://, as in https://api.example.com",
                    "c.yml:2: port.clientID: is not a known key; did you mean `clientId`?",
                ],
            ),
            (
                "baseUrl: https://h\nintegration: custom\n",
                &["c.yml:2: integration: must be an object"],
            ),
        ],
    );
}

#[test]
fn unknown_keys_name_the_nearest_known_one() {
    assert_problems(
        of_connection,
        &[
            (
                "baseUrl: https://h\npaginatonType: page\nbaseurl: https://h\nxyz: 1\n",
                &[
                    "c.yml:2: paginatonType: is not a known key; did you mean `paginationType`?",
                    "c.yml:3: baseurl: is not a known key; did you mean `baseUrl`?",
                    "c.yml:4: xyz: is not a known key",
                ],
            ),
            (
                "integration:\n  config: {baseUrl: 'https://h', pageSizes: 5}\n  secret: {apiToken: x}\n",
                &[
                    "c.yml:2: integration.config.pageSizes: is not a known key; did you mean `pageSize`?",
                    "c.yml:3: integration.secret: is not a known key; did you mean `secrets`?",
                ],
            ),
        ],
    );
    assert_problems(
        with_selector,
        &[
            (
                "data_pth: .users\nqueryparams: {}",
                &[
                    "m.yml:4: resources[0].selector.data_pth: is not a known key; did you mean `data_path`?",
                    "m.yml:5: resources[0].selector.queryparams: is not a known key; did you mean `query_params`?",
                ],
            ),
            (
                "pagination: {paginationType: page, pageSize: 5}",
                &[
                    "m.yml:4: resources[0].selector.pagination.pageSize: is not a known key; did you mean `size`?",
                    "m.yml:4: resources[0].selector.pagination.paginationType: is not a known key; did you mean `type`?",
                ],
            ),
        ],
    );
}

#[test]
fn a_setting_given_twice_with_different_values_is_refused_within_one_level() {
    assert_problems(
        of_connection,
        &[
            (
                "baseUrl: https://h\nauthType: bearer_token\napiToken: one\nauthValue: two\n",
                &[
                    "c.yml:4: authValue: is given as apiToken too (line 3), with another value; keep one",
                ],
            ),
            (
                "baseUrl: https://h\nintegration:\n  config: {baseUrl: 'https://other'}\n",
                &[
                    "c.yml:1: baseUrl: is given as integration.config.baseUrl too (line 3), with another value; keep one",
                ],
            ),
            (
                "integration:\n  config: {baseUrl: 'https://h', apiKey: a, authType: api_key}\n  secrets:\n    apiKey: b\n",
                &[
                    "c.yml:4: integration.secrets.apiKey: is given as integration.config.apiKey too (line 2), with another value; keep one",
                ],
            ),
            (
                "baseUrl: https://h\npageSize: 5\npage_size: 6\n",
                &[
                    "c.yml:3: page_size: is given as pageSize too (line 2), with another value; keep one",
                ],
            ),
        ],
    );
    assert_eq!(
        of_environment(&[
            (
                "OCEAN__INTEGRATION__CONFIG",
                r#"{"baseUrl": "https://h", "pageSize": 5}"#
            ),
            ("OCEAN__INTEGRATION__CONFIG__PAGE_SIZE", "6"),
        ]),
        [
            "environment: OCEAN__INTEGRATION__CONFIG__PAGE_SIZE: is given as OCEAN__INTEGRATION__CONFIG.pageSize too, with another value; keep one"
        ]
    );
}

#[test]
fn custom_headers_that_cannot_be_sent() {
    assert_problems(
        of_connection,
        &[
            (
                "baseUrl: https://h\ncustomHeaders:\n  Host: other\n  X-A: ${UNSET_VARIABLE}\n  X-B: ${\n  X-C: \"a\\nb\"\n  X-D:\n",
                &[
                    "c.yml:3: customHeaders.Host: the header host is set by the client; remove it",
                    "c.yml:4: customHeaders.X-A: takes ${UNSET_VARIABLE} from the environment, where UNSET_VARIABLE is not set",
                    "c.yml:5: customHeaders.X-B: holds `${` without the name of a variable and `}` after it",
                    "c.yml:6: customHeaders.X-C: the value of the header x-c holds a line break (at its end, perhaps); remove it",
                    "c.yml:7: customHeaders.X-D: has no value; is a space missing after the colon?",
                ],
            ),
            (
                "baseUrl: https://h\ncustomHeaders: {x-team: a, X-Team: b}\n",
                &[
                    "c.yml:2: customHeaders.X-Team: is given twice (header names do not depend on case); keep one",
                ],
            ),
            (
                "baseUrl: https://h\ncustomHeaders: 'X-Team: a'\n",
                &["c.yml:2: customHeaders: must be an object of header names and values"],
            ),
            (
                "baseUrl: https://h\ncustomHeaders: '{\"X-Team\": }'\n",
                &[
                    "c.yml:2: customHeaders: is not valid JSON: a mistake at line 1, column 12 of the text",
                ],
            ),
        ],
    );
}

#[test]
fn without_a_file_problems_name_variables() {
    assert_eq!(
        of_environment(&[
            ("OCEAN__INTEGRATION__CONFIG__AUTH_TYPE", "basic_auth"),
            ("OCEAN__INTEGRATION__SECRETS__USERNAME", "ada")
        ]),
        [
            "environment: OCEAN__INTEGRATION__CONFIG__AUTH_TYPE: basic needs `password`, which is not set (if it is meant to be empty, write `password: ''`)",
            "environment: OCEAN__INTEGRATION__CONFIG__BASE_URL: is not set; write the root URL of the API, as in https://api.example.com",
        ]
    );
    assert_eq!(
        of_environment(&[(
            "OCEAN__INTEGRATION__CONFIG",
            r#"{"baseUrl": "https://h", "pagSize": 5"#
        )])[0],
        "environment: OCEAN__INTEGRATION__CONFIG: is not valid JSON: it ends too early at line 1, column 37 of the text",
    );
    assert_eq!(
        of_environment(&[(
            "OCEAN__INTEGRATION__CONFIG",
            r#"{"baseUrl": "https://h", "pagSize": 5}"#
        )]),
        [
            "environment: OCEAN__INTEGRATION__CONFIG.pagSize: is not a known key; did you mean `pageSize`?"
        ],
    );
}

#[test]
fn mappings_that_cannot_work() {
    assert_problems(
        of_mapping,
        &[
            (
                "deleteDependentEntities: true\n",
                &[
                    "m.yml:1: resources: is missing or empty; list what is to be read, each with its kind",
                ],
            ),
            (
                "createMissingRelatedEntities: true\nresources: []\n",
                &[
                    "m.yml:2: resources: is missing or empty; list what is to be read, each with its kind",
                ],
            ),
            (
                "resources: {kind: /users}\n",
                &["m.yml:1: resources: must be a list; begin each resource with `- kind: …`"],
            ),
            (
                "resources:\n  - /users\n",
                &["m.yml:2: resources[0]: must be an object"],
            ),
            (
                "resources:\n  - kind: /users\n",
                &[
                    "m.yml:2: resources[0].port.entity.mappings: is missing; it says at least the identifier and the blueprint",
                ],
            ),
            (
                "resources:\n  - kind: ''\n    port: {entity: {mappings: {}}}\n",
                &[
                    "m.yml:2: resources[0].kind: is empty; write the endpoint's path, such as /api/v1/users",
                    "m.yml:3: resources[0].port.entity.mappings.blueprint: is missing; write the blueprint's name in two pairs of quotes, such as '\"user\"'",
                    "m.yml:3: resources[0].port.entity.mappings.identifier: is missing; write jq to what identifies a record, such as .id",
                ],
            ),
            (
                "deleteDependentEntities: perhaps\nentityDeletionThreshold: 1.5\nallowEmpty: {user: true}\nresources:\n  - kind: /users\n    port: {entity: {mappings: {identifier: .id, blueprint: '\"user\"'}}}\n",
                &[
                    "m.yml:1: deleteDependentEntities: must be true or false (also: yes, no, on, off, 1, 0)",
                    "m.yml:2: entityDeletionThreshold: must be a number from 0 to 1",
                    "m.yml:3: allowEmpty: must be true, false, or a list of blueprints: [user, project]",
                ],
            ),
        ],
    );
}

#[test]
fn selectors_that_cannot_work() {
    assert_problems(
        with_selector,
        &[
            (
                "method: FETCH",
                &[
                    "m.yml:4: resources[0].selector.method: `FETCH` is not known (one of: GET, POST, PUT, PATCH, DELETE)",
                ],
            ),
            (
                "method: POTS",
                &[
                    "m.yml:4: resources[0].selector.method: `POTS` is not known; did you mean `POST`? (one of: GET, POST, PUT, PATCH, DELETE)",
                ],
            ),
            (
                "query_params: {a: , b: {c: d}}\nheaders: [a]",
                &[
                    "m.yml:4: resources[0].selector.query_params.a: has no value; for an empty one write '', for the word null write 'null'",
                    "m.yml:4: resources[0].selector.query_params.b: must be text, a number, true or false",
                    "m.yml:5: resources[0].selector.headers: must be an object of names and values",
                ],
            ),
            (
                "headers:\n  Content-Length: 5\n  'X Y': z",
                &[
                    "m.yml:5: resources[0].selector.headers.Content-Length: the header content-length is set by the client; remove it",
                    "m.yml:6: resources[0].selector.headers.X…: a header name may hold letters, digits and -_.!#$%&'*+^`|~ only",
                ],
            ),
            (
                "body: '{\"a\": 1'",
                &[
                    "m.yml:4: resources[0].selector.body: is not valid JSON: it ends too early at line 1, column 7 of the text",
                ],
            ),
            (
                "query: {endpoint: /x}",
                &[
                    "m.yml:4: resources[0].selector.query: must be a jq expression; an object here belongs to the older `kind: api_resource`",
                ],
            ),
            (
                "onStatus: {404: repeat, 401: retry, 500: empty, teapot: empty, 200: empty}",
                &[
                    "m.yml:4: resources[0].selector.onStatus.200: must be a status from 400 to 599, as in `404: empty`",
                    "m.yml:4: resources[0].selector.onStatus.401: cannot be repeated: credentials are renewed once, and what is refused then stays refused",
                    "m.yml:4: resources[0].selector.onStatus.404: `repeat` is not known; did you mean `retry`? (one of: empty, fail, retry)",
                    "m.yml:4: resources[0].selector.onStatus.500: cannot mean that there is nothing here; `empty` is for statuses such as 403, 404 and 410",
                    "m.yml:4: resources[0].selector.onStatus.teapot: must be a status from 400 to 599, as in `404: empty`",
                ],
            ),
            (
                "pagination: {type: pages, size: many}\nendpoint: /x",
                &[
                    "m.yml:4: resources[0].selector.pagination.size: must be a whole number of at least 1",
                    "m.yml:4: resources[0].selector.pagination.type: `pages` is not known; did you mean `page`? (one of: none, offset, page, cursor, next_link, header_link, auto)",
                    "m.yml:5: resources[0].selector.endpoint: is not a known key",
                ],
            ),
        ],
    );
}

#[test]
fn expressions_are_named_with_the_line_of_the_very_scalar() {
    let problems = of_mapping(
        r#"resources:
  - kind: /users
    selector:
      query: >-
        .a ==
      data_path: .users[
    port:
      itemsToParse: .comments |
      entity:
        mappings:
          identifier: .id |
          title: .name |
          icon: nope
          team: .team |
          blueprint: user
          properties:
            name: .name
            email: .email | ascii_downcas
          relations:
            company: .company |
            owner:
              combinator: '"and"'
              rules:
                - property: '"name"'
                  operator: '"="'
                  value: .owner |
"#,
    );
    let places: Vec<_> = problems
        .iter()
        .map(|p| p.splitn(3, ": ").take(2).collect::<Vec<_>>().join(": "))
        .collect();
    assert_eq!(
        places,
        [
            "m.yml:5: resources[0].selector.query",
            "m.yml:6: resources[0].selector.data_path",
            "m.yml:8: resources[0].port.itemsToParse",
            "m.yml:11: resources[0].port.entity.mappings.identifier",
            "m.yml:12: resources[0].port.entity.mappings.title",
            "m.yml:13: resources[0].port.entity.mappings.icon",
            "m.yml:14: resources[0].port.entity.mappings.team",
            "m.yml:15: resources[0].port.entity.mappings.blueprint",
            "m.yml:18: resources[0].port.entity.mappings.properties.email",
            "m.yml:20: resources[0].port.entity.mappings.relations.company",
            "m.yml:26: resources[0].port.entity.mappings.relations.owner.rules[0].value",
        ]
    );
}

#[test]
fn a_single_quote_that_stays_one_is_explained() {
    let hint = "; single quotes are read as double quotes only at the start or the end of a word, so write \"…\" here";
    let problems = with_mappings(
        "identifier: .id\nblueprint: (.type == 'Bug')\ntitle: \"[.x, 'y']\"\nproperties: {a: '.b == \"c'}",
    );
    let [blueprint, title, double] = problems.as_slice() else {
        panic!("{problems:?}");
    };
    assert!(
        blueprint.starts_with("m.yml:6: ") && blueprint.ends_with(hint),
        "{blueprint}"
    );
    assert!(
        title.starts_with("m.yml:7: ") && title.ends_with(hint),
        "{title}"
    );
    assert!(
        double.contains("no closing quote") && !double.contains("single"),
        "{double}"
    );
}

#[test]
fn expressions_must_be_text_with_something_in_it() {
    assert_problems(
        with_mappings,
        &[(
            "identifier: [.id]\nblueprint: {a: b}\nproperties: {a: '', b: {c: .d}, e: }",
            &[
                "m.yml:5: resources[0].port.entity.mappings.identifier: must be a jq expression; an object is written as one too: '{name: .name}'",
                "m.yml:6: resources[0].port.entity.mappings.blueprint: must be a jq expression; an object is written as one too: '{name: .name}'",
                "m.yml:7: resources[0].port.entity.mappings.properties.a: is empty; write a jq expression, or remove the line",
                "m.yml:7: resources[0].port.entity.mappings.properties.b: must be a jq expression; an object is written as one too: '{name: .name}'",
                "m.yml:7: resources[0].port.entity.mappings.properties.e: is empty; write a jq expression, or remove the line",
            ],
        )],
    );
}

#[test]
fn a_kind_or_endpoint_is_a_path_below_the_base_url() {
    for (path, expected) in [
        (
            "http://evil.example/users?key=CANARY",
            "is a whole URL; write the path only, the host stands in baseUrl",
        ),
        (
            "//evil.example/users",
            "begins with two slashes, so it is a whole URL; write the path only, with one slash, the host stands in baseUrl",
        ),
        (
            "/../admin",
            "holds `.` or `..` as a segment; write the path without",
        ),
        (
            "users/%2e%2E",
            "holds `.` or `..` as a segment; write the path without",
        ),
    ] {
        let entity = "port: {entity: {mappings: {identifier: .id, blueprint: '\"c\"'}}}";
        assert_eq!(
            of_mapping(&format!(
                "resources:\n  - kind: {path}\n    {entity}\n  - kind: /t/{{id}}/c\n    selector: {{path_parameters: {{id: {{\n      endpoint: '{path}', field: .id}}}}}}\n    {entity}\n"
            )),
            [
                format!("m.yml:2: resources[0].kind: {expected}"),
                format!("m.yml:6: resources[1].selector.path_parameters.id.endpoint: {expected}"),
            ]
        );
    }
    let plain = MAPPING.replace("/users", "users");
    let config = Config::loader()
        .connection_text("c.yml", CONNECTION)
        .mapping_text("m.yml", &plain)
        .load()
        .unwrap();
    assert_eq!(config.mapping.unwrap().resources[0].kind(), "users");
}

#[test]
fn path_parameters_are_defined_used_and_complete() {
    let nested = |kind: &str, parameters: &str| {
        of_mapping(&format!(
            "resources:\n  - kind: {kind}\n    selector:\n      path_parameters:\n{}    port: {{entity: {{mappings: {{identifier: .id, blueprint: '\"c\"'}}}}}}\n",
            parameters
                .lines()
                .map(|line| format!("        {line}\n"))
                .collect::<String>()
        ))
    };
    assert_eq!(
        nested("/t/{id}/c", "other: {endpoint: /t, field: .id}"),
        [
            "m.yml:2: resources[0].kind: the path holds {id} but nothing says where its values come from; add selector.path_parameters.id with endpoint and field",
            "m.yml:5: resources[0].selector.path_parameters.other: is not used: the kind holds no {other}, nor do query_params, headers, body or the list of another parameter",
        ]
    );
    assert_eq!(
        nested(
            "/t/{id}/c",
            "other: {endpoint: /t, field: .id}\nmore: {endpoint: /t, field: .id |}"
        )
        .len(),
        4,
        "a broken expression hides nothing else"
    );
    assert_eq!(
        nested("/t/{id}/c", "id: {data_path: .t}"),
        [
            "m.yml:5: resources[0].selector.path_parameters.id.endpoint: is missing; write the path of the list that the values come from",
            "m.yml:5: resources[0].selector.path_parameters.id.field: is missing; write jq to the value in each record of the list, such as .id",
        ]
    );
    let places: Vec<String> = nested(
        "/t/{id}/c",
        "id:\n  endpoint: /t\n  field: .id |\n  filter: nope\n  data_path: .[\n  fields: x",
    )
    .iter()
    .map(|p| p.splitn(3, ": ").take(2).collect::<Vec<_>>().join(": "))
    .collect();
    assert_eq!(
        places,
        [
            "m.yml:7: resources[0].selector.path_parameters.id.field",
            "m.yml:8: resources[0].selector.path_parameters.id.filter",
            "m.yml:9: resources[0].selector.path_parameters.id.data_path",
            "m.yml:10: resources[0].selector.path_parameters.id.fields",
        ]
    );
}

#[test]
fn paths_are_given_as_the_user_spells_them() {
    let problems = of_mapping(
        "resources:\n  - kind: /t/{id}\n    selector:\n      dataPath: .[\n      pathParameters: {id: {endpoint: /t, field: .id, dataPath: nope}}\n    port: {items_to_parse: nope, entity: {mappings: {identifier: .id, blueprint: '\"c\"'}}}\n",
    );
    let paths: Vec<_> = problems
        .iter()
        .map(|p| p.split(": ").nth(1).unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "resources[0].selector.dataPath",
            "resources[0].selector.pathParameters.id.dataPath",
            "resources[0].port.items_to_parse",
        ]
    );
}

#[test]
fn text_that_is_no_configuration() {
    assert_problems(
        of_connection,
        &[
            ("", &["c.yml: is empty"]),
            ("# nothing yet\n", &["c.yml: is empty"]),
            ("- baseUrl\n", &["c.yml:1: must be an object"]),
            (
                "baseUrl: https://h\n---\nbaseUrl: https://i\n",
                &["c.yml:2: a second document begins here; a file holds one"],
            ),
            (
                "baseUrl: https://h\ntimeout: 5\nbaseUrl: https://h\n",
                &["c.yml:3: baseUrl: is written twice, first on line 1; keep one"],
            ),
            (
                "baseUrl: https://h\napiToken: a: b\n",
                &[
                    "c.yml:2: is not valid YAML: mapping values are not allowed in this context (column 12); put values that hold `: ` in quotes",
                ],
            ),
            (
                "baseUrl: https://h\napiToken: @abc\n",
                &[
                    "c.yml:2: is not valid YAML: a character that cannot begin a value (column 11); put values that begin with @, ` or % in quotes",
                ],
            ),
            (
                "baseUrl: !ruby/object https://h\n",
                &["c.yml:1: baseUrl: has a YAML tag that means nothing here; remove it"],
            ),
            (
                "baseUrl: https://h\n? [a, b]\n: c\n",
                &["c.yml:2: has a key that is no text"],
            ),
            (
                "baseUrl: https://h\n<<: text\n",
                &["c.yml:2: <<: a merge key takes an object or a list of objects"],
            ),
        ],
    );
}

#[test]
fn aliases_and_nesting_have_an_end() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert_eq!(of_connection(&bomb).len(), 1);
    assert!(of_connection(&bomb)[0].ends_with("aliases expand to more than 10000 parts"));

    let deep = format!("customHeaders: {}{}\n", "[".repeat(150), "]".repeat(150));
    assert!(
        of_connection(&deep)[0].ends_with("is nested deeper than 100 levels"),
        "{:?}",
        of_connection(&deep)
    );
    let deeper = "- ".repeat(20_000);
    assert_eq!(of_connection(&deeper).len(), 1);

    let own = of_connection("baseUrl: https://h\ncustomHeaders: &a {x: *a}\n");
    assert_eq!(own.len(), 1);
    assert!(own[0].starts_with("c.yml:2: "), "{own:?}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let not_utf8 = directory.path().join("c.yml");
    std::fs::write(&not_utf8, b"baseUrl: https://h\n# caf\xe9\n").unwrap();
    let missing = directory.path().join("missing.yml");
    assert_eq!(
        problems(
            Config::loader()
                .connection_file(&not_utf8)
                .mapping_file(&missing)
        ),
        [
            format!(
                "{}:2: is not UTF-8; save the file as UTF-8",
                not_utf8.display()
            ),
            format!(
                "{}: cannot be read: there is no such file",
                missing.display()
            ),
        ]
    );
    assert_eq!(
        problems(Config::loader().connection_file(directory.path())),
        [format!(
            "{}: cannot be read: it is a directory",
            directory.path().display()
        )]
    );
}

/// Canaries in every place that may hold a secret, each with something wrong beside or in it.
#[test]
fn no_problem_shows_a_secret_or_the_text_around_it() {
    let connections = [
        "baseUrl: https://h/CANARY?key=CANARY#CANARY\n",
        "baseUrl: https://CANARY:CANARY@h?key=CANARY\n",
        "baseUrl: CANARY://h?key=CANARY\n",
        "baseUrl: CANARY:CANARY@h\n",
        "baseUrl: 'https://[CANARY'\n",
        "baseUrl: https://h\nauthType: bearer_token\napiToken: \"CANARY\\nCANARY\"\n",
        "baseUrl: https://h\nauthType: api_key\napiKey: \"CANARY\\r\\nX: CANARY\"\n",
        "baseUrl: https://h\nauthType: basic\nusername: 'CANARY:CANARY'\npassword: CANARY\n",
        "baseUrl: https://h\nauthType: CANARY_CANARY_CANARY_CANARY\n",
        "baseUrl: https://h\nauthType: bearer_token\napiToken: CANARY\nauthValue: CANARY2\n",
        "baseUrl: https://h\napiToken:CANARY\ntimeout: 5\n",
        "{baseUrl: https://h, CANARY}\n",
        "{baseUrl: https://h, \"CANARY\"}\n",
        "{baseUrl: https://h, ? CANARY}\n",
        "baseUrl: https://h\ncustomHeaders: {CANARY}\n",
        "baseUrl: https://h\nport: &a {CANARY}\neventListener: *a\nintegration: {config: {<<: *a}}\n",
        "{baseUrl: https://h, apiToken:CANARY}\n",
        "{baseUrl: https://h, apiToken=CANARY}\n",
        "{baseUrl: https://h, apiToken CANARY}\n",
        "baseUrl: https://h\napiToken: CANARY: CANARY\n",
        "baseUrl: https://h\napiToken: 'CANARY\n",
        "baseUrl: https://h\napiToken: [CANARY\n",
        "baseUrl: https://h\nauthType: bearer_token\napiToken: [CANARY]\n",
        "baseUrl: https://h\ncustomHeaders: {Authorization:CANARY}\n",
        "baseUrl: https://h\ncustomHeaders: {Authorization: \"CANARY\\n\"}\n",
        "baseUrl: https://h\ncustomHeaders: {'Authorization: Bearer CANARY': ''}\n",
        "baseUrl: https://h\ncustomHeaders: '{\"Authorization\": CANARY}'\n",
        "baseUrl: https://h\ncustomHeaders: 'Authorization: CANARY'\n",
        "baseUrl: https://h\ncustomHeaders: {X-A: '${CANARY CANARY}', X-B: 'CANARY ${UNSET}'}\n",
        "baseUrl: https://h\ntimeout: CANARY\npageSize: CANARY\nverifySsl: CANARY\nstartPage: CANARY\n",
        "baseUrl: https://h\nport: {clientSecret: [CANARY], baseUrl: 'https://CANARY:CANARY@h'}\n",
    ];
    for text in connections {
        let error = Config::loader()
            .connection_text("c.yml", text)
            .load()
            .unwrap_err();
        let shown = format!("{error}\n{error:?}").to_lowercase();
        assert!(!shown.contains("canary"), "{text}\ngives\n{error}");
    }

    let mapping = |selector: &str| {
        format!(
            "resources:\n  - kind: /users?key=CANARY\n    selector: {selector}\n    port: {{entity: {{mappings: {{identifier: nope, blueprint: '\"user\"'}}}}}}\n"
        )
    };
    for selector in [
        "{headers: {Authorization: \"CANARY\\n\", Host: CANARY}}",
        "{headers: {Authorization:CANARY}}",
        "{body: '{\"token\": CANARY}'}",
        "{body: CANARY}",
        "{query_params: {token: [[CANARY]]}}",
        "{query_params: CANARY}",
        "{method: CANARYCANARYCANARYCANARY}",
    ] {
        let error = Config::loader()
            .connection_text("c.yml", CONNECTION)
            .mapping_text("m.yml", &mapping(selector))
            .load()
            .unwrap_err();
        let shown = format!("{error}\n{error:?}");
        assert!(!shown.contains("CANARY"), "{selector}\ngives\n{error}");
    }

    let error = Config::loader()
        .environment([
            ("OCEAN__INTEGRATION__CONFIG", "{\"apiToken\": CANARY}"),
            ("OCEAN__INTEGRATION__CONFIG__CUSTOM_HEADERS", "CANARY"),
            ("OCEAN__INTEGRATION__CONFIG__TIMEOUT", "CANARY"),
        ])
        .load()
        .unwrap_err();
    assert_eq!(error.problems.len(), 4, "{error}");
    assert!(!format!("{error}\n{error:?}").contains("CANARY"), "{error}");
}

#[test]
fn a_configuration_that_loads_shows_no_secret_either() {
    let config = Config::loader()
        .connection_text(
            "c.yml",
            "baseUrl: https://h/api?apiKey=CANARY\nauthType: basic\nusername: CANARY\npassword: CANARY\ncustomHeaders: {X-Key: CANARY}\nport: {clientSecret: CANARY}\napiToken: CANARY\nverifySsl: no\n",
        )
        .load()
        .unwrap();
    assert_eq!(config.warnings.len(), 2);
    assert!(
        !format!("{config:?} {config:#?}").contains("CANARY"),
        "{config:?}"
    );
}

/// Any text gives a configuration or problems: never a panic, never an error without a problem, never a value that may be secret.
#[test]
fn broken_text_is_a_problem_and_nothing_worse() {
    let good = format!(
        "integration:\n  config: &c {{baseUrl: 'https://h/?k=CANARY', <<: {{timeout: 5}}}}\n  secrets: {{apiToken: \"CANARY\"}}\n\
         authType: bearer_token\ncustomHeaders: '{{\"X\": \"CANARY\\ud83d\\ude00\"}}'\neventListener: !!map\n  type: |\n    ONCE\n{MAPPING}"
    );
    let noise: Vec<char> = "{}[]:,\"'&*!|>-#%@`\\?~<$ \t\n\r\u{feff}é0\0"
        .chars()
        .collect();
    let rounds = std::env::var("CONFIG_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(400);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut refused = 0;
    for _ in 0..rounds {
        let mut text: Vec<char> = good.chars().collect();
        for _ in 0..=random(3) {
            let at = random(text.len().max(1));
            match if text.is_empty() { 0 } else { random(4) } {
                0 => text.insert(at, noise[random(noise.len())]),
                1 => text[at] = noise[random(noise.len())],
                2 => drop(text.remove(at)),
                _ => text.truncate(at + 1),
            }
        }
        let text: String = text.into_iter().collect();
        let loader = Config::loader()
            .connection_text("c.yml", &text)
            .mapping_text("m.yml", &text);
        if let Err(error) = loader.load() {
            refused += 1;
            assert!(!error.problems.is_empty(), "{text}");
            let shown = error.to_string();
            assert_eq!(
                shown.lines().count(),
                error.problems.len() + error.warnings.len(),
                "{text}\ngives\n{shown}"
            );
            assert!(!shown.contains("CANARY"), "{text}\ngives\n{shown}");
        }
    }
    assert!(refused > rounds / 2, "{refused} of {rounds} refused");
}

#[test]
fn transport_settings_that_cannot_work() {
    assert_problems(
        of_connection,
        &[
            (
                "baseUrl: https://h\nretry: {attempts: 0, base: -1, tries: 3}\nmaxBodyBytes: much\n",
                &[
                    "c.yml:2: retry.attempts: must be a whole number of at least 1",
                    "c.yml:2: retry.base: must be a number of seconds above 0 and at most 86400",
                    "c.yml:2: retry.tries: is not a known key",
                    "c.yml:3: maxBodyBytes: must be a whole number of at least 1",
                ],
            ),
            (
                "baseUrl: https://h\nrequestsPerSecond: 0\nrequestsPerMinute: fast\n",
                &[
                    "c.yml:2: requestsPerSecond: a quota must be a number from one request a day to 10^9 a second",
                    "c.yml:3: requestsPerMinute: cannot stand beside requestsPerSecond; keep one",
                    "c.yml:3: requestsPerMinute: must be a number",
                ],
            ),
            (
                "baseUrl: https://h\nrequestBurst: 5\n",
                &[
                    "c.yml:2: requestBurst: says nothing without requestsPerSecond or requestsPerMinute",
                ],
            ),
            (
                "baseUrl: https://h\nallowedOrigins: [https://a.example/path, b.example]\nnextLinkOrigin: rewrite\n",
                &[
                    "c.yml:2: allowedOrigins[0]: only scheme, host and port count; write it without a path, as in https://api.example.com",
                    "c.yml:2: allowedOrigins[1]: not a URL; write it with its scheme, as in https://api.example.com",
                    "c.yml:3: nextLinkOrigin: `rewrite` is not known; did you mean `rebase`? (one of: strict, rebase)",
                ],
            ),
            (
                "baseUrl: https://h\nrateLimitReset: unix\n",
                &[
                    "c.yml:2: rateLimitReset: `unix` is not known; did you mean `epoch`? (one of: auto, seconds, epoch, epochMilliseconds)",
                ],
            ),
            (
                "baseUrl: https://h\nproxy: socks5://user:pw@proxy\n",
                &[
                    "c.yml:2: proxy: proxy must be an http:// or https:// URL, as in http://proxy.example:3128",
                ],
            ),
            (
                "baseUrl: https://h\nproxy: http://proxy:3128\ndenyPrivateAddresses: true\n",
                &[
                    "c.yml:3: denyPrivateAddresses: cannot hold behind a proxy, which resolves names by itself; set this or proxy",
                ],
            ),
            (
                "baseUrl: https://h\nonStatus: {404: skip, 200: empty, 429: empty}\nsuccessWhen: .ok ==\nretryWhen: ''\n",
                &[
                    "c.yml:2: onStatus.200: must be a status from 400 to 599, as in `404: empty`",
                    "c.yml:2: onStatus.404: `skip` is not known; did you mean `empty`? (one of: empty, fail, retry)",
                    "c.yml:2: onStatus.429: cannot mean that there is nothing here; `empty` is for statuses such as 403, 404 and 410",
                    "c.yml:3: successWhen: expected a value or a path, found the end (at character 7)",
                    "c.yml:4: retryWhen: is empty; write a jq expression, or remove the line",
                ],
            ),
        ],
    );
}

#[test]
fn rules_of_a_list_that_cannot_work() {
    for (lines, problem) in [
        (
            "successWhen: '.ok ='",
            "m.yml:4: resources[0].selector.successWhen: ",
        ),
        (
            "retry_when: '.['",
            "m.yml:4: resources[0].selector.retry_when: ",
        ),
    ] {
        let problems = with_selector(lines);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(problem), "{problems:?}");
    }
}
