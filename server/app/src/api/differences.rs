//! What would be different for applications on the other side of a pair: by cause, and by who is affected.

use std::cmp::Reverse;

use axum::extract::State;
use chrono::{DateTime, Utc};
use muster_domain::{
    difference::{
        ByWho, Concerned, Difference, DifferenceKind, Differences, Earlier, NotCompared, Place, Weight,
        WhoKind,
    },
    ids::{ClusterName, PairName},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{cursor, observation::not_observed, page_size};
use crate::{
    acts::differences::{self, Found, Part, Wanted},
    app::App,
    http::{Answer, Json, Path, Query},
};

/// What cursors of those who are affected are known by.
const WHO: &str = "who";
/// What a name in such a cursor begins with: it may be empty.
const NAME: char = 'x';

/// What would be different for applications on the other side.
#[derive(Debug, Serialize, ToSchema)]
pub struct SideDifferences {
    /// When the survey began that they are about.
    pub at: DateTime<Utc>,
    /// Number of that survey.
    pub survey: i64,
    /// Cluster applications are on; null when it cannot be told, and then nothing was compared.
    pub active: Option<ClusterName>,
    /// Cluster they would move to.
    pub standby: Option<ClusterName>,
    /// One for each cause, worst first, each with the first 50 names and 20 commands.
    pub items: Vec<Difference>,
    /// What nobody can say anything about: it does not count as alike.
    pub not_compared: Vec<NotCompared>,
    /// Of that, what was found when it could be compared last, with when that was: so it is told of a dead cluster what it had. Whether it
    /// still is so nobody can say.
    pub earlier: Vec<Earlier>,
    /// Where both sides are active, the same for those that would move the other way; null otherwise.
    pub back: Option<DifferencesBack>,
    /// All of these causes by who is affected, where `by=who` asks for that; null otherwise.
    pub by_who: Option<DifferencesByWho>,
}

/// What would be different for applications that move the other way, where both sides are active.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferencesBack {
    /// Cluster these applications are on; null when it cannot be told any more.
    pub active: Option<ClusterName>,
    /// Cluster they would move to.
    pub standby: Option<ClusterName>,
    /// One for each cause, worst first, each with the first 50 names and 20 commands.
    pub items: Vec<Difference>,
    /// What nobody can say anything about: it does not count as alike.
    pub not_compared: Vec<NotCompared>,
    /// Of that, what was found when it could be compared last.
    pub earlier: Vec<Earlier>,
}

impl From<Differences> for DifferencesBack {
    fn from(found: Differences) -> Self {
        Self {
            active: found.active,
            standby: found.standby,
            items: found.differences,
            not_compared: found.not_compared,
            earlier: found.earlier,
        }
    }
}

/// Which differences.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct DifferencesQuery {
    /// Only of this kind.
    #[param(inline)]
    kind: Option<DifferenceKind>,
    /// Only those that concern a topic, group or principal with this in its name.
    who: String,
    /// `who` has them by who is affected as well.
    #[param(inline)]
    by: Option<DifferencesBy>,
    /// Cursor: `next` of the page before, of those who are affected.
    after: Option<String>,
    /// At most so many who are affected, 1 to 200; 50.
    limit: Option<i64>,
}

/// The order of differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DifferencesBy {
    /// Each cause once.
    Cause,
    /// Each cause under each whom it affects.
    Who,
}

/// The same causes by who is affected: each is under each whom it affects.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferencesByWho {
    /// Causes that affect whoever uses the cluster, worst first.
    pub everybody: Vec<CauseInBrief>,
    /// Causes that affect, or may affect, somebody whom nobody can name, worst first.
    pub not_known: Vec<CauseInBrief>,
    /// How many principals and groups are affected, on all pages.
    pub count: usize,
    /// Principals and groups, worst first, then who has more causes, then by name.
    pub items: Vec<AffectedParty>,
    /// Cursor of the next page of `items` (`after`); left out when this was the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A principal or a group that is affected.
#[derive(Debug, Serialize, ToSchema)]
pub struct AffectedParty {
    /// Which of both.
    pub kind: WhoKind,
    /// Its name.
    pub name: String,
    /// What the worst of the causes does.
    pub worst: Weight,
    /// How many causes there are.
    pub count: usize,
    /// The first ten of them, worst first. `who` with the name has all.
    pub causes: Vec<CauseInBrief>,
}

/// A cause, as it is among the differences.
#[derive(Debug, Serialize, ToSchema)]
pub struct CauseInBrief {
    /// What is different.
    pub kind: DifferenceKind,
    /// What it does.
    pub weight: Weight,
    /// A sentence with names between backticks: that of the difference.
    pub says: String,
    /// Where it would be put right.
    pub cluster: ClusterName,
    /// What happens when applications move, in plain words.
    pub consequence: String,
    /// What to do.
    pub next_step: String,
    /// When it was so, where it cannot be compared now; null where it is so as of the survey.
    pub as_of: Option<DateTime<Utc>>,
}

impl CauseInBrief {
    fn new(as_of: Option<DateTime<Utc>>, one: &Difference) -> Self {
        Self {
            kind: one.kind,
            weight: one.weight,
            says: one.says.clone(),
            cluster: one.cluster.clone(),
            consequence: one.consequence.clone(),
            next_step: one.next_step.clone(),
            as_of,
        }
    }
}

/// `GET /api/v1/pairs/{pair}/differences`.
pub async fn show(
    State(app): State<App>,
    Path(name): Path<PairName>,
    Query(query): Query<DifferencesQuery>,
) -> Answer<Json<SideDifferences>> {
    let by_who = match query.by {
        Some(DifferencesBy::Who) => Some(Part {
            after: query.after.as_deref().map(read_place).transpose()?,
            most: usize::try_from(page_size(query.limit)).unwrap_or(usize::MAX),
        }),
        Some(DifferencesBy::Cause) | None => None,
    };
    let mut conn = app.pool.acquire().await?;
    let wanted = Wanted { kinds: query.kind.into_iter().collect(), who: query.who, by_who };
    let (_, found) = differences::of_pair(&mut conn, &name, &wanted).await?;
    let found = found.ok_or_else(|| not_observed(&name))?;
    let by_who = found.by_who.as_ref().map(|by| told_by_who(&found.differences, by));
    let Found { survey, differences, .. } = found;
    Ok(Json(SideDifferences {
        at: survey.began_at,
        survey: survey.number,
        active: differences.active,
        standby: differences.standby,
        items: differences.differences,
        not_compared: differences.not_compared,
        earlier: differences.earlier,
        back: differences.back.map(|back| (*back).into()),
        by_who,
    }))
}

fn told_by_who(found: &Differences, by: &(ByWho, bool)) -> DifferencesByWho {
    let all: Vec<(Option<DateTime<Utc>>, &Difference)> = found.causes().collect();
    let brief = |places: &[usize]| -> Vec<CauseInBrief> {
        places.iter().map(|place| all[*place]).map(|(as_of, one)| CauseInBrief::new(as_of, one)).collect()
    };
    let party = |one: &Concerned| AffectedParty {
        kind: one.kind,
        name: one.name.clone(),
        worst: one.worst,
        count: one.causes.len(),
        causes: brief(one.shown()),
    };
    DifferencesByWho {
        everybody: brief(&by.0.everybody),
        not_known: brief(&by.0.not_known),
        count: by.0.count,
        items: by.0.named.iter().map(party).collect(),
        next: next(by),
    }
}

/// The cursor behind those of a page, where there are more.
pub(crate) fn next((by, more): &(ByWho, bool)) -> Option<String> {
    by.named.last().filter(|_| *more).map(write_place)
}

/// Groups may have any name, also none, so it is written in digits.
fn write_place(one: &Concerned) -> String {
    let name = format!("{NAME}{}", hex::encode(&one.name));
    cursor::write(WHO, &[&one.worst.as_str(), &one.causes.len(), &one.kind.as_str(), &name])
}

/// The place a cursor speaks of.
///
/// # Errors
/// `invalid-request` when it is none of those who are affected.
pub(crate) fn read_place(cursor: &str) -> Answer<Place> {
    let [worst, causes, kind, name] = cursor::read::<4>(WHO, cursor)?;
    let worst = Weight::ALL.into_iter().find(|weight| weight.as_str() == worst);
    let kind = WhoKind::ALL.into_iter().find(|one| one.as_str() == kind);
    let name = name.strip_prefix(NAME).and_then(|digits| String::from_utf8(hex::decode(digits).ok()?).ok());
    let (Some(worst), Some(kind), Some(name)) = (worst, kind, name) else { return Err(cursor::foreign()) };
    Ok((Reverse(worst), Reverse(cursor::part(causes)?), name, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_on_behind_whoever_it_was_made_of_whatever_their_name() {
        for name in ["User:shop", "", "a~b c/*", "Überweisung"] {
            let causes = vec![3, 4];
            let one = Concerned { kind: WhoKind::Group, name: name.to_owned(), worst: Weight::Costs, causes };
            assert_eq!(read_place(&write_place(&one)).unwrap(), one.place());
        }
        for foreign in [
            "",
            "who~costs~2~group~x4",
            "who~costs~2~group~zz",
            "who~ok~2~group~x",
            "who~costs~two~group~x",
            "run~7",
        ] {
            assert!(read_place(foreign).is_err(), "{foreign}");
        }
    }
}
