//! What the control plane remembers of each server beside its figures: since
//! when it is there, and when it was last known to be alive.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use gatewright_model::endpoint::{Endpoint, EndpointState, Health};
use gatewright_model::id::{EndpointId, PoolName};
use gatewright_model::snapshot::Snapshot;

use crate::timestamp::Timestamp;

/// A server: the same host and port may be in two pools.
type Key = (PoolName, EndpointId);

/// What is remembered of all servers in force.
#[derive(Debug, Default)]
pub(crate) struct Roster(Mutex<HashMap<Key, Entry>>);

/// What is remembered of a server.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// When it was added.
    pub(crate) added: Timestamp,
    /// When it last answered a request, or a check left it healthy; to the
    /// second for requests.
    pub(crate) seen: Option<Timestamp>,
    /// Requests that it had answered well when it was looked at.
    answered: u64,
    /// Whose figures these are: a server that left and came back is a new one.
    state: Weak<EndpointState>,
}

impl Roster {
    /// Look at every server of a snapshot; forget those that left.
    pub(crate) fn look(&self, snapshot: &Snapshot) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *entries);
        for pool in &snapshot.pools {
            for endpoint in pool.endpoints() {
                let key = (pool.name.clone(), endpoint.id.clone());
                let known = before.remove(&key);
                let known = known.filter(|entry| entry.is_of(endpoint));
                let mut entry = known.unwrap_or_else(|| Entry::new(endpoint));
                entry.look(endpoint);
                entries.insert(key, entry);
            }
        }
    }

    /// What is remembered of a server; none before it was looked at.
    pub(crate) fn entry(&self, pool: &PoolName, server: &EndpointId) -> Option<Entry> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(&(pool.clone(), server.clone())).cloned()
    }
}

impl Entry {
    fn new(endpoint: &Endpoint) -> Self {
        Self {
            added: Timestamp::now(),
            seen: None,
            answered: 0,
            state: Arc::downgrade(&endpoint.state),
        }
    }

    fn is_of(&self, endpoint: &Endpoint) -> bool {
        self.state.as_ptr() == Arc::as_ptr(&endpoint.state)
    }

    fn look(&mut self, endpoint: &Endpoint) {
        let workers = endpoint.state.counters().iter();
        // What is counted meanwhile may be in one sum and not in the other.
        let ended = workers.map(|worker| {
            let requests = worker.requests.get();
            requests.saturating_sub(worker.failures.get())
        });
        let under_way = u64::from(endpoint.state.active());
        let answered = ended.sum::<u64>().saturating_sub(under_way);
        if answered > self.answered {
            self.answered = answered;
            self.seen = self.seen.max(Some(Timestamp::now()));
        }
        if endpoint.state.health() == Health::Healthy {
            self.seen = self.seen.max(endpoint.state.last_check().map(Timestamp));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_model::config::{Environment, parse};
    use std::path::Path;

    fn snapshot(previous: Option<&Snapshot>, servers: &str) -> Snapshot {
        let text = format!("[pools.web]\nservers = [{servers}]");
        let config = parse(&text, Path::new(""), &Environment::empty()).unwrap();
        Snapshot::next(previous, Arc::new(config), 1).unwrap()
    }

    fn entry(roster: &Roster) -> Option<Entry> {
        roster.entry(&"web".into(), &"127.0.0.1:3001".into())
    }

    #[test]
    fn a_server_is_seen_when_it_has_answered_or_passed_a_check() {
        let roster = Roster::default();
        let snapshot = snapshot(None, "\"127.0.0.1:3001\"");
        let endpoint = snapshot.pools[0].endpoints().next().unwrap();
        roster.look(&snapshot);
        assert_eq!(entry(&roster).unwrap().seen, None);
        endpoint.state.set_health(Health::Healthy);
        endpoint.state.checked_at(5);
        roster.look(&snapshot);
        assert_eq!(entry(&roster).unwrap().seen, Some(Timestamp(5)));
        endpoint.state.counters_of(0).requests.add(1);
        roster.look(&snapshot);
        assert!(entry(&roster).unwrap().seen > Some(Timestamp(5)));
    }

    #[test]
    fn a_server_that_left_is_forgotten() {
        let roster = Roster::default();
        let before = snapshot(None, "\"127.0.0.1:3001\"");
        roster.look(&before);
        let after = snapshot(Some(&before), "\"127.0.0.1:3002\"");
        roster.look(&after);
        assert!(entry(&roster).is_none());
    }
}
