//! Who to ask: any broker, one broker, every broker, the leader, the coordinator. One [`Call`] per verb carries its
//! deadline, what was tried (for errors) and whether it changes anything (then the cluster id is checked first).

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kafka_protocol::{
    messages::{MetadataRequest, MetadataResponse},
    protocol::Request,
};
use muster_domain::cluster::{Broker, Cluster, ClusterDescription, ClusterSecrets};

use crate::{
    asking::{coordinators::Coordinators, leaders::Leaders, patience::Patience},
    connecting::{
        closings::Closings,
        connection::Connection,
        dial::Dialer,
        pool::{Address, Pool, lock},
        transport::Deadline,
    },
    error::{KafkaError, KafkaErrorKind},
    options::ClientOptions,
};

/// Metadata by topic id begins at 12 and without cluster id ends at 1; all in between is by name.
const METADATA_CAP: i16 = 12;

/// One cluster as one principal reaches it.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) name: String,
    expected_cluster_id: Option<String>,
    pub(crate) options: ClientOptions,
    pool: Pool,
    view: Mutex<Option<Arc<View>>>,
    /// Whether the view names a broker that gave no answer: whoever needs it next asks again.
    doubted: AtomicBool,
    pub(crate) leaders: Leaders,
    pub(crate) coordinators: Coordinators,
}

/// The cluster as Metadata last described it.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) description: ClusterDescription,
    addresses: BTreeMap<i32, Address>,
}

/// Whom to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Whoever answers.
    Any,
    /// This broker.
    Node(i32),
}

/// Whether a call changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Look,
    Change,
}

/// One verb under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) router: &'a Router,
    what: &'a str,
    effect: Effect,
    deadline: Deadline,
}

impl Router {
    /// As Muster's own principal.
    pub(crate) fn new(cluster: &Cluster, secrets: &ClusterSecrets, options: ClientOptions) -> Self {
        Self::with_dialer(cluster, Dialer::new(cluster, secrets, options), options)
    }

    /// As somebody else.
    pub(crate) fn with_dialer(cluster: &Cluster, dialer: Dialer, options: ClientOptions) -> Self {
        Self {
            name: cluster.name.to_string(),
            expected_cluster_id: cluster.expected_cluster_id.clone(),
            options,
            pool: Pool::new(dialer, cluster.bootstrap.clone()),
            view: Mutex::default(),
            doubted: AtomicBool::new(false),
            leaders: Leaders::default(),
            coordinators: Coordinators::default(),
        }
    }

    /// How connections are made.
    pub(crate) fn dialer(&self) -> &Dialer {
        self.pool.dialer()
    }

    /// Tells of its connections that the other side closes from now on.
    pub(crate) fn closings(&self) -> Closings {
        self.pool.closings()
    }

    /// A call that only reads.
    pub(crate) fn look<'a>(&'a self, what: &'a str) -> Call<'a> {
        Call {
            router: self,
            what,
            effect: Effect::Look,
            deadline: Deadline::after(self.options.call_deadline()),
        }
    }

    /// A call that changes something: every connection it uses is checked to be the right cluster first.
    pub(crate) fn change<'a>(&'a self, what: &'a str) -> Call<'a> {
        Call { effect: Effect::Change, ..self.look(what) }
    }

    /// A broker gave no answer: it is no longer taken for the controller or a coordinator without asking the cluster again.
    /// The next attempt may find another there, and must not wait for this one as long as it hangs.
    fn doubt(&self, node: i32) {
        self.doubted.store(true, Ordering::Relaxed);
        self.coordinators.forget_those_at(node);
    }
}

impl<'a> Call<'a> {
    /// The same call with its own bound, when the caller gave one.
    pub(crate) fn within(self, bound_ms: u64) -> Self {
        Self { deadline: Deadline::after(Duration::from_millis(bound_ms)), ..self }
    }

    /// Time left.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.left()
    }

    /// The deadline itself.
    pub(crate) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// An error of this call.
    pub(crate) fn fail(&self, node: Option<i32>, kind: KafkaErrorKind) -> KafkaError {
        KafkaError { cluster: self.router.name.clone(), call: self.what.to_owned(), node, kind }
    }

    /// Time is up.
    pub(crate) fn timed_out(&self) -> KafkaError {
        self.fail(None, KafkaErrorKind::Timeout(self.deadline.bound_ms()))
    }

    /// Sends one request, in the newest common version up to `cap`, and answers the version used, too.
    ///
    /// A look is tried once more on a new connection when the old one broke. A change is not: it may have been
    /// carried out, and the caller looks before acting again.
    pub(crate) async fn send<R: Request>(
        &self,
        target: Target,
        cap: Option<i16>,
        build: impl Fn(i16) -> R,
    ) -> Result<(R::Response, i16), KafkaError> {
        let first = self.send_once(target, cap, &build).await;
        if let (Target::Node(node), Err(error)) = (target, &first)
            && matches!(error.kind, KafkaErrorKind::Connection(_) | KafkaErrorKind::Timeout(_))
        {
            self.router.doubt(node);
        }
        match first {
            Err(error)
                if self.effect == Effect::Look && matches!(error.kind, KafkaErrorKind::Connection(_)) =>
            {
                self.refresh_view().await?;
                self.send_once(target, cap, &build).await
            }
            result => result,
        }
    }

    async fn send_once<R: Request>(
        &self,
        target: Target,
        cap: Option<i16>,
        build: &impl Fn(i16) -> R,
    ) -> Result<(R::Response, i16), KafkaError> {
        let node = match target {
            Target::Any => None,
            Target::Node(id) => Some(id),
        };
        let attempt = async {
            let connection = self.connect(target).await?;
            let versions = connection.versions().ok_or_else(not_negotiated)?;
            let version = versions.pick::<R>(cap)?;
            if self.effect == Effect::Change {
                self.check_identity(&connection).await?;
            }
            let answer = connection.call(version, &build(version), self.deadline);
            Ok((answer.await?, version))
        };
        attempt.await.map_err(|kind| self.fail(node, kind))
    }

    /// Whether that broker knows the request in at least that version.
    pub(crate) async fn reaches<R: Request>(&self, target: Target, version: i16) -> Result<bool, KafkaError> {
        let connection = self.connect(target).await.map_err(|kind| self.fail(None, kind))?;
        Ok(connection.versions().is_some_and(|known| known.reaches::<R>(version)))
    }

    async fn connect(&self, target: Target) -> Result<Connection, KafkaErrorKind> {
        match target {
            Target::Any => self.connect_any().await,
            Target::Node(id) => {
                let view = self.view_kind().await?;
                let address = view.addresses.get(&id).ok_or_else(|| {
                    KafkaErrorKind::Connection(format!("broker {id} is not among the cluster's brokers"))
                })?;
                self.router.pool.node(id, address, self.deadline).await
            }
        }
    }

    async fn connect_any(&self) -> Result<Connection, KafkaErrorKind> {
        let known = lock(&self.router.view).clone();
        let none = BTreeMap::new();
        self.router.pool.any(known.as_ref().map_or(&none, |view| &view.addresses), self.deadline).await
    }

    /// Invariant 4: the id is read on the very connection that will carry the change, once per connection.
    async fn check_identity(&self, connection: &Connection) -> Result<(), KafkaErrorKind> {
        let Some(expected) = &self.router.expected_cluster_id else {
            return Err(KafkaErrorKind::UnknownCluster);
        };
        let found = connection
            .cluster_id()
            .get_or_try_init(|| async {
                let answer = ask_brokers(connection, self.deadline).await?;
                Ok(answer.cluster_id.map(|id| id.to_string()).unwrap_or_default())
            })
            .await?;
        if found == expected {
            return Ok(());
        }
        Err(KafkaErrorKind::WrongCluster { expected: expected.clone(), found: found.clone() })
    }

    /// The cluster as last described, asked for when never described.
    pub(crate) async fn view(&self) -> Result<Arc<View>, KafkaError> {
        self.view_kind().await.map_err(|kind| self.fail(None, kind))
    }

    /// The cluster as it is now. Calls to every broker need this: a broker that just joined counts.
    pub(crate) async fn refresh_view(&self) -> Result<Arc<View>, KafkaError> {
        let fresh = match self.fetch_view().await {
            // The open connection was a dead one; the next is dialled.
            Err(KafkaErrorKind::Connection(_)) => self.fetch_view().await,
            result => result,
        };
        fresh.map_err(|kind| self.fail(None, kind))
    }

    async fn view_kind(&self) -> Result<Arc<View>, KafkaErrorKind> {
        let known = lock(&self.router.view).clone();
        match known {
            Some(view) if !self.router.doubted.swap(false, Ordering::Relaxed) => Ok(view),
            Some(_) | None => self.fetch_view().await,
        }
    }

    async fn fetch_view(&self) -> Result<Arc<View>, KafkaErrorKind> {
        let connection = self.connect_any().await?;
        let answer = ask_brokers(&connection, self.deadline).await?;
        let view = Arc::new(read_view(&answer)?);
        // The answer is first-hand, so it also serves the identity check of later changes on this connection.
        let id = view.description.cluster_id.clone();
        connection.cluster_id().get_or_init(|| async { id }).await;
        self.router.pool.adopt(&view.addresses);
        *lock(&self.router.view) = Some(Arc::clone(&view));
        Ok(view)
    }

    /// The controller if there is one, else whoever answers and forwards.
    pub(crate) async fn controller(&self) -> Result<Target, KafkaError> {
        Ok(self.view().await?.description.controller.map_or(Target::Any, Target::Node))
    }

    /// Ids of all brokers there are now.
    pub(crate) async fn every_broker(&self) -> Result<Vec<i32>, KafkaError> {
        Ok(self.refresh_view().await?.description.brokers.iter().map(|broker| broker.id).collect())
    }

    /// How to wait between attempts of this call.
    pub(crate) fn patience(&self) -> Patience<'a> {
        Patience::new(*self)
    }
}

async fn ask_brokers(
    connection: &Connection,
    deadline: Deadline,
) -> Result<MetadataResponse, KafkaErrorKind> {
    let version =
        connection.versions().ok_or_else(not_negotiated)?.pick::<MetadataRequest>(Some(METADATA_CAP))?;
    let request =
        MetadataRequest::default().with_topics(Some(Vec::new())).with_allow_auto_topic_creation(false);
    connection.call(version, &request, deadline).await
}

fn read_view(answer: &MetadataResponse) -> Result<View, KafkaErrorKind> {
    let mut brokers = Vec::with_capacity(answer.brokers.len());
    for broker in &answer.brokers {
        let port = u16::try_from(broker.port).map_err(|_| {
            KafkaErrorKind::Protocol(format!("broker {} has port {}", broker.node_id.0, broker.port))
        })?;
        let rack = broker.rack.as_ref().map(|rack| rack.to_string());
        brokers.push(Broker { id: broker.node_id.0, host: broker.host.to_string(), port, rack });
    }
    brokers.sort_by_key(|broker| broker.id);
    let addresses = brokers.iter().map(|broker| (broker.id, (broker.host.clone(), broker.port))).collect();
    let controller = Some(answer.controller_id.0).filter(|id| brokers.iter().any(|broker| broker.id == *id));
    let cluster_id = answer.cluster_id.as_ref().map(|id| id.to_string()).unwrap_or_default();
    Ok(View { description: ClusterDescription { cluster_id, controller, brokers }, addresses })
}

fn not_negotiated() -> KafkaErrorKind {
    KafkaErrorKind::Protocol("the connection has not negotiated versions".to_owned())
}
