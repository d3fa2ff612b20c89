//! `gatewright proxy`: a gateway for some servers, all of it said by flags.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use gatewright_control::{Keep, Source};
use gatewright_model::config::written::{Certificate, Config};
use gatewright_model::config::{self, Environment, ProxyOptions};

use super::{BALANCERS, serving};

/// What `gatewright proxy` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Servers are checked by GET /health every five seconds; a server that fails the
checks gets no requests until it passes them again. A request that a server
does not take, or an idempotent one that it breaks off, goes to another.

Examples:
  gatewright proxy --to 127.0.0.1:3001 --to 127.0.0.1:3002 --to 127.0.0.1:3003
  gatewright proxy --listen :80 --to app-1:3000 --to app-2:3000 --health-path /ping
  gatewright proxy --listen :8443 --tls --to 127.0.0.1:3001 --sticky
  gatewright proxy --listen :443 --cert cert.pem --key key.pem --to 127.0.0.1:3001
  gatewright proxy --to 10.0.0.1:80 --to 10.0.0.2:80 --policy power-of-two --no-health")]
pub(super) struct ProxyFlags {
    /// An address to listen on, such as 127.0.0.1:8080, :8080 for every one, or unix:/path; may be
    /// repeated.
    #[arg(long, short, default_value = ":8080", value_parser = listener_address, value_name = "ADDRESS")]
    listen: Vec<String>,

    /// A server, as host:port or unix:/path; repeat it for each.
    #[arg(long, short, required = true, value_name = "HOST:PORT")]
    to: Vec<String>,

    /// The plugin that chooses the server.
    #[arg(long, default_value = BALANCERS[0], value_parser = PossibleValuesParser::new(BALANCERS))]
    policy: String,

    /// Keep a client on its server by a cookie.
    #[arg(long)]
    sticky: bool,

    /// What servers are asked for to see whether they are well; any 2xx will do.
    #[arg(long, default_value = "/health", value_name = "PATH")]
    health_path: String,

    /// Take every server as well without asking it.
    #[arg(long, conflicts_with = "health_path")]
    no_health: bool,

    /// Speak TLS with a self-signed certificate for localhost.
    #[arg(long, conflicts_with = "cert")]
    tls: bool,

    /// Speak TLS with the certificate chain in this PEM file.
    #[arg(long, requires = "key", value_name = "FILE")]
    cert: Option<String>,

    /// The certificate's private key, in PEM.
    #[arg(long, requires = "cert", value_name = "FILE")]
    key: Option<String>,

    /// Where dashboard, API and metrics are.
    #[arg(long, default_value = "127.0.0.1:9000", value_parser = listen_address, value_name = "ADDRESS")]
    admin: String,

    /// How many threads carry traffic; one for each processor if not given.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1024), value_name = "COUNT")]
    workers: Option<u64>,

    /// The folder for compiled plugins and for changes made through the API. If not given,
    /// plugins are kept in the user's cache folder, and changes until the end only.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

pub(super) fn run(flags: ProxyFlags) -> anyhow::Result<()> {
    let keep = match flags.data {
        Some(_) => Keep::InDataFolder,
        None => Keep::InMemory,
    };
    let data = flags.data.clone().unwrap_or_else(data_folder);
    let written = written(flags, &data);
    // Everything is said by flags, so that the environment overrides nothing.
    serving::serve(Source::Given(written), Environment::empty(), keep)
}

fn written(flags: ProxyFlags, data: &Path) -> Config {
    let certificate = flags.cert.zip(flags.key);
    let certificates = certificate.map(|(cert, key)| Certificate { cert, key });
    let (listen, listen_tls) = match flags.tls || certificates.is_some() {
        true => (Vec::new(), flags.listen),
        false => (flags.listen, Vec::new()),
    };
    let mut config = Config::for_proxy(&ProxyOptions {
        listen,
        listen_tls,
        certificates: certificates.into_iter().collect(),
        to: flags.to,
        balancer: Some(flags.policy),
        affinity: flags.sticky.then(|| "sticky-cookie".to_owned()),
        health_path: Some(flags.health_path),
        no_health_checks: flags.no_health,
        admin: Some(flags.admin),
        workers: flags.workers,
    });
    config.admin.data = data.to_string_lossy().into_owned();
    config
}

/// An address or a socket's path as it was written, if it is one.
fn listener_address(text: &str) -> Result<String, String> {
    config::listener_address(text).map(|_| text.to_owned())
}

/// An address as it was written, if it is one.
fn listen_address(text: &str) -> Result<String, String> {
    config::listen_address(text).map(|_| text.to_owned())
}

/// What is compiled once need not be compiled again, and a command without a
/// file leaves nothing in the working folder.
pub(super) fn data_folder() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let caches = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let caches = caches.or_else(|| Some(variable("HOME")?.join(".cache")));
    caches.unwrap_or_else(std::env::temp_dir).join("gatewright")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, FromArgMatches as _};
    use gatewright_model::config::Certificates;

    fn config(arguments: &[&str]) -> config::Config {
        let command = ProxyFlags::augment_args(clap::Command::new("proxy"));
        let arguments = [&["proxy", "--to=127.0.0.1:3001"], arguments].concat();
        let matches = command.try_get_matches_from(arguments).expect("good flags");
        let flags = ProxyFlags::from_arg_matches(&matches).expect("good flags");
        config::mean(&written(flags, Path::new("data"))).expect("a good configuration")
    }

    #[test]
    fn one_server_is_enough() {
        let config = config(&[]);
        assert_eq!(config.listeners[0].listen.to_string(), "[::]:8080");
        assert_eq!(config.listeners[0].tls, None);
        let pool = &config.pools[0];
        assert_eq!(pool.balancer.plugin.as_str(), "least-connections");
        assert_eq!(pool.affinity, None);
        let health = pool.health.as_ref().expect("servers are checked");
        assert_eq!(&*health.path, "/health");
    }

    #[test]
    fn every_flag_is_obeyed() {
        let config = config(&[
            "--to=127.0.0.1:3002",
            "--listen=127.0.0.1:0",
            "--listen=:8443",
            "--policy=round-robin",
            "--sticky",
            "--no-health",
            "--tls",
            "--admin=127.0.0.1:9001",
            "--workers=3",
        ]);
        let pool = &config.pools[0];
        assert_eq!(pool.servers.len(), 2);
        assert_eq!(pool.balancer.plugin.as_str(), "round-robin");
        assert!(pool.affinity.is_some() && pool.health.is_none());
        assert_eq!(config.listeners.len(), 2);
        for listener in &config.listeners {
            let certificates = listener.tls.as_ref().map(|tls| &tls.certificates);
            assert_eq!(certificates, Some(&Certificates::SelfSigned));
        }
        assert_eq!((config.admin.listen.port(), config.workers), (9001, 3));
    }
}
