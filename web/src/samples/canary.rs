//! What canaries of payments showed.

use muster_domain::{
    canary::{CanarySettings, Hour, Outstanding, Seen, Standing, Track, Turn, judge},
    pair::{Direction, Pair, Side},
};

use super::{ago, now};

/// Of a night on which both sides are active.
pub(super) fn both_ways(pair: &Pair) -> Vec<Standing> {
    let Some(settings) = CanarySettings::of(pair) else { return Vec::new() };
    let standing = |from: Side| {
        let direction = Direction { from };
        let mut track = Track::new(direction, 0, &settings.topic, ago(2));
        let hour = arrives(&mut track);
        judge(pair, &settings, (direction, 0), Some(&track), Some(hour), now())
    };
    Side::BOTH.into_iter().map(standing).collect()
}

/// What was written a moment ago was seen.
fn arrives(track: &mut Track) -> Hour {
    track.seen = Some(Seen { written_at: ago(4), seen_at: ago(3), ms: 380 });
    track.turned(Turn::Wrote, ago(2));
    track.since = Some(ago(86_400));
    Hour { seen: 718, p50_ms: 410, p99_ms: 1_840, max_ms: 2_905 }
}

/// Of a night on which all is well, or of one on which eu-west is gone.
pub(super) fn of(pair: &Pair, dark: bool) -> Vec<Standing> {
    let Some(settings) = CanarySettings::of(pair) else { return Vec::new() };
    let mut standings = Vec::new();
    for from in Side::BOTH {
        let direction = Direction { from };
        let mut track = Track::new(direction, 0, &settings.topic, ago(2));
        let mut hour = None;
        match (from, dark) {
            (Side::A, false) => hour = Some(arrives(&mut track)),
            (Side::A, true) => {
                track.seen = Some(Seen { written_at: ago(258), seen_at: ago(257), ms: 402 });
                track.outstanding = Some(Outstanding { records: 2, since: ago(254) });
                let reason = "connect to 10.20.0.11:9093: connection refused".to_owned();
                track.turned(Turn::Failed { reason }, ago(2));
                track.since = Some(ago(86_400));
                hour = Some(Hour { seen: 668, p50_ms: 410, p99_ms: 1_840, max_ms: 2_905 });
            }
            (Side::B, _) => {
                let reason = "`eu-central` stands by: its canary topic is the copy of the one on `eu-west`, and Muster \
                              writes into no copy"
                    .to_owned();
                track.rested(Turn::Rested { reason }, false, ago(2));
            }
        }
        standings.push(judge(pair, &settings, (direction, 0), Some(&track), hour, now()));
    }
    standings
}
