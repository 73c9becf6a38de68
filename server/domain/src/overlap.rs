//! Whether two pairs could be about the same topic or group of one cluster: then a run of one would fence, move and read what
//! is the other's.
//!
//! Decided from what owners wrote, never from what is there now: a topic that is made tomorrow would be in both. Patterns are
//! compared by what is certain of them, so two may be said to overlap that never match one name; an exclusion of the very
//! pattern the other has settles it.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    ids::ClusterName,
    pair::{Pair, Side},
    patterns::{
        GROUPS_EXCLUDE, Scope, TOPICS_EXCLUDE, prefix,
        shape::{Shape, has_flags, shapes},
    },
};

/// Most shapes of a list that are compared one by one; a longer list is one that may match anything.
const MOST: usize = 300;

/// What two pairs could both be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shared {
    /// Topics.
    Topics,
    /// Groups.
    Groups,
}

/// Two pairs that could be about the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The cluster they share.
    pub cluster: ClusterName,
    /// What of it.
    pub what: Shared,
    /// The pattern, or name, of the first pair that is in the way.
    pub ours: String,
    /// The one of the second pair.
    pub theirs: String,
}

/// Where two pairs could be about the same topics or groups: the first place of each kind on each cluster they share.
#[must_use]
pub fn overlaps(ours: &Pair, theirs: &Pair) -> Vec<Overlap> {
    let (our_scope, their_scope) = (Scope::of(ours), Scope::of(theirs));
    let sides = Side::BOTH.into_iter().flat_map(|a| Side::BOTH.map(|b| (a, b)));
    let mut found = Vec::new();
    for (our_side, their_side) in sides.filter(|(a, b)| ours.cluster(*a) == theirs.cluster(*b)) {
        for what in [Shared::Topics, Shared::Groups] {
            let claims = (Claims::of(ours, our_side, what), Claims::of(theirs, their_side, what));
            let both = |name: &str| match what {
                Shared::Topics => our_scope.topic(our_side, name) && their_scope.topic(their_side, name),
                Shared::Groups => our_scope.group(name) && their_scope.group(name),
            };
            if let Some((ours_there, theirs_there)) = meeting(&claims.0, &claims.1, both) {
                found.push(Overlap {
                    cluster: ours.cluster(our_side).clone(),
                    what,
                    ours: ours_there.text.clone(),
                    theirs: theirs_there.text.clone(),
                });
            }
        }
    }
    found
}

/// Whether an edit of a pair claims nothing that the pair before did not claim: pairs that overlapped before this was a rule
/// can be taken apart step by step, and by no step grow together.
#[must_use]
pub fn claims_no_more(before: &Pair, after: &Pair) -> bool {
    let kept = |before: &[String], after: &[String]| before.iter().all(|pattern| after.contains(pattern));
    // Without exclusions of their own groups have the default ones, and the first of one's own takes these away.
    let groups_exclude_stay = kept(&before.groups_exclude, &after.groups_exclude)
        && before.groups_exclude.is_empty() == after.groups_exclude.is_empty();
    let claimed = |side: Side, what: Shared| {
        let before = Claims::of(before, side, what);
        Claims::of(after, side, what).claims.iter().all(|now| before.has(now))
    };
    kept(&before.topics_exclude, &after.topics_exclude)
        && groups_exclude_stay
        && Side::BOTH.into_iter().all(|side| claimed(side, Shared::Topics) && claimed(side, Shared::Groups))
}

/// One alternative of what a pair is about.
#[derive(Debug)]
struct Claim {
    /// As its owners wrote it.
    text: String,
    /// What it may match.
    shape: Shape,
    /// What replicas are named behind; empty for names that applications use.
    prefix: String,
    /// No pattern: the name of the canary's topic, which no exclusion touches.
    fixed: bool,
}

/// What a pair is about on one side, and what it is not about.
#[derive(Debug)]
struct Claims {
    claims: Vec<Claim>,
    /// What is out of scope, by names that applications use, as its owners wrote it.
    excluded: Vec<String>,
    /// The shapes of that.
    excluded_shapes: Vec<Shape>,
}

impl Claims {
    fn of(pair: &Pair, side: Side, what: Shared) -> Self {
        let defaults = |of: &[&str]| of.iter().map(|pattern| (*pattern).to_owned()).collect::<Vec<_>>();
        match what {
            Shared::Topics => {
                let mut behind = vec![String::new()];
                behind.extend(replicas_behind(pair, side));
                let patterns = behind.iter().flat_map(|prefix| claimed(&pair.topics, prefix));
                let canary =
                    pair.canary_topic.iter().flat_map(|topic| behind.iter().map(|p| fixed(topic, p)));
                let excluded = [pair.topics_exclude.clone(), defaults(&TOPICS_EXCLUDE)].concat();
                Self::without(patterns.chain(canary).collect(), excluded)
            }
            Shared::Groups => {
                // All groups is what nobody has chosen (the default of MirrorMaker 2), and means those that read the pair's topics.
                if pair.groups.iter().all(|pattern| pattern == ".*") {
                    return Self::without(Vec::new(), Vec::new());
                }
                let own = pair.groups_exclude.clone();
                let excluded = if own.is_empty() { defaults(&GROUPS_EXCLUDE) } else { own };
                Self::without(claimed(&pair.groups, ""), excluded)
            }
        }
    }

    fn without(claims: Vec<Claim>, excluded: Vec<String>) -> Self {
        // What a flag does to the patterns behind it is not known here: then nothing is sure to be out of scope.
        let excluded = if has_flags(&excluded) { Vec::new() } else { excluded };
        let excluded_shapes = excluded.iter().flat_map(|pattern| shapes(pattern)).take(MOST).collect();
        Self { claims, excluded, excluded_shapes }
    }

    /// Whether what both of two claims match is sure to be out of scope here: all of one of them is.
    fn leaves_out(&self, own: &Claim, foreign: &Claim) -> bool {
        let covered = |excluded: &Shape| {
            let excluded = excluded.behind(&own.prefix);
            excluded.covers(&own.shape) || excluded.covers(&foreign.shape)
        };
        own.prefix == foreign.prefix && self.excluded.contains(&foreign.text)
            || self.excluded_shapes.iter().any(covered)
    }

    /// Whether everything a claim may match is sure to have been claimed here.
    fn has(&self, claim: &Claim) -> bool {
        self.claims.iter().filter(|own| own.prefix == claim.prefix).any(|own| {
            own.text == claim.text && own.fixed == claim.fixed
                || !claim.fixed && own.shape.covers(&claim.shape)
        })
    }
}

/// The first two claims that could be about one name. `both` says of a name whether both pairs are about it.
fn meeting<'a>(
    ours: &'a Claims,
    theirs: &'a Claims,
    both: impl Fn(&str) -> bool,
) -> Option<(&'a Claim, &'a Claim)> {
    // A name is matched as the pairs match it, exactly; what has no name of its own is compared by its shape.
    let named = |claim: &Claim| claim.shape.name();
    let pairs = || ours.claims.iter().flat_map(|a| theirs.claims.iter().map(move |b| (a, b)));
    let agreed: BTreeSet<String> =
        ours.claims.iter().chain(&theirs.claims).filter_map(named).filter(|name| both(name)).collect();
    let same = |(a, b): &(&Claim, &Claim)| match (named(a), named(b)) {
        (Some(name), _) | (_, Some(name)) => agreed.contains(&name) && a.shape.meets(&b.shape),
        (None, None) => a.shape.meets(&b.shape) && !ours.leaves_out(a, b) && !theirs.leaves_out(b, a),
    };
    pairs().find(same)
}

/// What replicas that arrive at a side are named behind. Under the identity policy only heartbeats are renamed.
fn replicas_behind(pair: &Pair, side: Side) -> Vec<String> {
    let arriving = pair.flows.iter().filter(|flow| flow.direction.to() == side);
    let named = arriving.map(|flow| prefix(&flow.source_alias, &flow.naming));
    named.filter(|(_, renames)| *renames).map(|(prefix, _)| prefix).collect()
}

fn claimed(patterns: &[String], prefix: &str) -> Vec<Claim> {
    let claim = |text: &str, shape: &Shape| Claim {
        text: text.to_owned(),
        shape: shape.behind(prefix),
        prefix: prefix.to_owned(),
        fixed: false,
    };
    let of = |text: &String| shapes(text).iter().map(|shape| claim(text, shape)).collect::<Vec<_>>();
    let found: Vec<Claim> = patterns.iter().flat_map(of).collect();
    let rough = found.iter().filter(|claim| claim.shape.name().is_none()).count();
    if rough <= MOST && !has_flags(patterns) {
        return found;
    }
    vec![claim(&patterns.join("|"), &Shape::anything())]
}

/// A name that no exclusion touches.
fn fixed(name: &str, prefix: &str) -> Claim {
    Claim {
        text: name.to_owned(),
        shape: Shape::of_name(name).behind(prefix),
        prefix: prefix.to_owned(),
        fixed: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{ClusterName, PairName},
        pair::NamingPolicy,
        samples::{self, strings},
    };

    /// A pair between `primary` and `dr` with these topics, and groups of its own.
    fn pair(name: &str, topics: &[&str]) -> Pair {
        let mut pair = samples::pair();
        pair.name = PairName::new(name).expect("good");
        pair.topics = strings(topics);
        pair.groups = strings(&[&format!("{name}-.*")]);
        pair
    }

    fn kinds(ours: &Pair, theirs: &Pair) -> Vec<Shared> {
        let (one, other) = (overlaps(ours, theirs), overlaps(theirs, ours));
        let turned = |o: &Overlap| (o.cluster.clone(), o.what);
        let set = |all: &[Overlap]| all.iter().map(turned).collect::<BTreeSet<_>>();
        assert_eq!(set(&one), set(&other), "it does not matter who is asked");
        one.iter().filter(|o| o.cluster == *ours.cluster(Side::A)).map(|o| o.what).collect()
    }

    const NONE: [Shared; 0] = [];

    #[test]
    fn pairs_about_the_same_topics_overlap_and_say_by_which_patterns() {
        let (ours, theirs) = (pair("shop", &["payments", r"orders\..*"]), pair("all", &["x", r"orders\.eu"]));
        let found = overlaps(&ours, &theirs);
        assert_eq!(found.len(), 2, "on both clusters: {found:?}");
        assert_eq!((found[0].ours.as_str(), found[0].theirs.as_str()), (r"orders\..*", r"orders\.eu"));
        assert_eq!((found[0].cluster.as_str(), found[0].what), ("primary", Shared::Topics));
        assert_eq!(kinds(&ours, &pair("all", &[".*"])), [Shared::Topics]);
        assert_eq!(kinds(&ours, &pair("all", &["orders.[a-c]"])), [Shared::Topics], "it may be a dot");
    }

    #[test]
    fn different_names_and_beginnings_do_not_overlap() {
        let ours = pair("shop", &["payments", r"orders\..*"]);
        assert_eq!(kinds(&ours, &pair("carts", &["payments.captured", r"carts\..*", "orders"])), NONE);
        let letters = pair("letters", &["payment[a-r]"]);
        assert_eq!(kinds(&ours, &letters), NONE, "a name is matched exactly");
    }

    #[test]
    fn groups_overlap_as_topics_do_and_default_exclusions_count() {
        let (mut ours, mut theirs) = (pair("shop", &["orders"]), pair("carts", &["carts"]));
        ours.groups = strings(&["[a-z]+-.*"]);
        assert_eq!(kinds(&ours, &theirs), [Shared::Groups]);
        theirs.groups = strings(&[".*"]);
        assert_eq!(kinds(&ours, &theirs), NONE, "all that read its topics");
        theirs.groups = strings(&["connect-.*"]);
        assert_eq!(kinds(&ours, &theirs), NONE, "both leave these out");
        ours.groups_exclude = strings(&["x"]);
        theirs.groups_exclude = strings(&["x"]);
        assert_eq!(kinds(&ours, &theirs), [Shared::Groups]);
    }

    #[test]
    fn other_clusters_do_not_matter_and_sides_do_not_either() {
        let (ours, mut theirs) = (pair("shop", &["orders"]), pair("copy", &["orders"]));
        let name = |name: &str| ClusterName::new(name).expect("good");
        (theirs.clusters.a, theirs.clusters.b) = (name("asia"), name("africa"));
        assert_eq!(overlaps(&ours, &theirs), []);
        theirs.clusters.b = name("primary");
        assert_eq!(kinds(&ours, &theirs), [Shared::Topics]);
    }

    #[test]
    fn what_one_leaves_out_the_other_may_have() {
        let mut ours = pair("all", &[".*"]);
        let theirs = pair("shop", &[r"orders\.(eu|us)\..*", "payments", "x[0-9]+"]);
        ours.topics_exclude = strings(&[r"orders\..*", "payments"]);
        assert_eq!(kinds(&ours, &theirs), [Shared::Topics], "the one with digits is left");
        ours.topics_exclude.push("x[0-9]+".to_owned());
        assert_eq!(kinds(&ours, &theirs), NONE);
        ours.topics_exclude.push("(?i)z".to_owned());
        assert_eq!(kinds(&ours, &theirs), [Shared::Topics], "nobody knows what the flag does to the others");
    }

    #[test]
    fn replicas_and_canaries_are_claimed_too() {
        let (mut ours, theirs) = (pair("shop", &["orders"]), pair("odd", &[r"primary\.ord.*"]));
        assert_eq!(overlaps(&ours, &theirs), []);
        for flow in &mut ours.flows {
            flow.naming = NamingPolicy::Prefixed { separator: ".".to_owned() };
        }
        let found = overlaps(&ours, &theirs);
        assert_eq!(
            found.iter().map(|o| o.cluster.as_str()).collect::<Vec<_>>(),
            ["dr"],
            "its replicas are there"
        );

        let mut ours = pair("shop", &["orders"]);
        ours.canary_topic = Some("muster.canary".to_owned());
        let mut theirs = pair("carts", &["carts"]);
        theirs.canary_topic = Some("muster.canary.carts".to_owned());
        assert_eq!(kinds(&ours, &theirs), NONE);
        theirs.canary_topic.clone_from(&ours.canary_topic);
        assert_eq!(kinds(&ours, &theirs), [Shared::Topics]);
    }

    #[test]
    fn an_edit_that_claims_less_is_told_from_one_that_claims_more() {
        let mut before = pair("shop", &[".*", "[a-c]x"]);
        before.topics_exclude = strings(&["carts.*"]);
        let edited = |edit: &dyn Fn(&mut Pair)| {
            let mut after = before.clone();
            edit(&mut after);
            claims_no_more(&before, &after)
        };
        assert!(edited(&|_| {}));
        assert!(edited(&|after| after.topics = strings(&["orders.*", "[a-c]x"])));
        assert!(edited(&|after| after.topics_exclude.push("clicks.*".to_owned())));
        assert!(edited(&|after| after.groups = strings(&["shop-eu"])));
        assert!(!edited(&|after| after.topics_exclude.clear()));
        assert!(!edited(&|after| after.groups = strings(&["[a-z].*"])));
        assert!(!edited(&|after| after.groups_exclude = strings(&["x"])), "the default exclusions are gone");
        assert!(!edited(&|after| after.canary_topic = Some("carts.canary".to_owned())));
    }
}
