//! How numbers, durations, ages and moments are written. The one place; pages never format by themselves.

use chrono::{DateTime, Datelike as _, SecondsFormat, Utc};
/// A duration in whole seconds: `38 s`, `9 m 42 s`, `15 m`, `2 h 05 m`, `3 d 4 h`.
pub use muster_domain::duration::seconds;

/// `41,882,306`.
#[must_use]
pub fn number(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if n < 0 { format!("−{out}") } else { out }
}

/// `1 topic`, `38 topics`.
#[must_use]
pub fn count(n: usize, one: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {one}{plural}", number(i64::try_from(n).unwrap_or(i64::MAX)))
}

/// A duration: `840 ms`, `4.2 s`, `38 s`, `9 m 42 s`, `2 h 05 m`, `3 d 4 h`. Zero is `0 s`.
#[must_use]
pub fn duration(ms: i64) -> String {
    let ms = ms.max(0);
    if ms == 0 {
        return "0 s".to_owned();
    }
    if ms < 1000 {
        return format!("{ms} ms");
    }
    if ms < 10_000 && ms % 1000 >= 100 {
        return format!("{}.{} s", ms / 1000, ms % 1000 / 100);
    }
    seconds(ms / 1000)
}

/// A running clock: `14:38`, `1:02:09`.
#[must_use]
pub fn clock(ms: i64) -> String {
    let s = (ms / 1000).max(0);
    if s >= 3600 {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    } else {
        format!("{}:{:02}", s / 60, s % 60)
    }
}

/// How long ago: `2 s ago`. A moment ahead of `now` (clock skew) is `0 s ago`.
#[must_use]
pub fn ago(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    format!("{} ago", age(now, at))
}

/// How old: `2 s`.
#[must_use]
pub fn age(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    seconds((now - at).num_seconds())
}

/// How long until: `18 m 20 s`; `0 s` once it passed.
#[must_use]
pub fn left(now: DateTime<Utc>, by: DateTime<Utc>) -> String {
    seconds((by - now).num_seconds())
}

/// Time of day in UTC: `03:12:40`.
#[must_use]
pub fn time(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S").to_string()
}

/// `19 Nov 2026`.
#[must_use]
pub fn date(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y").to_string()
}

/// `19 Nov 2026 03:12:40`.
#[must_use]
pub fn date_time(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y %H:%M:%S").to_string()
}

/// `19 Nov 2026 03:12:40 UTC`: where it may be read away from its page, as evidence is.
#[must_use]
pub fn date_time_utc(at: DateTime<Utc>) -> String {
    format!("{} UTC", date_time(at))
}

/// As short as can be said at `now`: `03:12` today, `17 Sep` this year, `17 Sep 2025` before.
#[must_use]
pub fn short(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    if now.date_naive() == at.date_naive() {
        at.format("%H:%M").to_string()
    } else if now.format("%Y").to_string() == at.format("%Y").to_string() {
        at.format("%-d %b").to_string()
    } else {
        date(at)
    }
}

/// When a window opens and closes: `5 Dec 08:00 UTC, until 12:00`; with the year where it is not this one, with the day where it
/// closes on another.
#[must_use]
pub fn window(now: DateTime<Utc>, opens: DateTime<Utc>, closes: DateTime<Utc>) -> String {
    let year = |at: DateTime<Utc>| if at.year() == now.year() { "%-d %b" } else { "%-d %b %Y" };
    let from = opens.format(year(opens));
    let until = if opens.date_naive() == closes.date_naive() {
        closes.format("%H:%M").to_string()
    } else {
        format!("{} {}", closes.format(year(closes)), closes.format("%H:%M"))
    };
    format!("{from} {} UTC, until {until}", opens.format("%H:%M"))
}

/// Time of day if it is today, else date and time.
#[must_use]
pub fn moment(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    if now.date_naive() == at.date_naive() { time(at) } else { at.format("%-d %b %Y %H:%M").to_string() }
}

/// For `<time datetime>`.
#[must_use]
pub fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A hash in groups of four: `9c41 e07b …`.
#[must_use]
pub fn hash(hex: &str) -> String {
    let chars: Vec<char> = hex.chars().collect();
    chars.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// The first two groups of a hash, for lists; the whole one goes into the title.
#[must_use]
pub fn short_hash(hex: &str) -> String {
    hash(hex.get(..8).unwrap_or(hex))
}

/// `a, b and c`; with more than `most`, `a, b and 36 more`.
#[must_use]
pub fn list(names: &[String], most: usize) -> String {
    match names {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [head @ .., last] if names.len() <= most => format!("{} and {last}", head.join(", ")),
        _ => format!("{} and {} more", names[..most].join(", "), names.len() - most),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn at(h: u32, m: u32, s: u32) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 19, h, m, s).unwrap()
    }

    #[test]
    fn numbers_are_grouped() {
        for (n, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (41_882_306, "41,882,306"), (-1234, "−1,234")]
        {
            assert_eq!(number(n), text);
        }
        assert_eq!(
            (count(1, "topic"), count(1910, "topic")),
            ("1 topic".to_owned(), "1,910 topics".to_owned())
        );
    }

    #[test]
    fn durations_say_what_a_person_needs_and_no_more() {
        for (ms, text) in [
            (-5, "0 s"),
            (0, "0 s"),
            (840, "840 ms"),
            (4_200, "4.2 s"),
            (4_000, "4 s"),
            (38_900, "38 s"),
            (60_000, "1 m"),
            (582_000, "9 m 42 s"),
            (3_600_000, "1 h"),
            (7_500_000, "2 h 05 m"),
            (100 * 3_600_000, "4 d 4 h"),
            (91 * 86_400_000, "91 d"),
        ] {
            assert_eq!(duration(ms), text);
        }
        assert_eq!(
            (clock(878_000), clock(3_729_000), clock(-1)),
            ("14:38".into(), "1:02:09".into(), "0:00".into())
        );
    }

    #[test]
    fn moments_are_utc_and_skew_is_not_negative() {
        let now = at(3, 12, 40);
        assert_eq!(ago(now, at(3, 12, 38)), "2 s ago");
        assert_eq!(ago(now, at(3, 13, 0)), "0 s ago");
        assert_eq!(left(now, at(3, 31, 0)), "18 m 20 s");
        assert_eq!(short(now, at(3, 1, 0)), "03:01");
        assert_eq!(short(now, Utc.with_ymd_and_hms(2026, 9, 17, 1, 0, 0).unwrap()), "17 Sep");
        assert_eq!(short(now, Utc.with_ymd_and_hms(2025, 9, 17, 1, 0, 0).unwrap()), "17 Sep 2025");
        assert_eq!(iso(now), "2026-11-19T03:12:40Z");
    }

    #[test]
    fn a_window_says_day_time_and_end_whatever_the_day() {
        let now = at(3, 12, 40);
        let day = |year, month, day, hour| Utc.with_ymd_and_hms(year, month, day, hour, 0, 0).unwrap();
        for (opens, closes, said) in [
            (at(8, 0, 0), at(12, 0, 0), "19 Nov 08:00 UTC, until 12:00"),
            (day(2026, 12, 5, 8), day(2026, 12, 5, 12), "5 Dec 08:00 UTC, until 12:00"),
            (day(2026, 12, 31, 22), day(2027, 1, 1, 2), "31 Dec 22:00 UTC, until 1 Jan 2027 02:00"),
        ] {
            assert_eq!(window(now, opens, closes), said);
        }
    }

    #[test]
    fn hashes_and_lists_are_readable() {
        assert_eq!(hash("9c41e07b52"), "9c41 e07b 52");
        assert_eq!(short_hash("9c41e07b52d8"), "9c41 e07b");
        let names: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        assert_eq!(list(&names, 3), "a, b and c");
        assert_eq!(list(&names, 2), "a, b and 1 more");
        assert_eq!(list(&[], 2), "none");
    }
}
