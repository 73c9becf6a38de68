//! What the statement of a loss says of all of it: what it comes to, since when, and how sure that is.

use chrono::{DateTime, SecondsFormat, Utc};
use muster_domain::{
    loss::{Loss, Truth},
    pair::Pair,
    reading::{Reading, ReadingClass},
};

use crate::{
    format,
    loss_words::{records, said_records, waits_for},
    parts::{ReadingView, Tone, Unit},
    runs::query_string,
    words::capital,
};

/// What it comes to, in a few words and in one sentence.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) tone: Tone,
    pub(crate) big: String,
    pub(crate) text: String,
}

/// A loss with the names it is told by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stated<'a> {
    pub(crate) pair: &'a Pair,
    pub(crate) loss: &'a Loss,
    pub(crate) source: &'a str,
    pub(crate) target: &'a str,
}

impl<'a> Stated<'a> {
    pub(crate) fn new(pair: &'a Pair, loss: &'a Loss) -> Self {
        let (source, target) = (pair.cluster(loss.direction.from), pair.cluster(loss.direction.to()));
        Self { pair, loss, source: source.as_str(), target: target.as_str() }
    }

    /// What it comes to. Nothing was lost only where that is exact; what cannot be told is unknown.
    pub(crate) fn verdict(self) -> Verdict {
        let Self { pair, loss, source, target } = self;
        let name = &pair.name;
        let (tone, big, text) = match &loss.truth {
            Some(Truth { records: Some(0), exact: true, .. }) => (
                Tone::Ok,
                "Nothing was lost".to_owned(),
                format!("All that {source} had of {name} when it died had reached {target}."),
            ),
            Some(Truth { records: Some(0), .. }) => (
                Tone::Idle,
                "Nothing was found to be lost".to_owned(),
                format!("All that {source} had of {name} when it was read again had reached {target}."),
            ),
            Some(Truth { records: Some(most), .. }) => (
                Tone::Warn,
                format!("At most {}", said_records(*most)),
                format!(
                    "So many offsets {source} had of {name} when it died behind what was proven to have reached {target}."
                ),
            ),
            Some(Truth { records: None, .. }) => (
                Tone::Unk,
                "It cannot be told".to_owned(),
                format!(
                    "{source} could be read again, and does not tell what was lost of {name}. What was said before stands: {} missing \
                     on {target}.",
                    records(&loss.total)
                ),
            ),
            None => self.while_away(),
        };
        let text = match &loss.truth {
            Some(truth) if !truth.settled => format!("{text} The next survey looks at it again."),
            Some(_) | None => text,
        };
        Verdict { tone, big, text }
    }

    fn while_away(self) -> (Tone, String, String) {
        let Self { pair, loss, source, target } = self;
        let name = &pair.name;
        let since = match loss.total.ms_at_most {
            Some(ms) => {
                let ms = format::duration(ms);
                format!("written in the last {ms} before {source} was found not to answer")
            }
            None => "since when is not known".to_owned(),
        };
        let big = capital(&records(&loss.total));
        let back = waits_for(loss).map(|waits| format!("{source} answers again. The true figure {waits}."));
        match loss.total.records_at_most {
            Some(0) => {
                let back = back.map_or_else(
                    || format!("while {source} is away."),
                    |back| format!("by what was read before it died. {back}"),
                );
                let text = format!("of {name} are missing on {target}, as far as can be told {back}");
                (Tone::Idle, big, text)
            }
            Some(_) => {
                let back = back.unwrap_or_else(|| format!("{source} is away, so this is an interval."));
                (Tone::Bad, big, format!("of {name} are missing on {target}, {since}. {back}"))
            }
            None => {
                let back = back.unwrap_or_else(|| format!("{source} is away."));
                let text = format!("How much of {name} is missing on {target} at most is not known. {back}");
                (Tone::Unk, big, text)
            }
        }
    }

    /// Between which moments it died.
    pub(crate) fn lead(self) -> String {
        let between = (self.loss.noticed_at - self.loss.seen_at).num_milliseconds();
        format!(
            "{} was read for the last time on {} UTC and found not to answer {} later: it died in between, or could not be reached.",
            self.source,
            format::date_time(self.loss.seen_at),
            format::duration(between)
        )
    }

    /// Records it is at most, as it was said while the source was away.
    pub(crate) fn at_most(self, now: DateTime<Utc>) -> ReadingView {
        let at = self.loss.noticed_at;
        let reading = match self.loss.total.records_at_most {
            Some(most) => Reading::new(most, ReadingClass::LowerBound, at, ""),
            None => Reading::unknown(at, "not every partition is bounded"),
        };
        ReadingView::new(&reading, Unit::Records, now).up_to()
    }

    pub(crate) fn at_most_note(self) -> String {
        match (self.loss.total.records_at_most, self.loss.total.ms_at_most) {
            (Some(_), Some(ms)) => format!(
                "records, if nothing was written faster than before; writes of at most the last {}",
                format::duration(ms)
            ),
            (Some(_), None) => {
                "records, if nothing was written faster than before; since when is not known".to_owned()
            }
            (None, _) => "how much at most is not known; why is said below".to_owned(),
        }
    }

    /// Records it turned out to be.
    pub(crate) fn true_figure(self, truth: &Truth, now: DateTime<Utc>) -> ReadingView {
        let view = |reading: Reading| ReadingView::new(&reading, Unit::Records, now);
        match truth.records {
            Some(records) if truth.exact => view(Reading::new(records, ReadingClass::Exact, truth.at, "")),
            Some(records) => view(Reading::new(records, ReadingClass::LowerBound, truth.at, "")).up_to(),
            None => view(Reading::unknown(truth.at, truth.method.clone())),
        }
    }

    pub(crate) fn truth_note(self) -> String {
        let Some(truth) = &self.loss.truth else {
            let source = self.source;
            return waits_for(self.loss)
                .unwrap_or_else(|| format!("not known until {source} can be read again"));
        };
        let time = match (truth.records, truth.ms) {
            (None, _) => "why is said below".to_owned(),
            (Some(0), _) => "records".to_owned(),
            (Some(_), Some(ms)) => {
                format!(
                    "records; writes of the last {}, by the timestamp of the oldest",
                    format::duration(ms)
                )
            }
            (Some(_), None) => "records; since when could not be read".to_owned(),
        };
        if truth.settled { time } else { format!("{time}; not the last word yet") }
    }

    /// How all this is known, in sentences of whoever found it.
    pub(crate) fn known(self) -> Vec<(&'static str, String)> {
        let Self { loss, source, .. } = self;
        let mut known =
            vec![("While it was away", loss.method.clone()), ("What came back", loss.reason.clone())];
        match &loss.truth {
            None => {
                let when = match waits_for(loss) {
                    Some(waits) => format!("{source} answers again. The true figure {waits}."),
                    None => format!(
                        "The true figure is put beside this as soon as all of {source} that is still there was read again."
                    ),
                };
                known.push(("Once it is back", format!("{when} Nothing said here is changed by it.")));
            }
            Some(truth) => {
                known.push(("Once it was back", truth.method.clone()));
                known.push(("Read again", format!("{} UTC", format::date_time(truth.at))));
                let last = if truth.settled {
                    "Said: nothing is looked at again.".to_owned()
                } else {
                    format!("Not said yet: a second survey has to read {source}.")
                };
                known.push(("Last word", last));
            }
        }
        known
    }

    /// The same as JSON or CSV: the loss that stood when this one was noticed.
    pub(crate) fn export(self, kind: &str) -> String {
        let at = self.loss.noticed_at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let query = query_string(&[("source", self.source), ("at", &at), ("format", kind)]);
        format!("/api/v1/pairs/{}/loss{query}", self.pair.name)
    }
}
