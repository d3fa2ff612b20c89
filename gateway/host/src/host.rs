//! The host: one engine, its ticker and preparer, and the versions at hand.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use gatewright_model::snapshot::Snapshot;

use crate::cache::Cache;
use crate::compile::{Compiler, Compiling};
use crate::engine;
use crate::event::HostEvent;
use crate::imports::Linkers;
use crate::lanes::Lanes;
use crate::library::Library;
use crate::plan::{Plan, PrepareError, Prepared};
use crate::preparation::Preparation;
use crate::preparer;
use crate::remembered::Remembered;
use crate::replica::Replica;
use crate::shared::Shared;
use crate::shelf::Shelf;
use crate::simulated::Simulated;
use crate::ticker::TickerThread;

/// What a host is to be.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// How many workers there are.
    pub workers: usize,
    /// The folder for compiled components; made if it is not there.
    pub cache: PathBuf,
    /// The folder for the components themselves; made if it is not there. None
    /// keeps them in memory.
    pub components: Option<PathBuf>,
    /// Where components are compiled.
    pub compiler: Compiler,
}

/// Why a host cannot start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The engine does not run on this machine.
    #[error("the WebAssembly engine cannot be set up: {0:#}")]
    Engine(wasmtime::Error),
    /// A folder for components cannot be had.
    #[error("the folder {} for components cannot be made: {error}", path.display())]
    Cache {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A thread cannot be started.
    #[error("a thread of the plugin host cannot be started: {0}")]
    Thread(#[source] io::Error),
}

/// The plugin host.
pub struct Host {
    pub(crate) workers: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) library: Library,
    /// One preparation at a time: each builds on the one before it.
    preparing: Mutex<()>,
    /// What outlived the process before this one.
    remembered: Mutex<Option<Arc<Remembered>>>,
}

impl Host {
    /// Set up the engine and start the host's threads, which end with the last
    /// user of the host.
    ///
    /// # Errors
    ///
    /// When the engine, the cache folder or a thread cannot be had.
    pub fn start(options: HostOptions) -> Result<Arc<Self>, HostError> {
        Self::start_with(Lanes::default(), options, None)
    }

    /// [`Self::start`] with time and randomness that are not the machine's.
    /// Plugins are started anew at once, however long that takes, and a kept
    /// instance is always updated rather than replaced: what happens depends on
    /// the simulation alone, as long as no plugin outlives its deadline.
    ///
    /// # Errors
    ///
    /// As for [`Self::start`].
    pub fn start_simulated(
        options: HostOptions,
        simulated: Arc<Simulated>,
    ) -> Result<Arc<Self>, HostError> {
        Self::start_with(Lanes::default(), options, Some(simulated))
    }

    /// [`Self::start`] with a choice of lanes, for tests and benches that
    /// compare them.
    ///
    /// # Errors
    ///
    /// As for [`Self::start`].
    #[doc(hidden)]
    pub fn start_on(lanes: Lanes, options: HostOptions) -> Result<Arc<Self>, HostError> {
        Self::start_with(lanes, options, None)
    }

    fn start_with(
        lanes: Lanes,
        options: HostOptions,
        simulated: Option<Arc<Simulated>>,
    ) -> Result<Arc<Self>, HostError> {
        let engine = engine::engine().map_err(HostError::Engine)?;
        let linkers = Linkers::new(&engine, lanes).map_err(HostError::Engine)?;
        let path = options.cache;
        let cache = Cache::open(&path, engine::fingerprint(&engine));
        let cache = cache.map_err(|error| HostError::Cache { path, error })?;
        let shelf = Shelf::open(options.components.as_deref());
        let path = options.components.unwrap_or_default();
        let shelf = shelf.map_err(|error| HostError::Cache { path, error })?;
        let ticker = TickerThread::start(engine.clone(), simulated).map_err(HostError::Thread)?;
        let (orders, received) = mpsc::channel();
        preparer::start(received).map_err(HostError::Thread)?;
        let compiling = Compiling::new(options.compiler);
        Ok(Arc::new(Self {
            workers: options.workers,
            shared: Arc::new(Shared::new(engine.clone(), ticker, orders)),
            library: Library::new(engine, linkers, (cache, shelf), compiling),
            preparing: Mutex::default(),
            remembered: Mutex::default(),
        }))
    }

    /// Make everything that a snapshot needs of plugins, for every worker:
    /// read, compile, check and instantiate what changed since `previous`.
    /// Takes as long as it takes; never call it on a worker.
    ///
    /// A version that is quarantined gives way to the one that was seated
    /// before it; where there is none, it stays and its seats answer
    /// [`crate::Fault::Quarantined`].
    ///
    /// # Errors
    ///
    /// When a plugin cannot be seated. Nothing is changed then.
    pub fn prepare(
        &self,
        snapshot: &Arc<Snapshot>,
        previous: Option<&Plan>,
    ) -> Result<Prepared, PrepareError> {
        let _turn = self
            .preparing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Preparation::new(self, snapshot, previous).run()
    }

    /// Find out whether [`Self::prepare`] would succeed, and leave it at that: what
    /// was only tried never stands in for what is quarantined, and has sessions and
    /// values that are thrown away.
    ///
    /// # Errors
    ///
    /// As [`Self::prepare`].
    pub fn rehearse(&self, snapshot: &Arc<Snapshot>, previous: &Plan) -> Result<(), PrepareError> {
        let _turn = self
            .preparing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Preparation::new(self, snapshot, Some(previous)).rehearse()
    }

    /// Give the first plan what outlived the process before this one; none once
    /// there is a plan.
    pub fn remember(&self, remembered: Option<Remembered>) {
        let held = self.remembered.lock();
        *held.unwrap_or_else(PoisonError::into_inner) = remembered.map(Arc::new);
    }

    pub(crate) fn remembered(&self) -> Option<Arc<Remembered>> {
        self.remembered.lock().ok()?.clone()
    }

    /// Share what plugins keep with other gateways: to be asked before the first plan,
    /// and once. `wake` is called, by workers too, when there is something to tell; it
    /// must not block. Somebody has to take what is noted: see [`crate::Share`].
    pub fn share(&self, wake: Box<dyn Fn() + Send + Sync>) -> Arc<Replica> {
        self.shared.share(wake)
    }

    /// A receiver of what happens from now on. It must be read: what is beyond
    /// 256 unread events is dropped.
    pub fn events(&self) -> mpsc::Receiver<HostEvent> {
        self.shared.listen()
    }

    /// How long the host has been running: the clock of sessions and `store`.
    pub fn now(&self) -> Duration {
        self.shared.now()
    }
}
