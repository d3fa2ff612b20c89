//! The servers behind the proxies: three ports that answer every request with
//! the same bytes, on one thread, at as little cost as the kernel allows, so
//! that the proxy is what saturates.
//!
//! They know what a proxy sends that was asked by our load generators: requests
//! one at a time on a connection, bodies with a `Content-Length`, WebSocket
//! messages of one length.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Result;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::process::{Resource, getrlimit, setrlimit};

use super::cores;
use super::load::talk::message;

/// Events taken from the kernel at once.
const EVENTS: usize = 128;

/// The longest request head that a proxy sends here, in bytes.
const LONGEST_HEAD: usize = 8192;

/// Where a head ends.
pub(super) const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// How long a stop may go unnoticed, in nanoseconds.
const NOTICE_NS: i64 = 100_000_000;

/// The answer to the one key that our load generator sends (RFC 6455, 1.3).
const CHANGED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// What servers take beside requests without a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Heads,
    Bodies,
    Messages,
}

/// What servers do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service {
    /// How many servers there are.
    pub(super) count: usize,
    /// Bytes of an answer's body, or of a message.
    pub(super) body_bytes: usize,
    pub(super) takes: Takes,
}

/// Running servers; dropping them stops them.
pub(super) struct Backends {
    /// Their ports on the loopback address.
    pub(super) ports: Vec<u16>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Backends {
    /// Start servers, on a thread that stays on `core`.
    ///
    /// # Errors
    ///
    /// When no port can be had.
    pub(super) fn start(service: &Service, core: Option<usize>) -> Result<Self> {
        raise_limit()?;
        let mut listeners = Vec::new();
        let mut ports = Vec::new();
        for _ in 0..service.count {
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            ports.push(listener.local_addr()?.port());
            listener.set_nonblocking(true)?;
            listeners.push(listener);
        }
        let mut server = Server::new(listeners, service)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let pinned = core.map_or(Ok(()), cores::pin_this_thread);
            if let Err(error) = pinned.and_then(|()| server.serve(&stopped)) {
                // Every request fails from here on, which the bench reports.
                println!("the backends ended: {error}");
            }
        });
        Ok(Self {
            ports,
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Backends {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It prints what ended it; there is nothing to add.
            let _ = thread.join();
        }
    }
}

/// As many descriptors as may be had: a thousand servers, those that connect to them,
/// and ten thousand clients need more than is usual. What is started later has as many.
fn raise_limit() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

fn response(body_bytes: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {body_bytes}\r\n\r\n"
    );
    let mut response = head.into_bytes();
    response.resize(response.len() + body_bytes, b'x');
    response
}

/// The length of the body behind a head.
pub(super) fn content_length(head: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(head).ok()?;
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.eq_ignore_ascii_case("content-length");
        is_it.then(|| value.trim().parse().ok())?
    })
}

/// What is the same on all connections.
struct Answers {
    takes: Takes,
    response: Vec<u8>,
    message: Vec<u8>,
    /// Bytes of a client's message.
    message_in: usize,
}

/// The event loop's state.
struct Server {
    epoll: OwnedFd,
    listeners: Vec<TcpListener>,
    /// By token, less the listeners' tokens. A place is not used again: the
    /// proxies keep their connections, so there are few.
    connections: Vec<Option<Connection>>,
    answers: Answers,
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// What has come of a request, or of a message.
    received: Vec<u8>,
    /// What the kernel did not take of an answer at once, and how much of that it has
    /// taken since.
    unsent: Vec<u8>,
    sent: usize,
    /// Whether it is a WebSocket by now.
    is_changed: bool,
}

impl Server {
    fn new(listeners: Vec<TcpListener>, service: &Service) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (at, listener) in listeners.iter().enumerate() {
            let token = epoll::EventData::new_u64(at as u64);
            epoll::add(&epoll, listener, token, epoll::EventFlags::IN)?;
        }
        Ok(Self {
            epoll,
            listeners,
            connections: Vec::new(),
            answers: Answers {
                takes: service.takes,
                response: response(service.body_bytes),
                message: message(service.body_bytes, false),
                message_in: message(service.body_bytes, true).len(),
            },
            buffer: vec![0; LONGEST_HEAD],
        })
    }

    fn serve(&mut self, stop: &AtomicBool) -> io::Result<()> {
        let notice = Timespec {
            tv_sec: 0,
            tv_nsec: NOTICE_NS,
        };
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS);
        while !stop.load(Ordering::Relaxed) {
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&notice)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                let token = event.data.u64() as usize;
                if let Some(listener) = self.listeners.get(token) {
                    let accepted = listener.accept();
                    self.welcome(accepted)?;
                } else {
                    self.answer(token - self.listeners.len())?;
                }
            }
        }
        Ok(())
    }

    fn welcome(
        &mut self,
        accepted: io::Result<(TcpStream, std::net::SocketAddr)>,
    ) -> io::Result<()> {
        // A client that left before it was accepted is nobody's trouble.
        let Ok((stream, _)) = accepted else {
            return Ok(());
        };
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let token = self.token(self.connections.len());
        epoll::add(&self.epoll, &stream, token, epoll::EventFlags::IN)?;
        self.connections.push(Some(Connection {
            stream,
            received: Vec::new(),
            unsent: Vec::new(),
            sent: 0,
            is_changed: false,
        }));
        Ok(())
    }

    fn token(&self, place: usize) -> epoll::EventData {
        epoll::EventData::new_u64((self.listeners.len() + place) as u64)
    }

    /// Answer on a connection, or go on with it, and close it when it has ended.
    fn answer(&mut self, place: usize) -> io::Result<()> {
        let token = self.token(place);
        let Some(connection) = &mut self.connections[place] else {
            return Ok(());
        };
        let waited = !connection.unsent.is_empty();
        let lives = if waited {
            connection.go_on()
        } else {
            connection.answer(&mut self.buffer, &self.answers)
        };
        let waits = !connection.unsent.is_empty();
        if !lives {
            self.connections[place] = None;
        } else if waits != waited {
            use epoll::EventFlags;
            let event = if waits {
                EventFlags::OUT
            } else {
                EventFlags::IN
            };
            epoll::modify(&self.epoll, &connection.stream, token, event)?;
        }
        Ok(())
    }
}

impl Connection {
    /// Read what is there and answer a request that is complete; returns
    /// whether the connection lives on.
    fn answer(&mut self, buffer: &mut [u8], answers: &Answers) -> bool {
        let read = match self.stream.read(buffer) {
            Ok(0) => return false,
            Ok(read) => &buffer[..read],
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        };
        // Nearly always a whole head comes at once, and nothing is kept.
        let is_head = answers.takes == Takes::Heads;
        if is_head && self.received.is_empty() && read.ends_with(END_OF_HEAD) {
            return self.write(&answers.response);
        }
        self.received.extend_from_slice(read);
        if self.is_changed {
            if self.received.len() < answers.message_in {
                return true;
            }
            self.received.drain(..answers.message_in);
            return self.write(&answers.message);
        }
        let mut ends = self.received.windows(END_OF_HEAD.len());
        let Some(end) = ends.position(|bytes| bytes == END_OF_HEAD) else {
            return self.received.len() < LONGEST_HEAD;
        };
        let end = end + END_OF_HEAD.len();
        let body = match answers.takes {
            Takes::Bodies => content_length(&self.received[..end]).unwrap_or(0),
            Takes::Heads | Takes::Messages => 0,
        };
        if self.received.len() < end + body {
            return true;
        }
        self.is_changed = answers.takes == Takes::Messages && asks_to_change(&self.received);
        self.received.clear();
        self.write(if self.is_changed {
            CHANGED
        } else {
            &answers.response
        })
    }

    /// Write what the kernel takes and keep the rest; returns whether the
    /// connection lives on.
    fn write(&mut self, bytes: &[u8]) -> bool {
        let Some(sent) = send(&self.stream, bytes) else {
            return false;
        };
        self.unsent.extend_from_slice(&bytes[sent..]);
        true
    }

    /// Write on; returns whether the connection lives on.
    fn go_on(&mut self) -> bool {
        let Some(sent) = send(&self.stream, &self.unsent[self.sent..]) else {
            return false;
        };
        self.sent += sent;
        if self.sent == self.unsent.len() {
            self.unsent.clear();
            self.sent = 0;
        }
        true
    }
}

/// How many of these bytes the kernel takes now; none when the connection is broken.
fn send(mut stream: &TcpStream, bytes: &[u8]) -> Option<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]) {
            Ok(0) => return None,
            Ok(written) => sent += written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some(sent)
}

/// Whether a head asks for WebSocket; health checks do not.
fn asks_to_change(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head);
    head.lines()
        .any(|line| line.to_ascii_lowercase().starts_with("upgrade:"))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::{Backends, Service, Takes, content_length, response};

    #[test]
    fn a_request_is_answered_however_it_arrives() {
        let service = Service {
            count: 3,
            body_bytes: 128,
            takes: Takes::Heads,
        };
        let backends = Backends::start(&service, None).unwrap();
        let expected = response(128);
        for port in &backends.ports {
            let mut stream = TcpStream::connect(("127.0.0.1", *port)).unwrap();
            stream.set_nodelay(true).unwrap();
            for parts in [
                &["GET / HTTP/1.1\r\n\r\n"][..],
                &["GET / HT", "TP/1.1\r\n\r", "\n"],
            ] {
                for part in parts {
                    stream.write_all(part.as_bytes()).unwrap();
                }
                let mut answer = vec![0; expected.len()];
                stream.read_exact(&mut answer).unwrap();
                assert_eq!(answer, expected);
            }
        }
    }

    #[test]
    fn an_answer_that_nobody_reads_yet_is_whole_in_the_end() {
        let service = Service {
            count: 1,
            body_bytes: 16 << 20,
            takes: Takes::Heads,
        };
        let backends = Backends::start(&service, None).unwrap();
        let ask = || {
            let mut stream = TcpStream::connect(("127.0.0.1", backends.ports[0])).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
            stream
        };
        // Neither waits for the other.
        let (mut one, mut other) = (ask(), ask());
        let expected = response(16 << 20);
        let mut answer = vec![0; expected.len()];
        other.read_exact(&mut answer).unwrap();
        assert!(answer == expected);
        one.read_exact(&mut answer).unwrap();
        assert!(answer == expected);
    }

    #[test]
    fn a_head_tells_how_long_its_body_is() {
        let head = b"POST / HTTP/1.1\r\ncontent-LENGTH: 17\r\n\r\n";
        assert_eq!(content_length(head), Some(17));
        assert_eq!(content_length(b"GET / HTTP/1.1\r\n\r\n"), None);
    }
}
