//! `gatewright plugin logs`: what a plugin has written, and what it writes from
//! now on.

use std::thread;
use std::time::Duration;

use gatewright_host::plainly;
use http::Method;
use serde_json::Value;

use crate::cli::api::{ApiOptions, Call};

/// How often to ask for more.
const EVERY: Duration = Duration::from_millis(500);

/// What `gatewright plugin logs` is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct LogOptions {
    /// The plugin.
    name: String,
    /// How many entries to show, at most 1000.
    #[arg(short = 'n', long, default_value_t = 100, value_name = "COUNT")]
    lines: usize,
    /// Go on with what it writes from now on.
    #[arg(short, long)]
    follow: bool,
}

pub(super) fn run(api: &ApiOptions, options: &LogOptions) -> anyhow::Result<()> {
    let ask = |limit: usize| {
        let path = super::path(&options.name, &format!("/logs?limit={limit}"));
        api.ask(Call::new(Method::GET, path))
    };
    let mut log = ask(options.lines)?;
    if !options.follow {
        return api.print(&log, |log| entries(log).iter().map(line).collect());
    }
    let mut last = None;
    loop {
        for entry in after(entries(&log), last.as_ref()) {
            api.print(entry, line)?;
        }
        last = entries(&log).last().cloned().or(last);
        thread::sleep(EVERY);
        log = ask(1000)?;
    }
}

fn entries(log: &Value) -> &[Value] {
    log["entries"].as_array().map_or(&[], Vec::as_slice)
}

/// The entries after the last one that was shown; all when it is gone.
fn after<'l>(entries: &'l [Value], last: Option<&Value>) -> &'l [Value] {
    let shown = entries.iter().rposition(|entry| Some(entry) == last);
    &entries[shown.map_or(0, |shown| shown + 1)..]
}

fn line(entry: &Value) -> String {
    let text = |field: &str| plainly(entry[field].as_str().unwrap_or("?"));
    let (at, level, seat) = (text("at"), text("level"), text("binding"));
    let part = match &*text("part") {
        "active" => String::new(),
        part => format!(" ({part})"),
    };
    format!("{at} {level:5} {seat}{part}: {}\n", text("message"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_shown_is_not_shown_again() {
        let log = [json!(1), json!(2), json!(3)];
        assert_eq!(after(&log, None), log);
        assert_eq!(after(&log, Some(&json!(2))), [json!(3)]);
        assert_eq!(after(&log, Some(&json!(3))), [] as [Value; 0]);
        assert_eq!(after(&log, Some(&json!(0))), log);
    }
}
