//! `/pairs/{pair}/connect`: what Muster signs in with at the Connect of each flow of a pair, entered and removed.

use axum::extract::State;
use muster_domain::{
    ids::{ClusterName, PairName},
    pair::{Direction, Side},
};
use muster_web::{
    connect_form::{ConnectFormPage, ConnectSeen},
    danger::DangerPage,
    forms::ConnectForm,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::{asking::Asking, html, is_about_the_form, refused_form, see};
use crate::{
    acts::{
        connect_credentials::{self, NewConnectCredentials, OfFlow},
        pairs,
    },
    app::App,
    http::{Answer, Failure, Form, Path},
};

/// `GET /pairs/{pair}/connect`.
pub async fn form(State(app): State<App>, asking: Asking, Path(name): Path<PairName>) -> Answer {
    html(&page(&app, &asking, &name, None, None).await?)
}

async fn page(
    app: &App,
    asking: &Asking,
    name: &PairName,
    form: Option<&ConnectForm>,
    refused: Option<&Failure>,
) -> Answer<ConnectFormPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, name).await?;
    let seen = |of: OfFlow| {
        let OfFlow { direction, connect_url, kept, sent } = of;
        connect_url.map(|connect_url| ConnectSeen { from: direction.from, connect_url, kept, sent })
    };
    let flows = connect_credentials::of_flows(&mut conn, &pair).await?;
    let flows: Vec<ConnectSeen> = flows.into_iter().filter_map(seen).collect();
    let problem = refused.map(|failure| &failure.problem);
    Ok(ConnectFormPage::new(chrome, &pair, &flows, form, problem))
}

/// `POST /pairs/{pair}/connect`.
pub async fn enter(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Form(form): Form<ConnectForm>,
) -> Answer {
    match try_enter(&app, &asking, &name, &form).await {
        Ok(()) => Ok(see(&format!("/pairs/{name}"))),
        Err(failure) if is_about_the_form(&failure) => {
            refused_form(&failure, &page(&app, &asking, &name, Some(&form), Some(&failure)).await?)
        }
        Err(failure) => Err(failure),
    }
}

async fn try_enter(app: &App, asking: &Asking, name: &PairName, form: &ConnectForm) -> Answer<()> {
    let mut tx = muster_store::begin(&app.pool).await?;
    let pair = pairs::get(&mut tx, name).await?;
    let a_to_b = filled(&form.a_to_b_username, &form.a_to_b_password, &form.a_to_b_token);
    let b_to_a = filled(&form.b_to_a_username, &form.b_to_a_password, &form.b_to_a_token);
    for (from, new) in [(Side::A, a_to_b), (Side::B, b_to_a)] {
        let Some(new) = new else { continue };
        let of = (pair.cluster(from), new);
        connect_credentials::enter(&mut tx, &app.secrets_key, name, of, asking.actor()?).await?;
    }
    Ok(tx.commit().await?)
}

/// What was typed for a flow; none where nothing was.
fn filled(username: &str, password: &SecretString, token: &SecretString) -> Option<NewConnectCredentials> {
    let is_empty = |secret: &SecretString| secret.expose_secret().trim().is_empty();
    let nothing = username.trim().is_empty() && is_empty(password) && is_empty(token);
    (!nothing).then(|| NewConnectCredentials {
        username: Some(username.to_owned()),
        password: Some(password.clone()),
        token: Some(token.clone()),
    })
}

/// `GET /pairs/{pair}/connect/{cluster}/remove`.
pub async fn removal(
    State(app): State<App>,
    asking: Asking,
    Path((name, from)): Path<(PairName, ClusterName)>,
) -> Answer {
    let chrome = asking.chrome(&app).await;
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, &name).await?;
    let from = connect_credentials::side_of(&pair, &from)?;
    let flows = connect_credentials::of_flows(&mut conn, &pair).await?;
    let kept = flows.into_iter().find(|of| of.direction == Direction { from }).and_then(|of| of.kept);
    html(&DangerPage::remove_connect_sign_in(chrome, &pair, from, kept.as_ref()))
}

/// `POST /pairs/{pair}/connect/{cluster}/remove`.
pub async fn remove(
    State(app): State<App>,
    asking: Asking,
    Path((name, from)): Path<(PairName, ClusterName)>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    connect_credentials::remove(&mut tx, &name, &from, asking.actor()?).await?;
    tx.commit().await?;
    Ok(see(&format!("/pairs/{name}")))
}
