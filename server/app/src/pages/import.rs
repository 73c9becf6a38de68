//! x
use axum::extract::State;
use muster_web::forms::ImportForm;
use super::asking::Asking;
use crate::{app::App, http::{Answer, Form}};
/// x
pub async fn form(State(app): State<App>, asking: Asking) -> Answer { todo!() }
/// x
pub async fn import(State(app): State<App>, asking: Asking, Form(form): Form<ImportForm>) -> Answer { todo!() }
