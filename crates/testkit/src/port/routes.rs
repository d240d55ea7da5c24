//! What each of Port's routes does.

use std::collections::BTreeSet;
use std::time::Duration;

use http::header::{AUTHORIZATION, DATE, USER_AGENT};
use http::{HeaderValue, Method, StatusCode};
use longshore_transport::Request;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::catalog::{self, Refusal, Upsert};
use super::rate::Rate;
use super::{PortCall, PortEvent, State, clock, contract};
use crate::Answer;
use crate::faults::Fault;

/// Which call a request is, and the parameters in its path, decoded.
pub(super) struct Target {
    pub(super) call: PortCall,
    pub(super) parameters: Vec<String>,
}

impl Target {
    pub(super) fn of(method: &Method, path: &str) -> Option<Target> {
        let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let ["v1", path @ ..] = path.as_slice() else {
            return None;
        };
        let (call, parameters): (PortCall, Vec<&str>) = match (method.as_str(), path) {
            ("POST", ["auth", "access_token"]) => (PortCall::Token, vec![]),
            ("POST", ["blueprints", "entities", "datasource-entities"]) => {
                (PortCall::Owned, vec![])
            }
            ("POST", ["entities", "search"]) => (PortCall::Search, vec![]),
            ("POST", ["blueprints", blueprint, "entities", "bulk"]) => {
                (PortCall::UpsertMany, vec![blueprint])
            }
            ("POST", ["blueprints", blueprint, "entities"]) => {
                (PortCall::UpsertOne, vec![blueprint])
            }
            ("POST", ["blueprints", blueprint, "bulk", "entities", "delete"]) => {
                (PortCall::DeleteMany, vec![blueprint])
            }
            ("DELETE", ["blueprints", blueprint, "entities", entity]) => {
                (PortCall::DeleteOne, vec![blueprint, entity])
            }
            ("GET", ["blueprints", blueprint, "entities"]) => (PortCall::Entities, vec![blueprint]),
            ("GET", ["blueprints", blueprint, "entities", entity]) => {
                (PortCall::Entity, vec![blueprint, entity])
            }
            ("GET", ["blueprints"]) => (PortCall::Blueprint, vec![]),
            ("GET", ["blueprints", blueprint]) => (PortCall::Blueprint, vec![blueprint]),
            ("POST", ["blueprints"]) => (PortCall::CreateBlueprint, vec![]),
            ("PATCH", ["blueprints", blueprint]) => (PortCall::UpdateBlueprint, vec![blueprint]),
            ("POST", ["integration"]) => (PortCall::CreateIntegration, vec![]),
            ("GET", ["integration", integration]) => (PortCall::Integration, vec![integration]),
            ("PATCH", ["integration", integration] | ["integration", integration, "config"]) => {
                (PortCall::UpdateIntegration, vec![integration])
            }
            ("GET", ["integration", integration, "resync-request"]) => {
                (PortCall::ResyncRequest, vec![integration])
            }
            ("PATCH", ["integration", integration, "resync-state"]) => {
                (PortCall::ResyncState, vec![integration])
            }
            ("POST", ["integration", integration, "kinds", kind, "examples"]) => {
                (PortCall::Examples, vec![integration, kind])
            }
            ("POST", ["ingest", "syncMetrics"]) => (PortCall::Kinds, vec![]),
            ("PUT", ["ingest", "syncMetrics", "resync", resync, "kind", kind]) => {
                (PortCall::Kinds, vec![resync, kind])
            }
            _ => return None,
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Some(Target {
            call,
            parameters: parameters.into_iter().map(decoded).collect(),
        })
    }

    fn parameter(&self, index: usize) -> &str {
        self.parameters.get(index).map_or("", String::as_str)
    }
}

/// Port's limit on the body of any call.
const MAX_BODY: usize = 1 << 20;

impl State {
    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        let target = Target::of(&request.method, request.url.path());
        self.violations.extend(contract::violations(
            request,
            target.as_ref().map(|target| target.call),
        ));
        let Some(target) = target else {
            return self.dated(refuse(404, "not_found", "Route not found"));
        };
        let now = self.clock.now();
        let is_counted = target.call != PortCall::Token;
        let rate = self.rate.as_mut().filter(|_| is_counted);
        if rate.is_some_and(|rate| !rate.take(now)) {
            let answer = refuse(429, "rate_limit_exceeded", "Rate limit exceeded");
            let answer = self.with_rate_limit(answer);
            return self.dated(answer);
        }
        let answer = match self.faults.next(&target.call) {
            Some(Fault::Instead(answer)) => answer,
            Some(Fault::Afterwards(answer)) => {
                self.perform(request, &target);
                answer
            }
            None => {
                let answer = self.perform(request, &target);
                self.with_rate_limit(answer)
            }
        };
        self.dated(answer)
    }

    fn perform(&mut self, request: &Request, target: &Target) -> Answer {
        if target.call != PortCall::Token && !self.knows_token(request) {
            return refuse(
                401,
                "invalid_token",
                "The token is missing, unknown, revoked or expired",
            );
        }
        let bytes = request.body.as_deref().unwrap_or_default();
        if bytes.len() > MAX_BODY {
            return refuse(413, "payload_too_large", "Request body is too large");
        }
        let body: Value = match bytes {
            [] => Value::Null,
            bytes => match serde_json::from_slice(bytes) {
                Ok(body) => body,
                Err(_) => return refuse(422, "invalid_request", "The body is not JSON"),
            },
        };
        let done = match target.call {
            PortCall::Token => self.token(&body),
            PortCall::UpsertMany => self.upsert_many(request, target.parameter(0), &body),
            PortCall::UpsertOne => self.upsert_one(request, target.parameter(0), &body),
            PortCall::DeleteMany => self.delete_many(request, target.parameter(0), &body),
            PortCall::DeleteOne => {
                self.delete_one(request, target.parameter(0), target.parameter(1))
            }
            PortCall::Owned => self.owned(&body),
            PortCall::Search => self.search(request, &body),
            PortCall::Entities => self.known_blueprint(target.parameter(0)).map(|()| {
                Answer::json(
                    json!({"ok": true, "entities": self.catalog.of_blueprint(target.parameter(0))}),
                )
            }),
            PortCall::Entity => self.one(target.parameter(0), target.parameter(1)),
            PortCall::Blueprint => self.blueprints(target.parameters.first().map(String::as_str)),
            PortCall::CreateBlueprint => self.create_blueprint(body),
            PortCall::UpdateBlueprint => self.update_blueprint(target.parameter(0), body),
            PortCall::Integration => self.integration(request, target.parameter(0)),
            PortCall::CreateIntegration => self.create_integration(body),
            PortCall::UpdateIntegration => self.update_integration(target.parameter(0), body),
            PortCall::ResyncRequest => self.resync_request(target.parameter(0)),
            PortCall::ResyncState => self.report_resync(target.parameter(0), body),
            PortCall::Examples => {
                self.take_examples(target.parameter(0), target.parameter(1), &body)
            }
            PortCall::Kinds => self.take_kinds(&target.parameters, &body),
        };
        done.unwrap_or_else(Refusal::into_answer)
    }

    fn token(&mut self, body: &Value) -> Result<Answer, Refusal> {
        let (Some(id), Some(secret)) = (body["clientId"].as_str(), body["clientSecret"].as_str())
        else {
            return Err(Refusal::invalid(
                "`clientId` and `clientSecret` are required",
            ));
        };
        if self
            .credentials
            .as_ref()
            .is_some_and(|(known, password)| (id, secret) != (known, password))
        {
            return Err(Refusal::new(
                401,
                "invalid_credentials",
                "Client id or secret is wrong",
            ));
        }
        self.tokens_issued += 1;
        let lifetime = self
            .token_lifetime
            .unwrap_or(Duration::from_secs(3 * 60 * 60));
        let token = format!("port-token-{}", self.tokens_issued);
        self.tokens
            .insert(token.clone(), self.clock.now() + lifetime);
        self.events.push(PortEvent::TokenIssued);
        Ok(Answer::json(json!({
            "ok": true,
            "accessToken": token,
            "expiresIn": lifetime.as_secs(),
            "tokenType": "Bearer",
        })))
    }

    fn knows_token(&self, request: &Request) -> bool {
        let mut values = request.headers.get_all(AUTHORIZATION).iter();
        let token = values
            .next()
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.strip_prefix("Bearer "));
        let expires = token.and_then(|token| self.tokens.get(token));
        values.next().is_none() && expires.is_some_and(|expires| self.clock.now() < *expires)
    }

    fn known_blueprint(&self, blueprint: &str) -> Result<(), Refusal> {
        match self.blueprints.is_empty() || self.blueprints.contains_key(blueprint) {
            true => Ok(()),
            false => Err(Refusal::not_found(format!(
                "Blueprint with identifier \"{blueprint}\" was not found"
            ))),
        }
    }

    fn upsert_many(
        &mut self,
        request: &Request,
        blueprint: &str,
        body: &Value,
    ) -> Result<Answer, Refusal> {
        self.known_blueprint(blueprint)?;
        let entities = match body["entities"].as_array() {
            Some(entities) if (1..=20).contains(&entities.len()) => entities,
            Some(entities) => {
                return Err(Refusal::invalid(format!(
                    "`entities` must have 1 to 20 items, these are {}",
                    entities.len()
                )));
            }
            None => return Err(Refusal::invalid("`entities` is missing")),
        };
        for entity in entities {
            catalog::check(entity)?;
        }
        let how = self.how(request);
        let (mut written, mut errors) = (Vec::new(), Vec::new());
        for (index, entity) in entities.iter().enumerate() {
            match self
                .catalog
                .upsert(blueprint, entity, &how, &mut self.events)
            {
                Ok((identifier, created)) => {
                    written.push(
                        json!({"identifier": identifier, "index": index, "created": created}),
                    );
                }
                Err(refusal) => errors.push(json!({
                    "identifier": catalog::name_of(entity),
                    "index": index,
                    "statusCode": refusal.status,
                    "error": refusal.error,
                    "message": refusal.message,
                })),
            }
        }
        let status = match errors.is_empty() {
            true => StatusCode::OK,
            false => self.partial_status.unwrap_or(StatusCode::MULTI_STATUS),
        };
        let answer = Answer::status(status.as_u16());
        Ok(answer.with_json(json!({"ok": true, "entities": written, "errors": errors})))
    }

    fn upsert_one(
        &mut self,
        request: &Request,
        blueprint: &str,
        body: &Value,
    ) -> Result<Answer, Refusal> {
        self.known_blueprint(blueprint)?;
        catalog::check(body)?;
        let how = self.how(request);
        let (identifier, _) = self
            .catalog
            .upsert(blueprint, body, &how, &mut self.events)?;
        Ok(Answer::status(201)
            .with_json(json!({"ok": true, "entity": self.catalog.one(blueprint, &identifier)})))
    }

    /// How an upsert is to be done: the query of the call, and who calls.
    fn how(&self, request: &Request) -> Upsert {
        let agent = request
            .headers
            .get(USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        Upsert {
            upsert: is_true(request, "upsert"),
            merge: is_true(request, "merge"),
            create_missing: is_true(request, "create_missing_related_entities"),
            validation_only: is_true(request, "validation_only"),
            owner: agent.to_owned(),
            now: self.clock.now(),
            blueprints: (!self.blueprints.is_empty())
                .then(|| self.blueprints.keys().cloned().collect::<BTreeSet<_>>()),
        }
    }

    fn delete_many(
        &mut self,
        request: &Request,
        blueprint: &str,
        body: &Value,
    ) -> Result<Answer, Refusal> {
        self.known_blueprint(blueprint)?;
        let identifiers: Vec<String> = match serde_json::from_value(body["entities"].clone()) {
            Ok(identifiers) => identifiers,
            Err(_) => return Err(Refusal::invalid("`entities` must be a list of identifiers")),
        };
        if !(1..=100).contains(&identifiers.len()) {
            return Err(Refusal::invalid(format!(
                "`entities` must have 1 to 100 items, these are {}",
                identifiers.len()
            )));
        }
        let dependents = is_true(request, "delete_dependents");
        let deleted = self
            .catalog
            .delete(blueprint, &identifiers, dependents, &mut self.events)?;
        Ok(Answer::json(
            json!({"ok": true, "deletedEntities": deleted}),
        ))
    }

    fn delete_one(
        &mut self,
        request: &Request,
        blueprint: &str,
        identifier: &str,
    ) -> Result<Answer, Refusal> {
        self.one(blueprint, identifier)?;
        let dependents = is_true(request, "delete_dependents");
        self.catalog.delete(
            blueprint,
            &[identifier.to_owned()],
            dependents,
            &mut self.events,
        )?;
        Ok(Answer::json(json!({"ok": true})))
    }

    fn one(&self, blueprint: &str, identifier: &str) -> Result<Answer, Refusal> {
        self.known_blueprint(blueprint)?;
        match self.catalog.one(blueprint, identifier) {
            Some(entity) => Ok(Answer::json(json!({"ok": true, "entity": entity}))),
            None => Err(Refusal::not_found(format!(
                "Entity with identifier \"{identifier}\" was not found"
            ))),
        }
    }

    fn owned(&self, body: &Value) -> Result<Answer, Refusal> {
        let (Some(prefix), Some(suffix)) = (
            body["datasource_prefix"].as_str(),
            body["datasource_suffix"].as_str(),
        ) else {
            return Err(Refusal::invalid(
                "`datasource_prefix` and `datasource_suffix` are required",
            ));
        };
        let before = match body.get("before").filter(|before| !before.is_null()) {
            Some(before) => {
                let parsed = before.as_str().and_then(clock::parse);
                Some(parsed.ok_or_else(|| Refusal::invalid("`before` is no ISO time"))?)
            }
            None => None,
        };
        let limit = body["limit"]
            .as_u64()
            .map_or(5000, |limit| limit.clamp(1, 5000) as usize);
        let limit = limit.min(self.owned_page.unwrap_or(limit));
        let from = body["from"]
            .as_str()
            .and_then(|from| serde_json::from_str(from).ok());
        let (entities, next) = self.catalog.owned(prefix, suffix, before, from, limit);
        let mut answer = json!({"ok": true, "entities": entities});
        if let Some(next) = next {
            answer["next"] = json!(json!(next).to_string());
        }
        Ok(Answer::json(answer))
    }

    fn search(&self, request: &Request, body: &Value) -> Result<Answer, Refusal> {
        let mut found = self.catalog.search(body)?;
        let include: Vec<String> = request
            .url
            .query_pairs()
            .filter(|(name, _)| name == "include" || name == "include[]")
            .map(|(_, value)| value.into_owned())
            .collect();
        if !include.is_empty() {
            for entity in found.iter_mut().filter_map(Value::as_object_mut) {
                // `properties.email` includes the properties as a whole: enough for a double.
                let wanted = |key: &String| {
                    include.iter().any(|name| {
                        name.trim_start_matches('$').split('.').next() == Some(key.as_str())
                    })
                };
                entity.retain(|key, _| wanted(key));
            }
        }
        Ok(Answer::json(json!({"ok": true, "entities": found})))
    }

    fn blueprints(&self, one: Option<&str>) -> Result<Answer, Refusal> {
        let Some(identifier) = one else {
            let all: Vec<&Value> = self.blueprints.values().collect();
            return Ok(Answer::json(json!({"ok": true, "blueprints": all})));
        };
        match self.blueprints.get(identifier) {
            Some(blueprint) => Ok(Answer::json(json!({"ok": true, "blueprint": blueprint}))),
            None => Err(Refusal::not_found(format!(
                "Blueprint with identifier \"{identifier}\" was not found"
            ))),
        }
    }

    fn create_blueprint(&mut self, body: Value) -> Result<Answer, Refusal> {
        let Some(identifier) = body["identifier"].as_str().map(str::to_owned) else {
            return Err(Refusal::invalid("`identifier` is missing"));
        };
        if self.blueprints.contains_key(&identifier) {
            return Err(Refusal::new(
                409,
                "identifier_taken",
                "A blueprint with this identifier exists",
            ));
        }
        self.relate(&identifier, &body)?;
        self.blueprints.insert(identifier, body.clone());
        Ok(Answer::status(201).with_json(json!({"ok": true, "blueprint": body})))
    }

    /// Takes note of where the relations of a blueprint lead. Where blueprints are known at all, their targets have to be.
    fn relate(&mut self, identifier: &str, blueprint: &Value) -> Result<(), Refusal> {
        for (name, relation) in blueprint["relations"].as_object().into_iter().flatten() {
            let Some(target) = relation["target"].as_str() else {
                continue;
            };
            if target != identifier && self.known_blueprint(target).is_err() {
                return Err(Refusal::new(
                    422,
                    "invalid_request",
                    format!("Relation \"{name}\": target blueprint \"{target}\" does not exist"),
                ));
            }
            self.catalog.relate(identifier, name, target);
        }
        Ok(())
    }

    fn update_blueprint(&mut self, identifier: &str, body: Value) -> Result<Answer, Refusal> {
        if self.blueprints.contains_key(identifier) {
            self.relate(identifier, &body)?;
        }
        let Some(blueprint) = self.blueprints.get_mut(identifier) else {
            return Err(Refusal::not_found(format!(
                "Blueprint with identifier \"{identifier}\" was not found"
            )));
        };
        for (name, value) in body.as_object().into_iter().flatten() {
            blueprint[name] = value.clone();
        }
        Ok(Answer::json(json!({"ok": true, "blueprint": blueprint})))
    }

    fn integration(&self, request: &Request, identifier: &str) -> Result<Answer, Refusal> {
        match self.integrations.get(identifier) {
            Some(integration) => {
                let mut integration = integration.clone();
                if self.takes_kinds {
                    let ours = request.url.origin().ascii_serialization();
                    integration["metricAttributes"] =
                        json!({"ingestUrl": format!("{ours}/v1/ingest")});
                }
                Ok(Answer::json(
                    json!({"ok": true, "integration": integration}),
                ))
            }
            None => Err(Refusal::not_found(format!(
                "Installation with id \"{identifier}\" was not found"
            ))),
        }
    }

    fn create_integration(&mut self, mut body: Value) -> Result<Answer, Refusal> {
        let Some(identifier) = body["installationId"].as_str().map(str::to_owned) else {
            return Err(Refusal::invalid("`installationId` is missing"));
        };
        if self.integrations.contains_key(&identifier) {
            return Err(Refusal::new(
                409,
                "integration_exists",
                format!("Integration \"{identifier}\" exists"),
            ));
        }
        body["identifier"] = json!(identifier);
        body["updatedAt"] = json!(clock::format(self.clock.now()));
        self.integrations.insert(identifier, body.clone());
        Ok(Answer::status(201).with_json(json!({"ok": true, "integration": body})))
    }

    fn update_integration(&mut self, identifier: &str, body: Value) -> Result<Answer, Refusal> {
        let Value::Object(changes) = body else {
            return Err(Refusal::invalid("the body must be an object"));
        };
        let Some(integration) = self.integrations.get_mut(identifier) else {
            return Err(Refusal::not_found(format!(
                "Installation with id \"{identifier}\" was not found"
            )));
        };
        for (name, value) in changes {
            integration[name] = value;
        }
        integration["updatedAt"] = json!(clock::format(self.clock.now()));
        Ok(Answer::json(
            json!({"ok": true, "integration": integration}),
        ))
    }

    /// Not a change of the integration: its `updatedAt` stays.
    fn report_resync(&mut self, identifier: &str, state: Value) -> Result<Answer, Refusal> {
        let Some(integration) = self.integrations.get_mut(identifier) else {
            return Err(Refusal::not_found(format!(
                "Installation with id \"{identifier}\" was not found"
            )));
        };
        self.resync_states
            .entry(identifier.to_owned())
            .or_default()
            .push(state.clone());
        integration["resyncState"] = state;
        Ok(Answer::json(
            json!({"ok": true, "integration": integration}),
        ))
    }

    fn resync_request(&self, identifier: &str) -> Result<Answer, Refusal> {
        match self.resync_requests.get(identifier) {
            Some(at) => Ok(Answer::json(
                json!({"ok": true, "request": {"updatedAt": clock::format(*at)}}),
            )),
            None => Ok(Answer::json(json!({"ok": true, "request": null}))),
        }
    }

    /// Counts as a change of the integration: its `updatedAt` moves.
    fn take_examples(
        &mut self,
        integration: &str,
        kind: &str,
        body: &Value,
    ) -> Result<Answer, Refusal> {
        let Some(examples) = body["examples"].as_array() else {
            return Err(Refusal::invalid("`examples` must be a list"));
        };
        self.examples
            .entry(kind.to_owned())
            .or_default()
            .extend(examples.iter().cloned());
        let now = clock::format(self.clock.now());
        if let Some(integration) = self.integrations.get_mut(integration) {
            integration["updatedAt"] = json!(now);
        }
        Ok(Answer::json(json!({"ok": true})))
    }

    fn take_kinds(&mut self, named: &[String], body: &Value) -> Result<Answer, Refusal> {
        let told = match named {
            [] => body["syncKindsMetrics"].as_array().cloned(),
            _ => body.get("syncKindMetrics").map(|kind| vec![kind.clone()]),
        };
        let Some(told) = told else {
            return Err(Refusal::invalid("there is no kind in it"));
        };
        let is_named = |kind: &Value| match named {
            [resync, name] => kind["eventId"] == **resync && kind["kindIdentifier"] == **name,
            _ => true,
        };
        if !told.iter().all(is_named) {
            return Err(Refusal::invalid("the body is about another kind"));
        }
        self.kinds.extend(told);
        Ok(Answer::json(json!({"ok": true})))
    }

    fn dated(&self, mut answer: Answer) -> Answer {
        if !answer.headers.contains_key(DATE)
            && let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(self.clock.now()))
        {
            answer.headers.insert(DATE, date);
        }
        answer
    }

    /// What Port tells about its rate limit.
    fn with_rate_limit(&self, answer: Answer) -> Answer {
        let endless = Rate::new(1000, Duration::from_secs(300));
        let rate = self.rate.as_ref().unwrap_or(&endless);
        rate.told(answer, self.clock.now())
    }
}

fn is_true(request: &Request, parameter: &str) -> bool {
    request
        .url
        .query_pairs()
        .any(|(name, value)| name == parameter && value == "true")
}

fn refuse(status: u16, error: &str, message: &str) -> Answer {
    Refusal::new(status, error, message).into_answer()
}

impl Refusal {
    fn into_answer(self) -> Answer {
        let body: Map<String, Value> = [
            ("ok".to_owned(), json!(false)),
            ("error".to_owned(), json!(self.error)),
            ("message".to_owned(), json!(self.message)),
        ]
        .into_iter()
        .collect();
        Answer::status(self.status).with_json(body)
    }
}
