//! The whole running gateway, as the command line has it.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use gatewright_host::{Compiler, Host, HostOptions};
use gatewright_model::config::{Config, Environment};
use gatewright_proxy::Bound;

use crate::control::Control;
use crate::desired::{Desired, Wanted};
use crate::error::{ReloadError, StartError};
use crate::events::{Event, Events};
use crate::overview::{self, Overview};
use crate::publisher::{Publisher, Reloaded};
use crate::thread::ControlThread;
use crate::watcher::Sight;

/// Where compiled components are kept in the data folder.
const CACHE_FOLDER: &str = "cache";

/// Where the configuration comes from.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one of it, and it is moved once"
)]
pub enum Source {
    /// A file, read again on reload.
    File(PathBuf),
    /// Made in code; on reload only its plugins' files are read again.
    Given(Config),
}

/// How to run a gateway, beside what its configuration says.
#[derive(Debug)]
pub struct Options {
    /// What replaces `${NAME}` and overrides keys of a file.
    pub environment: Environment,
    /// Where components are compiled.
    pub compiler: Compiler,
    /// Whether to reload when a file of the configuration or a plugin changes.
    pub watch: bool,
}

/// The whole running gateway. Dropping it ends its threads too, though without
/// waiting for them.
pub struct Gateway {
    control: Arc<Control>,
    thread: ControlThread,
    listeners: Vec<SocketAddr>,
    admin: SocketAddr,
}

impl Gateway {
    /// Read the configuration, bind every address, prepare the plugins, then
    /// start the health checks, the workers and the admin listener.
    ///
    /// When it returns, clients are served; whether every server has been
    /// checked is what `/readyz` says.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from starting; nothing runs on then.
    pub async fn start(source: Source, options: Options) -> Result<Self, StartError> {
        let desired = Desired::new(source, options.environment);
        let wanted = desired.read().await?;
        let sight = options.watch.then(|| Sight::of(&wanted.config));
        let (bound, admin) = bind(&wanted)?;
        let listeners = bound.addresses();
        let host = host(&wanted.config, options.compiler).await?;
        let events = Arc::new(Events::default());
        let publisher = Publisher::start(&wanted, bound, Arc::clone(&host), &events).await?;
        let address = admin.local_addr()?;
        let control = Arc::new(Control::new(desired, publisher, events));
        let thread = ControlThread::start(&control, admin, &host, sight)?;
        Ok(Self {
            control,
            thread,
            listeners,
            admin: address,
        })
    }

    /// Where clients connect, in the order of the configuration, with the ports
    /// that the system chose where it was asked to.
    pub fn listeners(&self) -> &[SocketAddr] {
        &self.listeners
    }

    /// Where operators connect.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// All figures as they are now.
    pub fn overview(&self) -> Overview {
        overview::gather(&self.control)
    }

    /// What happened lately, oldest first; a bounded number is kept.
    pub fn events(&self) -> Vec<Event> {
        self.control.events.list()
    }

    /// Read the configuration and the plugins' files again and put in force
    /// what changed, all of it or nothing. The outcome is logged.
    ///
    /// # Errors
    ///
    /// What is wrong with it; everything is as it was then.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        self.control.reload().await
    }

    /// Accept no more, let what runs finish within the drain timeout, and end.
    /// The admin listener answers until then, with `/readyz` saying no.
    pub async fn stop(self) {
        self.control.stop().await;
        self.thread.stop().await;
    }
}

/// Take every address first: a taken one is an error before anything else
/// happens, and clients that come early wait.
fn bind(wanted: &Wanted) -> Result<(Bound, TcpListener), StartError> {
    let bound = Bound::new(&wanted.config).map_err(|error| wanted.bind_error(&error))?;
    let admin = TcpListener::bind(wanted.config.admin.listen);
    let admin = admin.map_err(|error| wanted.admin_error(&error))?;
    admin.set_nonblocking(true)?;
    Ok((bound, admin))
}

async fn host(config: &Config, compiler: Compiler) -> Result<Arc<Host>, StartError> {
    let options = HostOptions {
        workers: config.workers,
        cache: config.admin.data.join(CACHE_FOLDER),
        compiler,
    };
    let starting = tokio::task::spawn_blocking(|| Host::start(options));
    Ok(starting.await.map_err(std::io::Error::other)??)
}
