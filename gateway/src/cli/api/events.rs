//! The live stream of a gateway: server-sent events, one after the other.

use anyhow::anyhow;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;

/// The most that one event may hold, in bytes: the figures of many thousands
/// of servers.
const MOST: usize = 64 << 20;

/// An open stream.
pub(in crate::cli) struct Events {
    body: Incoming,
    buffer: Buffer,
}

/// An event.
#[derive(Debug, PartialEq)]
pub(in crate::cli) struct Told {
    pub(in crate::cli) name: String,
    pub(in crate::cli) data: Value,
}

impl Events {
    pub(super) fn new(body: Incoming) -> Self {
        Self {
            body,
            buffer: Buffer::default(),
        }
    }

    /// The next event.
    ///
    /// # Errors
    ///
    /// When the stream ends, as it does with the gateway.
    pub(in crate::cli) async fn next(&mut self) -> anyhow::Result<Told> {
        loop {
            while let Some(block) = self.buffer.block() {
                if let Some(told) = told(&block)? {
                    return Ok(told);
                }
            }
            let frame = self.body.frame().await;
            let frame = frame.ok_or_else(|| anyhow!("it ended the stream"))?;
            let frame = frame.map_err(|error| anyhow!("the stream broke off: {error}"))?;
            if let Ok(data) = frame.into_data() {
                self.buffer.fill(&data)?;
            }
        }
    }
}

/// Bytes that have come and are no whole event yet.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// Up to where there is no end of an event.
    looked: usize,
}

impl Buffer {
    fn fill(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.bytes.len() + bytes.len() <= MOST,
            "it sends an event of more than {MOST} bytes"
        );
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The lines before the next empty line.
    fn block(&mut self) -> Option<String> {
        let rest = &self.bytes[self.looked..];
        let Some(end) = rest.windows(2).position(|two| two == b"\n\n") else {
            // The last byte may be the first of the two.
            self.looked = self.bytes.len().saturating_sub(1);
            return None;
        };
        let end = self.looked + end + 2;
        let block = self.bytes.drain(..end).collect::<Vec<_>>();
        self.looked = 0;
        Some(String::from_utf8_lossy(&block).into_owned())
    }
}

/// What a block tells; none when it is a comment.
fn told(block: &str) -> anyhow::Result<Option<Told>> {
    let field = |name: &str| {
        let mut lines = block.lines().filter_map(|line| line.strip_prefix(name));
        lines.next().map(str::trim_start)
    };
    let (Some(name), Some(data)) = (field("event:"), field("data:")) else {
        return Ok(None);
    };
    let data = serde_json::from_str(data);
    let data = data.map_err(|error| anyhow!("its event {name} does not read: {error}"))?;
    let name = name.to_owned();
    Ok(Some(Told { name, data }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_are_whole_however_they_arrive() {
        let text = "retry: 1000\n: hello\n\nevent: a\nid: 1-2\ndata: {\"x\":\"ü\"}\n\n:\n\n\
                    event: b\ndata: 3\n\n";
        let expected = [
            ("a".to_owned(), json!({ "x": "ü" })),
            ("b".to_owned(), json!(3)),
        ];
        for size in 1..text.len() {
            let mut buffer = Buffer::default();
            let mut seen = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                buffer.fill(piece).unwrap();
                while let Some(block) = buffer.block() {
                    let told = told(&block).unwrap();
                    seen.extend(told.map(|told| (told.name, told.data)));
                }
            }
            assert_eq!(seen, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_json_is_no_event() {
        assert!(told("event: a\ndata: {\n\n").is_err());
    }
}
