//! Reading what brokers are set to that clients feel: of one broker of each side, and only now and then. Most of it changes with a
//! restart at most, and in between the survey says what was read last, with when that was.

use chrono::{TimeDelta, Utc};
use muster_domain::{
    difference::BROKER_SETTINGS,
    pair::{BySide, Side},
    reading::Observed,
    survey::{BrokerSettings, Survey},
};
use muster_kafka::ClusterAdmin;

use crate::clients::PairClients;

/// Surveys from one reading to the next: about a minute.
const EVERY: i64 = 12;
/// For so long what was told stands while brokers that are asked do not tell.
const STANDS: TimeDelta = TimeDelta::minutes(10);

/// What came of both sides; `None` of one that does not answer, or is not the cluster it should be: then the survey says so already.
#[derive(Debug)]
pub struct BrokersRead(BySide<Option<Observed<BrokerSettings>>>);

impl BrokersRead {
    /// Adds it to the survey it was asked for.
    pub fn add_to(self, survey: &mut Survey) {
        let BySide { a, b } = self.0;
        for (side, read) in [(Side::A, a), (Side::B, b)] {
            if let Some(read) = read {
                survey.sides.get_mut(side).brokers = read;
            }
        }
    }
}

/// Asks what brokers are set to, for a survey. `previous` is the one before: what it says stands until its turn comes again, or the
/// broker it is of is gone. Who is asked is decided here and now: the survey is free for others while brokers answer.
pub fn ask_brokers<'c>(
    clients: &'c PairClients,
    survey: &Survey,
    previous: Option<&Survey>,
) -> impl Future<Output = BrokersRead> + use<'c> {
    let [a, b] = Side::BOTH.map(|side| turn(clients, side, survey, previous));
    async move {
        let (a, b) = tokio::join!(of_side(clients, Side::A, a), of_side(clients, Side::B, b));
        BrokersRead(BySide { a, b })
    }
}

/// What is done for one side.
enum Turn {
    /// It is not asked: this stands, or says why.
    Told(Observed<BrokerSettings>),
    /// This broker is asked. What was told before stands if it does not tell.
    Ask(i32, Option<Observed<BrokerSettings>>),
}

fn turn(clients: &PairClients, side: Side, survey: &Survey, previous: Option<&Survey>) -> Option<Turn> {
    let there = brokers(clients, side, survey)?;
    let was_asked = |previous: &&Survey| brokers(clients, side, previous).is_some_and(|all| !all.is_empty());
    let last = previous.filter(was_asked).map(|previous| &previous.sides.get(side).brokers);
    let known = last.and_then(Observed::value);
    let is_gone = known.is_some_and(|known| known.unanswered.is_none() && !there.contains(&known.broker));
    if let Some(last) = last
        && survey.number % EVERY != 0
        && !is_gone
    {
        return Some(Turn::Told(last.clone()));
    }
    let broker = match known {
        Some(BrokerSettings { unanswered: Some(silent), .. }) => next(&there, *silent),
        Some(known) if there.contains(&known.broker) => Some(known.broker),
        Some(_) | None => in_turn(&there, survey.number),
    };
    Some(match broker {
        None => Turn::Told(Observed::unknown("the cluster names no broker to ask", Utc::now())),
        Some(broker) => Turn::Ask(broker, last.filter(|last| last.value().is_some()).cloned()),
    })
}

/// Ids of the brokers of a side, in order; `None` where it does not answer, or is not the cluster it should be.
fn brokers(clients: &PairClients, side: Side, survey: &Survey) -> Option<Vec<i32>> {
    let cluster = survey.sides.get(side).cluster.value()?;
    let expected = clients.clusters.get(side).expected_cluster_id.as_deref();
    if expected.is_some_and(|expected| expected != cluster.cluster_id) {
        return None;
    }
    let mut ids: Vec<i32> = cluster.brokers.iter().map(|broker| broker.id).collect();
    ids.sort_unstable();
    Some(ids)
}

/// The one after a broker that did not tell.
fn next(there: &[i32], silent: i32) -> Option<i32> {
    there.iter().copied().find(|broker| *broker > silent).or_else(|| there.first().copied())
}

/// Where none is known to tell: at each turn another.
fn in_turn(there: &[i32], survey: i64) -> Option<i32> {
    let turn = usize::try_from(survey / EVERY).unwrap_or_default();
    there.get(turn.checked_rem(there.len())?).copied()
}

async fn of_side(clients: &PairClients, side: Side, turn: Option<Turn>) -> Option<Observed<BrokerSettings>> {
    Some(match turn? {
        Turn::Told(told) => told,
        Turn::Ask(broker, told) => ask(clients.admin.get(side).as_ref(), broker, told).await,
    })
}

async fn ask(
    admin: &dyn ClusterAdmin,
    broker: i32,
    told: Option<Observed<BrokerSettings>>,
) -> Observed<BrokerSettings> {
    let answer = admin.broker_configs(broker).await;
    let now = Utc::now();
    match (answer, told.filter(|told| now - told.at() <= STANDS)) {
        (Ok(all), _) => {
            let settings =
                all.into_iter().filter(|(key, _)| BROKER_SETTINGS.contains(&key.as_str())).collect();
            Observed::known(BrokerSettings { broker, settings, unanswered: None }, now)
        }
        (Err(e), Some(told)) => {
            tracing::info!(cluster.name = admin.cluster(), cause = %e, "broker {broker} of `{}` did not tell its settings; what was told before stands for {} min, and another is asked at the next turn", admin.cluster(), STANDS.num_minutes());
            told.map(|told| BrokerSettings { unanswered: Some(broker), ..told })
        }
        (Err(e), None) => Observed::unknown(e.to_string(), now),
    }
}
