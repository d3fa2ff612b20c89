//! The desired state that this gateway has together with others, in a Redis server
//! (`gatewright-cluster`).
//!
//! The server has the last word: a change counts once it is committed there, and
//! the store is a copy. Which of the two gives way when they differ is in
//! [`Course`]. Reading order: here is how a change is committed; `follow` puts in
//! force what others have changed; `components` has what both need; `join` is the
//! start.

mod ahead;
mod attempts;
mod components;
mod follow;
mod join;
mod members;
mod problems;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use gatewright_cluster::{
    Committed, Components, Connection, Delta, Failure, Head, Heard, Ledger, Members, Revision,
    Shelf, Standing, State,
};
use gatewright_host::Host;
use gatewright_model::id::{Digest, PluginName};
use tokio::time;

use self::ahead::Ahead;
pub(crate) use self::attempts::{Attempts, Ticket};
use self::components::Missing;
pub(crate) use self::follow::follow;
pub(crate) use self::problems::About;
use self::problems::Problems;
use crate::store::{Contents, Edited, Replica};

/// How long a change waits to learn what became of it when the server has not said.
const SETTLE: Duration = Duration::from_secs(3);

/// How long after it has not been learned the server is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Why a change does not go through the cluster's server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// Other gateways were quicker, again and again.
    #[error("other gateways change the cluster's state at the same time; ask again")]
    Moved,
    /// The server is away, or does not do it. Nothing was changed.
    #[error(
        "the cluster's server does not take the change, and no gateway changes alone: {0}; what \
         was in force still is; ask again when the server is there"
    )]
    Refused(String),
    /// It may have been changed.
    #[error(
        "the cluster's server was asked and has not answered ({0}), so that nobody knows yet \
         whether the change is kept: if it is, it comes into force on every gateway once the \
         server answers; look before you ask again"
    )]
    Unknown(String),
    /// Another program's version wrote what this one cannot read.
    #[error(
        "the cluster's state has a record that this program cannot read, as version {version} by \
         {author} left it: {why}; run the program here that the others run; until then this \
         gateway goes on with what it has, and changes nothing"
    )]
    Unreadable {
        /// The version of the state.
        version: u64,
        /// Who changed it last.
        author: String,
        /// Which record, and what is wrong with it.
        why: String,
    },
}

/// What a state says, if this program can read all of it.
fn contents(state: &State) -> Result<Contents, ClusterError> {
    let revision = &state.head.revision;
    Contents::of(&state.fields).map_err(|unreadable| ClusterError::Unreadable {
        version: revision.version,
        author: revision.author.clone(),
        why: unreadable.to_string(),
    })
}

impl From<Failure> for ClusterError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unanswered(why) => Self::Unknown(why),
            Failure::Away(why) | Failure::Refused(why) => Self::Refused(why),
        }
    }
}

/// What is to be done when this gateway's copy and the server are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// Nothing: they are the same.
    Stay,
    /// Take what the server has. Where that does not come from what this gateway has,
    /// what is here alone is set aside.
    Follow { sets_aside: bool },
    /// Give the server what this gateway has, which comes from what is there: it lost
    /// the rest.
    Restore,
    /// Begin a cluster with what this gateway has.
    Seed,
}

impl Course {
    /// Who of two comes from the other gives way to it; of strangers the server wins,
    /// and whoever has something gives it to one that has nothing.
    fn of(ours: Option<&Head>, theirs: Option<&Head>) -> Self {
        match (ours, theirs) {
            (None, None) => Self::Seed,
            (Some(_), None) => Self::Restore,
            (None, Some(_)) => Self::Follow { sets_aside: true },
            (Some(ours), Some(theirs)) => match (ours.leads_to(theirs), theirs.leads_to(ours)) {
                (true, true) => Self::Stay,
                (true, false) => Self::Follow { sets_aside: false },
                (false, true) => Self::Restore,
                (false, false) => Self::Follow { sets_aside: true },
            },
        }
    }
}

/// The cluster that this gateway is in.
pub(crate) struct Cluster {
    pub(crate) connection: Connection,
    ledger: Ledger,
    shelf: Shelf,
    members: Members,
    /// What this gateway has of the state.
    replica: Mutex<Replica>,
    /// The gateways that there are or were, as was heard last.
    gateways: Mutex<Vec<Heard>>,
    /// What is wrong.
    problems: Problems,
    /// What is to be compiled before it is bound.
    ahead: Ahead,
    /// Components that cannot be had.
    lacked: Mutex<BTreeMap<Digest, Missing>>,
    /// Those that have come, until what they are for is in force.
    came: Mutex<BTreeMap<Digest, PluginName>>,
    /// Whether a change may stand in the server's line: it was asked for there, and is
    /// not known to be done.
    is_in_line: AtomicBool,
    /// Whether the store may not wholly have what this gateway has.
    has_doubts: AtomicBool,
    /// Whether more of the state may be put in force than was.
    follows_anew: AtomicBool,
    /// Where components are, once it has started.
    host: OnceLock<Arc<Host>>,
    /// Where the admin listener is, once it is bound.
    admin: OnceLock<SocketAddr>,
    /// Whether it says no more that it is there.
    has_left: AtomicBool,
    /// Who says something holds it, so that what is said last comes last.
    saying: tokio::sync::Mutex<()>,
    /// Whether files have changed what the server could not be told of.
    pub(crate) has_missed: AtomicBool,
    /// The data folder, if there is one.
    data: Option<PathBuf>,
}

impl Cluster {
    /// What this gateway has of the state.
    pub(crate) fn replica(&self) -> Replica {
        self.replica
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Which state this gateway has.
    pub(crate) fn revision(&self) -> Option<Revision> {
        let replica = self.replica.lock().unwrap_or_else(PoisonError::into_inner);
        replica.head.as_ref().map(|head| head.revision.clone())
    }

    /// This gateway has this state from now on.
    pub(crate) fn has(&self, state: &State) {
        let mut replica = self.replica.lock().unwrap_or_else(PoisonError::into_inner);
        replica.head = Some(state.head.clone());
        replica.fields.clone_from(&state.fields);
        self.has_doubts.store(false, Ordering::Relaxed);
    }

    /// The store may not wholly have what this gateway has: have the server say it
    /// again, and keep it.
    pub(crate) fn doubt(&self) {
        self.has_doubts.store(true, Ordering::Relaxed);
    }

    fn has_doubts(&self) -> bool {
        self.has_doubts.load(Ordering::Relaxed)
    }

    /// More of the state may be put in force than was: follow it again.
    fn follow_anew(&self) {
        self.follows_anew.store(true, Ordering::Relaxed);
    }

    /// Whether the state is to be followed although this gateway has it.
    fn is_to_follow(&self) -> bool {
        self.has_doubts() || self.follows_anew.load(Ordering::Relaxed)
    }

    /// The gateways that there are, by name, and those that fell silent.
    pub(crate) fn gateways(&self) -> Vec<Heard> {
        self.gateways
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn leave_line(&self, ticket: Ticket) {
        if let Err(failure) = self.ledger.leave_line(&ticket.to_string()).await {
            tracing::debug!("a place in the line ends by itself: {failure}");
        }
    }

    /// Commit a change, which stands in line with its ticket: the state with it; none
    /// when it changes nothing there. Only who has the turn may call it.
    pub(crate) async fn commit(
        &self,
        edited: &Edited,
        ticket: Option<Ticket>,
    ) -> Result<Option<State>, ClusterError> {
        let unwritten = |error: serde_json::Error| ClusterError::Refused(error.to_string());
        let delta = edited.delta().map_err(unwritten)?;
        if delta.is_empty() {
            return Ok(None);
        }
        let replica = self.replica();
        let Some(base) = replica.head.as_ref() else {
            let message = "it has no state, and this gateway begins one in some seconds, unless \
                           another gives one back";
            return Err(ClusterError::Refused(message.to_owned()));
        };
        let state = State {
            head: base.next(self.connection.name()),
            fields: replica.with(&delta),
        };
        let components = self.components(&replica.fields, &state.fields).await?;
        let heads = (base, &state.head);
        self.is_in_line
            .fetch_or(ticket.is_some(), Ordering::Relaxed);
        let ticket = ticket.map(|ticket| ticket.to_string());
        let committing = self
            .ledger
            .commit(heads, &delta, &components, ticket.as_deref());
        match committing.await {
            Ok(Committed::Done) => {}
            Ok(Committed::Moved) => return Err(ClusterError::Moved),
            Err(Failure::Unanswered(why)) => {
                let settling = self.settle(base, &state.head);
                match time::timeout(SETTLE, settling).await {
                    Ok(Some(true)) => {}
                    Ok(Some(false)) => return Err(ClusterError::Moved),
                    Ok(None) | Err(_) => return Err(ClusterError::Unknown(why)),
                }
            }
            Err(failure) => return Err(failure.into()),
        }
        // It has left with the commit.
        self.is_in_line.store(false, Ordering::Relaxed);
        Ok(Some(state))
    }

    /// Learn what became of a commit: whether it was done. What is still on its way
    /// is kept from being done later by a change of nothing, before which it was to
    /// come. None when the server has another state.
    async fn settle(&self, base: &Head, wanted: &Head) -> Option<bool> {
        let mut standings = self.connection.standings();
        loop {
            // The connection that did not answer is given up within a second.
            if standings.wait_for(Standing::is_connected).await.is_err() {
                return None;
            }
            if let Ok(there) = self.ledger.head().await {
                match Fate::of(base, wanted, &there?) {
                    Fate::Done => return Some(true),
                    Fate::Overtaken => return Some(false),
                    Fate::Unknown => return None,
                    Fate::Open => {}
                }
                let fence = base.next(self.connection.name());
                let (none, nothing) = (Delta::new(), Components::default());
                let fencing = self.ledger.commit((base, &fence), &none, &nothing, None);
                if let Ok(Committed::Done) = fencing.await {
                    return Some(false);
                }
            }
            // A server that refuses does so at once.
            time::sleep(ASK_AGAIN).await;
        }
    }
}

/// What the server's state says of a commit that was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It was done, whatever came after it.
    Done,
    /// It was not, and may still be.
    Open,
    /// Another came in its place.
    Overtaken,
    /// The state comes from neither.
    Unknown,
}

impl Fate {
    fn of(base: &Head, wanted: &Head, there: &Head) -> Self {
        if wanted.leads_to(there) {
            Self::Done
        } else if base.revision == there.revision {
            Self::Open
        } else if base.leads_to(there) {
            Self::Overtaken
        } else {
            Self::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Course, Fate, Head};

    #[test]
    fn what_came_of_a_commit_is_told_by_what_came_after_it() {
        let base = Head::first("a").next("b");
        let wanted = base.next("a");
        let fate = |there: &Head| Fate::of(&base, &wanted, there);
        assert_eq!(fate(&wanted), Fate::Done);
        assert_eq!(fate(&wanted.next("b").next("c")), Fate::Done);
        assert_eq!(fate(&base), Fate::Open);
        assert_eq!(fate(&base.next("b")), Fate::Overtaken);
        assert_eq!(fate(&base.next("b").next("c")), Fate::Overtaken);
        assert_eq!(fate(&Head::first("b")), Fate::Unknown);
    }

    #[test]
    fn who_comes_from_the_other_wins_and_of_strangers_the_server() {
        let first = Head::first("a");
        let ours = first.next("a").next("a");
        let with = |theirs: &Head| Course::of(Some(&ours), Some(theirs));
        let follow = |sets_aside| Course::Follow { sets_aside };
        assert_eq!(with(&ours), Course::Stay);
        assert_eq!(with(&first), Course::Restore);
        assert_eq!(with(&ours.next("b")), follow(false));
        // Whatever the versions say: lower, the same and higher.
        let mut theirs = first.next("b");
        for _ in 0..3 {
            assert_eq!(with(&theirs), follow(true));
            theirs = theirs.next("b");
        }
        // Another cluster's is not overwritten, however old it is.
        assert_eq!(with(&Head::first("b")), follow(true));
        assert_eq!(Course::of(Some(&ours), None), Course::Restore);
        assert_eq!(Course::of(None, Some(&ours)), follow(true));
        assert_eq!(Course::of(None, None), Course::Seed);
    }
}
