//! `gatewright backend`: a small shop that stands behind the gateway when one
//! tries it out. It says in every answer which server it is, and it can be
//! made slow, flaky or unhealthy.

mod manners;
mod replies;
mod server;
mod shop;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

pub(crate) use server::Backend;

/// What `gatewright backend` is asked for.
#[derive(Clone, Debug, PartialEq, clap::Args)]
#[command(after_long_help = "\
What it answers:
  /                      the shop's front page, HTML
  /products              all products; /products/3 is one of them
  /cart, /checkout       a small order
  /api/...               the same under /api, and /api/test
  /health, /api/health   200 {\"status\":\"ok\"}, or 503 with --unhealthy
  /echo                  the request's body
  /slow?ms=250           after that many milliseconds, 60000 at most
  /bytes?n=1000000       that many bytes, 1073741824 at most

Every answer has the server's name in the header x-backend.

Examples:
  gatewright backend --port 3001
  gatewright backend --port 3002 --name slow --delay 20ms --jitter 10ms
  gatewright backend --port 3003 --name flaky --error-rate 0.05")]
pub(crate) struct BackendOptions {
    /// The port to listen on; 0 picks a free one.
    #[arg(long, short, default_value_t = 3001)]
    pub(crate) port: u16,

    /// The address to listen on: 0.0.0.0 or :: to be reached from other machines.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "ADDRESS")]
    pub(crate) host: IpAddr,

    /// What it calls itself in its answers; backend-PORT unless given.
    #[arg(long, value_parser = server::parse_name)]
    pub(crate) name: Option<String>,

    /// How long each answer takes, such as 5ms; health checks are answered at once.
    #[arg(long, default_value = "0ms", value_parser = humantime::parse_duration, value_name = "DURATION")]
    pub(crate) delay: Duration,

    /// Up to how much longer, evenly at random, such as 3ms.
    #[arg(long, default_value = "0ms", value_parser = humantime::parse_duration, value_name = "DURATION")]
    pub(crate) jitter: Duration,

    /// Which share of the answers is a 500, from 0 to 1; health checks stay good.
    #[arg(long, default_value_t = 0.0, value_parser = manners::parse_share, value_name = "SHARE")]
    pub(crate) error_rate: f64,

    /// Answer health checks with 503, and everything else as ever.
    #[arg(long)]
    pub(crate) unhealthy: bool,
}

impl Default for BackendOptions {
    fn default() -> Self {
        Self {
            port: 3001,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            name: None,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            error_rate: 0.0,
            unhealthy: false,
        }
    }
}

/// Serve until Ctrl-C, then say how much was answered.
///
/// # Errors
///
/// An [`io::Error`] inside: of kind [`io::ErrorKind::AddrInUse`] when the port
/// is taken, otherwise why the address cannot be listened on.
pub(crate) async fn run(options: BackendOptions) -> anyhow::Result<()> {
    let backend = Backend::start(options).await?;
    say(&format!(
        "{} listens on http://{} (Ctrl-C ends it)",
        backend.name(),
        backend.address()
    ))?;
    tokio::signal::ctrl_c().await?;
    let requests = backend.requests();
    backend.stop().await;
    say(&format!("answered {requests} requests"))?;
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    use io::Write as _;
    writeln!(io::stdout(), "{line}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, FromArgMatches as _};

    fn parse(arguments: &[&str]) -> Result<BackendOptions, clap::Error> {
        let command = BackendOptions::augment_args(clap::Command::new("backend"));
        let matches = command.try_get_matches_from([&["backend"], arguments].concat())?;
        BackendOptions::from_arg_matches(&matches)
    }

    #[test]
    fn without_arguments_the_options_are_the_default_ones() {
        assert_eq!(
            parse(&[]).expect("no argument is required"),
            BackendOptions::default()
        );
    }

    #[test]
    fn every_option_is_understood() {
        let options = parse(&[
            "--port=0",
            "--host=::1",
            "--name=a",
            "--delay=5ms",
            "--jitter=3ms",
            "--error-rate=0.01",
            "--unhealthy",
        ])
        .expect("good arguments");
        let expected = BackendOptions {
            port: 0,
            host: "::1".parse().expect("an address"),
            name: Some("a".to_owned()),
            delay: Duration::from_millis(5),
            jitter: Duration::from_millis(3),
            error_rate: 0.01,
            unhealthy: true,
        };
        assert_eq!(options, expected);
    }

    #[test]
    fn impossible_values_are_refused() {
        for argument in [
            "--error-rate=1.5",
            "--error-rate=NaN",
            "--delay=5",
            "--name=two\nlines",
            "--name=",
            "--port=70000",
            "--host=nowhere",
        ] {
            assert!(parse(&[argument]).is_err(), "{argument} was accepted");
        }
    }
}
