//! `Idempotency-Key` on what creates: the same request again gets the same answer, and its work is done once.
//!
//! The key is taken and the answer kept in the transaction that does the work, so a request that failed can be sent
//! again with the same key.

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderValue, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use muster_domain::{hash::sha256_hex, people::Actor};
use muster_store::idempotency::{self, Answer as Kept, Begun};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::{PgConnection, PgPool, PgTransaction};

use super::failure::{Answer, Failure};

/// A JSON body that creates something, with the key it was sent with. A body of `text/plain` is its member `text`, the
/// other members come from the query.
#[derive(Debug)]
pub struct Creating<T> {
    /// The body.
    pub body: T,
    key: Option<String>,
    hash: String,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Creating<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let key = request.headers().get("idempotency-key").and_then(|v| v.to_str().ok()).map(str::to_owned);
        if key.as_ref().is_some_and(|key| key.is_empty() || key.chars().count() > 255) {
            return Err(Failure::invalid("`Idempotency-Key` takes 1 to 255 characters."));
        }
        // The query too: of a text it is the rest of what is to be created.
        let address = request.uri().path_and_query().map_or("/", |address| address.as_str());
        let line = format!("{} {address}\n", request.method());
        let (parts, body) = request.into_parts();
        let copy = Request::from_parts(parts.clone(), body);
        let bytes =
            Bytes::from_request(copy, state).await.map_err(|e| super::extract::unread(e.status(), &e))?;
        let hash = sha256_hex(&[line.as_bytes(), &bytes].concat());
        let plain =
            parts.headers.get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"text/plain"));
        let body =
            if plain { from_text(&parts.uri, &bytes)? } else { from_json(parts, bytes, state).await? };
        Ok(Self { body, key, hash })
    }
}

async fn from_json<T: DeserializeOwned, S: Send + Sync>(parts: Parts, bytes: Bytes, state: &S) -> Answer<T> {
    let again = Request::from_parts(parts, axum::body::Body::from(bytes));
    Ok(super::Json::<T>::from_request(again, state).await?.0)
}

fn from_text<T: DeserializeOwned>(uri: &Uri, bytes: &Bytes) -> Answer<T> {
    let text = std::str::from_utf8(bytes).map_err(|_| Failure::invalid("The text is not UTF-8."))?;
    let query = axum::extract::Query::<serde_json::Map<String, Value>>::try_from_uri(uri);
    let mut members = query.map(|axum::extract::Query(members)| members).unwrap_or_default();
    members.insert("text".to_owned(), Value::String(text.to_owned()));
    serde_json::from_value(Value::Object(members))
        .map_err(|e| Failure::invalid(format!("The query does not fit: {e}.")))
}

/// A transaction whose answer is kept under the key.
#[derive(Debug)]
pub struct Once {
    tx: PgTransaction<'static>,
    taken: Option<(Actor, String)>,
}

/// What to do with a request that creates.
#[derive(Debug)]
pub enum Start {
    /// Do the work in this transaction.
    Do(Once),
    /// It was done; answer this.
    Replay(Response),
}

impl<T> Creating<T> {
    /// Begins the transaction and takes the key; the body comes out for the work.
    ///
    /// # Errors
    /// `idempotency-key-reused` when the key was sent with another request.
    pub async fn begin(self, pool: &PgPool, actor: &Actor) -> Answer<(T, Start)> {
        let mut tx = muster_store::begin(pool).await?;
        let Some(key) = self.key else { return Ok((self.body, Start::Do(Once { tx, taken: None }))) };
        let start = match idempotency::begin(&mut tx, actor.id, &key, &self.hash).await? {
            Begun::New => Start::Do(Once { tx, taken: Some((actor.clone(), key)) }),
            Begun::Replay(kept) => Start::Replay(replay(kept)),
            Begun::Mismatch | Begun::Unfinished => return Err(reused()),
        };
        Ok((self.body, start))
    }
}

impl Once {
    /// The connection the work is done on.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Keeps the answer, commits, answers.
    ///
    /// # Errors
    /// When the database refuses; then nothing was done.
    pub async fn answer(mut self, status: StatusCode, location: &str, body: &impl Serialize) -> Answer {
        let body = serde_json::to_value(body).map_err(|e| Failure::internal("write the answer", e))?;
        let kept = Kept { status: status.as_u16(), location: Some(location.to_owned()), body };
        if let Some((actor, key)) = &self.taken {
            idempotency::finish(&mut self.tx, actor.id, key, &kept).await?;
        }
        self.tx.commit().await?;
        Ok(replay(kept))
    }
}

fn replay(kept: Kept) -> Response {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let mut response = if kept.body.is_null() {
        status.into_response()
    } else {
        (status, axum::Json(kept.body)).into_response()
    };
    if let Some(location) = kept.location.and_then(|location| HeaderValue::from_str(&location).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn reused() -> Failure {
    Failure::new(
        "idempotency-key-reused",
        "This Idempotency-Key was sent with another request.",
        "Make a new key for each new request; repeat one only with the very same method, address and body.",
    )
}
