//! The direction of a pair: the active side solid, the standby hollow, the arrow the flow of records.

use askama::{Template, filters::HtmlSafe};
use muster_domain::{
    direction::ActiveSides,
    pair::{Direction, Pair},
};

/// What is drawn between both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrow {
    There,
    BothWays,
    NotKnown,
}

/// See the module.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/course.html")]
pub struct Course {
    left: String,
    right: String,
    left_role: &'static str,
    right_role: &'static str,
    arrow: Arrow,
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
            arrow: Arrow::There,
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

    /// Of a pair as observed; without an observed active side neither is drawn solid, and where both are active both are.
    #[must_use]
    pub fn of_pair(pair: &Pair, active: ActiveSides) -> Self {
        let direction = Direction { from: active.first() };
        let [left, right] = [direction.from, direction.to()].map(|side| pair.cluster(side).as_str());
        let course = Self::flowing(left, right);
        match active {
            ActiveSides::One(_) => course,
            ActiveSides::Both => Self {
                right_role: "active",
                way: " replicates both ways with ",
                arrow: Arrow::BothWays,
                ..course
            },
            ActiveSides::NotKnown => Self {
                left_role: "role unknown",
                right_role: "role unknown",
                way: " and ",
                arrow: Arrow::NotKnown,
                ..course
            },
        }
    }

    /// The side that is active while the other stands by, where it is known which that is.
    pub(crate) fn active(&self) -> Option<&str> {
        (self.left_role == "active" && !self.both_active()).then_some(self.left.as_str())
    }

    /// Whether both sides are active.
    pub(crate) fn both_active(&self) -> bool {
        self.right_role == "active"
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
