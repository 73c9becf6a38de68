//! Causes by who is affected: everybody, whoever nobody can name, then principals and groups, worst first.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use muster_domain::difference::{ByWho, Concerned, Difference, Differences, Weight, WhoKind};

use super::tone;
use crate::{
    format,
    forms::DifferenceFilter,
    parts::{Ends, Icon, Link, Mark, When, icon_in},
    words,
};

/// A cause, in brief.
#[derive(Debug)]
struct CauseLine {
    icon: Icon,
    /// What it does, as sentences begin.
    word: String,
    says: String,
    /// When it was so; `None` where it is so as the newest survey shows.
    as_of: Option<When>,
    consequence: String,
    next_step: String,
}

/// Causes, in brief.
#[derive(Debug, Template)]
#[template(path = "parts/causes_in_brief.html")]
pub(super) struct CauseLines {
    causes: Vec<CauseLine>,
}
impl HtmlSafe for CauseLines {}

/// Causes of nobody in particular, all of them.
#[derive(Debug)]
pub(super) struct Unnamed {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) note: String,
    pub(super) causes: CauseLines,
}

/// A principal or a group.
#[derive(Debug)]
pub(super) struct PartyRow {
    pub(super) no: usize,
    pub(super) mark: Mark,
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// How many causes there are, by what they do.
    pub(super) tally: String,
    pub(super) causes: CauseLines,
    /// Where all of them are told, with commands.
    pub(super) all: Link,
}

/// See the module.
#[derive(Debug)]
pub(super) struct ByWhoView {
    /// Everybody, and whoever is not known; none where there is no cause of that kind.
    pub(super) unnamed: Vec<Unnamed>,
    pub(super) note: String,
    pub(super) parties: Vec<PartyRow>,
    pub(super) ends: Ends,
}

impl ByWhoView {
    /// Of a page of `found` by who is affected, with the cursor behind it if there are more.
    pub(super) fn new(
        pair: &str,
        filter: &DifferenceFilter,
        found: &Differences,
        (by, next): (&ByWho, Option<&str>),
        now: DateTime<Utc>,
    ) -> Self {
        let causes = Causes { all: found.causes().collect(), now };
        let page = |after: &str| DifferenceFilter { after: after.to_owned(), ..filter.clone() }.href(pair);
        let first = (!filter.after.is_empty()).then(|| page(""));
        let party = |(no, one): (usize, &Concerned)| causes.party(pair, filter, no, one);
        Self {
            unnamed: [
                causes.unnamed("everybody", "Everybody", "whoever uses the cluster", &by.everybody),
                causes.unnamed(
                    "unnamed",
                    "Not known who",
                    "nobody can name all whom it affects",
                    &by.not_known,
                ),
            ]
            .into_iter()
            .flatten()
            .collect(),
            note: if by.named.len() == by.count {
                format!("{}, worst first", number(by.count))
            } else {
                format!("{} of {} shown, worst first", number(by.named.len()), number(by.count))
            },
            parties: (1..).zip(&by.named).map(party).collect(),
            ends: Ends::new("principals and groups", first, next.map(page)),
        }
    }
}

fn number(n: usize) -> String {
    format::number(i64::try_from(n).unwrap_or(i64::MAX))
}

/// All causes, by their places.
struct Causes<'a> {
    all: Vec<(Option<DateTime<Utc>>, &'a Difference)>,
    now: DateTime<Utc>,
}

impl Causes<'_> {
    fn unnamed(&self, id: &'static str, title: &'static str, who: &str, places: &[usize]) -> Option<Unnamed> {
        let note = format!("{}; {who}", self.tally(places));
        (!places.is_empty()).then(|| Unnamed { id, title, note, causes: self.lines(places) })
    }

    fn party(&self, pair: &str, filter: &DifferenceFilter, no: usize, one: &Concerned) -> PartyRow {
        let (part, who) = (filter.part.clone(), one.name.clone());
        let by_cause = DifferenceFilter { part, who, ..DifferenceFilter::default() };
        let shown = one.shown();
        let here = if shown.len() < one.causes.len() {
            format!("; the worst {} are here", shown.len())
        } else {
            String::new()
        };
        PartyRow {
            no,
            mark: Mark::new(tone(one.worst), one.worst.as_str()),
            kind: match one.kind {
                WhoKind::Principal => "principal",
                WhoKind::Group => "group",
            },
            name: one.name.clone(),
            tally: self.tally(&one.causes) + &here,
            causes: self.lines(shown),
            all: Link::new(
                by_cause.href(pair),
                format!("Show {} of {} with commands", format::count(one.causes.len(), "cause"), one.name),
            ),
        }
    }

    /// `3 causes: 1 breaks, 2 cost`.
    fn tally(&self, places: &[usize]) -> String {
        let weights = [
            (Weight::Breaks, "breaks", "break"),
            (Weight::Costs, "costs", "cost"),
            (Weight::Differs, "differs", "differ"),
        ];
        let of = |(weight, one, many): (Weight, &str, &str)| {
            let count = places.iter().filter(|place| self.all[**place].1.weight == weight).count();
            let word = if count == 1 { one } else { many };
            (count > 0).then(|| format!("{count} {word}"))
        };
        let said: Vec<String> = weights.into_iter().filter_map(of).collect();
        format!("{}: {}", format::count(places.len(), "cause"), said.join(", "))
    }

    fn lines(&self, places: &[usize]) -> CauseLines {
        CauseLines { causes: places.iter().map(|place| self.line(self.all[*place])).collect() }
    }

    fn line(&self, (at, one): (Option<DateTime<Utc>>, &Difference)) -> CauseLine {
        let tone = tone(one.weight);
        CauseLine {
            icon: icon_in(tone.icon(), tone.text_class()),
            word: words::capital(one.weight.as_str()),
            says: one.says.clone(),
            as_of: at.map(|at| When::ago(self.now, at)),
            consequence: one.consequence.clone(),
            next_step: one.next_step.clone(),
        }
    }
}
