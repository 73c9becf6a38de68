//! A run as its row is.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::{PairName, TeamName},
    pair::{Direction, Side},
    record::{Outcome, Person, Run},
    run::{Operation, RunState},
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::StoreError;

/// A run as its row is.
#[derive(Debug)]
pub(super) struct RunRow {
    pub(super) id: Uuid,
    pub(super) number: i64,
    pub(super) plan_id: Uuid,
    pub(super) plan_hash: String,
    pub(super) pair: String,
    pub(super) team: String,
    pub(super) operation: String,
    pub(super) from_side: String,
    pub(super) course: String,
    pub(super) drill: bool,
    pub(super) state: String,
    pub(super) state_reason: String,
    pub(super) requested_by: Uuid,
    pub(super) requested_by_name: String,
    pub(super) reason: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) decide_by: DateTime<Utc>,
    pub(super) use_by: Option<DateTime<Utc>>,
    pub(super) approvals_needed: i32,
    pub(super) approved_at: Option<DateTime<Utc>>,
    pub(super) driver: Option<Uuid>,
    pub(super) driver_name: Option<String>,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) no_return_at: Option<DateTime<Utc>>,
    pub(super) ended_at: Option<DateTime<Utc>>,
    pub(super) epoch: i64,
    pub(super) outcome: Option<Json<Outcome>>,
}

impl TryFrom<RunRow> for Run {
    type Error = StoreError;

    fn try_from(row: RunRow) -> Result<Self, StoreError> {
        let unreadable = |column: &'static str| StoreError::unreadable("run", column, row.id.to_string());
        Ok(Self {
            id: row.id,
            number: row.number,
            plan: row.plan_id,
            pair: PairName::new(row.pair).map_err(|_| unreadable("pair"))?,
            team: TeamName::new(row.team).map_err(|_| unreadable("team"))?,
            operation: Operation::parse(&row.operation).ok_or_else(|| unreadable("operation"))?,
            direction: Direction {
                from: Side::parse(&row.from_side).ok_or_else(|| unreadable("from_side"))?,
            },
            state: RunState::parse(&row.state).ok_or_else(|| unreadable("state"))?,
            plan_hash: row.plan_hash,
            course: row.course,
            drill: row.drill,
            state_reason: row.state_reason,
            requested_by: Person { id: row.requested_by, name: row.requested_by_name },
            reason: row.reason,
            created_at: row.created_at,
            decide_by: row.decide_by,
            use_by: row.use_by,
            approvals_needed: u32::try_from(row.approvals_needed).unwrap_or(1),
            approved_at: row.approved_at,
            driver: row.driver.zip(row.driver_name).map(|(id, name)| Person { id, name }),
            started_at: row.started_at,
            no_return_at: row.no_return_at,
            ended_at: row.ended_at,
            epoch: row.epoch,
            outcome: row.outcome.map(|Json(outcome)| outcome),
        })
    }
}
