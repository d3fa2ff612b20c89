//! Saying that this gateway is there, and hearing which others are.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use gatewright_cluster::{ANNOUNCE_EVERY, COMES_BACK, Failure, Heard, Member, Present, Standing};
use gatewright_model::endpoint::Health;
use tokio::time;

use super::follow::POLL_EVERY;
use super::problems::About;
use super::{Cluster, ClusterError};
use crate::control::Control;

/// How often another run has to have spoken in this gateway's name until it is another
/// gateway, and not to have spoken until it is none: the run before this one may have
/// done so once, at its end.
const NAMESAKES: u32 = 3;

/// Another gateway that may be called the same.
#[derive(Default)]
struct Namesake {
    heard: u32,
    last: Option<Member>,
    is_another: bool,
}

impl Namesake {
    /// Take in what was said last in this gateway's name; the other gateway, if it is
    /// one.
    fn hear(&mut self, said: Option<Member>) -> Option<&Member> {
        match said {
            Some(_) => {
                self.heard = NAMESAKES.min(self.heard + 1);
                self.last = said;
            }
            None => self.heard = self.heard.saturating_sub(1),
        }
        self.is_another = match self.heard {
            0 => false,
            NAMESAKES => true,
            _ => self.is_another,
        };
        self.last.as_ref().filter(|_| self.is_another)
    }
}

/// Say it now and then, for ever.
pub(super) async fn announce(control: &Arc<Control>, cluster: &Arc<Cluster>) {
    let mut standings = cluster.connection.standings();
    let mut namesake = Namesake::default();
    loop {
        // An error is the end of the connection, which this holds.
        let connected = standings.wait_for(Standing::is_connected).await.is_ok();
        if connected && let Ok(Some(heard)) = cluster.say(control).await {
            *cluster
                .gateways
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = heard.all;
            let other = namesake.hear(heard.namesake);
            cluster.tell(control, About::Name, other.map(shares_name));
        }
        time::sleep(ANNOUNCE_EVERY).await;
    }
}

fn shares_name(namesake: &Member) -> String {
    let Member { name, admin, .. } = namesake;
    format!(
        "another gateway, with its admin listener at {admin}, is called {name:?} as well, so that \
         others see one of both; give each a cluster.name of its own and start it again"
    )
}

impl Cluster {
    /// What this gateway says of itself.
    pub(crate) fn member(&self, control: &Control) -> Member {
        let snapshot = control.publisher.snapshot();
        let count = |wanted: Health| {
            let endpoints = snapshot.pools.iter().flat_map(|pool| pool.endpoints());
            endpoints.filter(|one| one.state.health() == wanted).count() as u64
        };
        let started = SystemTime::now().checked_sub(control.started.elapsed());
        let started = started.and_then(|started| started.duration_since(UNIX_EPOCH).ok());
        Member {
            name: self.connection.name().to_owned(),
            instance: format!("{:016x}", self.connection.instance()),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            admin: self
                .admin
                .get()
                .map(ToString::to_string)
                .unwrap_or_default(),
            started: started.unwrap_or_default().as_millis() as u64,
            healthy: count(Health::Healthy),
            unhealthy: count(Health::Unhealthy),
            version: self.revision().map_or(0, |revision| revision.version),
            generation: snapshot.generation.0,
        }
    }

    /// Say that this gateway is there, and hear who is; nothing once it has left.
    async fn say(&self, control: &Control) -> Result<Option<Present>, Failure> {
        let _saying = self.saying.lock().await;
        if self.has_left.load(Ordering::Relaxed) {
            return Ok(None);
        }
        self.members.announce(&self.member(control)).await.map(Some)
    }

    /// Whether this gateway may begin a cluster: not where others have the state that the
    /// server has lost, and are about to give it back. The list of them may be lost with
    /// it, so that the server has to be empty for as long as they take to come back. One that
    /// takes longer, as over a slow way, comes back as a stranger.
    pub(super) async fn may_begin(&self, control: &Control) -> Result<bool, ClusterError> {
        let is_given_up = self.ledger.empty_for().await? >= COMES_BACK + POLL_EVERY;
        let Some(heard) = self.say(control).await? else {
            return Ok(false);
        };
        let own = self.connection.name();
        let mut others = heard.all.iter();
        let has_state =
            |one: &&Heard| one.member.name != own && one.member.version > 0 && !one.is_silent();
        match others.find(has_state) {
            Some(other) => Err(ClusterError::Refused(format!(
                "it has lost the state, and the gateway {} is to give it back",
                other.member.name
            ))),
            None => Ok(is_given_up),
        }
    }

    /// Be on the list no more, however long the end takes.
    pub(crate) async fn leave(&self, control: &Control) {
        // Who is about to speak says nothing any more.
        self.has_left.store(true, Ordering::Relaxed);
        let _saying = self.saying.lock().await;
        // Else it is shown as silent for a while.
        let _ = self.members.leave(&self.member(control)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::{Member, Namesake};

    #[test]
    fn who_speaks_once_is_the_run_before_and_who_goes_on_is_another() {
        let said = || {
            Some(Member {
                name: "a".to_owned(),
                instance: String::new(),
                program: String::new(),
                admin: String::new(),
                started: 0,
                healthy: 0,
                unhealthy: 0,
                version: 0,
                generation: 0,
            })
        };
        let mut namesake = Namesake::default();
        for said in [said(), None, said(), None, said(), said()] {
            assert!(namesake.hear(said).is_none());
        }
        // From then on, also where one of both was late.
        for said in [said(), None, said(), None, None] {
            assert!(namesake.hear(said).is_some());
        }
        assert!(namesake.hear(None).is_none());
    }
}
