//! The whole running gateway, as the command line has it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use gatewright_host::{Compiler, Host, HostOptions};
use gatewright_model::address::Address;
use gatewright_model::config::{Config, Environment, Overlay, written};
use gatewright_proxy::{
    Bound, Explanations, Inheritance, Inherited, Managed, Telemetry, admin_server_config,
};

use crate::access::Access;
use crate::access_log::AccessLog;
use crate::admin::AdminListener;
use crate::catalog::Catalog;
use crate::certify::{Battery, Judge};
use crate::cluster::Cluster;
use crate::control::{Control, Parts, entry_of_files};
use crate::desired::{Desired, Draft, Origin, Wanted};
use crate::discovery::Discovery;
use crate::error::{ReloadError, StartError};
use crate::events::{Event, Events, Happened};
use crate::handover::{ADMIN, AdminSocket};
use crate::keeper::Keeper;
use crate::overview::{self, Overview};
use crate::publisher::{PublishError, Publisher, Ready, Reloaded};
use crate::remembered::Memory;
use crate::session_names::SessionNames;
use crate::sharing::Sharing;
use crate::store::{Edited, Store};
use crate::thread::ControlThread;
use crate::watcher::Sight;

/// Where compiled components are kept in the data folder.
const CACHE_FOLDER: &str = "cache";

/// Where components are kept in the data folder.
const COMPONENTS_FOLDER: &str = "plugins";

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
    Given(written::Config),
}

/// Where to keep what is changed at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// In the data folder, so that it outlives a restart.
    InDataFolder,
    /// In memory: a gateway that flags describe is what its flags say again
    /// when it is started again.
    InMemory,
}

/// How to run a gateway, beside what its configuration says.
pub struct Options {
    /// What replaces `${NAME}` and overrides keys of a file.
    pub environment: Environment,
    /// Where components are compiled.
    pub compiler: Compiler,
    /// Where to keep what is changed at run time.
    pub keep: Keep,
    /// Whether to reload when a file of the configuration or a plugin changes.
    pub watch: bool,
    /// What listens already.
    pub inheritance: Inheritance,
    /// Who judges balancers before they are activated; nobody where there is none.
    pub judge: Option<Arc<Judge>>,
}

/// The whole running gateway. Dropping it ends its threads too, though without
/// waiting for them.
pub struct Gateway {
    pub(crate) control: Arc<Control>,
    pub(crate) thread: ControlThread,
    pub(crate) admin_socket: AdminSocket,
    admin: SocketAddr,
    /// What listens and nobody wants any more.
    pub(crate) left_over: Inheritance,
}

impl Gateway {
    /// Read the configuration, take over what listens already and bind every other
    /// address, prepare the plugins, then
    /// start the health checks, the workers and the admin listener.
    ///
    /// When it returns, clients are served; whether every server has been
    /// checked is what `/readyz` says.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from starting; nothing runs on then.
    pub async fn start(source: Source, mut options: Options) -> Result<Self, StartError> {
        let mut origin = Origin::new(source, options.environment);
        let declared = origin.declare().await?;
        let plain = origin.plain(&declared).await?;
        let sight = options.watch.then(|| Sight::of(&plain));
        let events = Arc::new(Events::default());
        let store = open_store(options.keep, &plain).await?.telling(&events);
        let plain = Arc::new(plain);
        let cluster = Cluster::of(&plain, &store, options.keep).await?;
        origin.is_shared = cluster.is_some();
        let access = Arc::new(Access::new(&store, plain.admin.listen)?);
        let catalog = Arc::new(Catalog::of(&store)?);
        let session_names = Arc::new(SessionNames::of(&store)?);
        let kept = store.overlay()?;
        let discovery = Arc::new(Discovery::new(&events));
        let draft = origin.found(declared, kept.clone(), &discovery).await?;
        refuse_an_open_door(&draft.wanted, &access)?;
        let (bound, admin, managed) = bind(&draft.wanted, &mut options.inheritance)?;
        let listeners = bound.addresses();
        let host = host(&draft.wanted.config, options.compiler, options.keep).await?;
        if let Some(cluster) = &cluster {
            cluster.started(admin.address()?, &host).await;
        }
        let sharing = cluster
            .as_ref()
            .map(|cluster| Sharing::new(cluster.connection.clone(), &host));
        let memory = Memory::of(match options.keep {
            Keep::InDataFolder => Some(&plain.admin.data),
            Keep::InMemory => None,
        });
        host.remember(memory.read().await);
        let (draft, ready) = prepare(&origin, &host, draft).await?;
        host.remember(None);
        settle(&store, &events, kept, &draft).await?;
        let may_ask = Arc::clone(&access);
        let is_token = Box::new(move |shown: &str| may_ask.is_token(shown));
        let explanations = Explanations::new(draft.wanted.config.workers, is_token);
        let (telemetry, takers) = Telemetry::new(explanations);
        let access_log = AccessLog::start(&telemetry, takers.log)?;
        let keeper = Keeper {
            store,
            cluster,
            access,
            catalog,
            session_names,
        };
        let kept = (keeper.clone(), &telemetry);
        let publisher = Publisher::start(ready, bound, Arc::clone(&host), kept, &events)?;
        let address = admin.address()?;
        let admin_socket = AdminSocket {
            socket: admin.socket()?,
            wanted: plain.admin.listen,
            managed,
        };
        let control = Arc::new(Control::new(Parts {
            desired: Desired::of(origin, draft),
            publisher,
            events,
            keeper,
            memory,
            sharing,
            battery: Battery::of(options.judge),
            discovery,
            listeners,
            telemetry,
            access_log,
        }));
        control.keep_file_versions().await;
        control.sweep_components().await;
        let thread = ControlThread::start(&control, (admin, takers.spans), &host, sight)?;
        Ok(Self {
            control,
            thread,
            admin_socket,
            admin: address,
            left_over: options.inheritance,
        })
    }

    /// Where clients connect, in the order of the configuration, with the ports
    /// that the system chose where it was asked to.
    pub fn listeners(&self) -> &[Address] {
        &self.control.listeners
    }

    /// Where operators connect.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.control.publisher.in_force().snapshot.config)
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

    /// Open the files of logs anew: what they were has another name now.
    pub fn reopen_logs(&self) {
        self.control.access_log.reopen();
    }

    /// Accept no more, let what runs finish within the drain timeout, and end.
    /// The admin listener answers until then, with `/readyz` saying no.
    pub async fn stop(self) {
        self.control.stop().await;
        self.thread.stop().await;
    }
}

/// Open the store, which waits for the disk, on a thread that may.
async fn open_store(keep: Keep, config: &Config) -> Result<Store, StartError> {
    let folder = config.admin.data.clone();
    let opening = tokio::task::spawn_blocking(move || match keep {
        Keep::InDataFolder => Store::open(&folder),
        Keep::InMemory => Store::in_memory(),
    });
    Ok(opening.await.map_err(std::io::Error::other)??)
}

/// An admin listener that other machines reach needs somebody to hold a key.
fn refuse_an_open_door(wanted: &Wanted, access: &Access) -> Result<(), StartError> {
    let admin = &wanted.config.admin;
    if admin.listen.ip().is_loopback() || access.has_token() {
        return Ok(());
    }
    let message = format!(
        "{} can be reached from other machines, and without a token whoever reaches it operates \
         the gateway; make one by `gatewright token create --role deploy --data {}`, or write \
         \"127.0.0.1:{}\"",
        admin.listen,
        admin.data.display(),
        admin.listen.port()
    );
    Err(wanted.error("admin.listen", "", message).into())
}

/// Prepare the first snapshot, leaving out overrides whose plugins cannot be
/// had.
async fn prepare(
    origin: &Origin,
    host: &Arc<Host>,
    mut draft: Draft,
) -> Result<(Draft, Ready), StartError> {
    loop {
        match Publisher::first(host, &draft.wanted).await {
            Ok(ready) => return Ok((draft, ready)),
            Err(PublishError::Plugin { key, errors }) => {
                let without = origin.without(&draft, &key, &errors.to_string()).await?;
                draft = without.ok_or(errors)?;
            }
            Err(PublishError::Other(error)) => return Err(error.into()),
        }
    }
}

/// Keep no more what gave way to the files while the gateway was not running,
/// and say what is not in force.
async fn settle(
    store: &Store,
    events: &Events,
    before: Overlay,
    draft: &Draft,
) -> Result<(), StartError> {
    if before != draft.overlay {
        let after = draft.overlay.clone();
        let entry = entry_of_files("overrides.yield", String::new());
        let edited = Edited {
            before,
            after,
            records: Vec::new(),
            entry,
        };
        store.keep(edited).await?;
    }
    let yielded = draft.yielded.iter().cloned().map(Happened::Yielded);
    let left_out = draft.left_out.iter().cloned().map(Happened::LeftOut);
    yielded
        .chain(left_out)
        .for_each(|happened| events.push(happened));
    Ok(())
}

/// Take every address first: a taken one is an error before anything else
/// happens, and clients that come early wait. What a service manager knows the admin
/// listener's socket by goes with it, if it is one's.
fn bind(
    wanted: &Wanted,
    inheritance: &mut Inheritance,
) -> Result<(Bound, AdminListener, Option<Managed>), StartError> {
    let bound = Bound::new(&wanted.config, inheritance);
    let bound = bound.map_err(|error| wanted.bind_error(&error))?;
    let admin = &wanted.config.admin;
    let tls = admin.tls.as_ref().map(admin_server_config).transpose();
    let tls = tls.map_err(|error| wanted.admin_tls_error(&error))?;
    let address = admin.listen.to_string();
    let inherited = inheritance.take(&[(ADMIN, &address)]).pop().flatten();
    let managed = inherited.as_ref().and_then(Inherited::managed);
    let socket = inherited.and_then(|mut inherited| inherited.sockets.pop());
    let listener = match socket {
        Some(socket) => AdminListener::adopt(socket, tls),
        None => AdminListener::bind(admin.listen, tls),
    };
    let listener = listener.map_err(|error| wanted.admin_error(&error))?;
    refuse_the_unwanted(wanted, inheritance)?;
    Ok((bound, listener, managed))
}

/// A service manager that holds a socket open which nobody accepts from would keep
/// clients waiting for ever.
fn refuse_the_unwanted(wanted: &Wanted, inheritance: &Inheritance) -> Result<(), StartError> {
    let Some(unwanted) = inheritance.unwanted() else {
        return Ok(());
    };
    let example = wanted.config.listeners.first();
    Err(StartError::Unwanted {
        address: unwanted.address.clone(),
        name: unwanted.name.clone(),
        example: example.map_or(ADMIN, |listener| &listener.name).to_owned(),
    })
}

async fn host(config: &Config, compiler: Compiler, keep: Keep) -> Result<Arc<Host>, StartError> {
    let options = HostOptions {
        workers: config.workers,
        cache: config.admin.data.join(CACHE_FOLDER),
        components: match keep {
            Keep::InDataFolder => Some(config.admin.data.join(COMPONENTS_FOLDER)),
            Keep::InMemory => None,
        },
        compiler,
    };
    let starting = tokio::task::spawn_blocking(|| Host::start(options));
    Ok(starting.await.map_err(std::io::Error::other)??)
}
