//! The same switchover by hand: Kafka's own tools, Connect's REST and MirrorMaker's synced offsets.

use std::{
    collections::BTreeMap,
    fmt::Write,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use muster_lab::{
    Address, AddressBook, Connect, Direction, EU_CENTRAL, EU_WEST, FlowDescription, WaitBound,
    address_book_path, jars, wait_until,
};
use serde_json::json;

use super::{
    LAGGING,
    stage::{PAIR, Stage},
    verdict::{Verdict, judge},
};
use crate::official::Tools;

const SCOPE: [&str; 6] =
    ["--topic", "orders.", "--topic", "payments.", "--resource-pattern-type", "prefixed"];
const PATTERN: &str = r"orders\..*|payments\..*";
const GROUPS: [&str; 3] = ["billing", "shipping", LAGGING];
const PRODUCER: &str = "User:app-orders";
/// As long as Muster's plan lets groups read to the end.
const GROUP_DRAIN: Duration = Duration::from_secs(5);
/// `emit.checkpoints.interval.seconds` and `sync.group.offsets.interval.seconds` of the lab.
const SYNC_INTERVALS: Duration = Duration::from_secs(4);
/// Of anything that is waited for.
const BOUND: Duration = Duration::from_secs(180);
const REST: WaitBound = WaitBound { within: BOUND, every: Duration::from_millis(200) };

/// Numbers by their first columns: ends by topic and partition, positions by group, topic and partition.
type Rows = BTreeMap<Vec<String>, i64>;

/// Answers with the verdict and what was done when.
pub(super) async fn measure(warm_up: Duration) -> Result<(Verdict, String)> {
    let mut stage = Stage::start().await?;
    let hands = Hands::of(&stage).await?;
    tokio::time::sleep(warm_up.saturating_sub(stage.since.elapsed())).await;
    let mut story = Story { began: Instant::now(), text: String::new() };
    hands.carry_out(&mut story).await?;
    let total = story.began.elapsed();
    Ok((judge(&mut stage, total).await?, story.text))
}

struct Story {
    began: Instant,
    text: String,
}

impl Story {
    fn did(&mut self, what: &str) -> Result<()> {
        writeln!(self.text, "{:>6} ms  {what}", self.began.elapsed().as_millis())?;
        Ok(())
    }
}

struct Hands {
    west: Tools,
    central: Tools,
    forth: FlowDescription,
    back: FlowDescription,
    /// Where applications look.
    book: std::path::PathBuf,
    there: AddressBook,
}

impl Hands {
    async fn of(stage: &Stage) -> Result<Self> {
        let lab = stage.lab.describe();
        let (jars, properties) = (jars::fetch_jars().await?, stage.lab.admin_properties()?);
        let tools =
            |name| -> Result<Tools> { Ok(Tools::new(&jars, &lab.cluster(name)?.bootstrap, &properties)) };
        Ok(Self {
            west: tools(EU_WEST)?,
            central: tools(EU_CENTRAL)?,
            forth: lab.flow(PAIR, Direction::WestToCentral)?.clone(),
            back: lab.flow(PAIR, Direction::CentralToWest)?.clone(),
            book: address_book_path(&lab.dir, PAIR),
            there: AddressBook::all_on(lab, PAIR, EU_CENTRAL)?,
        })
    }

    async fn carry_out(&self, story: &mut Story) -> Result<()> {
        let deny = ["--add", "--deny-principal", "User:*", "--operation", "Write"];
        self.west.acls(&[&deny[..], &SCOPE[..]].concat()).await?;
        story.did("writes are denied on the old side")?;
        stand_still(&self.west, Duration::ZERO, ends_of).await?;
        story.did("its ends stand still")?;
        let ends = stand_still(&self.central, Duration::ZERO, ends_of).await?;
        story.did("the ends of the new side stand still")?;
        self.drain_groups().await?;
        story.did("groups had their time to read to the end")?;
        self.stop_consumers()?;
        story.did("consumers are stopped")?;
        stand_still(&self.central, SYNC_INTERVALS, positions_of).await?;
        story.did("MirrorMaker's synced positions stand still")?;
        ask_all(&self.forth, "stop", "STOPPED").await?;
        story.did("replication is stopped")?;
        let grant = ["--add", "--allow-principal", PRODUCER, "--operation", "Write"];
        self.central.acls(&[&grant[..], &SCOPE[..]].concat()).await?;
        story.did("writes are granted on the new side")?;
        let book = AddressBook::read(&self.book)?;
        AddressBook { producers: self.there.producers.clone(), ..book }.write(&self.book)?;
        self.there.write(&self.book)?;
        story.did("producers, then consumers are sent to the new side")?;
        let grant = ["--remove", "--force", "--allow-principal", PRODUCER, "--operation", "Write"];
        self.west.acls(&[&grant[..], &SCOPE[..]].concat()).await?;
        let deny = ["--remove", "--force", "--deny-principal", "User:*", "--operation", "Write"];
        self.west.acls(&[&deny[..], &SCOPE[..]].concat()).await?;
        story.did("the fence of the old side is a missing grant")?;
        self.begin_back_at(&ends).await?;
        ask_all(&self.back, "resume", "RUNNING").await?;
        story.did("the way back runs")
    }

    /// Until no group lags, or they had their time.
    async fn drain_groups(&self) -> Result<()> {
        let began = Instant::now();
        loop {
            let lags = rows_of_groups(&self.west.describe_all_groups().await?.printed, 5);
            if lags.values().all(|lag| *lag == 0) || began.elapsed() > GROUP_DRAIN {
                return Ok(());
            }
        }
    }

    /// Applications know one way to be told: the address book. Nobody listens at this address.
    fn stop_consumers(&self) -> Result<()> {
        let mut book = AddressBook::read(&self.book)?;
        let nowhere = vec!["127.0.0.1:1".to_owned()];
        book.consumers = Address { cluster: "nowhere".to_owned(), bootstrap: nowhere, ..book.consumers };
        book.write(&self.book)
    }

    /// Without this everything that was replicated would be copied back.
    async fn begin_back_at(&self, ends: &Rows) -> Result<()> {
        let mut offsets = Vec::new();
        for (place, end) in ends.iter().filter(|(_, end)| **end > 0) {
            let [topic, partition] = place.as_slice() else { continue };
            let partition: i32 = partition.parse().context("a partition's number")?;
            let partition = json!({"cluster": EU_CENTRAL, "topic": topic, "partition": partition});
            offsets.push(json!({"partition": partition, "offset": {"offset": end - 1}}));
        }
        let url = format!("{}/connectors/{}/offsets", self.back.connect_url, self.back.source_connector);
        let http = reqwest::Client::builder().no_proxy().build()?;
        let answer = http.patch(url).json(&json!({"offsets": offsets})).timeout(BOUND).send().await?;
        ensure!(answer.status().is_success(), "offsets of the way back: {}", answer.text().await?);
        Ok(())
    }
}

/// Looks until two looks, at least so far apart, show the same.
async fn stand_still(
    tools: &Tools,
    apart: Duration,
    look: impl AsyncFn(&Tools) -> Result<Rows>,
) -> Result<Rows> {
    let began = Instant::now();
    let mut before = look(tools).await?;
    let mut looked = Instant::now();
    while began.elapsed() < BOUND {
        tokio::time::sleep(apart.saturating_sub(looked.elapsed())).await;
        let now = look(tools).await?;
        if now == before && !now.is_empty() {
            return Ok(now);
        }
        (before, looked) = (now, Instant::now());
    }
    anyhow::bail!("does not stand still: {before:?}")
}

async fn ends_of(tools: &Tools) -> Result<Rows> {
    let printed = tools.get_offsets_of(PATTERN).await?.printed;
    let row = |line: &str| {
        let mut cells: Vec<String> = line.split(':').map(str::to_owned).collect();
        let end = cells.pop()?.parse().ok()?;
        Some((cells, end))
    };
    Ok(printed.lines().filter_map(row).collect())
}

async fn positions_of(tools: &Tools) -> Result<Rows> {
    Ok(rows_of_groups(&tools.describe_all_groups().await?.printed, 3))
}

/// Group, topic and partition with one column of `--describe`: 3 is the position, 5 the lag. `-` counts as nothing known.
fn rows_of_groups(printed: &str, column: usize) -> Rows {
    let row = |line: &str| {
        let cells: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let number = cells.get(column)?.parse().unwrap_or(-1);
        GROUPS.contains(&cells.first()?.as_str()).then(|| (cells[..3].to_vec(), number))
    };
    printed.lines().filter_map(row).collect()
}

async fn ask_all(flow: &FlowDescription, verb: &str, wanted: &str) -> Result<()> {
    let connect = Connect::new(&flow.connect_url)?;
    let names = [&flow.checkpoint_connector, &flow.source_connector, &flow.heartbeat_connector];
    for name in names {
        connect.ask(name, verb).await?;
    }
    for name in names {
        wait_until(&format!("{name} to be {wanted}"), REST, || async {
            Ok((connect.states(name).await?.0 == wanted).then_some(()))
        })
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::rows_of_groups;

    #[test]
    fn only_the_pairs_groups_are_read_and_an_unknown_lag_is_no_zero() {
        let printed = "\nGROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID\n\
                       billing orders.placed 0 10 12 2 id /127.0.0.1 app\n\
                       fraud orders.placed 1 - 12 - - - -\n\
                       audit-log clicks.page 0 1 1 0 - - -\n";
        let lags: Vec<i64> = rows_of_groups(printed, 5).into_values().collect();
        assert_eq!(lags, [2, -1]);
    }
}
