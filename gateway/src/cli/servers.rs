//! `gatewright servers`: the servers of a running gateway.

use anyhow::anyhow;
use gatewright_model::config::is_socket;
use http::Method;
use serde_json::{Value, json};

use super::api::{ApiOptions, Call, escaped};
use super::table::{Column, Table};
use crate::ending::usage;

const COLUMNS: [Column; 11] = [
    ("SERVER", "serverId"),
    ("POOL", "pool"),
    ("STATUS", "status"),
    ("CIRCUIT", "circuit"),
    ("DRAINING", "draining"),
    ("WEIGHT", "weight"),
    ("ACTIVE", "activeConnections"),
    ("REQUESTS", "totalRequests"),
    ("FAILED", "failedRequests"),
    ("MS", "responseTime"),
    ("SOURCE", "source"),
];

/// What `gatewright servers` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Changes are in force when the command ends, and outlive a restart. A removed
server finishes the requests that it has; none fails.

Environment:
  GATEWRIGHT_TOKEN   the access token, once the gateway has any

Examples:
  gatewright servers list
  gatewright servers add 10.0.0.7:3000 --weight 2
  gatewright servers drain 10.0.0.7:3000
  gatewright servers remove 10.0.0.7:3000 --pool web")]
pub(super) struct ServersOptions {
    #[command(flatten)]
    api: ApiOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show every server.
    List {
        /// Of this pool only.
        #[arg(long, value_name = "POOL")]
        pool: Option<String>,
    },
    /// Add a server to a pool.
    Add {
        /// The server, as host:port or unix:/path.
        #[arg(value_name = "HOST:PORT")]
        server: String,
        /// The pool; the default one if not given.
        #[arg(long, value_name = "POOL")]
        pool: Option<String>,
        /// Its relative share of the work; 1 if not given.
        #[arg(long, value_name = "WEIGHT")]
        weight: Option<u16>,
        /// What it is asked for to see whether it is well; what its pool says if not given.
        #[arg(long, value_name = "PATH")]
        health_path: Option<String>,
    },
    /// Remove a server.
    Remove(Which),
    /// Change a server's share of the work.
    Weight {
        #[command(flatten)]
        which: Which,
        /// The share, relative to the pool's other servers; 0 takes no work.
        weight: u16,
    },
    /// Give a server no new work, but for sessions of its own.
    Drain(Which),
    /// Give a drained server work again.
    Enable(Which),
}

/// A server that is there.
#[derive(Debug, clap::Args)]
struct Which {
    /// The server, as host:port or unix:/path.
    #[arg(value_name = "HOST:PORT")]
    server: String,
    /// In this pool only; in every pool that has it if not given.
    #[arg(long, value_name = "POOL")]
    pool: Option<String>,
}

impl Which {
    /// The server's path in the API, and what follows it.
    fn path(&self, rest: &str) -> String {
        let server = escaped(&self.server);
        format!("/api/servers/{server}{rest}{}", in_pool(self.pool.as_ref()))
    }
}

pub(super) fn run(options: &ServersOptions) -> anyhow::Result<()> {
    let api = &options.api;
    match &options.command {
        Command::List { pool } => {
            let path = format!("/api/servers{}", in_pool(pool.as_ref()));
            let call = Call::new(Method::GET, path);
            api.show(call, |data| Table::of(data, &COLUMNS))
        }
        Command::Add {
            server,
            pool,
            weight,
            health_path,
        } => {
            let mut body = address(server)?;
            for (field, value) in [
                ("pool", pool.as_ref().map(|pool| json!(pool))),
                ("weight", weight.map(|weight| json!(weight))),
                (
                    "healthCheckPath",
                    health_path.as_ref().map(|path| json!(path)),
                ),
            ] {
                if let Some(value) = value {
                    body[field] = value;
                }
            }
            let call = Call::new(Method::POST, "/api/servers").with(body);
            api.change(call, |data| {
                let (id, pool, status) = (&data["serverId"], &data["pool"], &data["status"]);
                format!(
                    "added {} to pool {}, {}",
                    text(id),
                    text(pool),
                    text(status)
                )
            })
        }
        Command::Remove(which) => {
            let call = Call::new(Method::DELETE, which.path(""));
            api.change(call, |_| format!("removed {}", which.server))
        }
        Command::Weight { which, weight } => {
            let call = Call::new(Method::PUT, which.path("/weight"));
            let call = call.with(json!({ "weight": weight }));
            api.change(call, |_| format!("{} has weight {weight}", which.server))
        }
        Command::Drain(which) => {
            let call = Call::new(Method::POST, which.path("/drain"));
            api.change(call, |_| format!("{} takes no new work", which.server))
        }
        Command::Enable(which) => {
            let call = Call::new(Method::POST, which.path("/enable"));
            api.change(call, |_| format!("{} takes work", which.server))
        }
    }
}

fn in_pool(pool: Option<&String>) -> String {
    pool.map_or_else(String::new, |pool| format!("?pool={}", escaped(pool)))
}

/// A server that is written `host:port` or `unix:/path`, as the API wants it.
pub(super) fn address(server: &str) -> anyhow::Result<Value> {
    if is_socket(server) {
        return Ok(json!({ "host": server }));
    }
    let parts = server.rsplit_once(':');
    let parts = parts.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    let (host, port) = parts.ok_or_else(|| {
        usage(anyhow!(
            "{server:?} is no server; write host:port, such as 10.0.0.1:3000, or unix:/path"
        ))
    })?;
    Ok(json!({ "host": host, "port": port }))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}
