//! The direction of a pair: the active side solid, the standby hollow, the arrow the flow of records.

use askama::{Template, filters::HtmlSafe};
use muster_domain::pair::{Direction, Pair, Side};

/// See the module.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/course.html")]
pub struct Course {
    left: String,
    right: String,
    left_role: &'static str,
    right_role: &'static str,
    arrow: bool,
    way: &'static str,
    big: bool,
    moving: bool,
}
impl HtmlSafe for Course {}

impl Course {
    /// Records flow from the active side to the other.
    #[must_use]
    pub fn flowing(from: &str, to: &str) -> Self {
        Self {
            left: from.to_owned(),
            right: to.to_owned(),
            left_role: "active",
            right_role: "standby",
            arrow: true,
            way: " replicates to ",
            big: false,
            moving: false,
        }
    }

    /// A flow, whichever side is active: neither is drawn solid.
    #[must_use]
    pub fn of_flow(from: &str, to: &str) -> Self {
        Self { left_role: "source", right_role: "target", ..Self::flowing(from, to) }
    }

    /// Of a pair as observed; without an observed active side neither is drawn solid.
    #[must_use]
    pub fn of_pair(pair: &Pair, active: Option<Side>) -> Self {
        let from = active.unwrap_or(Side::A);
        let direction = Direction { from };
        let mut course = Self::flowing(pair.cluster(from).as_str(), pair.cluster(direction.to()).as_str());
        if active.is_none() {
            (course.left_role, course.right_role) = ("role unknown", "role unknown");
            course.way = " and ";
            course.arrow = false;
        }
        course
    }

    /// The side that is drawn solid: the active one, where it is known which that is.
    pub(crate) fn active(&self) -> Option<&str> {
        (self.left_role == "active").then_some(self.left.as_str())
    }

    /// From `eu-west → eu-central`, as a run keeps it.
    #[must_use]
    pub fn of_run(course: &str) -> Self {
        let (from, to) = course.split_once(" → ").unwrap_or((course, ""));
        Self { way: " moves to ", ..Self::flowing(from, to) }
    }

    /// In a heading.
    #[must_use]
    pub fn big(self) -> Self {
        Self { big: true, ..self }
    }

    /// A run is under way.
    #[must_use]
    pub fn moving(self) -> Self {
        Self { moving: true, ..self }
    }
}
