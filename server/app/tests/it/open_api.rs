//! The document says what the router does.

use axum::http::Method;
use muster_app::{
    http::{codes, openapi, route::Kind},
    routes,
};
use serde_json::Value;

use crate::test_app::TestApp;

#[test]
fn every_api_route_is_described_and_every_reference_resolves() {
    let routes = routes::routes();
    let document = openapi::document(&routes);
    for route in routes.iter().filter(|route| route.rule.kind == Kind::Api) {
        let operation =
            &document["paths"][route.path.replace("{*", "{")][route.method.as_str().to_lowercase()];
        assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{route:?} says nothing");
    }
    let mut dangling = Vec::new();
    walk(&document, &document, &mut dangling);
    assert_eq!(dangling, Vec::<String>::new());
}

#[test]
fn a_name_of_a_schema_means_one_type() {
    let mut schemas = std::collections::BTreeMap::new();
    for route in routes::routes() {
        let used = [route.doc.takes.map(|(schema, _)| schema), route.doc.answers, route.doc.streams];
        for schema in used.into_iter().flatten() {
            let mut found = Vec::new();
            schema(&mut found);
            for (name, schema) in found {
                let schema = serde_json::to_value(schema).unwrap();
                let known = schemas.entry(name.clone()).or_insert_with(|| schema.clone());
                assert_eq!(*known, schema, "two types are described as {name}; {route:?} uses one");
            }
        }
    }
}

fn walk(value: &Value, document: &Value, dangling: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref")
                && document.pointer(reference.trim_start_matches('#')).is_none()
            {
                dangling.push(reference.clone());
            }
            members.values().for_each(|member| walk(member, document, dangling));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, document, dangling)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_explain_every_address_and_every_code() {
    let app = TestApp::new().await;
    let vera = app.as_browser_of("vera").await;
    let page = vera.get("/api").await.text;
    let document = openapi::document(&routes::routes());
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let said = format!("<code>{} {path}</code>", method.to_uppercase());
            assert!(page.contains(&said), "{said}");
            let group = format!("/api/reference/{}", operation["tags"][0].as_str().unwrap());
            let id = operation["operationId"].as_str().unwrap();
            assert!(page.contains(&format!("href=\"{group}#{id}\"")), "{said} leads nowhere");
            let explained = vera.get(&group).await;
            assert!(explained.text.contains(&format!("id=\"{id}\"")), "{group} does not explain {said}");
        }
    }
    for code in codes::CODES {
        assert!(page.contains(&format!("id=\"{}\"", code.code)), "{}", code.code);
        assert_ne!(codes::meaning(code.code), "", "{}", code.code);
    }
    assert_eq!(vera.get("/api/reference/none").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_an_address_does_not_take_is_answered_with_those_it_takes() {
    let app = TestApp::new().await;
    let reply = app.as_user("nobody").await.request(Method::PATCH, "/api/v1/brake", None, &[]).await;
    assert_eq!(reply.problem(), ("method-not-allowed".to_owned(), 405));
    let mut allowed: Vec<&str> = reply.header("allow").split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["DELETE", "GET", "HEAD", "PUT"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_served_to_anybody() {
    let app = TestApp::new().await;
    let reply = app.as_user("nobody").await.request(Method::GET, "/api/openapi.json", None, &[]).await;
    assert_eq!(reply.done()["openapi"], "3.1.0");
}
