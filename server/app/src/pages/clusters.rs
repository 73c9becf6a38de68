//! `/clusters`: the list, one cluster, its form, its check.

use axum::extract::State;
use muster_domain::{
    cluster::{Cluster, ProbePrincipal, Sasl, Security, Tls},
    ids::ClusterName,
    pair::Pair,
    people::Actor,
    problem::Problem,
};
use muster_store::{clusters as stored, pairs, secrets, surveys};
use muster_web::{
    cluster_form::ClusterFormPage,
    clusters::{ClusterLook, ClusterPage, ClustersPage, PairsOf, SecretsKept},
    forms::ClusterForm,
};
use serde::Deserialize;
use sqlx::PgConnection;

use super::{PAGE, asking::Asking, cut, ends, html, is_about_the_form, refused_form, see};
use crate::{
    acts::{
        checks,
        clusters::{self, ClusterEdit, NewCluster, SecretsInput},
    },
    api::{clusters::CLUSTER, cursor},
    app::App,
    http::{Answer, Failure, Form, Path, Query},
};

/// Which page of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Shown {
    /// Cursor of the page before.
    after: String,
}

/// `GET /clusters`.
pub async fn list(State(app): State<App>, asking: Asking, Query(shown): Query<Shown>) -> Answer {
    let chrome = asking.chrome(&app).await;
    let after = cursor::read_name(CLUSTER, Some(&shown.after)).unwrap_or_default();
    let actor = asking.actor()?;
    let mut conn = app.pool.acquire().await?;
    let pairs = pairs::list(&mut conn, None, None).await?;
    let looks = surveys::looks(&mut conn, None).await?;
    let row = |cluster: Cluster| {
        let look = looks.iter().find(|look| look.cluster == cluster.name).cloned().map(look_of);
        let with = pairs.iter().filter(|pair| [&pair.clusters.a, &pair.clusters.b].contains(&&cluster.name));
        let pairs = pairs_of(with, actor);
        (cluster, look, pairs)
    };
    let mut found = stored::page(&mut conn, after, PAGE + 1).await?;
    let next = cut(&mut found, |cluster| cursor::write(CLUSTER, &[&cluster.name]));
    let rows: Vec<_> = found.into_iter().map(row).collect();
    html(&ClustersPage::new(chrome, &rows).part(ends("clusters", "/clusters", after.is_some(), next)))
}

/// `GET /clusters/{cluster}`.
pub async fn show(State(app): State<App>, asking: Asking, Path(name): Path<ClusterName>) -> Answer {
    page(&app, &asking, &name, None).await
}

/// `POST /clusters/{cluster}/check`.
pub async fn check(State(app): State<App>, asking: Asking, Path(name): Path<ClusterName>) -> Answer {
    let checked = checks::check(&app, &name, asking.actor()?).await;
    match checked {
        Ok(_) => page(&app, &asking, &name, Some(Ok(()))).await,
        Err(failure) if failure.problem.code == "not-found" => Err(failure),
        Err(failure) => {
            let mut response = page(&app, &asking, &name, Some(Err(&failure.problem))).await?;
            *response.status_mut() = failure.status;
            response.extensions_mut().insert(failure);
            response.extensions_mut().insert(super::Shown);
            Ok(response)
        }
    }
}

async fn page(app: &App, asking: &Asking, name: &ClusterName, check: Option<Result<(), &Problem>>) -> Answer {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let cluster = clusters::get(&mut conn, name).await?;
    let kept = kept(&mut conn, name).await?;
    let look = look(&mut conn, name).await?;
    let pairs = pairs::list(&mut conn, None, Some(name)).await?;
    let pairs = pairs_of(pairs.iter(), asking.actor()?);
    html(&ClusterPage::new(chrome, &cluster, kept, look.as_ref(), &pairs, check))
}

/// `GET /clusters/new`.
pub async fn new(State(app): State<App>, asking: Asking) -> Answer {
    let chrome = asking.chrome(&app).await;
    html(&ClusterFormPage::new(chrome, None, &ClusterForm::default(), SecretsKept::default(), &[], None))
}

/// `POST /clusters`.
pub async fn create(State(app): State<App>, asking: Asking, Form(form): Form<ClusterForm>) -> Answer {
    match try_create(&app, &asking, &form).await {
        Ok(name) => Ok(see(&format!("/clusters/{name}"))),
        Err(failure) if is_about_the_form(&failure) => {
            let (chrome, kept) = (asking.chrome(&app).await, SecretsKept::default());
            refused_form(
                &failure,
                &ClusterFormPage::new(chrome, None, &form, kept, &[], Some(&failure.problem)),
            )
        }
        Err(failure) => Err(failure),
    }
}

async fn try_create(app: &App, asking: &Asking, form: &ClusterForm) -> Answer<ClusterName> {
    let new = NewCluster {
        name: ClusterName::new(form.name.trim()).map_err(|e| Failure::invalid(e.to_string()))?,
        bootstrap: addresses(&form.bootstrap),
        security: security(form)?,
        probe: probe(form),
        region: form.region.trim().to_owned(),
        secrets: given(form),
    };
    let mut tx = muster_store::begin(&app.pool).await?;
    let made = clusters::create(&mut tx, &app.secrets_key, new, asking.actor()?).await?;
    tx.commit().await?;
    Ok(made.cluster.name)
}

/// `GET /clusters/{cluster}/edit`.
pub async fn edit(State(app): State<App>, asking: Asking, Path(name): Path<ClusterName>) -> Answer {
    let chrome = asking.chrome(&app).await;
    let mut conn = app.pool.acquire().await?;
    let cluster = clusters::get(&mut conn, &name).await?;
    let kept = kept(&mut conn, &name).await?;
    let form = ClusterForm::from(&cluster);
    html(&ClusterFormPage::new(chrome, Some(name.as_str()), &form, kept, &[], None))
}

/// `POST /clusters/{cluster}/edit`.
pub async fn change(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<ClusterName>,
    Form(form): Form<ClusterForm>,
) -> Answer {
    match try_change(&app, &asking, &name, &form).await {
        Ok(()) => Ok(see(&format!("/clusters/{name}"))),
        Err(failure) if is_about_the_form(&failure) => {
            let kept = kept(&mut *app.pool.acquire().await?, &name).await?;
            let (chrome, editing) = (asking.chrome(&app).await, Some(name.as_str()));
            refused_form(
                &failure,
                &ClusterFormPage::new(chrome, editing, &form, kept, &[], Some(&failure.problem)),
            )
        }
        Err(failure) => Err(failure),
    }
}

async fn try_change(app: &App, asking: &Asking, name: &ClusterName, form: &ClusterForm) -> Answer<()> {
    let mut tx = muster_store::begin(&app.pool).await?;
    let before = clusters::get(&mut tx, name).await?;
    let edit = ClusterEdit {
        bootstrap: Some(addresses(&form.bootstrap)),
        security: Some(security(form)?),
        probe: Some(probe(form)),
        region: Some(form.region.trim().to_owned()),
        secrets: given(form),
        // Emptying the field is the explicit act: the cluster was rebuilt.
        forget_cluster_id: form.expected_cluster_id.trim().is_empty() && before.expected_cluster_id.is_some(),
    };
    clusters::change(&mut tx, &app.secrets_key, name, Some(form.version), edit, asking.actor()?).await?;
    Ok(tx.commit().await?)
}

/// The pairs as somebody may know of them: clusters belong to no team, pairs do.
fn pairs_of<'a>(pairs: impl Iterator<Item = &'a Pair>, actor: &Actor) -> PairsOf {
    let mut of = PairsOf::default();
    for pair in pairs {
        match actor.may_read(&pair.team) {
            true => of.named.push(pair.name.to_string()),
            false => of.others += 1,
        }
    }
    of
}

/// Names of all pairs a cluster is in: for admins, who read everything.
pub(super) async fn pair_names(conn: &mut PgConnection, cluster: &ClusterName) -> Answer<Vec<String>> {
    let pairs = pairs::list(conn, None, Some(cluster)).await?;
    Ok(pairs.into_iter().map(|pair| pair.name.to_string()).collect())
}

/// What the newest survey of any pair saw of a cluster.
async fn look(conn: &mut PgConnection, name: &ClusterName) -> Answer<Option<ClusterLook>> {
    Ok(surveys::looks(conn, Some(name)).await?.into_iter().next().map(look_of))
}

fn look_of(look: surveys::ClusterLook) -> ClusterLook {
    ClusterLook { description: look.description, rights: look.rights }
}

async fn kept(conn: &mut PgConnection, name: &ClusterName) -> Answer<SecretsKept> {
    let fields = secrets::fields(conn, name).await?;
    Ok(SecretsKept {
        password: fields.contains(&secrets::SecretField::Password),
        client_key: fields.contains(&secrets::SecretField::ClientKeyPem),
        probe_password: fields.contains(&secrets::SecretField::ProbePassword),
    })
}

/// `host:port`, separated by commas, spaces or lines.
fn addresses(text: &str) -> Vec<String> {
    text.split([',', ' ', '\n', '\r', '\t']).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn filled(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}

fn probe(form: &ClusterForm) -> Option<ProbePrincipal> {
    filled(&form.probe_username).map(|username| ProbePrincipal { username })
}

fn given(form: &ClusterForm) -> SecretsInput {
    SecretsInput {
        password: Some(form.password.clone()),
        client_key_pem: Some(form.client_key_pem.clone()),
        probe_password: Some(form.probe_password.clone()),
    }
}

/// The security a form says.
fn security(form: &ClusterForm) -> Answer<Security> {
    let (tls, sasl) = match form.protocol.as_str() {
        "PLAINTEXT" => (false, false),
        "SSL" => (true, false),
        "SASL_PLAINTEXT" => (false, true),
        "SASL_SSL" => (true, true),
        other => return Err(Failure::invalid(format!("There is no protocol `{other}`."))),
    };
    let tls =
        tls.then(|| Tls { ca_pem: filled(&form.ca_pem), client_cert_pem: filled(&form.client_cert_pem) });
    Ok(Security { tls, sasl: if sasl { Some(mechanism(form)?) } else { None } })
}

fn mechanism(form: &ClusterForm) -> Answer<Sasl> {
    let username = filled(&form.username).ok_or_else(|| Failure::invalid("SASL needs a user name."))?;
    Ok(match form.mechanism.as_str() {
        "PLAIN" => Sasl::Plain { username },
        "SCRAM-SHA-256" => Sasl::ScramSha256 { username },
        "SCRAM-SHA-512" => Sasl::ScramSha512 { username },
        "OAUTHBEARER" => Sasl::OauthBearer {
            client_id: username,
            token_url: filled(&form.token_url)
                .ok_or_else(|| Failure::invalid("OAUTHBEARER needs a token endpoint."))?,
            scope: filled(&form.scope),
            extensions: form
                .extensions
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
                .collect(),
        },
        other => return Err(Failure::invalid(format!("There is no SASL mechanism `{other}`."))),
    })
}

#[cfg(test)]
mod tests {
    use muster_domain::cluster::Cluster;

    use super::*;

    #[test]
    fn a_cluster_survives_its_own_form() {
        let scram = Sasl::ScramSha512 { username: "muster".to_owned() };
        let oauth = Sasl::OauthBearer {
            client_id: "muster".to_owned(),
            token_url: "https://id.example.org/token".to_owned(),
            scope: Some("kafka".to_owned()),
            extensions: [("logicalCluster".to_owned(), "lkc-1".to_owned())].into(),
        };
        let tls = Tls { ca_pem: Some("-----BEGIN".to_owned()), client_cert_pem: None };
        for security in [
            Security::PLAINTEXT,
            Security { tls: Some(tls.clone()), sasl: None },
            Security { tls: None, sasl: Some(scram) },
            Security { tls: Some(tls), sasl: Some(oauth) },
        ] {
            let cluster = Cluster {
                name: ClusterName::new("west").unwrap(),
                bootstrap: vec!["b1:9092".to_owned(), "b2:9092".to_owned()],
                security: security.clone(),
                probe: None,
                expected_cluster_id: None,
                region: String::new(),
                version: 3,
                updated_at: chrono::DateTime::UNIX_EPOCH,
            };
            let form = ClusterForm::from(&cluster);
            assert_eq!(super::security(&form).unwrap(), security);
            assert_eq!(addresses(&form.bootstrap), cluster.bootstrap);
        }
    }
}
