//! `gatewright plugin bench`: what a decision of a component costs in pools of
//! three sizes.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use anyhow::bail;
use gatewright_host::Lent;
use serde_json::{Value, json};

use super::workbench::{Asked, Seated, Server, Setting, Workbench};
use crate::cli::api::ApiOptions;
use crate::cli::table::{Column, Table};

/// Servers of the pools.
const SIZES: [u16; 3] = [3, 100, 1000];

/// How long decisions are made before they are measured.
const WARM_UP: Duration = Duration::from_millis(200);

/// Rounds of decisions; the median of them is told, and the fastest.
const ROUNDS: usize = 21;

/// How long a round takes about.
const ROUND: Duration = Duration::from_millis(40);

const COLUMNS: [Column; 4] = [
    ("SERVERS", "servers"),
    ("NS MEDIAN", "nsMedian"),
    ("NS FASTEST", "nsFastest"),
    ("MEMORY KIB", "memoryKib"),
];

/// What `gatewright plugin bench` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The time is that of a decision as a gateway asks for it, the host's part
included, on one thread of this machine.

Examples:
  gatewright plugin bench near.wasm
  gatewright plugin bench zone.wasm --config '{\"zone\":\"a\"}' --json")]
pub(super) struct BenchOptions {
    #[command(flatten)]
    setting: Setting,
}

pub(super) fn run(api: &ApiOptions, options: &BenchOptions) -> anyhow::Result<()> {
    let setting = &options.setting;
    let bench = Workbench::open()?;
    let mut rows = Vec::new();
    for size in SIZES {
        let mut seated = bench.set_up(setting, &Server::some(size))?;
        let rounds = measure(&mut seated)?;
        let memory = seated.seat()?.memory_used();
        rows.push(json!({
            "servers": size,
            "nsMedian": rounds[rounds.len() / 2],
            "nsFastest": rounds[0],
            "memoryKib": memory.map(|bytes| bytes >> 10),
        }));
    }
    let data = Value::from(rows);
    api.print(&data, |data| Table::of(data, &COLUMNS).to_string())
}

/// Nanoseconds a decision, by round, the fastest first.
fn measure(seated: &mut Seated) -> anyhow::Result<[f64; ROUNDS]> {
    let asked = Asked::new("GET / HTTP/1.1", &[], IpAddr::V4(Ipv4Addr::LOCALHOST), 200)?;
    let (mut lent, mut key) = (asked.lent(false), 0);
    let began = Instant::now();
    let mut decisions = 0_u32;
    while began.elapsed() < WARM_UP {
        decide(seated, &mut key, &mut lent)?;
        decisions += 1;
    }
    let each = began.elapsed().as_secs_f64() / f64::from(decisions);
    let batch = ((ROUND.as_secs_f64() / each) as u32).max(1);
    let mut rounds = [0.0; ROUNDS];
    for round in &mut rounds {
        let began = Instant::now();
        for _ in 0..batch {
            decide(seated, &mut key, &mut lent)?;
        }
        *round = began.elapsed().as_secs_f64() * 1e9 / f64::from(batch);
    }
    rounds.sort_by(f64::total_cmp);
    Ok(rounds)
}

fn decide(seated: &mut Seated, key: &mut u64, lent: &mut Lent) -> anyhow::Result<()> {
    // Keys as far apart as hashes are.
    *key = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    if let Err(fault) = seated.decide(*key, lent)? {
        let entries = seated.seat()?.binding().journal().entries();
        let said = entries.last().map(|entry| entry.message.as_str());
        bail!("it has no answer: {fault}; {}", said.unwrap_or_default());
    }
    // What decisions asked for must not pile up over a million of them.
    if let Some(view) = lent {
        view.effects().edits.clear();
    }
    Ok(())
}
