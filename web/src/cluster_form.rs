//! Registering and editing a cluster, every way to connect included. Secrets go in and never come out.

use askama::Template;
use muster_domain::{
    cluster::{Cluster, Sasl},
    problem::Problem,
};

use crate::{
    chrome::Chrome,
    clusters::SecretsKept,
    forms::ClusterForm,
    parts::{Choice, Field, FieldSet, Notice},
    sign_in::notice,
};

impl From<&Cluster> for ClusterForm {
    fn from(cluster: &Cluster) -> Self {
        let security = &cluster.security;
        let mut form = Self {
            name: cluster.name.to_string(),
            bootstrap: cluster.bootstrap.join("\n"),
            region: cluster.region.clone(),
            protocol: security.protocol().to_owned(),
            probe_username: cluster.probe.as_ref().map(|probe| probe.username.clone()).unwrap_or_default(),
            expected_cluster_id: cluster.expected_cluster_id.clone().unwrap_or_default(),
            version: cluster.version,
            ..Self::default()
        };
        if let Some(tls) = &security.tls {
            form.ca_pem = tls.ca_pem.clone().unwrap_or_default();
            form.client_cert_pem = tls.client_cert_pem.clone().unwrap_or_default();
        }
        if let Some(sasl) = &security.sasl {
            form.mechanism = sasl.mechanism().to_owned();
            match sasl {
                Sasl::Plain { username }
                | Sasl::ScramSha256 { username }
                | Sasl::ScramSha512 { username } => {
                    form.username.clone_from(username);
                }
                Sasl::OauthBearer { client_id, token_url, scope, extensions } => {
                    form.username.clone_from(client_id);
                    form.token_url.clone_from(token_url);
                    form.scope = scope.clone().unwrap_or_default();
                    form.extensions =
                        extensions.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("\n");
                }
            }
        }
        form
    }
}

/// `GET /clusters/new` (posts to `/clusters`) and `GET /clusters/{name}/edit` (posts there); [`ClusterForm`].
#[derive(Debug, Template)]
#[template(path = "pages/form.html")]
pub struct ClusterFormPage {
    chrome: Chrome,
    heading: String,
    lead: String,
    problem: Option<Notice>,
    action: String,
    version: i64,
    sets: Vec<FieldSet>,
    button: String,
    back: String,
}

impl ClusterFormPage {
    /// The form as it was sent, or as the cluster is. `editing` names the cluster that is edited.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        editing: Option<&str>,
        form: &ClusterForm,
        kept: SecretsKept,
        errors: &[(String, String)],
        problem: Option<&Problem>,
    ) -> Self {
        let heading = editing.map_or_else(|| "Register a cluster".to_owned(), |name| format!("Edit {name}"));
        let mut sets = vec![];
        if editing.is_none() {
            let name = Field::text("name", "Name", &form.name)
                .help("Short, such as eu-west. It cannot be changed.")
                .required();
            sets.push(FieldSet::new("Name", vec![name.errors(errors)]));
        }
        sets.extend(fieldsets(form, kept, errors));
        let back = editing.map_or_else(|| "/clusters".to_owned(), |name| format!("/clusters/{name}"));
        Self {
            chrome: chrome.titled(heading.clone()).under("/clusters", "Clusters"),
            heading,
            lead: "Muster only reads until a run is approved, and never changes a cluster whose id it has not confirmed.".to_owned(),
            problem: problem.map(notice),
            action: editing.map_or_else(|| "/clusters".to_owned(), |name| format!("/clusters/{name}/edit")),
            version: form.version,
            sets,
            button: editing.map_or_else(|| "Register the cluster".to_owned(), |name| format!("Save settings of {name}")),
            back,
        }
    }
}

fn fieldsets(form: &ClusterForm, kept: SecretsKept, errors: &[(String, String)]) -> Vec<FieldSet> {
    let protocols =
        ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"].map(|word| Choice::new(word, word)).to_vec();
    let mechanisms =
        ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "OAUTHBEARER"].map(|w| Choice::new(w, w)).to_vec();
    let e = |field: Field| field.errors(errors);
    vec![
        FieldSet::new(
            "Where",
            vec![
                e(Field::area("bootstrap", "Bootstrap servers", &form.bootstrap, 2)
                    .help("host:port, one a line. This cluster's own addresses, never the name that moves at a failover.")
                    .required()),
                e(Field::text("region", "Region or site", &form.region)),
                e(Field::text("expected_cluster_id", "Expected cluster id", &form.expected_cluster_id)
                    .help("Leave empty at first: the first successful check fills it in.")),
            ],
        ),
        FieldSet::new(
            "How to connect",
            vec![
                e(Field::select("protocol", "Security protocol", protocols, &form.protocol)),
                e(Field::select("mechanism", "SASL mechanism", mechanisms, &form.mechanism).help("Used with SASL_PLAINTEXT and SASL_SSL.")),
                e(Field::text("username", "User name, or client id", &form.username)),
                e(Field::secret("password", "Password, or client secret", kept.password)),
            ],
        ),
        FieldSet::new(
            "TLS, for SSL and SASL_SSL",
            vec![
                e(Field::area("ca_pem", "Authorities, PEM", &form.ca_pem, 3).help("Empty uses the system's. Host names are always verified.")),
                e(Field::area("client_cert_pem", "Muster's certificate, PEM", &form.client_cert_pem, 3).help("Only for mTLS.")),
                e(Field::long_secret("client_key_pem", "Its key, PEM", kept.client_key)),
            ],
        ),
        FieldSet::new(
            "OAUTHBEARER, client credentials",
            vec![
                e(Field::line("token_url", "Token endpoint", "url", &form.token_url, "off")),
                e(Field::text("scope", "Scope", &form.scope)),
                e(Field::area("extensions", "SASL extensions", &form.extensions, 2).help("key=value, one a line.")),
            ],
        ),
        FieldSet::new(
            "Proof of a fence",
            vec![
                e(Field::text("probe_username", "Probe user", &form.probe_username).help(
                    "An ordinary principal that may write the topics in scope. Its refused write proves the fence; a super user's never would.",
                )),
                e(Field::secret("probe_password", "Its password", kept.probe_password)),
            ],
        ),
    ]
}
