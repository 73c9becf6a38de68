//! What one row of the routes table says: address, who may use it, what the audit calls it, what it takes and answers.

use axum::{
    handler::Handler,
    http::Method,
    routing::{MethodFilter, MethodRouter, on},
};
use muster_domain::people::Role;
use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        RefOr, Schema,
        path::{Parameter, ParameterIn},
    },
};

use crate::app::App;

/// Whose team a right must hold for: named in the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// `{pair}`.
    Pair,
    /// `{run}`.
    Run,
    /// `{plan}`.
    Plan,
    /// `{schedule}`.
    Schedule,
    /// `{finding}`.
    Finding,
    /// `{channel}`.
    Channel,
    /// `{proof}`.
    Proof,
    /// `{team}`.
    Team,
    /// `{alarm}`.
    Alarm,
}

impl Of {
    /// What it is called, in paths and in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::Run => "run",
            Self::Plan => "plan",
            Self::Schedule => "schedule",
            Self::Finding => "finding",
            Self::Channel => "channel",
            Self::Proof => "proof",
            Self::Team => "team",
            Self::Alarm => "alarm",
        }
    }
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, signed in or not.
    Anyone,
    /// Anybody signed in. What they see is narrowed to their teams.
    SignedIn,
    /// Whoever may read what belongs to the team.
    Reader(Of),
    /// Whoever has one of these roles for the team.
    Role(&'static [Role], Of),
    /// Whoever has one of these roles for any team at all. Handlers check the team once they know it.
    Anywhere(&'static [Role]),
    /// Whoever may read everything: admins, and people with a role for all teams.
    Auditor,
}

/// What a route leaves in the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audit {
    /// It changes nothing.
    Reads,
    /// It changes something under this action, and its refusals are entries too.
    Writes(&'static str),
}

/// Which clients an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Answers JSON.
    Api,
    /// Answers pages to browsers.
    Page,
}

/// What has to have been shown a short while ago, beyond being signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// That the person is there: they signed in or gave their password again minutes ago. An API token never is.
    Person,
    /// The same for sessions. An API token counts: it was made for this by somebody who had shown it.
    PersonOrToken,
}

/// The part of a row the guard carries.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Who may use it.
    pub access: Access,
    /// What the audit calls it.
    pub audit: Audit,
    /// Who it is for.
    pub kind: Kind,
    /// Whether it creates something, so that `Idempotency-Key` counts.
    pub creates: bool,
    /// Whether a key in the address lets in who sends no other credentials: calendar programs send no headers.
    pub takes_key: bool,
    /// What has to have been shown a short while ago.
    pub presence: Option<Presence>,
}

/// Adds a type's schemas to the document and names it.
pub type SchemaOf = fn(&mut Vec<(String, RefOr<Schema>)>) -> String;

/// The query parameters of a type.
pub type QueryOf = fn() -> Vec<Parameter>;

/// What the OpenAPI document says of a row beyond its rule.
#[derive(Debug, Clone, Copy, Default)]
pub struct Doc {
    /// One sentence.
    pub says: &'static str,
    /// Body, and its media type.
    pub takes: Option<(SchemaOf, &'static str)>,
    /// Whether the body may be `text/plain` too.
    pub text: bool,
    /// Status when all is well.
    pub status: u16,
    /// Status when all is well and nothing, or something, goes on after the answer, unlike usually.
    pub or_status: Option<u16>,
    /// Reply, when it has a body.
    pub answers: Option<SchemaOf>,
    /// Query parameters.
    pub query: Option<QueryOf>,
    /// Media type of a reply that is not JSON.
    pub media: Option<&'static str>,
    /// Data of the events, when it can answer as a stream too.
    pub streams: Option<SchemaOf>,
    /// Whether what it answers has an ETag, which edits of it take as `If-Match`.
    pub versioned: bool,
    /// Whether it answers the address of what was made or goes on.
    pub located: bool,
    /// Request headers of its own, each with what it does.
    pub headers: &'static [(&'static str, &'static str)],
}

/// One row.
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path with parameters in braces.
    pub path: &'static str,
    /// Who, audit, kind.
    pub rule: Rule,
    /// For the OpenAPI document.
    pub doc: Doc,
    /// What answers.
    pub handler: MethodRouter<App>,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// A row of the API.
pub fn api<H, T>(method: Method, path: &'static str, access: Access, audit: Audit, handler: H) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    row(
        method,
        path,
        Rule { access, audit, kind: Kind::Api, creates: false, takes_key: false, presence: None },
        handler,
    )
}

/// A row of the pages.
pub fn page<H, T>(method: Method, path: &'static str, access: Access, audit: Audit, handler: H) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    row(
        method,
        path,
        Rule { access, audit, kind: Kind::Page, creates: false, takes_key: false, presence: None },
        handler,
    )
}

fn row<H, T>(method: Method, path: &'static str, rule: Rule, handler: H) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    let filter = MethodFilter::try_from(method.clone()).expect("the table uses methods axum knows");
    Route { method, path, rule, doc: Doc { status: 200, ..Doc::default() }, handler: on(filter, handler) }
}

fn schema_of<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) -> String {
    let name = T::name().into_owned();
    schemas.push((name.clone(), T::schema()));
    T::schemas(schemas);
    name
}

impl Route {
    /// One sentence for the OpenAPI document.
    #[must_use]
    pub fn says(mut self, sentence: &'static str) -> Self {
        self.doc.says = sentence;
        self
    }

    /// The JSON body it takes.
    #[must_use]
    pub fn takes<T: ToSchema>(mut self) -> Self {
        self.doc.takes = Some((schema_of::<T>, "application/json"));
        self
    }

    /// What it answers when all is well.
    #[must_use]
    pub fn answers<T: ToSchema>(mut self, status: u16) -> Self {
        self.doc.status = status;
        self.doc.answers = Some(schema_of::<T>);
        self
    }

    /// It answers without a body.
    #[must_use]
    pub fn answers_nothing(mut self) -> Self {
        self.doc.status = 204;
        self
    }

    /// It answers something that is not JSON.
    #[must_use]
    pub fn answers_media(mut self, media: &'static str) -> Self {
        self.doc.media = Some(media);
        self
    }

    /// It also answers as a stream of server-sent events, each with one of these as its data.
    #[must_use]
    pub fn streams<T: ToSchema>(mut self) -> Self {
        self.doc.streams = Some(schema_of::<T>);
        self
    }

    /// Query parameters it takes.
    #[must_use]
    pub fn query<T: IntoParams>(mut self) -> Self {
        self.doc.query = Some(|| T::into_params(|| Some(ParameterIn::Query)));
        self
    }

    /// It also answers this status when all is well.
    #[must_use]
    pub fn or(mut self, status: u16) -> Self {
        self.doc.or_status = Some(status);
        self
    }

    /// Its body may be text instead, with the other members in the query.
    #[must_use]
    pub fn or_text(mut self) -> Self {
        self.doc.text = true;
        self
    }

    /// What it answers or changes has versions: `ETag` and `If-Match`.
    #[must_use]
    pub fn versioned(mut self) -> Self {
        self.doc.versioned = true;
        self
    }

    /// It answers the address of what goes on.
    #[must_use]
    pub fn located(mut self) -> Self {
        self.doc.located = true;
        self
    }

    /// Request headers of its own.
    #[must_use]
    pub fn headers(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        self.doc.headers = headers;
        self
    }

    /// It needs to have been shown a short while ago who asks.
    #[must_use]
    pub fn needs(mut self, presence: Presence) -> Self {
        self.rule.presence = Some(presence);
        self
    }

    /// A key in the address counts.
    #[must_use]
    pub fn takes_key(mut self) -> Self {
        self.rule.takes_key = true;
        self
    }

    /// It creates something: `Idempotency-Key` makes a repetition harmless.
    #[must_use]
    pub fn creates(mut self) -> Self {
        self.rule.creates = true;
        self.doc.located = true;
        self
    }
}
