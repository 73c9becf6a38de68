//! Who may use what: every route of the table, tried as everybody. A new route changes the table below.

use axum::http::{Method, StatusCode};
use muster_app::{
    http::route::{Access, Kind, Route},
    routes,
};
use serde_json::json;
use uuid::Uuid;

use crate::test_app::TestApp;

const WHO: [&str; 8] = ["nobody", "vera", "otto", "abel", "olga", "ada", "outis", "orla"];

/// A schedule of the pair, made by [`schedule`].
pub(crate) const SCHEDULE: Uuid = Uuid::from_u128(92);

/// Makes the schedule that addresses name.
pub(crate) async fn schedule(app: &TestApp) {
    let owner = app.as_user("olga").await;
    let new = json!({"pair": "orders", "cadence": {"every": "cron", "expression": "0 9 1 1 *"}});
    owner.post("/api/v1/schedules", new).await.done();
    sqlx::query("update schedule set id = $1, body = jsonb_set(body, '{id}', to_jsonb($1::text))")
        .bind(SCHEDULE)
        .execute(&app.app.pool)
        .await
        .unwrap();
}

/// A finding about the pair, made by [`finding`].
const FINDING: Uuid = Uuid::from_u128(93);

/// Makes the finding that addresses name.
pub(crate) async fn finding(app: &TestApp) {
    let operator = app.as_user("otto").await;
    let new = json!({"pair": "orders", "text": "slow", "severity": "low"});
    operator.post("/api/v1/findings", new).await.done();
    sqlx::query("update finding set id = $1").bind(FINDING).execute(&app.app.pool).await.unwrap();
}

/// A channel of the pair's team, made by [`channel`].
pub(crate) const CHANNEL: Uuid = Uuid::from_u128(94);

/// Makes the channel that addresses name.
pub(crate) async fn channel(app: &TestApp) {
    let sql = "insert into channel (id, team, name, kind, events, host) values ($1, $2, 'room', 'slack', '{ended}', 'a')";
    sqlx::query(sql).bind(CHANNEL).bind(app.team.as_str()).execute(&app.app.pool).await.unwrap();
}

/// The address of a route with things that exist.
pub(crate) fn address(path: &str, run: Uuid, plan: Uuid) -> String {
    path.replace("{pair}", "orders")
        .replace("{cluster}", "eu-west")
        .replace("{run}", &run.to_string())
        .replace("{plan}", &plan.to_string())
        .replace("{user}", "vera")
        .replace("{schedule}", &SCHEDULE.to_string())
        .replace("{finding}", &FINDING.to_string())
        .replace("{channel}", &CHANNEL.to_string())
        .replace("{alarm}", &crate::alarms::ALARM.to_string())
        .replace("{loss}", crate::losses::LOSS)
        .replace("{proof}", &crate::proofs::PROOF.to_string())
        .replace("{session}", &Uuid::nil().to_string())
        .replace("{team}", "core-platform")
        .replace("{token}", &Uuid::nil().to_string())
        .replace("{*rest}", "none")
        .replace("{group}", "runs")
}

/// The status somebody gets who tries a route without meaning it: an empty body stops at the handler, behind the guard,
/// and so does the version of something nobody has read.
async fn knock(app: &TestApp, who: &str, route: &Route, path: &str) -> StatusCode {
    let body = [Method::POST, Method::PUT, Method::PATCH].contains(&route.method).then(|| json!([]));
    let accept = if route.rule.kind == Kind::Page { "text/html" } else { "application/json" };
    let headers = [("accept", accept), ("if-match", "\"0\"")];
    let response = app.as_user(who).await.knock(route.method.clone(), path, body, &headers).await;
    assert!(!response.status().is_server_error(), "{route:?} as {who}: {response:?}");
    response.status()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_in_whom_its_row_says() {
    let app = TestApp::with_pair().await;
    let (plan, run) = crate::runs::requested(&app).await;
    schedule(&app).await;
    finding(&app).await;
    channel(&app).await;
    crate::proofs::proof(&app).await;
    crate::alarms::alarm(&app).await;
    let mut table = format!("{:49} {}\n", "", WHO.join(" "));
    for route in routes::routes() {
        let path = address(route.path, run, plan);
        let mut marks = Vec::new();
        for who in WHO {
            let status = knock(&app, who, &route, &path).await;
            marks.push(match status {
                StatusCode::UNAUTHORIZED => "-",
                StatusCode::SEE_OTHER if who == "nobody" && route.rule.access != Access::Anyone => "-",
                StatusCode::FORBIDDEN => ".",
                _ => "x",
            });
        }
        let marks: Vec<String> =
            WHO.iter().zip(marks).map(|(who, mark)| format!("{mark:<width$}", width = who.len())).collect();
        let row = format!("{:<6} {:<42} {}", route.method.as_str(), route.path, marks.join(" "));
        table.push_str(row.trim_end());
        table.push('\n');
    }
    insta::assert_snapshot!(table, @r"
                                                      nobody vera otto abel olga ada outis orla
    GET    /healthz                                   x      x    x    x    x    x   x     x
    GET    /readyz                                    x      x    x    x    x    x   x     x
    GET    /metrics                                   -      .    .    .    .    x   .     .
    GET    /api/openapi.json                          x      x    x    x    x    x   x     x
    GET    /assets/{*rest}                            x      x    x    x    x    x   x     x
    POST   /api/v1/session                            x      x    x    x    x    x   x     x
    GET    /api/v1/session                            -      x    x    x    x    x   x     x
    POST   /api/v1/session/reauthenticate             -      x    x    x    x    x   x     x
    DELETE /api/v1/session                            -      x    x    x    x    x   x     x
    PUT    /api/v1/session/password                   -      x    x    x    x    x   x     x
    GET    /api/v1/sessions                           -      x    x    x    x    x   x     x
    DELETE /api/v1/sessions                           -      x    x    x    x    x   x     x
    DELETE /api/v1/sessions/{session}                 -      x    x    x    x    x   x     x
    GET    /api/v1/users                              -      .    .    .    .    x   .     .
    POST   /api/v1/users                              -      .    .    .    .    x   .     .
    GET    /api/v1/users/{user}                       -      .    .    .    .    x   .     .
    PATCH  /api/v1/users/{user}                       -      .    .    .    .    x   .     .
    GET    /api/v1/teams                              -      x    x    x    x    x   x     x
    POST   /api/v1/teams                              -      .    .    .    .    x   .     .
    GET    /api/v1/teams/{team}                       -      x    x    x    x    x   .     .
    PATCH  /api/v1/teams/{team}                       -      .    .    .    .    x   .     .
    DELETE /api/v1/teams/{team}                       -      .    .    .    .    x   .     .
    GET    /api/v1/settings                           -      .    .    .    .    x   .     .
    GET    /api/v1/tokens                             -      x    x    x    x    x   x     x
    POST   /api/v1/tokens                             -      x    x    x    x    x   x     x
    DELETE /api/v1/tokens/{token}                     -      x    x    x    x    x   x     x
    GET    /api/v1/clusters                           -      x    x    x    x    x   x     x
    POST   /api/v1/clusters                           -      .    .    .    .    x   .     .
    GET    /api/v1/clusters/{cluster}                 -      x    x    x    x    x   x     x
    PATCH  /api/v1/clusters/{cluster}                 -      .    .    .    .    x   .     .
    DELETE /api/v1/clusters/{cluster}                 -      .    .    .    .    x   .     .
    POST   /api/v1/clusters/{cluster}/check           -      .    .    .    .    x   .     .
    GET    /api/v1/pairs                              -      x    x    x    x    x   x     x
    POST   /api/v1/pairs                              -      .    .    .    x    .   .     x
    POST   /api/v1/pairs/import                       -      .    .    .    x    x   .     x
    GET    /api/v1/pairs/{pair}                       -      x    x    x    x    x   .     .
    PATCH  /api/v1/pairs/{pair}                       -      .    .    .    x    .   .     .
    DELETE /api/v1/pairs/{pair}                       -      .    .    .    x    .   .     .
    GET    /api/v1/pairs/{pair}/connect               -      x    x    x    x    x   .     .
    PUT    /api/v1/pairs/{pair}/connect/{cluster}     -      .    .    .    x    .   .     .
    DELETE /api/v1/pairs/{pair}/connect/{cluster}     -      .    .    .    x    .   .     .
    GET    /api/v1/pairs/{pair}/survey                -      x    x    x    x    x   .     .
    GET    /api/v1/pairs/{pair}/readiness             -      x    x    x    x    x   .     .
    GET    /api/v1/pairs/{pair}/readiness/changes     -      x    x    x    x    x   .     .
    GET    /api/v1/pairs/{pair}/lag                   -      x    x    x    x    x   .     .
    GET    /api/v1/pairs/{pair}/lag/history           -      x    x    x    x    x   .     .
    GET    /api/v1/pairs/{pair}/lag/explorer          -      x    x    x    x    x   .     .
    GET    /api/v1/pairs/{pair}/loss                  -      x    x    x    x    x   .     .
    GET    /api/v1/losses                             -      x    x    x    x    x   x     x
    GET    /api/v1/pairs/{pair}/positions             -      x    x    x    x    x   .     .
    GET    /api/v1/pairs/{pair}/facts                 -      x    x    x    x    x   .     .
    GET    /api/v1/pairs/{pair}/canary                -      x    x    x    x    x   .     .
    POST   /api/v1/pairs/{pair}/canary                -      .    x    .    .    .   .     .
    GET    /api/v1/pairs/{pair}/rings                 -      x    x    x    x    x   .     .
    GET    /api/v1/pairs/{pair}/differences           -      x    x    x    x    x   .     .
    GET    /api/v1/pairs/{pair}/topics                -      x    x    x    x    x   .     .
    GET    /api/v1/pairs/{pair}/groups                -      x    x    x    x    x   .     .
    GET    /api/v1/alarms                             -      x    x    x    x    x   x     x
    GET    /api/v1/alarms/{alarm}                     -      x    x    x    x    x   .     .
    POST   /api/v1/alarms/{alarm}/acknowledge         -      .    x    .    .    .   .     .
    GET    /api/v1/pairs/{pair}/alarms                -      x    x    x    x    x   .     .
    GET    /api/v1/pairs/{pair}/proofs                -      x    x    x    x    x   .     .
    POST   /api/v1/pairs/{pair}/proofs                -      .    x    .    .    .   .     .
    GET    /api/v1/proofs/{proof}                     -      x    x    x    x    x   .     .
    POST   /api/v1/proofs/{proof}/cancel              -      .    x    .    .    .   .     .
    POST   /api/v1/pairs/{pair}/proofs/{proof}/record -      .    x    .    .    .   .     .
    GET    /api/v1/schedules                          -      x    x    x    x    x   x     x
    POST   /api/v1/schedules                          -      .    .    .    x    .   .     x
    GET    /api/v1/schedules/{schedule}               -      x    x    x    x    x   .     .
    PATCH  /api/v1/schedules/{schedule}               -      .    .    .    x    .   .     .
    DELETE /api/v1/schedules/{schedule}               -      .    .    .    x    .   .     .
    GET    /api/v1/calendar.ics                       -      x    x    x    x    x   x     x
    GET    /api/v1/occurrences                        -      x    x    x    x    x   x     x
    GET    /api/v1/channels                           -      x    x    x    x    x   x     x
    POST   /api/v1/channels                           -      .    .    .    x    .   .     x
    GET    /api/v1/channels/{channel}                 -      x    x    x    x    x   .     .
    PATCH  /api/v1/channels/{channel}                 -      .    .    .    x    .   .     .
    DELETE /api/v1/channels/{channel}                 -      .    .    .    x    .   .     .
    POST   /api/v1/channels/{channel}/test            -      .    .    .    x    .   .     .
    GET    /api/v1/channels/{channel}/deliveries      -      x    x    x    x    x   .     .
    POST   /api/v1/pairs/{pair}/plans                 -      .    x    .    .    .   .     .
    GET    /api/v1/plans/{plan}                       -      x    x    x    x    x   .     .
    GET    /api/v1/plans/{plan}/difference            -      x    x    x    x    x   .     .
    POST   /api/v1/runs                               -      .    x    .    .    .   x     .
    GET    /api/v1/runs                               -      x    x    x    x    x   x     x
    GET    /api/v1/runs/{run}                         -      x    x    x    x    x   .     .
    GET    /api/v1/runs/{run}/steps                   -      x    x    x    x    x   .     .
    GET    /api/v1/runs/{run}/events                  -      x    x    x    x    x   .     .
    GET    /api/v1/runs/{run}/compare                 -      x    x    x    x    x   .     .
    GET    /api/v1/pairs/{pair}/rto                   -      x    x    x    x    x   .     .
    GET    /api/v1/runs/{run}/report                  -      x    x    x    x    x   .     .
    GET    /api/v1/approvals                          -      x    x    x    x    x   x     x
    POST   /api/v1/runs/{run}/approve                 -      .    .    x    .    .   .     .
    POST   /api/v1/runs/{run}/reject                  -      .    .    x    .    .   .     .
    POST   /api/v1/runs/{run}/start                   -      .    x    .    .    .   .     .
    POST   /api/v1/runs/{run}/pause                   -      .    x    .    .    .   .     .
    POST   /api/v1/runs/{run}/resume                  -      .    x    .    .    .   .     .
    POST   /api/v1/runs/{run}/confirm                 -      .    x    .    .    .   .     .
    POST   /api/v1/runs/{run}/retry                   -      .    x    .    .    .   .     .
    POST   /api/v1/runs/{run}/skip                    -      .    x    .    .    .   .     .
    POST   /api/v1/runs/{run}/abort                   -      .    x    .    .    .   .     .
    POST   /api/v1/runs/{run}/close                   -      .    .    .    x    .   .     .
    POST   /api/v1/runs/{run}/attest                  -      .    .    x    .    .   .     .
    POST   /api/v1/runs/{run}/break_glass             -      .    .    .    x    .   .     .
    POST   /api/v1/runs/{run}/review                  -      .    .    x    .    .   .     .
    GET    /api/v1/findings                           -      x    x    x    x    x   x     x
    POST   /api/v1/findings                           -      .    x    x    x    .   x     x
    GET    /api/v1/findings/{finding}                 -      x    x    x    x    x   .     .
    PATCH  /api/v1/findings/{finding}                 -      .    x    x    x    .   .     .
    GET    /api/v1/audit                              -      .    .    .    .    x   .     .
    GET    /api/v1/audit/verify                       -      .    .    .    .    x   .     .
    GET    /api/v1/audit/export                       -      .    .    .    .    x   .     .
    GET    /api/v1/brake                              -      x    x    x    x    x   x     x
    PUT    /api/v1/brake                              -      .    x    .    x    x   x     x
    DELETE /api/v1/brake                              -      .    .    .    x    x   .     x
    GET    /                                          -      x    x    x    x    x   x     x
    GET    /sign-in                                   x      x    x    x    x    x   x     x
    POST   /sign-in                                   x      x    x    x    x    x   x     x
    GET    /sign-in/oidc                              x      x    x    x    x    x   x     x
    GET    /sign-in/oidc/callback                     x      x    x    x    x    x   x     x
    POST   /sign-out                                  -      x    x    x    x    x   x     x
    GET    /reauthenticate                            -      x    x    x    x    x   x     x
    GET    /reauthenticate/oidc                       -      x    x    x    x    x   x     x
    POST   /reauthenticate                            -      x    x    x    x    x   x     x
    GET    /setup                                     x      x    x    x    x    x   x     x
    POST   /setup                                     x      x    x    x    x    x   x     x
    POST   /theme                                     x      x    x    x    x    x   x     x
    GET    /clusters                                  -      x    x    x    x    x   x     x
    POST   /clusters                                  -      .    .    .    .    x   .     .
    GET    /clusters/new                              -      .    .    .    .    x   .     .
    GET    /clusters/{cluster}                        -      x    x    x    x    x   x     x
    GET    /clusters/{cluster}/edit                   -      .    .    .    .    x   .     .
    POST   /clusters/{cluster}/edit                   -      .    .    .    .    x   .     .
    POST   /clusters/{cluster}/check                  -      .    .    .    .    x   .     .
    GET    /clusters/{cluster}/remove                 -      .    .    .    .    x   .     .
    POST   /clusters/{cluster}/remove                 -      .    .    .    .    x   .     .
    GET    /pairs                                     -      x    x    x    x    x   x     x
    POST   /pairs                                     -      .    .    .    x    .   .     x
    GET    /pairs/new                                 -      .    .    .    x    .   .     x
    GET    /pairs/import                              -      .    .    .    x    x   .     x
    POST   /pairs/import                              -      .    .    .    x    x   .     x
    GET    /pairs/{pair}                              -      x    x    x    x    x   .     .
    GET    /pairs/{pair}/lag                          -      x    x    x    x    x   .     .
    GET    /pairs/{pair}/losses                       -      x    x    x    x    x   .     .
    GET    /pairs/{pair}/losses/{loss}                -      x    x    x    x    x   .     .
    GET    /pairs/{pair}/recorded                     -      x    x    x    x    x   .     .
    GET    /pairs/{pair}/differences                  -      x    x    x    x    x   .     .
    GET    /pairs/{pair}/edit                         -      .    .    .    x    .   .     .
    POST   /pairs/{pair}/edit                         -      .    .    .    x    .   .     .
    GET    /pairs/{pair}/remove                       -      .    .    .    x    .   .     .
    POST   /pairs/{pair}/remove                       -      .    .    .    x    .   .     .
    GET    /pairs/{pair}/connect                      -      .    .    .    x    .   .     .
    POST   /pairs/{pair}/connect                      -      .    .    .    x    .   .     .
    GET    /pairs/{pair}/connect/{cluster}/remove     -      .    .    .    x    .   .     .
    POST   /pairs/{pair}/connect/{cluster}/remove     -      .    .    .    x    .   .     .
    POST   /pairs/{pair}/canary                       -      .    x    .    .    .   .     .
    GET    /pairs/{pair}/canary/remove                -      .    .    .    x    .   .     .
    POST   /pairs/{pair}/canary/remove                -      .    .    .    x    .   .     .
    POST   /pairs/{pair}/plan                         -      .    x    .    .    .   .     .
    GET    /pairs/{pair}/translation                  -      x    x    x    x    x   .     .
    POST   /pairs/{pair}/translation                  -      .    x    .    .    .   .     .
    GET    /pairs/{pair}/content                      -      x    x    x    x    x   .     .
    POST   /pairs/{pair}/content                      -      .    x    .    .    .   .     .
    POST   /pairs/{pair}/content/record               -      .    x    .    .    .   .     .
    POST   /proofs/{proof}/cancel                     -      .    x    .    .    .   .     .
    GET    /plans/{plan}                              -      x    x    x    x    x   .     .
    POST   /plans/{plan}/request                      -      .    x    .    .    .   .     .
    GET    /runs                                      -      x    x    x    x    x   x     x
    GET    /runs/{run}                                -      x    x    x    x    x   .     .
    GET    /runs/{run}/live                           -      x    x    x    x    x   .     .
    GET    /runs/{run}/events                         -      x    x    x    x    x   .     .
    GET    /runs/{run}/report                         -      x    x    x    x    x   .     .
    GET    /runs/{run}/approval                       -      x    x    x    x    x   .     .
    POST   /runs/{run}/approve                        -      .    .    x    .    .   .     .
    POST   /runs/{run}/reject                         -      .    .    x    .    .   .     .
    GET    /runs/{run}/compare                        -      x    x    x    x    x   .     .
    GET    /runs/{run}/start                          -      x    x    x    x    x   .     .
    POST   /runs/{run}/start                          -      .    x    .    .    .   .     .
    POST   /runs/{run}/pause                          -      .    x    .    .    .   .     .
    POST   /runs/{run}/resume                         -      .    x    .    .    .   .     .
    POST   /runs/{run}/confirm                        -      .    x    .    .    .   .     .
    POST   /runs/{run}/retry                          -      .    x    .    .    .   .     .
    GET    /runs/{run}/skip                           -      x    x    x    x    x   .     .
    POST   /runs/{run}/skip                           -      .    x    .    .    .   .     .
    GET    /runs/{run}/abort                          -      x    x    x    x    x   .     .
    POST   /runs/{run}/abort                          -      .    x    .    .    .   .     .
    GET    /runs/{run}/close                          -      x    x    x    x    x   .     .
    POST   /runs/{run}/close                          -      .    .    .    x    .   .     .
    GET    /runs/{run}/attest                         -      x    x    x    x    x   .     .
    POST   /runs/{run}/attest                         -      .    .    x    .    .   .     .
    GET    /runs/{run}/break-glass                    -      x    x    x    x    x   .     .
    POST   /runs/{run}/break-glass                    -      .    .    .    x    .   .     .
    GET    /runs/{run}/review                         -      x    x    x    x    x   .     .
    POST   /runs/{run}/review                         -      .    .    x    .    .   .     .
    GET    /drills                                    -      x    x    x    x    x   x     x
    POST   /drills                                    -      .    .    .    x    .   .     x
    GET    /drills/{schedule}/edit                    -      .    .    .    x    .   .     .
    POST   /drills/{schedule}/edit                    -      .    .    .    x    .   .     .
    GET    /drills/{schedule}/remove                  -      .    .    .    x    .   .     .
    POST   /drills/{schedule}/remove                  -      .    .    .    x    .   .     .
    GET    /alarms                                    -      x    x    x    x    x   x     x
    POST   /alarms/{alarm}/acknowledge                -      .    x    .    .    .   .     .
    GET    /findings                                  -      x    x    x    x    x   x     x
    POST   /findings                                  -      .    x    x    x    .   x     x
    GET    /findings/{finding}                        -      x    x    x    x    x   .     .
    POST   /findings/{finding}                        -      .    x    x    x    .   .     .
    GET    /notifications                             -      x    x    x    x    x   x     x
    POST   /notifications                             -      .    .    .    x    .   .     x
    GET    /notifications/{channel}/edit              -      .    .    .    x    .   .     .
    POST   /notifications/{channel}/edit              -      .    .    .    x    .   .     .
    POST   /notifications/{channel}/test              -      .    .    .    x    .   .     .
    GET    /notifications/{channel}/remove            -      .    .    .    x    .   .     .
    POST   /notifications/{channel}/remove            -      .    .    .    x    .   .     .
    GET    /api                                       -      x    x    x    x    x   x     x
    GET    /api/reference/{group}                     -      x    x    x    x    x   x     x
    GET    /runbooks                                  x      x    x    x    x    x   x     x
    GET    /operating                                 x      x    x    x    x    x   x     x
    GET    /audit                                     -      .    .    .    .    x   .     .
    GET    /account                                   -      x    x    x    x    x   x     x
    POST   /account/password                          -      x    x    x    x    x   x     x
    GET    /account/sessions/revoke                   -      x    x    x    x    x   x     x
    POST   /account/sessions/revoke                   -      x    x    x    x    x   x     x
    GET    /account/sessions/{session}/revoke         -      x    x    x    x    x   x     x
    POST   /account/sessions/{session}/revoke         -      x    x    x    x    x   x     x
    GET    /account/tokens/new                        -      x    x    x    x    x   x     x
    POST   /account/tokens                            -      x    x    x    x    x   x     x
    GET    /account/tokens/{token}/revoke             -      x    x    x    x    x   x     x
    POST   /account/tokens/{token}/revoke             -      x    x    x    x    x   x     x
    GET    /people                                    -      .    .    .    .    x   .     .
    POST   /people                                    -      .    .    .    .    x   .     .
    GET    /people/{user}                             -      .    .    .    .    x   .     .
    GET    /people/{user}/edit                        -      .    .    .    .    x   .     .
    POST   /people/{user}/edit                        -      .    .    .    .    x   .     .
    POST   /people/{user}/unlock                      -      .    .    .    .    x   .     .
    GET    /people/{user}/sessions/revoke             -      .    .    .    .    x   .     .
    POST   /people/{user}/sessions/revoke             -      .    .    .    .    x   .     .
    GET    /teams                                     -      x    x    x    x    x   x     x
    POST   /teams                                     -      .    .    .    .    x   .     .
    GET    /teams/{team}                              -      x    x    x    x    x   .     .
    POST   /teams/{team}                              -      .    .    .    .    x   .     .
    GET    /teams/{team}/remove                       -      .    .    .    .    x   .     .
    POST   /teams/{team}/remove                       -      .    .    .    .    x   .     .
    GET    /settings                                  -      .    .    .    .    x   .     .
    GET    /brake                                     -      x    x    x    x    x   x     x
    POST   /brake                                     -      .    x    .    x    x   x     x
    ");
}
