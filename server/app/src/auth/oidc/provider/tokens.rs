//! The exchange of a code for tokens, and the verification of what comes back (OpenID Connect Core 1.0, 3.1.3).

use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AuthType, AuthorizationCode, ClaimsVerificationError,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdToken, IdTokenFields, Nonce,
    OAuth2TokenResponse as _, PkceCodeVerifier, ProviderMetadataWithLogout, RequestTokenError,
    StandardErrorResponse, StandardTokenResponse, SubjectIdentifier, TokenResponse as _, UserInfoClaims,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
        CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken,
        CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use openidconnect::{HttpRequest, HttpResponse};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    auth::oidc::{Settings, attempt::CLOCKS_DIFFER, fetch::FetchError},
    http::{Answer, Failure},
};

/// Claims beyond the standard ones: groups are no standard.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Further {
    #[serde(flatten)]
    claims: Map<String, Value>,
}
impl AdditionalClaims for Further {}

type Token = IdToken<Further, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

pub(super) type Tokens = StandardTokenResponse<
    IdTokenFields<
        Further,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

pub(super) type Client = openidconnect::Client<
    Further,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Signatures that are taken: those only the provider can make. Neither `none` nor those by a shared secret.
const SIGNATURES: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

pub(super) fn client(metadata: &ProviderMetadataWithLogout, settings: &Settings) -> Client {
    let (id, secret) = (settings.client_id.clone(), settings.client_secret.clone());
    let methods = metadata.token_endpoint_auth_methods_supported();
    let basic = methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
    let client = Client::from_provider_metadata(metadata.clone(), id, secret)
        .set_redirect_uri(settings.callback.clone());
    client.set_auth_type(if basic { AuthType::BasicAuth } else { AuthType::RequestBody })
}

/// What the token endpoint answers to a code. The outer error is for a provider that has no such endpoint.
pub(super) async fn exchange<F>(
    client: &Client,
    code: &str,
    verifier: PkceCodeVerifier,
    call: &(impl Fn(HttpRequest) -> F + Sync),
) -> Answer<Result<Tokens, RequestTokenError<FetchError, StandardErrorResponse<CoreErrorResponseType>>>>
where
    F: Future<Output = Result<HttpResponse, FetchError>> + Send + 'static,
{
    let asked = client
        .exchange_code(AuthorizationCode::new(code.to_owned()))
        .map_err(|e| Failure::internal("ask a provider without a token endpoint", e))?;
    Ok(asked.set_pkce_verifier(verifier).request_async(call).await)
}

/// Longest ID token sent back in an address, in bytes; servers take 8 kB of it.
const LONGEST_HINT: usize = 6000;

/// A verified ID token.
pub(super) struct Verified {
    pub(super) subject: String,
    pub(super) claims: Map<String, Value>,
    pub(super) authenticated_at: Option<DateTime<Utc>>,
    pub(super) id_token: SecretString,
}

/// Why tokens are not believed. What they hold is not in here.
#[derive(Debug, thiserror::Error)]
pub(super) enum Untrusted {
    #[error("there is no ID token in the answer")]
    Missing,
    #[error("{0:?}")]
    Signature(openidconnect::SignatureVerificationError),
    #[error("{0}")]
    Claims(ClaimsVerificationError),
    #[error("azp names another client")]
    Party,
    #[error("at_hash is not the access token's")]
    AccessToken,
    #[error("the claims cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl From<ClaimsVerificationError> for Untrusted {
    fn from(error: ClaimsVerificationError) -> Self {
        if let ClaimsVerificationError::SignatureVerification(cause) = error {
            Self::Signature(cause)
        } else {
            Self::Claims(error)
        }
    }
}

impl Untrusted {
    /// For people.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what the library adds needs no words of its own")]
    pub(super) fn words(&self) -> &'static str {
        match self {
            Self::Missing => "there was no ID token in it",
            Self::Signature(_) => "the signature of the ID token does not hold",
            Self::Party => "the ID token was made for another client",
            Self::AccessToken => "ID token and access token do not belong together",
            Self::Unreadable(_) => "the ID token cannot be read",
            Self::Claims(error) => match error {
                ClaimsVerificationError::Expired(_) => {
                    "the ID token has run out, or the clocks of the two differ"
                }
                ClaimsVerificationError::InvalidAudience(_) => "the ID token was made for another client",
                ClaimsVerificationError::InvalidIssuer(_) => "the ID token is from another issuer",
                ClaimsVerificationError::InvalidNonce(_) => "the ID token belongs to another sign-in",
                _ => "the ID token is not as it should be",
            },
        }
    }
}

/// How far the provider's clock may be ahead. More than it may be behind: a token of a moment from now is no old one.
const AHEAD_AT_MOST: TimeDelta = TimeDelta::minutes(5);

/// A token of a time that is to come is of no clock that can be believed.
fn not_to_come(at: DateTime<Utc>) -> Result<(), String> {
    if at <= Utc::now() + AHEAD_AT_MOST { Ok(()) } else { Err(format!("it is of {at}, which is to come")) }
}

/// Verifies the ID token: signature, issuer, audience, expiry, nonce, and what the library leaves to its callers: that it is
/// not of a time to come, that `azp` is us and that the access token belongs to it.
pub(super) fn verify(client: &Client, tokens: &Tokens, nonce: &str) -> Result<Verified, Untrusted> {
    let token = tokens.id_token().ok_or(Untrusted::Missing)?;
    let verifier = client
        .id_token_verifier()
        .set_allowed_algs(SIGNATURES)
        .set_time_fn(|| Utc::now() - CLOCKS_DIFFER)
        .set_issue_time_verifier_fn(not_to_come);
    let claims = token.claims(&verifier, &Nonce::new(nonce.to_owned()))?;
    let not_before = claims.additional_claims().claims.get("nbf").and_then(Value::as_i64);
    if let Some(at) = not_before.and_then(|seconds| DateTime::from_timestamp(seconds, 0)) {
        not_to_come(at).map_err(ClaimsVerificationError::Expired)?;
    }
    if claims.authorized_party().is_some_and(|party| party != client.client_id()) {
        return Err(Untrusted::Party);
    }
    if let Some(expected) = claims.access_token_hash() {
        let alg = token.signing_alg().map_err(Untrusted::Signature)?;
        let key = token.signing_key(&verifier).map_err(Untrusted::Signature)?;
        let hash = AccessTokenHash::from_token(tokens.access_token(), alg, key);
        if hash.ok().as_ref() != Some(expected) {
            return Err(Untrusted::AccessToken);
        }
    }
    Ok(Verified {
        subject: claims.subject().as_str().to_owned(),
        authenticated_at: claims.auth_time(),
        claims: as_map(serde_json::to_value(claims)?),
        id_token: SecretString::from(token.to_string()),
    })
}

/// The claims of the userinfo endpoint about the same subject; none where there is no such endpoint.
pub(super) async fn userinfo<F>(
    client: &Client,
    tokens: &Tokens,
    subject: &str,
    call: &(impl Fn(HttpRequest) -> F + Sync),
) -> Result<Map<String, Value>, openidconnect::UserInfoError<FetchError>>
where
    F: Future<Output = Result<HttpResponse, FetchError>> + Send + 'static,
{
    let subject = SubjectIdentifier::new(subject.to_owned());
    let Ok(asked) = client.user_info(tokens.access_token().clone(), Some(subject)) else {
        return Ok(Map::new());
    };
    let said: UserInfoClaims<Further, CoreGenderClaim> = asked.request_async(call).await?;
    Ok(serde_json::to_value(said).map(as_map).unwrap_or_default())
}

/// A stored ID token, as the hint it is sent back as. None when it is too long for an address: without it the provider
/// asks the person.
pub(super) fn hint(id_token: &str) -> Option<Token> {
    if id_token.len() > LONGEST_HINT { None } else { id_token.parse().ok() }
}

fn as_map(claims: Value) -> Map<String, Value> {
    match claims {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
