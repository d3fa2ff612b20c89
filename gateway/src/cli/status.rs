//! `gatewright status`: a running gateway in one look, or live.

mod live;
mod words;

use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use http::Method;
use serde_json::{Value, json};

use super::api::{ApiOptions, Call, Events};
use crate::runtime;

/// How long the figures may take, which come once a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// What `gatewright status` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
It looks for a second, since rates are those of a second. With --watch and
--json it prints a line of JSON for each second.

With --ready it asks at once, and only whether clients should be sent to the
gateway, as a probe of a container does. That takes no token.

Environment:
  GATEWRIGHT_TOKEN   the access token, once the gateway has any

Exit codes: 0 every pool has a server that may take requests (with --ready: it is
ready), 1 one has none or the gateway cannot be asked, 2 wrong usage.

Examples:
  gatewright status
  gatewright status --watch
  gatewright status --json
  gatewright status --ready")]
pub(super) struct StatusOptions {
    #[command(flatten)]
    api: ApiOptions,
    /// Show it live until q is pressed.
    #[arg(long, short)]
    watch: bool,
    /// Say whether clients should be sent to it, and no more.
    #[arg(long, conflicts_with = "watch")]
    ready: bool,
}

pub(super) fn run(options: &StatusOptions) -> anyhow::Result<()> {
    let api = &options.api;
    if options.ready {
        api.is_ready()?;
        return api.print(&json!({ "ready": true }), |_| "ready\n".to_owned());
    }
    // A line for each second is of the stream alone.
    let cluster = match options.watch {
        true => Value::Null,
        false => api.ask(Call::new(Method::GET, "/api/cluster"))?,
    };
    runtime::block_on(async {
        let events = api.follow("/api/stream").await?;
        let looked = match (options.watch, api.json) {
            (true, true) => lines(events).await,
            (true, false) => live::show(events, api.admin()).await,
            (false, _) => once(events, api, cluster).await,
        };
        looked.with_context(|| format!("asking {}", api.admin()))
    })
}

async fn once(mut events: Events, api: &ApiOptions, cluster: Value) -> anyhow::Result<()> {
    // The first ones may have no rates.
    figures(&mut events).await?;
    let mut figures = figures(&mut events).await?;
    figures["cluster"] = cluster;
    api.print(&figures, words::of)?;
    ensure!(
        figures["status"] != "unhealthy",
        "a pool has no server that may take requests"
    );
    Ok(())
}

/// A line for each second, until nobody reads them.
async fn lines(mut events: Events) -> anyhow::Result<()> {
    loop {
        let figures = figures(&mut events).await?;
        match writeln!(io::stdout(), "{figures}") {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
}

/// The next figures.
async fn figures(events: &mut Events) -> anyhow::Result<Value> {
    let next = async {
        loop {
            let told = events.next().await?;
            if told.name == "metrics" {
                return Ok(told.data);
            }
        }
    };
    let waited = tokio::time::timeout(PATIENCE, next).await;
    waited.unwrap_or_else(|_| bail!("it told nothing for {PATIENCE:?}"))
}
