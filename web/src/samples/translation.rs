//! `sample()` of translation proofs.

use std::collections::BTreeMap;

use muster_domain::{
    direction::ActiveSides,
    proof::{
        Progress, Proof, ProofKind, ProofState,
        looks::{Looks, Trouble, UnreadPartition},
        translation::{AsOf, DeadSource, Found, GroupProof, PartitionProof, TranslationProof},
    },
    reading::ReadingClass,
    record::Person,
    topic::TopicPartition,
    translation::Method,
};
use uuid::Uuid;

use super::{
    ago,
    night::{chrome, cluster_name, pair_name},
    pairs::pair,
};
use crate::{
    forms::TranslationFilter,
    parts::Course,
    translation::{ProvenTranslation, TranslationPage},
};

/// A proof of the sample pair.
pub(super) fn proof(number: i64, state: ProofState, sentence: &str, reason: &str, asked: i64) -> Proof {
    Proof {
        id: Uuid::from_u128(9_000 + number.unsigned_abs() as u128),
        number,
        pair: pair_name("payments"),
        kind: ProofKind::Translation,
        from: cluster_name("eu-west"),
        to: cluster_name("eu-central"),
        asked_by: Person { id: Uuid::nil(), name: "mira.holt".to_owned() },
        content: None,
        asked_at: ago(asked),
        state,
        reason: reason.to_owned(),
        progress: Progress { done: 36, of: 96 },
        ended_at: state.is_ended().then(|| ago(asked - 9)),
        sentence: sentence.to_owned(),
    }
}

fn partition(topic: &str, number: i32, position: i64, found: Option<(i64, Method, i64)>) -> PartitionProof {
    PartitionProof {
        partition: TopicPartition::new(topic.to_owned(), number),
        position,
        back: false,
        as_of: None,
        found: found.map(|(target_offset, method, again)| Found {
            target_offset,
            class: if again == 0 { ReadingClass::Exact } else { ReadingClass::LowerBound },
            method,
            reprocessed_at_most: again,
            run: if again == 0 { 5 } else { 0 },
        }),
        because: match found {
            Some(_) => String::new(),
            None => {
                "no offset sync of this partition was ever seen and the records decide nothing".to_owned()
            }
        },
        mirrored: found.map(|(offset, ..)| offset - i64::from(number) * 412),
    }
}

fn result() -> TranslationProof {
    let exact = |topic: &str, position: i64| {
        let at =
            |n: i32| partition(topic, n, position + i64::from(n), Some((position - 240, Method::Content, 0)));
        GroupProof::of((0..6).map(at).collect())
    };
    let settlement = GroupProof::of(vec![
        partition("settlements", 0, 48_210, Some((47_903, Method::PairFloor, 118))),
        partition("settlements", 2, 11, Some((11, Method::TimestampSearch, 0))),
        partition("settlements", 1, 48_007, Some((47_700, Method::Rank, 0))),
    ]);
    let replay = GroupProof::of(vec![
        partition("ledger", 0, 17, None),
        partition("ledger", 1, 20, Some((20, Method::Pair, 0))),
    ]);
    let groups = BTreeMap::from([
        ("fraud".to_owned(), exact("payments", 880_412)),
        ("ledger-replay".to_owned(), replay),
        ("notifications".to_owned(), exact("payments", 880_390)),
        ("settlement".to_owned(), settlement),
    ]);
    TranslationProof::new(ago(540), 8_420, groups)
}

/// One that is done, with what it found.
fn proven(number: i64, asked: i64) -> ProvenTranslation {
    let result = TranslationProof { began_at: ago(asked), ..result() };
    let proof = proof(number, ProofState::Done, &result.sentence(), "", asked);
    ProvenTranslation { proof, result, hash: "c0ffee".repeat(11)[..64].to_owned() }
}

/// One that could not be carried out.
fn refused() -> Proof {
    proof(40, ProofState::Failed, "", "read offset syncs: not reachable: connection refused", 90_000)
}

/// Looks at the sample pair's source, with nothing in the way.
fn looks() -> Looks {
    Looks {
        from: cluster_name("eu-west"),
        to: cluster_name("eu-central"),
        looked_at: Some(ago(8)),
        positions_at: Some(ago(11)),
        silent: None,
        failing: None,
        unread: 0,
        partitions: Vec::new(),
        beyond: 0,
    }
}

impl TranslationPage {
    /// One proof that is done, one under way.
    #[must_use]
    pub fn sample() -> Self {
        let shown = proven(41, 540);
        let history = [proof(42, ProofState::Running, "", "", 12), shown.proof.clone(), refused()];
        let unread = |partition, because: &str| UnreadPartition {
            topic: "ledger".to_owned(),
            partition,
            since: ago(5_400),
            tried_at: ago(40),
            because: because.to_owned(),
        };
        let denied = "read 1 stretches of records on (ledger-0) on cluster `eu-west` (broker 2): broker error 29 \
                      TOPIC_AUTHORIZATION_FAILED";
        let broken = "ledger-4 could not be read: the batch at offsets 4411 to 4460 cannot be read: a record that ends too soon";
        let partitions = vec![unread(0, denied), unread(4, broken)];
        Self::page(&history, Some(&shown), &Looks { unread: 2, partitions, ..looks() })
    }

    /// What the part that followed a proof gets when that has ended.
    #[must_use]
    pub fn sample_ended() -> Self {
        let (newest, before) = (proven(42, 12), proven(41, 540));
        let history = [newest.proof.clone(), before.proof];
        Self::seen(
            "?until=ended",
            &TranslationFilter::default(),
            ("eu-west", "eu-central"),
            &history,
            Some(&newest),
        )
    }

    /// An earlier proof, some groups of it; the pair has been switched over since.
    #[must_use]
    pub fn sample_not_newest() -> Self {
        let (newest, shown) = (proven(43, 300), proven(41, 250_000));
        let history = [newest.proof, shown.proof.clone(), refused()];
        let filter = TranslationFilter {
            group: "settle".to_owned(),
            proof: shown.proof.id.to_string(),
            ..TranslationFilter::default()
        };
        let query = format!("?proof={}&group=settle", filter.proof);
        Self::seen(&query, &filter, ("eu-central", "eu-west"), &history, Some(&shown))
    }

    /// One that failed, asked for by its address.
    #[must_use]
    pub fn sample_without_result() -> Self {
        let asked = refused();
        let filter = TranslationFilter { proof: asked.id.to_string(), ..TranslationFilter::default() };
        let query = format!("?proof={}", filter.proof);
        let history = [asked, proven(39, 180_000).proof];
        Self::seen(&query, &filter, ("eu-west", "eu-central"), &history, None)
    }

    fn seen(
        query: &str,
        filter: &TranslationFilter,
        (active, standby): (&str, &str),
        history: &[Proof],
        shown: Option<&ProvenTranslation>,
    ) -> Self {
        let pair = pair("payments", "mira.holt", ("eu-west", "eu-central"), (30, 300));
        let chrome = chrome(&format!("/pairs/payments/translation{query}"));
        Self::new(chrome, &pair, Course::flowing(active, standby), history, shown, filter, &[looks()])
    }

    /// The source is dead: by what was kept of it.
    #[must_use]
    pub fn sample_dead_source() -> Self {
        let dead = |name: &str, position: i64, again: i64, lost: Option<i64>| {
            let method = if again == 0 { Method::Ring } else { Method::PairFloor };
            let found = partition(name, 0, position, Some((position - 240, method, again)));
            PartitionProof { as_of: Some(AsOf { looked_at: ago(552), lost_at_most: lost }), ..found }
        };
        let groups = BTreeMap::from([
            ("fraud".to_owned(), GroupProof::of(vec![dead("payments", 880_412, 0, Some(41))])),
            ("settlement".to_owned(), GroupProof::of(vec![dead("settlements", 48_210, 118, None)])),
        ]);
        let because = "read the source: Metadata on cluster `eu-west`: connection failed: connection refused"
            .to_owned();
        let (silent_since, positions_at) = (ago(540), ago(552));
        let source = DeadSource { silent_since, because, positions_at, syncs_at: Some(ago(546)) };
        let result = TranslationProof::new(ago(500), 420, groups).of_dead(source);
        let done = proof(43, ProofState::Done, &result.sentence(), "", 500);
        let shown =
            ProvenTranslation { proof: done.clone(), result, hash: "c0ffee".repeat(11)[..64].to_owned() };
        let silent =
            Some(Trouble { since: ago(540), because: "connection failed: connection refused".to_owned() });
        Self::page(&[done], Some(&shown), &Looks { silent, looked_at: Some(ago(552)), ..looks() })
    }

    /// Nothing was asked for yet.
    #[must_use]
    pub fn sample_empty() -> Self {
        Self::page(&[], None, &Looks { beyond: 2_412, ..looks() })
    }

    /// Which side is active cannot be told, and a proof was asked for without saying from where.
    #[must_use]
    pub fn sample_side_not_known() -> Self {
        let pair = pair("payments", "mira.holt", ("eu-west", "eu-central"), (30, 300));
        let (chrome, course) =
            (chrome("/pairs/payments/translation"), Course::of_pair(&pair, ActiveSides::NotKnown));
        Self::new(chrome, &pair, course, &[], None, &TranslationFilter::default(), &[]).refused_from(
            "It cannot be told which side is active: no flow of pair `payments` copies records now. Say from which cluster.",
        )
    }

    /// Both sides are active, so somebody says from which.
    #[must_use]
    pub fn sample_both_active() -> Self {
        let pair = pair("payments", "mira.holt", ("eu-west", "eu-central"), (30, 300));
        let (chrome, course) =
            (chrome("/pairs/payments/translation"), Course::of_pair(&pair, ActiveSides::Both));
        let result = TranslationProof::new(ago(500), 420, BTreeMap::new());
        let done = proof(43, ProofState::Done, &result.sentence(), "", 500);
        let shown =
            ProvenTranslation { proof: done.clone(), result, hash: "c0ffee".repeat(11)[..64].to_owned() };
        Self::new(chrome, &pair, course, &[done], Some(&shown), &TranslationFilter::default(), &[looks()])
    }

    fn page(history: &[Proof], shown: Option<&ProvenTranslation>, looks: &Looks) -> Self {
        let pair = pair("payments", "mira.holt", ("eu-west", "eu-central"), (30, 300));
        let chrome = chrome("/pairs/payments/translation");
        let course = Course::flowing("eu-west", "eu-central");
        let filter = TranslationFilter { from: "eu-west".to_owned(), ..TranslationFilter::default() };
        Self::new(chrome, &pair, course, history, shown, &filter, std::slice::from_ref(looks))
    }
}
