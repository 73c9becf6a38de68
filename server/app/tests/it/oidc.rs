//! Signing in at an identity provider: who somebody is here, what their groups give, and the ways in and out.
//! What is refused is in `oidc_refusals`; a provider nobody here wrote is in tests/browser.

use muster_app::{
    auth::oidc::{self, Purpose, Settings},
    process::config::OidcConfig,
};
use muster_store::audit::{self, AuditFilter};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    browser::Browser,
    fake_provider::{FakeProvider, person},
    test_app::TestApp,
};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// Details of the entries of an action, oldest first.
pub(crate) async fn details(app: &TestApp, action: &str) -> Vec<Value> {
    let mut conn = app.app.pool.acquire().await.unwrap();
    let filter = AuditFilter { action: Some(action.to_owned()), ..AuditFilter::default() };
    let entries = audit::list(&mut conn, &filter, 1000).await.unwrap();
    entries.into_iter().rev().map(|entry| entry.content.detail).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_comes_first_is_made_and_has_the_roles_of_their_groups() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    let mut browser = Browser::at(app.router());
    let page = browser.get("/sign-in?next=/runs%3Fstate%3Drunning").await;
    let way = "href=\"/sign-in/oidc?next=/runs%3Fstate%3Drunning\"><span>Sign in with Keycloak</span>";
    assert!(page.text.contains(way), "{}", page.text);
    assert!(page.text.contains("name=\"password\""), "{}", page.text);

    let back = browser.go_to(&provider, "/sign-in/oidc?next=/runs%3Fstate%3Drunning").await;
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["muster-sign-in"]);
    let in_ = browser.get(&back).await;
    assert_eq!((in_.status.as_u16(), in_.header("location")), (303, "/runs?state=running"), "{}", in_.text);
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["muster"], "the attempt is gone");
    assert_eq!(browser.who().await, ("mira.holt".to_owned(), vec!["operator@core-platform".to_owned()]));
    assert_eq!(browser.get("/runs").await.status, 200);

    let subject = json!("248289761001");
    let made = details(&app, "user.create").await;
    let grants = json!([{"role": "operator", "team": "core-platform"}]);
    assert_eq!(made, [json!({"grants": grants, "provider": provider.url, "subject": subject})]);
    let opened = details(&app, "session.open").await;
    let groups = json!(["oncall", "staff"]);
    assert_eq!(
        opened,
        [json!({"address": "", "provider": provider.url, "subject": subject, "groups": groups})]
    );
    let by = app.audited("session.open").await;
    assert_eq!((by[0].0.as_str(), by[0].2.as_str()), ("mira.holt", "done"));
    let ada = app.as_user("ada").await;
    let shown = ada.get("/api/v1/users/mira.holt").await.done();
    assert_eq!((&shown["from_provider"], &shown["display_name"]), (&grants, &json!("Mira Holt")));
    assert_eq!((&shown["identity"]["subject"], &shown["identity"]["groups"]), (&subject, &groups));
    let people = app.as_browser_of("ada").await.get("/people").await.text;
    assert!(people.contains("operator of core-platform, by their groups"), "{people}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_browsers_come_by_tls_the_attempt_is_bound_to_it() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    let mut browser = Browser::at(&app.behind_tls(&provider.config()));
    let sent = browser.get("/sign-in/oidc").await;
    let cookie = sent.header("set-cookie");
    assert!(cookie.starts_with("__Host-muster-sign-in=") && cookie.ends_with("; Secure"), "{cookie}");
    assert!(sent.header("location").contains("redirect_uri=https%3A%2F%2Fmuster.test%2F"), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sign_in_in_two_windows_at_once_makes_one_person() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    let (mut one, mut other) =
        (Browser::at(app.router()), Browser::at(&app.another_process(&provider.config())));
    let (first, second) = tokio::join!(one.sign_in(&provider), other.sign_in(&provider));
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (303, 303), "{}{}", first.text, second.text);
    assert_eq!(one.who().await, other.who().await);
    assert_eq!(details(&app, "user.create").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_groups_give_is_replaced_at_each_sign_in_and_what_an_admin_gave_stays() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    let mut browser = Browser::at(app.router());
    browser.sign_in(&provider).await;
    let ada = app.as_user("ada").await;
    let viewer = json!({"grants": [{"role": "viewer", "team": "elsewhere"}]});
    let changed = ada.patch("/api/v1/users/mira.holt", viewer).await.done();
    assert_eq!(
        changed["grants"].as_array().unwrap().len(),
        2,
        "what the groups give is not an admin's to take"
    );

    provider.told().claims = person("248289761001", "renamed@example.com", &["dr"]);
    browser.sign_in(&provider).await;
    let roles = ["approver@core-platform", "viewer@elsewhere", "viewer"];
    let (name, mut has) = browser.who().await;
    has.sort();
    let mut expected = roles.map(str::to_owned);
    expected.sort();
    assert_eq!(
        (name.as_str(), has.as_slice()),
        ("mira.holt", expected.as_slice()),
        "a name here does not change"
    );
    assert_eq!(details(&app, "user.change").await.len(), 2);
    assert_eq!(app.audited("user.change").await[1].0, "muster");

    // The same again is no change.
    browser.sign_in(&provider).await;
    assert_eq!(details(&app, "user.change").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_somebody_by_name_or_mail_but_by_an_admins_word() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    // There is an `otto` here.
    provider.told().claims = person("otto-at-keycloak", "otto@example.com", &["dr"]);
    let mut browser = Browser::at(app.router());
    let refused = browser.sign_in(&provider).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("somebody who does not sign in as you there"), "{}", refused.text);
    assert!(refused.text.contains("otto-at-keycloak"), "{}", refused.text);
    // Somebody in a browser sends no requests by hand.
    assert!(refused.text.contains("ask an admin") && !refused.text.contains("PATCH"), "{}", refused.text);
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
    assert_eq!(details(&app, "session.open").await[0]["code"], "name-taken");

    let ada = app.as_user("ada").await;
    let link = json!({"provider_subject": "otto-at-keycloak"});
    ada.patch("/api/v1/users/otto", link.clone()).await.done();
    let taken = ada.patch("/api/v1/users/vera", link).await;
    assert_eq!(taken.problem(), ("name-taken".to_owned(), 409));
    browser.sign_in(&provider).await;
    let (name, roles) = browser.who().await;
    assert_eq!((name.as_str(), roles.len()), ("otto", 3), "{roles:?}");

    // Taken back, the sessions of the one they were are over, and the roles of their groups are gone.
    let nobody = json!({"provider_subject": ""});
    let shown = ada.patch("/api/v1/users/otto", nobody).await.done();
    assert_eq!(shown["from_provider"], json!([]));
    assert_eq!(browser.get("/api/v1/session").await.status, 401);
    assert_eq!(browser.sign_in(&provider).await.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_role_by_their_groups_is_told_which_were_seen_and_loses_what_they_had() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    let told = |groups: &[&str]| provider.told().claims = person("7", "nora", groups);
    let mut browser = Browser::at(app.router());

    told(&["staff", "<b>sales</b>"]);
    let refused = browser.sign_in(&provider).await;
    assert_eq!(refused.status, 403);
    for words in ["Keycloak knows you and named the groups", "staff", "&#60;b&#62;sales", "MUSTER_OIDC_ROLES"]
    {
        assert!(refused.text.contains(words), "{words} in {}", refused.text);
    }
    assert_eq!(app.as_user("ada").await.get("/api/v1/users/nora").await.status, 404, "nobody was made");
    provider.told().claims["groups"] = Value::Null;
    provider.told().userinfo = json!({"sub": "7"});
    assert!(browser.sign_in(&provider).await.text.contains("sent no claim"));

    told(&["oncall"]);
    browser.sign_in(&provider).await;
    let mut meanwhile = browser.clone();
    assert_eq!(meanwhile.get("/api/v1/pairs").await.status, 200);
    told(&["staff"]);
    assert_eq!(Browser::at(app.router()).sign_in(&provider).await.status, 403);
    assert_eq!(meanwhile.who().await, ("nora".to_owned(), vec![]), "also for a session that is still open");
    let refusals: Vec<Value> =
        details(&app, "session.open").await.iter().map(|detail| detail["code"].clone()).collect();
    assert_eq!(
        refusals,
        ["no-role-from-groups", "no-role-from-groups", "", "no-role-from-groups"]
            .map(|code| { if code.is_empty() { Value::Null } else { json!(code) } })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_disabled_here_stays_out_whatever_the_provider_says() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    let mut browser = Browser::at(app.router());
    browser.sign_in(&provider).await;
    app.as_user("ada").await.patch("/api/v1/users/mira.holt", json!({"disabled": true})).await.done();
    let refused = browser.sign_in(&provider).await;
    assert_eq!(refused.status, 401);
    assert!(refused.text.contains("may not sign in any more"), "{}", refused.text);
    assert_eq!(browser.get("/api/v1/session").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_may_come_from_the_userinfo_endpoint_but_only_of_the_same_person() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    provider.told().claims["groups"] = Value::Null;
    provider.told().userinfo = json!({"sub": "248289761001", "groups": "oncall"});
    let mut browser = Browser::at(app.router());
    browser.sign_in(&provider).await;
    assert_eq!(browser.who().await.1, ["operator@core-platform"]);
    provider.told().userinfo = json!({"sub": "somebody-else", "groups": "kafka-admins"});
    assert_eq!(Browser::at(app.router()).sign_in(&provider).await.status, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_sign_in_at_the_provider_too() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    let mut browser = Browser::at(app.router());
    browser.sign_in(&provider).await;
    let out = browser.post("/sign-out", "").await;
    assert_eq!((out.status.as_u16(), browser.cookies.len()), (200, 0), "{}", out.text);
    let meta = out.text.split("<meta http-equiv=\"refresh\" content=\"0; url=").nth(1).unwrap();
    let onward = meta.split('"').next().unwrap().replace("&#38;", "&");
    let end = reqwest::Url::parse(&onward).unwrap();
    assert!(onward.starts_with(&format!("{}/end?", provider.url)), "{onward}");
    let sent: std::collections::BTreeMap<_, _> = end.query_pairs().into_owned().collect();
    assert_eq!(sent.keys().collect::<Vec<_>>(), ["client_id", "id_token_hint", "post_logout_redirect_uri"]);
    assert_eq!(sent["post_logout_redirect_uri"], "http://muster.test/sign-in");
    assert_eq!(sent["id_token_hint"].split('.').count(), 3);
    assert!(out.text.contains("Sign out of Keycloak"), "{}", out.text);
    assert!(!out.text.contains("mira.holt"), "{}", out.text);
    let kept: i64 =
        sqlx::query_scalar("select count(*) from session_id_token").fetch_one(&app.app.pool).await.unwrap();
    assert_eq!(kept, 0);

    // A provider that is away holds nobody up.
    browser.sign_in(&provider).await;
    let away = OidcConfig { oidc_issuer: Some("http://127.0.0.1:1".to_owned()), ..provider.config() };
    browser.at = app.another_process(&away);
    let out = browser.post("/sign-out", "").await;
    assert_eq!((out.status.as_u16(), out.header("location")), (303, "/sign-in"));
    assert!(app.audited("session.close").await.iter().all(|entry| entry.2 == "done"));

    // Whoever came by password has nothing to end there.
    let otto = app.as_browser_of("otto").await.form("/sign-out", &[]).await;
    assert_eq!((otto.status.as_u16(), otto.header("location")), (303, "/sign-in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_stepped_up_by_proving_again_now_as_the_same_person() {
    let provider = FakeProvider::start();
    let app = TestApp::with_provider(&provider.config()).await;
    let proven_long_ago = chrono::Utc::now().timestamp() - 3600;
    provider.told().claims["auth_time"] = json!(proven_long_ago);
    let mut browser = Browser::at(app.router());
    browser.sign_in(&provider).await;
    let session: Uuid = sqlx::query_scalar("select id from session").fetch_one(&app.app.pool).await.unwrap();
    let stepped_up = async || -> i64 {
        let at = "select extract(epoch from stepped_up_at)::bigint from session where id = $1";
        sqlx::query_scalar(at).bind(session).fetch_one(&app.app.pool).await.unwrap()
    };
    assert_eq!(stepped_up().await, proven_long_ago, "the provider remembered them: that is no proof of now");

    let page = browser.get("/reauthenticate?next=/runs").await.text;
    let way = "href=\"/reauthenticate/oidc?next=/runs\"><span>Sign in again with Keycloak</span>";
    assert!(page.contains(way) && !page.contains("type=\"password\""), "they have no password: {page}");
    let begin = async |browser: &mut Browser| {
        let sent = browser.get("/reauthenticate/oidc?next=/runs").await;
        let to = sent.header("location");
        for asked in ["prompt=login", "max_age=0"] {
            assert!(to.contains(asked), "{to}");
        }
        provider.agree(to)
    };
    // Still the old sign-in, none said at all, and somebody else.
    let tries = [
        (json!({"auth_time": proven_long_ago}), "remembered an earlier sign-in"),
        (json!({"auth_time": null}), "remembered an earlier sign-in"),
        (json!({"sub": "somebody-else", "auth_time": chrono::Utc::now().timestamp()}), "Somebody else than"),
    ];
    for (claims, words) in tries {
        for (claim, value) in claims.as_object().unwrap() {
            provider.told().claims[claim] = value.clone();
        }
        let back = begin(&mut browser).await;
        let refused = browser.get(&back).await;
        assert_eq!(refused.status, 403, "{words}: {}", refused.text);
        assert!(refused.text.contains(words), "{words}: {}", refused.text);
    }
    assert_eq!(stepped_up().await, proven_long_ago);
    // Somebody whose session is another one.
    provider.told().claims = person("248289761001", "mira", &["oncall"]);
    let mut stranger = Browser::at(app.router());
    stranger.sign_in(&provider).await;
    let begun = oidc::begin(&app.app, Purpose::StepUp { session }, "/runs").await.unwrap();
    let cookie = begun.cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
    stranger.cookies.insert(cookie.0.to_owned(), cookie.1.to_owned());
    let back = provider.agree(begun.to.as_str());
    assert_eq!(stranger.get(&back).await.status, 403);
    assert_eq!(app.audited("session.step_up").await.iter().filter(|entry| entry.2 == "refused").count(), 4);

    let back = begin(&mut browser).await;
    let done = browser.get(&back).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, "/runs"), "{}", done.text);
    assert!(stepped_up().await > proven_long_ago + 3000);
    let entries = app.audited("session.step_up").await;
    assert_eq!(entries[4], ("mira.holt".to_owned(), format!("session {session}"), "done".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_provider_is_the_only_way_passwords_are_taken_of_admins() {
    let provider = FakeProvider::start();
    let config = OidcConfig { oidc_only: true, ..provider.config() };
    let app = TestApp::with_provider(&config).await;
    let ada = app.as_user("ada").await;
    for name in ["otto", "ada"] {
        ada.patch(&format!("/api/v1/users/{name}"), json!({"password": PASSWORD})).await.done();
    }
    let mut browser = Browser::at(app.router());
    let page = browser.get("/sign-in").await.text;
    assert!(page.contains("<details class=\"data\"><summary>Sign in with a password: admins"), "{page}");
    let nobody = app.as_user("nobody").await;
    let asked = async |name: &str, password: &str| {
        nobody.post("/api/v1/session", json!({"name": name, "password": password})).await
    };
    let (right, wrong) = (asked("otto", PASSWORD).await, asked("otto", "no such password").await);
    assert_eq!(right.problem(), ("sign-in-refused".to_owned(), 401));
    assert_eq!(right.text, wrong.text, "it must not tell that the password was right");
    assert!(
        right.text.contains("Sign in with Keycloak: passwords are taken of admins only."),
        "{}",
        right.text
    );
    assert_eq!(asked("ada", PASSWORD).await.status, 201);

    // An admin by their groups is none for the day the provider is away.
    provider.told().claims = person("1", "gina", &["kafka-admins"]);
    browser.sign_in(&provider).await;
    assert_eq!(browser.who().await, ("gina".to_owned(), vec!["admin".to_owned()]));
    app.as_user("ada").await.patch("/api/v1/users/gina", json!({"password": PASSWORD})).await.done();
    assert_eq!(asked("gina", PASSWORD).await.problem().1, 401);
}

#[test]
fn a_setting_that_cannot_work_is_an_error_that_names_it() {
    let good = OidcConfig {
        oidc_issuer: Some("https://login.example.com/realms/main".to_owned()),
        oidc_client_id: Some("muster".to_owned()),
        oidc_client_secret: Some("a secret of the two".into()),
        ..OidcConfig::default()
    };
    let read = |config: &OidcConfig| Settings::read(config, "https://muster.example.com");
    let settings = format!("{:?}", read(&good).unwrap().unwrap());
    assert!(!settings.contains("a secret of the two"), "{settings}");
    assert!(!format!("{good:?}").contains("a secret of the two"));
    assert!(read(&OidcConfig::default()).unwrap().is_none());
    let said = |config: OidcConfig| format!("{:#}", read(&config).unwrap_err());
    let issuer = |issuer: &str| OidcConfig { oidc_issuer: Some(issuer.to_owned()), ..good.clone() };
    assert!(
        said(issuer("login.example.com"))
            .contains("MUSTER_OIDC_ISSUER `login.example.com` is not an address")
    );
    assert!(said(issuer("http://login.example.com")).contains("is not https"));
    assert!(said(issuer("https://login.example.com?a=b")).contains("without user, query and fragment"));
    assert!(said(issuer("file:///etc")).contains("is not https"));
    let allowed = OidcConfig { oidc_allow_http: true, ..issuer("http://login.example.com") };
    assert!(read(&allowed).unwrap().is_some());
    assert!(read(&issuer("http://127.0.0.1:8080")).unwrap().is_some());
    let roles = said(OidcConfig { oidc_roles: "admins=boss".to_owned(), ..good.clone() });
    assert_eq!(
        roles,
        "MUSTER_OIDC_ROLES: `admins=boss` is not `group=role` or `group=role@team`: `boss` is none of viewer, operator, \
         approver, owner, admin"
    );
    let file = OidcConfig {
        oidc_client_secret: None,
        oidc_client_secret_file: Some("/no/such/file".into()),
        ..good.clone()
    };
    assert!(said(file).contains("could not read MUSTER_OIDC_CLIENT_SECRET_FILE /no/such/file"));
    assert!(said(OidcConfig { oidc_client_secret: Some(" ".into()), ..good.clone() }).contains("is empty"));
    assert!(
        said(OidcConfig { oidc_client_id: Some(String::new()), ..good })
            .contains("MUSTER_OIDC_CLIENT_ID is empty")
    );
}
