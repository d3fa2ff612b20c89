//! What the API says of plugins, as tables.

use serde_json::{Value, json};

use crate::cli::table::{Column, Table};

const PLUGINS: [Column; 9] = [
    ("PLUGIN", "name"),
    ("SOURCE", "source"),
    ("VERSION", "version"),
    ("RELEASE", "release"),
    ("VERSIONS", "versionCount"),
    ("GRANTS", "grants"),
    ("MEMORY", "memory"),
    ("BOUND", "bound"),
    ("DESCRIPTION", "description"),
];

const VERSIONS: [Column; 10] = [
    ("VERSION", "version"),
    ("RELEASE", "release"),
    ("SOURCE", "source"),
    ("SINCE", "uploadedAt"),
    ("BY", "uploader"),
    ("SIGNED BY", "signedBy"),
    ("BYTES", "size"),
    ("ROLES", "roles"),
    ("DIRECT", "direct"),
    ("BOUND", "bound"),
];

const BINDINGS: [Column; 8] = [
    ("SEAT", "binding"),
    ("PLUGIN", "plugin"),
    ("VERSION", "version"),
    ("STATE", "state"),
    ("CANARY", "canary"),
    ("SHADOW", "shadow"),
    ("SOURCE", "source"),
    ("STEPS BACK", "history"),
];

const STATS: [Column; 14] = [
    ("SEAT", "binding"),
    ("PART", "part"),
    ("VERSION", "version"),
    ("STATE", "state"),
    ("DECISIONS", "decisions"),
    ("FAULTS", "faults"),
    ("FALLBACKS", "fallbacks"),
    ("CAPPED", "capped"),
    ("OVERRULED", "overruled"),
    ("NS MEAN", "nsMean"),
    ("NS P99", "nsP99"),
    ("CPU %", "cpuPercent"),
    ("AGREE %", "agreement"),
    ("DISTANCE", "distance"),
];

/// Digits of a version that people are shown: more than enough to name it.
const DIGITS: usize = 12;

/// Characters of a description that there is room for.
const LINE: usize = 48;

pub(super) fn plugins(data: &Value) -> Table {
    rows(&data["plugins"], &PLUGINS, |row| {
        shorten(&mut row["version"]);
        tell_about(row);
        row["bound"] = places(&row["bound"]);
    })
}

pub(super) fn versions(data: &Value) -> Table {
    rows(&data["versions"], &VERSIONS, |row| {
        shorten(&mut row["version"]);
        tell_about(row);
        row["bound"] = places(&row["bound"]);
    })
}

pub(super) fn bindings(data: &Value) -> Table {
    rows(data, &BINDINGS, |row| {
        shorten(&mut row["version"]);
        for (part, share) in [("canary", "percent"), ("shadow", "sample")] {
            let beside = &row[part];
            if let Some(version) = beside["version"].as_str() {
                row[part] = json!(format!("{} {}%", short(version), beside[share]));
            }
        }
        row["history"] = json!(row["history"].as_array().map_or(0, Vec::len));
    })
}

pub(super) fn stats(data: &Value) -> Table {
    rows(&data["bindings"], &STATS, |row| {
        shorten(&mut row["version"]);
        let faults = row["faults"].as_object();
        let faults = faults.map(|kinds| kinds.values().filter_map(Value::as_u64).sum::<u64>());
        row["faults"] = json!(faults);
        let comparison = row["comparison"].take();
        let agreement = comparison["agreement"].as_f64();
        row["agreement"] = json!(agreement.map(|share| share * 100.0));
        let distance = comparison["distance"].as_f64();
        row["distance"] = json!(distance.map(|distance| format!("{distance:.3}")));
    })
}

fn rows(data: &Value, columns: &[Column], shape: impl Fn(&mut Value)) -> Table {
    let mut data = data.clone();
    if let Some(rows) = data.as_array_mut() {
        rows.iter_mut().for_each(shape);
    }
    Table::of(&data, columns)
}

/// What a component says of itself, as far as a line has room for it.
fn tell_about(row: &mut Value) {
    let about = row["about"].take();
    row["release"] = about["version"].clone();
    let description = about["description"].as_str();
    row["description"] = json!(description.map(|text| match text.chars().nth(LINE) {
        Some(_) => text.chars().take(LINE - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }));
}

fn shorten(version: &mut Value) {
    if let Some(text) = version.as_str() {
        *version = json!(short(text));
    }
}

/// As much of a version as people need.
pub(super) fn short(version: &str) -> &str {
    version.get(..DIGITS).unwrap_or(version)
}

/// Where something is bound: the seats, with the part where it is not the one
/// that decides.
fn places(bound: &Value) -> Value {
    let places = bound.as_array().map_or(&[] as &[_], Vec::as_slice).iter();
    let places = places.map(|place| {
        let seat = place["binding"].as_str().unwrap_or_default();
        match place["part"].as_str() {
            Some(part) if part != "active" => format!("{seat}({part})"),
            _ => seat.to_owned(),
        }
    });
    let places: Vec<_> = places.collect();
    match places.is_empty() {
        true => Value::Null,
        false => json!(places),
    }
}
