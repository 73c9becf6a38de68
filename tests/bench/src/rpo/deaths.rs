//! How the source died, what each death came to, and what is told of all of them.

use muster_domain::lag::Rpo;

use super::{FREEZES, KILLS, LATE_KILLS};
use crate::figures::{Figure, median};

/// Of what a look at the figure in the moment of the death would have shown.
const TOLD: &str = "not as was told at the moment of the death";

/// How it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// With -9, between two surveys.
    Killed,
    /// With -9, when the next survey is overdue.
    KilledLate,
    /// Frozen between two surveys.
    Frozen,
    /// Frozen while a survey is taken: topics may be listed and their ends not read any more.
    FrozenUnderSurvey,
}

impl Way {
    /// The deaths on one lab, in their order.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let killed = std::iter::repeat_n(Self::Killed, KILLS);
        let late = std::iter::repeat_n(Self::KilledLate, LATE_KILLS);
        let frozen = std::iter::repeat_n([Self::Frozen, Self::FrozenUnderSurvey], FREEZES / 2);
        killed.chain(late).chain(frozen.flatten())
    }

    /// Whether its connections stay open and nothing answers.
    pub(super) fn is_freeze(self) -> bool {
        match self {
            Self::Killed | Self::KilledLate => false,
            Self::Frozen | Self::FrozenUnderSurvey => true,
        }
    }
}

/// What one death came to.
#[derive(Debug)]
pub(super) struct Death {
    pub(super) at_least: i64,
    pub(super) at_most: Option<i64>,
    /// Acknowledged records that are not on the target.
    pub(super) lost: i64,
    /// Records acknowledged in a period before the death.
    pub(super) traffic: i64,
    /// Topics whose own interval does not hold what was lost of them.
    pub(super) wrong_topics: usize,
    /// What the last survey of the living source said would be lost if it died now.
    pub(super) foretold: Rpo,
    /// What was told of that at the moment of the death, so much later: as whoever asks the API then is answered.
    pub(super) told: Rpo,
}

impl Death {
    fn contained(&self) -> bool {
        self.at_least <= self.lost
            && self.at_most.is_some_and(|at_most| self.lost <= at_most)
            && self.wrong_topics == 0
    }

    /// In periods of traffic.
    pub(super) fn width(&self) -> f64 {
        let width = self.at_most.map_or(f64::INFINITY, |at_most| (at_most - self.at_least) as f64);
        width / self.traffic.max(1) as f64
    }

    fn was_foretold(&self) -> bool {
        self.is_within(&self.foretold)
    }

    fn was_told(&self) -> bool {
        self.is_within(&self.told)
    }

    /// What is not known foretells nothing.
    fn is_within(&self, rpo: &Rpo) -> bool {
        rpo.records_at_least.is_some_and(|at_least| at_least <= self.lost)
            && rpo.records_at_most.is_some_and(|at_most| self.lost <= at_most)
    }

    /// By how much more than was lost the last survey said, in periods of traffic.
    fn foretold_beyond(&self) -> f64 {
        self.beyond(&self.foretold)
    }

    /// The same of what was told at the moment of the death.
    fn told_beyond(&self) -> f64 {
        self.beyond(&self.told)
    }

    fn beyond(&self, rpo: &Rpo) -> f64 {
        let beyond = rpo.records_at_most.map_or(f64::INFINITY, |at_most| (at_most - self.lost) as f64);
        beyond / self.traffic.max(1) as f64
    }
}

fn count(deaths: &[Death], wanted: fn(&Death) -> bool) -> f64 {
    deaths.iter().filter(|death| wanted(death)).count() as f64
}

/// Until it is found not to answer takes as long as Muster waits for an answer, so the interval is wider.
pub(super) fn told_of_freezes(with: &str, deaths: &[Death]) -> Vec<Figure> {
    let name = |what: &str| format!("{with}, frozen: {what}");
    let widths: Vec<f64> = deaths.iter().map(Death::width).collect();
    let lost: Vec<f64> = deaths.iter().map(|death| death.lost as f64).collect();
    let wrong = count(deaths, |death| !death.contained());
    vec![
        Figure::new(name("deaths"), deaths.len() as f64, "freezes"),
        Figure::new(name("intervals without the true loss"), wrong, "freezes").none(),
        Figure::new(name("width of the interval, the middle one"), median(&widths), "periods of traffic"),
        Figure::new(
            name("not as the last survey said of a death now"),
            count(deaths, |death| !death.was_foretold()),
            "freezes",
        )
        .none(),
        Figure::new(name(TOLD), count(deaths, |death| !death.was_told()), "freezes").none(),
        Figure::new(name("lost, the middle one"), median(&lost), "records"),
    ]
}

/// Nobody had looked for longer than a period, so that what was told has grown since the last survey.
pub(super) fn told_of_late_kills(with: &str, deaths: &[Death]) -> Vec<Figure> {
    let name = |what: &str| format!("{with}, when a survey is overdue: {what}");
    let count = |wanted| count(deaths, wanted);
    let beyond: Vec<f64> = deaths.iter().map(Death::told_beyond).collect();
    vec![
        Figure::new(name("deaths"), deaths.len() as f64, "kills"),
        Figure::new(name("intervals without the true loss"), count(|death| !death.contained()), "kills")
            .none(),
        Figure::new(name(TOLD), count(|death| !death.was_told()), "kills").none(),
        Figure::new(
            name("not as the last survey said right after it"),
            count(|death| !death.was_foretold()),
            "kills",
        ),
        Figure::new(
            name("what was told at most beyond the true loss, the middle one"),
            median(&beyond),
            "periods of traffic",
        ),
    ]
}

/// Those the objective of the interval's width is about.
pub(super) fn told_of_kills(with: &str, deaths: &[Death]) -> Vec<Figure> {
    let name = |what: &str| format!("{with}: {what}");
    let count = |wanted| count(deaths, wanted);
    let all = |of: fn(&Death) -> f64| deaths.iter().map(of).collect::<Vec<f64>>();
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let (widths, lost) = (all(Death::width), all(|death| death.lost as f64));
    let traffic = "periods of traffic";
    vec![
        Figure::new(name("deaths"), deaths.len() as f64, "kills"),
        Figure::new(name("intervals without the true loss"), count(|death| !death.contained()), "kills")
            .none(),
        Figure::new(name("width of the interval, at its widest"), most(&widths), traffic).under(1.0),
        Figure::new(name("width of the interval, the middle one"), median(&widths), traffic),
        Figure::new(
            name("not as the last survey said of a death now"),
            count(|death| !death.was_foretold()),
            "kills",
        )
        .none(),
        Figure::new(name(TOLD), count(|death| !death.was_told()), "kills").none(),
        Figure::new(
            name("what it said at most beyond the true loss, the middle one"),
            median(&all(Death::foretold_beyond)),
            traffic,
        ),
        Figure::new(name("deaths that cost something"), count(|death| death.lost > 0), "kills"),
        Figure::new(name("lost, the middle one"), median(&lost), "records"),
        Figure::new(name("lost, the most"), most(&lost), "records"),
    ]
}
