//! Clients that ask all the while, whatever is changed in the gateway meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail};

use super::client::Client;

/// Clients that ask at once.
const CLIENTS: usize = 4;

/// What they ask for.
const PATH: &str = "/api/test";

/// Clients under way; each request of theirs must be answered with 200.
pub(super) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Result<()>>>,
}

#[derive(Default)]
struct Shared {
    /// Read while a request is under way.
    gate: RwLock<()>,
    ends: AtomicBool,
    answered: AtomicU64,
}

impl Load {
    /// Have clients ask a port of the loopback address.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    pub(super) fn start(port: u16) -> Result<Self> {
        let shared = Arc::<Shared>::default();
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let client = Client::connect(port)?;
            let shared = Arc::clone(&shared);
            clients.push(std::thread::spawn(move || shared.ask(client)));
        }
        Ok(Self { shared, clients })
    }

    /// Have them wait between two requests, for a look that others would blur,
    /// until what is returned is dropped.
    pub(super) fn pause(&self) -> RwLockWriteGuard<'_, ()> {
        self.shared
            .gate
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests have been answered.
    pub(super) fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Let them end; how many requests were answered.
    ///
    /// # Errors
    ///
    /// What went wrong with the first request that failed.
    pub(super) fn end(self) -> Result<u64> {
        self.shared.ends.store(true, Ordering::Relaxed);
        for client in self.clients {
            let Ok(asked) = client.join() else {
                bail!("a client's thread ended early");
            };
            asked.context("a request failed while plugins were exchanged")?;
        }
        Ok(self.shared.answered.load(Ordering::Relaxed))
    }
}

impl Shared {
    fn ask(&self, mut client: Client) -> Result<()> {
        while !self.ends.load(Ordering::Relaxed) {
            let _open = self.gate.read().unwrap_or_else(PoisonError::into_inner);
            client.get(PATH, None)?;
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
