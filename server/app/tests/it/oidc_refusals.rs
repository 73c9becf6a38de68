//! What a sign-in at an identity provider is refused for: forged tokens, foreign answers, a provider that is away.

use axum::http::StatusCode;
use jsonwebtoken::{EncodingKey, Header};
use muster_app::process::config::OidcConfig;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::{
    browser::Browser,
    fake_provider::{FakeProvider, Signed, person},
    oidc::{PASSWORD, details},
    session::Reply,
    test_app::TestApp,
};

/// Nobody was let in, and the person sees why, beside the ways that remain.
#[track_caller]
fn assert_refused(reply: &Reply, browser: &Browser, status: u16, words: &str) {
    assert_eq!(reply.status, status, "{words}: {}", reply.text);
    assert!(reply.text.contains(words), "{words}: {}", reply.text);
    assert!(reply.text.contains("Sign in with Keycloak"), "{}", reply.text);
    assert!(browser.cookies.is_empty(), "{words}: {:?}", browser.cookies);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_that_is_not_ours_from_the_provider_and_of_now_opens_nothing() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    let now = chrono::Utc::now().timestamp();
    let another_client = "the ID token was made for another client";
    let claims = [
        (json!({"aud": "another-client"}), another_client),
        (json!({"aud": ["muster", "another-client"]}), another_client),
        (json!({"aud": []}), another_client),
        (json!({"azp": "another-client"}), another_client),
        (json!({"exp": now - 120, "iat": now - 600}), "the ID token has run out"),
        (json!({"iss": "https://login.example.com"}), "from another issuer"),
        (json!({"nonce": "of-another-sign-in"}), "belongs to another sign-in"),
        (json!({"nonce": null}), "belongs to another sign-in"),
        (json!({"at_hash": "ZmZmZmZmZmZmZmZmZmZmZg"}), "do not belong together"),
    ];
    for (forged, words) in &claims {
        let mut claims = person("248289761001", "mallory", &["kafka-admins"]);
        for (claim, value) in forged.as_object().unwrap() {
            claims[claim] = value.clone();
        }
        provider.told().claims = claims;
        let mut browser = Browser::at(app.router());
        let refused = browser.sign_in(&provider).await;
        assert_refused(&refused, &browser, 401, words);
    }
    provider.told().claims = person("248289761001", "mallory", &["kafka-admins"]);
    let unsigned = "the signature of the ID token does not hold";
    for signed in [Signed::Not, Signed::WithSecret] {
        provider.told().signed = signed;
        let mut browser = Browser::at(app.router());
        let refused = browser.sign_in(&provider).await;
        assert_refused(&refused, &browser, 401, unsigned);
    }
    provider.told().signed = Signed::WithKey;
    provider.sign_with_a_strange_key();
    let mut browser = Browser::at(app.router());
    assert_refused(&browser.sign_in(&provider).await, &browser, 401, unsigned);

    provider.rotate();
    let without = json!({"access_token": "the access token", "token_type": "Bearer"});
    provider.told().tokens = Some((StatusCode::OK, without));
    assert_refused(&browser.sign_in(&provider).await, &browser, 401, "there was no ID token in it");

    let refusals = details(&app, "session.open").await;
    assert_eq!(refusals.len(), claims.len() + 4);
    for detail in refusals {
        assert_eq!(detail["code"], "id-token-refused", "{detail}");
        assert!(!detail.to_string().contains("eyJ"), "a token in the audit: {detail}");
    }
    assert_eq!(app.as_user("ada").await.get("/api/v1/users/mallory").await.status, 404, "nobody was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_may_differ_a_little_and_an_id_token_be_neither_old_nor_of_a_time_to_come() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    // Seconds from now of `iat`, `nbf` and `exp`, and whether that lets somebody in.
    let cases = [
        ((-320, -320, -10), true),
        ((-320, -320, -45), false),
        ((120, 120, 420), true),
        ((3600, -10, 7200), false),
        ((-10, 3600, 7200), false),
    ];
    for (at, good) in cases {
        let now = chrono::Utc::now().timestamp();
        let mut claims = person("248289761001", "Mira.Holt@example.com", &["oncall"]);
        for (claim, seconds) in [("iat", at.0), ("nbf", at.1), ("exp", at.2)] {
            claims[claim] = json!(now + seconds);
        }
        provider.told().claims = claims;
        let mut browser = Browser::at(app.router());
        let reply = browser.sign_in(&provider).await;
        if good {
            assert_eq!(reply.status, 303, "{at:?}: {}", reply.text);
        } else {
            assert_refused(
                &reply,
                &browser,
                401,
                "the ID token has run out, or the clocks of the two differ",
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_once_and_in_the_browser_that_asked_only() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    let other_process = app.another_process(&provider.config());
    let over = "This sign-in does not count";

    // Another state, none, and no attempt at all: what a page of somebody else could send.
    let mut browser = Browser::at(app.router());
    let back = browser.go_to(&provider, "/sign-in/oidc").await;
    let code = back.split("&state=").next().unwrap().to_owned();
    for forged in [format!("{code}&state=of-another"), code.clone(), "/sign-in/oidc/callback".to_owned()] {
        let mut victim = browser.clone();
        assert_refused(&victim.get(&forged).await, &victim, 409, over);
    }
    let mut stranger = Browser::at(app.router());
    assert_refused(&stranger.get(&back).await, &stranger, 409, over);
    // A cookie that was changed on the way.
    let mut tampered = browser.clone();
    let cookie = tampered.cookies.get_mut("muster-sign-in").unwrap();
    let (head, tail) = cookie.rsplit_once('.').unwrap();
    *cookie = format!("{head}.{}", tail.chars().rev().collect::<String>());
    assert_refused(&tampered.get(&back).await, &tampered, 409, over);
    assert_eq!(provider.told().redeemed, 0, "nothing of it reached the provider");

    // It may come back to another process, and then is used up in all of them.
    let mut replayed = browser.clone();
    let mut replayed_there = browser.clone();
    (browser.at, replayed_there.at) = (other_process.clone(), other_process);
    assert_eq!(browser.get(&back).await.status, 303);
    assert_refused(&replayed.get(&back).await, &replayed, 409, over);
    assert_refused(&replayed_there.get(&back).await, &replayed_there, 409, over);
    assert_eq!(provider.told().redeemed, 1);
    let entries = app.audited("session.open").await;
    let refused = entries.iter().filter(|entry| entry.2 == "refused" && entry.1 == "/sign-in/oidc/callback");
    assert_eq!((refused.count(), entries.len()), (7, 8));
}

/// The browser's attempt as it would be had it been begun so many seconds earlier.
fn age(app: &TestApp, browser: &mut Browser, seconds: i64) {
    let key = app.app.secrets_key.derive("sign-in attempts, version 1");
    let cookie = browser.cookies.get_mut("muster-sign-in").unwrap();
    let mut claims: Value = jsonwebtoken::dangerous::insecure_decode(&cookie).unwrap().claims;
    for time in ["iat", "exp"] {
        claims[time] = json!(claims[time].as_i64().unwrap() - seconds);
    }
    let key = EncodingKey::from_secret(key.expose_secret());
    *cookie = jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_is_good_for_ten_minutes() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    let mut browser = Browser::at(app.router());
    let back = browser.go_to(&provider, "/sign-in/oidc").await;
    age(&app, &mut browser, 601);
    assert_refused(&browser.get(&back).await, &browser, 409, "This sign-in does not count");
    let back = browser.go_to(&provider, "/sign-in/oidc").await;
    age(&app, &mut browser, 540);
    assert_eq!(browser.get(&back).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_from_another_issuer_is_refused_before_its_code_is_used() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    let mut browser = Browser::at(app.router());
    let back = browser.go_to(&provider, "/sign-in/oidc").await;
    let refused = browser.get(&format!("{back}&iss=https%3A%2F%2Fevil.example")).await;
    assert_refused(&refused, &browser, 401, "from another issuer");
    assert_eq!(provider.told().redeemed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_refuses_is_told_in_its_words() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    let mut browser = Browser::at(app.router());
    let back = browser.go_to(&provider, "/sign-in/oidc").await;
    let state = back.split("&state=").nth(1).unwrap();
    let said = format!("error=access_denied&error_description=not+%3Cyou%3E&state={state}");
    let refused = browser.get(&format!("/sign-in/oidc/callback?{said}")).await;
    assert_refused(&refused, &browser, 401, "It says: access_denied: not &#60;you&#62;.");

    provider.told().tokens = Some((StatusCode::BAD_REQUEST, json!({"error": "invalid_client"})));
    assert_refused(&browser.sign_in(&provider).await, &browser, 401, "It says: invalid_client.");
    let codes: Vec<Value> =
        details(&app, "session.open").await.into_iter().map(|d| d["code"].clone()).collect();
    assert_eq!(codes, ["provider-refused", "provider-refused"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_may_change_its_keys_at_any_time() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    assert_eq!(Browser::at(app.router()).sign_in(&provider).await.status, 303);
    provider.rotate();
    assert_eq!(Browser::at(app.router()).sign_in(&provider).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_provider_the_page_says_so_and_passwords_still_work() {
    let mut provider = FakeProvider::away();
    // Nothing is asked of it until somebody wants to sign in there.
    let app = TestApp::with_provider(&provider.config()).await;
    app.as_user("ada").await.patch("/api/v1/users/otto", json!({"password": PASSWORD})).await.done();
    let unreachable = "Keycloak does not answer as it should";
    let mut browser = Browser::at(app.router());
    // Its port takes connections and nobody answers.
    assert_refused(&browser.get("/sign-in/oidc?next=/runs").await, &browser, 502, unreachable);
    let refused = OidcConfig { oidc_issuer: Some("http://127.0.0.1:1".to_owned()), ..provider.config() };
    let mut elsewhere = Browser::at(&app.another_process(&refused));
    let page = elsewhere.get("/sign-in/oidc?next=/runs").await;
    assert_refused(&page, &elsewhere, 502, unreachable);
    assert!(page.text.contains("name=\"next\" value=\"/runs\""), "{}", page.text);
    let form = format!("name=otto&password={}&next=/runs", PASSWORD.replace(' ', "+"));
    assert_eq!(elsewhere.post("/sign-in", &form).await.header("location"), "/runs");

    // It comes, and goes in part while somebody is on the way.
    provider.told().description = json!({"token_endpoint": "http://127.0.0.1:1/token"});
    provider.come();
    let back = browser.go_to(&provider, "/sign-in/oidc").await;
    assert_refused(&browser.get(&back).await, &browser, 502, unreachable);
    assert_eq!(details(&app, "session.open").await.last().unwrap()["code"], "provider-unreachable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_leads_astray_is_not_followed() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    // By this address it is reached as well, and it is not known to be this machine.
    let clear = provider.url.replace("127.0.0.1", "0.0.0.0");
    let astray = [
        json!({"issuer": "https://login.example.com"}),
        json!({"authorization_endpoint": format!("{clear}/authorize")}),
        json!({"jwks_uri": format!("{clear}/jwks")}),
    ];
    for description in astray {
        provider.told().description = description;
        let mut browser = Browser::at(&app.another_process(&provider.config()));
        assert_refused(&browser.get("/sign-in/oidc").await, &browser, 502, "does not answer as it should");
    }
    provider.told().description = json!({"token_endpoint": format!("{clear}/token")});
    let mut browser = Browser::at(&app.another_process(&provider.config()));
    assert_refused(&browser.sign_in(&provider).await, &browser, 502, "does not answer as it should");
    let allowed = OidcConfig { oidc_allow_http: true, ..provider.config() };
    assert_eq!(Browser::at(&app.another_process(&allowed)).sign_in(&provider).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_back_from_the_provider_never_leaves_this_server() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    let wanted = [
        ("/pairs/orders", "/pairs/orders"),
        ("https%3A%2F%2Fevil.example", "/"),
        ("%2F%2Fevil.example", "/"),
        ("%2F%5Cevil.example", "/"),
        ("%2F%09%2Fevil.example", "/"),
        ("javascript%3Aalert(1)", "/"),
    ];
    let long = "x".repeat(5000);
    let too_long = [(long.as_str(), "/")];
    for (next, there) in wanted.into_iter().chain(too_long) {
        let mut browser = Browser::at(app.router());
        let back = browser.go_to(&provider, &format!("/sign-in/oidc?next={next}")).await;
        assert_eq!(browser.get(&back).await.header("location"), there, "{next}");
        // Nor by what is added to the answer.
        let mut browser = Browser::at(app.router());
        let back = browser.go_to(&provider, "/sign-in/oidc").await;
        assert_eq!(browser.get(&format!("{back}&next={next}")).await.header("location"), "/", "{next}");
    }
}
