//! What is compared between the two sides, and alarms.

use serde::Deserialize;

use crate::runs::query_string;

/// `GET /pairs/{pair}/translation`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TranslationFilter {
    /// Only groups with this verdict: `exactly`, `reprocesses` or `cannot_say`.
    pub verdict: String,
    /// Only groups with this in their name.
    pub group: String,
    /// The proof to show, by its id; the newest that is done when empty.
    pub proof: String,
    /// The cluster the form for another one proposes; the active side when empty.
    pub from: String,
}

/// `POST /pairs/{pair}/translation`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TranslationForm {
    /// The cluster whose groups are taken as they stand; the active side when empty.
    pub from: String,
}

/// `GET /pairs/{pair}/content`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ContentFilter {
    /// The proof to show, by its id; the newest that is done when empty.
    pub proof: String,
    /// Topics that the form asks about, as [`ContentForm::topics`]: whoever comes from a topic need not name it again.
    pub topics: String,
    /// The cluster the form for another one proposes; the active side when empty.
    pub from: String,
}

/// `POST /pairs/{pair}/content`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ContentForm {
    /// The cluster whose records are the source's; the active side when empty.
    pub from: String,
    /// Topics by the source's names, apart by spaces or lines; all when empty.
    pub topics: String,
    /// Hours back from now; everything when empty.
    pub hours: String,
    /// Percent of stretches that would have to differ to be found; everything is compared when empty.
    pub sample: String,
    /// Most megabytes a second; no bound when empty.
    pub mb_per_second: String,
}

/// `POST /pairs/{pair}/content/record`: a record that the proof cites, by where it stands on one side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RecordForm {
    /// The proof.
    pub proof: String,
    /// `source` or `target`.
    pub side: String,
    /// The topic as that side names it.
    pub topic: String,
    /// Partition.
    pub partition: String,
    /// Offset.
    pub offset: String,
}

/// Which differences of a pair are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DifferenceFilter {
    /// `topics`, `access`, `limits` or `groups`.
    pub part: String,
    /// Part of the name of a topic, group or principal.
    pub who: String,
    /// `who` shows them by who is affected, by cause otherwise.
    pub by: String,
    /// Cursor of the list of those who are affected: the last of the page before.
    pub after: String,
}

impl DifferenceFilter {
    /// Whether they are shown by who is affected.
    #[must_use]
    pub fn is_by_who(&self) -> bool {
        self.by == "who"
    }

    /// Whether some are left out.
    pub(crate) fn is_set(&self) -> bool {
        !(self.part.is_empty() && self.who.is_empty())
    }

    /// Where they are shown of a pair, empty parts left out.
    pub(crate) fn href(&self, pair: &str) -> String {
        let by = if self.is_by_who() { "who" } else { "" };
        let query =
            query_string(&[("by", by), ("part", &self.part), ("who", &self.who), ("after", &self.after)]);
        format!("/pairs/{pair}/differences{query}")
    }
}

/// `GET /alarms`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AlarmFilter {
    /// `ended` or `all`; open ones otherwise.
    pub state: String,
    /// Pair.
    pub pair: String,
    /// Code of the alarm.
    pub code: String,
    /// Cursor: number of the last alarm of the page before.
    pub after: String,
    /// What was just done.
    pub done: String,
}

/// `POST /alarms/{id}/acknowledge`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct AcknowledgeForm {
    /// What was done about it.
    pub comment: String,
    /// Address of the list it was shown in: `/alarms?pair=orders`.
    pub back: String,
}
