//! `gatewright demo`: servers, the gateway and shoppers in one process, and a
//! live table of what happens.

mod configuration;
mod folder;
mod gather;
mod notes;
mod ports;
mod rates;
mod servers;
mod show;
pub(crate) mod table;

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;

use crate::cli::BALANCERS;
use crate::{logging, runtime};
use notes::Notes;
use show::Show;
use table::Report;

/// What `gatewright demo` is asked for.
#[derive(Clone, Debug, PartialEq, clap::Args)]
#[command(after_long_help = "\
It starts demo servers, a gateway in front of them that listens for HTTP and
HTTPS, and shoppers who go through the gateway by HTTPS. Who goes where is
decided by four plugins: path-router sends /api/* to a pool of its own,
sticky-cookie keeps a shopper on a server, and a balancer for each pool chooses.

Keys in the table:
  1 to 9           kill that server, or start it again
  p                change to the next policy, while requests are under way
  q, Esc, Ctrl-C   end, and print the totals

Try beside it:
  curl -k https://localhost:8443/               a page, and who served it
  curl -k -b gw -c gw https://localhost:8443/   the same server every time
  curl http://localhost:8080/api/test           the other pool
  curl http://localhost:9000/metrics            every figure, for Prometheus

Examples:
  gatewright demo
  gatewright demo --policy power-of-two --shoppers 100
  gatewright demo --duration 15s --json
  gatewright demo --http 0 --https 0 --admin-port 0 --backends 0,0,0")]
pub(crate) struct DemoOptions {
    /// The port for HTTP; 0 is a free one, here and in the following.
    #[arg(long, default_value_t = 8080, value_name = "PORT")]
    http: u16,

    /// The port for HTTPS.
    #[arg(long, default_value_t = 8443, value_name = "PORT")]
    https: u16,

    /// The port for health, metrics and status.
    #[arg(long, default_value_t = 9000, value_name = "PORT")]
    admin_port: u16,

    /// The ports of the demo servers, one server each, nine at most.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "3001,3002,3003",
        value_name = "PORTS"
    )]
    backends: Vec<u16>,

    /// The address that the gateway listens on: 0.0.0.0 to be reached from other machines.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "ADDRESS")]
    host: IpAddr,

    /// How many shoppers there are.
    #[arg(long, short, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "COUNT")]
    shoppers: u32,

    /// Send no shoppers.
    #[arg(long, conflicts_with = "shoppers")]
    no_traffic: bool,

    /// For how long, such as 15s; until q or Ctrl-C if not given.
    #[arg(long, short, value_parser = humantime::parse_duration, value_name = "DURATION")]
    duration: Option<Duration>,

    /// Show no table; print the totals as one JSON object, on the last line.
    #[arg(long)]
    json: bool,

    /// How many threads carry traffic; one for each processor if not given.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1024), value_name = "COUNT")]
    workers: Option<u64>,

    /// The plugin that chooses the server, for both pools.
    #[arg(long, default_value = BALANCERS[0], value_parser = PossibleValuesParser::new(BALANCERS))]
    policy: String,

    /// Where to keep the configuration and compiled plugins; a temporary folder if not given.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self {
            http: 8080,
            https: 8443,
            admin_port: 9000,
            backends: vec![3001, 3002, 3003],
            host: Ipv4Addr::LOCALHOST.into(),
            shoppers: 8,
            no_traffic: false,
            duration: None,
            json: false,
            workers: None,
            policy: BALANCERS[0].to_owned(),
            data: None,
        }
    }
}

/// Show it until it is enough, then print the totals.
///
/// # Errors
///
/// When a port is taken or anything else cannot be started, and when the
/// terminal is gone.
pub(crate) fn run(options: DemoOptions) -> anyhow::Result<()> {
    let json = options.json;
    let notes = Notes::default();
    match !json && table::is_screen() {
        // Lines on the error output would spoil the picture.
        true => logging::to(notes.clone(), "warn")?,
        false => logging::to_stderr("warn")?,
    }
    let report = runtime::block_on(async {
        let show = Show::prepare(options, notes).await?;
        show.run().await
    })?;
    writeln!(io::stdout(), "{}", in_words(&report, json)?)?;
    Ok(())
}

fn in_words(report: &Report, json: bool) -> serde_json::Result<String> {
    match json {
        true => serde_json::to_string(report),
        false => Ok(report.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, FromArgMatches as _};

    #[test]
    fn without_arguments_the_options_are_the_default_ones() {
        let command = DemoOptions::augment_args(clap::Command::new("demo"));
        let matches = command
            .try_get_matches_from(["demo"])
            .expect("no argument is required");
        let options = DemoOptions::from_arg_matches(&matches).expect("they are whole");
        assert_eq!(options, DemoOptions::default());
    }
}
