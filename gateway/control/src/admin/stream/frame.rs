//! An event in the bytes of `text/event-stream`, as the HTML standard has it
//! (section 9.2, Server-sent events).

use bytes::Bytes;
use serde::Serialize;

/// An event: its name, its id if a reader may come back to it, and its data as
/// JSON, which has no line break of its own. What cannot be JSON is left out,
/// and the log says so.
pub(super) fn event(name: &str, id: Option<&str>, data: &impl Serialize) -> Bytes {
    let id = id.map_or(String::new(), |id| format!("id: {id}\n"));
    let mut frame = format!("event: {name}\n{id}data: ").into_bytes();
    if let Err(error) = serde_json::to_writer(&mut frame, data) {
        tracing::error!(%error, "an event {name} cannot be told");
        return Bytes::new();
    }
    frame.extend_from_slice(b"\n\n");
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_one_block_of_lines() {
        let data = json!({ "text": "two\nlines" });
        let with_id = event("change", Some("a-1"), &data);
        let expected = "event: change\nid: a-1\ndata: {\"text\":\"two\\nlines\"}\n\n";
        assert_eq!(with_id, expected);
        assert_eq!(event("missed", None, &1), "event: missed\ndata: 1\n\n");
    }
}
