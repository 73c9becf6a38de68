//! Addresses of a pair: whoever may read the pair reads them, and so do the audit and commands, for good. No secret goes into one.

use muster_domain::{address, pair::Pair};

use crate::http::{Answer, Failure};

/// Whether no address is new that has a user or a password in it. One the pair had before this was asked keeps nobody from other
/// edits; it is shown without them. The address itself is not repeated.
///
/// # Errors
/// `invalid-request`, with the field and the way without.
pub(super) fn hold_no_credentials(pair: &Pair, before: Option<&Pair>) -> Answer<()> {
    let was_there =
        |one: &(&str, &str)| before.is_some_and(|before| before.addresses().any(|old| old == *one));
    let refused = pair.addresses().find(|one| address::holds_credentials(one.1) && !was_there(one));
    let Some((field, _)) = refused else { return Ok(()) };
    let (what, instead) = match field {
        "connect_url" => (
            "the address of a Connect worker",
            "Give the address without them, and enter them under “Sign in at Connect” of the pair, where they are sealed (PUT \
             /api/v1/pairs/{pair}/connect/{cluster}, `muster pairs connect-enter`).",
        ),
        _ => (
            "the address of a webhook",
            "Give the address without them. A receiver knows Muster by the signature of its messages (`MUSTER_WEBHOOK_SECRET`).",
        ),
    };
    Err(Failure::new(
        "invalid-request",
        format!(
            "`{field}`, {what}, has a user or a password in it. Whoever reads the pair would read them, and the audit would keep \
             them for good. Nothing was changed."
        ),
        instead,
    ))
}
