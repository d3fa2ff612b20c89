//! The one connection to the server: commands of all kinds share it, messages come
//! by it, and one task keeps it up.
//!
//! A command is sent once. Whoever sent it decides whether it may be sent again:
//! after [`Failure::Unanswered`] it may have been done.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use gatewright_model::config::Cluster;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, PushInfo, PushKind, RedisError,
    RedisResult, ScriptInvocation, Value,
};
use tokio::sync::{Notify, broadcast, watch};
use tokio::time;

use crate::failure::{Failure, ends_connection, reason, scheme_hint};
use crate::settings::{SettingsError, client};

/// How long the server has to answer a command.
const ANSWER: Duration = Duration::from_secs(1);

/// How long a connection may take, with its handshakes.
const CONNECT: Duration = Duration::from_secs(2);

/// How often the server is asked for a sign of life.
const PING_EVERY: Duration = Duration::from_secs(1);

/// How long after a failure the next try begins: at first, and at most. Each pause
/// is twice the one before, less up to half of it, so that gateways do not all come
/// at once.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long after a server is there whoever was away from it is connected, as a rule:
/// longer where a try that came too early, or the handshake, takes all of its time.
pub const COMES_BACK: Duration = LONGEST_PAUSE.saturating_add(CONNECT);

/// Messages that wait for whoever listens; who is slower misses some and is told.
const MESSAGES: usize = 256;

/// The connection. Cloning it shares it.
#[derive(Clone)]
pub struct Connection(Arc<Shared>);

struct Shared {
    client: Client,
    address: String,
    prefix: Arc<str>,
    name: Arc<str>,
    instance: u64,
    current: Mutex<Option<MultiplexedConnection>>,
    standing: watch::Sender<Standing>,
    /// Whether it has been connected to, so that the address is right.
    was_there: AtomicBool,
    /// Something says that the current connection is of no use any more.
    is_broken: Notify,
    channels: Mutex<BTreeSet<String>>,
    messages: broadcast::Sender<Message>,
    failed: AtomicU64,
}

/// How it stands with the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Commands are answered.
    Connected {
        /// Since when.
        since: SystemTime,
    },
    /// They are not.
    Away {
        /// Since when.
        since: SystemTime,
        /// Why the last try failed.
        why: Arc<str>,
    },
}

impl Standing {
    /// Whether commands are answered.
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }

    fn away(why: &str) -> Self {
        Self::Away {
            since: SystemTime::now(),
            why: why.into(),
        }
    }
}

/// What was published in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The channel.
    pub channel: Arc<str>,
    /// What was said there.
    pub payload: Arc<[u8]>,
}

impl Connection {
    /// The connection that a configuration describes, of a gateway whose admin
    /// listener has this port. Nothing is connected before [`Self::keep`].
    ///
    /// # Errors
    ///
    /// When no client can be made of it.
    pub fn new(cluster: &Cluster, admin_port: u16) -> Result<Self, SettingsError> {
        let name = cluster.name.clone().unwrap_or_else(|| {
            let system = rustix::system::uname();
            let host = system.nodename().to_string_lossy();
            format!("{host}:{admin_port}").into()
        });
        Ok(Self(Arc::new(Shared {
            client: client(cluster)?,
            address: cluster.address(),
            prefix: Arc::clone(&cluster.prefix),
            name,
            instance: fastrand::u64(1..),
            current: Mutex::default(),
            standing: watch::Sender::new(Standing::away("it has not been connected to yet")),
            was_there: AtomicBool::new(false),
            is_broken: Notify::new(),
            channels: Mutex::default(),
            messages: broadcast::Sender::new(MESSAGES),
            failed: AtomicU64::new(0),
        })))
    }

    /// Where the server is, without user and password.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// What this gateway is called.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What tells this run of this gateway from others: a number that was drawn.
    pub fn instance(&self) -> u64 {
        self.0.instance
    }

    /// What every key begins with, without the colon.
    pub fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// A key of the cluster: `PREFIX:NAME`.
    pub fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.0.prefix)
    }

    /// How it stands now.
    pub fn standing(&self) -> Standing {
        self.0.standing.borrow().clone()
    }

    /// To be told how it stands.
    pub fn standings(&self) -> watch::Receiver<Standing> {
        self.0.standing.subscribe()
    }

    /// Commands that came to nothing, since the start.
    pub fn failed(&self) -> u64 {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// Hear what is published in a channel, `PREFIX:NAME`, from the next time on
    /// that a connection is made: ask before [`Self::keep`] begins. Messages of all
    /// channels come together. None comes while the server is away, and those of
    /// then are lost.
    pub fn listen(&self, name: &str) -> broadcast::Receiver<Message> {
        let mut channels = self
            .0
            .channels
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        channels.insert(self.key(name));
        self.0.messages.subscribe()
    }

    /// Send a command.
    ///
    /// # Errors
    ///
    /// When it is not answered within a second, or refused.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        let mut connection = self.current()?;
        self.judge(command.query_async(&mut connection).await)
    }

    /// [`Self::query`], for what may take longer than a second.
    ///
    /// # Errors
    ///
    /// When it is not answered in time, or refused.
    pub async fn query_within<T: FromRedisValue>(
        &self,
        command: &Cmd,
        patience: Duration,
    ) -> Result<T, Failure> {
        let mut connection = self.current()?;
        connection.set_response_timeout(patience);
        self.judge(command.query_async(&mut connection).await)
    }

    /// Send several commands at once.
    ///
    /// # Errors
    ///
    /// When they are not all answered within a second, or one is refused.
    pub async fn pipeline<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, Failure> {
        let mut connection = self.current()?;
        self.judge(commands.query_async(&mut connection).await)
    }

    /// Run a script.
    ///
    /// # Errors
    ///
    /// When it is not answered within a second, or refused.
    pub async fn invoke<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Failure> {
        let mut connection = self.current()?;
        self.judge(script.invoke_async(&mut connection).await)
    }

    fn current(&self) -> Result<MultiplexedConnection, Failure> {
        let current = self
            .0
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        current.clone().ok_or_else(|| {
            self.0.failed.fetch_add(1, Ordering::Relaxed);
            let why = match &*self.0.standing.borrow() {
                Standing::Away { why, .. } => why.to_string(),
                Standing::Connected { .. } => "the connection has ended".to_owned(),
            };
            Failure::Away(why)
        })
    }

    fn judge<T>(&self, answer: RedisResult<T>) -> Result<T, Failure> {
        answer.map_err(|error| {
            self.0.failed.fetch_add(1, Ordering::Relaxed);
            if ends_connection(&error) {
                self.0.is_broken.notify_one();
            }
            Failure::of(&error)
        })
    }

    /// Try to connect once, so that commands can be sent before [`Self::keep`] runs,
    /// which connects anew. The connection lives on the runtime that this is called
    /// on.
    ///
    /// # Errors
    ///
    /// Why it is not connected.
    pub async fn connect(&self) -> Result<(), Failure> {
        let connecting = time::timeout(CONNECT, self.try_connect()).await;
        let why = match connecting {
            Ok(Ok(connection)) => {
                self.0.was_there.store(true, Ordering::Relaxed);
                self.put(
                    Some(connection),
                    Standing::Connected {
                        since: SystemTime::now(),
                    },
                );
                return Ok(());
            }
            Ok(Err(error)) => format!("{}{}", reason(&error), self.hint(Some(&error))),
            Err(_) => {
                let hint = self.hint(None);
                format!("it does not answer within {} s{hint}", CONNECT.as_secs())
            }
        };
        self.leave(&why);
        Err(Failure::Away(why))
    }

    fn hint(&self, error: Option<&RedisError>) -> &'static str {
        match self.0.was_there.load(Ordering::Relaxed) {
            true => "",
            false => scheme_hint(self.address(), error),
        }
    }

    /// Connect, and connect again whenever the connection breaks, for ever. Its
    /// runtime is the one that all of the connection runs on.
    pub async fn keep(self) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.connect().await {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    tracing::info!(server = self.address(), "the cluster's server is connected");
                    let why = self.attend().await;
                    self.leave(&why);
                    tracing::warn!(
                        server = self.address(),
                        "the cluster's server is away: {why}"
                    );
                }
                Err(why) if pause == FIRST_PAUSE => {
                    tracing::warn!(
                        server = self.address(),
                        "the cluster's server is away: {why}"
                    );
                }
                Err(_) => {}
            }
            time::sleep(pause.mul_f64(1.0 - 0.5 * fastrand::f64())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Wait until the connection breaks, and say why.
    async fn attend(&self) -> String {
        let mut pings = time::interval(PING_EVERY);
        pings.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.0.is_broken.notified() => {}
                _ = pings.tick() => {}
            }
            // Whatever it was: what answers is there.
            if let Err(failure) = self.query::<Value>(&redis::cmd("PING")).await {
                return failure.to_string();
            }
        }
    }

    async fn try_connect(&self) -> RedisResult<MultiplexedConnection> {
        let shared = Arc::downgrade(&self.0);
        let hear = move |push: PushInfo| -> Result<(), RedisError> {
            if let Some(shared) = shared.upgrade() {
                shared.hear(push);
            }
            Ok(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            .set_push_sender(hear);
        let making = self
            .0
            .client
            .get_multiplexed_async_connection_with_config(&config);
        let mut connection = making.await?;
        // A server that still reads its file from the disk answers with an error.
        redis::cmd("PING").exec_async(&mut connection).await?;
        let channels = self.channels();
        if !channels.is_empty() {
            connection.subscribe(&channels).await?;
        }
        Ok(connection)
    }

    fn channels(&self) -> Vec<String> {
        let channels = self
            .0
            .channels
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        channels.iter().cloned().collect()
    }

    fn leave(&self, why: &str) {
        let since = match &*self.0.standing.borrow() {
            Standing::Away { since, .. } => *since,
            Standing::Connected { .. } => SystemTime::now(),
        };
        let why = why.into();
        self.put(None, Standing::Away { since, why });
    }

    fn put(&self, connection: Option<MultiplexedConnection>, standing: Standing) {
        let mut current = self
            .0
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *current = connection;
        drop(current);
        self.0.standing.send_replace(standing);
    }
}

impl Shared {
    fn hear(&self, push: PushInfo) {
        match push.kind {
            PushKind::Disconnection => self.is_broken.notify_one(),
            PushKind::Message => {
                let mut data = push.data.into_iter();
                let (Some(channel), Some(payload)) = (text(data.next()), text(data.next())) else {
                    return;
                };
                let channel = String::from_utf8_lossy(&channel).into();
                let payload = payload.into();
                // Nobody may listen.
                let _ = self.messages.send(Message { channel, payload });
            }
            _ => {}
        }
    }
}

fn text(value: Option<Value>) -> Option<Vec<u8>> {
    match value? {
        Value::BulkString(text) => Some(text),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}
