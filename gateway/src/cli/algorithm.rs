//! `gatewright algorithm`: who chooses the server, in a running gateway.

use http::Method;
use serde_json::json;

use super::api::{ApiOptions, Call, escaped};
use super::table::{Column, Table};

const COLUMNS: [Column; 3] = [
    ("ALGORITHM", "name"),
    ("PLUGIN", "plugin"),
    ("POOLS", "pools"),
];

/// What `gatewright algorithm` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Environment:
  GATEWRIGHT_TOKEN   the access token, once the gateway has any

Examples:
  gatewright algorithm list
  gatewright algorithm get --pool api
  gatewright algorithm set round_robin")]
pub(super) struct AlgorithmOptions {
    #[command(flatten)]
    api: ApiOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show which algorithms there are, and the pools that have them.
    List,
    /// Show a pool's.
    Get {
        /// The pool; the default one if not given.
        #[arg(long, value_name = "POOL")]
        pool: Option<String>,
    },
    /// Change a pool's between two requests.
    Set {
        /// The algorithm, such as round_robin, or the name of any balancer plugin.
        algorithm: String,
        /// The pool; the default one if not given.
        #[arg(long, value_name = "POOL")]
        pool: Option<String>,
    },
}

pub(super) fn run(options: &AlgorithmOptions) -> anyhow::Result<()> {
    let api = &options.api;
    match &options.command {
        Command::List => {
            let call = Call::new(Method::GET, "/api/algorithms");
            api.show(call, |data| Table::of(data, &COLUMNS))
        }
        Command::Get { pool } => {
            let pool = pool.as_ref().map(|pool| format!("?pool={}", escaped(pool)));
            let path = format!("/api/algorithm{}", pool.unwrap_or_default());
            let columns = [("POOL", "pool"), ("ALGORITHM", "algorithm")];
            let call = Call::new(Method::GET, path);
            api.show(call, |data| Table::of(data, &columns))
        }
        Command::Set { algorithm, pool } => {
            let mut body = json!({ "algorithm": algorithm });
            if let Some(pool) = pool {
                body["pool"] = json!(pool);
            }
            let call = Call::new(Method::PUT, "/api/algorithm").with(body);
            api.change(call, |data| {
                let pool = data["pool"].as_str().unwrap_or("?");
                format!("pool {pool} has {algorithm}")
            })
        }
    }
}
