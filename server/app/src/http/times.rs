//! Times that callers send, as far as they can be reckoned with and kept: of the years 1 to 9999, which is what RFC 3339 can write.
//! Postgres refuses what lies far before, and a moment at the very ends of what a program can hold has none an hour beside it.

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize as _, Deserializer, de::Error as _};

/// Takes a time that may be left out.
///
/// # Errors
/// What is no time, or of another year.
pub(crate) fn time<'de, D: Deserializer<'de>>(d: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    match Option::<DateTime<Utc>>::deserialize(d)? {
        Some(at) if !is_kept(at.year()) => Err(D::Error::custom("times are of the years 1 to 9999")),
        at => Ok(at),
    }
}

/// Whether a day can be kept.
pub(crate) fn is_kept_day(day: NaiveDate) -> bool {
    is_kept(day.year())
}

/// The beginning of a day as typed, in UTC; `None` for what is no day.
pub(crate) fn midnight(day: &str) -> Option<DateTime<Utc>> {
    let day = day.parse::<NaiveDate>().ok().filter(|day| is_kept_day(*day))?;
    Some(day.and_time(NaiveTime::MIN).and_utc())
}

fn is_kept(year: i32) -> bool {
    (1..=9999).contains(&year)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Asked {
        #[serde(deserialize_with = "time")]
        at: Option<DateTime<Utc>>,
    }

    #[test]
    fn times_of_four_digits_are_taken_and_none_may_be_given() {
        let read = |text: &str| {
            serde_json::from_value::<Asked>(serde_json::json!({"at": text})).map(|asked| asked.at)
        };
        for text in ["0001-01-01T00:00:00Z", "2026-11-19T03:00:00+01:00", "9999-12-31T23:59:59.999Z"] {
            assert!(read(text).is_ok_and(|at| at.is_some()), "{text}");
        }
        for text in ["-262143-01-01T00:00:00Z", "0000-12-31T23:59:59Z", "+10000-01-01T00:00:00Z", "soon", ""]
        {
            assert!(read(text).is_err(), "{text}");
        }
        let none: Asked = serde_json::from_value(serde_json::json!({})).expect("it may be left out");
        assert_eq!(none.at, None);
    }

    #[test]
    fn days_are_taken_by_the_same_rule() {
        assert_eq!(midnight("2026-11-19").map(|at| at.timestamp()), Some(1_795_046_400));
        for text in ["-262143-01-01", "+262142-12-31", "0000-01-01", "yesterday", ""] {
            assert_eq!(midnight(text), None, "{text}");
        }
    }
}
