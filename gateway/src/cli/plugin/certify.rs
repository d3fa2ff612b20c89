//! `gatewright plugin certify`: a balancer judged by a fixed set of scenarios.

use std::io;

use anyhow::{Context as _, anyhow, ensure};
use gatewright_host::lower_limits;
use gatewright_model::config::Size;
use gatewright_simulate::{Certificate, certify};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::object;
use crate::certifier;
use crate::cli::api::ApiOptions;
use crate::cli::simulate::{policy, told, workshop};
use crate::cli::table::{Column, Table};
use crate::ending::usage;

/// What stands for the standard input.
const STDIN: &str = "-";

/// How the progress bar looks.
const BAR: &str = "{msg:36} {wide_bar} {pos}/{len}";

const COLUMNS: [Column; 3] = [
    ("VERDICT", "verdict"),
    ("CASE", "case"),
    ("FIGURES", "figures"),
];

/// What `gatewright plugin certify` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The scenarios are simulated in virtual time with the component itself, and are the
same each time. It is granted what it imports and nothing else. It ends with 1 if a
required verdict is not passed; the others say what would be good.

Examples:
  gatewright plugin certify least-connections
  gatewright plugin certify target/near.wasm --config '{\"zone\":\"a\"}'
  gatewright plugin certify near.wasm --memory 16MiB
  gatewright plugin certify near.wasm --json")]
pub(super) struct CertifyOptions {
    /// A balancer's name, or the file of a component.
    #[arg(value_name = "FILE|NAME")]
    plugin: String,
    /// The plugin's own configuration, as a JSON object, or - to read that from
    /// the standard input; an empty one if not given.
    #[arg(long, value_name = "JSON|-")]
    config: Option<String>,
    /// The most memory of an instance, such as 16MiB; as much as it needs if not
    /// given, or for a balancer of the gateway's own what a gateway gives it.
    #[arg(long, value_name = "SIZE")]
    memory: Option<Size>,
    /// Take no more of the machine than a gateway has for it, and end with the
    /// thread that started it.
    #[arg(long, hide = true)]
    bounded: bool,
}

pub(super) fn run(api: &ApiOptions, options: &CertifyOptions) -> anyhow::Result<()> {
    if options.bounded {
        // Before anything of a stranger's is read.
        lower_limits(certifier::MEANS).context("this process cannot be limited")?;
    }
    let mut judged = policy(&options.plugin).map_err(usage)?;
    judged.memory = options.memory;
    judged.config = configuration(options.config.as_deref())?;
    let bar = ProgressBar::new(1).with_style(ProgressStyle::with_template(BAR)?);
    let certificate = certify(&judged, &workshop(), &mut |case, count| {
        bar.set_length(count as u64);
        bar.set_message(case);
        bar.inc(1);
    });
    bar.finish_and_clear();
    let Certificate { grants, verdicts } = certificate.map_err(told)?;
    let data = json!({ "plugin": options.plugin, "grants": grants, "verdicts": verdicts });
    api.print(&data, words)?;
    let required = verdicts.iter().filter(|verdict| verdict.required);
    let failed = required.clone().filter(|verdict| !verdict.passed).count();
    let count = required.count();
    ensure!(
        failed == 0,
        "{failed} of {count} required verdicts are not passed"
    );
    Ok(())
}

/// The plugin's configuration, as it is given or on the standard input.
fn configuration(given: Option<&str>) -> anyhow::Result<Map<String, Value>> {
    let text = match given {
        None => return Ok(Map::new()),
        // Not everybody on the machine sees that.
        Some(STDIN) => io::read_to_string(io::stdin()).context("cannot read standard input")?,
        Some(text) => text.to_owned(),
    };
    object(&text).map_err(|error| usage(anyhow!("--config is no JSON object: {error}")))
}

fn words(data: &Value) -> String {
    let mut rows = data["verdicts"].clone();
    for row in rows.as_array_mut().into_iter().flatten() {
        let verdict = match (row["passed"] == true, row["required"] == true) {
            (true, _) => "passed",
            (false, true) => "FAILED",
            (false, false) => "could be better",
        };
        row["verdict"] = verdict.into();
    }
    let table = Table::of(&rows, &COLUMNS);
    match data["grants"].as_array() {
        Some(grants) => {
            let names: Vec<_> = grants.iter().filter_map(Value::as_str).collect();
            let names = match names.is_empty() {
                true => "nothing".to_owned(),
                false => names.join(", "),
            };
            format!("{table}It was granted what it asks for: {names}.\n")
        }
        None => table.to_string(),
    }
}
