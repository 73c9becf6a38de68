//! Where both sides are active every check is answered for each direction. One answer is made of the two: no side is well because the
//! other is.

use super::CheckResult;

/// A direction, as people read it, and its checks.
type OfWay = (String, Vec<CheckResult>);

/// Both directions' checks, in one order: what is alike once, otherwise the worse with the direction it is of.
pub(super) fn together((there, of_there): OfWay, (back, of_back): OfWay) -> Vec<CheckResult> {
    let pairs = of_there.into_iter().zip(of_back);
    pairs.map(|(one, other)| worse((&there, one), (&back, other))).collect()
}

fn worse((there, one): (&str, CheckResult), (back, other): (&str, CheckResult)) -> CheckResult {
    if (one.status, &one.reason, &one.next_step) == (other.status, &other.reason, &other.next_step) {
        return one;
    }
    if one.status != other.status {
        let (course, worse) = if one.status > other.status { (there, one) } else { (back, other) };
        return CheckResult { reason: format!("{course}: {}", worse.reason), ..worse };
    }
    let reason = format!("{there}: {}; {back}: {}", one.reason, other.reason);
    let mut next_step = one.next_step;
    if next_step != other.next_step {
        next_step = [next_step, other.next_step].join(" ").trim().to_owned();
    }
    let evidence = serde_json::json!({ there: one.evidence, back: other.evidence });
    CheckResult { code: one.code, status: one.status, reason, evidence, next_step }
}
