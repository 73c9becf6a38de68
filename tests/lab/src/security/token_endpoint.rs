//! A tiny OAuth token endpoint: client-credentials grant, ES256 tokens, public keys in a file for the broker.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::KeyPair;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::principals::MUSTER;
use crate::wait::now_ms;

/// `iss` of every token.
pub(super) const ISSUER: &str = "muster-lab";
/// `aud` of every token.
pub(super) const AUDIENCE: &str = "kafka";
const KEY_ID: &str = "lab-1";
const TOKEN_SECONDS: i64 = 60;

/// The running endpoint. Dropping it ends it.
#[derive(Debug)]
pub(super) struct TokenEndpoint {
    port: u16,
    keys: PathBuf,
    state: Arc<Signer>,
    server: tokio::task::JoinHandle<()>,
}

struct Signer {
    key: EncodingKey,
    client_secret: String,
    issued: AtomicUsize,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("issued", &self.issued).finish_non_exhaustive()
    }
}

#[derive(Debug, Deserialize)]
struct TokenRequest {
    grant_type: String,
    client_id: Option<String>,
    client_secret: Option<String>,
    scope: Option<String>,
}

impl TokenEndpoint {
    /// Listens on a free port; knows one client, `muster`, by `client_secret`.
    pub(super) async fn start(client_secret: &str, dir: &Path) -> Result<Self> {
        let pair = KeyPair::generate()?;
        let keys = dir.join("jwks.json");
        std::fs::write(&keys, public_keys(&pair)?.to_string())?;
        let state = Arc::new(Signer {
            key: EncodingKey::from_ec_der(&pair.serialize_der()),
            client_secret: client_secret.to_owned(),
            issued: AtomicUsize::new(0),
        });
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let routes = Router::new().route("/token", post(answer)).with_state(Arc::clone(&state));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::warn!("the token endpoint ended: {error}");
            }
        });
        Ok(Self { port, keys, state, server })
    }

    /// Address to ask for tokens.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/token", self.port)
    }

    /// File with the public keys (JWKS).
    pub(super) fn keys(&self) -> &Path {
        &self.keys
    }

    /// How many tokens were handed out.
    pub(super) fn issued(&self) -> usize {
        self.state.issued.load(Ordering::Relaxed)
    }
}

impl Drop for TokenEndpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The uncompressed point of a P-256 key is one byte 4, then 32 bytes x, then 32 bytes y.
fn public_keys(pair: &KeyPair) -> Result<Value> {
    let point = pair.public_key_raw();
    let (x, y) = point.get(1..65).context("not a P-256 key")?.split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    Ok(json!({"keys": [
        {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": KEY_ID, "x": x, "y": y}
    ]}))
}

async fn answer(
    State(signer): State<Arc<Signer>>,
    headers: HeaderMap,
    Form(request): Form<TokenRequest>,
) -> (StatusCode, Json<Value>) {
    if request.grant_type != "client_credentials" {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "unsupported_grant_type"})));
    }
    let in_form = request.client_id.zip(request.client_secret);
    let known = (MUSTER.to_owned(), signer.client_secret.clone());
    if in_form.or_else(|| basic_credentials(&headers)) != Some(known) {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": "invalid_client"})));
    }
    match sign(&signer, request.scope.as_deref()) {
        Ok(token) => {
            signer.issued.fetch_add(1, Ordering::Relaxed);
            let reply = json!({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS});
            (StatusCode::OK, Json(reply))
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({"error": error.to_string()}))),
    }
}

fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let encoded = headers.get("authorization")?.to_str().ok()?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

fn sign(signer: &Signer, scope: Option<&str>) -> Result<String> {
    let now = now_ms() / 1000;
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(KEY_ID.to_owned());
    let claims = json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": MUSTER,
        "iat": now,
        "exp": now + TOKEN_SECONDS,
        "scope": scope.unwrap_or("kafka"),
    });
    Ok(jsonwebtoken::encode(&header, &claims, &signer.key)?)
}
