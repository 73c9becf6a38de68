//! Showing what is in a record that a content proof cites: only where the pair's owners allow it, and never kept. An act that
//! waits for Kafka; it is bounded, and no transaction is open meanwhile.

use muster_domain::{
    ids::{ClusterName, PairName},
    pair::{Pair, Side},
    patterns::Scope,
    payload::ShownRecord,
    people::Actor,
    proof::{
        Proof, ProofKind,
        content::{Cited, ContentProof, Look, LookedAt, Place, ProofSide},
    },
    topic::TopicPartition,
};
use muster_operations::content_proof::look_for;
use muster_store::proofs;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    audit_trail::{self, Entry},
    pairs,
    proofs::object,
};
use crate::{
    app::App,
    http::{Answer, Failure},
};

/// A record that a proof cites, by where it stands on one side.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"topic": "orders", "partition": 3, "offset": 1234, "side": "source"}))]
pub struct RecordAsk {
    /// The topic as that side names it.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset on that side.
    pub offset: i64,
    /// Which side of the proof.
    pub side: ProofSide,
}

impl From<&RecordAsk> for Place {
    fn from(ask: &RecordAsk) -> Self {
        Self {
            side: ask.side,
            partition: TopicPartition::new(ask.topic.as_str(), ask.partition),
            offset: ask.offset,
        }
    }
}

/// What came of looking for a record that a proof cites.
#[derive(Debug)]
pub struct Looked {
    /// The pair.
    pub pair: Pair,
    /// The proof.
    pub proof: Proof,
    /// The difference it cites.
    pub cited: Cited,
    /// Each place of it; one, or two when it is out of order.
    pub places: Vec<LookedAt>,
}

/// A record that a proof cites, as it stands now.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordTold {
    /// The proof.
    pub proof: Uuid,
    /// The pair.
    pub pair: PairName,
    /// Each place of it: one, or two when it is out of order.
    pub items: Vec<RecordThere>,
}

/// A record at one place.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordThere {
    /// The side.
    pub side: ProofSide,
    /// Its cluster.
    pub cluster: ClusterName,
    /// The topic as that side names it.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// `shown`, `gone`, `another` or `unreadable`.
    pub state: &'static str,
    /// Why it is not shown; empty when it is.
    pub reason: String,
    /// Whether its transaction was committed, or it had none; null when it is not shown.
    pub committed: Option<bool>,
    /// The record; null when it is not shown.
    pub record: Option<ShownRecord>,
}

impl From<LookedAt> for RecordThere {
    fn from(looked: LookedAt) -> Self {
        let LookedAt {
            place: Place { side, partition: TopicPartition { topic, partition }, offset },
            cluster,
            look,
        } = looked;
        let (state, reason, shown) = match look {
            Look::Shown { record, committed } => ("shown", String::new(), Some((*record, committed))),
            Look::Gone { because } => ("gone", because, None),
            Look::Another { because } => ("another", because, None),
            Look::Unreadable { because } => ("unreadable", because, None),
        };
        let (record, committed) = shown.unzip();
        Self { side, cluster, topic, partition, offset, state, reason, committed, record }
    }
}

impl Looked {
    /// What a program is told.
    ///
    /// # Errors
    /// `record-not-readable` when it is shown at none of its places, with them as `items`.
    pub fn told(self) -> Answer<RecordTold> {
        let items: Vec<RecordThere> = self.places.into_iter().map(Into::into).collect();
        if items.iter().any(|item| item.record.is_some()) {
            return Ok(RecordTold { proof: self.proof.id, pair: self.pair.name, items });
        }
        let reasons: Vec<String> =
            items.iter().map(|item| format!("on `{}`: {}", item.cluster, item.reason)).collect();
        Err(Failure::new(
            "record-not-readable",
            format!("The record is not shown. {}.", reasons.join("; ")),
            "What the proof keeps of it is all there is, unless the cluster was only away: then ask again.",
        )
        .with("items", serde_json::to_value(items).unwrap_or_default()))
    }
}

/// Reads a record that a proof of the pair cites, on each side where it stands, to show it. The audit has its entry before
/// anything is read: if the process dies in between, an entry too many says who asked.
///
/// # Errors
/// `not-found`; `payload-not-allowed` when the pair's owners do not allow it, or not for this topic any more;
/// `record-not-cited` when it is none of the records the proof cites; `clients-unavailable`.
pub async fn show(app: &App, name: &PairName, id: Uuid, ask: &RecordAsk, actor: &Actor) -> Answer<Looked> {
    let mut tx = muster_store::begin(&app.pool).await?;
    let (pair, proof, cited) = may_show(&mut tx, name, id, ask).await?;
    let places = on_the_pair(&pair, &proof, &cited)?;
    audit_trail::record(&mut tx, actor, Entry::done("payload.show", &object(id), told(&proof, &places)))
        .await?;
    tx.commit().await?;
    let clients = app.hands.pair_clients(name).await?;
    let looks = places.into_iter().map(|(side, cluster, place)| {
        let (clients, cited) = (&clients, &cited);
        async move {
            let look = look_for(clients, side, cited, &place).await;
            LookedAt { place, cluster, look }
        }
    });
    let places = futures_util::future::join_all(looks).await;
    Ok(Looked { pair, proof, cited, places })
}

/// What is to be shown, if it may be.
async fn may_show(
    conn: &mut PgConnection,
    name: &PairName,
    id: Uuid,
    ask: &RecordAsk,
) -> Answer<(Pair, Proof, Cited)> {
    let pair = pairs::get(conn, name).await?;
    if !pair.show_payload {
        return Err(Failure::new(
            "payload-not-allowed",
            format!("Payload of records of pair `{name}` may not be shown."),
            "An owner of its team allows it in the settings of the pair (`show_payload`).",
        ));
    }
    let (proof, result, _) = of_pair(conn, name, id).await?;
    let place = Place::from(ask);
    let cited = result.cited(&place).ok_or_else(|| {
        Failure::new(
            "record-not-cited",
            format!("Proof {} cites no record at {place} of its {}.", proof.number, place.side.as_str()),
            "Only records the proof cites are shown: the `examples` of its `partitions`.",
        )
    })?;
    Ok((pair, proof, cited))
}

/// A content proof of the pair that is done, with its result and the hash of its evidence.
///
/// # Errors
/// `not-found`.
pub async fn of_pair(
    conn: &mut PgConnection,
    name: &PairName,
    id: Uuid,
) -> Answer<(Proof, ContentProof, String)> {
    let missing = || Failure::not_found("proof", &id.to_string());
    let evidence = proofs::evidence(conn, id).await?.ok_or_else(missing)?;
    if evidence.proof.pair != *name || evidence.proof.kind != ProofKind::Content {
        return Err(missing());
    }
    let result = serde_json::from_value(evidence.result.unwrap_or_default())
        .map_err(|e| Failure::internal("read the result of a proof", e))?;
    Ok((evidence.proof, result, evidence.hash))
}

/// The places of a cited record on the pair as it is now. What its owners allow holds for the topics that are theirs now, and
/// for its own clusters.
fn on_the_pair(pair: &Pair, proof: &Proof, cited: &Cited) -> Answer<Vec<(Side, ClusterName, Place)>> {
    let refused = |why: String| {
        Failure::new(
            "payload-not-allowed",
            format!("{why}, so what its owners allow does not hold for this record."),
            "Ask for a proof of the pair as it is now.",
        )
    };
    let gone =
        |cluster: &ClusterName| refused(format!("`{cluster}` is no cluster of pair `{}` now", pair.name));
    let from = pair.side_of(&proof.from).ok_or_else(|| gone(&proof.from))?;
    let to = pair.side_of(&proof.to).ok_or_else(|| gone(&proof.to))?;
    let topic = &cited.source.topic;
    if !Scope::of(pair).application_topic(from, topic) {
        return Err(refused(format!("`{topic}` is no topic of pair `{}` now", pair.name)));
    }
    let on_side = |place: Place| match place.side {
        ProofSide::Source => (from, proof.from.clone(), place),
        ProofSide::Target => (to, proof.to.clone(), place),
    };
    Ok(cited.places().into_iter().map(on_side).collect())
}

/// What the audit keeps: where it was looked, never what was there.
fn told(proof: &Proof, places: &[(Side, ClusterName, Place)]) -> Value {
    let record = |(_, cluster, place): &(Side, ClusterName, Place)| {
        json!({
            "side": place.side,
            "cluster": cluster,
            "topic": place.partition.topic,
            "partition": place.partition.partition,
            "offset": place.offset,
        })
    };
    json!({
        "pair": proof.pair,
        "proof": proof.number,
        "records": places.iter().map(record).collect::<Vec<_>>(),
    })
}
