//! `/api`: the API for people who write programs.

use axum::extract::State;
use muster_web::api::{ApiGroupPage, ApiPage, ProblemCode};

use super::{asking::Asking, html};
use crate::{
    app::App,
    http::{Answer, Failure, Path, codes, openapi},
    routes,
};

/// `GET /api`.
pub async fn show(State(app): State<App>, asking: Asking) -> Answer {
    let described = |code: &codes::Code| ProblemCode {
        code: code.code.to_owned(),
        status: code.status,
        says: codes::meaning(code.code),
    };
    let codes = codes::CODES.iter().map(described).collect();
    let document = openapi::document(&routes::routes());
    html(&ApiPage::new(asking.chrome(&app).await, &document, &app.public_url, codes))
}

/// `GET /api/reference/{group}`.
pub async fn group(State(app): State<App>, asking: Asking, Path(name): Path<String>) -> Answer {
    let document = openapi::document(&routes::routes());
    let page = ApiGroupPage::new(asking.chrome(&app).await, &document, &app.public_url, &name);
    html(&page.ok_or_else(|| Failure::not_found("group of addresses", &name))?)
}
