//! Requests that are under way to a server, so that others for the same answer wait
//! for it instead of being sent too.
//!
//! Across workers, and only where nothing that is kept will do. The lock is held for
//! a look into a map; what is waited for is a message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::stored::Key;

/// Requests that wait for one answer. Beyond it they are sent, too.
const MOST_WAITING: usize = 10_000;

/// What has become of a request that others wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landing {
    UnderWay,
    /// Its answer is kept, or what was kept is right again.
    Kept,
    /// Its answer is its own.
    Apart,
    /// It has come to nothing: the client has left, or the answer broke off.
    Lost,
}

/// What is under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Flights(Arc<Mutex<HashMap<Key, Arc<watch::Sender<Landing>>>>>);

/// What a request for an answer is to do.
pub(super) enum Part {
    /// Ask the server, and tell the others.
    Lead(Lead),
    /// Wait for who asks it.
    Wait(watch::Receiver<Landing>),
    /// Ask the server: enough wait.
    Crowded,
}

impl Flights {
    /// Join those who want the same answer.
    pub(super) fn join(&self, key: &Key) -> Part {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(landing) = under_way.get(key) {
            return match landing.receiver_count() < MOST_WAITING {
                true => Part::Wait(landing.subscribe()),
                false => Part::Crowded,
            };
        }
        let landing = Arc::new(watch::Sender::new(Landing::UnderWay));
        under_way.insert(key.clone(), Arc::clone(&landing));
        Part::Lead(Lead {
            flights: self.clone(),
            key: key.clone(),
            landing,
            outcome: Landing::Lost,
        })
    }

    /// Be the one who asks, unless somebody does.
    pub(super) fn lead(&self, key: &Key) -> Option<Lead> {
        match self.join(key) {
            Part::Lead(lead) => Some(lead),
            Part::Wait(_) | Part::Crowded => None,
        }
    }
}

/// The guard of a request that others may wait for: they are told when it is dropped.
#[derive(Debug)]
pub(super) struct Lead {
    flights: Flights,
    key: Key,
    landing: Arc<watch::Sender<Landing>>,
    outcome: Landing,
}

impl Lead {
    /// Tell the others now what has become of it.
    pub(super) fn lands(mut self, outcome: Landing) {
        self.outcome = outcome;
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let mut under_way = self
            .flights
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        under_way.remove(&self.key);
        drop(under_way);
        self.landing.send_replace(self.outcome);
    }
}

/// What has become of a request that is waited for.
pub(super) async fn landing(mut waiting: watch::Receiver<Landing>) -> Landing {
    let landed = waiting.wait_for(|landing| *landing != Landing::UnderWay);
    landed.await.map_or(Landing::Lost, |landing| *landing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(url: &str) -> Key {
        Key {
            pool: "web".into(),
            url: url.into(),
            told: "".into(),
        }
    }

    #[tokio::test]
    async fn one_leads_and_the_others_hear_what_has_become_of_it() {
        let flights = Flights::default();
        let Part::Lead(lead) = flights.join(&key("/a")) else {
            panic!("nobody asks yet");
        };
        let Part::Wait(one) = flights.join(&key("/a")) else {
            panic!("somebody asks");
        };
        let Part::Wait(other) = flights.join(&key("/a")) else {
            panic!("somebody asks");
        };
        assert!(flights.lead(&key("/b")).is_some(), "another answer");
        assert!(flights.lead(&key("/a")).is_none());
        std::thread::spawn(move || lead.lands(Landing::Kept))
            .join()
            .unwrap();
        assert_eq!(landing(one).await, Landing::Kept);
        assert_eq!(landing(other).await, Landing::Kept);
        assert!(flights.lead(&key("/a")).is_some(), "it is over");
    }

    #[tokio::test]
    async fn who_leads_and_is_gone_is_no_longer_waited_for() {
        let flights = Flights::default();
        let lead = flights.lead(&key("/a"));
        let Part::Wait(waiting) = flights.join(&key("/a")) else {
            panic!("somebody asks");
        };
        drop(lead);
        assert_eq!(landing(waiting).await, Landing::Lost);
    }
}
