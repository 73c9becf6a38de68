//! The provider: its description, read when it is needed and kept for a minute, and the requests to it.
//!
//! Muster starts without it. A key it does not know makes it read the description again, so that a provider may change
//! its keys at any time.

mod tokens;

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use muster_domain::provider_roles::{RoleMap, groups_of};
use openidconnect::{
    AuthenticationFlow, CsrfToken, LogoutRequest, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    ProviderMetadataWithLogout,
    core::{CoreAuthPrompt, CoreResponseType},
};
use reqwest::{Client as Http, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{
    Purpose, Settings,
    attempt::Attempt,
    fetch::{self, FetchError, is_safe},
};
use crate::http::{Answer, Failure, failure::chain};
use tokens::Client;

/// How long a description is used before it is read again. Short, since reading it also tells whether the provider is
/// there: a browser is not sent to one that is away.
const KEPT: Duration = Duration::from_secs(60);
/// Longest a person who signs out waits for the provider's description.
const SIGN_OUT_WITHIN: Duration = Duration::from_secs(3);

/// See the module.
pub struct Provider {
    settings: Settings,
    http: Http,
    known: RwLock<Option<Arc<Known>>>,
}

/// What the provider says of itself (OpenID Connect Discovery 1.0), with its keys.
struct Known {
    metadata: ProviderMetadataWithLogout,
    read_at: Instant,
}

/// The way to the provider, and what has to come back.
pub(super) struct WayThere {
    pub(super) to: Url,
    pub(super) state: CsrfToken,
    pub(super) nonce: Nonce,
    pub(super) verifier: PkceCodeVerifier,
}

/// Somebody, proven by a verified ID token.
pub struct Proven {
    /// What the provider calls them for ever.
    pub subject: String,
    /// What it calls them now, as it says it; empty when it does not.
    pub preferred_name: String,
    /// Name for people; empty when it says none.
    pub display_name: String,
    /// Their groups there; none when the claim was not sent at all.
    pub groups: Option<Vec<String>>,
    /// When they last proved to the provider who they are, if it says.
    pub authenticated_at: Option<DateTime<Utc>>,
    /// The ID token, to sign out there.
    pub id_token: SecretString,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Provider({})", self.issuer())
    }
}

impl Provider {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(settings: Settings) -> anyhow::Result<Self> {
        let http = fetch::client(settings.issuer.url())?;
        Ok(Self { settings, http, known: RwLock::default() })
    }

    /// What people call it.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.settings.label
    }

    /// What it calls itself.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.settings.issuer.as_str()
    }

    /// Whether passwords are taken of admins only.
    #[must_use]
    pub fn only(&self) -> bool {
        self.settings.only
    }

    /// Which roles its groups give.
    #[must_use]
    pub fn roles(&self) -> &RoleMap {
        &self.settings.roles
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) async fn way_there(&self, purpose: Purpose) -> Answer<WayThere> {
        let client = self.client(&*self.known().await?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let mut asked = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(self.settings.scopes.iter().cloned())
            .set_pkce_challenge(challenge);
        if matches!(purpose, Purpose::StepUp { .. }) {
            // Either alone is enough by the standard; providers differ in which they follow.
            asked = asked.set_max_age(Duration::ZERO).add_prompt(CoreAuthPrompt::Login);
        }
        let (to, state, nonce) = asked.url();
        Ok(WayThere { to, state, nonce, verifier })
    }

    /// Exchanges a code for an ID token and verifies that.
    pub(super) async fn redeem(&self, attempt: &Attempt, code: &str, issuer: &str) -> Answer<Proven> {
        if !issuer.is_empty() && issuer != self.issuer() {
            return Err(self.untrusted("the answer is from another issuer", &issuer));
        }
        let mut client = self.client(&*self.known().await?);
        let tokens = self.exchange(&client, attempt, code).await?;
        let mut verified = tokens::verify(&client, &tokens, attempt.nonce());
        if matches!(verified, Err(tokens::Untrusted::Signature(_))) {
            // It may have been signed with a key that is newer than what is known of the provider.
            client = self.client(&*self.read_again().await?);
            verified = tokens::verify(&client, &tokens, attempt.nonce());
        }
        let verified = verified.map_err(|why| self.untrusted(why.words(), &why))?;
        let mut claims = verified.claims;
        if claims.get(&self.settings.groups_claim).is_none() {
            self.add_userinfo(&client, &tokens, &verified.subject, &mut claims).await?;
        }
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Proven {
            preferred_name: text(&self.settings.name_claim),
            display_name: text("name"),
            groups: claims.get(&self.settings.groups_claim).map(|groups| groups_of(Some(groups))),
            authenticated_at: verified.authenticated_at,
            id_token: verified.id_token,
            subject: verified.subject,
        })
    }

    async fn exchange(&self, client: &Client, attempt: &Attempt, code: &str) -> Answer<tokens::Tokens> {
        use openidconnect::{RequestTokenError as Failed, core::CoreErrorResponseType};
        let verifier = PkceCodeVerifier::new(attempt.verifier().to_owned());
        let answer = tokens::exchange(client, code, verifier, &|request| self.fetch(request)).await?;
        answer.map_err(|failed| match failed {
            Failed::ServerResponse(said) => {
                let word: &CoreErrorResponseType = said.error();
                let description = said.error_description().map_or("", String::as_str);
                self.refused(word.as_ref(), description)
            }
            Failed::Request(cause) => self.unreachable(&cause),
            // The body may hold tokens, so only what is wrong with it is told.
            Failed::Parse(cause, _) => self.unreachable(&cause),
            Failed::Other(cause) => self.unreachable(&FetchError::Other(cause)),
        })
    }

    /// Adds the claims of the userinfo endpoint, where there is one: some providers keep groups out of ID tokens.
    async fn add_userinfo(
        &self,
        client: &Client,
        tokens: &tokens::Tokens,
        subject: &str,
        claims: &mut serde_json::Map<String, Value>,
    ) -> Answer<()> {
        let asked = tokens::userinfo(client, tokens, subject, &|request| self.fetch(request)).await;
        let more = asked.map_err(|cause| self.unreachable(&cause))?;
        for (claim, value) in more {
            claims.entry(claim).or_insert(value);
        }
        Ok(())
    }

    pub(super) async fn way_out(&self, token: &SecretString) -> Option<Url> {
        let known = tokio::time::timeout(SIGN_OUT_WITHIN, self.known()).await.ok()?.ok()?;
        let place = known.metadata.additional_metadata().end_session_endpoint.clone()?;
        if !is_safe(place.url(), self.settings.allow_http) {
            return None;
        }
        let mut asked = LogoutRequest::from(place)
            .set_client_id(self.settings.client_id.clone())
            .set_post_logout_redirect_uri(self.settings.after_sign_out.clone());
        if let Some(hint) = tokens::hint(token.expose_secret()) {
            asked = asked.set_id_token_hint(&hint);
        }
        Some(asked.http_get_url())
    }

    /// Reads its description now and says what is in it.
    ///
    /// # Errors
    /// Why that cannot be read.
    pub async fn describe(&self) -> Result<String, String> {
        let known = self.read().await.map_err(|cause| chain(&*cause))?;
        let metadata = &known.metadata;
        let end = match &metadata.additional_metadata().end_session_endpoint {
            Some(_) => "signing out there is offered",
            None => "signing out there is not offered",
        };
        let keys = metadata.jwks().keys().len();
        Ok(format!("{} answers, {keys} keys, {end}", self.issuer()))
    }

    fn client(&self, known: &Known) -> Client {
        tokens::client(&known.metadata, &self.settings)
    }

    /// What is known of the provider, read when it is not known or old.
    async fn known(&self) -> Answer<Arc<Known>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(known) if known.read_at.elapsed() < KEPT => Ok(known),
            Some(_) | None => self.read_again().await,
        }
    }

    async fn read_again(&self) -> Answer<Arc<Known>> {
        self.read().await.map_err(|cause| self.unreachable(&*cause))
    }

    async fn read(&self) -> Result<Arc<Known>, Box<dyn std::error::Error + Send + Sync>> {
        let call = |request| self.fetch(request);
        let issuer = self.settings.issuer.clone();
        let metadata = ProviderMetadataWithLogout::discover_async(issuer, &call).await?;
        let known = Arc::new(Known { metadata, read_at: Instant::now() });
        if !is_safe(known.metadata.authorization_endpoint().url(), self.settings.allow_http) {
            return Err(FetchError::NotSafe.into());
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&known));
        Ok(known)
    }

    fn fetch(
        &self,
        request: openidconnect::HttpRequest,
    ) -> impl Future<Output = Result<openidconnect::HttpResponse, FetchError>> + use<> {
        fetch::fetch(self.http.clone(), self.settings.allow_http, request)
    }

    fn unreachable(&self, cause: &dyn std::error::Error) -> Failure {
        let (label, issuer) = (self.label(), self.issuer());
        tracing::warn!(issuer, cause = %chain(cause), "the identity provider does not answer as it should");
        Failure::new(
            "provider-unreachable",
            format!("{label} does not answer as it should, so nobody can sign in there now."),
            "Try again in a moment. Whoever has a password of Muster can use it. `muster doctor` says what is wrong.",
        )
    }

    /// The provider said no.
    pub(super) fn refused(&self, word: &str, description: &str) -> Failure {
        let plain = |text: &str| -> String { text.chars().filter(|c| !c.is_control()).take(200).collect() };
        let label = self.label();
        let said = match plain(description) {
            empty if empty.is_empty() => plain(word),
            description => format!("{}: {description}", plain(word)),
        };
        Failure::new(
            "provider-refused",
            format!("{label} did not let you in. It says: {said}."),
            format!(
                "Try again. If it stays, ask whoever runs {label}; that Muster is set up there is theirs to check."
            ),
        )
    }

    fn untrusted(&self, words: &str, cause: &dyn std::fmt::Display) -> Failure {
        let (label, issuer) = (self.label(), self.issuer());
        tracing::warn!(issuer, cause = %cause, "refused what the identity provider sent");
        Failure::new(
            "id-token-refused",
            format!("What {label} sent was refused: {words}. Nobody was signed in."),
            "Try again. If it stays, tell an admin; Muster's log has the details.",
        )
    }
}
