//! Causes by who is affected: each is under everybody it affects, and none is nowhere.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use proptest::{collection::btree_set, prelude::*};

use super::*;
use crate::{access::EVERYBODY, quota::ClientQuota};

/// Somebody with what is said of them: the worst, and each cause.
type Told<'a> = (&'a str, WhoKind, Weight, Vec<&'a str>);

fn says<'a>(found: &'a Differences, places: &[usize]) -> Vec<&'a str> {
    let all: Vec<&str> = found.causes().map(|(_, one)| one.says.as_str()).collect();
    places.iter().map(|place| all[*place]).collect()
}

fn named<'a>(found: &'a Differences, by: &'a ByWho) -> Vec<Told<'a>> {
    let told = |one: &'a Concerned| (one.name.as_str(), one.kind, one.worst, says(found, &one.causes));
    by.named.iter().map(told).collect()
}

fn grant(survey: &mut Survey, principal: &str) {
    let grant = allow(Op::Write, ResourceType::Topic, "orders", principal);
    for side in Side::BOTH {
        known(&mut survey.sides.get_mut(side).acls).bindings.insert(grant.clone());
    }
}

/// `shop` writes orders, and `billing` reads them; the standby keeps them for a second and asks for two copies to be written.
fn of_two(survey: &mut Survey) {
    grant(survey, "User:shop");
    for side in Side::BOTH {
        known(&mut survey.sides.get_mut(side).groups).insert("billing".to_owned(), group(0, 7));
    }
    set(survey, Side::B, "orders", "retention.ms", "1000", ConfigSource::Topic);
    set(survey, Side::A, "orders", "max.message.bytes", "2000000", ConfigSource::Topic);
    set(survey, Side::B, "orders", "max.message.bytes", "1000", ConfigSource::Topic);
}

#[test]
fn each_who_is_affected_has_all_causes_worst_first() {
    let found = after(|_, survey| {
        of_two(survey);
        known(&mut survey.sides.b.groups).get_mut("billing").expect("there").offsets.clear();
    });
    assert_eq!(found.differences.len(), 3, "{:?}", told(&found));
    let by = found.by_who("");
    assert_eq!((by.everybody.len(), by.not_known.len(), by.count), (0, 0, 2), "{by:?}");
    let all: Vec<&str> = found.differences.iter().map(|one| one.says.as_str()).collect();
    let of_topic: Vec<&str> = all.iter().filter(|said| said.contains("topic `orders` is")).copied().collect();
    assert_eq!(of_topic.len(), 2, "{all:?}");
    assert_eq!(
        named(&found, &by),
        [
            // More causes go first.
            ("billing", WhoKind::Group, Weight::Breaks, all.clone()),
            ("User:shop", WhoKind::Principal, Weight::Breaks, of_topic),
        ]
    );
}

#[test]
fn who_may_do_what_is_not_known_where_it_was_not_read() {
    let found = after(|_, survey| {
        of_two(survey);
        survey.sides.a.acls = Observed::unknown("refused", samples::at(0));
        // Nobody was moved there by hand.
        known(&mut survey.sides.b.acls).bindings.clear();
    });
    let by = found.by_who("");
    // The group is known, whoever writes is not.
    assert_eq!(by.named.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["billing"], "{found:#?}");
    assert_eq!(by.not_known.len(), 2, "{by:?}");
    let open = after(|_, survey| {
        of_two(survey);
        known(&mut survey.sides.a.acls).authorizer = false;
        known(&mut survey.sides.b.acls).authorizer = false;
    });
    assert_eq!(open.by_who("").not_known.len(), 2, "whoever asks may write: {open:?}");
}

#[test]
fn a_topic_nobody_is_known_to_use_is_not_dropped() {
    let found = after(|_, survey| {
        set(survey, Side::B, "orders", "retention.ms", "1000", ConfigSource::Topic);
        topics(survey, Side::B).insert("orders.old".to_owned(), samples::topic(5));
    });
    let by = found.by_who("");
    assert_eq!((by.everybody.len(), by.not_known.len(), by.count), (0, 2, 0), "{:?}", told(&found));
}

#[test]
fn what_everybody_meets_is_under_everybody_and_under_those_who_are_named() {
    let quota = |parts: &[(&str, Option<&str>)]| ClientQuota {
        entity: parts.iter().map(|(kind, name)| ((*kind).to_owned(), name.map(str::to_owned))).collect(),
        limits: [("producer_byte_rate".to_owned(), 1000.0)].into(),
    };
    let limited = |quotas: Vec<ClientQuota>| {
        let found = after(|_, survey| known(&mut survey.sides.b.quotas).extend(quotas));
        assert_eq!(found.differences.len(), 1, "{:?}", told(&found));
        let by = found.by_who("");
        let names: Vec<String> = by.named.iter().map(|one| one.name.clone()).collect();
        (by.everybody.len(), by.not_known.len(), names)
    };
    let shop = vec!["User:shop".to_owned()];
    assert_eq!(limited(vec![quota(&[("user", Some("shop"))])]), (0, 0, shop.clone()));
    assert_eq!(limited(vec![quota(&[("user", None)])]), (1, 0, vec![]));
    assert_eq!(limited(vec![quota(&[("client-id", Some("loader"))])]), (0, 1, vec![]));
    let both = vec![quota(&[("user", Some("shop"))]), quota(&[("user", None)])];
    assert_eq!(limited(both), (1, 0, shop.clone()));
    let one_unknown = vec![quota(&[("user", Some("shop"))]), quota(&[("ip", Some("10.0.0.7"))])];
    assert_eq!(limited(one_unknown), (0, 1, shop));

    let granted = after(|_, survey| {
        grant(survey, EVERYBODY);
        set(survey, Side::B, "orders", "retention.ms", "1000", ConfigSource::Topic);
    });
    let by = granted.by_who("");
    assert_eq!((by.everybody.len(), by.not_known.len(), by.count), (1, 0, 0), "{by:?}");
    let of_one = granted.filtered(&[], "an-application");
    assert_eq!(of_one.causes().count(), 1, "who asks for one is among everybody");
}

#[test]
fn a_name_that_is_typed_is_found_and_a_topic_finds_all_who_use_it() {
    let found = after(|_, survey| of_two(survey));
    let names = |text: &str| -> Vec<String> {
        let by = found.clone().filtered(&[], text).by_who(text);
        by.named.into_iter().map(|one| one.name).collect()
    };
    assert_eq!(names("shop"), ["User:shop"]);
    assert_eq!(names("orders"), ["User:shop", "billing"]);
    assert_eq!(names("nobody-has-this-name"), [""; 0]);
}

#[test]
fn what_was_compared_last_is_among_the_causes_with_when_that_was() {
    let mut found = after(|_, survey| of_two(survey));
    let differences = std::mem::take(&mut found.differences);
    found.earlier = vec![Earlier { what: "configs".to_owned(), at: samples::at(5), differences }];
    let at: Vec<Option<DateTime<Utc>>> = found.causes().map(|(at, _)| at).collect();
    assert_eq!(at, [Some(samples::at(5)); 2]);
    assert_eq!(found.by_who("").count, 2);
}

#[test]
fn what_an_earlier_version_kept_does_not_say_that_there_is_nobody_else() {
    let found = after(|_, survey| of_two(survey));
    let mut stored = serde_json::to_value(&found.differences[0]).expect("written");
    assert_eq!(stored["affected"]["others"], "none");
    stored["affected"].as_object_mut().expect("an object").remove("others");
    let read: Difference = serde_json::from_value(stored).expect("read");
    assert_eq!(read.affected.others, Others::Unknown);
}

/// A cause that affects these.
fn cause(
    weight: Weight,
    topics: BTreeSet<String>,
    groups: BTreeSet<String>,
    principals: BTreeSet<String>,
    others: Others,
) -> Difference {
    Difference {
        kind: DifferenceKind::Config,
        weight,
        says: String::new(),
        cluster: ClusterName::new("dr").expect("a name"),
        expected: String::new(),
        actual: String::new(),
        consequence: String::new(),
        affected: Affected {
            topics: Names::all(topics),
            groups: Names::all(groups),
            principals: Names::all(principals),
            others,
        },
        next_step: String::new(),
        commands: Vec::new(),
    }
}

fn causes() -> impl Strategy<Value = Vec<Difference>> {
    // A group may have any name, that of everybody included.
    let principals = || btree_set("User:[a-c*]", 0..4);
    let groups = || btree_set("[a-c]|User:[*a]", 0..4);
    let weight = prop::sample::select(Weight::ALL.to_vec());
    let others = prop::sample::select(vec![Others::None, Others::Unknown, Others::Everybody]);
    let one = (weight, btree_set("[a-c]{1,2}", 0..3), groups(), principals(), others).prop_map(
        |(weight, topics, groups, principals, others)| cause(weight, topics, groups, principals, others),
    );
    prop::collection::vec(one, 0..12)
}

/// Of the newest survey, of the way back and from when it could be compared last.
fn all_of(now: Vec<Difference>, back: Vec<Difference>, then: Vec<Difference>) -> Differences {
    let earlier = vec![Earlier { what: "configs".to_owned(), at: samples::at(0), differences: then }];
    let back = Differences { differences: back, ..Differences::default() };
    Differences { differences: now, earlier, back: Some(Box::new(back)), ..Differences::default() }
}

proptest! {
    /// Whatever the causes are: each is under each of those it affects and nobody else, and the order is the one that is told.
    #[test]
    fn each_cause_is_under_each_it_affects_and_none_is_lost(now in causes(), back in causes(), then in causes()) {
        let found = all_of(now, back, then);
        let by = found.by_who("");
        let all: Vec<&Difference> = found.causes().map(|(_, one)| one).collect();
        prop_assert_eq!(by.count, by.named.len());
        for (place, one) in all.iter().enumerate() {
            let Affected { groups, principals, others, .. } = &one.affected;
            let wanted: BTreeSet<(WhoKind, &str)> = principals
                .names
                .iter()
                .filter(|name| *name != EVERYBODY)
                .map(|name| (WhoKind::Principal, name.as_str()))
                .chain(groups.names.iter().map(|name| (WhoKind::Group, name.as_str())))
                .collect();
            let under: Vec<&Concerned> = by.named.iter().filter(|who| who.causes.contains(&place)).collect();
            let names: BTreeSet<(WhoKind, &str)> = under.iter().map(|who| (who.kind, who.name.as_str())).collect();
            prop_assert_eq!(under.len(), wanted.len());
            prop_assert_eq!(names, wanted);
            let everybody = *others == Others::Everybody || principals.names.iter().any(|name| name == EVERYBODY);
            prop_assert_eq!(by.everybody.iter().filter(|one| **one == place).count(), usize::from(everybody));
            let not_known = *others == Others::Unknown || (under.is_empty() && !everybody);
            prop_assert_eq!(by.not_known.iter().filter(|one| **one == place).count(), usize::from(not_known));
        }
        for who in &by.named {
            prop_assert_eq!(who.shown(), &who.causes[..who.causes.len().min(10)]);
            let weights: Vec<Weight> = who.causes.iter().map(|place| all[*place].weight).collect();
            prop_assert_eq!(weights.first(), Some(&who.worst));
            prop_assert!(weights.is_sorted_by(|one, next| one >= next), "{:?}", weights);
        }
        prop_assert!(by.named.is_sorted_by(|one, next| one.place() < next.place()), "{:?}", by.named);
    }

    /// With a text that is typed, too, whatever is left of the causes is somewhere.
    #[test]
    fn no_cause_that_is_asked_for_is_lost(now in causes(), text in "[a-c*]{0,2}") {
        let found = all_of(now, Vec::new(), Vec::new()).filtered(&[], &text);
        let by = found.by_who(&text);
        let under: BTreeSet<usize> = by
            .everybody
            .iter()
            .chain(&by.not_known)
            .chain(by.named.iter().flat_map(|who| &who.causes))
            .copied()
            .collect();
        prop_assert_eq!(under, (0..found.causes().count()).collect::<BTreeSet<_>>());
    }

    /// Read page by page everybody is there once, in order, however long pages are.
    #[test]
    fn pages_have_each_once(now in causes(), most in 1_usize..5) {
        let all = all_of(now, Vec::new(), Vec::new()).by_who("");
        let (mut read, mut after) = (Vec::new(), None);
        loop {
            let (page, more) = all.clone().page(after.as_ref(), most);
            prop_assert!(page.named.len() <= most);
            prop_assert_eq!((page.count, &page.everybody), (all.count, &all.everybody));
            after = page.named.last().map(Concerned::place);
            read.extend(page.named);
            if !more {
                break;
            }
        }
        prop_assert_eq!(read, all.named);
    }
}
