//! Finding and changing a value of a document by its key.
//!
//! In an array, a step is the name of an element: a server's id, a policy's
//! name. A server that is written as a text is the table of its host and port.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::config::element;
use crate::config::tree::{Node, Value};

/// Steps above which nothing is made that is not there: a pool must be, for a
/// value within it to fit, and so must an element of an array.
const POOL_DEPTH: usize = 2;

/// The value that steps lead to; none if there is none.
pub(super) fn value(node: &Node, steps: &[String]) -> Option<Json> {
    let Some((step, rest)) = steps.split_first() else {
        return Some(node.to_json());
    };
    match &node.value {
        Value::Table(table) => value(table.get(step)?, rest),
        Value::Array(elements) => {
            let mut found = element::named(elements, step)?.clone();
            element::write_out(&mut found);
            value(&found, rest)
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
        Value::Array(elements) => change_element(elements, step, rest, depth, value)?,
        _ => return Err("what it is a part of is written otherwise now"),
    }
    Ok(())
}

fn change_element(
    elements: &mut Vec<Node>,
    name: &str,
    rest: &[String],
    depth: usize,
    value: Option<&Json>,
) -> Result<(), &'static str> {
    let found = element::position(elements, name);
    match (found, value, rest) {
        (Some(found), None, []) => _ = elements.remove(found),
        (Some(found), Some(json), []) => {
            elements[found] = Node::of_json(json, &elements[found].place.clone());
        }
        (Some(found), ..) => {
            element::write_out(&mut elements[found]);
            change(&mut elements[found], rest, depth + 1, value)?;
        }
        (None, Some(json), []) => elements.push(Node::nowhere(json)),
        (None, None, []) => {}
        (None, ..) => return Err("the server is not there any more"),
    }
    Ok(())
}

/// What a step leads to when nothing is there yet.
fn made(place: &crate::config::Place, depth: usize, step: &str) -> Node {
    let value = match (depth, step) {
        (1, "policy") | (3, "servers") => Value::Array(Vec::new()),
        _ => Value::Table(BTreeMap::new()),
    };
    Node {
        place: place.clone(),
        value,
    }
}
