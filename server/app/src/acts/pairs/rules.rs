//! What a pair must be: whole in itself, and apart from every other.

use muster_domain::{
    canary,
    overlap::{Overlap, Shared, claims_no_more, overlaps},
    pair::{Mechanism, Objectives, Pair, RoutingTarget, Side},
    patterns::is_internal_topic,
    people::Actor,
};
use muster_store::pairs;
use sqlx::PgConnection;

use crate::http::{Answer, Failure};

/// What does not hold together in a pair, as one sentence. `before` is the pair as it was before an edit: objectives that were let in
/// before this was asked keep nobody from editing something else.
pub(super) fn check(pair: &Pair, before: Option<&Pair>) -> Answer<()> {
    let patterns = [&pair.topics, &pair.topics_exclude, &pair.groups, &pair.groups_exclude];
    for pattern in patterns.into_iter().flatten() {
        if let Err(bad) = muster_domain::patterns::check(pattern) {
            return Err(Failure::invalid(format!("{bad}.")));
        }
    }
    let web = |url: &str| url.starts_with("http://") || url.starts_with("https://");
    let connect = pair.flows.iter().filter_map(|flow| match &flow.mechanism {
        Mechanism::Mm2OnConnect { connect_url, .. } => Some(connect_url),
        Mechanism::Unattached => None,
    });
    let broken = if pair.topics.is_empty() {
        "A pair needs at least one topic pattern."
    } else if pair.flows.is_empty() || pair.flows.len() > 2 {
        "A pair has one flow or two, one for each direction."
    } else if pair.flows.len() == 2 && pair.flows[0].direction == pair.flows[1].direction {
        "The two flows of a pair go in opposite directions."
    } else if connect.into_iter().any(|url| !web(url)) {
        "A Connect address begins with http:// or https://."
    } else if !pair.routing.iter().all(|target| match target {
        RoutingTarget::AddressBook { path } => path.starts_with('/'),
        RoutingTarget::Webhook { url } => web(url),
    }) {
        "An address book is an absolute path; a webhook begins with http:// or https://."
    } else if pair.approval.fewest() == 0 {
        "At least one person must approve; the requester never counts."
    } else if pair.approval.decide_within_minutes < 1 || pair.approval.use_within_minutes < 1 {
        "Both clocks of an approval run for at least a minute."
    } else if pair.canary_topic.as_deref().is_some_and(|topic| !is_topic_name(topic)) {
        "The canary topic is the name of a topic: letters, digits, dots, dashes and underscores, at most 249, not one of \
         Kafka's own."
    } else if !canary::PARTITIONS.contains(&pair.canary_partitions) {
        "A canary is written to 1 to 32 partitions."
    } else if !canary::SECONDS.contains(&pair.canary_seconds) {
        "Between two canary records lie 2 to 300 seconds."
    } else if sets_bad_objective(pair, before) {
        "Objectives are whole seconds and days, each at least 1."
    } else {
        return Ok(());
    };
    Err(Failure::invalid(broken))
}

/// Whether an objective is none that could be kept, and was not so before.
fn sets_bad_objective(pair: &Pair, before: Option<&Pair>) -> bool {
    let each = |Objectives { rpo_seconds, rto_seconds, verify_within_days }: &Objectives| {
        [*rpo_seconds, *rto_seconds, *verify_within_days]
    };
    let was = before.map_or([1; 3], |before| each(&before.objectives));
    each(&pair.objectives).into_iter().zip(was).any(|(now, was)| now < 1 && now != was)
}

/// What Kafka takes as a name that is not internal; whatever else Muster would try to make in vain every few seconds.
fn is_topic_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty()
        && name.len() <= 249
        && name.chars().all(legal)
        && !matches!(name, "." | "..")
        && !is_internal_topic(name)
}

/// Whether no other pair could be about the same topics or groups of a cluster: a run of one would move what is the other's.
/// Pairs that overlapped before this was asked may be edited, unless they claim more.
///
/// # Errors
/// `pairs-overlap`.
pub(in crate::acts) async fn stays_apart(
    conn: &mut PgConnection,
    pair: &Pair,
    before: Option<&Pair>,
    actor: &Actor,
) -> Answer<()> {
    pairs::lock_scopes(conn).await?;
    if before.is_some_and(|before| claims_no_more(before, pair)) {
        return Ok(());
    }
    for side in Side::BOTH {
        let there = pairs::list(conn, None, Some(pair.cluster(side))).await?;
        for other in there.iter().filter(|other| other.name != pair.name) {
            if let Some(overlap) = overlaps(pair, other).first() {
                return Err(overlapping(overlap, other, actor));
            }
        }
    }
    Ok(())
}

/// Of a pair of another team nothing is told but that it is there: neither its name nor what it is about.
fn overlapping(overlap: &Overlap, other: &Pair, actor: &Actor) -> Failure {
    let (what, key) = match overlap.what {
        Shared::Topics => ("topics", "topics_exclude"),
        Shared::Groups => ("groups", "groups_exclude"),
    };
    let whose = if actor.may_read(&other.team) {
        format!("`{}` of pair `{}`", overlap.theirs, other.name)
    } else {
        "a pair of another team".to_owned()
    };
    let Overlap { cluster, ours, .. } = overlap;
    Failure::new(
        "pairs-overlap",
        format!(
            "`{ours}` could match {what} of `{cluster}` that {whose} matches too; a run of one pair would move what is the \
             other's. Nothing was changed."
        ),
        format!(
            "Narrow the patterns of one of the two, or put the other's pattern, as it is written, into `{key}`. Who owns the \
             other pair, an admin can say."
        ),
    )
}
