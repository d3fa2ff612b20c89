//! The data plane as the control plane sees it: bind or take over, start, publish,
//! hand on, drain.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use gatewright_host::{ChainUpdate, Recording};
use gatewright_model::address::Address;
use gatewright_model::config::{Config, Listener};
use gatewright_model::counters::WorkerCounters;
use gatewright_model::id::PoolName;
use gatewright_model::snapshot::Snapshot;
use tokio::runtime::LocalOptions;
use tokio::sync::{mpsc, oneshot};

use crate::cache::Cache;
use crate::group::{Group, Share};
use crate::http3::{self, DatagramGroup, Datagrams};
use crate::inherited::{Inheritance, Inherited};
use crate::listener;
use crate::prober::Suspects;
use crate::socket_file::SocketFile;
use crate::telemetry::Telemetry;
use crate::tls::{Challenges, TlsConfigs};
use crate::worker::{Message, Publication, Worker};

/// What is in force, as it is published: a snapshot, and what the handshakes of
/// its listeners and pools are done with.
#[derive(Clone, Debug)]
pub struct InForce {
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    /// TLS.
    pub tls: Arc<TlsConfigs>,
    /// What authorities are shown while certificates are ordered. It is the same
    /// from start to end.
    pub challenges: Arc<Challenges>,
    /// What is kept of servers' answers. It is the same from start to end.
    pub cache: Arc<Cache>,
}

/// How long a publication waits for the workers to say that they have it.
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(1);

/// How long clients have to take the last answers, when draining took too long.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How long it may take to tell all clients over UDP that their connections are cut.
const FAREWELL: Duration = Duration::from_millis(100);

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "listener {name:?}: cannot listen on {address}: {}",
    in_words(address, source)
)]
pub struct BindError {
    /// The listener's name.
    pub name: Arc<str>,
    /// Its address.
    pub address: Address,
    /// What the system says.
    pub source: io::Error,
}

fn in_words(address: &Address, error: &io::Error) -> String {
    match (error.kind(), address) {
        (io::ErrorKind::AddrInUse, Address::Unix(_)) => {
            "another process listens there, perhaps another gateway; stop it or choose another path"
                .into()
        }
        (io::ErrorKind::AlreadyExists, Address::Unix(_)) => {
            "there is a file that is no socket; remove it or choose another path".into()
        }
        (io::ErrorKind::PermissionDenied, Address::Unix(_)) => {
            "not permitted; the gateway's user needs the right to write to the folder".into()
        }
        (io::ErrorKind::AddrInUse, _) => {
            "the port is taken, perhaps by another gateway; stop it or choose another port".into()
        }
        (io::ErrorKind::PermissionDenied, _) => {
            "not permitted; ports below 1024 need CAP_NET_BIND_SERVICE".into()
        }
        _ => error.to_string(),
    }
}

/// Sockets that listen already, though nobody accepts yet: clients that come
/// early wait instead of being refused. Only where another gateway serves the same
/// address meanwhile, what is bound beside its sockets does not listen yet.
pub struct Bound {
    listeners: Vec<BoundListener>,
    workers: usize,
}

struct BoundListener {
    listener: Listener,
    group: Group,
}

impl Bound {
    /// Take over what listens already for a listener of the configuration, and bind
    /// the others.
    ///
    /// # Errors
    ///
    /// When the system refuses a socket.
    pub fn new(config: &Config, inheritance: &mut Inheritance) -> Result<Self, BindError> {
        let listeners = config.listeners.iter();
        let addresses: Vec<_> = listeners.map(|one| one.listen.to_string()).collect();
        let names = config.listeners.iter().map(|listener| &*listener.name);
        let wanted: Vec<_> = names.zip(addresses.iter().map(String::as_str)).collect();
        let inherited = inheritance.take(&wanted);
        let open = |(listener, inherited): (&Listener, Option<Inherited>)| {
            let group = match inherited {
                Some(inherited) => Group::adopt(listener, inherited, config.workers),
                None => Group::bind(listener, config.workers),
            };
            let group = group.map_err(|source| BindError {
                name: Arc::clone(&listener.name),
                address: listener.listen.clone(),
                source,
            })?;
            Ok(BoundListener {
                listener: listener.clone(),
                group,
            })
        };
        let listeners = config.listeners.iter().zip(inherited).map(open);
        Ok(Self {
            listeners: listeners.collect::<Result<_, _>>()?,
            workers: config.workers,
        })
    }

    /// The addresses in the order of the configuration, with the ports that the
    /// system chose where it was asked to.
    pub fn addresses(&self) -> Vec<Address> {
        let first = |bound: &BoundListener| {
            let chosen = bound.group.local_addr();
            chosen.map_or_else(|| bound.listener.listen.clone(), Address::Ip)
        };
        self.listeners.iter().map(first).collect()
    }

    /// Start the workers, each with its share of what was prepared for the
    /// snapshot: as many `chains` as workers.
    pub fn start(
        mut self,
        in_force: &InForce,
        chains: Vec<ChainUpdate>,
        suspects: &Suspects,
        telemetry: &Telemetry,
    ) -> io::Result<DataPlane> {
        let counters: Arc<[WorkerCounters]> = (0..self.workers)
            .map(|_| WorkerCounters::default())
            .collect();
        for bound in &mut self.listeners {
            bound.group.listen()?;
        }
        in_force.cache.adopt(&in_force.snapshot.config);
        let mut workers = Vec::with_capacity(self.workers);
        for (index, chain) in chains.into_iter().enumerate() {
            let (messages, inbox) = mpsc::unbounded_channel();
            let start = Start {
                index,
                counters: Arc::clone(&counters),
                in_force: in_force.clone(),
                chain,
                suspects: suspects.clone(),
                telemetry: telemetry.clone(),
                sockets: self.sockets_for(index)?,
                datagrams: self.datagrams_for(index)?,
                inbox,
            };
            let thread = std::thread::Builder::new().name(format!("worker-{index}"));
            workers.push(WorkerHandle {
                messages,
                thread: Some(thread.spawn(move || start.run())?),
            });
        }
        Ok(DataPlane {
            addresses: self.addresses(),
            listeners: self.listeners,
            counters,
            workers,
        })
    }

    /// What one worker accepts from.
    fn sockets_for(&self, worker: usize) -> io::Result<Vec<(Arc<str>, Share)>> {
        let mut sockets = Vec::new();
        for bound in &self.listeners {
            let share = bound.group.share_of(worker, self.workers)?.into_iter();
            sockets.extend(share.map(|socket| (Arc::clone(&bound.listener.name), socket)));
        }
        Ok(sockets)
    }

    /// What one worker receives on.
    fn datagrams_for(&self, worker: usize) -> io::Result<Vec<(Arc<str>, Datagrams)>> {
        let mut all = Vec::new();
        for bound in &self.listeners {
            let Some(datagrams) = &bound.group.datagrams else {
                continue;
            };
            let share = datagrams.share_of(worker, self.workers)?.into_iter();
            all.extend(share.map(|one| (Arc::clone(&bound.listener.name), one)));
        }
        Ok(all)
    }
}

/// What a worker's thread begins with.
struct Start {
    index: usize,
    counters: Arc<[WorkerCounters]>,
    in_force: InForce,
    chain: ChainUpdate,
    suspects: Suspects,
    telemetry: Telemetry,
    sockets: Vec<(Arc<str>, Share)>,
    datagrams: Vec<(Arc<str>, Datagrams)>,
    inbox: mpsc::UnboundedReceiver<Message>,
}

impl Start {
    fn run(self) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => runtime.block_on(self.work()),
            Err(error) => tracing::error!(%error, "a worker cannot start"),
        }
    }

    /// Serve until told to drain, then until the last connection closed or the
    /// time for that is over.
    async fn work(self) {
        let worker = Worker::new(
            self.index,
            self.counters,
            self.in_force,
            self.chain,
            (self.suspects, self.telemetry),
        );
        for (name, socket) in self.sockets {
            let accepting = listener::accept(std::rc::Rc::clone(&worker), name, socket);
            tokio::task::spawn_local(accepting);
        }
        for (name, datagrams) in self.datagrams {
            let accepting = http3::accept(std::rc::Rc::clone(&worker), name, datagrams);
            tokio::task::spawn_local(accepting);
        }
        let sweeping = std::rc::Rc::clone(&worker);
        tokio::task::spawn_local(async move { sweeping.sweep().await });
        let outbox = std::rc::Rc::clone(&worker.outbox);
        tokio::task::spawn_local(async move { outbox.serve().await });
        let asking = std::rc::Rc::clone(&worker);
        tokio::task::spawn_local(async move { asking.ask_shadows().await });
        worker.obey(self.inbox).await;
        let patience = worker.timeouts().drain;
        if tokio::time::timeout(patience, worker.room_within(|| 1))
            .await
            .is_err()
        {
            let (open, unanswered) = (worker.open(), worker.counters().unanswered());
            tracing::warn!(
                worker = self.index,
                open,
                unanswered,
                "connections are cut: draining took too long"
            );
            if unanswered > 0 {
                worker.give_up();
                // Whoever does not take its answer in that time gets none.
                let _ = tokio::time::timeout(LAST_WORDS, worker.room_within(|| 1)).await;
            }
            worker.cut_begins.notify_waiters();
            let _ = tokio::time::timeout(FAREWELL, worker.room_within(|| 1)).await;
        }
        // The last ones may have closed in this very round.
        worker.outbox.send();
    }
}

/// The running workers.
pub struct DataPlane {
    addresses: Vec<Address>,
    /// What is listened on.
    listeners: Vec<BoundListener>,
    counters: Arc<[WorkerCounters]>,
    workers: Vec<WorkerHandle>,
}

struct WorkerHandle {
    messages: mpsc::UnboundedSender<Message>,
    thread: Option<JoinHandle<()>>,
}

/// On how many workers a publication is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Those that said so in time.
    pub workers: usize,
    /// All there are.
    pub of: usize,
}

impl DataPlane {
    /// Where clients connect, in the order of the configuration.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// What the workers count.
    pub fn counters(&self) -> &Arc<[WorkerCounters]> {
        &self.counters
    }

    /// Hand every worker the snapshot and its chain, wake it, and wait until
    /// all have taken it over, or one second.
    pub async fn publish(&self, in_force: &InForce, chains: Vec<ChainUpdate>) -> Applied {
        in_force.cache.adopt(&in_force.snapshot.config);
        let mut pending = Vec::with_capacity(self.workers.len());
        for (worker, chain) in self.workers.iter().zip(chains) {
            let (taken_over, done) = oneshot::channel();
            let publication = Box::new(Publication {
                in_force: in_force.clone(),
                chain,
                taken_over,
            });
            // A worker that is gone drops the message, and with it the sender.
            let _ = worker.messages.send(Message::Publish(publication));
            pending.push(done);
        }
        let until = tokio::time::Instant::now() + ACKNOWLEDGE_WITHIN;
        let mut applied = 0;
        for done in pending {
            if let Ok(Ok(())) = tokio::time::timeout_at(until, done).await {
                applied += 1;
            }
        }
        Applied {
            workers: applied,
            of: self.workers.len(),
        }
    }

    /// Duplicates of all that is listened on, for the gateway after this one.
    ///
    /// # Errors
    ///
    /// When the system has no more descriptors.
    pub fn lend(&self) -> io::Result<Vec<Inherited>> {
        let listeners = self.listeners.iter();
        let lent = listeners.map(|bound| bound.group.lend(&bound.listener));
        lent.collect()
    }

    /// Tell the gateways before this one that it receives what comes over UDP, once
    /// nothing can keep it from serving any more.
    pub fn take_over(&self) {
        self.datagrams().for_each(DatagramGroup::take_over);
    }

    /// From now on the files of sockets are this gateway's that were taken over.
    pub fn own_files(&self) {
        self.files().for_each(SocketFile::own);
    }

    /// Whether every worker answers within so long.
    pub async fn answers(&self, within: Duration) -> bool {
        let asked = self.workers.iter().map(|worker| {
            let (answer, answered) = oneshot::channel();
            // A worker that is gone drops the question, and with it the sender.
            let _ = worker.messages.send(Message::Answer(answer));
            answered
        });
        let asked: Vec<_> = asked.collect();
        let until = tokio::time::Instant::now() + within;
        for answered in asked {
            let answered = tokio::time::timeout_at(until, answered).await;
            if !matches!(answered, Ok(Ok(()))) {
                return false;
            }
        }
        true
    }

    /// Have every worker record the decisions of a pool's balancer.
    pub fn record(&self, pool: &PoolName, recording: &Arc<Recording>) {
        for worker in &self.workers {
            let message = Message::Record(pool.clone(), Arc::clone(recording));
            // A worker that is gone decides nothing any more.
            let _ = worker.messages.send(message);
        }
    }

    /// Accept no more and let what runs finish, within the drain timeout. New
    /// clients are refused, and files of sockets are gone.
    pub fn drain(&mut self) {
        self.files().for_each(SocketFile::remove);
        self.leave_listeners();
    }

    /// [`Self::drain`] once another gateway listens on the same sockets: clients
    /// notice nothing.
    pub fn drain_after_handover(&mut self) {
        self.files().for_each(SocketFile::leave);
        self.datagrams().for_each(DatagramGroup::hand_on);
        self.leave_listeners();
    }

    fn leave_listeners(&mut self) {
        self.listeners.clear();
        for worker in &self.workers {
            // A worker that is gone has nothing left to drain.
            let _ = worker.messages.send(Message::Drain);
        }
    }

    fn datagrams(&self) -> impl Iterator<Item = &DatagramGroup> {
        let groups = self.listeners.iter().map(|bound| &bound.group);
        groups.filter_map(|group| group.datagrams.as_ref())
    }

    fn files(&self) -> impl Iterator<Item = &SocketFile> {
        let groups = self.listeners.iter().map(|bound| &bound.group);
        groups.filter_map(|group| group.file.as_ref())
    }

    /// Wait for the workers to end. Blocks; call [`Self::drain`] before.
    pub fn join(mut self) {
        for worker in &mut self.workers {
            let ended = worker.thread.take().map(JoinHandle::join);
            if matches!(ended, Some(Err(_))) {
                tracing::error!("a worker ended in a panic");
            }
        }
    }
}
