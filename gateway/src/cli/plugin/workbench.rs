//! A plugin on its author's machine, without a gateway: the real host with one
//! worker, made-up servers, and the plugin in the seat that it is written for.

mod asked;
mod kept;
mod server;

use std::fmt::Display;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use gatewright_host::{
    About, Answer, Brought, COMPONENT_BYTES, Chain, Compiler, Component, Fault, Host, HostOptions,
    Lent, PrepareError, Refusal, Seat,
};
use gatewright_model::config::{self, DEADLINE, MEMORY, Period, PluginSource, Size, written};
use gatewright_model::id::{PluginName, Slot, is_name};
use gatewright_model::role::{Grant, Role};
use gatewright_model::snapshot::Snapshot;
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};

pub(super) use self::asked::Asked;
pub(super) use self::server::Server;
use super::naming::name_of;
use super::object;
use crate::cli::proxy;
use crate::ending::usage;
use crate::program;

/// Where it is kept what is compiled here, in the user's cache folder.
const FOLDER: &str = "workbench";

/// What a plugin is called here of whose file no name can be made.
const NAMELESS: &str = "plugin";

/// The pool that there is where none is named.
const POOL: &str = "web";

/// How often the sign of life on the terminal moves.
const TICK: Duration = Duration::from_millis(100);

/// What a plugin is tried with.
#[derive(Debug, clap::Args)]
pub(super) struct Setting {
    /// The component.
    pub(super) file: PathBuf,
    /// The plugin's own configuration, as a JSON object; an empty one if not
    /// given.
    #[arg(long, value_parser = object, value_name = "JSON")]
    pub(super) config: Option<Map<String, Value>>,
    /// The role that it is asked in; its first one if not given.
    #[arg(long, value_parser = role)]
    pub(super) role: Option<Role>,
    /// The most memory of an instance; as much as it needs if not given.
    #[arg(long, value_name = "SIZE")]
    pub(super) memory: Option<Size>,
    /// How long a decision may take; as long as it needs if not given.
    #[arg(long, value_name = "DURATION")]
    pub(super) deadline: Option<Period>,
    /// The names of the pools that there are, for a plugin that asks for them;
    /// web if not given.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pools: Vec<String>,
}

fn role(text: &str) -> Result<Role, String> {
    let found = Role::ALL.into_iter().find(|role| role.to_string() == text);
    found.ok_or_else(|| {
        let known = Role::ALL.map(|role| role.to_string()).join(", ");
        format!("no such role; there are {known}")
    })
}

impl Setting {
    /// The name that it is pushed under: its file's, or else the one that it
    /// carries, which is a stranger's word.
    pub(super) fn pushed_as(&self, about: &About) -> PluginName {
        let carried = about.name.as_deref().filter(|name| is_name(name));
        match (name_of(&self.file), carried) {
            (None, Some(carried)) => carried.into(),
            _ => self.name(),
        }
    }

    /// The name that it is given here.
    pub(super) fn name(&self) -> PluginName {
        let name = name_of(&self.file);
        name.map_or_else(|| PluginName::from(NAMELESS), PluginName::from)
    }

    /// The component's bytes; of one that is too large only so many that the
    /// host will refuse it.
    pub(super) fn read(&self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let reading = File::open(&self.file)
            .and_then(|file| file.take(COMPONENT_BYTES + 1).read_to_end(&mut bytes));
        reading
            .with_context(|| format!("cannot read {}", self.file.display()))
            .map_err(usage)?;
        Ok(bytes)
    }

    /// The role to ask in, of those that a component has.
    pub(super) fn role_of(&self, component: &Component) -> anyhow::Result<Role> {
        let has = &component.roles;
        let role = self.role.or_else(|| has.first().copied());
        role.filter(|role| has.contains(role)).ok_or_else(|| {
            let has: Vec<_> = has.iter().map(ToString::to_string).collect();
            usage(anyhow!("it is a {} and nothing else", has.join(", ")))
        })
    }

    /// A gateway's file without the plugin: the pools, each with these servers.
    fn frame(&self, pool: &Value) -> Value {
        let names = match self.pools.is_empty() {
            true => vec![POOL.to_owned()],
            false => self.pools.clone(),
        };
        let pools = names.iter().map(|name| (name.clone(), pool.clone()));
        json!({ "default_pool": names[0], "pools": Map::from_iter(pools) })
    }

    /// Whether anything was said of what it is to be configured with.
    pub(super) fn is_configured(&self) -> bool {
        self.config.is_some() || !self.pools.is_empty()
    }

    /// What a gateway's file would say, with the plugin in the seat of a role.
    fn written(&self, place: &Place<'_>) -> serde_json::Result<written::Config> {
        let name = self.name();
        let binding = json!({
            "plugin": name.as_str(),
            "config": self.config.clone().unwrap_or_default(),
            "deadline": place.deadline,
        });
        let mut pool = pool_of(place.servers);
        let mut policies = Vec::new();
        let mut router = Value::Null;
        match place.role {
            Role::Balancer => pool["balancer"] = binding,
            Role::Affinity => pool["affinity"] = binding,
            Role::Router => router = binding,
            role @ (Role::RequestPolicy | Role::ResponsePolicy) => {
                let mut policy = binding;
                policy["role"] = role.to_string().into();
                policies.push(policy);
            }
        }
        let mut config = self.frame(&pool);
        config["policy"] = policies.into();
        if !router.is_null() {
            config["router"] = router;
        }
        config["plugins"] = json!({ name.as_str(): {
            "version": place.component.digest.to_string(),
            "grants": Grant::ALL.map(Grant::name),
            "memory": place.memory,
        } });
        serde_json::from_value(config)
    }
}

/// A pool of these servers, as a gateway's file says it.
fn pool_of(servers: &[Server]) -> Value {
    let servers: Vec<_> = servers.iter().map(Server::written).collect();
    json!({ "servers": servers, "health": false, "balancer": "round-robin" })
}

/// Where a component is to sit.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// The component, as it was taken in.
    pub(super) component: &'a Component,
    /// Its role.
    pub(super) role: Role,
    /// The most memory of its instance.
    pub(super) memory: Size,
    /// How long a decision may take.
    pub(super) deadline: Period,
    /// The servers of every pool.
    pub(super) servers: &'a [Server],
}

/// A host without a gateway.
pub(super) struct Workbench {
    host: Arc<Host>,
}

impl Workbench {
    /// Set up a host that keeps what it compiles in the user's cache folder, as
    /// far as it is new.
    ///
    /// # Errors
    ///
    /// When the folder or the host cannot be had.
    pub(super) fn open() -> anyhow::Result<Self> {
        // Not the one of `gatewright proxy`, which outlives no change of version.
        let cache = proxy::data_folder().join(FOLDER);
        kept::tidy(&cache);
        let host = Host::start(HostOptions {
            workers: 1,
            cache,
            components: None,
            compiler: Compiler::Child {
                program: program::RUNNING.into(),
            },
        })?;
        Ok(Self { host })
    }

    /// Take a component in as a gateway does at an upload.
    ///
    /// # Errors
    ///
    /// Why a gateway would not.
    pub(super) fn take_in(
        &self,
        setting: &Setting,
        bytes: &[u8],
        memory: Size,
    ) -> anyhow::Result<Result<Component, Refusal>> {
        let written = serde_json::from_value(setting.frame(&pool_of(&Server::some(3))))?;
        let config = config::mean(&written).map_err(usage)?;
        let snapshot = Snapshot::next(None, Arc::new(config), 1)?;
        // Everything, since nobody has anything to lose here.
        let source = PluginSource {
            file: None,
            version: None,
            grants: Grant::ALL.to_vec(),
            memory: memory.0,
        };
        let busy = busy("it is compiled and tried");
        let brought = Brought {
            component: bytes,
            signature: None,
        };
        let taken = self
            .host
            .take_in(&setting.name(), &brought, &source, &Arc::new(snapshot));
        busy.finish_and_clear();
        if let Ok(component) = &taken {
            // Its seat is bound to the version, which has to be at hand.
            self.host.keep(component.digest, &brought)?;
        }
        Ok(taken)
    }

    /// Take in the component of a setting and seat it, with all the memory and
    /// time that it may have.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or why a gateway would refuse it.
    pub(super) fn set_up(&self, setting: &Setting, servers: &[Server]) -> anyhow::Result<Seated> {
        let memory = setting.memory.unwrap_or(*MEMORY.end());
        let refused = |why: &dyn Display| anyhow!("{}: {why}", setting.file.display());
        let component = self.take_in(setting, &setting.read()?, memory)?;
        let component = component.map_err(|refusal| refused(&refusal))?;
        let place = Place {
            role: setting.role_of(&component)?,
            component: &component,
            memory,
            deadline: setting.deadline.unwrap_or(*DEADLINE.end()),
            servers,
        };
        let seated = self.seat(setting, &place)?;
        seated.map_err(|error| refused(&error.refusal))
    }

    /// Seat a component that was taken in, with its configuration.
    ///
    /// # Errors
    ///
    /// When the setting is none that a gateway's file could say; inside, why a
    /// gateway would not seat it.
    pub(super) fn seat(
        &self,
        setting: &Setting,
        place: &Place<'_>,
    ) -> anyhow::Result<Result<Seated, PrepareError>> {
        let written = setting.written(place).map_err(usage)?;
        let config = Arc::new(config::mean(&written).map_err(usage)?);
        let snapshot = Arc::new(Snapshot::next(None, config, 1)?);
        for endpoint in snapshot.pools.iter().flat_map(|pool| pool.endpoints()) {
            let mut servers = place.servers.iter();
            if let Some(server) = servers.find(|server| server.is(endpoint)) {
                server.work_on(endpoint);
            }
        }
        let busy = busy("it is seated");
        let prepared = self.host.prepare(&snapshot, None);
        busy.finish_and_clear();
        Ok(prepared.map(|mut prepared| Seated {
            chain: Chain::new(prepared.chains.remove(0), &snapshot),
            role: place.role,
            _host: Arc::clone(&self.host),
        }))
    }
}

/// A sign of life, which hides itself where there is no terminal.
fn busy(message: &'static str) -> ProgressBar {
    let busy = ProgressBar::new_spinner().with_message(message);
    busy.enable_steady_tick(TICK);
    busy
}

/// A plugin in its seat.
pub(super) struct Seated {
    chain: Chain,
    role: Role,
    /// Whose clock ends decisions.
    _host: Arc<Host>,
}

impl Seated {
    /// The role that it is asked in.
    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// The seat.
    ///
    /// # Errors
    ///
    /// When the chain has none of the role, which is a defect.
    pub(super) fn seat(&mut self) -> anyhow::Result<&mut Seat> {
        let chain = &mut self.chain;
        let pool = chain.pools.first_mut();
        let seat = match self.role {
            Role::RequestPolicy => chain.policies.first_mut().map(|policy| &mut policy.seat),
            Role::ResponsePolicy => chain.finishers.first_mut(),
            Role::Router => Some(&mut chain.router),
            Role::Affinity => pool.and_then(|pool| pool.affinity.as_mut()),
            Role::Balancer => pool.map(|pool| &mut pool.balancer),
        };
        seat.context("there is no seat for it")
    }

    /// Ask for one decision, as a gateway asks in this role: an affinity also
    /// hears that the first endpoint answered where it named none.
    pub(super) fn decide(
        &mut self,
        key: u64,
        lent: &mut Lent,
    ) -> anyhow::Result<Result<Answer, Fault>> {
        let role = self.role;
        let status = lent.as_ref().map_or(200, |view| view.response_status());
        let seat = self.seat()?;
        Ok(match role {
            Role::RequestPolicy => seat.check(lent).map(Into::into),
            Role::Router => seat.route(lent).map(Into::into),
            Role::Balancer => seat.pick(key, lent).map(Into::into),
            Role::ResponsePolicy => seat.finish(status, lent).map(Into::into),
            Role::Affinity => match seat.lookup(lent) {
                Ok(None) => seat.bind(Slot(0), lent).map(|()| Answer::Endpoint(None)),
                named => named.map(Into::into),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, FromArgMatches as _};

    fn setting(arguments: &[&str]) -> Result<Setting, clap::Error> {
        let command = Setting::augment_args(clap::Command::new("check"));
        let matches = command.try_get_matches_from([&["check"], arguments].concat())?;
        Setting::from_arg_matches(&matches)
    }

    #[test]
    fn a_plugin_is_named_after_its_file_before_it_names_itself() {
        let about = About {
            name: Some("round-robin".to_owned()),
            ..About::default()
        };
        let named = |file: &str| setting(&[file]).unwrap().pushed_as(&about).to_string();
        assert_eq!(named("target/my_own.wasm"), "my-own");
        assert_eq!(named("2.wasm"), "round-robin");
        assert_eq!(setting(&["2.wasm"]).unwrap().name().as_str(), NAMELESS);
    }

    #[test]
    fn a_role_and_a_configuration_are_checked_when_they_are_read() {
        assert!(setting(&["a.wasm", "--config", r#"{"zone":"a"}"#]).is_ok());
        assert!(setting(&["a.wasm", "--config", "[]"]).is_err());
        assert!(setting(&["a.wasm", "--role", "router"]).is_ok());
        let error = setting(&["a.wasm", "--role", "king"]).unwrap_err();
        assert!(error.to_string().contains("response-policy"), "{error}");
    }
}
