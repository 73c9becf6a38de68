//! How long something took or is ago, as people read it.

/// Milliseconds: `840 ms`, `14.9 s`, `9 m 42 s`, `2 h 05 m`. What is below 0 is `0 ms`.
#[must_use]
pub fn duration(ms: i64) -> String {
    match ms.max(0) {
        ms @ ..1_000 => format!("{ms} ms"),
        ms @ ..120_000 => {
            let tenths = (ms + 50) / 100;
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        ms => seconds(ms / 1_000),
    }
}

/// Whole seconds: `38 s`, `9 m 42 s`, `15 m`, `2 h 05 m`, `3 d 4 h`. What is below 0 is `0 s`.
#[must_use]
pub fn seconds(s: i64) -> String {
    let s = s.max(0);
    let (days, hours, minutes, rest) = (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60);
    match (days, hours, minutes, rest) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, 0) => format!("{m} m"),
        (0, 0, m, s) => format!("{m} m {s:02} s"),
        (0, h, 0, _) => format!("{h} h"),
        (0, h, m, _) => format!("{h} h {m:02} m"),
        (d, 0, _, _) => format!("{d} d"),
        (d, h, _, _) if d < 7 => format!("{d} d {h} h"),
        (d, _, _, _) => format!("{d} d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_as_people_read_them() {
        let told = [-5, 0, 999, 1_000, 14_893, 59_960, 119_949, 120_000, 582_000, 7_500_000];
        let words =
            ["0 ms", "0 ms", "999 ms", "1.0 s", "14.9 s", "60.0 s", "119.9 s", "2 m", "9 m 42 s", "2 h 05 m"];
        assert_eq!(told.map(duration), words);
        let whole = [-1, 38, 900, 187_200, 864_000].map(seconds);
        assert_eq!(whole, ["0 s", "38 s", "15 m", "2 d 4 h", "10 d"]);
    }
}
