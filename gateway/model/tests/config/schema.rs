//! The published schema and the published examples agree with what is read.

use std::fs;
use std::path::{Path, PathBuf};

use gatewright_model::config::{Environment, load, schema, starter};
use serde_json::Value;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn examples() -> Vec<PathBuf> {
    let folder = fs::read_dir(repository().join("examples")).expect("the examples");
    let paths = folder.map(|entry| entry.expect("an entry").path());
    let in_cluster = repository().join("examples/cluster/gateway.toml");
    paths
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .chain([in_cluster])
        .collect()
}

/// The text as the schema sees it.
fn json(text: &str) -> Value {
    toml::from_str(text).expect("TOML")
}

#[test]
fn the_published_schema_is_current() {
    let path = repository().join("docs/gatewright.schema.json");
    let current = format!("{:#}\n", schema());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &current).unwrap();
    }
    let published = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == current,
        "run the tests once with UPDATE_GOLDEN=1 and commit the file"
    );
}

#[test]
fn every_example_is_a_right_configuration() {
    assert!(examples().len() >= 3);
    let folder = tempfile::tempdir().unwrap();
    // What an operator brings along.
    for file in [
        "certs/example.com.pem",
        "certs/example.com.key",
        "certs/clients.pem",
        "certs/admin.pem",
        "certs/redis-ca.pem",
        "certs/admin.key",
        "certs/operators.pem",
        "pages/404.html",
        "pages/down.html",
        "certs/internal-ca.pem",
        "certs/gateway.pem",
        "certs/gateway.key",
        "plugins/mine.wasm",
        "registries.json",
    ] {
        let file = folder.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
    }
    fs::write(folder.path().join("servers.json"), "{\"backends\": []}").unwrap();
    for example in examples() {
        let copy = folder.path().join(example.file_name().unwrap());
        fs::copy(&example, &copy).unwrap();
        let environment = Environment::of([
            ("ZONE", "a"),
            ("REDIS_PASSWORD", "secret"),
            ("NAME", "gw-1"),
            ("ADMIN_PORT", "9001"),
            ("WEB_PORT", "8081"),
        ]);
        if let Err(errors) = load(&copy, &environment) {
            panic!("{errors}");
        }
    }
}

#[test]
fn the_schema_accepts_the_examples_the_starter_and_the_manual() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let texts = examples()
        .into_iter()
        .map(|path| fs::read_to_string(path).unwrap());
    let manual = fs::read_to_string(repository().join("docs/configuration.md")).unwrap();
    let blocks = manual.split("```toml\n").skip(1);
    let blocks = blocks.filter_map(|rest| Some(rest.split_once("```")?.0.to_owned()));
    for text in texts.chain(blocks).chain([starter().to_owned()]) {
        let errors: Vec<_> = validator
            .iter_errors(&json(&text))
            .map(|e| e.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?} in\n{text}");
    }
}

#[test]
fn the_schema_refuses_what_is_refused() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for text in [
        "other = 1",
        "[pools.web]\nhelth = {}",
        "[pools.web]\nbreaker = { threshold = 1 }",
        "[pools.web]\nservers = [{ host = \"a\", port = 1, wieght = 1 }]",
        "[pools.web]\nbalancer = { plugin = \"a\", dedline = \"1ms\" }",
        "[timeouts]\nidle = \"5\"",
        "[timeouts]\nidle = 5",
        "[limits]\nrequest_head = \"64 apples\"",
        "[[listener]]\nname = \"web\"",
        "[workers]\ncount = \"many\"",
    ] {
        assert!(!validator.is_valid(&json(text)), "{text}");
    }
}

#[test]
fn the_full_example_has_every_key() {
    let full = json(&fs::read_to_string(repository().join("examples/full.toml")).unwrap());
    let mut written = Vec::new();
    keys_of(&full, &mut written);
    let mut known = Vec::new();
    let schema = schema();
    properties_of(&schema, &mut known);
    known.retain(|key| !written.contains(key));
    assert!(known.is_empty(), "not in examples/full.toml: {known:?}");
}

#[test]
fn the_manual_has_every_key() {
    let manual = fs::read_to_string(repository().join("docs/configuration.md")).unwrap();
    let mut known = Vec::new();
    properties_of(&schema(), &mut known);
    // A key has its line in a table, or is a heading.
    let is_told = |key: &str| {
        let forms = [format!("`{key}`"), format!("[{key}]"), format!("[{key}.")];
        forms.iter().any(|form| manual.contains(form))
    };
    known.retain(|key| !is_told(key));
    assert!(known.is_empty(), "not in docs/configuration.md: {known:?}");
}

fn keys_of(value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                keys.push(key.clone());
                keys_of(value, keys);
            }
        }
        Value::Array(array) => array.iter().for_each(|value| keys_of(value, keys)),
        _ => {}
    }
}

/// The names of all properties that a schema knows.
fn properties_of(schema: &Value, keys: &mut Vec<String>) {
    match schema {
        Value::Object(table) => {
            if let Some(Value::Object(properties)) = table.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            table.values().for_each(|value| properties_of(value, keys));
        }
        Value::Array(array) => array.iter().for_each(|value| properties_of(value, keys)),
        _ => {}
    }
}
