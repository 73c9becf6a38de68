//! What to do about a loss: while its source is away, and once it is back. Each step says why, and where it is done.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{loss::Loss, pair::Pair};

use crate::{
    lag_address::around, lag_marks::while_it_was, loss_words::waits_for, parts::Link,
    recorded::RecordedFilter, runs::query_string,
};

/// How long before a source died changes of ACLs, configs and topic ids are looked at.
const BEFORE: TimeDelta = TimeDelta::days(2);

/// One step.
#[derive(Debug)]
pub(crate) struct NextStep {
    pub(crate) text: String,
    pub(crate) link: Option<Link>,
}

/// Names that steps are about.
struct About<'a> {
    pair: &'a str,
    source: &'a str,
    target: &'a str,
}

/// What to do now, most pressing first.
pub(crate) fn next_steps(pair: &Pair, loss: &Loss, now: DateTime<Utc>) -> Vec<NextStep> {
    let about = About {
        pair: pair.name.as_str(),
        source: pair.cluster(loss.direction.from).as_str(),
        target: pair.cluster(loss.direction.to()).as_str(),
    };
    let mut steps: Vec<NextStep> = match loss.truth.as_ref().map(|truth| truth.records) {
        None => while_away(&about, loss),
        Some(Some(0)) => nothing_missing(&about),
        Some(None) => cannot_be_told(&about),
        Some(Some(_)) => once_back(&about),
    };
    steps.extend(looking_back(&about, loss, now));
    steps
}

fn step(text: String, link: Link) -> NextStep {
    NextStep { text, link: Some(link) }
}

/// Where a person reads how applications are moved while a cluster is dead: Muster plans nothing that would.
pub(crate) fn by_hand() -> Link {
    Link::new("/runbooks#the-active-side-is-dead", "What is done by hand, and in which order")
}

/// While it is away, or not back whole.
fn while_away(about: &About<'_>, loss: &Loss) -> Vec<NextStep> {
    let failing_over = waits_for(loss).is_none().then(|| {
        step(
            format!("Failing over from {} is done by hand; no switchover can drain it.", about.source),
            by_hand(),
        )
    });
    let steps = failing_over.into_iter().chain([first_look(about, loss)]);
    steps.chain(until_it_is_known(about)).collect()
}

/// Whether it is away, or what it waits for.
fn first_look(about: &About<'_>, loss: &Loss) -> NextStep {
    let source = about.source;
    let text = match waits_for(loss) {
        None => format!(
            "See whether {source} is dead or only cannot be reached from Muster: then what is missing may only be late."
        ),
        Some(waits) => format!(
            "Start the brokers of {source} that had the partitions without a leader: the true figure {waits}. An unclean election gives \
             them one sooner, and gives up what that replica lacks."
        ),
    };
    step(text, Link::new(format!("/clusters/{source}"), format!("Open cluster {source}")))
}

fn until_it_is_known(about: &About<'_>) -> Vec<NextStep> {
    let About { pair, source, target } = about;
    vec![
        step(
            format!(
                "If applications write to {source}, decide whether they move to {target}. What is missing is not there for them: \
                 whoever decides has to know the figures above."
            ),
            Link::new(format!("/pairs/{pair}#plan"), format!("See what can be planned for {pair}")),
        ),
        step(
            format!(
                "Before consumers go on there, see for each group whether it would go on exactly, read records again or cannot be told. \
                 It is told without {source}, from what was kept of it."
            ),
            Link::new(
                asked_from(pair, "translation", source),
                format!("See where groups of {pair} would go on"),
            ),
        ),
        NextStep {
            text: format!(
                "{source} may be the only place where the missing records are. Nobody may wipe its disks, reset its topics or start \
                 replication towards it before it was read again."
            ),
            link: None,
        },
        tell_owners(about),
    ]
}

/// The page of a proof, with its form proposing to take it from the source of the loss: which side is active may not be known now.
fn asked_from(pair: &str, page: &str, source: &str) -> String {
    format!("/pairs/{pair}/{page}{}", query_string(&[("from", source)]))
}

fn once_back(about: &About<'_>) -> Vec<NextStep> {
    let About { pair, source, target } = about;
    vec![
        step(
            format!(
                "Find the records that are on {source} only: a content proof names partitions and offsets."
            ),
            Link::new(asked_from(pair, "content", source), format!("Compare content of {pair}")),
        ),
        NextStep {
            text: format!(
                "Decide with their owner whether they are written again on {target} or given up, before replication towards {source} is \
                 started or anything there is removed."
            ),
            link: None,
        },
        tell_owners(about),
    ]
}

fn cannot_be_told(about: &About<'_>) -> Vec<NextStep> {
    let About { pair, source, target } = about;
    vec![
        step(
            format!(
                "Compare both sides: what {source} lost of its own log may be on {target} only, and what had not arrived on {source} only."
            ),
            Link::new(asked_from(pair, "content", source), format!("Compare content of {pair}")),
        ),
        NextStep {
            text: "Until that is done, start no replication between them: it could write over what is left. The interval stands."
                .to_owned(),
            link: None,
        },
        tell_owners(about),
    ]
}

fn nothing_missing(about: &About<'_>) -> Vec<NextStep> {
    let About { pair, source, target } = about;
    vec![step(
        format!(
            "Nothing of {source} was found to be missing on {target}, so nothing has to be written again. Before the way back, see what \
             stands now."
        ),
        Link::new(format!("/pairs/{pair}"), format!("Open pair {pair}")),
    )]
}

fn tell_owners(about: &About<'_>) -> NextStep {
    let pair = about.pair;
    step(
        "Keep what has to be done about it, with whose it is and until when.".to_owned(),
        Link::new(format!("/findings?pair={pair}#raise"), format!("Raise a finding about {pair}")),
    )
}

/// What explains it: the course of lag, where groups stood, what was changed before, what ran.
fn looking_back(about: &About<'_>, loss: &Loss, now: DateTime<Utc>) -> Vec<NextStep> {
    let About { pair, source, .. } = about;
    let time = while_it_was(loss.seen_at, loss.truth.as_ref().map(|truth| truth.at), now);
    let groups = RecordedFilter { source: (*source).to_owned(), ..RecordedFilter::default() }
        .at(loss.seen_at + TimeDelta::seconds(1));
    let changes =
        RecordedFilter::default().within(loss.seen_at - BEFORE, loss.noticed_at + TimeDelta::hours(1));
    vec![
        step(
            "See how far behind every topic was when it happened, and since when.".to_owned(),
            Link::new(around(pair, source, "", time), format!("See lag of {pair} around it")),
        ),
        step(
            "See where a consumer group stood when the source was last read.".to_owned(),
            Link::new(groups.href(pair), "See where a group stood".to_owned()),
        ),
        step(
            "See which ACLs, configs and topic ids changed in the two days before.".to_owned(),
            Link::new(format!("{}#changes", changes.href(pair)), "See what changed".to_owned()),
        ),
        step(
            "See what runs did to the pair.".to_owned(),
            Link::new(format!("/runs?pair={pair}"), format!("See runs of {pair}")),
        ),
    ]
}
