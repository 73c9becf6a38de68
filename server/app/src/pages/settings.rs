//! `/settings`: what this installation is and is set to.

use axum::extract::State;
use muster_web::settings::{InstallationSeen, ProcessSeen, SettingSeen, SettingsPage};

use super::{asking::Asking, html};
use crate::{
    acts::installation::{self, Fixed},
    app::App,
    http::Answer,
};

/// `GET /settings`.
pub async fn show(State(app): State<App>, asking: Asking) -> Answer {
    let chrome = asking.chrome(&app).await;
    let mut conn = app.pool.acquire().await?;
    let found = installation::get(&app, &mut conn).await?;
    let pairs = |fixed: &[Fixed]| -> Vec<(String, String)> {
        fixed.iter().map(|one| (one.what.clone(), one.is.clone())).collect()
    };
    let process = |held: &installation::ProcessView| ProcessSeen {
        name: held.name.clone(),
        pairs: held.pairs,
        runs: held.runs,
    };
    let setting = |setting: &crate::process::settings::Setting| SettingSeen {
        name: setting.name.clone(),
        value: setting.value.clone(),
        set_by: setting.set_by.clone(),
        says: setting.says.clone(),
    };
    let processes: Vec<_> = found.processes.iter().map(process).collect();
    let settings: Vec<_> = found.settings.iter().map(setting).collect();
    let sign_in = &found.sign_in;
    let seen = InstallationSeen {
        version: &found.version,
        public_url: &found.public_url,
        postgres: &found.database.version,
        private: found.database.private,
        bytes: found.database.bytes,
        bytes_at: found.database.bytes_at,
        migration: found.database.migration,
        migrated_at: found.database.migrated_at,
        processes: &processes,
        key: &found.secrets_key.id,
        sealed_with: found.secrets_key.sealed_with.as_deref(),
        passwords_of: &sign_in.passwords_of,
        provider: sign_in.provider.as_deref().zip(sign_in.issuer.as_deref()),
        retention: &pairs(&found.retention),
        limits: &pairs(&found.limits),
        settings: &settings,
    };
    html(&SettingsPage::new(chrome, &seen))
}
