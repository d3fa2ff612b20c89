//! `gatewright plugin replay`: a recording of decisions played to a balancer.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use gatewright_host::{
    Call, Header, Host, HostOptions, Line, Pick, Played, Recorded, Rehearsal, Simulated, plainly,
    read_recording,
};
use gatewright_model::config::{self, Config, DEADLINE, MEMORY, written};
use gatewright_model::role::Grant;
use gatewright_model::snapshot::Snapshot;
use gatewright_simulate::Policy;
use serde_json::{Map, Value, json};

use super::object;
use crate::cli::api::ApiOptions;
use crate::cli::simulate::{policy, workshop};
use crate::cli::table::{Column, Table};
use crate::ending::usage;

/// Differences and failures that are shown.
const SHOWN: usize = 10;

/// What random numbers come from that the recording does not have.
const SEED: u64 = 1;

const COUNTS: [Column; 3] = [
    ("SERVER", "server"),
    ("RECORDED", "recorded"),
    ("CANDIDATE", "candidate"),
];

/// What `gatewright plugin replay` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The candidate is handed what was recorded, in its order and on a clock that the
recording sets: members, health, outcomes, load, the answers to what the recorded
plugin asked, the state that it began with. It ends with 0 whether or not it agrees.

What the recorded plugin did not ask for is not in the recording: such questions of
the candidate are counted. The response to another decision would have been another;
outcomes and load are the recorded ones all the same.

Examples:
  gatewright plugin replay least-connections web.jsonl
  gatewright plugin replay target/near.wasm web.jsonl --config near.json
  gatewright plugin replay near.wasm web.jsonl --json")]
pub(super) struct ReplayOptions {
    /// A balancer's name, or the file of a component.
    #[arg(value_name = "FILE|NAME")]
    candidate: String,
    /// What `gatewright record` wrote.
    recording: PathBuf,
    /// A file with the candidate's own configuration, a JSON object; the recorded
    /// one if not given.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(api: &ApiOptions, options: &ReplayOptions) -> anyhow::Result<()> {
    let file = &options.recording;
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    let text = text.map_err(usage)?;
    // What was cut may end within a character.
    let Recorded {
        header,
        lines,
        is_whole,
    } = read_recording(&String::from_utf8_lossy(&text))
        .map_err(|error| usage(anyhow!("{}: {error}", file.display())))?;
    if !is_whole {
        eprintln!(
            "warning: {} was cut or edited: its last line does not say how many there are; what \
             is left is replayed",
            file.display()
        );
    }
    let mut candidate = policy(&options.candidate).map_err(usage)?;
    candidate.config = configuration(options.config.as_deref(), &header).map_err(usage)?;
    let mut stage = Stage::set(&candidate, &header).with_context(|| {
        let seated = format!("{} cannot be seated", options.candidate);
        match &options.config {
            Some(file) => format!("{seated} with {}", file.display()),
            None => seated,
        }
    })?;
    let mut findings = Findings::default();
    for line in &lines {
        let played = stage.rehearsal.play(line);
        let played = played.with_context(|| format!("{} cannot be started", options.candidate))?;
        findings.note(line, &played);
    }
    let unknown = stage.rehearsal.unknown();
    let mut data = findings.told(&header, options, &unknown);
    data["whole"] = json!(is_whole);
    api.print(&data, words)
}

/// What the candidate is configured with.
fn configuration(file: Option<&Path>, header: &Header) -> anyhow::Result<Map<String, Value>> {
    let Some(file) = file else {
        return Ok(header.config.as_object().cloned().unwrap_or_default());
    };
    let text = fs::read_to_string(file);
    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
    object(&text).with_context(|| format!("{} holds no JSON object", file.display()))
}

/// A host with nothing but the candidate.
struct Stage {
    rehearsal: Rehearsal,
    /// Whose clock ends decisions.
    _host: Arc<Host>,
}

impl Stage {
    fn set(candidate: &Policy, header: &Header) -> anyhow::Result<Self> {
        let workshop = workshop();
        let clock = Arc::new(Simulated::new(SEED));
        let options = HostOptions {
            workers: 1,
            cache: workshop.cache,
            components: None,
            compiler: workshop.compiler,
        };
        let host = Host::start_simulated(options, Arc::clone(&clock))?;
        let config = config_of(candidate, header).map_err(usage)?;
        let snapshot = Arc::new(Snapshot::next(None, Arc::new(config), 1)?);
        let prepared = host.prepare(&snapshot, None).map_err(usage)?;
        let rehearsal = Rehearsal::new(&prepared.plan, &snapshot, &clock);
        Ok(Self {
            rehearsal: rehearsal.context("there is no seat for it")?,
            _host: host,
        })
    }
}

/// What a gateway's file would say of the candidate. Its servers are nobody: those
/// of the recording are told to it alone.
fn config_of(candidate: &Policy, header: &Header) -> anyhow::Result<Config> {
    let servers = [json!({ "host": "192.0.2.1", "port": 80 })];
    let mut config = json!({
        "default_pool": header.pool,
        "pools": { header.pool.as_str(): {
            "servers": servers,
            "health": false,
            "balancer": {
                "plugin": candidate.plugin,
                "config": candidate.config,
                "deadline": *DEADLINE.end(),
            },
        } },
    });
    if let Some(file) = &candidate.file {
        config["plugins"] = json!({ candidate.plugin.as_str(): {
            "file": file,
            "grants": Grant::ALL.map(Grant::name),
            "memory": *MEMORY.end(),
        } });
    }
    let written: written::Config = serde_json::from_value(config)?;
    Ok(config::mean(&written)?)
}

/// How often a server was chosen: as recorded, and by the candidate.
type Counts = BTreeMap<String, (u64, u64)>;

/// What a replay came to.
#[derive(Debug, Default)]
struct Findings {
    /// The servers' names, by slot.
    names: BTreeMap<u32, String>,
    decisions: u64,
    agreed: u64,
    failed: u64,
    /// Instances whose life began without what the one before it had learned.
    restored: u64,
    counts: Counts,
    differences: Vec<Value>,
    failures: Vec<String>,
}

impl Findings {
    fn note(&mut self, line: &Line, played: &Played) {
        match &line.call {
            Call::Update { endpoints } => {
                let names = endpoints.iter();
                self.names
                    .extend(names.map(|member| (member.slot, member.id.clone())));
            }
            Call::Restore { .. } => self.restored += 1,
            _ => {}
        }
        if let Played::Failed(fault, detail) = played
            && self.failures.len() < SHOWN
        {
            self.failures.push(format!("{fault}: {detail}"));
        }
        if let Call::Pick(pick) = &line.call {
            self.compare(line, pick, played);
        } else if let Played::Failed(..) = played {
            self.failed += 1;
        }
    }

    fn compare(&mut self, line: &Line, pick: &Pick, played: &Played) {
        self.decisions += 1;
        let recorded = match &pick.fault {
            None => self.name(pick.answer),
            Some(fault) => format!("failed: {fault}"),
        };
        let candidate = match played {
            Played::Decided(slot) => self.name(slot.map(|slot| slot.0)),
            Played::Failed(fault, _) => {
                self.failed += 1;
                format!("failed: {fault}")
            }
            Played::Told => self.name(None),
        };
        self.counts.entry(recorded.clone()).or_default().0 += 1;
        self.counts.entry(candidate.clone()).or_default().1 += 1;
        if recorded == candidate {
            self.agreed += 1;
        } else if self.differences.len() < SHOWN {
            self.differences.push(json!({
                "decision": self.decisions,
                "worker": line.worker,
                "attempt": pick.attempt,
                "key": format!("{:016x}", pick.key),
                "load": self.load(pick),
                "recorded": recorded,
                "candidate": candidate,
            }));
        }
    }

    fn name(&self, slot: Option<u32>) -> String {
        match slot {
            None => "no opinion".to_owned(),
            Some(slot) => match self.names.get(&slot) {
                Some(name) => name.clone(),
                None => format!("slot {slot}"),
            },
        }
    }

    /// The active requests of whoever could be chosen, by name.
    fn load(&self, pick: &Pick) -> Value {
        let usable = pick.load.iter().enumerate();
        let usable = usable.filter(|(_, load)| **load != u32::MAX);
        let named = usable.map(|(slot, load)| (self.name(Some(slot as u32)), json!(load)));
        named.collect::<Map<_, _>>().into()
    }

    fn told(
        self,
        header: &Header,
        options: &ReplayOptions,
        unknown: &BTreeMap<String, u64>,
    ) -> Value {
        let counts = self.counts.into_iter().map(|(server, (recorded, candidate))| {
            json!({ "server": server, "recorded": recorded, "candidate": candidate })
        });
        json!({
            "candidate": options.candidate,
            "recorded": { "plugin": header.plugin, "version": header.version, "pool": header.pool },
            "sample": header.sample,
            "workers": header.workers,
            "withState": self.restored > 0,
            "decisions": self.decisions,
            "agreed": self.agreed,
            "failed": self.failed,
            "counts": counts.collect::<Vec<_>>(),
            "differences": self.differences,
            "failures": self.failures,
            "notRecorded": unknown,
        })
    }
}

fn words(data: &Value) -> String {
    let mut text = String::new();
    let figure = |key: &str| data[key].as_u64().unwrap_or(0);
    let (agreed, decisions) = (figure("agreed"), figure("decisions"));
    let percent = agreed as f64 * 100.0 / decisions.max(1) as f64;
    let recorded = shown(&data["recorded"]["plugin"]);
    let candidate = shown(&data["candidate"]);
    let _ = match decisions {
        0 => writeln!(
            text,
            "{candidate} had nothing to decide: no decision of {recorded} is in the recording"
        ),
        _ => writeln!(
            text,
            "{candidate} agrees with {recorded} in {agreed} of {decisions} decisions ({percent:.2} %)"
        ),
    };
    if data["withState"] == false {
        text.push_str(
            "the recorded plugin handed no state over: the recording began without a past\n",
        );
    }
    if figure("sample") < 100 {
        let _ = writeln!(
            text,
            "{} % of the decisions were recorded: what depends on those between may differ",
            figure("sample")
        );
    }
    let unknown = data["notRecorded"].as_object().into_iter().flatten();
    for (function, times) in unknown {
        let _ = writeln!(
            text,
            "{times} times it asked for what was not recorded: {function}"
        );
    }
    if figure("failed") > 0 {
        let _ = writeln!(text, "{} times it failed:", figure("failed"));
    }
    for failure in data["failures"].as_array().into_iter().flatten() {
        let _ = writeln!(text, "  {}", shown(failure));
    }
    let _ = write!(text, "\n{}", Table::of(&data["counts"], &COUNTS));
    let differences = data["differences"].as_array().into_iter().flatten();
    for (place, difference) in differences.enumerate() {
        if place == 0 {
            text.push_str("\nThe first differences:\n");
        }
        let _ = writeln!(
            text,
            "  decision {}: {} was recorded, {} is the candidate's (worker {}, attempt {}, key {}, load {})",
            difference["decision"],
            shown(&difference["recorded"]),
            shown(&difference["candidate"]),
            difference["worker"],
            difference["attempt"],
            shown(&difference["key"]),
            plainly(&difference["load"].to_string()),
        );
    }
    text
}

/// A text of a recording's or a plugin's.
fn shown(text: &Value) -> std::borrow::Cow<'_, str> {
    plainly(text.as_str().unwrap_or_default())
}
