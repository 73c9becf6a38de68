//! `/pairs/import`: looking at an mm2.properties file, and importing it.

use axum::extract::State;
use muster_domain::{
    ids::TeamName,
    mm2_properties::{self, PairDraft, Setting},
    pair::{Direction, Side},
};
use muster_store::teams;
use muster_web::{
    forms::ImportForm,
    import::{BadLine, ImportPage, ImportResult, ImportedSetting},
};

use super::{asking::Asking, html, refused_form};
use crate::{
    acts::imports::{self, ImportText},
    app::App,
    http::{Answer, Failure, Form},
};

/// `GET /pairs/import`.
pub async fn form(State(app): State<App>, asking: Asking) -> Answer {
    html(&page(&app, &asking, &ImportForm::default(), None, None).await?)
}

async fn page(
    app: &App,
    asking: &Asking,
    form: &ImportForm,
    result: Option<ImportResult>,
    refused: Option<&Failure>,
) -> Answer<ImportPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let names: Vec<String> =
        teams::list(&mut conn).await?.into_iter().map(|team| team.name.to_string()).collect();
    Ok(ImportPage::new(chrome, form, &names, result, refused.map(|failure| &failure.problem)))
}

/// `POST /pairs/import`: `look` shows what would be made, `import` makes it.
pub async fn import(State(app): State<App>, asking: Asking, Form(form): Form<ImportForm>) -> Answer {
    let read = read(&form.properties);
    if form.act != "import" {
        return html(&page(&app, &asking, &form, Some(read), None).await?);
    }
    match try_import(&app, &asking, &form).await {
        Ok(()) => {
            let result = ImportResult { imported: true, ..read };
            html(&page(&app, &asking, &form, Some(result), None).await?)
        }
        Err(failure) if failure.status.is_client_error() => {
            refused_form(&failure, &page(&app, &asking, &form, Some(read), Some(&failure)).await?)
        }
        Err(failure) => Err(failure),
    }
}

async fn try_import(app: &App, asking: &Asking, form: &ImportForm) -> Answer<()> {
    let asked = ImportText {
        text: form.properties.clone(),
        team: TeamName::new(form.team.trim()).map_err(|e| Failure::invalid(e.to_string()))?,
        name: None,
    };
    let mut tx = muster_store::begin(&app.pool).await?;
    imports::import(&mut tx, &app.secrets_key, &asked, asking.actor()?).await?;
    Ok(tx.commit().await?)
}

/// What a file would make, as the page shows it.
fn read(text: &str) -> ImportResult {
    match mm2_properties::import(text) {
        Err(bad) => ImportResult {
            bad: bad.into_iter().map(|b| BadLine { line: b.line, text: b.text, reason: b.reason }).collect(),
            ..ImportResult::default()
        },
        Ok(file) => ImportResult {
            pairs: file.pairs.iter().map(|pair| (pair.name.to_string(), course(pair))).collect(),
            clusters: file.clusters.iter().map(|cluster| cluster.name.to_string()).collect(),
            used: file.settings_used.into_iter().map(setting).collect(),
            unused: file.not_used.into_iter().map(setting).collect(),
            bad: Vec::new(),
            imported: false,
        },
    }
}

fn course(pair: &PairDraft) -> String {
    let direction = pair.flows.first().map_or(Direction { from: Side::A }, |flow| flow.direction);
    format!("{} → {}", pair.clusters.get(direction.from), pair.clusters.get(direction.to()))
}

fn setting(setting: Setting) -> ImportedSetting {
    ImportedSetting { line: setting.line, key: setting.key, value: setting.value, becomes: setting.becomes }
}
