//! The command line: what there is to ask for, with a file for each command.

mod algorithm;
mod api;
mod check;
mod compile;
mod completions;
mod explain;
mod init;
mod man;
mod meaning;
mod plugin;
mod pools;
mod proxy;
mod record;
mod run;
mod servers;
mod serving;
mod simulate;
mod status;
mod table;
mod token;
mod upgrade;

/// The balancers of the default plugin set, as `--policy` names them.
pub(crate) use gatewright_model::config::DEFAULT_BALANCERS as BALANCERS;
pub(crate) use serving::start;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::backend::{self, BackendOptions};
use crate::demo::{self, DemoOptions};
use crate::traffic::{self, TrafficOptions};
use crate::{ending, logging, runtime};

/// A load balancer whose every decision is made by WebAssembly components.
///
/// Which pool a request goes to, which server has its session and which server
/// takes it now: each is decided by a plugin that can be replaced while traffic
/// flows. Everything else (TLS, HTTP, connections, health, retries) is native.
#[derive(Debug, Parser)]
#[command(name = "gatewright", version, propagate_version = true)]
#[command(after_long_help = "\
Examples:
  gatewright demo                                  see it work: servers, gateway, shoppers
  gatewright proxy --listen :8080 --to 127.0.0.1:3001 --to 127.0.0.1:3002
  gatewright init && gatewright check && gatewright run

Environment:
  GATEWRIGHT_LOG           what is logged: error, warn, info (the default), debug,
                           or by module, as in warn,gatewright_proxy=debug
  PORT                     replaces the port of the first listener of a file
  WORKER_COUNT             replaces the number of workers of a file
  HEALTH_CHECK_INTERVAL    replaces the interval of health checks of a file
  REDIS_URL                replaces the address of the cluster's server, where a file
                           has [cluster]
  GATEWRIGHT_ADMIN         the admin listener of the gateway to operate
  GATEWRIGHT_TOKEN         the access token to operate it with
  GATEWRIGHT_CA_CERT, GATEWRIGHT_CLIENT_CERT, GATEWRIGHT_CLIENT_KEY
                           whom to trust and what to show where it speaks TLS

Exit codes: 0 done, 1 failed while running, 2 wrong usage or configuration.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway as a configuration file says.
    Run(run::RunOptions),
    /// Run a gateway for some servers, without a configuration file.
    Proxy(proxy::ProxyFlags),
    /// Check a configuration, and everything it names, without running it.
    Check(check::CheckOptions),
    /// Write a configuration file to start from.
    Init(init::InitOptions),
    /// Show it all: demo servers, the gateway, shoppers, and a live table.
    Demo(DemoOptions),
    /// Run a small shop to stand behind a gateway.
    Backend(BackendOptions),
    /// Send simulated shoppers to a gateway.
    Traffic(TrafficOptions),
    /// Show a running gateway in one look, or live.
    Status(status::StatusOptions),
    /// Show and change the servers of a running gateway.
    Servers(servers::ServersOptions),
    /// Show and change the pools of a running gateway.
    Pools(pools::PoolsOptions),
    /// Show and change who chooses the server, in a running gateway.
    Algorithm(algorithm::AlgorithmOptions),
    /// Bring plugins into a running gateway, try, activate and take them back.
    Plugin(plugin::PluginOptions),
    /// Compare balancers on a scenario, in virtual time.
    Simulate(simulate::SimulateOptions),
    /// Record what a pool's balancer is handed and answers, to replay it.
    Record(record::RecordOptions),
    /// Show which plugin decided what about a request.
    Explain(explain::ExplainOptions),
    /// Have the program, as its file is now, take over from a running gateway.
    Upgrade(upgrade::UpgradeOptions),
    /// Make, list and revoke access tokens.
    Token(token::TokenOptions),
    /// Print a script that completes this command line in a shell.
    Completions(completions::CompletionsOptions),
    /// Write manual pages, one for each command.
    Man(man::ManOptions),
    /// Compile the component on the standard input: for the gateway itself.
    #[command(hide = true)]
    Compile,
}

/// Do what the command line says.
pub(crate) fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Compile => compile::run(),
        command => ending::report(run(command)),
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run(options) => run::run(&options),
        Command::Proxy(flags) => proxy::run(flags),
        Command::Check(options) => check::run(&options),
        Command::Init(options) => init::run(&options),
        Command::Demo(options) => demo::run(options),
        Command::Backend(options) => {
            logging::to_stderr("warn")?;
            runtime::block_on(backend::run(options))
        }
        Command::Traffic(options) => {
            logging::to_stderr("warn")?;
            let summary = runtime::block_on(traffic::run(options))?;
            anyhow::ensure!(summary.failed == 0, "{} requests failed", summary.failed);
            Ok(())
        }
        Command::Status(options) => status::run(&options),
        Command::Servers(options) => servers::run(&options),
        Command::Pools(options) => pools::run(&options),
        Command::Algorithm(options) => algorithm::run(&options),
        Command::Plugin(options) => plugin::run(&options),
        Command::Simulate(options) => simulate::run(&options),
        Command::Record(options) => record::run(&options),
        Command::Explain(options) => explain::run(&options),
        Command::Upgrade(options) => upgrade::run(&options),
        Command::Token(options) => token::run(options),
        Command::Completions(options) => completions::run(&options),
        Command::Man(options) => man::run(&options),
        // It ends in a way of its own.
        Command::Compile => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_that_is_shown_has_an_example_in_its_help() {
        for command in Cli::command().get_subcommands_mut() {
            if !command.is_hide_set() {
                let name = command.get_name().to_owned();
                let help = command.render_long_help().to_string();
                assert!(help.contains(&format!("  gatewright {name}")), "{help}");
            }
        }
    }

    #[test]
    fn every_balancer_is_of_the_default_set() {
        let defaults = gatewright_host::defaults();
        for balancer in BALANCERS {
            assert!(
                defaults.iter().any(|plugin| plugin.name == balancer),
                "{balancer}"
            );
        }
    }
}
