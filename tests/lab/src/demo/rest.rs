//! Muster's REST API, one function per call that the demo makes.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use muster_lab::{ClusterDescription, LabDescription, WaitBound, address_book_path, wait_until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::people::TEAM;

/// One signed-in person.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Rest {
    /// POST /session.
    pub(super) async fn sign_in(url: &str, name: &str, password: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).no_proxy().build()?;
        let mut rest = Self { http, url: url.to_owned(), token: String::new() };
        let session = rest.post("/session", &json!({"name": name, "password": password})).await?;
        rest.token = text(&session, "token")?;
        Ok(rest)
    }

    /// Whether GET of `path` answers with something.
    pub(super) async fn has(&self, path: &str) -> Result<bool> {
        let request = self.http.get(format!("{}/api/v1{path}", self.url)).bearer_auth(&self.token);
        let status = request.send().await.with_context(|| format!("GET {path}"))?.status();
        ensure!(status.is_success() || status == StatusCode::NOT_FOUND, "GET {path}: {status}");
        Ok(status.is_success())
    }

    /// POST /teams.
    pub(super) async fn create_team(&self, name: &str) -> Result<()> {
        self.post("/teams", &json!({"name": name, "description": "Sample team of the demo"})).await?;
        Ok(())
    }

    /// POST /users.
    pub(super) async fn create_user(
        &self,
        name: &str,
        display_name: &str,
        password: &str,
        role: &str,
        team: &str,
    ) -> Result<()> {
        let grants = json!([{"role": role, "team": team}]);
        let body =
            json!({"name": name, "display_name": display_name, "password": password, "grants": grants});
        self.post("/users", &body).await?;
        Ok(())
    }

    /// POST /clusters, then its check, which learns the cluster id.
    pub(super) async fn create_cluster(
        &self,
        lab: &LabDescription,
        cluster: &ClusterDescription,
    ) -> Result<()> {
        let body = json!({
            "name": cluster.name,
            "bootstrap": [cluster.bootstrap],
            "security": {"tls": null, "sasl": {"mechanism": "scram_sha512", "username": "muster"}},
            "probe": {"username": "muster-probe"},
            "region": cluster.name,
            "secrets": {"password": lab.password("muster")?, "probe_password": lab.password("muster-probe")?},
        });
        self.post("/clusters", &body).await?;
        self.post(&format!("/clusters/{}/check", cluster.name), &json!({})).await?;
        Ok(())
    }

    /// POST /pairs/import with the properties file that describes this pair.
    pub(super) async fn import_pair(&self, lab: &LabDescription, pair: &str) -> Result<()> {
        let body = json!({"text": mm2_properties(lab, pair)?, "team": TEAM, "name": pair});
        self.post("/pairs/import", &body).await?;
        Ok(())
    }

    /// PATCH /pairs/{name}: the connectors of both flows, the address book and the canary topic.
    pub(super) async fn attach_pair(&self, lab: &LabDescription, pair: &str) -> Result<()> {
        let attach: Vec<Value> = lab
            .flows
            .iter()
            .filter(|flow| flow.pair == pair)
            .map(|flow| {
                json!({
                    "from": flow.direction.source(),
                    "connect_url": flow.connect_url,
                    "source_connector": flow.source_connector,
                    "checkpoint_connector": flow.checkpoint_connector,
                    "heartbeat_connector": flow.heartbeat_connector,
                })
            })
            .collect();
        let book = address_book_path(&lab.dir, pair);
        let body = json!({
            "attach": attach,
            "routing": [{"kind": "address_book", "path": book}],
            "canary_topic": format!("muster.canary.{pair}"),
        });
        let path = format!("/pairs/{pair}");
        let version = self.get(&path).await?["version"].as_i64().context("a pair without a version")?;
        self.send(Method::PATCH, &path, Some(&body), Some(version)).await?;
        Ok(())
    }

    /// GET /pairs/{name}/readiness until a survey has been kept.
    pub(super) async fn wait_for_survey(&self, pair: &str) -> Result<()> {
        let what = format!("the first survey of `{pair}`");
        wait_until(&what, WaitBound::seconds(60), || async {
            let readiness = self.get(&format!("/pairs/{pair}/readiness")).await?;
            let checks = readiness["items"].as_array().map_or(0, Vec::len);
            Ok((checks > 0).then_some(()))
        })
        .await
    }

    /// POST /pairs/{name}/plans; answers the plan.
    pub(super) async fn plan_switchover(&self, pair: &str, to: &str) -> Result<Value> {
        let rules = json!({"confirm_before_fence": false, "group_drain_seconds": 10});
        let body = json!({"operation": "switchover", "to": to, "drill": true, "rules": rules});
        self.post(&format!("/pairs/{pair}/plans"), &body).await
    }

    /// POST /runs; answers the run's id.
    pub(super) async fn request_run(&self, plan: &str, reason: &str) -> Result<String> {
        text(&self.post("/runs", &json!({"plan": plan, "reason": reason})).await?, "id")
    }

    /// POST /runs/{id}/{decision}.
    pub(super) async fn decide(&self, run: &str, decision: &str, body: &Value) -> Result<()> {
        self.post(&format!("/runs/{run}/{decision}"), body).await?;
        Ok(())
    }

    /// GET /runs/{id}.
    pub(super) async fn run(&self, run: &str) -> Result<Value> {
        self.get(&format!("/runs/{run}")).await
    }

    /// GET /runs/{id}/events after the event numbered `after`.
    pub(super) async fn events(&self, run: &str, after: i64) -> Result<Vec<Value>> {
        let events = self.get(&format!("/runs/{run}/events?after={after}&format=json")).await?;
        Ok(events["items"].as_array().cloned().unwrap_or_default())
    }

    /// GET /runs/{id}/report.
    pub(super) async fn report(&self, run: &str) -> Result<Value> {
        self.get(&format!("/runs/{run}/report")).await
    }

    async fn get(&self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, None, None).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(Method::POST, path, Some(body), None).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        version: Option<i64>,
    ) -> Result<Value> {
        let mut request = self.http.request(method.clone(), format!("{}/api/v1{path}", self.url));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if method == Method::POST {
            request = request.header("Idempotency-Key", uuid::Uuid::new_v4().to_string());
        }
        if let Some(version) = version {
            request = request.header("If-Match", format!("\"{version}\""));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| format!("{method} {path}"))?;
        let (status, reply) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{method} {path}: {status} {reply}");
        if reply.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&reply)?) }
    }
}

/// A string field that must be there.
pub(super) fn text(value: &Value, field: &str) -> Result<String> {
    match value[field].as_str() {
        Some(text) => Ok(text.to_owned()),
        None => bail!("no `{field}` in {value}"),
    }
}

/// Both pairs share their clusters, so each names its own groups.
fn groups(pair: &str) -> &'static str {
    if pair == "clicks" { "audit-log" } else { "billing, shipping, fraud" }
}

/// The pair as people write it in `mm2.properties`.
fn mm2_properties(lab: &LabDescription, pair: &str) -> Result<String> {
    let mut lines = vec![format!("# pair {pair} of the demo"), "clusters = eu-west, eu-central".to_owned()];
    for cluster in ["eu-west", "eu-central"] {
        lines.push(format!("{cluster}.bootstrap.servers = {}", lab.cluster(cluster)?.bootstrap));
    }
    for flow in lab.flows.iter().filter(|flow| flow.pair == pair) {
        let way = format!("{}->{}", flow.direction.source(), flow.direction.target());
        lines.push(format!("{way}.enabled = {}", flow.running));
        // A properties file eats single backslashes.
        lines.push(format!("{way}.topics = {}", flow.topics.replace('\\', "\\\\")));
        lines.push(format!("{way}.groups = {}", groups(pair)));
        lines.push(format!("{way}.sync.group.offsets.enabled = true"));
        lines.push(format!("{way}.emit.checkpoints.enabled = true"));
        lines.push(format!("replication.policy.class = {}", flow.naming.class()));
    }
    lines.dedup();
    Ok(lines.join("\n"))
}
