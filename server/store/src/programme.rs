//! The drill programme: every time a drill was or is to be held, what still asks for somebody first.

use chrono::{DateTime, Utc};
use muster_domain::{ids::PairName, schedule::Occurrence};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// An occurrence in the programme, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The pair.
    pub pair: PairName,
    /// What is drilled: `switchover` or `readiness_drill`.
    pub drill: String,
    /// When.
    pub occurrence: Occurrence,
    /// The run asked for.
    pub run: Option<Uuid>,
    /// Whether a drill asked for since passed, before the next occurrence: as in [`crate::occurrences::Recorded`].
    pub passed: bool,
    /// Why there is no run yet.
    pub trouble: String,
    /// Why nobody has to hold it any more; `None` while it stands.
    pub skipped: Option<String>,
    /// Where it is in the list.
    pub place: Place,
}

/// Whose turn it is in the list: what still asks for somebody comes first, the most pressing of it before the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nobody held it and its window is over; oldest first.
    Overdue,
    /// Its window is open; oldest first.
    Due,
    /// Asked for ahead of time; oldest first.
    Ahead,
    /// Nobody is asked for it any more: held, skipped, or missed by a schedule that came due again or is off, as
    /// [`crate::waiting::overdue_drills`] counts; newest first.
    Over,
}

impl Turn {
    /// Its number, by which the list is sorted and which cursors have.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Overdue => 0,
            Self::Due => 1,
            Self::Ahead => 2,
            Self::Over => 3,
        }
    }

    /// The turn of a number; `None` for one that no turn has.
    #[must_use]
    pub fn of_number(number: i32) -> Option<Self> {
        [Self::Overdue, Self::Due, Self::Ahead, Self::Over].into_iter().find(|turn| turn.number() == number)
    }
}

/// The place of an occurrence in the list: its turn, then the order within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which part of the list it is in.
    pub turn: Turn,
    /// When it is due, in seconds; negative where the newest come first.
    pub due: i64,
    /// Its schedule.
    pub schedule: Uuid,
    /// Its name, in seconds.
    pub nominal: i64,
}

impl Place {
    /// Whether nobody is asked for it any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.turn == Turn::Over
    }
}

/// What a part of the programme is shown with: how many there are in all that still ask for somebody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standings {
    /// Nobody held the last one of a schedule that is on.
    pub overdue: i64,
    /// The window is open.
    pub due: i64,
    /// Asked for ahead of time.
    pub ahead: i64,
}

/// The programme of pairs of some teams (`None`: of all), at most `limit` of those behind a place, with how many there are on
/// all pages. Where nothing is behind that place nothing is counted either.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn list(
    conn: &mut PgConnection,
    teams: Option<&[String]>,
    now: DateTime<Utc>,
    after: Option<Place>,
    limit: i64,
) -> Result<(Standings, Vec<Listed>), StoreError> {
    let rows = sqlx::query!(
        r#"with known as (
            select o.schedule_id, o.nominal, o.pair, o.drill, o.due, o.closes, o.recorded_at, o.run_id, o.trouble,
                o.skipped_why, o.closes <= $2 as closed,
                row_number() over (
                    partition by o.schedule_id, (o.closes <= $2 and o.skipped_why is null)
                    order by o.nominal desc
                ) = 1 as newest,
                min(o.recorded_at) over (
                    partition by o.schedule_id
                    order by o.nominal desc
                    rows between unbounded preceding and 1 preceding
                ) as until
            from drill_occurrence o
            join pair on pair.name = o.pair
            where $1::text[] is null or pair.team = any($1)
        ),
        -- Runs are looked at only for what can still ask for somebody: history grows, that does not.
        placed as (
            select known.*,
                case
                    when known.skipped_why is not null then 3
                    when known.closed
                        and not (known.newest and coalesce((schedule.body ->> 'enabled')::boolean, false)) then 3
                    when exists (
                        select from run held
                        where held.pair = known.pair
                            and held.operation = known.drill
                            and held.drill
                            and held.state = 'passed'
                            and held.created_at >= known.recorded_at
                            and (known.closed or known.until is null or held.created_at < known.until)
                    ) then 3
                    when known.closed then 0
                    when known.due <= $2 then 1
                    else 2
                end as turn
            from known
            left join schedule on schedule.id = known.schedule_id and schedule.removed_at is null
        ),
        keyed as (
            select placed.*,
                extract(epoch from placed.due)::bigint * case when placed.turn = 3 then -1 else 1 end as key_due,
                extract(epoch from placed.nominal)::bigint as key_nominal
            from placed
        ),
        shown as (
            select *
            from keyed
            where $3::int is null
                or (keyed.turn, keyed.key_due, keyed.schedule_id, keyed.key_nominal) > ($3, $4::bigint, $5::uuid, $6::bigint)
            order by keyed.turn, keyed.key_due, keyed.schedule_id, keyed.key_nominal
            limit $7
        )
        select shown.schedule_id as "schedule_id!", shown.pair as "pair!", shown.drill as "drill!",
            shown.nominal as "nominal!", shown.due as "due!", shown.closes as "closes!", shown.run_id as "run_id?",
            shown.trouble as "trouble!", shown.skipped_why as "skipped_why?", shown.turn as "turn!",
            shown.key_due as "key_due!", shown.key_nominal as "key_nominal!",
            exists (
                select from run held
                where held.pair = shown.pair
                    and held.operation = shown.drill
                    and held.drill
                    and held.state = 'passed'
                    and held.created_at >= shown.recorded_at
                    and (shown.until is null or held.created_at < shown.until)
            ) as "passed!",
            (select count(*) from placed where turn = 0) as "overdue!",
            (select count(*) from placed where turn = 1) as "due_now!",
            (select count(*) from placed where turn = 2) as "ahead!"
        from shown
        order by shown.turn, shown.key_due, shown.schedule_id, shown.key_nominal"#,
        teams,
        now,
        after.map(|place| place.turn.number()),
        after.map(|place| place.due),
        after.map(|place| place.schedule),
        after.map(|place| place.nominal),
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list the drill programme"))?;
    let standings =
        rows.first().map(|row| Standings { overdue: row.overdue, due: row.due_now, ahead: row.ahead });
    let listed = rows.into_iter().map(|row| {
        let unreadable = |column| {
            let key = format!("{} {}", row.schedule_id, row.nominal);
            StoreError::unreadable("drill_occurrence", column, key)
        };
        let turn = Turn::of_number(row.turn).ok_or_else(|| unreadable("turn"))?;
        Ok(Listed {
            pair: PairName::new(&row.pair).map_err(|_| unreadable("pair"))?,
            drill: row.drill,
            occurrence: Occurrence { nominal: row.nominal, due: row.due, closes: row.closes },
            run: row.run_id,
            passed: row.passed,
            trouble: row.trouble,
            skipped: row.skipped_why,
            place: Place { turn, due: row.key_due, schedule: row.schedule_id, nominal: row.key_nominal },
        })
    });
    Ok((standings.unwrap_or_default(), listed.collect::<Result<_, StoreError>>()?))
}
