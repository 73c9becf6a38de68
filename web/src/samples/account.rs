//! `sample()` of one's own account.

use muster_domain::{
    people::{Grant, Role, Scope},
    problem::Problem,
};
use uuid::Uuid;

use super::{
    ago,
    night::{actor, chrome, chrome_of, team},
};
use crate::{
    account::{Account, AccountPage, SessionSeen, TokenSeen},
    chrome::Brake,
    people_forms::TokenForm,
    token_page::{TokenFormPage, TokenMadePage},
};

pub(super) fn sessions() -> Vec<SessionSeen> {
    let session = |id: u128, begun: i64, used: i64, address: &str, user_agent: &str| SessionSeen {
        id: Uuid::from_u128(id).to_string(),
        begun_at: ago(begun),
        last_used_at: ago(used),
        address: address.to_owned(),
        user_agent: user_agent.to_owned(),
        this: id == 1,
    };
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";
    vec![
        session(1, 3600, 2, "10.20.0.14", firefox),
        session(2, 7200, 1900, "10.20.0.14", "muster/0.1.0"),
        session(3, 30_000, 6200, "", ""),
    ]
}

pub(super) fn tokens() -> Vec<TokenSeen> {
    let token = |id: u128, name: &str, scopes: &[Scope], ends: i64| TokenSeen {
        id: Uuid::from_u128(id).to_string(),
        name: name.to_owned(),
        scopes: scopes.to_vec(),
        expires_at: ago(ends),
        last_used_at: Some(ago(62)),
        revoked_at: None,
    };
    vec![
        token(1, "pipeline", &[Scope::Operator], -80 * 86_400),
        TokenSeen {
            last_used_at: None,
            ..token(2, "everything-for-a-name-of-sixty-three-characters-that-is-the-longest", &[], -86_400)
        },
        TokenSeen { revoked_at: Some(ago(400)), ..token(3, "calendar", &[Scope::Calendar], -86_400) },
    ]
}

impl AccountPage {
    /// Somebody with two sessions besides this one, by groups and by an admin, just after ending another.
    #[must_use]
    pub fn sample() -> Self {
        let grant = |role, name: Option<&str>| Grant { role, team: name.map(team) };
        let grants = [grant(Role::Operator, Some("payments-core")), grant(Role::Approver, None)];
        let (sessions, tokens) = (sessions(), tokens());
        let account = Account {
            display_name: "Adaeze Obi",
            grants: &grants,
            from_provider: &grants[1..],
            issuer: Some("https://login.example.com/realms/main"),
            has_password: true,
            sessions: &sessions,
            tokens: &tokens,
        };
        Self::new(chrome("/account"), &account, "session", None)
    }

    /// Somebody new, without roles, tokens or a password, by a token of whom nobody knows: nothing of anything. The names
    /// are the longest and the worst there are.
    #[must_use]
    pub fn sample_empty() -> Self {
        let longest = "n".repeat(63);
        let name = format!("<script>alert(1)</script> {}", "Wolfeschlegelsteinhausenbergerdorff ".repeat(5));
        let account = Account {
            display_name: &name,
            grants: &[],
            from_provider: &[],
            issuer: None,
            has_password: false,
            sessions: &[],
            tokens: &[],
        };
        let chrome = chrome_of(Some(actor(11, &longest, &[])), "/account", Brake::Released);
        Self::new(chrome, &account, "", None)
    }

    /// A present password that was wrong.
    #[must_use]
    pub fn sample_refused() -> Self {
        let sessions = sessions();
        let account = Account {
            display_name: "adaeze.obi",
            grants: &[],
            from_provider: &[],
            issuer: None,
            has_password: true,
            sessions: &sessions[..1],
            tokens: &[],
        };
        let problem = Problem::new(
            "sign-in-refused",
            "Name and password do not fit, or this person may not sign in.",
            "Try again. An admin can set a new password.",
        );
        Self::new(chrome("/account"), &account, "", Some(&problem))
    }
}

impl TokenFormPage {
    /// A name that is taken.
    #[must_use]
    pub fn sample() -> Self {
        let problem = Problem::new(
            "name-taken",
            "There is a token of this name already.",
            "Choose another name, or change the one there is.",
        );
        let form = TokenForm { name: "pipeline".to_owned(), ..TokenForm::default() };
        Self::new(chrome("/account/tokens/new"), &form, Some(&problem))
    }
}

impl TokenMadePage {
    /// Just made.
    #[must_use]
    pub fn sample() -> Self {
        let token = "muster_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
        let url = "https://muster.example.com";
        Self::new(chrome("/account/tokens"), "pipeline", &[Scope::Operator], token, ago(-90 * 86_400), url)
    }
}
