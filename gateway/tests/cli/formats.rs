//! The files of the repository that other programs read, by their format.

use std::fs;
use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value};

/// What is made beside files that were written.
const MADE: [&str; 3] = ["data", "node_modules", "target"];

/// A file of the repository.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// The text of a file of the repository.
#[track_caller]
pub(crate) fn text(name: &str) -> String {
    let text = fs::read_to_string(file(name));
    text.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every file below a folder whose name ends so.
pub(crate) fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !MADE.contains(&&*name) {
            found.extend(files(&path, end));
        } else if name.ends_with(end) {
            found.push(path);
        }
    }
    found
}

/// The documents of a text in YAML, with what is merged into mappings by `<<`.
#[track_caller]
pub(crate) fn yaml(text: &str) -> Vec<Value> {
    let documents = Yaml::load_from_str(text).unwrap();
    documents.iter().map(json).collect()
}

/// The only document of a file in YAML.
#[track_caller]
pub(crate) fn document(name: &str) -> Value {
    let mut documents = yaml(&text(name));
    assert_eq!(documents.len(), 1, "{name}");
    documents.remove(0)
}

#[track_caller]
pub(crate) fn toml(text: &str) -> Value {
    toml::from_str(text).unwrap()
}

fn json(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => (*value).into(),
        Yaml::Value(Scalar::Integer(value)) => (*value).into(),
        Yaml::Value(Scalar::String(value)) => value.as_ref().into(),
        Yaml::Sequence(nodes) => nodes.iter().map(json).collect(),
        Yaml::Mapping(nodes) => {
            let (mut table, mut merged) = (Map::new(), Vec::new());
            for (key, value) in nodes {
                match key.as_str().unwrap() {
                    "<<" => merged.push(json(value)),
                    key => drop(table.insert(key.to_owned(), json(value))),
                }
            }
            // What a mapping says itself comes before what is merged into it.
            for (key, value) in merged.into_iter().flat_map(entries) {
                table.entry(key).or_insert(value);
            }
            table.into()
        }
        other => panic!("{other:?}"),
    }
}

/// What one or more mappings hold.
fn entries(merged: Value) -> Vec<(String, Value)> {
    match merged {
        Value::Array(many) => many.into_iter().flat_map(entries).collect(),
        Value::Object(one) => one.into_iter().collect(),
        other => panic!("{other} cannot be merged"),
    }
}

/// The texts of a list.
#[track_caller]
pub(crate) fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap_or_else(|| panic!("{list}"));
    list.iter().map(|one| one.as_str().unwrap()).collect()
}

/// The words of a text that name metrics of the gateway.
pub(crate) fn metrics(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("gatewright_"))
}
