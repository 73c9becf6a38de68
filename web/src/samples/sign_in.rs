//! `sample()` of the pages of who comes in or does not: signing in and out, the first account, showing again who one is, an error.

use muster_domain::problem::Problem;

use super::night::{chrome, chrome_of};
use crate::{
    chrome::Brake,
    error_page::ErrorPage,
    parts::Link,
    reauthenticate::{ReauthenticatePage, Ways},
    sign_in::{Provider, SetupPage, SignInPage, SignedOutPage},
};

impl ReauthenticatePage {
    /// On the way to a cluster's form.
    #[must_use]
    pub fn sample() -> Self {
        let ways = Ways { password: true, provider: None };
        Self::new(chrome("/reauthenticate"), "/clusters/new", ways, None)
    }

    /// Somebody who has a password and is known at the provider.
    #[must_use]
    pub fn sample_provider() -> Self {
        let provider = Some(keycloak("/reauthenticate/oidc?next=%2Fclusters%2Fnew", false));
        Self::new(chrome("/reauthenticate"), "/clusters/new", Ways { password: true, provider }, None)
    }
}

impl SignInPage {
    /// See [`crate::samples`].
    #[must_use]
    pub fn sample() -> Self {
        Self::new(chrome_of(None, "/sign-in", Brake::Released), "", "/", None, None)
    }

    /// With an identity provider, and passwords for everybody.
    #[must_use]
    pub fn sample_provider() -> Self {
        let provider = keycloak("/sign-in/oidc?next=%2Fruns", false);
        Self::new(chrome_of(None, "/sign-in", Brake::Released), "", "/runs", Some(provider), None)
    }

    /// Somebody whose groups give no role, where passwords are for admins only.
    #[must_use]
    pub fn sample_no_role() -> Self {
        let problem = Problem::new(
            "no-role-from-groups",
            "Keycloak knows you and named the groups `staff`, `payments`. That gives you no role in Muster, so there is \
             nothing you could see.",
            "Ask whoever runs Muster to map one of your groups (MUSTER_OIDC_ROLES). Then sign in again.",
        );
        let chrome = chrome_of(None, "/sign-in/oidc/callback", Brake::Released);
        Self::new(chrome, "", "/", Some(keycloak("/sign-in/oidc?next=%2F", true)), Some(&problem))
    }

    /// After a wrong password.
    #[must_use]
    pub fn sample_refused() -> Self {
        let problem = Problem::new(
            "sign-in-refused",
            "That name and password do not fit together.",
            "Try again; after 5 tries the name is locked for 15 minutes.",
        );
        Self::new(chrome_of(None, "/sign-in", Brake::Released), "adaeze.obi", "/runs", None, Some(&problem))
    }
}

fn keycloak(href: &str, only: bool) -> Provider {
    Provider { label: "Keycloak".to_owned(), href: href.to_owned(), only }
}

impl SignedOutPage {
    /// On the way to the provider.
    #[must_use]
    pub fn sample() -> Self {
        let chrome = chrome_of(None, "/sign-out", Brake::Released);
        Self::new(chrome, keycloak("https://login.example.com/logout?client_id=muster", false))
    }
}

impl SetupPage {
    /// With a password that is too short.
    #[must_use]
    pub fn sample() -> Self {
        let errors = [("password".to_owned(), "It has 8 characters; at least 12 are needed.".to_owned())];
        Self::new(chrome_of(None, "/setup", Brake::Released), "mira.holt", &errors, None)
    }
}

impl ErrorPage {
    /// A run that does not exist.
    #[must_use]
    pub fn sample() -> Self {
        let problem = Problem::new(
            "run-not-found",
            "There is no run 9999 that you may read.",
            "It may belong to a team you have no role in. Look through the runs you may read.",
        );
        Self::new(chrome("/runs/9999"), 404, problem, vec![Link::new("/runs", "Go to the runs")], "01JD0Y7Q")
    }
}
