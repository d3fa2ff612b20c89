//! `cargo xtask bench decisions`: the criterion bench of `gateway/host`, its
//! results as one table, in which what is over its budget is marked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::Deserialize;

use super::figures::mark;
use crate::cargo::{cargo, run as run_command, target_folder};

/// What `cargo xtask bench decisions` takes.
#[derive(Parser)]
pub(super) struct Arguments {
    /// Only benchmarks whose name has this in it
    filter: Option<String>,
    /// End with one line of JSON
    #[arg(long)]
    json: bool,
}

/// Median nanoseconds by decision, then by what it was asked with.
type Table = BTreeMap<String, BTreeMap<String, f64>>;

/// The column of decisions to which the number of endpoints is nothing.
const ANY: &str = "any";

/// Nanoseconds that a decision may take, with few endpoints or whatever their number.
const FEW: f64 = 500.0;

/// With a thousand endpoints.
const MANY: f64 = 2_000.0;

/// Router, affinity and balancer together, and what they may take.
const CHAIN: (&str, f64) = ("default chain", 1_200.0);

/// What has no budget: cryptography for those whom `auth` does not know yet, and the
/// lane that default plugins do not take.
const EXCEPTED: [&str; 9] = [
    "auth, Basic, first time",
    "auth, Bearer, first time",
    "auth, HS256, first time",
    "auth, RS256, first time",
    "auth, ES256, first time",
    "auth, EdDSA, first time",
    "default chain, component lane",
    "path-router, component lane",
    "sticky-cookie, no session, component lane",
];

/// What a decision may take in a column of the table, if that has a limit.
fn budget(name: &str, column: &str) -> Option<f64> {
    if EXCEPTED.contains(&name) {
        return None;
    }
    let (chain, whole) = CHAIN;
    match column {
        _ if name == chain => Some(whole),
        "10" | ANY => Some(FEW),
        "1000" => Some(MANY),
        _ => None,
    }
}

/// The budget that a figure is over.
fn exceeded(name: &str, column: &str, nanoseconds: f64) -> Option<f64> {
    budget(name, column).filter(|budget| nanoseconds > *budget)
}

/// Everything that is over its budget, a line each.
fn over(table: &Table) -> Vec<String> {
    let mut found = Vec::new();
    for (name, row) in table {
        for (column, nanoseconds) in row {
            if let Some(budget) = exceeded(name, column, *nanoseconds) {
                let line = format!("{name} ({column}): {nanoseconds:.0} ns, over {budget:.0}");
                found.push(line);
            }
        }
    }
    found
}

/// Measure, print and judge.
///
/// # Errors
///
/// When the bench fails or measured nothing. What is over its budget is told and is no
/// error: on a busy machine anything may be.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let folder = target_folder()?.join("decisions");
    // Results of benchmarks that are no more would be shown again.
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let mut command = cargo();
    command
        .args(["bench", "--locked", "--package", "gatewright-host"])
        .args(["--bench", "decision", "--"])
        .args(&arguments.filter)
        .env("CRITERION_HOME", &folder);
    run_command(&mut command)?;
    let mut table = Table::new();
    if folder.is_dir() {
        collect(&folder, &mut table)?;
    }
    if table.is_empty() {
        bail!("the bench measured nothing");
    }
    print(&table);
    match over(&table) {
        over if over.is_empty() => println!("\nevery decision is within its budget"),
        over => println!("\nover their budgets:\n{}", over.join("\n")),
    }
    if arguments.json {
        let result = serde_json::json!({ "ns_per_decision": table });
        println!("{result}");
    }
    Ok(())
}

fn print(table: &Table) {
    let mut columns: Vec<&String> = table
        .values()
        .flat_map(BTreeMap::keys)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    // Numbers of endpoints in their order, then whatever else there is.
    columns.sort_by_key(|column| (column.parse::<u64>().unwrap_or(u64::MAX), *column));
    println!("\nMedian nanoseconds per decision, by number of endpoints (! over the budget)");
    print!("{:32}", "");
    for column in &columns {
        print!(" {column:>9}");
    }
    println!();
    for (name, row) in table {
        print!("{name:32}");
        for column in &columns {
            match row.get(*column) {
                Some(nanoseconds) => print!(" {:>9}", cell(name, column, *nanoseconds)),
                None => print!(" {:>9}", "-"),
            }
        }
        println!();
    }
}

/// A figure as the table has it.
fn cell(name: &str, column: &str, nanoseconds: f64) -> String {
    let mark = mark(exceeded(name, column, nanoseconds).is_some());
    format!("{mark}{nanoseconds:.0}")
}

/// Read every result below a folder: criterion keeps each in a folder `new`.
fn collect(folder: &Path, table: &mut Table) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        if path.ends_with("new") {
            let name: Benchmark = read(&path.join("benchmark.json"))?;
            let estimates: Estimates = read(&path.join("estimates.json"))?;
            let (row, column) = name.place();
            table
                .entry(row)
                .or_default()
                .insert(column, estimates.median.point_estimate);
        } else {
            collect(&path, table)?;
        }
    }
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> Result<T> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("cannot understand {}", file.display()))
}

/// The name that criterion gave to a benchmark.
#[derive(Deserialize)]
struct Benchmark {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
}

impl Benchmark {
    /// Its row and column in the table.
    fn place(self) -> (String, String) {
        let row = match self.function_id {
            Some(function) if !function.is_empty() => format!("{}/{function}", self.group_id),
            _ => self.group_id,
        };
        (row, self.value_str.unwrap_or_else(|| ANY.to_owned()))
    }
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    /// In nanoseconds.
    point_estimate: f64,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::{Table, cell, collect, over};

    #[test]
    fn results_are_found_in_criterions_folders() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("balancer/round-robin/100/new");
        fs::create_dir_all(&place).unwrap();
        let benchmark =
            r#"{"group_id": "balancer", "function_id": "round-robin", "value_str": "100"}"#;
        fs::write(place.join("benchmark.json"), benchmark).unwrap();
        let estimates = r#"{"median": {"point_estimate": 345.6}, "mean": {}}"#;
        fs::write(place.join("estimates.json"), estimates).unwrap();
        let mut table = Table::new();
        collect(folder.path(), &mut table).unwrap();
        assert_eq!(table["balancer/round-robin"]["100"], 345.6);
    }

    /// A table with one figure.
    fn table(name: &str, column: &str, nanoseconds: f64) -> Table {
        let row = BTreeMap::from([(column.to_owned(), nanoseconds)]);
        Table::from([(name.to_owned(), row)])
    }

    #[test]
    fn each_decision_is_held_to_its_own_budget() {
        for (name, column, most) in [
            ("least-connections", "10", 500.0),
            ("least-connections", "1000", 2_000.0),
            ("path-router", "any", 500.0),
            ("auth, RS256", "any", 500.0),
            ("sticky-cookie, no session", "any", 500.0),
            ("default chain", "10", 1_200.0),
            ("default chain", "1000", 1_200.0),
        ] {
            assert!(over(&table(name, column, most)).is_empty(), "{name}");
            assert_eq!(cell(name, column, most), format!("{most:.0}"));
            let more = most + 1.0;
            let line = format!("{name} ({column}): {more:.0} ns, over {most:.0}");
            assert_eq!(over(&table(name, column, more)), [line]);
            assert_eq!(cell(name, column, more), format!("!{more:.0}"));
        }
    }

    #[test]
    fn what_has_no_budget_is_not_judged() {
        for (name, column) in [
            ("least-connections", "100"),
            ("auth, RS256, first time", "any"),
            ("default chain, component lane", "10"),
        ] {
            assert!(over(&table(name, column, 1e9)).is_empty(), "{name}");
            assert_eq!(cell(name, column, 1e9), "1000000000");
        }
    }
}
