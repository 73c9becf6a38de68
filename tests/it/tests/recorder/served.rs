//! The same Muster as programs reach it: its router over what an observer keeps, asked by somebody who may only look.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header::AUTHORIZATION},
};
use chrono::Utc;
use muster_app::{
    app::{App, Hands},
    auth::{
        reader::LOOK_AGAIN,
        tokens::{Audience, TokenKey},
    },
    following::run_watch::RunWatch,
    http::layers,
    loops::courier::Courier,
    process::config::NotifyConfig,
    routes,
};
use muster_domain::{
    ids::{ClusterName, PairName},
    pair::Side,
    people::{Grant, Role},
};
use muster_kafka::ClusterAdmin;
use muster_operations::{ClientSource, OperationError, PairClients};
use muster_store::{people, secrets::SecretsKey, sessions};
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::observer::Observer;

/// How long a client may be silent.
const PATIENCE: Duration = Duration::from_secs(15);

/// See the module.
pub(crate) struct Served {
    router: Router,
    bearer: String,
}

/// The clients of the one pair there is.
struct OfThePair(PairClients);

#[async_trait]
impl ClientSource for OfThePair {
    async fn pair_clients(&self, _pair: &PairName) -> Result<PairClients, OperationError> {
        Ok(self.0.clone())
    }
}

#[async_trait]
impl Hands for OfThePair {
    async fn cluster_admin(&self, cluster: &ClusterName) -> Result<Arc<dyn ClusterAdmin>, OperationError> {
        let side = if *cluster == self.0.pair.clusters.a { Side::A } else { Side::B };
        Ok(Arc::clone(self.0.admin.get(side)))
    }
}

impl Served {
    pub(crate) async fn of(observer: &Observer) -> Result<Self> {
        let pool = observer.database.pool().clone();
        let key = Arc::new(SecretsKey::from_bytes([7; 32]));
        let public_url: Arc<str> = "http://muster.test".into();
        let (secrets, url) = (Arc::clone(&key), Arc::clone(&public_url));
        let courier = Courier::new(pool.clone(), secrets, url, false, &NotifyConfig::default())?;
        let app = App {
            tokens: TokenKey::derive(&key),
            secrets_key: key,
            hands: Arc::new(OfThePair(observer.clients.clone())),
            pool,
            watch: RunWatch::default(),
            causes: Arc::default(),
            database_size: Arc::default(),
            lag_hours: Arc::default(),
            courier: Arc::new(courier),
            telemetry: Arc::default(),
            trusted_proxies: Arc::default(),
            hashing: Arc::default(),
            writes_per_minute: 100,
            look_again: LOOK_AGAIN,
            oidc: None,
            settings: Arc::default(),
            public_url,
        };
        let (vera, session) = (Uuid::now_v7(), Uuid::now_v7());
        let team = observer.clients.pair.team.clone();
        let grants = [Grant { role: Role::Viewer, team: Some(team) }];
        let mut conn = app.pool.acquire().await?;
        people::insert(&mut conn, vera, "vera", "vera", None, &grants).await?;
        sessions::insert(&mut conn, session, vera, 3600.0, "test", "").await?;
        drop(conn);
        let token = app.tokens.sign(Audience::Machine, session, Utc::now().timestamp(), 3600)?;
        let router = layers::wrap(routes::router(&app), &app, PATIENCE)?;
        Ok(Self { router, bearer: format!("Bearer {token}") })
    }

    /// What it answers; anything but 200 is an error.
    pub(crate) async fn get(&self, path: &str) -> Result<String> {
        let request = Request::get(path).header(AUTHORIZATION, &self.bearer).body(Body::empty())?;
        let answer = self.router.clone().oneshot(request).await?;
        let status = answer.status();
        let text = String::from_utf8(to_bytes(answer.into_body(), usize::MAX).await?.to_vec())?;
        ensure!(status == StatusCode::OK, "{path}: {status} {text}");
        Ok(text)
    }
}
