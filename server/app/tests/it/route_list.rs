//! `muster routes`: the list that reviewers read and that the browser tests take pictures by.

use muster_app::{http::route::Kind, routes};
use serde_json::Value;

use crate::{cli::Shell, test_app::TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn every_address_is_listed_with_who_may_use_it() {
    let app = TestApp::new().await;
    // No server answers there: the list is the program's own.
    let shell = Shell::of(&app, "http://127.0.0.1:9", "nobody").await;
    let listed: Value = serde_json::from_str(&shell.muster("routes --json").await.done()).unwrap();
    let listed = listed["items"].as_array().unwrap();
    let routes = routes::routes();
    assert_eq!(listed.len(), routes.len());
    for (row, route) in listed.iter().zip(&routes) {
        assert_eq!(
            (row["method"].as_str(), row["path"].as_str()),
            (Some(route.method.as_str()), Some(route.path))
        );
        let kind = if route.rule.kind == Kind::Page { "page" } else { "api" };
        assert_eq!(row["kind"], kind, "{route:?}");
        // What the API can do the command line can do, or it says why not.
        let has_command = !row["commands"].as_array().unwrap().is_empty();
        let expected = route.rule.kind == Kind::Api && row["no_command"].is_null();
        assert_eq!(has_command, expected, "{row}");
    }
    let table = shell.muster("routes").await.done();
    let edit = table.lines().find(|line| line.starts_with("GET     /pairs/{pair}/edit ")).unwrap();
    assert!(edit.contains("owner of the pair") && edit.ends_with("changes nothing"), "{edit}");
}
