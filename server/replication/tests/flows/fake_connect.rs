//! A Connect worker that behaves as the real one was seen to (mm2-verified 6 and 7): answers before it acts, stores
//! offsets nobody will read, calls tasks RUNNING that are not there, and has good and bad days on demand.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Path, Query, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use serde_json::{Value, json};

pub(crate) const CLUSTER_ID: &str = "lkc-target";
pub(crate) const SOURCE: &str = "orders-source";

/// A state a connector is on its way to.
type Due = (Instant, &'static str, Vec<&'static str>);

#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub(crate) state: &'static str,
    pub(crate) tasks: Vec<&'static str>,
    /// Tasks it has configs for and no status of.
    pub(crate) never_started: usize,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) task_config: BTreeMap<String, String>,
    pub(crate) offsets: Vec<(Value, Value)>,
    due: Vec<Due>,
}

/// What kind of day it is.
#[derive(Debug, Clone)]
pub(crate) struct Day {
    /// From the 204 until STOPPED.
    pub(crate) stop_takes: Duration,
    /// Its tasks do not end, and once it was seen STOPPED somebody else starts it again.
    pub(crate) meddled_with: bool,
    /// From the 202 until tasks run.
    pub(crate) resume_takes: Duration,
    /// The next requests that are not GETs are answered so.
    pub(crate) refuse: Vec<(u16, &'static str)>,
    /// Every request waits for ever.
    pub(crate) hang: bool,
    /// PATCH of a config is known (3.8 and later).
    pub(crate) knows_patch: bool,
    /// Tasks that come up fail, until a restart with onlyFailed=false.
    pub(crate) tasks_are_dead: bool,
    /// There is nothing to do for tasks (a checkpoint connector without groups).
    pub(crate) no_tasks: bool,
    /// A PATCH of offsets is answered and forgotten.
    pub(crate) loses_offsets: bool,
    /// A PATCH of offsets is carried out and answered with the 500 of a timeout.
    pub(crate) answers_late: bool,
    /// `Authorization` that is asked for.
    pub(crate) authorization: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) connectors: BTreeMap<String, Connector>,
    pub(crate) day: Day,
    pub(crate) log: Vec<String>,
    /// What each request signed in with.
    pub(crate) signed: Vec<Option<String>>,
    /// The other ends of the connections that requests came on.
    pub(crate) peers: BTreeSet<SocketAddr>,
    /// How many requests had come when the first that hangs was given up.
    pub(crate) first_given_up: Option<usize>,
}

#[derive(Clone)]
pub(crate) struct FakeConnect {
    worker: Arc<Mutex<Worker>>,
    pub(crate) url: String,
}

impl FakeConnect {
    /// A worker with a running source connector, on a port of its own.
    pub(crate) async fn start() -> Self {
        let config: BTreeMap<String, String> = [
            ("name", SOURCE),
            ("source.cluster.alias", "A"),
            ("target.cluster.alias", "B"),
            ("offset-syncs.topic.location", "target"),
            (
                "source.cluster.sasl.jaas.config",
                "ScramLoginModule required username=\"mm2\" password=\"hunter22\";",
            ),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        let connector = Connector {
            state: "RUNNING",
            never_started: 0,
            tasks: vec!["RUNNING"],
            task_config: config.clone(),
            config,
            offsets: vec![],
            due: vec![],
        };
        let day = Day {
            stop_takes: Duration::from_millis(60),
            meddled_with: false,
            resume_takes: Duration::from_millis(60),
            refuse: vec![],
            hang: false,
            knows_patch: true,
            tasks_are_dead: false,
            no_tasks: false,
            loses_offsets: false,
            answers_late: false,
            authorization: None,
        };
        let connectors = [(SOURCE.to_owned(), connector)].into();
        let worker = Arc::new(Mutex::new(Worker {
            connectors,
            day,
            log: vec![],
            signed: vec![],
            peers: BTreeSet::new(),
            first_given_up: None,
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let app = routes(Arc::clone(&worker)).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { worker, url }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Worker> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the source connector.
    pub(crate) fn source<T>(&self, change: impl FnOnce(&mut Connector) -> T) -> T {
        change(self.lock().connectors.get_mut(SOURCE).expect("the source connector"))
    }

    /// How often somebody looked at the state of a connector.
    pub(crate) fn looks(&self) -> usize {
        self.lock().log.iter().filter(|line| line.starts_with("GET") && line.ends_with("/status")).count()
    }

    /// Requests that were not GETs.
    pub(crate) fn mutations(&self) -> Vec<String> {
        self.lock().log.iter().filter(|line| !line.starts_with("GET")).cloned().collect()
    }
}

impl Connector {
    /// Lets what is due happen.
    fn settle(&mut self, day: &Day) {
        while let Some(position) = self.due.iter().position(|(at, ..)| *at <= Instant::now()) {
            let (_, state, tasks) = self.due.remove(position);
            (self.state, self.tasks) = (state, tasks);
            if state == "RUNNING" {
                self.task_config = self.config.clone();
            }
            if day.no_tasks {
                self.tasks = vec![];
            }
            if day.tasks_are_dead && state == "RUNNING" {
                self.tasks = vec!["FAILED"];
            }
        }
    }

    /// Somebody else resumes it, whatever was asked for.
    fn start_by_somebody(&mut self) {
        (self.state, self.tasks, self.due) = ("RUNNING", vec!["RUNNING"], vec![]);
    }

    /// It is on its way up.
    pub(crate) fn start_soon(&mut self) {
        self.due = vec![(Instant::now() + Duration::from_millis(100), "RUNNING", vec![])];
    }

    fn come_up(&mut self, day: &Day) {
        self.due = vec![
            (Instant::now() + day.resume_takes / 2, "RUNNING", vec!["UNASSIGNED"]),
            (Instant::now() + day.resume_takes, "RUNNING", vec!["RUNNING"]),
        ];
    }
}

type Shared = Arc<Mutex<Worker>>;

fn routes(worker: Shared) -> Router {
    Router::new()
        .route(
            "/",
            get(|| async {
                Json(json!({"version": "4.3.1", "commit": "x", "kafka_cluster_id": CLUSTER_ID}))
            }),
        )
        .route("/connectors", post(create))
        .route("/connectors/{name}/status", get(status))
        .route("/connectors/{name}/config", get(config).put(put_config).patch(patch_config))
        .route("/connectors/{name}/tasks", get(tasks))
        .route("/connectors/{name}/stop", put(stop))
        .route("/connectors/{name}/resume", put(resume))
        .route("/connectors/{name}/restart", post(restart))
        .route("/connectors/{name}/offsets", get(offsets).patch(patch_offsets).delete(delete_offsets))
        .layer(from_fn_with_state(Arc::clone(&worker), day))
        .with_state(worker)
}

fn say(status: u16, message: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, Json(json!({"error_code": status.as_u16(), "message": message}))).into_response()
}

fn lock(worker: &Shared) -> MutexGuard<'_, Worker> {
    worker.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request that hangs; dropped when whoever asked has gone.
struct Hanging(Shared);

impl Drop for Hanging {
    fn drop(&mut self) {
        let mut worker = lock(&self.0);
        let asked = worker.log.len();
        worker.first_given_up.get_or_insert(asked);
    }
}

/// The day's moods, before any handler.
async fn day(State(worker): State<Shared>, request: Request, next: Next) -> Response {
    let mood = {
        let mut worker = lock(&worker);
        let line = format!("{} {}", request.method(), request.uri());
        worker.log.push(line);
        worker.peers.extend(request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0));
        let asked =
            request.headers().get("authorization").and_then(|value| value.to_str().ok().map(str::to_owned));
        worker.signed.push(asked.clone());
        if worker.day.hang {
            None
        } else if worker.day.authorization.is_some() && worker.day.authorization != asked {
            Some(Some(say(401, "User cannot access the resource.")))
        } else if request.method() != "GET" && !worker.day.refuse.is_empty() {
            let (status, message) = worker.day.refuse.remove(0);
            Some(Some(say(status, message)))
        } else {
            Some(None)
        }
    };
    match mood {
        None => {
            let _until_given_up = Hanging(worker);
            std::future::pending().await
        }
        Some(Some(refusal)) => refusal,
        Some(None) => next.run(request).await,
    }
}

fn with(worker: &Shared, name: &str, work: impl FnOnce(&mut Connector, &mut Day) -> Response) -> Response {
    let worker = &mut *lock(worker);
    let day = &mut worker.day;
    match worker.connectors.get_mut(name) {
        Some(connector) => {
            connector.settle(day);
            work(connector, day)
        }
        None => say(404, &format!("Connector {name} not found")),
    }
}

async fn status(State(worker): State<Shared>, Path(name): Path<String>) -> Response {
    with(&worker, &name, |connector, day| {
        let tasks = connector.tasks.iter().enumerate().map(|(id, state)| {
            let trace =
                (*state == "FAILED").then_some("ConnectException: login with hunter22 failed\n\tat …");
            json!({"id": id, "state": state, "worker_id": "w:8083", "trace": trace})
        });
        let tasks: Vec<Value> = tasks.collect();
        let state = json!({"state": connector.state, "worker_id": "w:8083"});
        if day.meddled_with && connector.state == "STOPPED" {
            connector.start_by_somebody();
        }
        Json(json!({"name": name, "connector": state, "tasks": tasks, "type": "source"})).into_response()
    })
}

async fn config(State(worker): State<Shared>, Path(name): Path<String>) -> Response {
    with(&worker, &name, |connector, _| Json(&connector.config).into_response())
}

async fn tasks(State(worker): State<Shared>, Path(name): Path<String>) -> Response {
    with(&worker, &name, |connector, _| {
        let given = 0..connector.tasks.len() + connector.never_started;
        let configs = given.map(|_| json!({"id": {}, "config": connector.task_config}));
        Json(configs.collect::<Vec<_>>()).into_response()
    })
}

async fn put_config(
    State(worker): State<Shared>,
    Path(name): Path<String>,
    Json(config): Json<BTreeMap<String, String>>,
) -> Response {
    with(&worker, &name, |connector, day| {
        connector.config = config;
        if connector.state == "RUNNING" {
            connector.come_up(day);
        }
        StatusCode::OK.into_response()
    })
}

async fn patch_config(
    State(worker): State<Shared>,
    Path(name): Path<String>,
    Json(changes): Json<BTreeMap<String, Option<String>>>,
) -> Response {
    with(&worker, &name, |connector, day| {
        if !day.knows_patch {
            return say(405, "HTTP 405 Method Not Allowed");
        }
        for (key, value) in changes {
            match value {
                Some(value) => connector.config.insert(key, value),
                None => connector.config.remove(&key),
            };
        }
        if connector.state == "RUNNING" {
            connector.come_up(day);
        }
        StatusCode::OK.into_response()
    })
}

async fn stop(State(worker): State<Shared>, Path(name): Path<String>) -> Response {
    with(&worker, &name, |connector, day| {
        if connector.state != "STOPPED" {
            let tasks = connector.tasks.clone();
            connector.due = vec![
                (Instant::now() + day.stop_takes / 2, "STOPPED", tasks),
                (Instant::now() + day.stop_takes, "STOPPED", vec![]),
            ];
            if day.meddled_with {
                connector.due.pop();
            }
        }
        StatusCode::NO_CONTENT.into_response()
    })
}

async fn resume(State(worker): State<Shared>, Path(name): Path<String>) -> Response {
    with(&worker, &name, |connector, day| {
        if connector.state != "RUNNING" {
            connector.come_up(day);
        }
        StatusCode::ACCEPTED.into_response()
    })
}

async fn restart(
    State(worker): State<Shared>,
    Path(name): Path<String>,
    Query(options): Query<BTreeMap<String, String>>,
) -> Response {
    with(&worker, &name, |connector, day| {
        if options.get("onlyFailed").map(String::as_str) == Some("false") {
            day.tasks_are_dead = false;
            connector.come_up(day);
        }
        StatusCode::ACCEPTED.into_response()
    })
}

async fn create(State(worker): State<Shared>, Json(body): Json<Value>) -> Response {
    let name = body["name"].as_str().unwrap_or_default().to_owned();
    let mut worker = lock(&worker);
    if worker.connectors.contains_key(&name) {
        return say(409, &format!("Connector {name} already exists"));
    }
    let config: BTreeMap<String, String> = serde_json::from_value(body["config"].clone()).unwrap_or_default();
    let state = if body["initial_state"] == "STOPPED" { "STOPPED" } else { "RUNNING" };
    let connector = Connector {
        state,
        tasks: vec![],
        never_started: 0,
        task_config: config.clone(),
        config,
        offsets: vec![],
        due: vec![],
    };
    worker.connectors.insert(name, connector);
    StatusCode::CREATED.into_response()
}

async fn offsets(State(worker): State<Shared>, Path(name): Path<String>) -> Response {
    with(&worker, &name, |connector, _| {
        let entries = connector.offsets.iter().map(|(p, o)| json!({"partition": p, "offset": o}));
        Json(json!({"offsets": entries.collect::<Vec<_>>()})).into_response()
    })
}

async fn patch_offsets(
    State(worker): State<Shared>,
    Path(name): Path<String>,
    Json(body): Json<Value>,
) -> Response {
    with(&worker, &name, |connector, day| {
        if connector.state != "STOPPED" || !connector.tasks.is_empty() {
            return say(400, "Connectors must be in the STOPPED state before their offsets can be modified.");
        }
        let entries = body["offsets"].as_array().cloned().unwrap_or_default();
        if entries.is_empty() {
            return say(400, "Partitions / offsets need to be provided");
        }
        // Invalid values are a 500; a wrong alias or an extra key is stored without a word.
        let value = |entry: &Value| entry["offset"]["offset"].as_i64();
        if entries
            .iter()
            .any(|entry| !entry["offset"].is_null() && value(entry).is_none_or(|offset| offset < 0))
        {
            return say(500, "The 'offset' in the offsets must be a non-negative number");
        }
        for entry in entries {
            if day.loses_offsets {
                break;
            }
            connector.offsets.retain(|(partition, _)| *partition != entry["partition"]);
            if !entry["offset"].is_null() {
                connector.offsets.push((entry["partition"].clone(), entry["offset"].clone()));
            }
        }
        if day.answers_late {
            return say(500, "Request timed out");
        }
        Json(json!({"message": "The offsets for this connector have been altered successfully"}))
            .into_response()
    })
}

async fn delete_offsets(State(worker): State<Shared>, Path(name): Path<String>) -> Response {
    with(&worker, &name, |connector, _| {
        connector.offsets.clear();
        StatusCode::OK.into_response()
    })
}
