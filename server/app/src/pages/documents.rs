//! `/runbooks`, `/operating`: the documents people need while they operate Muster.

use axum::extract::State;
use muster_web::document::{Document, DocumentPage};

use super::{asking::Asking, html};
use crate::{app::App, http::Answer};

/// `GET /runbooks`.
pub async fn runbooks(State(app): State<App>, asking: Asking) -> Answer {
    html(&DocumentPage::new(asking.chrome(&app).await, Document::Runbooks))
}

/// `GET /operating`.
pub async fn operating(State(app): State<App>, asking: Asking) -> Answer {
    html(&DocumentPage::new(asking.chrome(&app).await, Document::Operating))
}
