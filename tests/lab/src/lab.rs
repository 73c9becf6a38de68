//! Starting a lab, attaching to one, and breaking its processes on purpose.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::Mutex;

use crate::control::{self, Deed};
use crate::description::{Direction, LabDescription};
use crate::java::Java;
use crate::principals::{ADMIN, Acl, MUSTER};
use crate::process::ChildProcess;
use crate::wait::{WaitBound, wait_until};
use crate::wire::{LabAdmin, NewTopic};
use crate::{broker, connect, jars, startup};

const READY_BOUND: WaitBound =
    WaitBound { within: Duration::from_secs(90), every: Duration::from_millis(50) };

/// What a lab should have.
#[derive(Debug, Clone)]
pub struct LabOptions {
    /// Where to put it; a fresh temporary directory, removed at the end, when `None`.
    pub dir: Option<PathBuf>,
    /// Connect workers and MirrorMaker connectors too (else only the two clusters).
    pub connect: bool,
    /// Workers and connectors copy exactly once; else at least once, with everything read.
    pub exactly_once: bool,
    /// More topics for both clusters: name and partitions.
    pub topics: Vec<(String, i32)>,
    /// A second worker in the group that replicates west to central ([`Direction::second_worker`]), not started yet:
    /// [`Lab::restart`] has it join. The leader of the two keeps the tasks of one that went for it this long (KIP-415). `None`: each
    /// direction has one worker, and nothing is kept.
    pub second_worker: Option<Duration>,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self { dir: None, connect: true, exactly_once: true, topics: Vec::new(), second_worker: None }
    }
}

/// A running lab: started by this process, or attached to.
///
/// Dropping a lab that this process started kills its processes. Process names are `eu-west`, `eu-central`,
/// `connect-eu-west` and `connect-eu-central` (a worker is named after its target cluster), and `connect-eu-central-2` where asked for.
#[derive(Debug)]
pub struct Lab {
    description: LabDescription,
    java: Java,
    hands: Hands,
}

#[derive(Debug)]
enum Hands {
    /// This process is the parent of the lab's processes.
    Own { members: Mutex<BTreeMap<String, Member>>, remove_dir: bool },
    /// Another process is; it does what is asked through its control socket.
    Ask,
}

/// One process of the lab and how to start it again.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) log: PathBuf,
    pub(crate) ready: Ready,
    pub(crate) process: Option<ChildProcess>,
}

/// How to see that a process serves.
#[derive(Debug, Clone)]
pub(crate) enum Ready {
    /// A broker answers its admin.
    Broker { bootstrap: String, password: String },
    /// A worker answers its REST.
    Worker { url: String },
}

impl Lab {
    /// Starts two clusters and, unless told otherwise, two workers and all connectors; returns when everything serves.
    ///
    /// Takes about 12 s on two cores once the jars are there. Fails with the end of the log of the process that did
    /// not come up.
    pub async fn start(options: LabOptions) -> Result<Self> {
        let jars = jars::fetch_jars().await?;
        let remove_dir = options.dir.is_none();
        let dir = options.dir.clone().unwrap_or_else(|| {
            std::env::temp_dir().join(format!("muster-lab-{}", uuid::Uuid::new_v4().simple()))
        });
        std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        let dir = dir.canonicalize()?;
        let java = Java::new(&jars, &dir)?;
        let (description, members) = startup::start_everything(&options, &dir, &java).await?;
        description.write()?;
        let members = members.into_iter().map(|member| (member.name.clone(), member)).collect();
        Ok(Self { description, java, hands: Hands::Own { members: Mutex::new(members), remove_dir } })
    }

    /// Attaches to the lab described by the `lab.json` at `path`; it keeps running when this value is dropped.
    pub async fn attach(path: &Path) -> Result<Self> {
        let description = LabDescription::read(path)?;
        let java = Java::new(&jars::fetch_jars().await?, &description.dir)?;
        let lab = Self { description, java, hands: Hands::Ask };
        lab.admin(crate::EU_WEST).await.context("the lab that MUSTER_LAB or --lab names does not answer")?;
        Ok(lab)
    }

    /// Attaches to the lab that the environment variable `MUSTER_LAB` names, else starts one.
    pub async fn attach_or_start(options: LabOptions) -> Result<Self> {
        match std::env::var_os("MUSTER_LAB") {
            Some(path) => Self::attach(Path::new(&path)).await,
            None => Self::start(options).await,
        }
    }

    /// Addresses, names, users and passwords.
    pub fn describe(&self) -> &LabDescription {
        &self.description
    }

    /// REST address of the worker that replicates in `direction`; of two, the first.
    pub fn connect_url(&self, direction: Direction) -> Result<&str> {
        let worker = self.description.workers.get(&direction.worker());
        worker.map(|worker| worker.url.as_str()).context("this lab was started without Connect")
    }

    /// A connection to `cluster` as the control plane's super user, for topics and access rules.
    pub async fn admin(&self, cluster: &str) -> Result<LabAdmin> {
        let bootstrap = &self.description.cluster(cluster)?.bootstrap;
        LabAdmin::connect(bootstrap, MUSTER, self.description.password(MUSTER)?).await
    }

    /// Creates a topic with replication factor 1 on `cluster`.
    pub async fn create_topic(&self, cluster: &str, name: &str, partitions: i32) -> Result<()> {
        self.admin(cluster).await?.create_topics(&[NewTopic { name, partitions, configs: &[] }]).await
    }

    /// Creates access rules on `cluster`.
    pub async fn create_acls(&self, cluster: &str, rules: &[Acl]) -> Result<()> {
        self.admin(cluster).await?.create_acls(rules).await
    }

    /// Runs one of Kafka's own tools and answers what it printed; bounded by 60 s.
    ///
    /// `args` are the tool's; [`Lab::admin_properties`] is a `--command-config` file for them.
    pub async fn java_tool(&self, main_class: &str, args: &[&str]) -> Result<String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        self.java.run_tool(main_class, &args, Duration::from_secs(60)).await
    }

    /// A Java client property file that signs in as the admin on either cluster.
    pub fn admin_properties(&self) -> Result<PathBuf> {
        let path = self.description.dir.join("admin.properties");
        let settings = crate::connect::sasl_settings(ADMIN, self.description.password(ADMIN)?);
        let lines: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        std::fs::write(&path, lines.concat())?;
        Ok(path)
    }

    /// Ends a process in order (SIGTERM, SIGKILL after 20 s).
    pub async fn stop(&self, process: &str) -> Result<()> {
        self.do_deed(Deed::Stop, process).await
    }

    /// Kills a process with -9.
    pub async fn kill(&self, process: &str) -> Result<()> {
        self.do_deed(Deed::Kill, process).await
    }

    /// Freezes a process: its connections stay open and nothing answers.
    pub async fn freeze(&self, process: &str) -> Result<()> {
        self.do_deed(Deed::Freeze, process).await
    }

    /// Lets a frozen process go on.
    pub async fn thaw(&self, process: &str) -> Result<()> {
        self.do_deed(Deed::Thaw, process).await
    }

    /// Starts a process again (ending it first when it runs) and waits until it serves.
    pub async fn restart(&self, process: &str) -> Result<()> {
        self.do_deed(Deed::Restart, process).await
    }

    /// Restarts the worker that replicates in `direction` so that its REST asks for this user and password; only in a lab that
    /// this process started.
    pub async fn lock_worker(&self, direction: Direction, user: &str, password: &str) -> Result<()> {
        let Hands::Own { members, .. } = &self.hands else {
            bail!("only who started the lab can have a worker ask for a password");
        };
        let name = direction.worker();
        let flag = connect::write_lock(&self.description.dir, &name, user, password)?;
        let url = self.connect_url(direction)?.replace("http://", &format!("http://{user}:{password}@"));
        let mut members = members.lock().await;
        let member = members.get_mut(&name).with_context(|| format!("no process `{name}`"))?;
        member.arguments.insert(0, flag);
        member.ready = Ready::Worker { url };
        member.do_deed(Deed::Restart).await
    }

    /// Starts the broker of `cluster` again without its authorizer (ending it first when it runs): whoever signs in may do everything
    /// there, and nobody is told any access rules. Only in a lab that this process started.
    pub async fn restart_without_authorizer(&self, cluster: &str) -> Result<()> {
        let Hands::Own { .. } = &self.hands else {
            bail!("only who started the lab can change how a broker is started");
        };
        broker::leave_out_authorizer(&self.description.dir, cluster)?;
        self.restart(cluster).await
    }

    pub(crate) async fn do_deed(&self, deed: Deed, name: &str) -> Result<()> {
        let Hands::Own { members, .. } = &self.hands else {
            return control::ask(&self.description.control_socket, deed, name).await;
        };
        let mut members = members.lock().await;
        let names = members.keys().cloned().collect::<Vec<_>>().join(", ");
        let member =
            members.get_mut(name).with_context(|| format!("no process `{name}`, there are {names}"))?;
        member.do_deed(deed).await
    }

    /// Fails when a process that nobody stopped has ended.
    pub async fn expect_running(&self) -> Result<()> {
        let Hands::Own { members, .. } = &self.hands else { return Ok(()) };
        for process in members.lock().await.values().filter_map(|member| member.process.as_ref()) {
            process.expect_running()?;
        }
        Ok(())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let Hands::Own { members, remove_dir } = &mut self.hands else { return };
        members.get_mut().clear();
        if *remove_dir && let Err(error) = std::fs::remove_dir_all(&self.description.dir) {
            tracing::warn!("could not remove {}: {error}", self.description.dir.display());
        }
    }
}

impl Member {
    async fn do_deed(&mut self, deed: Deed) -> Result<()> {
        match deed {
            Deed::Stop => self.take_process()?.stop(Duration::from_secs(20)).await,
            Deed::Kill => self.take_process()?.kill(),
            Deed::Freeze => self.running()?.freeze(),
            Deed::Thaw => self.running()?.thaw(),
            Deed::Restart => {
                if let Some(process) = self.process.take() {
                    process.stop(Duration::from_secs(20)).await?;
                }
                self.start().await
            }
        }
    }

    /// Starts the process and waits until it serves.
    pub(crate) async fn start(&mut self) -> Result<()> {
        self.process =
            Some(ChildProcess::spawn(&self.name, Path::new("java"), &self.arguments, &[], &self.log)?);
        let what = format!("{} to serve", self.name);
        let served = wait_until(&what, READY_BOUND, || self.look_whether_ready()).await;
        served.with_context(|| format!("the log of {} ends:\n{}", self.name, self.log_tail()))?;
        tracing::info!(process = %self.name, "`{}` serves", self.name);
        Ok(())
    }

    async fn look_whether_ready(&self) -> Result<Option<()>> {
        if let Some(Err(ended)) = self.process.as_ref().map(ChildProcess::expect_running) {
            // Looking again would not help, but the bound is what ends a wait; the reason is kept for the error.
            return Err(ended);
        }
        match &self.ready {
            Ready::Broker { bootstrap, password } => {
                LabAdmin::connect(bootstrap, ADMIN, password).await?.cluster_id().await?;
                Ok(Some(()))
            }
            Ready::Worker { url } => Ok(crate::Connect::new(url)?.is_ready().await?.then_some(())),
        }
    }

    fn running(&self) -> Result<&ChildProcess> {
        self.process.as_ref().with_context(|| format!("{} is not running", self.name))
    }

    fn take_process(&mut self) -> Result<ChildProcess> {
        match self.process.take() {
            Some(process) => Ok(process),
            None => bail!("{} is not running", self.name),
        }
    }

    fn log_tail(&self) -> String {
        crate::process::log_tail(&self.log, 25)
    }
}
