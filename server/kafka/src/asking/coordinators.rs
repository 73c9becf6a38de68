//! Which broker coordinates which group or transactional id: remembered from listings and FindCoordinator.

use std::{collections::HashMap, sync::Mutex};

use kafka_protocol::{
    messages::{FindCoordinatorRequest, FindCoordinatorResponse},
    protocol::StrBytes,
};

use crate::{
    asking::routing::{Call, Target},
    broker_error::broker_error,
    connecting::pool::lock,
    error::KafkaError,
};

/// Coordinators of groups. Transactional ids are looked up each time: they are asked for once in a run.
#[derive(Debug, Default)]
pub(crate) struct Coordinators(Mutex<HashMap<String, i32>>);

/// What a coordinator is for (`key_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyType {
    Group = 0,
    Transaction = 1,
}

impl Coordinators {
    /// A broker lists only the groups it coordinates.
    pub(crate) fn learn<'a>(&self, node: i32, groups: impl Iterator<Item = &'a str>) {
        let mut known = lock(&self.0);
        for group in groups {
            match known.get_mut(group) {
                Some(before) => *before = node,
                None => drop(known.insert(group.to_owned(), node)),
            }
        }
    }

    /// The next look-up of these groups asks the cluster.
    pub(crate) fn forget<'a>(&self, groups: impl IntoIterator<Item = &'a str>) {
        let mut known = lock(&self.0);
        for group in groups {
            known.remove(group);
        }
    }

    /// The next look-up of all groups of a broker asks the cluster.
    pub(crate) fn forget_those_at(&self, node: i32) {
        lock(&self.0).retain(|_, at| *at != node);
    }

    fn split<'a>(&self, groups: &[&'a str]) -> (HashMap<&'a str, i32>, Vec<&'a str>) {
        let known = lock(&self.0);
        let mut found = HashMap::with_capacity(groups.len());
        let mut missing = Vec::new();
        for group in groups {
            match known.get(*group) {
                Some(node) => drop(found.insert(*group, *node)),
                None => missing.push(*group),
            }
        }
        (found, missing)
    }
}

impl Call<'_> {
    /// Who coordinates these groups, asking the cluster about those that are not remembered.
    pub(crate) async fn group_coordinators<'g>(
        &self,
        groups: &[&'g str],
    ) -> Result<HashMap<&'g str, i32>, KafkaError> {
        let (mut found, missing) = self.router.coordinators.split(groups);
        for (group, node) in self.find_coordinators(KeyType::Group, &missing).await? {
            self.router.coordinators.learn(node, std::iter::once(group));
            found.insert(group, node);
        }
        Ok(found)
    }

    /// Who coordinates this group.
    pub(crate) async fn group_coordinator(&self, group: &str) -> Result<Target, KafkaError> {
        let found = self.group_coordinators(&[group]).await?;
        Ok(found.get(group).map_or(Target::Any, |node| Target::Node(*node)))
    }

    /// Asks for coordinators, repeatedly while one is loading or being elected.
    pub(crate) async fn find_coordinators<'g>(
        &self,
        kind: KeyType,
        keys: &[&'g str],
    ) -> Result<Vec<(&'g str, i32)>, KafkaError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let batched = self.reaches::<FindCoordinatorRequest>(Target::Any, 4).await?;
        let mut found = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(if batched { 1_000 } else { 1 }) {
            let mut patience = self.patience();
            loop {
                match self.find_once(kind, chunk).await {
                    Ok(nodes) => break found.extend(nodes),
                    Err(error) if patience.after(&error).await => {}
                    Err(error) => return Err(patience.verdict(error)),
                }
            }
        }
        Ok(found)
    }

    async fn find_once<'g>(
        &self,
        kind: KeyType,
        keys: &[&'g str],
    ) -> Result<Vec<(&'g str, i32)>, KafkaError> {
        let request = |version: i16| {
            let keys: Vec<_> = keys.iter().map(|key| StrBytes::from_string((*key).to_owned())).collect();
            let request = FindCoordinatorRequest::default();
            let request = if version >= 1 { request.with_key_type(kind as i8) } else { request };
            match version {
                4.. => request.with_coordinator_keys(keys),
                _ => request.with_key(keys.into_iter().next().unwrap_or_default()),
            }
        };
        let (answer, version): (FindCoordinatorResponse, i16) = self.send(Target::Any, None, request).await?;
        if version < 4 {
            self.expect_ok(None, answer.error_code, answer.error_message.as_ref())?;
            return Ok(keys.iter().map(|key| (*key, answer.node_id.0)).collect());
        }
        let mut nodes: HashMap<StrBytes, i32> = HashMap::with_capacity(answer.coordinators.len());
        for one in answer.coordinators {
            self.expect_ok(None, one.error_code, one.error_message.as_ref())?;
            nodes.insert(one.key, one.node_id.0);
        }
        Ok(keys.iter().filter_map(|key| nodes.get(key.as_bytes()).map(|node| (*key, *node))).collect())
    }

    /// An error of this call unless the code is 0.
    pub(crate) fn expect_ok(
        &self,
        node: Option<i32>,
        code: i16,
        text: Option<&StrBytes>,
    ) -> Result<(), KafkaError> {
        if code == 0 { Ok(()) } else { Err(self.fail(node, broker_error(code, text))) }
    }
}
