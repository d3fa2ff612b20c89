//! The elements of a document's arrays that have names: servers their ids,
//! policies what they are called. A name stays right when others come and go.

use super::meaning::{host_or_socket, is_socket, server_address, server_id};
use super::tree::{Node, Value};

/// What an element is called; none for one that has no name, or none yet.
pub(super) fn name(node: &Node) -> Option<String> {
    if let Some((host, port)) = host_and_port(node) {
        return Some(server_id(&host, port));
    }
    let Value::Table(table) = &node.value else {
        return None;
    };
    match &table.get("name").or_else(|| table.get("plugin"))?.value {
        Value::Text(name) => Some(name.clone()),
        _ => None,
    }
}

/// The place of the element of a name.
pub(super) fn position(elements: &[Node], name: &str) -> Option<usize> {
    let is_it = |element| self::name(element).is_some_and(|known| known == name);
    elements.iter().position(is_it)
}

/// The element of a name.
pub(super) fn named<'n>(elements: &'n [Node], name: &str) -> Option<&'n Node> {
    position(elements, name).map(|place| &elements[place])
}

/// Make a server that is written as a text a table.
pub(super) fn write_out(node: &mut Node) {
    if !matches!(node.value, Value::Text(_)) {
        return;
    }
    if let Some((host, port)) = host_and_port(node) {
        let server = match is_socket(&host) {
            true => serde_json::json!({ "host": host }),
            false => serde_json::json!({ "host": host, "port": port }),
        };
        *node = Node::of_json(&server, &node.place);
    }
}

fn host_and_port(node: &Node) -> Option<(String, u16)> {
    match &node.value {
        Value::Text(text) => server_address(text).ok(),
        Value::Table(table) => {
            let Value::Text(host) = &table.get("host")?.value else {
                return None;
            };
            let host = host_or_socket(host).ok()?;
            match table.get("port").map(|port| &port.value) {
                Some(Value::Integer(port)) => Some((host, u16::try_from(*port).ok()?)),
                None if is_socket(&host) => Some((host, 0)),
                _ => None,
            }
        }
        _ => None,
    }
}
