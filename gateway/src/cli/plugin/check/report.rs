//! What was found out about a component, in words.

use std::fmt::Write as _;

use gatewright_host::plainly;
use gatewright_model::config::{MEMORY, Size, USUAL_DEADLINE, USUAL_MEMORY};
use serde_json::Value;

use crate::cli::plugin::tables::short;

/// The interfaces that a plugin may export beside its role's.
const OPTIONAL: [(&str, &str); 2] = [
    ("observing", "hears how attempts ended"),
    ("handover", "hands what it learned to its successor"),
];

/// All of it.
pub(super) fn words(data: &Value) -> String {
    let mut text = format!(
        "{} is a {} against version {} of the contract.\n\n",
        text_of(&data["file"]),
        listed(&data["roles"], " and "),
        text_of(&data["contract"]),
    );
    let lane = match data["direct"] == true {
        true => "direct",
        false => "through the component model",
    };
    let compiled = data["compileMs"].as_f64().unwrap_or_default();
    let rows = [
        ("version", short(text_of(&data["version"])).to_owned()),
        ("size", size(&data["size"])),
        ("compiled", format!("and tried in {compiled:.0} ms")),
        ("called", lane.to_owned()),
        ("exports", exports(&data["exports"])),
        ("imports", imports(&data["imports"])),
    ];
    for (name, value) in about(&data["about"]).into_iter().chain(rows) {
        let _ = writeln!(text, "  {name:10}{value}");
    }
    for tried in data["tried"].as_array().into_iter().flatten() {
        text += &tried_in_words(tried);
    }
    let takes = match was_tried(data) {
        true => "A gateway takes it with this in its file:",
        false => {
            "Nothing was tried. Once it is, a gateway needs this in its file, and perhaps more:"
        }
    };
    text + "\n" + takes + "\n\n" + &settings(data)
}

/// Whether it has made a decision in any role.
fn was_tried(data: &Value) -> bool {
    let mut tried = data["tried"].as_array().into_iter().flatten();
    tried.any(|tried| tried["unconfigured"].is_null())
}

/// What it says of itself.
fn about(about: &Value) -> Vec<(&'static str, String)> {
    let fields = [
        ("name", "name"),
        ("release", "version"),
        ("is", "description"),
        ("homepage", "homepage"),
        ("authors", "authors"),
        ("licences", "licenses"),
    ];
    let said = fields.into_iter().filter_map(|(name, field)| {
        let text = about[field].as_str()?;
        Some((name, text.to_owned()))
    });
    said.collect()
}

fn exports(names: &Value) -> String {
    let named = names.as_array().into_iter().flatten().map(text_of);
    let named = named.map(|name| {
        let optional = OPTIONAL.iter().find(|(optional, _)| *optional == name);
        optional.map_or(name.to_owned(), |(name, why)| format!("{name} ({why})"))
    });
    named.collect::<Vec<_>>().join(", ")
}

fn imports(imports: &Value) -> String {
    let all = imports.as_array().into_iter().flatten();
    let named = all.map(|import| match import["grant"].as_str() {
        Some(grant) => format!("{grant} (by the grant \"{grant}\")"),
        None => text_of(&import["name"]).to_owned(),
    });
    match named.collect::<Vec<_>>() {
        none if none.is_empty() => "nothing".to_owned(),
        named => named.join(", "),
    }
}

fn tried_in_words(tried: &Value) -> String {
    let role = text_of(&tried["role"]);
    if let Some(reason) = tried["unconfigured"].as_str().map(plainly) {
        return format!(
            "\nNot asked as {role}: it refuses an empty configuration ({reason}).\n\
             Give it one by --config, and --pools where it names pools.\n"
        );
    }
    let time = |key: &str| time(tried[key].as_u64().unwrap_or_default());
    let mut text = format!(
        "\n{} decisions as {role} among {} servers:\n",
        tried["decisions"], tried["servers"]
    );
    let took = format!(
        "{} (median), {} (99 %), {} (slowest, and {} on the processor); {} are allowed",
        time("nsMedian"),
        time("nsP99"),
        time("nsMax"),
        time("cpuNsMax"),
        time("deadlineNs"),
    );
    let prepared = tried["preparedMs"].as_f64().unwrap_or_default();
    let rows = [
        ("time", took),
        ("start", format!("{prepared:.1} ms for an instance")),
        ("memory", size(&tried["memoryUsed"])),
    ];
    for (name, value) in rows {
        let _ = writeln!(text, "  {name:10}{value}");
    }
    for line in tried["log"].as_array().into_iter().flatten() {
        let _ = writeln!(text, "  {:10}{}", "log", plainly(text_of(line)));
    }
    if tried["needsDeadlineMs"].is_u64() {
        let _ = writeln!(
            text,
            "  Beyond the usual {USUAL_DEADLINE}: its worker's thread, and all on it, waits that long."
        );
    }
    text
}

/// The lines of a configuration that this component needs.
fn settings(data: &Value) -> String {
    let name = text_of(&data["name"]);
    let mut text = format!("[plugins.{name}]\nfile = {}\n", data["file"]);
    let imports = data["imports"].as_array().into_iter().flatten();
    let grants = imports.filter_map(|import| import["grant"].as_str());
    let grants: Vec<_> = grants.map(|grant| format!("\"{grant}\"")).collect();
    if !grants.is_empty() {
        let _ = writeln!(text, "grants = [{}]", grants.join(", "));
    }
    let tried = || data["tried"].as_array().into_iter().flatten();
    let used = tried().filter_map(|tried| tried["memoryUsed"].as_u64());
    let given = data["memory"].as_u64().unwrap_or_default();
    let needs = memory(given, used.max().unwrap_or_default());
    if needs > USUAL_MEMORY {
        let _ = writeln!(text, "memory = \"{}MiB\"", needs.0 >> 20);
    }
    let longest = tried()
        .filter_map(|tried| tried["needsDeadlineMs"].as_u64())
        .max();
    if let Some(longest) = longest {
        let _ = writeln!(text, "\nand `deadline = \"{longest}ms\"` where it is bound");
    }
    text
}

/// The memory to write for a plugin that was given so much and used so much:
/// twice what it used, since another pool may have more servers.
fn memory(given: u64, used: u64) -> Size {
    let twice = Size((used * 2).next_power_of_two()).min(*MEMORY.end());
    twice.max(Size(given))
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn listed(names: &Value, between: &str) -> String {
    let names = names.as_array().into_iter().flatten().map(text_of);
    names.collect::<Vec<_>>().join(between)
}

fn size(bytes: &Value) -> String {
    let bytes = bytes.as_u64().unwrap_or_default();
    match bytes {
        0..1024 => format!("{bytes} B"),
        bytes if Size(bytes) < Size::mib(1) => format!("{} KiB", bytes.div_ceil(1024)),
        bytes => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

fn time(nanos: u64) -> String {
    match nanos {
        0..1000 => format!("{nanos} ns"),
        1000..1_000_000 => format!("{:.1} µs", nanos as f64 / 1e3),
        nanos => format!("{:.1} ms", nanos as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_settings_are_what_a_file_needs_and_no_more() {
        let mut data = json!({
            "file": "a.wasm", "name": "a", "memory": 16 << 20,
            "imports": [{ "name": "log", "grant": null }], "tried": [{}],
        });
        assert_eq!(settings(&data), "[plugins.a]\nfile = \"a.wasm\"\n");
        data["imports"] = json!([{ "name": "random", "grant": "random" }]);
        data["memory"] = json!(16 << 20);
        data["tried"] = json!([{ "memoryUsed": 7 << 20 }]);
        assert!(!settings(&data).contains("memory"));
        data["tried"] = json!([{ "memoryUsed": 13 << 20 }]);
        assert!(settings(&data).contains("memory = \"32MiB\""));
        data["memory"] = json!(32 << 20);
        data["tried"] = json!([{ "needsDeadlineMs": 8 }]);
        let text = settings(&data);
        for line in [
            "grants = [\"random\"]",
            "memory = \"32MiB\"",
            "deadline = \"8ms\"",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn figures_have_the_unit_that_keeps_them_short() {
        let sizes = [512, 3 << 10, 5 << 20].map(|bytes| size(&json!(bytes)));
        assert_eq!(sizes, ["512 B", "3 KiB", "5.0 MiB"]);
        assert_eq!(
            [300, 2500, 2_000_000].map(time),
            ["300 ns", "2.5 µs", "2.0 ms"]
        );
    }
}
