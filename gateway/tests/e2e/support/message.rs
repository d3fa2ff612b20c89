//! One HTTP/1.1 message as its reader got it, byte for byte.

use serde_json::Value;

/// A request or a response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// From the start line to the empty line.
    pub(crate) head: String,
    /// The body without its framing.
    pub(crate) body: Vec<u8>,
    /// The trailer section, line by line.
    pub(crate) trailers: String,
    /// Whether it came to its end as its framing says.
    pub(crate) is_whole: bool,
}

impl Message {
    /// `GET /path HTTP/1.1`, or `HTTP/1.1 200 OK`.
    pub(crate) fn start_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// A request's method.
    pub(crate) fn method(&self) -> &str {
        self.word(0)
    }

    /// A request's target.
    pub(crate) fn target(&self) -> &str {
        self.word(1)
    }

    /// A response's status; 0 if this is none.
    pub(crate) fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or_default()
    }

    fn word(&self, place: usize) -> &str {
        self.start_line().split(' ').nth(place).unwrap_or_default()
    }

    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).first().copied()
    }

    /// All values of a header.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        fields(&self.head)
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    /// The first value of a trailer field.
    pub(crate) fn trailer(&self, name: &str) -> Option<&str> {
        fields(&self.trailers)
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Whether its body comes in chunks.
    pub(crate) fn is_chunked(&self) -> bool {
        self.header("transfer-encoding") == Some("chunked")
    }

    /// Its `Content-Length`.
    pub(crate) fn length(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of text")
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a body of JSON")
    }

    /// The reason that the gateway gives when it answers itself.
    pub(crate) fn error(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/json"),
            "{self:?}"
        );
        self.json()["error"].as_str().expect("a reason").to_owned()
    }
}

fn fields(section: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = section.lines().filter_map(|line| line.split_once(':'));
    lines.map(|(name, value)| (name.trim(), value.trim()))
}
