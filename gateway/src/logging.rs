//! Where the log goes: to the error output, one line an event, filtered by the
//! environment variable `GATEWRIGHT_LOG`.

use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::ending::usage;

/// The variable that says what is logged, such as `debug` or
/// `warn,gatewright_proxy=debug`. A release build has nothing beyond `debug`: asked for
/// `trace`, it warns of that.
const VARIABLE: &str = "GATEWRIGHT_LOG";

/// Libraries whose warnings are of what strangers send, as often as they send it:
/// left out unless somebody looks for such things.
const OF_STRANGERS: &str =
    "h2=error,hickory_net=error,hickory_proto=error,hickory_resolver=error,rustls=error";

/// Log to the error output: what the variable says, `level` without it.
///
/// # Errors
///
/// When the variable cannot be understood.
pub(crate) fn to_stderr(level: &str) -> anyhow::Result<()> {
    let filter = filter(level)?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    // Only a second subscriber is refused, and then the first one logs.
    let _ = log.try_init();
    Ok(())
}

/// Log to a place of one's own, in lines without time and colour.
///
/// # Errors
///
/// When the variable cannot be understood.
pub(crate) fn to<W>(writer: W, level: &str) -> anyhow::Result<()>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = filter(level)?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .with_writer(writer);
    // As above.
    let _ = log.try_init();
    Ok(())
}

fn filter(level: &str) -> anyhow::Result<EnvFilter> {
    let written = std::env::var(VARIABLE).unwrap_or_default();
    let directives = match written.trim() {
        "" => level,
        directives => directives,
    };
    let is_usual = ["info", "warn"].contains(&directives.to_ascii_lowercase().as_str());
    let bounded = is_usual.then(|| format!("{directives},{OF_STRANGERS}"));
    EnvFilter::builder()
        .parse(bounded.as_deref().unwrap_or(directives))
        .with_context(|| format!("{VARIABLE}={directives:?} (write a level such as info or debug)"))
        .map_err(usage)
}
