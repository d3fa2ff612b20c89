//! `gatewright plugin`: writing a plugin, and the plugins of a running gateway
//! and where they are bound. The commands for authors need no gateway.

mod bench;
mod build;
mod certify;
mod check;
mod follow;
pub(super) mod naming;
mod new;
mod push;
mod replay;
mod run;
mod tables;
mod workbench;

use anyhow::{anyhow, ensure};
use http::Method;
use serde_json::{Map, Value, json};

use self::bench::BenchOptions;
use self::build::BuildOptions;
use self::certify::CertifyOptions;
use self::check::CheckOptions;
use self::follow::LogOptions;
use self::new::NewOptions;
use self::push::PushOptions;
use self::replay::ReplayOptions;
use self::run::RunOptions;
use super::api::{ApiOptions, Call, escaped, without_a_gateway};
use crate::ending::usage;

/// What `gatewright plugin` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A version is named by the SHA-256 of its component, or by its first 8 digits or
more. It decides nothing before it is activated, at POOL/balancer, POOL/affinity,
-/router or -/policy.NAME, where NAME is any name for a new policy. Changes are
in force when the command ends, and outlive a restart; no request fails by them.

Environment:
  GATEWRIGHT_TOKEN   the access token, once the gateway has any

Examples:
  gatewright plugin new near && cd near && gatewright plugin build
  gatewright plugin check target/near.wasm
  gatewright plugin certify target/near.wasm
  gatewright plugin replay target/near.wasm web.jsonl
  gatewright plugin push near.wasm --activate web/balancer --watch
  gatewright plugin canary web/balancer 5f1d20ab 10
  gatewright plugin stats near
  gatewright plugin promote web/balancer
  gatewright plugin rollback web/balancer")]
pub(super) struct PluginOptions {
    #[command(flatten)]
    api: ApiOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a project that a plugin is built from.
    #[command(args = without_a_gateway())]
    New(NewOptions),
    /// Build a project into a component.
    #[command(args = without_a_gateway())]
    Build(BuildOptions),
    /// Say whether a gateway would take a component, and what it costs.
    #[command(args = without_a_gateway())]
    Check(CheckOptions),
    /// Ask a component about a request and servers that are made up.
    #[command(args = without_a_gateway())]
    Run(RunOptions),
    /// Measure what a component's decisions cost.
    #[command(args = without_a_gateway())]
    Bench(BenchOptions),
    /// Judge a balancer by a fixed set of scenarios, in virtual time.
    #[command(args = without_a_gateway())]
    Certify(CertifyOptions),
    /// Play a recording of decisions to a balancer, and say where it differs.
    #[command(args = without_a_gateway())]
    Replay(ReplayOptions),
    /// Upload a component as a version of a plugin.
    Push(PushOptions),
    /// Show every plugin.
    List,
    /// Show a plugin's versions.
    Versions {
        /// The plugin.
        name: String,
    },
    /// Show what is bound where.
    Bindings,
    /// Have a version decide in a seat.
    #[command(after_long_help = "\
Examples:
  gatewright plugin activate web/balancer near
  gatewright plugin activate web/balancer near 5f1d20ab
  gatewright plugin activate web/balancer near --config '{\"zone\":\"a\"}'
  gatewright plugin activate -/policy.guard access")]
    Activate {
        /// The seat, such as web/balancer.
        #[arg(value_name = "POOL/ROLE", allow_hyphen_values = true)]
        seat: String,
        /// The plugin.
        name: String,
        /// The version; the plugin's own if not given.
        #[arg(value_name = "VERSION")]
        digest: Option<String>,
        /// The plugin's own configuration, as a JSON object; the one that is
        /// there if not given.
        #[arg(long, value_parser = object, value_name = "JSON")]
        config: Option<Map<String, Value>>,
    },
    /// Have a version decide for a share of the requests.
    Canary {
        /// The seat, such as web/balancer.
        #[arg(value_name = "POOL/ROLE", allow_hyphen_values = true)]
        seat: String,
        /// The version, of the plugin that is bound there.
        #[arg(value_name = "VERSION")]
        digest: String,
        /// The share in percent; 0 ends it.
        #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
        percent: u8,
    },
    /// Ask a version too, without obeying it, and compare.
    Shadow {
        /// The seat, such as web/balancer.
        #[arg(value_name = "POOL/ROLE", allow_hyphen_values = true)]
        seat: String,
        /// The version, of the plugin that is bound there.
        #[arg(value_name = "VERSION")]
        digest: String,
        /// The share of decisions that it is asked for, in percent; 0 ends it.
        #[arg(default_value_t = 100, value_parser = clap::value_parser!(u8).range(0..=100))]
        sample: u8,
    },
    /// Have a seat's canary decide for all requests.
    Promote {
        /// The seat, such as web/balancer.
        #[arg(value_name = "POOL/ROLE", allow_hyphen_values = true)]
        seat: String,
    },
    /// Go back to what decided in a seat before.
    Rollback {
        /// The seat, such as web/balancer.
        #[arg(value_name = "POOL/ROLE", allow_hyphen_values = true)]
        seat: String,
    },
    /// Bind nothing in a policy's or an affinity's seat any more.
    Unbind {
        /// The seat, such as -/policy.guard.
        #[arg(value_name = "POOL/ROLE", allow_hyphen_values = true)]
        seat: String,
    },
    /// Delete a plugin, or one of its versions, that is bound nowhere.
    Delete {
        /// The plugin.
        name: String,
        /// The version; all of them if not given.
        #[arg(value_name = "VERSION")]
        digest: Option<String>,
    },
    /// Show what a plugin has written to its log.
    Logs(LogOptions),
    /// Show what a plugin's bindings count.
    Stats {
        /// The plugin.
        name: String,
    },
}

pub(super) fn run(options: &PluginOptions) -> anyhow::Result<()> {
    let api = &options.api;
    let get = |path: String| Call::new(Method::GET, path);
    match &options.command {
        Command::New(options) => new::run(api, options),
        Command::Build(options) => build::run(api, options),
        Command::Check(options) => check::run(api, options),
        Command::Run(options) => run::run(api, options),
        Command::Bench(options) => bench::run(api, options),
        Command::Certify(options) => certify::run(api, options),
        Command::Replay(options) => replay::run(api, options),
        Command::Push(options) => push::run(api, options),
        Command::List => api.show(get("/api/plugins".to_owned()), tables::plugins),
        Command::Versions { name } => api.show(get(path(name, "")), tables::versions),
        Command::Bindings => api.show(get("/api/bindings".to_owned()), tables::bindings),
        Command::Activate {
            seat,
            name,
            digest,
            config,
        } => activate(api, seat, binding(name, digest.as_deref(), config.as_ref())),
        Command::Canary {
            seat,
            digest,
            percent,
        } => beside(api, seat, ("canary", "percent"), digest, *percent),
        Command::Shadow {
            seat,
            digest,
            sample,
        } => beside(api, seat, ("shadow", "sample"), digest, *sample),
        Command::Promote { seat } => promote(api, seat),
        Command::Rollback { seat } => {
            let call = Call::new(Method::POST, format!("{}/rollback", path_of(seat)?));
            api.change(call, |data| bound(seat, data))
        }
        Command::Unbind { seat } => {
            let call = Call::new(Method::DELETE, path_of(seat)?);
            api.change(call, |data| bound(seat, data))
        }
        Command::Delete { name, digest } => delete(api, name, digest.as_deref()),
        Command::Logs(options) => follow::run(api, options),
        Command::Stats { name } => api.show(get(path(name, "/stats")), tables::stats),
    }
}

/// What is to be bound: a version of a plugin, its own without one, and its
/// configuration, which stays without one.
fn binding(name: &str, version: Option<&str>, config: Option<&Map<String, Value>>) -> Value {
    let mut binding = json!({ "plugin": name, "version": version });
    if let Some(config) = config {
        binding["config"] = json!(config);
    }
    binding
}

/// A plugin's configuration, as it is written on the command line.
fn object(text: &str) -> Result<Map<String, Value>, serde_json::Error> {
    serde_json::from_str(text)
}

fn activate(api: &ApiOptions, seat: &str, binding: Value) -> anyhow::Result<()> {
    let call = Call::new(Method::PUT, path_of(seat)?)
        .with(binding)
        .judging();
    api.change(call, |data| bound(seat, data))
}

/// Have a version stand beside the one that decides; a share of 0 ends it.
fn beside(
    api: &ApiOptions,
    seat: &str,
    (part, share): (&str, &str),
    version: &str,
    percent: u8,
) -> anyhow::Result<()> {
    let beside = match percent {
        0 => Value::Null,
        percent => json!({ "version": version, share: percent }),
    };
    let call = Call::new(Method::PUT, path_of(seat)?).with(json!({ part: beside }));
    api.change(call, |data| match data[part]["version"].as_str() {
        Some(version) => {
            let version = tables::short(version);
            format!("{seat} has {part} {version} at {percent} %")
        }
        None => format!("{seat} has no {part}"),
    })
}

fn promote(api: &ApiOptions, seat: &str) -> anyhow::Result<()> {
    let path = path_of(seat)?;
    let binding = api.ask(Call::new(Method::GET, path.clone()))?;
    let canary = &binding["canary"]["version"];
    ensure!(!canary.is_null(), "{seat} has no canary");
    let wanted = json!({ "version": canary });
    let call = Call::new(Method::PUT, path).with(wanted).judging();
    api.change(call, |data| bound(seat, data))
}

fn delete(api: &ApiOptions, name: &str, version: Option<&str>) -> anyhow::Result<()> {
    let rest = version.map(|version| format!("/versions/{}", escaped(version)));
    let call = Call::new(Method::DELETE, path(name, &rest.unwrap_or_default()));
    let data = api.ask(call)?;
    api.print(&data, |data| match data["version"].as_str() {
        Some(version) => format!("deleted {name} {}\n", tables::short(version)),
        None => format!("deleted {name}\n"),
    })
}

/// What decides in a seat, in words.
fn bound(seat: &str, data: &Value) -> String {
    match (data["plugin"].as_str(), data["version"].as_str()) {
        (Some(plugin), Some(version)) => {
            format!("{seat} has {plugin} {}", tables::short(version))
        }
        _ => format!("{seat} has nothing"),
    }
}

/// A plugin's path in the API, and what follows it.
fn path(name: &str, rest: &str) -> String {
    format!("/api/plugins/{}{rest}", escaped(name))
}

/// A seat's path in the API.
fn path_of(seat: &str) -> anyhow::Result<String> {
    let (pool, role) = seat.split_once('/').ok_or_else(|| {
        usage(anyhow!(
            "{seat:?} is no seat; write POOL/balancer, POOL/affinity, -/router or -/policy.NAME"
        ))
    })?;
    Ok(format!("/api/bindings/{}/{}", escaped(pool), escaped(role)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Args as _;

    #[test]
    fn a_seat_of_no_pool_is_written_as_any_other() {
        let command = PluginOptions::augment_args(clap::Command::new("plugin"));
        for line in [
            "activate -/router near",
            "canary -/policy.guard 5f1d20ab 10",
            "shadow -/router 5f1d20ab",
            "promote -/router",
            "rollback -/router --json",
            "rollback --json -/router",
            "unbind -/policy.guard",
            "push near.wasm --activate -/router --watch",
        ] {
            let words = ["plugin"].into_iter().chain(line.split(' '));
            let taken = command.clone().try_get_matches_from(words);
            assert!(taken.is_ok(), "{line}: {taken:?}");
        }
    }

    #[test]
    fn commands_that_ask_no_gateway_show_no_options_of_one() {
        let mut command = PluginOptions::augment_args(clap::Command::new("plugin"));
        command.build();
        for (name, is_shown) in [
            ("new", false),
            ("build", false),
            ("check", false),
            ("run", false),
            ("bench", false),
            ("certify", false),
            ("replay", false),
            ("push", true),
            ("list", true),
        ] {
            let command = command.find_subcommand_mut(name).unwrap();
            let help = command.render_long_help().to_string();
            assert!(help.contains("--json"), "{help}");
            for option in ["--admin", "--ca-cert", "--client-cert", "--client-key"] {
                assert_eq!(help.contains(option), is_shown, "{option}: {help}");
            }
        }
    }

    #[test]
    fn what_is_no_seat_is_told_what_one_is() {
        let error = path_of("--near").unwrap_err().to_string();
        assert!(error.contains("-/router"), "{error}");
        assert_eq!(path_of("-/router").unwrap(), "/api/bindings/-/router");
    }
}
