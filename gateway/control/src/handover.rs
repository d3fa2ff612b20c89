//! Handing a running gateway over to the one after it: what is listened on goes to
//! another process, and with it the right to write the store, which one process
//! has at a time.
//!
//! The order is what keeps everything: changes under way are finished, no more
//! are taken, the store is closed, and only then the next gateway begins. When
//! it serves, this one drains. When it does not come to that, the store is
//! opened again, what changed in files meanwhile is read, and what was quarantined
//! meanwhile is taken back.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gatewright_proxy::{Inherited, Managed};
use tokio::sync::{mpsc, oneshot};

use crate::change::Refusal;
use crate::control::{Control, entry_of_files};
use crate::gateway::Gateway;
use crate::store::{Edited, StoreError};

/// What the admin listener's socket is called among those that are handed over,
/// and by a service manager.
pub(crate) const ADMIN: &str = "admin";

/// Why a gateway cannot be handed over. Nothing is otherwise than before.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// The gateway stops.
    #[error("the gateway is stopping")]
    Stopping,
    /// The system does not duplicate its sockets.
    #[error("its sockets cannot be handed over: {0}")]
    Sockets(#[from] io::Error),
}

impl Gateway {
    /// Let go of all that the gateway after this one needs: duplicates of what is
    /// listened on, and the store, which is closed. No change is taken from then on.
    /// Afterwards comes either [`Self::take_back`] or [`Self::end_after_handover`].
    ///
    /// # Errors
    ///
    /// When it is not possible; everything is as it was then.
    pub async fn hand_over(&self) -> Result<Vec<Inherited>, HandoverError> {
        let _turn = self.control.turn.lock().await;
        let lent = self.control.publisher.lend().await;
        let mut sockets = lent.ok_or(HandoverError::Stopping)??;
        sockets.push(self.admin_socket.lend()?);
        let store = self.control.store.clone();
        let mut closed = Ok(());
        let close = async {
            let closing = tokio::task::spawn_blocking(move || store.hand_over());
            closed = closing.await.map_err(io::Error::other);
        };
        self.control.write_memory_and(close).await;
        closed?;
        Ok(sockets)
    }

    /// Go on as before, since no other gateway has come of it and none that could
    /// still have the store runs.
    pub async fn take_back(&self) {
        if let Err(error) = self.control.take_store_back().await {
            tracing::error!(%error, "the store is not open again yet; the next change tries again");
        }
        if self.control.handovers.missed.swap(false, Ordering::Relaxed) {
            // What comes of it is logged where it happens.
            let _ = self.control.reload().await;
        }
        // Whatever was quarantined meanwhile could not be.
        self.control.retreat().await;
    }

    /// Another gateway serves: leave the world outside to it, new connections of
    /// operators too. [`Self::end_after_handover`] follows.
    pub fn leave(&self) {
        self.thread.leave();
    }

    /// Another gateway serves on the same sockets: accept no more, let what runs
    /// finish within the drain timeout, and end. Files of sockets stay, and nothing
    /// that changes the world outside goes on.
    pub async fn end_after_handover(self) {
        self.leave();
        self.control.publisher.stop_probing();
        self.control.stop_after_handover().await;
        self.thread.stop().await;
    }

    /// Tell the gateways before this one that it receives what comes over UDP from now
    /// on: nothing can keep it from serving any more.
    pub async fn take_over(&self) {
        self.control.publisher.take_over().await;
    }

    /// Own what the gateway before this one has handed over: files of sockets are
    /// this one's to remove from now on, and what is not wanted any more is closed.
    pub async fn own(&mut self) {
        self.control.publisher.own_files().await;
        std::mem::take(&mut self.left_over).let_go();
    }

    /// Those who ask for an upgrade through the API. While nobody listens to them
    /// they are told that this gateway has none.
    pub fn upgrades(&self) -> mpsc::Receiver<UpgradeAsked> {
        let (sender, receiver) = mpsc::channel(1);
        // A second listener would hear nothing, and there is none.
        let _ = self.control.handovers.asked.set(sender);
        receiver
    }

    /// What tells whether this gateway's threads go round.
    pub fn pulse(&self) -> Pulse {
        Pulse(std::sync::Arc::clone(&self.control))
    }
}

/// Whether a gateway's threads go round.
#[derive(Clone)]
pub struct Pulse(std::sync::Arc<Control>);

impl Pulse {
    /// Whether every worker answers within so long. Workers that drain are not
    /// asked: they end by themselves.
    pub async fn beats(&self, within: Duration) -> bool {
        self.0.publisher.workers_answer(within).await
    }
}

/// Somebody asks for an upgrade and waits for what comes of it.
#[derive(Debug)]
pub struct UpgradeAsked(oneshot::Sender<Result<Upgraded, String>>);

impl UpgradeAsked {
    /// Say what came of it: who serves now, or why nobody else does.
    pub fn answer(self, outcome: Result<Upgraded, String>) {
        // Who asked may have gone.
        let _ = self.0.send(outcome);
    }
}

/// The gateway that has taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgraded {
    /// Its process id.
    pub process: u32,
    /// Its version.
    pub version: String,
}

/// How it stands with handing over.
#[derive(Debug, Default)]
pub(crate) struct Handovers {
    /// Whoever does upgrades.
    asked: std::sync::OnceLock<mpsc::Sender<UpgradeAsked>>,
    /// Whether somebody waits for one.
    is_asked: AtomicBool,
    /// Whether a change of files was refused meanwhile.
    missed: AtomicBool,
}

impl Control {
    /// Have the program started anew in this one's place, and wait until that serves.
    pub(crate) async fn upgrade(&self) -> Result<Upgraded, Refusal> {
        let handovers = &self.handovers;
        let Some(asked) = handovers.asked.get() else {
            let message = "this gateway was started by a command that has no upgrade".to_owned();
            return Err(Refusal::Conflict(message));
        };
        if handovers.is_asked.swap(true, Ordering::Relaxed) {
            return Err(Refusal::Conflict("an upgrade is under way".to_owned()));
        }
        let (answer, answered) = oneshot::channel();
        let sent = asked.send(UpgradeAsked(answer)).await;
        let outcome = match sent {
            Ok(()) => answered.await.map_err(|_| Refusal::Stopping),
            Err(_) => Err(Refusal::Stopping),
        };
        handovers.is_asked.store(false, Ordering::Relaxed);
        outcome?.map_err(Refusal::NotUpgraded)
    }

    /// Refuse a change while another gateway may have the store.
    pub(crate) fn may_change(&self) -> Result<(), StoreError> {
        match self.store.is_handed_over() {
            true => Err(StoreError::HandedOver),
            false => Ok(()),
        }
    }

    /// [`Self::may_change`], for what files or DNS say now: it is read again when
    /// nothing comes of the handover.
    pub(crate) fn may_follow(&self) -> Result<(), StoreError> {
        self.may_change()
            .inspect_err(|_| self.handovers.missed.store(true, Ordering::Relaxed))
    }

    /// Open the store again. The one that did not come to serve may have written to
    /// it what its files said; what counts is what is in force here.
    async fn take_store_back(&self) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let store = self.store.clone();
        let opening = tokio::task::spawn_blocking(move || {
            store.take_back()?;
            store.overlay()
        });
        let kept = opening.await.map_err(|error| self.store.lost(&error))??;
        if let Some(cluster) = &self.keeper.cluster {
            // It is asked for again, and put in force, in the next second.
            cluster.doubt();
            return Ok(());
        }
        let in_force = self.desired();
        if kept == in_force.overlay {
            return Ok(());
        }
        let edited = Edited {
            before: kept,
            after: in_force.overlay.clone(),
            records: Vec::new(),
            entry: entry_of_files("upgrade.undo", String::new()),
        };
        self.store.keep(edited).await
    }

    async fn stop_after_handover(&self) {
        self.readiness.stop();
        self.drain(gatewright_proxy::DataPlane::drain_after_handover)
            .await;
        // The other gateway does not know what requests have left here meanwhile.
        if let Some(sharing) = &self.sharing {
            sharing.end(self).await;
        }
    }
}

/// The admin listener's socket, to be lent.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    pub(crate) socket: std::net::TcpListener,
    /// The address as the configuration writes it.
    pub(crate) wanted: SocketAddr,
    /// What a service manager knows it by, if one has made it.
    pub(crate) managed: Option<Managed>,
}

impl AdminSocket {
    fn lend(&self) -> io::Result<Inherited> {
        let own = || Managed {
            name: ADMIN.to_owned(),
            address: self.wanted.to_string(),
        };
        let Managed { name, address } = self.managed.clone().unwrap_or_else(own);
        Ok(Inherited {
            name,
            address,
            is_of_manager: self.managed.is_some(),
            is_shared: self.managed.is_some(),
            has_file: false,
            sockets: vec![self.socket.try_clone()?.into()],
            datagrams: None,
        })
    }
}
