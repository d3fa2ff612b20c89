//! `gatewright upgrade`: the program as it is on the disk now takes over from a
//! running gateway.

use http::Method;

use super::api::{ApiOptions, Call};

/// What `gatewright upgrade` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The gateway starts its program anew, from the file that it was started from and
with the same arguments. Every socket that it listens on goes to the new process,
with the clients that wait there; what is under way is finished by the old one.
When the new one does not come to serve, the old one goes on and says why.

It takes whatever a restart takes over: a new version of the program, listeners,
the number of workers. The same is done by SIGUSR2. In a container replace the
container instead: as its first process the gateway refuses.

Examples:
  install gatewright-new /usr/local/bin/gatewright && gatewright upgrade
  gatewright upgrade --admin http://127.0.0.1:9000 --json")]
pub(super) struct UpgradeOptions {
    #[command(flatten)]
    api: ApiOptions,
}

pub(super) fn run(options: &UpgradeOptions) -> anyhow::Result<()> {
    let data = options.api.ask(Call::new(Method::POST, "/api/upgrade"))?;
    options.api.print(&data, |data| {
        let (process, version) = (&data["process"], data["version"].as_str());
        let version = version.unwrap_or("of another form");
        format!("process {process} has taken over, version {version}\n")
    })
}
