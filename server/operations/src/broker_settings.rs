//! Reading what brokers are set to that clients feel: of one broker of each side, and only now and then. Most of it changes with a
//! restart at most, and in between the survey says what was read last, with when that was.

use chrono::Utc;
use muster_domain::{
    difference::BROKER_SETTINGS,
    pair::Side,
    reading::Observed,
    survey::{BrokerSettings, Survey},
};

use crate::clients::PairClients;

/// Surveys from one reading to the next: about a minute.
const EVERY: i64 = 12;

/// Adds to a survey what brokers are set to. `previous` is the one before: what it says stands until its turn comes again, or the
/// broker it is of is gone.
pub async fn read_broker_settings(clients: &PairClients, survey: &mut Survey, previous: Option<&Survey>) {
    let (a, b) = tokio::join!(
        of_side(clients, Side::A, survey, previous),
        of_side(clients, Side::B, survey, previous),
    );
    for (side, read) in [(Side::A, a), (Side::B, b)] {
        if let Some(read) = read {
            survey.sides.get_mut(side).brokers = read;
        }
    }
}

/// `None` for a side that does not answer, or is not the cluster it should be: then the survey says so already.
async fn of_side(
    clients: &PairClients,
    side: Side,
    survey: &Survey,
    previous: Option<&Survey>,
) -> Option<Observed<BrokerSettings>> {
    let cluster = survey.sides.get(side).cluster.value()?;
    let expected = clients.clusters.get(side).expected_cluster_id.as_deref();
    if expected.is_some_and(|expected| expected != cluster.cluster_id) {
        return None;
    }
    let is_there = |broker: i32| cluster.brokers.iter().any(|one| one.id == broker);
    let stands = |read: &&Observed<BrokerSettings>| {
        survey.number % EVERY != 0 && read.value().is_some_and(|known| is_there(known.broker))
    };
    if let Some(read) = previous.map(|previous| &previous.sides.get(side).brokers).filter(stands) {
        return Some(read.clone());
    }
    let Some(broker) = cluster.brokers.iter().map(|broker| broker.id).min() else {
        return Some(Observed::unknown("the cluster names no broker to ask", Utc::now()));
    };
    let answer = clients.admin.get(side).broker_configs(broker).await;
    Some(match answer {
        Ok(all) => {
            let settings =
                all.into_iter().filter(|(key, _)| BROKER_SETTINGS.contains(&key.as_str())).collect();
            Observed::known(BrokerSettings { broker, settings }, Utc::now())
        }
        Err(e) => Observed::unknown(e.to_string(), Utc::now()),
    })
}
