//! What is set up of the provider, checked: a process with a setting that cannot work does not start.

use anyhow::{Context as _, bail};
use muster_domain::provider_roles::RoleMap;
use openidconnect::{ClientId, ClientSecret, IssuerUrl, PostLogoutRedirectUrl, RedirectUrl, Scope};
use reqwest::Url;
use secrecy::ExposeSecret as _;

use super::fetch::is_safe;
use crate::process::config::OidcConfig;

/// See the module. Secrets print as `[redacted]`.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(super) issuer: IssuerUrl,
    pub(super) client_id: ClientId,
    pub(super) client_secret: Option<ClientSecret>,
    pub(super) scopes: Vec<Scope>,
    pub(super) groups_claim: String,
    pub(super) name_claim: String,
    pub(super) roles: RoleMap,
    pub(super) label: String,
    pub(super) only: bool,
    pub(super) allow_http: bool,
    pub(super) callback: RedirectUrl,
    pub(super) after_sign_out: PostLogoutRedirectUrl,
}

impl Settings {
    /// Checks what is set; none when there is no provider. `public_url` is the address people type.
    ///
    /// # Errors
    /// Which setting cannot work, and why.
    pub fn read(config: &OidcConfig, public_url: &str) -> anyhow::Result<Option<Self>> {
        let (Some(issuer), Some(client_id)) = (&config.oidc_issuer, &config.oidc_client_id) else {
            return Ok(None);
        };
        let url =
            Url::parse(issuer).with_context(|| format!("MUSTER_OIDC_ISSUER `{issuer}` is not an address"))?;
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            bail!("MUSTER_OIDC_ISSUER must be an issuer: an address without user, query and fragment");
        }
        if !is_safe(&url, config.oidc_allow_http) {
            bail!(
                "MUSTER_OIDC_ISSUER `{issuer}` is not https: whoever is on the way could sign in as anybody. Use https, or \
                 set MUSTER_OIDC_ALLOW_HTTP=true if you know that nobody is"
            );
        }
        if client_id.trim().is_empty() {
            bail!("MUSTER_OIDC_CLIENT_ID is empty; it is what Muster is called at the provider");
        }
        let roles = RoleMap::parse(&config.oidc_roles).context("MUSTER_OIDC_ROLES")?;
        let address = |path: &str| format!("{public_url}{path}");
        let fit = || format!("MUSTER_PUBLIC_URL `{public_url}` is not an address");
        Ok(Some(Self {
            label: match &config.oidc_name {
                Some(name) => name.clone(),
                None => url.host_str().unwrap_or("the identity provider").to_owned(),
            },
            issuer: IssuerUrl::new(issuer.clone()).context("MUSTER_OIDC_ISSUER")?,
            client_id: ClientId::new(client_id.trim().to_owned()),
            client_secret: client_secret(config)?,
            scopes: config.oidc_scopes.split_whitespace().map(|scope| Scope::new(scope.to_owned())).collect(),
            groups_claim: config.oidc_groups_claim.clone(),
            name_claim: config.oidc_name_claim.clone(),
            roles,
            only: config.oidc_only,
            allow_http: config.oidc_allow_http,
            callback: RedirectUrl::new(address("/sign-in/oidc/callback")).with_context(fit)?,
            after_sign_out: PostLogoutRedirectUrl::new(address("/sign-in")).with_context(fit)?,
        }))
    }
}

fn client_secret(config: &OidcConfig) -> anyhow::Result<Option<ClientSecret>> {
    let secret = match (&config.oidc_client_secret, &config.oidc_client_secret_file) {
        (Some(secret), _) => secret.expose_secret().to_owned(),
        (None, Some(file)) => std::fs::read_to_string(file)
            .with_context(|| format!("could not read MUSTER_OIDC_CLIENT_SECRET_FILE {}", file.display()))?,
        (None, None) => return Ok(None),
    };
    match secret.trim() {
        "" => bail!(
            "the client secret of MUSTER_OIDC_CLIENT_SECRET or its file is empty; leave both out for a public client"
        ),
        secret => Ok(Some(ClientSecret::new(secret.to_owned()))),
    }
}
