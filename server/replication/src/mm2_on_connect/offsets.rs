//! Committed source offsets: which of the stored entries a task will read, and setting them exactly.
//!
//! Connect stores what it is given. An entry with a wrong alias or one key too many is answered with 200 and never read,
//! and the resumed connector copies everything again (mm2-verified, correction 6).

use muster_domain::{
    pair::Flow,
    topic::{ByPartition, TopicPartition},
};
use serde_json::{Value, json};

use crate::{
    ReplicationError, ReplicationErrorKind,
    connect::{ConnectClient, StoredOffset},
    formats::HIGHEST_OFFSET,
    settings::FlowSettings,
};

/// Stored entries, sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Entries a task reads.
    pub(super) offsets: ByPartition<i64>,
    /// Entries no task reads.
    pub(super) foreign: Vec<StoredOffset>,
}

impl Stored {
    /// With the foreign entries as text.
    pub(crate) fn for_people(self) -> (ByPartition<i64>, Vec<String>) {
        let foreign = self.foreign.iter().map(|entry| format!("{} → {}", entry.partition, entry.offset));
        (self.offsets, foreign.collect())
    }
}

/// Separates what the source task with that alias reads from what it never will.
pub(crate) fn sort_out(entries: &[StoredOffset], source_alias: &str) -> Stored {
    let mut stored = Stored::default();
    for entry in entries {
        match (partition_of(&entry.partition, source_alias), offset_of(&entry.offset)) {
            (Some(partition), Some(offset)) => {
                stored.offsets.insert(partition, offset);
            }
            (None, _) | (_, None) => stored.foreign.push(entry.clone()),
        }
    }
    stored
}

/// Sets, forgets, removes what no task reads, and compares what is stored then with what was asked.
///
/// Looks first and changes only what differs: twice equals once, and dying halfway leaves a connector that is still
/// stopped. A partition that is stored but was not asked for fails the comparison: resumed from a position nobody chose,
/// it would be copied again.
pub(super) async fn set(
    connect: &ConnectClient,
    name: &str,
    flow: &Flow,
    asked: &ByPartition<Option<i64>>,
) -> Result<(), ReplicationError> {
    let refuse = |kind| ReplicationError {
        call: format!("set {} offsets of connector {name}", asked.len()),
        target: connect.shown().to_owned(),
        kind,
    };
    let (config, before) = tokio::try_join!(connect.config(name), connect.offsets(name))?;
    let alias = FlowSettings::from_config(flow, &config).source_alias;
    if alias != flow.source_alias {
        return Err(refuse(ReplicationErrorKind::NotAsAsked(format!(
            "the connector reads offsets of `{alias}`, the pair says `{}`: offsets under another alias are stored and \
             never read. Nothing was changed; correct the pair",
            flow.source_alias
        ))));
    }
    if let Some((partition, offset)) = asked.iter().find_map(|(p, o)| Some((p, o.filter(|o| *o < 0)?))) {
        let text = format!("{offset} for {partition} is not an offset; nothing was changed");
        return Err(refuse(ReplicationErrorKind::Unsupported(text)));
    }
    let changes = changes(&sort_out(&before, &alias), asked, &alias);
    let patched = match changes.is_empty() {
        true => Ok(()),
        false => connect.patch_offsets(name, &changes).await,
    };
    // A failed call may still have been carried out (500 is a timeout more often than not): what is stored decides.
    if let Err(error) = &patched
        && !error.may_pass()
    {
        return patched;
    }
    let after = sort_out(&connect.offsets(name).await?, &alias);
    match differences(&after, asked) {
        None => Ok(()),
        Some(text) => patched.and(Err(refuse(ReplicationErrorKind::NotAsAsked(text)))),
    }
}

fn changes(before: &Stored, asked: &ByPartition<Option<i64>>, alias: &str) -> Vec<StoredOffset> {
    let set = asked.iter().filter_map(|(partition, offset)| {
        let offset = match (offset, before.offsets.get(partition)) {
            (Some(asked), Some(stored)) if asked == stored => return None,
            (None, None) => return None,
            (Some(asked), _) => json!({ "offset": asked }),
            (None, Some(_)) => Value::Null,
        };
        let partition =
            json!({ "cluster": alias, "topic": partition.topic, "partition": partition.partition });
        Some(StoredOffset { partition, offset })
    });
    // An unreadable offset under a readable partition is already overwritten or removed above when it was asked for.
    let asked_for = |entry: &StoredOffset| {
        partition_of(&entry.partition, alias).is_some_and(|p| asked.get(&p).is_some_and(Option::is_some))
    };
    let leftovers = before.foreign.iter().filter(|entry| !asked_for(entry));
    let removed =
        leftovers.map(|entry| StoredOffset { partition: entry.partition.clone(), offset: Value::Null });
    set.chain(removed).collect()
}

/// What is stored otherwise than asked, in words, at most a handful of it.
fn differences(after: &Stored, asked: &ByPartition<Option<i64>>) -> Option<String> {
    let shown = |offset: Option<&i64>| offset.map_or("nothing".to_owned(), i64::to_string);
    let wrong = asked.iter().filter_map(|(partition, offset)| {
        let stored = after.offsets.get(partition);
        (stored != offset.as_ref())
            .then(|| format!("{partition} holds {}, asked was {}", shown(stored), shown(offset.as_ref())))
    });
    let unasked = after.offsets.iter().filter(|(partition, _)| !asked.contains_key(*partition));
    let unasked =
        unasked.map(|(partition, offset)| format!("{partition} holds {offset} and was not asked for"));
    let foreign = after.foreign.iter().map(|entry| format!("{} is still stored", entry.partition));
    let all: Vec<String> = wrong.chain(unasked).chain(foreign).collect();
    let more = all.len().saturating_sub(5);
    match all.len() {
        0 => None,
        1..=5 => Some(all.join("; ")),
        _ => Some(format!("{}; and {more} more", all[..5].join("; "))),
    }
}

fn partition_of(partition: &Value, source_alias: &str) -> Option<TopicPartition> {
    let fields = partition.as_object().filter(|fields| fields.len() == 3)?;
    if fields.get("cluster")?.as_str()? != source_alias {
        return None;
    }
    let number = i32::try_from(fields.get("partition")?.as_i64()?).ok().filter(|number| *number >= 0)?;
    Some(TopicPartition::new(fields.get("topic")?.as_str()?, number))
}

fn offset_of(offset: &Value) -> Option<i64> {
    let fields = offset.as_object().filter(|fields| fields.len() == 1)?;
    // A task goes on one past it: from the highest number there is it could not.
    fields.get("offset")?.as_i64().filter(|offset| (0..=HIGHEST_OFFSET).contains(offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(partition: Value, offset: Value) -> StoredOffset {
        StoredOffset { partition, offset }
    }

    fn good(topic: &str, partition: i32, offset: i64) -> StoredOffset {
        entry(json!({"cluster": "A", "topic": topic, "partition": partition}), json!({"offset": offset}))
    }

    #[test]
    fn entries_no_task_reads_are_kept_apart() {
        let foreign = [
            entry(json!({"cluster": "B", "topic": "t", "partition": 0}), json!({"offset": 1})),
            entry(json!({"cluster": "A", "topic": "t", "partition": 0, "x": 1}), json!({"offset": 1})),
            entry(json!({"cluster": "A", "topic": "t"}), json!({"offset": 1})),
            entry(json!({"cluster": "A", "topic": "t", "partition": "0"}), json!({"offset": 1})),
            entry(json!({"cluster": "A", "topic": "t", "partition": -1}), json!({"offset": 1})),
            entry(json!({"cluster": "A", "topic": "t", "partition": 0}), json!({"offset": 1, "x": 2})),
            entry(json!({"cluster": "A", "topic": "t", "partition": 0}), json!({"offset": "1"})),
            entry(json!({"cluster": "A", "topic": "t", "partition": 0}), json!({"offset": i64::MAX})),
            entry(json!("t-0"), Value::Null),
        ];
        let entries: Vec<_> = foreign.iter().cloned().chain([good("t", 3, 41)]).collect();
        let stored = sort_out(&entries, "A");
        assert_eq!(stored.offsets, [(TopicPartition::new("t", 3), 41)].into());
        assert_eq!(stored.foreign, foreign);
        let (_, text) = stored.for_people();
        assert_eq!(text[8], "\"t-0\" → null");
    }

    #[test]
    fn only_what_differs_is_changed_and_leftovers_go() {
        let wrong_alias = json!({"cluster": "B", "topic": "t", "partition": 9});
        let before = sort_out(
            &[
                good("t", 0, 5),
                good("t", 1, 5),
                good("t", 2, 5),
                entry(wrong_alias.clone(), json!({"offset": 1})),
            ],
            "A",
        );
        let at = |partition| TopicPartition::new("t", partition);
        let asked = [(at(0), Some(5)), (at(1), Some(7)), (at(2), None), (at(3), None)].into();
        let changes = changes(&before, &asked, "A");
        let gone = |partition| entry(partition, Value::Null);
        assert_eq!(
            changes,
            [good("t", 1, 7), gone(json!({"cluster": "A", "topic": "t", "partition": 2})), gone(wrong_alias),]
        );
    }

    #[test]
    fn what_was_not_asked_for_is_a_difference() {
        let at = |partition| TopicPartition::new("t", partition);
        let asked = [(at(0), Some(5)), (at(1), None)].into();
        assert_eq!(differences(&sort_out(&[good("t", 0, 5)], "A"), &asked), None);
        let text = differences(&sort_out(&[good("t", 0, 4), good("u", 0, 1)], "A"), &asked);
        assert_eq!(text.as_deref(), Some("t-0 holds 4, asked was 5; u-0 holds 1 and was not asked for"));
    }
}
