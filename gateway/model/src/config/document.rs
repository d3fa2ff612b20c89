//! From the text of a file to a tree whose values know their lines: TOML, or
//! YAML and JSON, which is YAML too, where the file's name says so.

mod toml;
mod yaml;

use std::path::Path;
use std::sync::Arc;

use super::dotenv;
use super::error::{ConfigError, Place};
use super::key_path::KeyPath;
use super::tree::{Node, Value};

/// What the names of files with a configuration end in.
pub(super) const ENDINGS: [&str; 4] = ["toml", "yaml", "yml", "json"];

/// The short form of a list of servers, and the keys that it stands for.
const SERVERS: (&str, [&str; 3]) = ("backends", ["pools", "default", "servers"]);

/// Reads a document.
pub(super) fn read(text: &str, file: &Arc<Path>) -> Result<Node, ConfigError> {
    let mut root = as_written(text, file)?;
    write_out(&mut root)?;
    Ok(root)
}

/// Reads a document that is a list of servers and nothing else: of `backends`,
/// or of `servers`.
pub(super) fn servers(text: &str, file: &Arc<Path>) -> Result<Vec<Node>, ConfigError> {
    let root = as_written(text, file)?;
    let mut named = match root.value {
        Value::Table(table) => table.into_iter(),
        _ => Default::default(),
    };
    match (named.next(), named.next()) {
        (Some((key, list)), None) if key == SERVERS.0 || key == "servers" => match list.value {
            Value::Array(servers) => Ok(servers),
            _ => Err(no_list(list.place)),
        },
        _ => Err(no_list(root.place)),
    }
}

fn no_list(place: Place) -> ConfigError {
    let message = "this is no list of servers; write {\"backends\": [{\"host\": …, \"port\": …}]}, \
                   or servers = [\"host:port\"]";
    ConfigError {
        place: Some(place),
        key: String::new(),
        message: message.to_owned(),
    }
}

/// Reads a document without minding what it says.
fn as_written(text: &str, file: &Arc<Path>) -> Result<Node, ConfigError> {
    let ending = file.extension().and_then(|ending| ending.to_str());
    match ending {
        Some("json") => yaml::read(text, file, "JSON"),
        Some("yaml" | "yml") => yaml::read(text, file, "YAML"),
        _ => toml::read(text, file),
    }
}

/// Whether a file may be a part of a configuration, by its name.
pub fn may_be_read(file: &Path) -> bool {
    let ending = file.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.contains(&ending)) || dotenv::is_one(file)
}

/// Make a bare list of servers a pool of them.
fn write_out(root: &mut Node) -> Result<(), ConfigError> {
    let (short, long) = SERVERS;
    let Value::Table(table) = &mut root.value else {
        return Ok(());
    };
    let Some(list) = table.remove(short) else {
        return Ok(());
    };
    let place = list.place.clone();
    let within = |inner: Node, key: &str| Node {
        place: place.clone(),
        value: Value::Table([(key.to_owned(), inner)].into()),
    };
    let written = long
        .iter()
        .rev()
        .fold(list, |inner, key| within(inner, key));
    let mut errors = Vec::new();
    root.merge(written, &KeyPath::default(), &mut errors);
    errors.into_iter().next().map_or(Ok(()), Err)
}

/// A whole document's place.
fn whole(file: &Arc<Path>) -> Place {
    Place {
        file: Arc::clone(file),
        line: None,
    }
}
