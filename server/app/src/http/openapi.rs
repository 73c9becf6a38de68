//! The OpenAPI 3.1 document, made from the routes table and the schemas of the types its handlers take and answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    codes,
    route::{Access, Audit, Doc, Kind, Route, SchemaOf},
};

/// The document.
#[must_use]
pub fn document(routes: &[Route]) -> Value {
    let mut schemas = BTreeMap::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    schemas.insert("Problem".to_owned(), problem_schema());
    for route in routes.iter().filter(|route| route.rule.kind == Kind::Api) {
        let operation = operation(route, &mut schemas);
        paths.entry(route.path).or_default().insert(route.method.as_str().to_lowercase(), operation);
    }
    json!({
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
    })
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
        let body = json!({"required": true, "content": {media: {"schema": reference}}});
        operation.insert("requestBody".to_owned(), body);
    }
    operation.insert("responses".to_owned(), responses(doc, schemas));
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

fn tag(path: &str) -> &str {
    path.trim_start_matches("/api/v1/").trim_start_matches('/').split('/').next().unwrap_or("service")
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
        .map(|name| {
            json!({"name": name.trim_start_matches('*'), "in": "path", "required": true, "schema": {"type": "string"}})
        })
        .collect();
    parameters.extend(route.doc.query.iter().map(|(name, what)| {
        json!({"name": name, "in": "query", "required": false, "description": what, "schema": {"type": "string"}})
    }));
    if route.rule.creates {
        parameters.push(json!({"name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Repeating the request with the same key answers what the first one answered.",
            "schema": {"type": "string", "maxLength": 200}}));
    }
    Value::Array(parameters)
}

fn responses(doc: &Doc, schemas: &mut BTreeMap<String, Value>) -> Value {
    let good = match (doc.answers, doc.media) {
        (Some(schema), _) => {
            json!({"description": "Done.", "content": {"application/json": {"schema": reference(schema, schemas)}}})
        }
        (None, Some(media)) => {
            json!({"description": "Done.", "content": {media: {"schema": {"type": "string"}}}})
        }
        (None, None) if doc.status == 204 => json!({"description": "Done."}),
        (None, None) => json!({"description": "Done.", "content": {"application/json": {"schema": {}}}}),
    };
    let problem = json!({"description": "Not done; `code` says why.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}});
    json!({doc.status.to_string(): good, "default": problem})
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
