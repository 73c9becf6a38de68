//! Who asks through a proxy is who asks, and not the proxy; and nobody is whom they say they are.

use std::net::SocketAddr;

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request, header},
};
use muster_app::{app::App, http::proxies::parse_proxy};
use serde_json::json;
use tower::ServiceExt as _;

use crate::{session::Reply, test_app::TestApp};

const PROXY: &str = "10.0.3.4:50000";

fn behind_a_proxy(app: &TestApp) -> Router {
    let proxies = ["10.0.3.4", "10.0.9.0/24"].map(|text| parse_proxy(text).unwrap());
    app.process(App { trusted_proxies: proxies.to_vec().into(), ..app.app.clone() })
}

async fn sign_in(router: &Router, peer: &str, forwarded_for: &str, name: &str) -> Reply {
    let body = json!({"name": name, "password": "a guess a guess"}).to_string();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri("/api/v1/session")
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-forwarded-for", forwarded_for)
        .body(Body::from(body))
        .unwrap();
    request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
    Reply::of(router.clone().oneshot(request).await.unwrap()).await
}

async fn counted(app: &TestApp) -> Vec<String> {
    let sql = "select key from login_failure where key like 'address:%' order by key";
    let addresses: Vec<String> = sqlx::query_scalar(sql).fetch_all(&app.app.pool).await.unwrap();
    let sql = "select key from happening where key like 'refusals from %' order by key";
    let refusals: Vec<String> = sqlx::query_scalar(sql).fetch_all(&app.app.pool).await.unwrap();
    sqlx::query("truncate login_failure, happening").execute(&app.app.pool).await.unwrap();
    [addresses, refusals].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_counted_by_whom_a_proxy_of_ours_brings_and_by_nothing_anybody_invents() {
    let app = TestApp::new().await;
    let router = behind_a_proxy(&app);
    let cases = [
        (PROXY, "203.0.113.9", "203.0.113.9"),
        (PROXY, "198.51.100.1, 203.0.113.9, 10.0.9.77", "203.0.113.9"),
        (PROXY, "203.0.113.9, nonsense", "10.0.3.4"),
        ("203.0.113.77:50000", "198.51.100.1", "203.0.113.77"),
        ("10.0.3.5:50000", "198.51.100.1", "10.0.3.5"),
    ];
    for (peer, forwarded_for, client) in cases {
        let refused = sign_in(&router, peer, forwarded_for, "vera").await;
        assert_eq!(refused.problem().0, "sign-in-refused");
        let keys = [format!("address:{client}"), format!("refusals from {client}")];
        assert_eq!(counted(&app).await, keys, "{forwarded_for} from {peer}");
    }
    // Without the setting a request comes from whoever connects.
    sign_in(app.router(), PROXY, "203.0.113.9", "vera").await;
    assert_eq!(counted(&app).await, ["address:10.0.3.4", "refusals from 10.0.3.4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_through_a_proxy_locks_out_nobody_else_and_is_told_what_is_locked() {
    let app = TestApp::new().await;
    let router = behind_a_proxy(&app);
    // Fifty-nine failed from there before.
    sqlx::query("insert into login_failure (key, failures, since) values ('address:203.0.113.9', 59, clock_timestamp())")
        .execute(&app.app.pool)
        .await
        .unwrap();
    for name in ["otto", "vera"] {
        let locked = sign_in(&router, PROXY, "203.0.113.9", name).await;
        assert_eq!(locked.problem(), ("locked-out".to_owned(), 429), "the sixtieth locks");
        assert!(locked.text.contains("your address (203.0.113.9)"), "{}", locked.text);
        assert!(locked.text.contains("an admin cannot end it sooner"), "{}", locked.text);
    }
    assert_eq!(sign_in(&router, PROXY, "203.0.113.10", "vera").await.problem().0, "sign-in-refused");

    sqlx::query("update login_failure set failures = 7 where key = 'user:vera'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    let locked = sign_in(&router, PROXY, "203.0.113.10", "vera").await;
    assert_eq!(locked.problem(), ("locked-out".to_owned(), 429));
    assert!(
        locked.text.contains("with this name") && locked.text.contains("unlock the name"),
        "{}",
        locked.text
    );
    let unlock = json!({"unlock": true});
    app.as_user("ada").await.patch("/api/v1/users/vera", unlock).await.done();
    assert_eq!(sign_in(&router, PROXY, "203.0.113.10", "vera").await.problem().0, "sign-in-refused");
    let still = sign_in(&router, PROXY, "203.0.113.9", "vera").await;
    assert_eq!(still.problem().0, "locked-out", "the address is not unlocked with a name");
}
