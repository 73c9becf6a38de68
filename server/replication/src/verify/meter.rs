//! How fast records may be read, and how much was.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Counts what is read and says how long to wait before reading on. Shared by everything that reads for one purpose.
#[derive(Debug)]
pub struct Meter {
    /// Bytes a second over both sides; `u64::MAX` reads as fast as it can.
    limit: AtomicU64,
    began: Instant,
    /// When what was read so far would have been read at that rate, in microseconds after the beginning.
    paid_until: Mutex<u64>,
    bytes: AtomicU64,
    records: AtomicU64,
}

impl Meter {
    /// Nothing read yet. A limit of 0 bytes a second counts as 1.
    #[must_use]
    pub fn new(limit: Option<u64>) -> Self {
        Self {
            limit: AtomicU64::new(bytes_a_second(limit)),
            began: Instant::now(),
            paid_until: Mutex::default(),
            bytes: AtomicU64::new(0),
            records: AtomicU64::new(0),
        }
    }

    /// Keeps to another rate from now on.
    pub fn limit(&self, limit: Option<u64>) {
        self.limit.store(bytes_a_second(limit), Ordering::Relaxed);
    }

    /// Bytes read of both sides, as they were sent.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Records read of both sides.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Counts what was read and waits until reading on keeps to the limit.
    pub(crate) async fn pass(&self, bytes: u64, records: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
        let now = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let wait = self.wait_us(now, bytes);
        if wait > 0 {
            tokio::time::sleep(Duration::from_micros(wait)).await;
        }
    }

    /// Microseconds to wait after having read so many bytes by a time.
    fn wait_us(&self, now_us: u64, bytes: u64) -> u64 {
        let limit = self.limit.load(Ordering::Relaxed);
        if limit == u64::MAX {
            return 0;
        }
        let price = u128::from(bytes) * 1_000_000 / u128::from(limit);
        let price = u64::try_from(price).unwrap_or(u64::MAX);
        let mut paid_until = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paid_until = (*paid_until).max(now_us).saturating_add(price);
        *paid_until - now_us
    }
}

fn bytes_a_second(limit: Option<u64>) -> u64 {
    limit.map_or(u64::MAX, |limit| limit.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// Two readers share a limit; each waits as it is told on a clock of the test.
        #[test]
        fn no_second_sees_more_than_the_limit_and_one_answer(
            answers in proptest::collection::vec(1u64..2_000_000, 1..80),
        ) {
            const LIMIT: u64 = 1_000_000;
            let meter = Meter::new(Some(LIMIT));
            let mut readers = [0_u64; 2];
            let mut read: Vec<(u64, u64)> = Vec::new();
            for bytes in answers {
                let next = usize::from(readers[1] < readers[0]);
                let now = readers[next];
                read.push((now, bytes));
                readers[next] = now + meter.wait_us(now, bytes);
            }
            for (from, _) in &read {
                let within = read.iter().filter(|(at, _)| (*from..from + 1_000_000).contains(at));
                let (sum, most) = within.fold((0, 0), |(sum, most), (_, bytes)| (sum + bytes, bytes.max(&most).to_owned()));
                // Each reader may have one answer under way.
                assert!(sum <= LIMIT + 2 * most, "{sum} bytes in the second from {from} us, {most} at once");
            }
        }
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        assert_eq!(Meter::new(None).wait_us(5, u64::MAX), 0);
    }
}
