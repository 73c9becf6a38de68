//! The one error of the HTTP side: problem+json for machines, a page with a way onward for people.
//!
//! Handlers return it; `IntoResponse` writes problem+json and leaves the failure in the response's extensions, where
//! the guard finds it to audit refusals and to turn it into a page. Internal text never gets in here: it is logged
//! where the failure is made.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use muster_domain::problem::Problem;
use muster_operations::OperationError;
use muster_store::StoreError;
use serde_json::{Map, Value, json};

use super::codes;

/// What a request is answered with when it is not done.
#[derive(Debug, Clone)]
pub struct Failure {
    /// HTTP status.
    pub status: StatusCode,
    /// Code, sentence, next step.
    pub problem: Problem,
    /// Further members of the problem document (`lines` of an import).
    pub more: Map<String, Value>,
    /// What was refused, where a form can ask for more than one thing; otherwise its route says.
    pub action: Option<&'static str>,
}

/// What handlers return.
pub type Answer<T = Response> = Result<T, Failure>;

impl Failure {
    /// A failure with the status its code is documented with.
    pub fn new(code: &str, detail: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self::from(Problem::new(code, detail, next_step))
    }

    /// Something named in the address does not exist, or not for this person.
    #[must_use]
    pub fn not_found(what: &str, name: &str) -> Self {
        Self::new(
            "not-found",
            format!("There is no {what} `{name}`."),
            "Check the name, or list what there is.",
        )
    }

    /// The request cannot be read or does not hold together.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new("invalid-request", detail, "Correct the request and send it again.")
    }

    /// Something went wrong inside; the cause is logged here, once.
    pub fn internal(op: &str, cause: impl std::fmt::Display) -> Self {
        tracing::error!(op, cause = %cause, "could not {op}");
        Self::new(
            "internal",
            "Something went wrong inside Muster.",
            "Try again. If it stays, look for this request's id in Muster's log.",
        )
    }

    /// Whether it broke off in the middle: it alone does not say what had been done by then.
    #[must_use]
    pub fn broke_off(&self) -> bool {
        ["database-unavailable", "internal"].contains(&self.problem.code.as_str())
    }

    /// Of a request that was to change something and was answered before it was begun.
    #[must_use]
    pub fn before_it_began(mut self) -> Self {
        if self.broke_off() {
            self.problem.detail.push_str(" Nothing was changed.");
        }
        self
    }

    /// Of a request that was to change something and had begun. A connection that breaks while the database commits leaves open
    /// whether it did, and what broke off may have come after the commit. `keyed` is whether the request can be repeated under
    /// the `Idempotency-Key` it was sent with.
    #[must_use]
    pub fn once_begun(mut self, keyed: bool) -> Self {
        if self.broke_off() {
            self.problem.detail.push_str(" It is not known whether what was asked for was done.");
            let repeat = match keyed {
                true => {
                    "Repeat it with the same Idempotency-Key: if it was done, it is not done again and the answer \
                     comes again."
                }
                false => "Look at the state of what you acted on before you repeat it.",
            };
            self.problem.next_step = format!("{repeat} {}", self.problem.next_step);
        }
        self
    }

    /// Of a request of which nothing is known any more, not even whether it was to change anything.
    #[must_use]
    pub fn whatever_was_asked(mut self) -> Self {
        self.problem.detail.push_str(" If a change was asked for, it is not known whether it was made.");
        self.problem.next_step = format!(
            "Look at the state of what you acted on before you repeat it. {}",
            self.problem.next_step
        );
        self
    }

    /// Adds a member to the problem document.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.more.insert(key.to_owned(), value);
        self
    }

    /// Names what was refused.
    #[must_use]
    pub fn of(mut self, action: &'static str) -> Self {
        self.action = Some(action);
        self
    }

    /// The problem document.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut document = json!({
            "type": format!("urn:muster:problem:{}", self.problem.code),
            "title": codes::title(&self.problem.code),
            "status": self.status.as_u16(),
            "code": self.problem.code,
            "detail": self.problem.detail,
            "next_step": self.problem.next_step,
        });
        if let Value::Object(members) = &mut document {
            members.extend(self.more.clone());
        }
        document
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { status: codes::status(&problem.code), problem, more: Map::new(), action: None }
    }
}

impl From<OperationError> for Failure {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Refused(problem) => problem.into(),
            OperationError::Store(error) => error.into(),
            error @ OperationError::Clients { .. } => {
                tracing::warn!(cause = %error, "could not build clients");
                Self::new(
                    "clients-unavailable",
                    "Muster could not build its connections to this pair's clusters.",
                    "Run `muster doctor`: it tries every cluster and every sealed secret.",
                )
            }
            error @ OperationError::Stored { .. } => Self::internal("read what is stored", error),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Conflict { constraint, .. } => match codes::conflict(constraint) {
                Some(problem) => problem.into(),
                None => Self::internal("keep it", chain(&error)),
            },
            StoreError::Stale { .. } => Self::new(
                "edited-in-between",
                "It was edited by somebody else since it was read; nothing was changed.",
                "Read it again, look at what changed, and send the edit with the new ETag.",
            ),
            StoreError::Database { source, .. } if is_outage(source) => {
                tracing::warn!(cause = %chain(&error), "the database does not answer");
                Self::new(
                    "database-unavailable",
                    "Muster's database does not answer.",
                    "Muster reconnects by itself; /readyz says when it is back. Then try again. What can be done until then is on \
                     /runbooks.",
                )
            }
            StoreError::Database { source, .. } if is_unstorable(source) => Self::invalid(
                "A text or number in the request is one the database cannot keep, such as a text with a zero byte.",
            ),
            StoreError::Sealed { .. } => {
                tracing::error!(cause = %chain(&error), "a sealed secret does not open");
                Self::new(
                    "secrets-sealed",
                    "Muster's secrets key does not fit what is sealed in the database; nothing was changed.",
                    "Run `muster doctor`; give this process the key the secrets were sealed with.",
                )
            }
            StoreError::Database { .. }
            | StoreError::LeaseLost { .. }
            | StoreError::Migrate { .. }
            | StoreError::Fenced { .. }
            | StoreError::Rows { .. }
            | StoreError::Samples { .. }
            | StoreError::Unreadable { .. } => Self::internal("ask the database", chain(&error)),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(source: sqlx::Error) -> Self {
        StoreError::Database { op: "begin or commit", source }.into()
    }
}

/// Whether the database itself is away, as opposed to having refused something.
#[must_use]
pub fn is_outage(error: &sqlx::Error) -> bool {
    // 57P01..03: shutting down, crashed, starting up.
    let going = error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code.starts_with("57P"));
    going
        || matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
        )
}

/// Whether what was given cannot be stored as such: PostgreSQL's class 22, data exceptions.
fn is_unstorable(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code.starts_with("22"))
}

/// An error with everything behind it, for logs.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.document().to_string()).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE || self.status == StatusCode::TOO_MANY_REQUESTS {
            let seconds = self.more.get("retry_after_seconds").and_then(Value::as_u64).unwrap_or(5);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}
