//! Finding and changing a value of a document by its key.
//!
//! Every array that a key leads through is a pool's `servers`, where the step
//! is a server's id. A server that is written as a text is the table of its
//! host and port.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::config::meaning::{server_address, server_host, server_id};
use crate::config::tree::{Node, Value};

/// Steps above which nothing is made that is not there: a pool must be, for a
/// value within it to fit, and so must a server.
const POOL_DEPTH: usize = 2;

/// The value that steps lead to; none if there is none.
pub(super) fn value(node: &Node, steps: &[String]) -> Option<Json> {
    let Some((step, rest)) = steps.split_first() else {
        return Some(node.to_json());
    };
    match &node.value {
        Value::Table(table) => value(table.get(step)?, rest),
        Value::Array(servers) => {
            let server = servers.iter().find(|server| is_server(server, step))?;
            let mut server = server.clone();
            write_out(&mut server);
            value(&server, rest)
        }
        _ => None,
    }
}

/// Give the value that steps lead to another one, or remove it. `depth` is how
/// far the node is from the top.
///
/// # Errors
/// Why that does not fit.
pub(super) fn change(
    node: &mut Node,
    steps: &[String],
    depth: usize,
    value: Option<&Json>,
) -> Result<(), &'static str> {
    let Some((step, rest)) = steps.split_first() else {
        return Ok(());
    };
    if matches!(node.value, Value::Bool(true)) {
        // A switch that is on is a table of defaults.
        node.value = Value::Table(BTreeMap::new());
    }
    let place = node.place.clone();
    match &mut node.value {
        Value::Table(table) if rest.is_empty() => match value {
            Some(json) => _ = table.insert(step.clone(), Node::of_json(json, &place)),
            None => _ = table.remove(step),
        },
        Value::Table(table) => {
            if depth + 1 == POOL_DEPTH && !table.contains_key(step) {
                return Err("the pool is not there any more");
            }
            let made = || made(&place, depth + 1, step);
            let next = table.entry(step.clone()).or_insert_with(made);
            change(next, rest, depth + 1, value)?;
        }
        Value::Array(servers) => change_server(servers, step, rest, depth, value)?,
        _ => return Err("what it is a part of is written otherwise now"),
    }
    Ok(())
}

fn change_server(
    servers: &mut Vec<Node>,
    id: &str,
    rest: &[String],
    depth: usize,
    value: Option<&Json>,
) -> Result<(), &'static str> {
    let found = servers.iter().position(|server| is_server(server, id));
    match (found, value, rest) {
        (Some(found), None, []) => _ = servers.remove(found),
        (Some(found), Some(json), []) => {
            servers[found] = Node::of_json(json, &servers[found].place.clone());
        }
        (Some(found), ..) => {
            write_out(&mut servers[found]);
            change(&mut servers[found], rest, depth + 1, value)?;
        }
        (None, Some(json), []) => servers.push(Node::nowhere(json)),
        (None, None, []) => {}
        (None, ..) => return Err("the server is not there any more"),
    }
    Ok(())
}

/// What a step leads to when nothing is there yet.
fn made(place: &crate::config::Place, depth: usize, step: &str) -> Node {
    let value = match (depth, step) {
        (3, "servers") => Value::Array(Vec::new()),
        _ => Value::Table(BTreeMap::new()),
    };
    Node {
        place: place.clone(),
        value,
    }
}

/// The id of an element of `servers`.
pub(super) fn id(node: &Node) -> Option<String> {
    let (host, port) = host_and_port(node)?;
    Some(server_id(&host, port))
}

/// Whether an element of `servers` has this id.
fn is_server(node: &Node, id: &str) -> bool {
    self::id(node).is_some_and(|known| known == id)
}

fn host_and_port(node: &Node) -> Option<(String, u16)> {
    match &node.value {
        Value::Text(text) => server_address(text).ok(),
        Value::Table(table) => match (&table.get("host")?.value, &table.get("port")?.value) {
            (Value::Text(host), Value::Integer(port)) => {
                Some((server_host(host).ok()?, u16::try_from(*port).ok()?))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Make a server that is written as a text a table.
fn write_out(node: &mut Node) {
    if !matches!(node.value, Value::Text(_)) {
        return;
    }
    if let Some((host, port)) = host_and_port(node) {
        let server = serde_json::json!({ "host": host, "port": port });
        *node = Node::of_json(&server, &node.place);
    }
}
