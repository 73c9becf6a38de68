//! The first run: naming the first admin, with the code from Muster's log.

use axum::{extract::State, response::IntoResponse as _};
use muster_web::{forms::SetupForm, sign_in::SetupPage};
use secrecy::ExposeSecret as _;

use super::{asking::Asking, html, refused_form, see};
use crate::{
    app::App,
    auth::{
        cookie, setup,
        sign_in::{self, From},
    },
    http::{Answer, Failure, Form},
};

/// `GET /setup`. Once somebody exists there is nothing here.
pub async fn form(State(app): State<App>, asking: Asking) -> Answer {
    if !setup::is_open(&app).await? {
        return Ok(see("/sign-in"));
    }
    html(&SetupPage::new(asking.chrome(&app).await, "", &[], None))
}

/// `POST /setup`: makes the admin and signs them in.
pub async fn set_up(
    State(app): State<App>,
    asking: Asking,
    headers: axum::http::HeaderMap,
    Form(form): Form<SetupForm>,
) -> Answer {
    let password = form.password.expose_secret().to_owned();
    let made = if password != form.password_again.expose_secret() {
        Err(Failure::invalid("The two passwords are not the same."))
    } else {
        setup::with_code(&app, form.code.expose_secret(), &form.name, password).await
    };
    match made {
        Ok(actor) => {
            let from = From::new(&headers, None);
            let (sid, _) = sign_in::sign_in(&app, &actor.name, form.password, &from).await?;
            Ok((cookie::header(cookie::set(&app, sid)?), see("/")).into_response())
        }
        Err(failure) => {
            let chrome = asking.chrome(&app).await;
            refused_form(&failure, &SetupPage::new(chrome, &form.name, &[], Some(&failure.problem)))
        }
    }
}
