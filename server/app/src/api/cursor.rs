//! Cursors: where a page of a list ended, as its `next` says it and `after` of the following request takes it.
//!
//! A cursor says which list it is of and the place of the page's last item in the order of that list: `channel~core~on-call`.
//! So one of another list is refused, and not read as some place in this one; and it still leads on when that item is gone.

use std::{fmt::Display, str::FromStr};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::http::{Answer, Failure};

/// What parts of a cursor are parted by: in no name, number or id, and sent in an address as it is.
const MARK: char = '~';

/// The cursor of a list behind an item with this place in its order.
pub(crate) fn write(list: &str, place: &[&dyn Display]) -> String {
    place.iter().fold(list.to_owned(), |cursor, part| format!("{cursor}{MARK}{part}"))
}

/// The place a cursor of this list speaks of.
///
/// # Errors
/// `invalid-request` when it is none of this list.
pub(crate) fn read<'a, const N: usize>(list: &str, cursor: &'a str) -> Answer<[&'a str; N]> {
    let place =
        cursor.strip_prefix(list).and_then(|rest| rest.strip_prefix(MARK)).filter(|place| is_plain(place));
    let parts: Vec<&str> = place.ok_or_else(foreign)?.split(MARK).collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(foreign());
    }
    parts.try_into().map_err(|_| foreign())
}

/// A name: the place in a list that is ordered by it.
///
/// # Errors
/// `invalid-request` when it is no cursor of this list.
pub(crate) fn read_name<'a>(list: &str, cursor: Option<&'a str>) -> Answer<Option<&'a str>> {
    let Some(cursor) = cursor else { return Ok(None) };
    let [name] = read::<1>(list, cursor)?;
    Ok(Some(name))
}

/// A number: the place in a list that is ordered by it. Alone it counts, too, because it was the whole cursor of these lists once.
///
/// # Errors
/// `invalid-request` when it is no cursor of this list.
pub(crate) fn read_number(list: &str, cursor: Option<&str>) -> Answer<Option<i64>> {
    let Some(cursor) = cursor else { return Ok(None) };
    if let Ok(number) = cursor.parse() {
        return Ok(Some(number));
    }
    let [number] = read::<1>(list, cursor)?;
    Ok(Some(part(number)?))
}

/// A time and an id: the place in a list that is ordered by when things were made, as two can be made at once.
pub(crate) fn write_time(list: &str, at: DateTime<Utc>, id: Uuid) -> String {
    write(list, &[&at.timestamp_micros(), &id])
}

/// The other way.
///
/// # Errors
/// `invalid-request` when it is no cursor of this list.
pub(crate) fn read_time(list: &str, cursor: Option<&str>) -> Answer<Option<(DateTime<Utc>, Uuid)>> {
    let Some(cursor) = cursor else { return Ok(None) };
    let [at, id] = read::<2>(list, cursor)?;
    let at = DateTime::from_timestamp_micros(part(at)?).filter(|at| *at > DateTime::UNIX_EPOCH);
    Ok(Some((at.ok_or_else(foreign)?, part(id)?)))
}

/// A number or an id that is part of a cursor.
///
/// # Errors
/// `invalid-request` when it is none.
pub(crate) fn part<T: FromStr>(text: &str) -> Answer<T> {
    text.parse().map_err(|_| foreign())
}

/// Only what names, numbers and ids are made of: nothing else is asked of the database.
fn is_plain(place: &str) -> bool {
    place.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | MARK))
}

/// Why a cursor is not taken.
pub(crate) fn foreign() -> Failure {
    Failure::invalid("`after` is not the `next` of an earlier page of this list.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_on_in_its_own_list_only() {
        let cursor = write("channel", &[&"core", &"on-call"]);
        assert_eq!(cursor, "channel~core~on-call");
        assert_eq!(read::<2>("channel", &cursor).unwrap(), ["core", "on-call"]);
        for garbled in [
            "",
            "channel",
            "channel~",
            "channel~core",
            "channel~core~",
            "channel~core~a~b",
            "channel~core~a b",
            "channels~core~a",
        ] {
            assert!(read::<2>("channel", garbled).is_err(), "{garbled}");
        }
        assert!(read::<2>("team", &cursor).is_err());
    }

    #[test]
    fn a_number_leads_on_in_its_own_list_and_alone() {
        let cursor = write("run", &[&42]);
        assert_eq!(read_number("run", Some(&cursor)).unwrap(), Some(42));
        assert_eq!(read_number("run", Some("42")).unwrap(), Some(42), "as clients have it from before");
        assert_eq!(read_number("run", None).unwrap(), None);
        for foreign in ["finding~42", "run~soon", "run~", "run~4~2", "soon", ""] {
            assert!(read_number("run", Some(foreign)).is_err(), "{foreign}");
        }
    }

    #[test]
    fn a_time_comes_back_to_the_microsecond() {
        let at = DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap();
        let cursor = write_time("token", at, Uuid::from_u128(7));
        assert_eq!(read_time("token", Some(&cursor)).unwrap(), Some((at, Uuid::from_u128(7))));
        assert_eq!(read_time("token", None).unwrap(), None);
        assert!(read_time("session", Some(&cursor)).is_err());
        assert!(read_time("token", Some("token~soon~7")).is_err());
        assert!(
            read_time("token", Some(&cursor.replace("~1790", "~-1790"))).is_err(),
            "no database has such a time"
        );
    }
}
