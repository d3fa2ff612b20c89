//! `gatewright pools`: the pools of a running gateway.

use http::Method;
use serde_json::{Value, json};

use super::api::{ApiOptions, Call, escaped};
use super::servers::address;
use super::table::{Column, Table};

const COLUMNS: [Column; 10] = [
    ("POOL", "pool"),
    ("DEFAULT", "isDefault"),
    ("ALGORITHM", "algorithm"),
    ("STICKY", "sessionPersistence"),
    ("CHECKED", "healthCheckEnabled"),
    ("SERVERS", "servers"),
    ("PANICS", "panicking"),
    ("WAITING", "waiting"),
    ("SHED", "shed"),
    ("SOURCE", "source"),
];

/// What `gatewright pools` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Environment:
  GATEWRIGHT_TOKEN   the access token, once the gateway has any

Examples:
  gatewright pools list
  gatewright pools create api --server 10.0.0.7:3000 --server 10.0.0.8:3000
  gatewright pools set api --algorithm round_robin --sticky true
  gatewright pools delete api")]
pub(super) struct PoolsOptions {
    #[command(flatten)]
    api: ApiOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show every pool.
    List,
    /// Create a pool.
    Create {
        /// Its name.
        pool: String,
        /// A server, as host:port or unix:/path; repeat it for each.
        #[arg(long, required = true, value_name = "HOST:PORT")]
        server: Vec<String>,
        /// Who chooses the server; least_connections if not given.
        #[arg(long, value_name = "NAME")]
        algorithm: Option<String>,
        /// Take every server as well without asking it.
        #[arg(long)]
        no_health: bool,
    },
    /// Change a pool's settings.
    Set {
        /// Its name.
        pool: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Delete a pool that nothing leads to.
    Delete {
        /// Its name.
        pool: String,
    },
}

/// Settings; those that are not given stay.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Settings {
    /// Who chooses the server.
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    /// Whether a client stays on its server by a cookie.
    #[arg(long, value_name = "true|false")]
    sticky: Option<bool>,
    /// Whether servers are checked.
    #[arg(long, value_name = "true|false")]
    health: Option<bool>,
    /// What they are asked for.
    #[arg(long, value_name = "PATH")]
    health_path: Option<String>,
    /// Seconds from one check of a server to the next.
    #[arg(long, value_name = "SECONDS")]
    health_interval: Option<f64>,
    /// How often a request is tried again on another server.
    #[arg(long, value_name = "COUNT")]
    retries: Option<u32>,
}

impl Settings {
    fn body(&self) -> Value {
        let fields = [
            ("algorithm", self.algorithm.as_ref().map(|it| json!(it))),
            ("sessionPersistence", self.sticky.map(|it| json!(it))),
            ("healthCheckEnabled", self.health.map(|it| json!(it))),
            (
                "healthCheckPath",
                self.health_path.as_ref().map(|it| json!(it)),
            ),
            (
                "healthCheckInterval",
                self.health_interval.map(|it| json!(it)),
            ),
            ("maxRetries", self.retries.map(|it| json!(it))),
        ];
        let given = fields.into_iter();
        let given = given.filter_map(|(field, value)| Some((field.to_owned(), value?)));
        Value::Object(given.collect())
    }
}

pub(super) fn run(options: &PoolsOptions) -> anyhow::Result<()> {
    let api = &options.api;
    match &options.command {
        Command::List => {
            let call = Call::new(Method::GET, "/api/pools");
            api.show(call, |data| Table::of(data, &COLUMNS))
        }
        Command::Create {
            pool,
            server,
            algorithm,
            no_health,
        } => {
            let servers = server.iter().map(|server| address(server));
            let servers = servers.collect::<anyhow::Result<Vec<_>>>()?;
            let mut body = json!({ "pool": pool, "servers": servers });
            if let Some(algorithm) = algorithm {
                body["algorithm"] = json!(algorithm);
            }
            if *no_health {
                body["healthCheckEnabled"] = json!(false);
            }
            let call = Call::new(Method::POST, "/api/pools").with(body);
            api.change(call, |_| format!("created pool {pool}"))
        }
        Command::Set { pool, settings } => {
            let path = format!("/api/pools/{}", escaped(pool));
            let call = Call::new(Method::PUT, path).with(settings.body());
            api.change(call, |_| format!("changed pool {pool}"))
        }
        Command::Delete { pool } => {
            let path = format!("/api/pools/{}", escaped(pool));
            let call = Call::new(Method::DELETE, path);
            api.change(call, |_| format!("deleted pool {pool}"))
        }
    }
}
