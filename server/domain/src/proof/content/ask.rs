//! What a content proof is to compare.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is asked for. Without anything: all records of all application topics, as fast as they can be read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ContentAsk {
    /// Topics by the source's names; all that applications use when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// Only records from here on, by their timestamps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Only records before, by their timestamps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// A sample instead of everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampleAsk>,
    /// Most megabytes (10^6 bytes, as the brokers send them) read a second, both sides and all processes together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mb_per_second: Option<u32>,
}

/// How sure a sample is to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleAsk {
    /// The share of stretches that would have to differ to be found, above 0 and below 1: 0.01 is one in a hundred.
    pub differing: f64,
    /// How sure it is to find one then, at least 0.5 and below 1: 0.95 is 19 times in 20.
    pub confidence: f64,
}

/// Why it cannot be asked like this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AskError(pub &'static str);

impl ContentAsk {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), AskError> {
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since >= until
        {
            return Err(AskError("`since` must be before `until`"));
        }
        if self.mb_per_second == Some(0) {
            return Err(AskError("`mb_per_second` must be at least 1"));
        }
        match self.sample {
            Some(sample) if !(sample.differing > 0.0 && sample.differing < 1.0) => {
                Err(AskError("`sample.differing` is a share above 0 and below 1"))
            }
            Some(sample) if !(0.5..1.0).contains(&sample.confidence) => {
                Err(AskError("`sample.confidence` is at least 0.5 and below 1"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        let sample = |differing, confidence| ContentAsk {
            sample: Some(SampleAsk { differing, confidence }),
            ..ContentAsk::default()
        };
        assert_eq!(ContentAsk::default().check(), Ok(()));
        assert_eq!(sample(0.01, 0.95).check(), Ok(()));
        for (differing, confidence) in [(0.0, 0.95), (1.0, 0.95), (f64::NAN, 0.95), (0.1, 1.0), (0.1, 0.1)] {
            assert!(sample(differing, confidence).check().is_err(), "{differing} {confidence}");
        }
        let at = |seconds| DateTime::from_timestamp(seconds, 0);
        assert!(ContentAsk { since: at(5), until: at(5), ..ContentAsk::default() }.check().is_err());
        assert!(ContentAsk { since: at(5), until: at(6), ..ContentAsk::default() }.check().is_ok());
        assert!(ContentAsk { mb_per_second: Some(0), ..ContentAsk::default() }.check().is_err());
        let shortest = serde_json::to_string(&ContentAsk::default()).unwrap();
        assert_eq!(shortest, "{}");
    }
}
