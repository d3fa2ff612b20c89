//! `gatewright explain`: which plugin decided what about a request.

use http::Method;
use serde_json::Value;

use super::api::{ApiOptions, Call, escaped};
use super::table::{Column, Table};

const REQUESTS: [Column; 9] = [
    ("REQUEST", "id"),
    ("AT", "timestamp"),
    ("METHOD", "method"),
    ("URL", "url"),
    ("POOL", "pool"),
    ("SERVER", "serverId"),
    ("HEDGED TO", "hedgedTo"),
    ("STATUS", "statusCode"),
    ("MS", "responseTime"),
];

const DECISIONS: [Column; 9] = [
    ("SEAT", "seat"),
    ("PLUGIN", "plugin"),
    ("VERSION", "version"),
    ("PART", "part"),
    ("ANSWER", "answer"),
    ("FAULT", "fault"),
    ("NS", "nanoseconds"),
    ("REASON", "reason"),
    ("CANDIDATES", "candidates"),
];

/// Digits of a version that are shown.
const VERSION_DIGITS: usize = 12;

/// What `gatewright explain` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Ten requests a second of each worker are kept, and every one that asks to be, by
a header whose value is an access token:

  curl -sD- -o/dev/null -H \"x-gatewright-explain: $GATEWRIGHT_TOKEN\" http://127.0.0.1:8080/

The answer's header of the same name holds the id to ask for here.

Environment:
  GATEWRIGHT_TOKEN   the access token, once the gateway has any

Examples:
  gatewright explain                                    the latest requests
  gatewright explain 0f3c9b1e5d7a4c2b8e6f1a2b3c4d5e6f   each decision about one")]
pub(super) struct ExplainOptions {
    #[command(flatten)]
    api: ApiOptions,
    /// The request's id; without one, the latest requests are listed.
    id: Option<String>,
    /// How many requests to list: 1 to 1000.
    #[arg(short = 'n', long, default_value_t = 20, conflicts_with = "id",
        value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
}

pub(super) fn run(options: &ExplainOptions) -> anyhow::Result<()> {
    match &options.id {
        None => {
            let path = format!("/api/explain?limit={}", options.limit);
            let call = Call::new(Method::GET, path);
            options.api.show(call, |data| Table::of(data, &REQUESTS))
        }
        Some(id) => {
            let call = Call::new(Method::GET, format!("/api/explain/{}", escaped(id)));
            options.api.show(call, decisions)
        }
    }
}

fn decisions(explained: &Value) -> Table {
    let mut decisions = explained["decisions"].clone();
    for decision in decisions.as_array_mut().into_iter().flatten() {
        if let Some(version) = decision["version"].as_str() {
            let shown: String = version.chars().take(VERSION_DIGITS).collect();
            decision["version"] = shown.into();
        }
    }
    Table::of(&decisions, &DECISIONS)
}
