//! `sample()` of what Muster signs in with at Connect.

use muster_domain::{
    connect_credentials::KeptCredentials,
    pair::{Mechanism, Side},
    people::Role,
    problem::Problem,
};

use super::{
    ago,
    night::{actor, chrome_of},
    pairs,
};
use crate::{
    chrome::{Brake, Chrome},
    connect_form::{ConnectFormPage, ConnectSeen},
    danger::DangerPage,
    forms::ConnectForm,
};

fn owner(path: &str) -> Chrome {
    chrome_of(Some(actor(9, "marta.kowalczyk", &[Role::Owner])), path, Brake::Released)
}

fn kept(from: Side, address: &str, username: Option<&str>) -> KeptCredentials {
    KeptCredentials {
        from,
        address: address.to_owned(),
        username: username.map(str::to_owned),
        entered_at: ago(40 * 86_400),
    }
}

fn seen(from: Side, address: &str, username: Option<&str>) -> ConnectSeen {
    let pair = pairs::payments().pair;
    let flow = pair.flows.into_iter().find(|flow| flow.direction.from == from);
    let connect_url = match flow.map(|flow| flow.mechanism) {
        Some(Mechanism::Mm2OnConnect { connect_url, .. }) => connect_url,
        Some(Mechanism::Unattached) | None => String::new(),
    };
    let sent = connect_url == address;
    ConnectSeen { from, connect_url, kept: Some(kept(from, address, username)), sent }
}

const CENTRAL: &str = "http://connect.eu-central.internal:8083";

impl ConnectFormPage {
    /// A user of one flow, and a token for an address the other flow no longer has; a password was forgotten.
    #[must_use]
    pub fn sample() -> Self {
        let flows =
            [seen(Side::A, CENTRAL, Some("muster")), seen(Side::B, "https://connect.old.example", None)];
        let user = || "muster".to_owned();
        let form = ConnectForm { a_to_b_username: user(), b_to_a_username: user(), ..ConnectForm::default() };
        let problem = Problem::new(
            "invalid-request",
            "A user name needs its password: enter both.",
            "Correct the request and send it again.",
        );
        let pair = pairs::payments().pair;
        Self::new(owner("/pairs/payments/connect"), &pair, &flows, Some(&form), Some(&problem))
    }

    /// A pair that is attached to no Connect.
    #[must_use]
    pub fn sample_unattached() -> Self {
        Self::new(owner("/pairs/payments/connect"), &pairs::payments().pair, &[], None, None)
    }
}

impl DangerPage {
    /// The user of a flow.
    #[must_use]
    pub fn sample_connect() -> Self {
        let path = "/pairs/payments/connect/eu-west/remove";
        let kept = kept(Side::A, CENTRAL, Some("muster"));
        Self::remove_connect_sign_in(owner(path), &pairs::payments().pair, Side::A, Some(&kept))
    }
}
