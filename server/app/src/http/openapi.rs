//! The OpenAPI 3.1 document, made from the routes table and the schemas of the types its handlers take and answer.

use std::collections::BTreeMap;

use axum::http::Method;
use muster_domain::ids::{ClusterName, PairName};
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema as _, openapi::path::Parameter};

use super::{
    codes,
    route::{Access, Audit, Kind, Route, SchemaOf},
};

/// The document.
#[must_use]
pub fn document(routes: &[Route]) -> Value {
    let mut schemas = BTreeMap::new();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    schemas.insert("Problem".to_owned(), problem_schema());
    for route in routes.iter().filter(|route| route.rule.kind == Kind::Api) {
        let operation = operation(route, &mut schemas);
        let path = route.path.replace("{*", "{");
        paths.entry(path).or_default().insert(route.method.as_str().to_lowercase(), operation);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Muster",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Disaster-recovery control plane for Apache Kafka. Errors are problem documents with a \
                stable `code`, a plain `detail` and a `next_step`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "__Host-muster"},
            },
        },
    });
    for_readers(&mut document);
    document
}

/// Descriptions come from comments of the code: without their links and line ends.
fn for_readers(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = text.replace("[`", "`").replace("`]", "`").replace('\n', " ");
            }
            members.values_mut().for_each(for_readers);
        }
        Value::Array(items) => items.iter_mut().for_each(for_readers),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn operation(route: &Route, schemas: &mut BTreeMap<String, Value>) -> Value {
    let doc = &route.doc;
    let mut operation = Map::new();
    operation.insert("operationId".to_owned(), json!(operation_id(route)));
    operation.insert("tags".to_owned(), json!([tag(route.path)]));
    operation.insert("summary".to_owned(), json!(doc.says));
    operation.insert("description".to_owned(), json!(who_and_audit(route)));
    operation.insert("parameters".to_owned(), parameters(route));
    if let Some((schema, media)) = doc.takes {
        let reference = reference(schema, schemas);
        let mut body = json!({"required": true, "content": {media: {"schema": reference}}});
        if doc.text {
            body["content"]["text/plain"] = json!({"schema": {"type": "string"}});
        }
        operation.insert("requestBody".to_owned(), body);
    }
    operation.insert("responses".to_owned(), responses(route, schemas));
    if route.rule.access == Access::Anyone {
        operation.insert("security".to_owned(), json!([]));
    }
    Value::Object(operation)
}

/// `POST /api/v1/runs/{run}/approve` → `post_runs_run_approve`.
fn operation_id(route: &Route) -> String {
    let path = route.path.trim_start_matches("/api/v1").replace(['{', '}', '*', '.'], "");
    format!("{}{}", route.method.as_str().to_lowercase(), path.replace(['/', '-'], "_"))
}

/// What an address is about: its first part, without an ending. What is not under `/api/v1` is about the service.
fn tag(path: &str) -> &str {
    let about = path.strip_prefix("/api/v1/").and_then(|rest| rest.split(['/', '.']).next());
    about.unwrap_or("service")
}

fn who_and_audit(route: &Route) -> String {
    let who = match route.rule.access {
        Access::Anyone => "Anybody.".to_owned(),
        Access::SignedIn => "Anybody signed in; lists are narrowed to their teams.".to_owned(),
        Access::Reader(_) => "Whoever may read what belongs to the team.".to_owned(),
        Access::Role(roles, _) => format!("Role {} for the team.", words(roles)),
        Access::Anywhere(roles) => format!("Role {}.", words(roles)),
        Access::Auditor => "Admins, and people with a role for all teams.".to_owned(),
    };
    match route.rule.audit {
        Audit::Reads => who,
        Audit::Writes(action) => format!("{who} Audited as `{action}`."),
    }
}

fn words(roles: &[muster_domain::people::Role]) -> String {
    roles.iter().map(|role| format!("{role:?}").to_lowercase()).collect::<Vec<_>>().join(" or ")
}

fn parameters(route: &Route) -> Value {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({"name": name.trim_start_matches('*'), "in": "path", "required": true, "schema": path_schema(name)}))
        .collect();
    parameters.extend(route.doc.query.iter().flat_map(|query| query()).map(in_query));
    if route.rule.takes_key {
        parameters
            .push(json!({"name": "key", "in": "query", "required": false, "schema": {"type": "string"},
            "description": "A token with the scope `calendar`, for programs that send no headers."}));
    }
    if route.rule.creates {
        let what =
            "Repeating the request with the same key within a day answers what the first one answered.";
        parameters.push(in_header(
            "Idempotency-Key",
            what,
            json!({"type": "string", "minLength": 1, "maxLength": 255}),
        ));
    }
    if route.doc.versioned && route.method != Method::GET {
        let what = "The ETag of what was read; refused with 412 when it was edited since.";
        parameters.push(in_header(
            "If-Match",
            what,
            json!({"type": "string", "pattern": "^(\\*|(W/)?\"?[0-9]{1,18}\"?)$"}),
        ));
    }
    parameters.extend(
        route.doc.headers.iter().map(|(name, what)| in_header(name, what, json!({"type": "string"}))),
    );
    Value::Array(parameters)
}

fn in_header(name: &str, what: &str, schema: Value) -> Value {
    json!({"name": name, "in": "header", "required": false, "description": what, "schema": schema})
}

/// A query has no null: what is left out is simply not there.
fn in_query(parameter: Parameter) -> Value {
    let mut parameter = json!(parameter);
    let schema = &mut parameter["schema"];
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|word| word != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    } else if let Some(Value::Array(forms)) = schema.get_mut("oneOf") {
        forms.retain(|form| form["type"] != "null");
        if let [only] = forms.as_slice() {
            *schema = only.clone();
        }
    }
    parameter
}

/// What can stand for a part of the path: an id, or a name.
fn path_schema(part: &str) -> Value {
    match part {
        "run" | "plan" | "schedule" | "finding" | "channel" | "token" => {
            json!({"type": "string", "format": "uuid"})
        }
        "pair" => json!(PairName::schema()),
        "cluster" => json!(ClusterName::schema()),
        _ => json!({"type": "string"}),
    }
}

fn responses(route: &Route, schemas: &mut BTreeMap<String, Value>) -> Value {
    let doc = &route.doc;
    let mut content = Map::new();
    if let Some(schema) = doc.answers {
        content.insert("application/json".to_owned(), json!({"schema": reference(schema, schemas)}));
    }
    if let Some(media) = doc.media {
        content.insert(media.to_owned(), json!({"schema": {"type": "string"}}));
    }
    if let Some(schema) = doc.streams {
        let data = json!({"type": "string", "contentMediaType": "application/json", "contentSchema": reference(schema, schemas)});
        let event = json!({"type": "object", "required": ["id", "event", "data"],
            "properties": {"id": {"type": "string"}, "event": {"const": "run"}, "data": data}});
        let end = json!({"type": "object", "required": ["event"], "properties": {"event": {"const": "end"}}});
        content.insert("text/event-stream".to_owned(), json!({"schema": {"oneOf": [event, end]}}));
    }
    if content.is_empty() && doc.status != 204 {
        content.insert("application/json".to_owned(), json!({"schema": {}}));
    }
    let mut headers = Map::new();
    if doc.versioned && doc.status != 204 {
        headers.insert("ETag".to_owned(), told("Its version, for `If-Match`.", json!({"type": "string"})));
    }
    if doc.located {
        let schema = json!({"type": "string", "format": "uri-reference"});
        headers.insert("Location".to_owned(), told("Where it is.", schema));
    }
    let mut good = json!({"description": "Done."});
    if !content.is_empty() {
        good["content"] = Value::Object(content);
    }
    if !headers.is_empty() {
        good["headers"] = Value::Object(headers);
    }
    let mut responses = Map::new();
    for status in [Some(doc.status), doc.or_status].into_iter().flatten() {
        responses.insert(status.to_string(), good.clone());
    }
    for (status, what) in refusals(route) {
        let mut refused = json!({"description": what,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}});
        if status == "401" {
            let challenge = told("What to authenticate with (RFC 9110).", json!({"type": "string"}));
            refused["headers"] = json!({"WWW-Authenticate": challenge});
        }
        // Readiness says what it waits for under the same status.
        responses.entry(status).or_insert(refused);
    }
    Value::Object(responses)
}

fn told(what: &str, schema: Value) -> Value {
    json!({"description": what, "required": true, "schema": schema})
}

/// The statuses of problems a route can answer with. Outages are on every one.
fn refusals(route: &Route) -> Vec<(&'static str, &'static str)> {
    let changes = matches!(route.rule.audit, Audit::Writes(_));
    let (body, versioned) = (route.doc.takes.is_some(), route.doc.versioned && changes);
    let names = route.path.contains('{');
    let narrow = !matches!(route.rule.access, Access::Anyone | Access::SignedIn);
    let reads_query = route.doc.query.is_some();
    let all = [
        (body || reads_query || names, "400", "It cannot be read."),
        (route.rule.access != Access::Anyone || body, "401", "Nobody is signed in, or not with this."),
        (narrow || changes || reads_query, "403", "Not allowed to this person, or from another site."),
        (names || body || reads_query, "404", "There is no such thing, or not for this person."),
        (body, "408", "The body did not arrive."),
        (changes || narrow, "409", "The state of things does not take it."),
        (versioned, "412", "Edited by somebody else since it was read."),
        (body, "413", "The body is too large."),
        (body, "415", "The body is in another format."),
        (body || reads_query || changes, "422", "It can be read and does not hold together."),
        // Wherever a password is tried.
        (body && route.path.starts_with("/api/v1/session"), "429", "Too many tries."),
        (route.path.ends_with("/check"), "502", "The cluster cannot be reached."),
        (true, "500", "Something went wrong inside."),
        (true, "503", "The database or what it needs is away."),
        (true, "504", "It took too long."),
    ];
    all.into_iter().filter(|(applies, ..)| *applies).map(|(_, status, what)| (status, what)).collect()
}

fn reference(schema: SchemaOf, schemas: &mut BTreeMap<String, Value>) -> Value {
    let mut found = Vec::new();
    let name = schema(&mut found);
    for (name, schema) in found {
        schemas.entry(name).or_insert_with(|| serde_json::to_value(&schema).unwrap_or(Value::Bool(true)));
    }
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn problem_schema() -> Value {
    let known: Vec<&str> = codes::CODES.iter().map(|code| code.code).collect();
    json!({
        "type": "object",
        "required": ["type", "title", "status", "code", "detail", "next_step"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string", "description": "Stable. docs/API.md explains each.", "examples": known},
            "detail": {"type": "string"},
            "next_step": {"type": "string"},
        },
    })
}
