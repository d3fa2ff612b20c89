//! `cargo xtask bench decisions`: the criterion bench of `gateway/host`, its
//! results as one table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::Deserialize;

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

/// Measure and print.
///
/// # Errors
///
/// When the bench fails or measured nothing.
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
    println!("\nMedian nanoseconds per decision, by number of endpoints");
    print!("{:32}", "");
    for column in &columns {
        print!(" {column:>9}");
    }
    println!();
    for (name, row) in table {
        print!("{name:32}");
        for column in &columns {
            match row.get(*column) {
                Some(nanoseconds) => print!(" {nanoseconds:>9.0}"),
                None => print!(" {:>9}", "-"),
            }
        }
        println!();
    }
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
        (row, self.value_str.unwrap_or_else(|| "any".to_owned()))
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
    use std::fs;

    use super::{Table, collect};

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
}
