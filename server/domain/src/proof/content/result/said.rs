//! What a content proof says, in words.

use super::{ContentProof, ContentSummary, ContentVerdict, PartitionContent};
use crate::content::{Found, LostPlace};

impl ContentProof {
    /// The result in one sentence. Only records that were found on both sides are called compared.
    #[must_use]
    pub fn sentence(&self) -> String {
        let ContentSummary { verdict, found, partitions, .. } = &self.summary;
        if *partitions == 0 {
            return "no topic in scope has records to compare".to_owned();
        }
        let mut said = format!("{} records compared", found.matched);
        match verdict {
            ContentVerdict::Same => said.push_str(": the same on both sides, in order"),
            ContentVerdict::SameInPart => {
                said.push_str(": the same on both sides, in order, as far as both reach back");
            }
            ContentVerdict::SecondCopies => {
                said.push_str(&format!(": none missing, all in order, {} copied twice", found.duplicates));
            }
            ContentVerdict::CannotSay => {}
            ContentVerdict::Differs => said.push_str(&format!(": {}", differences(found))),
        }
        for more in self.unsaid().into_iter().chain(self.sampled()).chain(not_compared(found)) {
            said.push_str(&format!("; {more}"));
        }
        said
    }

    /// What nobody can say, and why.
    fn unsaid(&self) -> Vec<String> {
        let ContentSummary { found, unreadable, uncompared, source_gone, target_gone, .. } = &self.summary;
        let lost_places = self.summary.lost_places;
        let kinds = [
            (*unreadable > 0).then(|| format!("{unreadable} stretches could not be read")),
            gone(*source_gone, *target_gone),
            (lost_places > 0).then(|| {
                format!("in {lost_places} partitions the two sides had nothing in common any more and the rest is not told")
            }),
            (found.undecided > 0)
                .then(|| format!("of {} nobody can say whether they are missing or foreign", found.undecided)),
            (*uncompared > 0)
                .then(|| format!("of {uncompared} partitions not one record was found on both sides")),
        ];
        kinds.into_iter().flatten().collect()
    }

    /// What a sample says; `None` when it is none. How sure it is, only where every stretch that was drawn was compared and
    /// none differs.
    #[must_use]
    pub fn sampled(&self) -> Option<String> {
        let ContentSummary { differing, unreadable, cannot_say, .. } = &self.summary;
        let sampling = self.sampling?;
        // Proofs from before they were counted have those that could not be read.
        Some(match (*differing, *cannot_say.max(unreadable)) {
            (0, 0) => sampling.statement(),
            (differing, 0) => format!("{differing} of {} sampled stretches differ", sampling.taken),
            (differing, unsaid) => format!(
                "{differing} of {} sampled stretches differ, of {unsaid} it cannot be said",
                sampling.taken
            ),
        })
    }
}

impl PartitionContent {
    /// Why some of it was not compared, and from where on; empty when all was.
    #[must_use]
    pub fn unread(&self) -> String {
        let because = Some(self.because.clone()).filter(|because| !because.is_empty());
        let lost = self.found.lost_place.map(|place| place.to_string());
        let told: Vec<String> =
            [because, gone(self.source_gone, self.target_gone), lost].into_iter().flatten().collect();
        told.join("; ")
    }
}

impl std::fmt::Display for LostPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { source_offset, target_offset } = self;
        write!(
            f,
            "from {source_offset} of the source and {target_offset} of the target on they have nothing in common for as far as is \
             looked ahead: very many records are foreign or missing there, or were copied again and the source holds them no more"
        )
    }
}

/// What retention took from a proof that was reading, in offsets.
fn gone(source: i64, target: i64) -> Option<String> {
    let of = |n: i64, side: &str| (n > 0).then(|| format!("{n} offsets of the {side}"));
    let told: Vec<String> = [of(source, "source"), of(target, "target")].into_iter().flatten().collect();
    (!told.is_empty()).then(|| format!("retention removed {} before they were read", told.join(" and ")))
}

/// Records that nothing was compared with.
fn not_compared(found: &Found) -> impl Iterator<Item = String> {
    let kinds = [
        (found.before, "older than the other side reaches back"),
        (found.pending, "not known to be copied yet"),
    ];
    kinds.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"))
}

fn differences(found: &Found) -> String {
    let kinds = [
        (found.missing, "missing"),
        (found.extra, "foreign"),
        (found.out_of_order, "out of order"),
        (found.duplicates, "copied twice"),
    ];
    let told: Vec<String> =
        kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    told.join(", ")
}
