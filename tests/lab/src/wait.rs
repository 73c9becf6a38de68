//! Waiting on a condition with a bound, never on a fixed time.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

/// How long a wait may take and how often the condition is looked at.
#[derive(Debug, Clone, Copy)]
pub struct WaitBound {
    /// The condition must hold before this much time has passed.
    pub within: Duration,
    /// Pause between two looks.
    pub every: Duration,
}

impl WaitBound {
    /// Up to `seconds`, looking every 50 ms.
    pub fn seconds(seconds: u64) -> Self {
        Self { within: Duration::from_secs(seconds), every: Duration::from_millis(50) }
    }
}

/// Looks until `look` answers `Ok(Some(value))`.
///
/// `Ok(None)` means "not yet"; an error is kept as the reason and looked at again, because a server that is starting
/// refuses connections first. Fails with `what`, the bound and the last reason when time is up.
pub async fn wait_until<T, F, Fut>(what: &str, bound: WaitBound, mut look: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Option<T>>>,
{
    let started = Instant::now();
    let mut last = None;
    loop {
        match tokio::time::timeout(bound.within, look()).await {
            Ok(Ok(Some(value))) => return Ok(value),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => last = Some(error),
            Err(_) => last = Some(anyhow::anyhow!("one look took longer than the whole bound")),
        }
        if started.elapsed() >= bound.within {
            let reason = last.map_or_else(String::new, |error| format!(": {error:#}"));
            bail!("waited {:.1} s for {what}{reason}", started.elapsed().as_secs_f64());
        }
        tokio::time::sleep(bound.every).await;
    }
}

/// Milliseconds since the Unix epoch, as Kafka counts them.
pub fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
