//! `gatewright check`: everything that a start would trip over, without
//! starting. Certificates and plugins are loaded as a gateway loads them.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use gatewright_host::{Compiler, Host, HostOptions, Plan, PrepareError, Refusal};
use gatewright_model::config::{self, Config, ConfigError, Environment, Places};
use gatewright_model::snapshot::Snapshot;
use gatewright_proxy::{TlsConfigs, TlsRefusal};

use super::meaning::Meaning;
use super::run::find;
use crate::ending::usage;
use crate::{logging, program, temporary};

/// What `gatewright check` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Beside the file and all that it includes, certificates are read and plugins are
compiled, configured and tried, so that what passes here also starts. No port is
taken and no server is contacted. Each error has file, line, key, reason and
remedy; the exit code is then 2.

Examples:
  gatewright check
  gatewright check -c /etc/gatewright/gatewright.toml
  gatewright check --schema > gatewright.schema.json")]
pub(super) struct CheckOptions {
    /// The configuration; gatewright.toml, .yaml or .json here or in
    /// /etc/gatewright if not given.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print the JSON Schema of configurations instead, for editors.
    #[arg(long, conflicts_with = "config")]
    schema: bool,
}

pub(super) fn run(options: &CheckOptions) -> anyhow::Result<()> {
    let text = match options.schema {
        true => format!("{:#}\n", config::schema()),
        false => check(&find(options.config.as_ref())?)?,
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// What the file means, if it is right.
fn check(file: &Path) -> anyhow::Result<String> {
    logging::to_stderr("warn")?;
    let loaded = config::load_with_places(file, &Environment::process());
    let (config, places) = loaded.map_err(usage)?;
    load_certificates(&config, &places).map_err(usage)?;
    let config = Arc::new(config);
    let plan = load_plugins(&config, &places)?;
    let meaning = Meaning {
        config: &config,
        plan: &plan,
    };
    Ok(format!("{} is right. It means:\n{meaning}", file.display()))
}

/// Load certificates, keys and authorities as a gateway does.
fn load_certificates(config: &Config, places: &Places) -> Result<(), ConfigError> {
    let refused = |refusal: TlsRefusal| places.error(&refusal.key, "", refusal.to_string());
    TlsConfigs::prepare(config, None).map(drop).map_err(refused)
}

/// Compile, configure and try every plugin, in a folder that is removed again.
fn load_plugins(config: &Arc<Config>, places: &Places) -> anyhow::Result<Plan> {
    let cache = temporary::folder("check")?;
    let host = Host::start(HostOptions {
        workers: 1,
        cache: cache.path().to_owned(),
        // Where versions are that the configuration may name.
        components: Some(config.admin.data.join("plugins")).filter(|folder| folder.is_dir()),
        compiler: Compiler::Child {
            program: program::RUNNING.into(),
        },
    })?;
    let snapshot = Snapshot::next(None, Arc::clone(config), 1).map_err(usage)?;
    match host.prepare(&Arc::new(snapshot), None) {
        Ok(prepared) => Ok(prepared.plan),
        Err(error) => Err(usage(anyhow!(refused(&error, places)))),
    }
}

/// Where in the configuration a plugin is at fault.
fn refused(error: &PrepareError, places: &Places) -> ConfigError {
    let PrepareError { place, refusal } = error;
    match refusal {
        Refusal::Config { key, reason } => places.error(&format!("{place}.config"), key, reason),
        _ => {
            let message = format!("plugin \"{}\": {refusal}", place.plugin);
            places.error(&place.to_string(), "", message)
        }
    }
}
