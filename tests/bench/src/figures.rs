//! What a benchmark answers.

use std::fmt::Write;

use serde::Serialize;

/// One measured number, with what it is compared to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) name: String,
    pub(crate) measured: f64,
    pub(crate) unit: &'static str,
    /// The same measured of what people use today, in the same run.
    pub(crate) peer: Option<f64>,
    /// The bound of the goal.
    pub(crate) limit: Option<f64>,
    /// `measured` over `peer`.
    pub(crate) ratio: Option<f64>,
    /// The goal in words; empty for a figure that stands for itself.
    pub(crate) goal: String,
    /// Whether the goal is met; true without one.
    pub(crate) ok: bool,
}

impl Figure {
    /// A number that stands for itself.
    pub(crate) fn new(name: impl Into<String>, measured: f64, unit: &'static str) -> Self {
        let (name, goal) = (name.into(), String::new());
        Self { name, measured, unit, peer: None, limit: None, ratio: None, goal, ok: true }
    }

    /// Must be under a bound.
    pub(crate) fn under(mut self, limit: f64) -> Self {
        self.limit = Some(limit);
        self.ok &= self.measured < limit;
        self.add_goal(&format!("under {limit} {}", self.unit));
        self
    }

    /// Shown beside the same number of a peer.
    pub(crate) fn beside(mut self, peer: f64) -> Self {
        self.peer = Some(peer);
        self.ratio = (peer > 0.0).then(|| self.measured / peer);
        self
    }

    /// Must be less than the peer's.
    pub(crate) fn less_than_peer(mut self, peer: f64, who: &str) -> Self {
        self = self.beside(peer);
        self.ok &= self.measured < peer;
        self.add_goal(&format!("less than {who}"));
        self
    }

    /// May be a little more than the peer's: as many times as given.
    pub(crate) fn no_more_than_peer(mut self, peer: f64, who: &str, times: f64) -> Self {
        self = self.beside(peer);
        self.limit = Some(peer * times);
        self.ok &= self.measured <= peer * times;
        self.add_goal(&format!("at most {times} times that {who}"));
        self
    }

    /// Must be so many times less than the peer's.
    pub(crate) fn times_less_than_peer(mut self, peer: f64, who: &str, times: f64) -> Self {
        self = self.beside(peer);
        self.limit = Some(peer / times);
        self.ok &= self.measured * times <= peer;
        self.add_goal(&format!("at least {times} times less than {who}"));
        self
    }

    /// Must be zero.
    pub(crate) fn none(mut self) -> Self {
        self.limit = Some(0.0);
        self.ok &= self.measured == 0.0;
        self.add_goal("none");
        self
    }

    fn add_goal(&mut self, goal: &str) {
        if !self.goal.is_empty() {
            self.goal.push_str("; ");
        }
        self.goal.push_str(goal);
    }

    /// The figure as cells of a table.
    fn cells(&self) -> [String; 6] {
        let number = |value: Option<f64>| value.map_or_else(String::new, plain);
        let verdict = match (self.goal.is_empty(), self.ok) {
            (true, _) => "",
            (false, true) => "met",
            (false, false) => "MISSED",
        };
        [
            self.name.clone(),
            format!("{} {}", plain(self.measured), self.unit),
            self.peer.map_or_else(String::new, |peer| format!("{} {}", plain(peer), self.unit)),
            number(self.ratio),
            self.goal.clone(),
            verdict.to_owned(),
        ]
    }
}

/// The figures of one benchmark and how they were obtained.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    pub(crate) name: &'static str,
    /// What was measured and how, one paragraph or list item a line, in Markdown.
    pub(crate) how: Vec<String>,
    /// Load of the machine before it began.
    pub(crate) load_before: f64,
    /// Versions of everything that took part.
    pub(crate) versions: Vec<(&'static str, String)>,
    pub(crate) figures: Vec<Figure>,
}

impl Bench {
    pub(crate) fn all_well(&self) -> bool {
        self.figures.iter().all(|figure| figure.ok)
    }

    /// A Markdown table, aligned so that it reads in a terminal, too.
    pub(crate) fn table(&self) -> String {
        let head = ["figure", "measured", "peer", "ratio", "goal", ""].map(str::to_owned);
        let rows: Vec<[String; 6]> = self.figures.iter().map(Figure::cells).collect();
        let widths: [usize; 6] = std::array::from_fn(|at| {
            let cells = rows.iter().chain(std::iter::once(&head)).map(|row| row[at].chars().count());
            cells.max().unwrap_or(0)
        });
        let mut table = String::new();
        let mut line = |row: &[String; 6]| {
            for (cell, width) in row.iter().zip(widths) {
                // Writing to a string cannot fail.
                let _ = write!(table, "| {cell:width$} ");
            }
            table.push_str("|\n");
        };
        line(&head);
        line(&widths.map(|width| "-".repeat(width)));
        rows.iter().for_each(line);
        table
    }
}

/// As people write numbers: three digits that matter, no exponent.
pub(crate) fn plain(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 || v.fract() == 0.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

/// The middle one; of an even number the lower of the two.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_or_missed_by_the_number_alone() {
        let wall = |seconds| Figure::new("wall", seconds, "s").under(1.5);
        assert_eq!((wall(1.2).ok, wall(1.5).ok, wall(1.2).goal.as_str()), (true, false, "under 1.5 s"));
        let cpu = Figure::new("cpu", 2.0, "ms").less_than_peer(8.0, "the tool");
        assert_eq!((cpu.ok, cpu.ratio, cpu.goal.as_str()), (true, Some(0.25), "less than the tool"));
        assert!(!Figure::new("cpu", 9.0, "ms").less_than_peer(8.0, "the tool").ok);
        let away = |seconds| Figure::new("away", seconds, "s").times_less_than_peer(30.0, "by hand", 15.0).ok;
        assert_eq!((away(2.0), away(2.1)), (true, false));
        let lost = |records| Figure::new("lost", records, "records").none().ok;
        assert_eq!((lost(0.0), lost(1.0)), (true, false));
        assert!(Figure::new("alone", 9.0, "ms").ok);
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        assert_eq!(
            [1234.4, 12.34, 1.234, 0.1234, 150.0, 2.0].map(plain),
            ["1234", "12.3", "1.23", "0.123", "150", "2"]
        );
        assert_eq!((median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0, 2.0, 3.0])), (2.0, 2.0));
    }
}
