//! An identity provider that does as a test tells it, for what a real one never does: forged and foreign tokens, keys that
//! change, answers that never come. The real one is in tests/browser.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use muster_app::process::config::OidcConfig;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// What Muster is called there, and its secret.
pub(crate) const CLIENT: (&str, &str) = ("muster", "a secret of the two");
/// Rules for the pair's team and for all.
pub(crate) const ROLES: &str =
    "kafka-admins=admin;oncall=operator@core-platform;dr=approver@core-platform,viewer";

/// See the module.
pub(crate) struct FakeProvider {
    pub(crate) url: String,
    listener: Option<std::net::TcpListener>,
    serving: Option<JoinHandle<()>>,
    state: Shared,
}

type Shared = Arc<Mutex<Told>>;

/// How it behaves.
pub(crate) struct Told {
    url: String,
    /// What its description says otherwise than it should.
    pub(crate) description: Value,
    key: Key,
    /// Keys that are published; the signing one unless a test says otherwise.
    published: Vec<Value>,
    /// Claims of the person, over what every ID token has; `null` leaves one out.
    pub(crate) claims: Value,
    /// What the userinfo endpoint answers.
    pub(crate) userinfo: Value,
    /// An answer of the token endpoint in place of tokens.
    pub(crate) tokens: Option<(StatusCode, Value)>,
    /// How the ID token is signed.
    pub(crate) signed: Signed,
    /// Codes given out, each with the nonce and the PKCE challenge of its request.
    codes: HashMap<String, (String, String)>,
    /// How many codes were redeemed.
    pub(crate) redeemed: usize,
}

/// How ID tokens are signed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Signed {
    /// With the key of the provider, as it should be.
    WithKey,
    /// Not at all: `alg` is `none`.
    Not,
    /// With the secret of the client, which is no proof of who signed.
    WithSecret,
}

struct Key {
    kid: String,
    encoding: EncodingKey,
    public: Value,
}

impl Key {
    fn new() -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
        let kid = uuid::Uuid::new_v4().to_string();
        // The point is 4, x, y.
        let point = pair.public_key().as_ref();
        let public = json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid,
            "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..])});
        Self { kid, encoding: EncodingKey::from_ec_der(pkcs8.as_ref()), public }
    }
}

impl FakeProvider {
    /// Has an address and does not answer there yet.
    pub(crate) fn away() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = Key::new();
        let state = Arc::new(Mutex::new(Told {
            url: url.clone(),
            description: json!({}),
            published: vec![key.public.clone()],
            key,
            claims: person("248289761001", "Mira.Holt@example.com", &["oncall", "staff"]),
            userinfo: json!({}),
            tokens: None,
            signed: Signed::WithKey,
            codes: HashMap::new(),
            redeemed: 0,
        }));
        Self { url, listener: Some(listener), serving: None, state }
    }

    pub(crate) fn start() -> Self {
        let mut this = Self::away();
        this.come();
        this
    }

    /// Answers from now on.
    pub(crate) fn come(&mut self) {
        let listener = TcpListener::from_std(self.listener.take().unwrap()).unwrap();
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(Arc::clone(&self.state));
        self.serving = Some(tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }));
    }

    /// Settings of a Muster that uses it.
    pub(crate) fn config(&self) -> OidcConfig {
        OidcConfig {
            oidc_issuer: Some(self.url.clone()),
            oidc_client_id: Some(CLIENT.0.to_owned()),
            oidc_client_secret: Some(CLIENT.1.into()),
            oidc_scopes: "profile email".to_owned(),
            oidc_groups_claim: "groups".to_owned(),
            oidc_name_claim: "preferred_username".to_owned(),
            oidc_roles: ROLES.to_owned(),
            oidc_name: Some("Keycloak".to_owned()),
            ..OidcConfig::default()
        }
    }

    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        self.state.lock().unwrap()
    }

    /// Signs with another key from now on, and publishes only that.
    pub(crate) fn rotate(&self) {
        let mut told = self.told();
        told.key = Key::new();
        told.published = vec![told.key.public.clone()];
    }

    /// Signs with a key of its own making that nobody publishes.
    pub(crate) fn sign_with_a_strange_key(&self) {
        self.told().key = Key::new();
    }

    /// The person agrees to what a browser asks: where it is sent back to, as path and query.
    pub(crate) fn agree(&self, asked: &str) -> String {
        let asked = reqwest::Url::parse(asked).unwrap();
        assert!(asked.as_str().starts_with(&format!("{}/authorize?", self.url)), "{asked}");
        let query: HashMap<String, String> = asked.query_pairs().into_owned().collect();
        let expected = [
            ("response_type", "code"),
            ("client_id", CLIENT.0),
            ("redirect_uri", "http://muster.test/sign-in/oidc/callback"),
            ("code_challenge_method", "S256"),
            ("scope", "openid profile email"),
        ];
        for (name, value) in expected {
            assert_eq!(query[name], value, "{asked}");
        }
        let code = uuid::Uuid::new_v4().to_string();
        let issued = (query["nonce"].clone(), query["code_challenge"].clone());
        self.told().codes.insert(code.clone(), issued);
        format!("/sign-in/oidc/callback?code={code}&state={}", query["state"])
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

/// Claims of somebody.
pub(crate) fn person(subject: &str, name: &str, groups: &[&str]) -> Value {
    json!({"sub": subject, "preferred_username": name, "name": "Mira Holt", "groups": groups})
}

async fn describe(State(state): State<Shared>) -> Json<Value> {
    let told = state.lock().unwrap();
    let url = &told.url;
    let mut description = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "userinfo_endpoint": format!("{url}/userinfo"),
        "end_session_endpoint": format!("{url}/end"),
        "jwks_uri": format!("{url}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
    });
    for (name, value) in told.description.as_object().unwrap() {
        description[name] = value.clone();
    }
    Json(description)
}

async fn jwks(State(state): State<Shared>) -> Json<Value> {
    Json(json!({"keys": state.lock().unwrap().published}))
}

async fn userinfo(State(state): State<Shared>) -> Json<Value> {
    Json(state.lock().unwrap().userinfo.clone())
}

async fn token(
    State(state): State<Shared>,
    headers: HeaderMap,
    Form(asked): Form<HashMap<String, String>>,
) -> Response {
    let mut told = state.lock().unwrap();
    told.redeemed += 1;
    if let Some((status, answer)) = told.tokens.clone() {
        return (status, Json(answer)).into_response();
    }
    let encoded = |text: &str| text.replace(' ', "+");
    let credentials = format!("{}:{}", CLIENT.0, encoded(CLIENT.1));
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(credentials));
    let issued = told.codes.remove(&asked["code"]);
    let challenge = BASE64.encode(digest(&SHA256, asked["code_verifier"].as_bytes()));
    match issued {
        Some((nonce, wanted)) if wanted == challenge && headers[header::AUTHORIZATION] == basic => {
            let id_token = id_token(&told, &nonce);
            let tokens =
                json!({"access_token": "the access token", "token_type": "Bearer", "id_token": id_token});
            Json(tokens).into_response()
        }
        _ => (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response(),
    }
}

fn id_token(told: &Told, nonce: &str) -> String {
    let now = chrono::Utc::now().timestamp();
    let mut claims = json!({
        "iss": told.url, "aud": CLIENT.0, "iat": now, "exp": now + 300, "nonce": nonce, "auth_time": now,
    });
    for (claim, value) in told.claims.as_object().unwrap() {
        claims[claim] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    match told.signed {
        Signed::WithKey => {
            let header = Header { kid: Some(told.key.kid.clone()), ..Header::new(Algorithm::ES256) };
            jsonwebtoken::encode(&header, &claims, &told.key.encoding).unwrap()
        }
        Signed::WithSecret => {
            let key = EncodingKey::from_secret(CLIENT.1.as_bytes());
            jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap()
        }
        Signed::Not => {
            let part = |value: Value| BASE64.encode(value.to_string());
            format!("{}.{}.", part(json!({"alg": "none"})), part(claims))
        }
    }
}
