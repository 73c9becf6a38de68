//! What of the standby is not as on its source: topics, grants, groups.

use super::*;
use crate::{
    access,
    acl::{AclOperation as Op, ResourceType},
    samples::{FORWARD, allow, strings},
};

#[test]
fn a_group_that_reads_nothing_of_the_pair_on_the_active_side_blocks_no_sync() {
    let results = World::with(|w| {
        known(&mut w.side(Side::B).groups).insert("elsewhere".to_owned(), group(2, 5));
    });
    assert_eq!(results[&Code::StandbyGroupsActive].status, Status::Ok);
}

#[test]
fn a_copy_with_a_replica_behind_is_worse_than_its_source_though_enough_are_in_sync() {
    let with = |in_sync, configs_known: bool| {
        World::with(|w| {
            of_orders(&mut w.survey, Side::B).in_sync = in_sync;
            if !configs_known {
                let topic = topics(&mut w.survey, Side::B).get_mut("orders").expect("in the sample");
                topic.configs = Observed::unknown("refused", at(0));
            }
        })
        .remove(&Code::StandbyDurability)
        .expect("answered")
    };
    let behind = with(2, true);
    let said = "`orders`-0 has 2 of 3 replicas in sync there";
    assert_eq!((behind.status, behind.reason.as_str()), (Status::Warning, said));
    let also_unread = with(2, false);
    let both = "`orders`-0 has 2 of 3 replicas in sync there; configs of `orders`: refused";
    assert_eq!((also_unread.status, also_unread.reason.as_str()), (Status::Warning, both));
}

#[test]
fn brokers_that_do_not_tell_how_many_have_to_be_in_sync_block_no_plan() {
    let with = |in_sync| {
        let results = World::with(|w| {
            for side in Side::BOTH {
                let topic = topics(&mut w.survey, side).get_mut("orders").expect("in the sample");
                Arc::make_mut(known(&mut topic.configs)).remove("min.insync.replicas");
            }
            of_orders(&mut w.survey, Side::B).in_sync = in_sync;
        });
        assert_eq!(not_ok(&results), [(Code::StandbyDurability, Status::Warning)]);
        results[&Code::StandbyDurability].clone()
    };
    let untold = "min.insync.replicas of `orders` was not told";
    let well = with(3);
    assert_eq!(well.reason, untold);
    assert!(well.next_step.contains("do not tell"), "{}", well.next_step);
    let behind = with(1);
    assert_eq!(behind.reason, format!("`orders`-0 has 1 of 3 replicas in sync there; {untold}"));
    assert!(behind.next_step.contains("out of sync"), "{}", behind.next_step);
}

#[test]
fn who_may_write_to_the_standby_is_named_unless_everybody_is_denied() {
    let write = |who: &str| allow(Op::Write, ResourceType::Topic, "orders", who);
    let here = |w: &mut World| {
        known(&mut w.side(FORWARD.from).acls).bindings.insert(allow(
            Op::Write,
            ResourceType::Topic,
            "orders",
            "User:shop",
        ));
    };
    let open = World::with(|w| {
        here(w);
        known(&mut w.side(FORWARD.to()).acls).bindings.insert(write("User:shop"));
    });
    let fenced = &open[&Code::StandbyFenced];
    assert_eq!((fenced.status, fenced.reason.as_str()), (Status::Warning, "User:shop may write to `dr` now"));
    let denied = World::with(|w| {
        here(w);
        let bindings = &mut known(&mut w.side(FORWARD.to()).acls).bindings;
        bindings.insert(write("User:shop"));
        bindings.extend(access::fence_bindings(&strings(&["orders"])));
    });
    assert_eq!(denied[&Code::StandbyFenced].status, Status::Ok);
}

#[test]
fn a_grant_for_reading_that_the_standby_lacks_is_named() {
    let read = allow(Op::Read, ResourceType::Topic, "orders", "User:billing");
    let results = World::with(|w| {
        known(&mut w.side(FORWARD.from).acls).bindings.insert(read.clone());
    });
    let grants = &results[&Code::StandbyGrants];
    assert_eq!((grants.status, grants.reason.as_str()), (Status::Warning, read.to_string().as_str()));
}

/// Bindings that are not there say nothing where nobody can ask for any.
#[test]
fn where_a_side_has_no_authorizer_no_check_of_who_may_do_what_is_ok() {
    let without = |side: Side| World::with(|w| known(&mut w.side(side).acls).authorizer = false);
    let told = |results: &BTreeMap<Code, CheckResult>, code: Code| {
        let result = &results[&code];
        (result.status, result.reason.clone())
    };
    let standby = without(FORWARD.to());
    assert_eq!(
        told(&standby, Code::Authorizer),
        (Status::Critical, "`dr` has no authorizer, so nothing can be fenced there".to_owned())
    );
    assert_eq!(
        told(&standby, Code::StandbyFenced),
        (Status::Warning, "whoever asks may write to `dr` now: it has no authorizer".to_owned())
    );
    let (status, reason) = told(&standby, Code::StandbyGrants);
    assert_eq!(status, Status::NotApplicable, "{reason}");
    let active = without(FORWARD.from);
    assert_eq!(
        told(&active, Code::Authorizer),
        (Status::Critical, "`primary` has no authorizer, so nothing can be fenced there".to_owned())
    );
    assert_eq!(
        told(&active, Code::StandbyGrants),
        (
            Status::Unknown,
            "`primary` has no authorizer, so nobody holds a grant there that could be compared with those on `dr`"
                .to_owned()
        )
    );
    assert_eq!(active[&Code::StandbyFenced].status, Status::Ok, "the standby has one");
}
