//! Names of pairs. What is kept of a pair is kept under its name, whatever becomes of it: another pair under that name would have
//! its proof and its plans, and show its runs to another team.

use muster_domain::{ids::PairName, pair::Pair};
use muster_store::pairs;
use sqlx::PgConnection;

use crate::http::{Answer, Failure};

/// Keeps a new pair, under a name nothing is kept under. Its history is looked for once its row is there: until then the pair that
/// had the name may still be on its way out.
///
/// # Errors
/// `name-taken`, `name-given-before`, `cluster-in-use` when a cluster is not registered, `invalid-request`.
pub(in crate::acts) async fn keep_under_new_name(conn: &mut PgConnection, pair: &Pair) -> Answer<Pair> {
    let kept = pairs::insert(conn, pair).await?;
    if pairs::has_history(conn, &pair.name).await? { Err(given_before(&pair.name)) } else { Ok(kept) }
}

fn given_before(name: &PairName) -> Failure {
    Failure::new(
        "name-given-before",
        format!(
            "A pair `{name}` was removed. Its plans, runs, proofs and findings stay under that name, and would be taken for those of \
             the new pair. Nothing was made."
        ),
        "Choose another name.",
    )
}
