//! Figures of canaries: end to end, measured. A value stands only while its records arrive; the age and what is not seen go on.

use muster_domain::{
    canary::{CanaryState, Standing},
    pair::Pair,
    reading::ReadingClass,
};
use prometheus_client::registry::Registry;

use super::{
    super::{Figure, figure, seconds, set, set_known},
    Fleet,
};

pub(super) fn register(fleet: &Fleet, registry: &mut Registry) {
    let figures = Figures::new(registry);
    for (pair, standings) in &fleet.canaries {
        for standing in standings {
            figures.tell(fleet, pair, standing);
        }
    }
}

struct Figures {
    end_to_end: Figure,
    p99: Figure,
    age: Figure,
    outstanding: Figure,
    state: Figure,
}

impl Figures {
    fn new(registry: &mut Registry) -> Self {
        Self {
            end_to_end: figure(
                registry,
                "muster_canary_end_to_end_seconds",
                "From the source's acknowledgement of the newest canary record seen to its being seen on the target; absent \
                 unless records arrive",
            ),
            p99: figure(
                registry,
                "muster_canary_p99_seconds",
                "Within so long 99 of 100 canary records of the last hour arrived; absent without any",
            ),
            age: figure(
                registry,
                "muster_canary_age_seconds",
                "Age of the newest canary record seen; absent before the first and while none is to be written",
            ),
            outstanding: figure(
                registry,
                "muster_canary_outstanding",
                "Canary records acknowledged by the source and not seen on the target yet",
            ),
            state: figure(registry, "muster_canary_state", "Always 1: how a canary stands"),
        }
    }

    fn tell(&self, fleet: &Fleet, pair: &Pair, standing: &Standing) {
        let partition = standing.partition.to_string();
        let labels = [
            ("pair", pair.name.as_str()),
            ("from", pair.cluster(standing.direction.from).as_str()),
            ("to", pair.cluster(standing.direction.to()).as_str()),
            ("partition", partition.as_str()),
        ];
        let [name, from, to, number] = labels;
        set(&self.state, [name, from, to, number, ("state", standing.state.as_str())], 1.0);
        if standing.state == CanaryState::Resting {
            return;
        }
        let current = standing.end_to_end.value.filter(|_| standing.end_to_end.class == ReadingClass::Exact);
        set_known(&self.end_to_end, labels, current.map(seconds));
        set_known(&self.p99, labels, standing.hour.map(|hour| seconds(hour.p99_ms)));
        set_known(&self.age, labels, standing.age(fleet.now).map(|age| seconds(age.num_milliseconds())));
        let waiting = standing.outstanding.map_or(0, |outstanding| outstanding.records);
        set(&self.outstanding, labels, waiting as f64);
    }
}
