//! Proofs: asked for and ended by people. Processes carry them out by themselves.

use muster_domain::{
    direction::{ActiveSide, active_side},
    ids::{ClusterName, PairName},
    pair::{Direction, Pair},
    people::Actor,
    proof::{Proof, ProofEvidence, ProofKind, content::ContentAsk},
    record::Person,
};
use muster_store::{
    proofs::{self, NewProof as Row},
    surveys,
};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    audit_trail::{self, Entry},
    pairs, plans,
};
use crate::http::{Answer, Failure};

/// A proof to carry out.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "translation"}))]
pub struct NewProof {
    /// What to prove.
    pub kind: ProofKind,
    /// Cluster whose groups are taken as they stand; the active side when left out.
    #[serde(default)]
    pub from: Option<ClusterName>,
    /// What a content proof is to compare; everything when left out.
    #[serde(default)]
    pub content: Option<ContentAsk>,
}

/// A proof without its result.
///
/// # Errors
/// `not-found`.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Answer<Proof> {
    proofs::get(conn, id).await?.ok_or_else(|| Failure::not_found("proof", &id.to_string()))
}

/// A proof with its result, once it has one.
///
/// # Errors
/// `not-found`.
pub async fn evidence(conn: &mut PgConnection, id: Uuid) -> Answer<ProofEvidence> {
    if let Some(evidence) = proofs::evidence(conn, id).await? {
        return Ok(evidence);
    }
    let proof = get(conn, id).await?;
    ProofEvidence::new(proof, None).map_err(|e| Failure::internal("write a proof as JSON", e))
}

/// Asks for a proof.
///
/// # Errors
/// `not-found`, `invalid-request`; `proof-under-way` while one of this kind is.
pub async fn ask(conn: &mut PgConnection, pair: &PairName, new: &NewProof, actor: &Actor) -> Answer<Proof> {
    let pair = pairs::held(conn, pair).await?;
    let content = match (new.kind, &new.content) {
        (ProofKind::Translation, None) => None,
        (ProofKind::Translation, Some(_)) => {
            return Err(Failure::invalid("`content` is for proofs of kind `content`."));
        }
        (ProofKind::Content, asked) => Some(asked.clone().unwrap_or_default()),
    };
    if let Some(asked) = &content {
        asked.check().map_err(|e| Failure::invalid(format!("{e}.")))?;
    }
    let direction = direction(conn, &pair, new.from.as_ref()).await?;
    let (from, to) = (pair.cluster(direction.from), pair.cluster(direction.to()));
    let asked_by = Person { id: actor.id, name: actor.name.clone() };
    let row = Row {
        pair: &pair.name,
        team: &pair.team,
        kind: new.kind,
        from,
        to,
        asked_by: &asked_by,
        content: content.as_ref(),
    };
    let id = proofs::insert(conn, &row).await?;
    let detail = json!({"pair": pair.name, "kind": new.kind, "from": from, "to": to, "content": content});
    audit_trail::record(conn, actor, Entry::done("proof.ask", &object(id), detail)).await?;
    get(conn, id).await
}

/// Ends a proof that is not wanted any more.
///
/// # Errors
/// `not-found`; `proof-ended` when there is nothing to end.
pub async fn cancel(conn: &mut PgConnection, id: Uuid, actor: &Actor) -> Answer<Proof> {
    let proof = get(conn, id).await?;
    if !proofs::cancel(conn, id, &format!("ended by {}", actor.name)).await? {
        return Err(Failure::new(
            "proof-ended",
            format!("Proof {} has ended: there is nothing to stop.", proof.number),
            "Look at its result.",
        ));
    }
    let detail = json!({"pair": proof.pair, "kind": proof.kind});
    audit_trail::record(conn, actor, Entry::done("proof.cancel", &object(id), detail)).await?;
    get(conn, id).await
}

/// From the cluster that is named, or from the side that is active.
///
/// # Errors
/// `invalid-request` when it is no cluster of the pair, or none is named and not one side alone is known to be active; `not-surveyed-yet`.
pub async fn direction(
    conn: &mut PgConnection,
    pair: &Pair,
    from: Option<&ClusterName>,
) -> Answer<Direction> {
    if let Some(from) = from {
        let side = pair.side_of(from).ok_or_else(|| {
            Failure::invalid(format!("`{from}` is no cluster of the pair `{}`.", pair.name))
        })?;
        return Ok(Direction { from: side });
    }
    let survey = surveys::latest(conn, &pair.name).await?.ok_or_else(|| plans::not_surveyed(pair))?;
    match active_side(pair, &survey) {
        ActiveSide::Active(direction) => Ok(direction),
        ActiveSide::Both { reason } => {
            Err(Failure::invalid(format!("Both sides are active: {reason}. Say from which cluster.")))
        }
        ActiveSide::NeitherKnown { reason } | ActiveSide::Contested { reason } => Err(Failure::invalid(
            format!("It cannot be told which side is active: {reason}. Say from which cluster."),
        )),
    }
}

pub(super) fn object(id: Uuid) -> String {
    format!("proof {id}")
}
