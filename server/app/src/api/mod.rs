//! Handlers of `/api/v1`: take apart, call one act, answer.

pub mod alarms;
pub mod approvals;
pub mod audit;
pub mod brake;
pub mod calendar;
pub mod canaries;
pub mod channels;
pub mod clusters;
pub mod connect_credentials;
pub(crate) mod cursor;
pub mod decisions;
pub mod differences;
pub mod events;
pub mod findings;
pub mod installation;
pub mod lag_explorer;
pub mod losses;
pub mod observation;
pub mod pairs;
pub mod people;
pub mod plans;
pub mod proofs;
pub mod recorded;
pub mod rings;
pub mod runs;
pub mod schedules;
pub mod service;
pub mod session;
pub mod sessions;
pub mod teams;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{Array, ObjectBuilder, Ref, RefOr, Schema, Type},
};

/// A list, or a page of one.
#[derive(Debug, Serialize)]
pub struct Items<T: ToSchema> {
    /// What there is, in order.
    pub items: Vec<T>,
    /// Cursor of the next page (`after`); left out when this was the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Each kind of list has a schema of its own: derived, all of them would have one name.
impl<T: ToSchema> PartialSchema for Items<T> {
    fn schema() -> RefOr<Schema> {
        let next = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Cursor of the next page (`after`); left out when this was the last."));
        let list = ObjectBuilder::new()
            .property("items", Array::new(Ref::from_schema_name(T::name())))
            .required("items")
            .property("next", next);
        list.build().into()
    }
}

impl<T: ToSchema> ToSchema for Items<T> {
    fn name() -> Cow<'static, str> {
        format!("{}List", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

impl<T: ToSchema> Items<T> {
    /// A page of at most so many; a full one may have another behind it, after the cursor of its last item.
    pub fn page(items: Vec<T>, limit: i64, cursor: impl FnOnce(&T) -> String) -> Self {
        let next = next(&items, limit, cursor);
        Self { items, next }
    }
}

impl<T: ToSchema> From<Vec<T>> for Items<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// The cursor of the page behind this one, which is of at most `limit`: a full one may have another behind it.
fn next<T>(found: &[T], limit: i64, cursor: impl FnOnce(&T) -> String) -> Option<String> {
    let full = i64::try_from(found.len()).is_ok_and(|n| n == limit);
    found.last().filter(|_| full).map(cursor)
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct PageQuery {
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 200; 50.
    limit: Option<i64>,
}

/// Longest page of a list.
pub const LONGEST_PAGE: i64 = 200;

/// The size of a page: what was asked for, within bounds.
#[must_use]
pub fn page_size(asked: Option<i64>) -> i64 {
    asked.unwrap_or(50).clamp(1, LONGEST_PAGE)
}
