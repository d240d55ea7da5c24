//! Every connection setting in every spelling, from file and environment, and which of them wins.

// Panicking is how a test reports.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use longshore_engine::config::{AuthSettings, Connection, Listener};
use longshore_engine::paginate::{Settings, Style};
use longshore_engine::transport::{Origin, Quota, ResetUnit, RetryBudget, RetryPolicy};
use longshore_engine::{AnswerRules, Config, NextLinkOrigin, StatusAction};
use secrecy::ExposeSecret;

fn from_file(text: &str) -> Config {
    match Config::loader().connection_text("c.yml", text).load() {
        Ok(config) => config,
        Err(error) => panic!("{text}\ngives\n{error}"),
    }
}

fn from_environment(variables: &[(&str, &str)]) -> Config {
    match Config::loader()
        .environment(variables.iter().copied())
        .load()
    {
        Ok(config) => config,
        Err(error) => panic!("{variables:?}\ngives\n{error}"),
    }
}

fn token(connection: &Connection) -> &str {
    match &connection.auth {
        AuthSettings::BearerToken(token) => token.expose_secret(),
        other => panic!("{other:?} is no bearer token"),
    }
}

type Check = fn(&Connection) -> bool;

/// Every row of the table of connection settings, in camelCase, with a value that is not the default. Rows may need others beside them.
const ROWS: &[(&[(&str, &str)], Check)] = &[
    (&[], |c| c.base_url.as_str() == "https://h/api?apiKey=K"),
    (&[("authType", "none")], |c| {
        matches!(c.auth, AuthSettings::None)
    }),
    (&[("authType", "bearer_token"), ("apiToken", "T")], |c| {
        token(c) == "T"
    }),
    (&[("authType", "bearer_token"), ("authValue", "T")], |c| {
        token(c) == "T"
    }),
    (
        &[("authType", "api_key"), ("apiKey", "K")],
        |c| matches!(&c.auth, AuthSettings::ApiKey { header, key } if header == "X-API-Key" && key.expose_secret() == "K"),
    ),
    (
        &[
            ("authType", "api_key"),
            ("apiKey", "K"),
            ("apiKeyHeader", "X-Team-Key"),
        ],
        |c| matches!(&c.auth, AuthSettings::ApiKey { header, .. } if header == "X-Team-Key"),
    ),
    (
        &[
            ("authType", "basic"),
            ("username", "ada"),
            ("password", "p"),
        ],
        |c| matches!(&c.auth, AuthSettings::Basic { username, password } if username == "ada" && password.expose_secret() == "p"),
    ),
    (
        &[
            ("authType", "basic_auth"),
            ("username", "ada"),
            ("password", "p"),
        ],
        |c| matches!(c.auth, AuthSettings::Basic { .. }),
    ),
    (&[("customHeaders", r#"{"X-Team": "payments"}"#)], |c| {
        c.custom_headers["x-team"] == "payments" && c.custom_headers["x-team"].is_sensitive()
    }),
    (&[("paginationType", "offset")], |c| {
        c.pagination.style == Some(Style::Offset)
    }),
    (&[("preset", "spring")], |c| {
        c.pagination == Settings::preset("spring").unwrap()
    }),
    (
        &[
            ("preset", "Azure-DevOps"),
            ("pageSize", "7"),
            ("cursorParam", "from"),
        ],
        |c| {
            let own = Settings {
                size: Some(7),
                param: Some("from".to_owned()),
                ..Settings::default()
            };
            c.pagination == own.or(&Settings::preset("azure_devops").unwrap())
        },
    ),
    (&[("paginationType", "next_link")], |c| {
        c.pagination.style == Some(Style::NextLink)
    }),
    (&[("paginationType", "page"), ("pageSize", "50")], |c| {
        c.pagination.size == Some(50)
    }),
    (
        &[("paginationType", "page"), ("paginationParam", "p")],
        |c| c.pagination.param.as_deref() == Some("p"),
    ),
    (
        &[("paginationType", "offset"), ("offsetParam", "skip")],
        |c| c.pagination.param.as_deref() == Some("skip"),
    ),
    (&[("paginationType", "page"), ("pageParam", "p")], |c| {
        c.pagination.param.as_deref() == Some("p")
    }),
    (
        &[("paginationType", "cursor"), ("cursorParam", "after")],
        |c| c.pagination.param.as_deref() == Some("after"),
    ),
    (
        &[("paginationType", "page"), ("sizeParam", "per_page")],
        |c| c.pagination.size_param.as_deref() == Some("per_page"),
    ),
    (
        &[("paginationType", "cursor"), ("limitParam", "max")],
        |c| c.pagination.size_param.as_deref() == Some("max"),
    ),
    (&[("paginationType", "page"), ("startPage", "0")], |c| {
        c.pagination.start_page == Some(0)
    }),
    (
        &[
            ("paginationType", "cursor"),
            ("cursorPath", "meta.after_cursor"),
        ],
        |c| c.pagination.cursor_path.as_deref() == Some("meta.after_cursor"),
    ),
    (
        &[
            ("paginationType", "cursor"),
            ("hasMorePath", "meta.has_more"),
        ],
        |c| c.pagination.has_more_path.as_deref() == Some("meta.has_more"),
    ),
    (
        &[("paginationType", "page"), ("lastPagePath", "last")],
        |c| c.pagination.last_page_path.as_deref() == Some("last"),
    ),
    (
        &[
            ("paginationType", "next_link"),
            ("nextLinkPath", "links.next"),
        ],
        |c| c.pagination.next_link_path.as_deref() == Some("links.next"),
    ),
    (
        &[
            ("paginationType", "header_link"),
            ("headerLinkRel", "following"),
        ],
        |c| c.pagination.header_link_rel.as_deref() == Some("following"),
    ),
    (
        &[("paginationType", "page"), ("totalPath", "meta.total")],
        |c| c.pagination.total_path.as_deref() == Some("meta.total"),
    ),
    (&[("paginationType", "page"), ("stopWhen", ".done")], |c| {
        c.pagination.stop_when.as_deref() == Some(".done")
    }),
    (&[("paginationType", "page"), ("maxPages", "7")], |c| {
        c.pagination.max_pages == Some(7)
    }),
    (
        &[("paginationType", "cursor"), ("endWhenAbsent", "yes")],
        |c| c.pagination.end_when_absent == Some(true),
    ),
    (&[("timeout", "60")], |c| {
        c.timeout == Duration::from_secs(60)
    }),
    (&[("timeout", "0.5")], |c| {
        c.timeout == Duration::from_millis(500)
    }),
    (&[("verifySsl", "false")], |c| !c.verify_tls),
    (&[("maxConcurrentRequests", "3")], |c| {
        c.max_concurrent_requests == 3
    }),
    (&[("maxBodyBytes", "1024")], |c| c.max_body_bytes == 1024),
    (
        &[(
            "retry",
            r#"{"attempts": 3, "base": 0.5, "cap": "60", "budget": 100}"#,
        )],
        |c| {
            let budget = RetryBudget::new(100);
            c.retry
                == RetryPolicy::default()
                    .attempts(3)
                    .base(Duration::from_millis(500))
                    .cap(Duration::from_secs(60))
                    .budget(Some(budget))
        },
    ),
    (&[("requestsPerSecond", "0.5")], |c| {
        c.quota == Some(Quota::per_second(0.5).unwrap())
    }),
    (&[("requestsPerMinute", "90"), ("requestBurst", "4")], |c| {
        let burst = NonZeroU32::new(4).unwrap();
        c.quota == Some(Quota::per_minute(90.0).unwrap().burst(burst))
    }),
    (
        &[(
            "allowedOrigins",
            "https://a.example, https://b.example:8443/",
        )],
        |c| {
            let origins = ["https://a.example", "https://b.example:8443"];
            c.allowed_origins == origins.map(|origin| Origin::parse(origin).unwrap())
        },
    ),
    (&[("allowedOrigins", r#"["https://a.example"]"#)], |c| {
        c.allowed_origins.len() == 1
    }),
    (&[("nextLinkOrigin", "rebase")], |c| {
        c.next_link_origin == NextLinkOrigin::Rebase
    }),
    (&[("nextLinkOrigin", "strict")], |c| {
        c.next_link_origin == NextLinkOrigin::Strict
    }),
    (&[("rateLimitReset", "epochMilliseconds")], |c| {
        c.answer_rules == AnswerRules::default().reset_unit(ResetUnit::EpochMilliseconds)
    }),
    (&[("denyPrivateAddresses", "yes")], |c| {
        c.deny_private_addresses
    }),
    (&[("proxy", "http://user:pw@proxy.example:3128")], |c| {
        c.proxy.is_some() && !format!("{c:?}").contains("pw")
    }),
    (
        &[(
            "onStatus",
            r#"{"404": "empty", "403": "fail", "409": "retry"}"#,
        )],
        |c| {
            c.answer_rules
                == AnswerRules::default()
                    .on_status(404, StatusAction::Empty)
                    .on_status(403, StatusAction::Fail)
                    .on_status(409, StatusAction::Retry)
        },
    ),
    (
        &[
            ("successWhen", ".ok == true"),
            ("retryWhen", ".error.retry"),
        ],
        |c| {
            c.answer_rules
                == AnswerRules::default()
                    .success_when(".ok == true")
                    .retry_when(".error.retry")
        },
    ),
];

fn snake_case(name: &str) -> String {
    name.chars()
        .flat_map(|c| match c {
            c if c.is_ascii_uppercase() => vec!['_', c.to_ascii_lowercase()],
            c => vec![c],
        })
        .collect()
}

#[test]
fn every_setting_is_read_in_every_spelling_from_file_and_environment() {
    for (settings, holds) in ROWS {
        let mut row = vec![("baseUrl", "https://h/api?apiKey=K")];
        row.extend(*settings);
        let written = |name: fn(&str) -> String, indent: &str| -> String {
            row.iter()
                .map(|(key, value)| format!("{indent}{}: '{value}'\n", name(key)))
                .collect()
        };
        let camel = written(str::to_owned, "");
        let snake = written(snake_case, "");
        let screaming = written(|name| snake_case(name).to_uppercase(), "");
        let helm = format!(
            "integration:\n  config:\n{}",
            written(str::to_owned, "    ")
        );
        let secrets = format!("integration:\n  secrets:\n{}", written(snake_case, "    "));
        let unquoted = camel.replace('\'', "");
        let json = serde_json::to_string_pretty(
            &row.iter()
                .copied()
                .collect::<std::collections::BTreeMap<_, _>>(),
        )
        .unwrap();
        for text in [
            camel,
            snake,
            screaming,
            helm,
            secrets,
            unquoted,
            json.clone(),
        ] {
            let config = from_file(&text);
            assert!(
                holds(&config.connection),
                "{text}\nis read as\n{:?}",
                config.connection
            );
        }
        for prefix in [
            "OCEAN__INTEGRATION__CONFIG__",
            "OCEAN__INTEGRATION__SECRETS__",
            "ocean__integration__config__",
        ] {
            let names: Vec<_> = row
                .iter()
                .map(|(key, value)| {
                    (
                        format!("{prefix}{}", snake_case(key).to_uppercase()),
                        *value,
                    )
                })
                .collect();
            let variables: Vec<_> = names
                .iter()
                .map(|(name, value)| (name.as_str(), *value))
                .collect();
            let config = from_environment(&variables);
            assert!(
                holds(&config.connection),
                "{variables:?}\nis read as\n{:?}",
                config.connection
            );
        }
        let config = from_environment(&[("OCEAN__INTEGRATION__CONFIG", &json)]);
        assert!(
            holds(&config.connection),
            "{json}\nis read as\n{:?}",
            config.connection
        );
    }
}

#[test]
fn what_is_not_written_has_the_reference_s_default() {
    let config = from_file("baseUrl: https://h\n");
    let connection = &config.connection;
    assert!(matches!(connection.auth, AuthSettings::None));
    assert!(connection.custom_headers.is_empty());
    assert_eq!(connection.pagination.style, None);
    assert_eq!(connection.timeout, Duration::from_secs(30));
    assert!(connection.verify_tls);
    assert_eq!(connection.max_concurrent_requests, 10);
    assert_eq!(config.port.base_url.as_str(), "https://api.getport.io/");
    assert_eq!(config.port.integration_type, "custom");
    assert_eq!(config.port.integration_identifier, None);
    assert!(config.port.client_id.is_none() && config.port.client_secret.is_none());
    assert!(config.port.initialize_port_resources);
    assert!(config.port.send_raw_data_examples);
    let polling = Listener::Polling {
        interval: Duration::from_secs(60),
        resync_on_start: true,
    };
    assert_eq!(config.run.listener, polling);
    assert_eq!(config.run.scheduled_resync_interval, None);
    assert!(config.mapping.is_none());
    assert!(config.warnings.is_empty());
}

/// The installation example of the integration's page, as a values file.
#[test]
fn the_helm_example_loads_as_values() {
    let config = from_file(
        r#"
port:
  clientId: "<PORT_CLIENT_ID>"
  clientSecret: "<PORT_CLIENT_SECRET>"
  baseUrl: "https://api.getport.io"
initializePortResources: true
scheduledResyncInterval: 60
integration:
  identifier: "ocean-custom"
  type: "custom"
  eventListener:
    type: "POLLING"
  config:
    baseUrl: "https://api.yourcompany.com"
    authType: "bearer_token"
    paginationType: "page"
    pageSize: 100
  secrets:
    authValue: "<YOUR_API_TOKEN>"
"#,
    );
    assert_helm_example(&config);
}

#[test]
fn the_helm_example_loads_as_environment() {
    assert_helm_example(&from_environment(&[
        ("OCEAN__PORT__CLIENT_ID", "<PORT_CLIENT_ID>"),
        ("OCEAN__PORT__CLIENT_SECRET", "<PORT_CLIENT_SECRET>"),
        ("OCEAN__PORT__BASE_URL", "https://api.getport.io"),
        ("OCEAN__INITIALIZE_PORT_RESOURCES", "true"),
        ("OCEAN__SCHEDULED_RESYNC_INTERVAL", "60"),
        ("OCEAN__INTEGRATION__IDENTIFIER", "ocean-custom"),
        ("OCEAN__INTEGRATION__TYPE", "custom"),
        ("OCEAN__EVENT_LISTENER", r#"{"type":"POLLING"}"#),
        (
            "OCEAN__INTEGRATION__CONFIG__BASE_URL",
            "https://api.yourcompany.com",
        ),
        ("OCEAN__INTEGRATION__CONFIG__AUTH_TYPE", "bearer_token"),
        ("OCEAN__INTEGRATION__CONFIG__PAGINATION_TYPE", "page"),
        ("OCEAN__INTEGRATION__CONFIG__PAGE_SIZE", "100"),
        ("OCEAN__INTEGRATION__CONFIG__AUTH_VALUE", "<YOUR_API_TOKEN>"),
        ("PATH", "/usr/bin"),
    ]));
}

/// The chart hands over more than the example's values: the brokers of its default listener, and switches of parts that are not here.
#[test]
fn what_ports_chart_sets_by_itself_is_no_problem_and_no_warning() {
    let config = from_environment(&[
        (
            "OCEAN__EVENT_LISTENER",
            r#"{"brokers":"b-1.example:9196,b-2.example:9196","type":"POLLING"}"#,
        ),
        ("OCEAN__PORT__BASE_URL", "https://api.us.getport.io/v1"),
        ("OCEAN__PORT__INGEST_URL", "https://ingest.getport.io"),
        ("OCEAN__ALLOW_ENVIRONMENT_VARIABLES_JQ_ACCESS", "true"),
        ("OCEAN__PROCESS_EXECUTION_MODE", "single_process"),
        ("OCEAN__LAKEHOUSE_ENABLED", "false"),
        ("OCEAN__EXECUTION_AGENT__ENABLED", "false"),
        ("OCEAN__ACTIONS_PROCESSOR__ENABLED", "false"),
        ("OCEAN__INTEGRATION__TYPE", "Custom"),
        ("OCEAN__INTEGRATION__CONFIG__BASE_URL", "https://h"),
    ]);
    assert_eq!(config.warnings, []);
    assert!(matches!(config.run.listener, Listener::Polling { .. }));
    // The version is in every path; owners are found by the type in small letters.
    assert_eq!(config.port.base_url.as_str(), "https://api.us.getport.io/");
    assert_eq!(config.port.integration_type, "custom");
    let once = from_file("baseUrl: https://h\neventListener: {type: ONCE, brokers: b}\n");
    assert_eq!(once.run.listener, Listener::Once);
}

fn assert_helm_example(config: &Config) {
    assert_eq!(config.warnings, []);
    assert_eq!(config.port.client_id.as_deref(), Some("<PORT_CLIENT_ID>"));
    assert_eq!(
        config.port.client_secret.as_ref().unwrap().expose_secret(),
        "<PORT_CLIENT_SECRET>"
    );
    assert_eq!(config.port.base_url.as_str(), "https://api.getport.io/");
    assert!(config.port.initialize_port_resources);
    assert_eq!(
        config.port.integration_identifier.as_deref(),
        Some("ocean-custom")
    );
    assert_eq!(config.port.integration_type, "custom");
    assert!(matches!(config.run.listener, Listener::Polling { .. }));
    assert_eq!(
        config.run.scheduled_resync_interval,
        Some(Duration::from_secs(3600))
    );
    assert_eq!(
        config.connection.base_url.as_str(),
        "https://api.yourcompany.com/"
    );
    assert_eq!(token(&config.connection), "<YOUR_API_TOKEN>");
    assert_eq!(config.connection.pagination.style, Some(Style::Page));
    assert_eq!(config.connection.pagination.size, Some(100));
}

/// The examples of parameter names and paths on the integration's page, as printed.
#[test]
fn the_pagination_examples_of_the_page_load() {
    let github = from_file(
        "baseUrl: https://h\n# GitHub uses page/per_page\npaginationType: page\npaginationParam: page\nsizeParam: per_page\nstartPage: 1\n",
    );
    assert_eq!(
        github.connection.pagination.size_param.as_deref(),
        Some("per_page")
    );
    assert_eq!(github.connection.pagination.start_page, Some(1));
    let stripe = from_file(
        "baseUrl: https://h\n# Stripe uses limit/starting_after\npaginationType: cursor\npaginationParam: starting_after\nsizeParam: limit\n",
    );
    assert_eq!(
        stripe.connection.pagination.param.as_deref(),
        Some("starting_after")
    );
    let paths = from_file(
        "baseUrl: https://h\npaginationType: cursor\ncursorPath: meta.after_cursor\nhasMorePath: meta.has_more\ntimeout: 30  # seconds (default: 30)\n",
    );
    assert_eq!(
        paths.connection.pagination.has_more_path.as_deref(),
        Some("meta.has_more")
    );
    assert_eq!(paths.connection.timeout, Duration::from_secs(30));
}

#[test]
fn the_environment_wins_over_the_file_setting_by_setting() {
    let config = Config::loader()
        .connection_text(
            "c.yml",
            "baseUrl: https://file\nauthType: bearer_token\napiToken: file\npageSize: 5\npaginationType: page\nport: {baseUrl: 'https://file', clientId: file}\n",
        )
        .environment([
            ("OCEAN__INTEGRATION__CONFIG__BASE_URL", "https://environment"),
            ("OCEAN__INTEGRATION__SECRETS__AUTH_VALUE", "environment"),
            ("OCEAN__PORT__CLIENT_ID", "environment"),
            // Not set, as a template that leaves a value out has it.
            ("OCEAN__INTEGRATION__CONFIG__PAGE_SIZE", ""),
        ])
        .load()
        .unwrap();
    assert_eq!(config.connection.base_url.as_str(), "https://environment/");
    assert_eq!(token(&config.connection), "environment");
    assert_eq!(config.connection.pagination.size, Some(5));
    assert_eq!(config.port.client_id.as_deref(), Some("environment"));
    assert_eq!(config.port.base_url.as_str(), "https://file/");
}

#[test]
fn the_same_value_twice_is_no_problem() {
    let config = from_file(
        "pageSize: 50\nintegration:\n  config: {baseUrl: 'https://h', authType: bearer_token, apiToken: T, pageSize: '50'}\n  secrets: {authValue: T}\n",
    );
    assert_eq!(token(&config.connection), "T");
    assert_eq!(config.connection.pagination.size, Some(50));
}

#[test]
fn objects_may_be_json_text_at_every_level() {
    for variables in [
        vec![(
            "OCEAN__INTEGRATION",
            r#"{"identifier": "x", "config": {"baseUrl": "https://h"}, "eventListener": {"type": "ONCE"}}"#,
        )],
        vec![
            ("OCEAN__INTEGRATION__CONFIG", r#"{"base_url": "https://h"}"#),
            ("OCEAN__EVENT_LISTENER", r#"{"type":"ONCE"}"#),
            ("OCEAN__INTEGRATION__IDENTIFIER", "x"),
        ],
        vec![
            ("OCEAN__INTEGRATION__CONFIG__BASE_URL", "https://h"),
            ("OCEAN__EVENT_LISTENER__TYPE", "once"),
            ("OCEAN__INTEGRATION", r#"{"identifier": "x"}"#),
        ],
    ] {
        let config = from_environment(&variables);
        assert_eq!(config.connection.base_url.as_str(), "https://h/");
        assert_eq!(config.run.listener, Listener::Once, "{variables:?}");
        assert_eq!(config.port.integration_identifier.as_deref(), Some("x"));
        assert_eq!(config.warnings, []);
    }
    let file = from_file(
        "integration: '{\"config\": {\"baseUrl\": \"https://h\"}}'\neventListener: '{\"type\": \"ONCE\"}'\n",
    );
    assert_eq!(file.run.listener, Listener::Once);
}

#[test]
fn settings_around_the_connection_are_read_from_both_places() {
    let file = from_file(
        "baseUrl: https://h\nevent_listener: {type: POLLING, resyncOnStart: off, interval: '5'}\nscheduled_resync_interval: 0\nclientTimeout: 90\nlogLevel: DEBUG\nsendRawDataExamples: no\ninitialize_port_resources: 0\n",
    );
    let environment = from_environment(&[
        ("OCEAN__INTEGRATION__CONFIG__BASE_URL", "https://h"),
        ("OCEAN__EVENT_LISTENER__TYPE", "POLLING"),
        ("OCEAN__EVENT_LISTENER__RESYNC_ON_START", "OFF"),
        ("OCEAN__EVENT_LISTENER__INTERVAL", "5"),
        ("OCEAN__SCHEDULED_RESYNC_INTERVAL", "0"),
        ("OCEAN__CLIENT_TIMEOUT", "90"),
        ("OCEAN__LOG_LEVEL", "DEBUG"),
        ("OCEAN__SEND_RAW_DATA_EXAMPLES", "No"),
        ("OCEAN__INITIALIZE_PORT_RESOURCES", "0"),
    ]);
    for config in [file, environment] {
        let polling = Listener::Polling {
            interval: Duration::from_secs(5),
            resync_on_start: false,
        };
        assert_eq!(config.run.listener, polling);
        assert_eq!(config.run.scheduled_resync_interval, None);
        assert_eq!(config.run.client_timeout, Some(Duration::from_secs(90)));
        assert_eq!(config.run.log_level.as_deref(), Some("DEBUG"));
        assert!(!config.port.send_raw_data_examples);
        assert!(!config.port.initialize_port_resources);
        assert_eq!(config.warnings, []);
    }
}

#[test]
fn custom_headers_take_values_from_the_whole_environment() {
    for headers in [
        "customHeaders: {X-Team: '${TEAM}', X-Both: 'a ${TEAM}/${_N1} $5'}",
        r#"customHeaders: '{"X-Team": "${TEAM}", "X-Both": "a ${TEAM}/${_N1} $5"}'"#,
    ] {
        let config = Config::loader()
            .connection_text("c.yml", &format!("baseUrl: https://h\n{headers}\n"))
            .environment([("TEAM", r#"pay"ments"#), ("_N1", "")])
            .load()
            .unwrap();
        assert_eq!(config.connection.custom_headers["x-team"], r#"pay"ments"#);
        assert_eq!(
            config.connection.custom_headers["x-both"],
            r#"a pay"ments/ $5"#
        );
        assert!(
            config
                .connection
                .custom_headers
                .values()
                .all(http::HeaderValue::is_sensitive)
        );
    }
}

#[test]
fn what_loads_but_is_probably_not_meant_is_a_warning_each() {
    let config = Config::loader()
        .connection_text(
            "c.yml",
            "baseUrl: https://h\napiToken: T\nverifySsl: false\npaginationType: page\noffsetParam: skip\ncustomAuthRequest: {endpoint: /t}\n",
        )
        .environment([
            ("OCEAN__INTEGRATION__CONFIG__PAGINATON_TYPE", "page"),
            ("OCEAN__OAUTH_CONFIG__PORT", "x"),
            ("OCEAN__SOMETHING", "x"),
            ("OTHER__SOMETHING", "x"),
        ])
        .load()
        .unwrap();
    let warnings: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "c.yml:2: apiToken: is not sent: it belongs to `authType: bearer_token`",
            "c.yml:3: verifySsl: certificates are not checked: whoever is in between can read and change everything",
            "c.yml:5: offsetParam: is not used with this paginationType; `paginationParam` is the name for every type",
            "c.yml:6: customAuthRequest: is not used: it belongs to `authType: custom`",
            "environment: OCEAN__INTEGRATION__CONFIG__PAGINATON_TYPE: is not known and ignored; did you mean OCEAN__INTEGRATION__CONFIG__PAGINATION_TYPE?",
            "environment: OCEAN__OAUTH_CONFIG__PORT: is not known and ignored",
            "environment: OCEAN__SOMETHING: is not known and ignored",
        ]
    );
}

#[test]
fn a_type_that_is_not_the_preset_s_is_a_warning() {
    let config = Config::loader()
        .connection_text(
            "c.yml",
            "baseUrl: https://h\npreset: github\npaginationType: page\n",
        )
        .load()
        .unwrap();
    assert_eq!(
        config.warnings[0].to_string(),
        "c.yml:3: paginationType: the preset `github` is for the type `header_link`, so that only its page size is used; remove one of the two"
    );
}

#[test]
fn what_a_type_of_paging_has_no_use_for_is_a_warning() {
    let config = Config::loader()
        .connection_text(
            "c.yml",
            "baseUrl: https://h\npaginationType: cursor\ncursorPath: x\n",
        )
        .mapping_text(
            "m.yml",
            "resources:\n- kind: /a\n  selector:\n    query: 'true'\n    pagination: {type: page, cursorPath: x, start: 0}\n  port: {entity: {mappings: {identifier: .id, blueprint: '\"b\"'}}}\n",
        )
        .load()
        .unwrap();
    let warnings: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("cursorPath: is not used by the type `page`, but by `cursor`"),
        "{warnings:?}"
    );
}

#[test]
fn anchors_and_merge_keys_are_followed() {
    let config = from_file(
        "customHeaders: &headers {X-A: a, X-B: b}\nintegration:\n  config:\n    <<: [{baseUrl: 'https://h', timeout: 5}, {timeout: 6, pageSize: 7}]\n    customHeaders: *headers\n    pageSize: 8\n",
    );
    assert_eq!(config.connection.timeout, Duration::from_secs(5));
    assert_eq!(config.connection.pagination.size, Some(8));
    assert_eq!(config.connection.custom_headers.len(), 2);
}

#[test]
fn json_files_may_be_indented_with_tabs_and_escape_beyond_sixteen_bits() {
    let config = from_file(
        "{\n\t\"baseUrl\": \"https:\\/\\/h\",\n\t\"customHeaders\": {\"X-A\": \"\\ud83d\\ude00 \\u00e9 \\\\ud83d\"}\n}\n",
    );
    assert_eq!(
        config.connection.custom_headers["x-a"].as_bytes(),
        "😀 é \\ud83d".as_bytes()
    );
    assert_eq!(config.connection.base_url.as_str(), "https://h/");
}

#[test]
fn files_load_from_disk_with_the_environment_of_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let connection = directory.path().join("config.yaml");
    let mapping = directory.path().join("port-app-config.yml");
    std::fs::write(&connection, "\u{feff}baseUrl: https://h\r\ntimeout: 5\r\n").unwrap();
    std::fs::write(
        &mapping,
        "resources:\r\n  - kind: /users\r\n    port: {entity: {mappings: {identifier: .id, blueprint: '\"user\"'}}}\r\n",
    )
    .unwrap();
    let config = Config::load(&connection, &mapping).unwrap();
    assert_eq!(config.connection.timeout, Duration::from_secs(5));
    assert_eq!(config.mapping.unwrap().resources[0].kind(), "/users");
}

/// A certificate that signs itself, and its key, both as PEM.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["client.example".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn certificates_are_files_beside_the_one_that_names_them_or_text() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate();
    std::fs::write(folder.path().join("client.pem"), &certificate).unwrap();
    std::fs::write(folder.path().join("client.key"), &key).unwrap();
    let file = folder.path().join("c.yml");
    std::fs::write(
        &file,
        "baseUrl: https://h\ncaFile: client.pem\nclientCert: client.pem\nclientKey: client.key\n",
    )
    .unwrap();
    let config = Config::loader().connection_file(&file).load().unwrap();
    let connection = &config.connection;
    assert_eq!(connection.root_certificates.as_ref(), Some(&certificate));
    let client = connection.client_certificate.as_ref().unwrap();
    assert_eq!(client.key.expose_secret(), key);
    assert!(!format!("{connection:?}").contains("PRIVATE"));
    connection.http().build().unwrap();

    let config = from_environment(&[
        ("OCEAN__INTEGRATION__CONFIG__BASE_URL", "https://h"),
        ("OCEAN__INTEGRATION__CONFIG__CLIENT_CERT", &certificate),
        ("OCEAN__INTEGRATION__CONFIG__CLIENT_KEY", &key),
    ]);
    let client = config.connection.client_certificate.unwrap();
    assert_eq!(client.certificate, certificate.trim());
}

#[test]
fn folders_and_files_of_a_run_count_from_the_file_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("resources")).unwrap();
    let file = folder.path().join("c.yml");
    std::fs::write(
        &file,
        "baseUrl: https://h\nresourcesPath: resources\nsyncState: state\nshard: {index: 0, count: 2, directory: seen}\n",
    )
    .unwrap();
    let config = Config::loader().connection_file(&file).load().unwrap();
    assert_eq!(config.port.resources_path, folder.path().join("resources"));
    assert_eq!(config.run.sync_state, Some(folder.path().join("state")));
    let shard = config.run.shard.unwrap();
    assert_eq!(shard.directory, Some(folder.path().join("seen")));

    // What is in the environment counts from where the process runs, and what is absolute from nowhere.
    let absolute = folder.path().join("state");
    let config = from_environment(&[
        ("OCEAN__INTEGRATION__CONFIG__BASE_URL", "https://h"),
        ("OCEAN__RESOURCES_PATH", "src"),
        ("OCEAN__SYNC_STATE", absolute.to_str().unwrap()),
    ]);
    assert_eq!(config.port.resources_path, Path::new("src"));
    assert_eq!(config.run.sync_state, Some(absolute));
    // The default need not be there.
    let config = from_file("baseUrl: https://h");
    assert_eq!(config.port.resources_path, Path::new(".port/resources"));
}

#[test]
fn certificates_that_cannot_be_used_are_refused_while_loading() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("client.pem", &certificate);
    write("client.key", &key);
    write("other.key", &self::certificate().1);
    write("text", "no certificate");
    write(
        "locked.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    for (settings, problem) in [
        (
            "caFile: missing.pem",
            "caFile: names a file that cannot be read",
        ),
        (
            "caFile: text",
            "caFile: caFile holds no certificate; write one or more as PEM",
        ),
        (
            "clientCert: client.pem",
            "clientKey: is not set; clientCert needs its private key",
        ),
        (
            "clientKey: client.key",
            "clientCert: is not set; clientKey needs its certificate",
        ),
        (
            "clientCert: client.pem\nclientKey: locked.key",
            "clientKey: is encrypted; write the key without a passphrase, as `openssl pkey` does",
        ),
        (
            "clientCert: client.pem\nclientKey: text",
            "clientCert: clientCert and clientKey cannot be read",
        ),
        (
            "clientCert: client.pem\nclientKey: other.key",
            "clientCert: TLS cannot be set up; does clientKey belong to clientCert",
        ),
    ] {
        let file = folder.path().join("c.yml");
        std::fs::write(&file, format!("baseUrl: https://h\n{settings}\n")).unwrap();
        let error = Config::loader().connection_file(&file).load().unwrap_err();
        assert_eq!(error.problems.len(), 1, "{settings}: {error}");
        let text = error.to_string();
        assert!(text.contains(problem), "{settings}: {text}");
        assert!(!text.contains("PRIVATE"), "{text}");
    }
}
