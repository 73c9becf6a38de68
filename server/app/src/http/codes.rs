//! Every problem code the API answers with, its status and what it means. docs/API.md has an anchor for each; a test
//! reads the sources and fails when a code is missing here or there.

use axum::http::StatusCode;
use muster_domain::problem::Problem;

/// A documented code.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// The code.
    pub code: &'static str,
    /// Status it is answered with.
    pub status: u16,
}

const fn code(code: &'static str, status: u16) -> Code {
    Code { code, status }
}

/// All codes, by name. A refusal by the state of things is 409, by who somebody is 403.
pub const CODES: &[Code] = &[
    code("act-does-not-fit-state", 409),
    code("alarm-ended", 409),
    code("alarm-stands", 409),
    code("already-decided", 409),
    code("attempt-over", 409),
    code("blocker-stays", 409),
    code("brake-is-on", 409),
    code("canary-not-written", 409),
    code("clients-unavailable", 503),
    code("cluster-in-use", 409),
    code("cluster-unreachable", 502),
    code("cross-site", 403),
    code("database-unavailable", 503),
    code("drill-not-proven", 409),
    code("edited-in-between", 412),
    code("forbidden", 403),
    code("idempotency-key-reused", 422),
    code("id-token-refused", 401),
    code("import-has-bad-lines", 422),
    code("internal", 500),
    code("invalid-request", 422),
    code("last-admin", 409),
    code("locked-out", 429),
    code("method-not-allowed", 405),
    code("name-given-before", 409),
    code("name-taken", 409),
    code("no-password", 409),
    code("no-role-from-groups", 403),
    code("not-awaiting-approval", 409),
    code("not-found", 404),
    code("not-proven-again", 403),
    code("not-surveyed-yet", 409),
    code("nothing-to-confirm", 409),
    code("operation-not-available", 409),
    code("nothing-to-review", 409),
    code("override-missing", 422),
    code("own-request", 403),
    code("own-run", 403),
    code("pair-has-active-run", 409),
    code("pair-in-use", 409),
    code("pairs-overlap", 409),
    code("past-point-of-no-return", 409),
    code("payload-not-allowed", 409),
    code("plan-changed", 409),
    code("plan-outdated", 409),
    code("provider-refused", 401),
    code("proof-ended", 409),
    code("proof-under-way", 409),
    code("provider-unreachable", 502),
    code("reason-missing", 422),
    code("reauthentication-needed", 403),
    code("record-not-cited", 404),
    code("record-not-readable", 409),
    code("request-too-large", 413),
    code("request-too-slow", 408),
    code("role-missing", 403),
    code("secrets-sealed", 503),
    code("setup-already-done", 409),
    code("setup-code-wrong", 403),
    code("sign-in-refused", 401),
    code("sign-in-required", 401),
    code("step-cannot-be-skipped", 409),
    code("step-did-not-fail", 409),
    code("team-in-use", 409),
    code("timeout", 504),
    code("too-few-approvers", 409),
    code("too-many-requests", 429),
    code("unreadable-request", 400),
    code("unsupported-media-type", 415),
    code("wrong-cluster", 409),
];

/// Status of a code. Codes of rules that are not listed are refusals by the state of things.
#[must_use]
pub fn status(code: &str) -> StatusCode {
    CODES
        .iter()
        .find(|c| c.code == code)
        .and_then(|c| StatusCode::from_u16(c.status).ok())
        .unwrap_or(StatusCode::CONFLICT)
}

/// What a code means, as docs/API.md says it, without its status.
#[must_use]
pub fn meaning(code: &str) -> String {
    const DOCUMENTED: &str = include_str!("../../../../docs/API.md");
    let heading = format!("### {code}\n");
    let Some((_, text)) = DOCUMENTED.split_once(&heading) else { return String::new() };
    let text = text.trim_start().lines().next().unwrap_or_default();
    text.split_once(". ").map_or(text, |(_, meaning)| meaning).replace('`', "")
}

/// `pair-has-active-run` → `Pair has active run`.
#[must_use]
pub fn title(code: &str) -> String {
    let words = code.replace('-', " ");
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
    }
}

/// What to do where another cluster answers than the one that is known, on pages and by programs.
pub const ANOTHER_CLUSTER: &str = "Correct the addresses. If the cluster was rebuilt, let Muster forget the old id first: on its page, by \
     Edit, empty “Expected cluster id”; by the API or `muster clusters edit`, send `forget_cluster_id`: true. Then check it again.";

/// What a broken rule of the database means to a person, by the rule's name.
#[must_use]
pub fn conflict(constraint: &str) -> Option<Problem> {
    Some(match constraint {
        "run_one_at_a_time_per_pair" => Problem::new(
            "pair-has-active-run",
            "Another run holds this pair; only one can be under way.",
            "Open the pair and follow the run that holds it.",
        ),
        "run_reason_given" => Problem::new(
            "invalid-request",
            "A run needs a reason.",
            "Say why, in words the approver and the auditor can follow.",
        ),
        "proof_one_at_a_time" => Problem::new(
            "proof-under-way",
            "A proof of this kind is under way for this pair.",
            "Wait for its result, or stop it.",
        ),
        "cluster_pkey" => taken("cluster"),
        "pair_pkey" => taken("pair"),
        "user_name_unique" => taken("person"),
        "token_name_unique" => taken("token"),
        "channel_name_unique" => taken("channel"),
        "cluster_id_unique" => Problem::new(
            "wrong-cluster",
            "The Kafka cluster that answers there is registered under another name already.",
            "Use that one, or correct the addresses. One Kafka cluster under two names would be a pair with itself.",
        ),
        "cluster_id_set_once" => Problem::new(
            "wrong-cluster",
            "Another cluster than the one Muster knows under this name answers there. Nothing was changed.",
            ANOTHER_CLUSTER,
        ),
        "pair_cluster_a_exists" | "pair_cluster_b_exists" => Problem::new(
            "cluster-in-use",
            "A pair names a cluster that is not registered, or the cluster is still part of a pair.",
            "Register the cluster first; to forget one, delete or change the pairs that use it.",
        ),
        "pair_has_two_clusters" => invalid("A pair needs two different clusters."),
        "pair_team_exists" | "grant_team_exists" | "channel_team_exists" => {
            invalid("There is no team of that name.")
        }
        "grant_admin_has_no_team" => invalid("The role admin holds everywhere; leave the team out."),
        "user_name_usable"
        | "token_name_usable"
        | "cluster_name_usable"
        | "pair_name_usable"
        | "team_name_usable" => invalid(
            "Names are 1 to 63 characters of `a-z`, `0-9`, `-`, `_` and `.`, and start with a letter or digit.",
        ),
        "identity_pkey" => Problem::new(
            "name-taken",
            "Somebody else here is that person at the identity provider already.",
            "Take it from them first: PATCH them with an empty `provider_subject`.",
        ),
        "user_is_not_muster" => invalid("`muster` is Muster itself; choose another name."),
        _ => return None,
    })
}

fn taken(kind: &str) -> Problem {
    Problem::new(
        "name-taken",
        format!("There is a {kind} of this name already."),
        "Choose another name, or change the one there is.",
    )
}

fn invalid(detail: &str) -> Problem {
    Problem::new("invalid-request", detail, "Correct the request and send it again.")
}
