//! Handlers of `/api/v1`: take apart, call one act, answer.

pub mod audit;
pub mod brake;
pub mod calendar;
pub mod channels;
pub mod clusters;
pub mod decisions;
pub mod events;
pub mod findings;
pub mod observation;
pub mod pairs;
pub mod people;
pub mod plans;
pub mod runs;
pub mod schedules;
pub mod service;
pub mod session;

use serde::Serialize;
use utoipa::ToSchema;

/// A list, or a page of one.
#[derive(Debug, Serialize, ToSchema)]
pub struct Items<T: ToSchema> {
    /// What there is, in order.
    pub items: Vec<T>,
    /// Cursor of the next page (`after`); left out when this was the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T: ToSchema> From<Vec<T>> for Items<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// Longest page of a list.
pub const LONGEST_PAGE: i64 = 200;

/// The size of a page: what was asked for, within bounds.
#[must_use]
pub fn page_size(asked: Option<i64>) -> i64 {
    asked.unwrap_or(50).clamp(1, LONGEST_PAGE)
}
