//! HTTP/1.1 by hand, on either side: bytes go out as they are given, and
//! messages are read by a reader that forgives nothing.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::eventually::soon;
use super::message::Message;

/// What one read has room for.
const READ: usize = 64 * 1024;

/// A stream of messages.
pub(crate) struct Wire<S = TcpStream> {
    pub(crate) stream: S,
    buffer: Vec<u8>,
}

/// How a message ends that says nothing of its length.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unsaid {
    /// With its head, as a request does.
    Head,
    /// With the connection, as a response does.
    Connection,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// A wire over a stream.
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Send bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("the other side takes it");
    }

    /// Send bytes to a side that may have left.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let sending = self.stream.write_all(bytes.as_ref());
        soon("sending", sending).await?;
        self.stream.flush().await
    }

    /// Send a chunk of a chunked body; an empty one ends it.
    pub(crate) async fn send_chunk(&mut self, data: &[u8]) {
        self.send([format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat())
            .await;
    }

    /// Read a request; none when the other side has closed.
    pub(crate) async fn request(&mut self) -> Option<Message> {
        let head = self.head().await?;
        Some(self.message(head, Unsaid::Head).await)
    }

    /// Read a response.
    pub(crate) async fn response(&mut self) -> Message {
        self.try_response().await.expect("a response")
    }

    /// Read a response; none when the other side has closed.
    pub(crate) async fn try_response(&mut self) -> Option<Message> {
        let head = self.head().await?;
        let message = Message {
            head,
            ..Message::default()
        };
        if matches!(message.status(), 100..=199 | 204 | 304) {
            return Some(self.bodiless(message.head));
        }
        Some(self.message(message.head, Unsaid::Connection).await)
    }

    /// Read a response that has no body, whatever its headers say.
    pub(crate) async fn response_to_head(&mut self) -> Message {
        let head = self.head().await.expect("a response");
        self.bodiless(head)
    }

    /// Read a head; none when the other side closes before a whole one.
    pub(crate) async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head = self.take(end + 4);
                return Some(String::from_utf8(head).expect("a head of text"));
            }
            if self.fill().await == 0 {
                return None;
            }
        }
    }

    /// Read `count` bytes of a body, or fewer when it ends before.
    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            if self.fill().await == 0 {
                break;
            }
        }
        self.take(count.min(self.buffer.len()))
    }

    /// Read the rest of a chunked body, as text; it must be whole.
    pub(crate) async fn rest_of_chunks(&mut self) -> String {
        let mut message = Message::default();
        self.chunks(&mut message).await;
        assert!(message.is_whole, "{message:?}");
        message.text().to_owned()
    }

    /// Read until the other side closes, or breaks the connection.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await > 0 {}
        std::mem::take(&mut self.buffer)
    }

    /// Wait until the other side closes without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.rest().await.is_empty()
    }

    fn bodiless(&self, head: String) -> Message {
        Message {
            head,
            is_whole: true,
            ..Message::default()
        }
    }

    async fn message(&mut self, head: String, unsaid: Unsaid) -> Message {
        let mut message = Message {
            head,
            ..Message::default()
        };
        if message.is_chunked() {
            self.chunks(&mut message).await;
        } else if let Some(length) = message.length() {
            message.body = self.bytes(length).await;
            message.is_whole = message.body.len() == length;
        } else {
            message.is_whole = true;
            if unsaid == Unsaid::Connection {
                message.body = self.rest().await;
            }
        }
        message
    }

    /// Read a chunked body and its trailers; cut short, it is not whole.
    async fn chunks(&mut self, message: &mut Message) {
        while let Some(line) = self.line().await {
            let size = usize::from_str_radix(&line, 16).expect("a chunk's size alone");
            if size == 0 {
                while let Some(field) = self.line().await {
                    if field.is_empty() {
                        message.is_whole = true;
                        return;
                    }
                    message.trailers.push_str(&field);
                    message.trailers.push('\n');
                }
                return;
            }
            let data = self.bytes(size + 2).await;
            message
                .body
                .extend_from_slice(data.strip_suffix(b"\r\n").unwrap_or(&data));
        }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let mut line = self.take(end + 2);
                line.truncate(end);
                return Some(String::from_utf8(line).expect("a line of text"));
            }
            if self.fill().await == 0 {
                return None;
            }
        }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        self.buffer.drain(..count).collect()
    }

    /// Read what there is. 0 when the other side has closed or reset.
    async fn fill(&mut self) -> usize {
        let mut chunk = vec![0; READ];
        let read = soon("bytes or an end", self.stream.read(&mut chunk)).await;
        let read = read.unwrap_or(0);
        self.buffer.extend_from_slice(&chunk[..read]);
        read
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
