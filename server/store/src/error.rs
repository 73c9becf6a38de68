//! What can go wrong with the database, naming what was tried.

use uuid::Uuid;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database could not be asked, or refused.
    #[error("could not {op}")]
    Database {
        /// What was tried, as a verb phrase: `keep run`.
        op: &'static str,
        /// What came back.
        source: sqlx::Error,
    },
    /// A rule the database holds was broken; the constraint's name says which.
    #[error("could not {op}: it breaks `{constraint}`")]
    Conflict {
        /// What was tried.
        op: &'static str,
        /// Name of the constraint.
        constraint: String,
    },
    /// The row was edited by somebody else since it was read (If-Match).
    #[error("could not {op}: it was edited by somebody else in between")]
    Stale {
        /// What was tried.
        op: &'static str,
    },
    /// Another worker has taken the run over; nothing was written.
    #[error("run {run} was taken over by another worker (epoch {epoch} is over)")]
    Fenced {
        /// Run.
        run: Uuid,
        /// Epoch the write carried.
        epoch: i64,
    },
    /// Somebody else has the lease now; nothing was written.
    #[error("the lease `{name}` was taken over by another process (epoch {epoch} is over)")]
    LeaseLost {
        /// Lease.
        name: String,
        /// Epoch the write carried.
        epoch: i64,
    },
    /// A secret could not be sealed or opened.
    #[error("could not {op}")]
    Sealed {
        /// What was tried.
        op: &'static str,
        /// Why it does not open.
        source: crate::secrets::EnvelopeError,
    },
    /// Samples of the flight recorder, or offset pairs, could not be packed.
    #[error("could not {op}")]
    Samples {
        /// What was tried.
        op: &'static str,
        /// Why not.
        source: crate::recorder::codec::CodecError,
    },
    /// The schema could not be brought up to date.
    #[error("could not migrate the database")]
    Migrate {
        /// What came back.
        source: sqlx::migrate::MigrateError,
    },
    /// A write touched another number of rows than it must.
    #[error("could not {op}: {got} rows instead of {expected}")]
    Rows {
        /// What was tried.
        op: &'static str,
        /// Rows touched.
        got: u64,
        /// Rows expected.
        expected: u64,
    },
    /// Stored data does not read back.
    #[error("`{table}.{column}` of row {row} does not read back")]
    Unreadable {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// Row, for people who look.
        row: String,
    },
}

impl StoreError {
    /// Wraps a database error, turning a broken constraint into [`StoreError::Conflict`].
    #[must_use]
    pub fn database(op: &'static str, source: sqlx::Error) -> Self {
        match source.as_database_error().and_then(|e| e.constraint()) {
            Some(constraint) => Self::Conflict { op, constraint: constraint.to_owned() },
            None => Self::Database { op, source },
        }
    }

    /// A row that does not read back.
    #[must_use]
    pub fn unreadable(table: &'static str, column: &'static str, row: String) -> Self {
        Self::Unreadable { table, column, row }
    }

    /// Checks the number of rows a write touched.
    ///
    /// # Errors
    /// `Rows` when it is another than expected.
    pub fn expect_rows(op: &'static str, got: u64, expected: u64) -> Result<(), Self> {
        if got == expected { Ok(()) } else { Err(Self::Rows { op, got, expected }) }
    }

    /// The broken constraint, if that is what it was.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Conflict { constraint, .. } => Some(constraint),
            Self::Database { .. }
            | Self::Stale { .. }
            | Self::Fenced { .. }
            | Self::LeaseLost { .. }
            | Self::Sealed { .. }
            | Self::Migrate { .. }
            | Self::Rows { .. }
            | Self::Samples { .. }
            | Self::Unreadable { .. } => None,
        }
    }
}

/// Names what was tried of the database when it refuses: `.map_err(failed("keep a run"))`.
pub(crate) fn failed(op: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::database(op, source)
}
