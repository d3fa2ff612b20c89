//! HTTP/2 by hand: frames go out as they are given, however wrong they are, and
//! come in one by one. Header blocks are written without compression.

use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use h2::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::eventually::soon;

/// How a client's connection begins (RFC 9113 §3.4), before its settings.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The kinds of frames (§6).
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PRIORITY: u8 = 2;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PUSH_PROMISE: u8 = 5;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// The flags of frames (§6).
pub(crate) mod flag {
    pub(crate) const ACK: u8 = 0x1;
    pub(crate) const END_STREAM: u8 = 0x1;
    pub(crate) const END_HEADERS: u8 = 0x4;
    pub(crate) const PADDED: u8 = 0x8;
    pub(crate) const PRIORITY: u8 = 0x20;
}

/// The settings (§6.5.2, and RFC 8441 §3).
pub(crate) mod setting {
    pub(crate) const HEADER_TABLE_SIZE: u16 = 1;
    pub(crate) const ENABLE_PUSH: u16 = 2;
    pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
    pub(crate) const MAX_FRAME_SIZE: u16 = 5;
    pub(crate) const ENABLE_CONNECT_PROTOCOL: u16 = 8;
}

/// The bytes of a frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a length");
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Header fields, each as a literal that no table keeps (RFC 7541 §6.2.2).
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            integer(&mut bytes, text.len());
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

/// A length with a prefix of 7 bits (RFC 7541 §5.1).
fn integer(bytes: &mut Vec<u8>, value: usize) {
    const PREFIX: usize = 0x7f;
    if value < PREFIX {
        bytes.push(value as u8);
        return;
    }
    bytes.push(PREFIX as u8);
    let mut rest = value - PREFIX;
    while rest >= 0x80 {
        bytes.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

/// What every request begins with.
pub(crate) fn pseudo<'a>(method: &'a str, path: &'a str) -> [(&'static str, &'a str); 4] {
    [
        (":method", method),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", path),
    ]
}

/// A frame with a whole header block that ends its stream.
pub(crate) fn head(stream: u32, block: &[u8]) -> Vec<u8> {
    let flags = flag::END_HEADERS | flag::END_STREAM;
    frame(kind::HEADERS, flags, stream, block)
}

/// A frame with a whole header block, to be followed by a body.
pub(crate) fn open(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(kind::HEADERS, flag::END_HEADERS, stream, block)
}

/// A whole GET request.
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    head(stream, &block(&pseudo("GET", path)))
}

/// A POST request without its body.
pub(crate) fn post(stream: u32, path: &str) -> Vec<u8> {
    open(stream, &block(&pseudo("POST", path)))
}

/// The head of a response with status 200: the index 8 of RFC 7541, appendix A.
pub(crate) fn ok(stream: u32) -> Vec<u8> {
    open(stream, &[0x88])
}

/// A piece of a body.
pub(crate) fn data(stream: u32, data: &[u8]) -> Vec<u8> {
    frame(kind::DATA, 0, stream, data)
}

/// The end of a stream, before its time.
pub(crate) fn reset(stream: u32) -> Vec<u8> {
    let cancel = u32::from(Reason::CANCEL);
    frame(kind::RST_STREAM, 0, stream, &cancel.to_be_bytes())
}

/// Settings.
pub(crate) fn settings(pairs: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (name, value) in pairs {
        payload.extend(name.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    frame(kind::SETTINGS, 0, 0, &payload)
}

/// More room for a stream, or with 0 for the connection.
pub(crate) fn window(stream: u32, more: u32) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, 0, stream, &more.to_be_bytes())
}

/// A frame that was received.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The reason that a RST_STREAM or a GOAWAY gives.
    pub(crate) fn reason(&self) -> Option<Reason> {
        let at = match self.kind {
            kind::RST_STREAM => 0,
            kind::GOAWAY => 4,
            _ => return None,
        };
        let code = self.payload.get(at..at + 4)?;
        Some(u32::from_be_bytes(code.try_into().ok()?).into())
    }

    /// Whether it is the head of a response with status 200: the index 8 of
    /// RFC 7541, appendix A, which a new size of the table may precede.
    pub(crate) fn is_ok(&self) -> bool {
        let is_size = |byte: &&u8| **byte & 0xe0 == 0x20;
        let first = self.payload.iter().find(|byte| !is_size(byte));
        self.is(kind::HEADERS) && first == Some(&0x88)
    }

    /// Whether it is of this kind.
    pub(crate) fn is(&self, kind: u8) -> bool {
        self.kind == kind
    }

    /// Whether it is the last of its stream.
    pub(crate) fn ends(&self) -> bool {
        matches!(self.kind, kind::DATA | kind::HEADERS) && self.flags & flag::END_STREAM != 0
    }
}

/// A connection in the clear.
pub(crate) struct Frames {
    stream: TcpStream,
    buffer: BytesMut,
    /// The reason of the GOAWAY that came last.
    goaway: Option<Reason>,
}

impl Frames {
    /// A connection on which nothing has been sent.
    pub(crate) async fn silent(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("it accepts");
        stream.set_nodelay(true).expect("a socket's option");
        Self::on(stream)
    }

    fn on(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            goaway: None,
        }
    }

    /// A server's side of a connection that has begun as it should.
    pub(crate) async fn serving(stream: TcpStream) -> Self {
        let mut frames = Self::on(stream);
        let mut preface = [0; PREFACE.len()];
        let reading = frames.stream.read_exact(&mut preface);
        soon("a preface", reading).await.expect("a preface");
        frames.send(settings(&[])).await;
        frames.send(frame(kind::SETTINGS, flag::ACK, 0, &[])).await;
        frames
    }

    /// A connection that has begun as it should, with these settings.
    pub(crate) async fn begun(address: SocketAddr, pairs: &[(u16, u32)]) -> Self {
        let mut frames = Self::silent(address).await;
        frames.send(PREFACE).await;
        frames.send(settings(pairs)).await;
        let first = frames.next().await.expect("its settings");
        assert!(first.is(kind::SETTINGS) && first.stream == 0, "{first:?}");
        frames.send(frame(kind::SETTINGS, flag::ACK, 0, &[])).await;
        frames
    }

    /// Send bytes to a gateway that may have had enough of them: false when it
    /// has closed.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let sending = self.stream.write_all(bytes.as_ref());
        soon("sending", sending).await.is_ok()
    }

    /// [`Self::send`], while what comes meanwhile is read and forgotten.
    pub(crate) async fn send_and_forget(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let (mut incoming, mut outgoing) = self.stream.split();
        let buffer = &mut self.buffer;
        let sending = outgoing.write_all(bytes.as_ref());
        let reading = async { while matches!(incoming.read_buf(buffer).await, Ok(1..)) {} };
        let both = async {
            tokio::select! {
                sent = sending => sent.is_ok(),
                () = reading => false,
            }
        };
        let is_sent = soon("sending", both).await;
        while self.parse().is_some() {}
        is_sent
    }

    /// The next frame; none when the gateway has closed.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.parse() {
                return Some(frame);
            }
            let reading = self.stream.read_buf(&mut self.buffer);
            match soon("bytes or an end", reading).await {
                Ok(1..) => {}
                _ => return None,
            }
        }
    }

    /// A frame that has come whole.
    fn parse(&mut self) -> Option<Frame> {
        let (head, rest) = self.buffer.split_first_chunk::<9>()?;
        let [a, b, c, kind, flags, stream @ ..] = *head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let frame = Frame {
            kind,
            flags,
            stream: u32::from_be_bytes(stream),
            payload: rest.get(..length)?.to_vec(),
        };
        self.buffer.advance(9 + length);
        if frame.is(kind::GOAWAY) {
            self.goaway = frame.reason();
        }
        Some(frame)
    }

    /// The next frame of which this holds.
    pub(crate) async fn find(&mut self, is_it: impl Fn(&Frame) -> bool) -> Frame {
        let mut passed = Vec::new();
        while let Some(frame) = self.next().await {
            if is_it(&frame) {
                return frame;
            }
            passed.push((frame.kind, frame.stream, frame.reason()));
        }
        panic!("the connection ended after {passed:?}");
    }

    /// Wait until the gateway closes: the reason that it gave last.
    pub(crate) async fn farewell(&mut self) -> Option<Reason> {
        while self.next().await.is_some() {}
        self.goaway
    }

    /// Ask for a path and see that it is answered with 200 and a whole body.
    pub(crate) async fn is_answered(&mut self, stream: u32, path: &str) {
        self.send(get(stream, path)).await;
        self.find(|frame| frame.stream == stream && frame.is_ok())
            .await;
        self.find(|frame| frame.stream == stream && frame.ends())
            .await;
    }

    /// What is beneath.
    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}
