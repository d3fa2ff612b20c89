//! The bench's own load generator, for what `wrk` does not do: an exact number of
//! requests, requests at an even pace whether or not those before them have been
//! answered, bodies and WebSocket messages. One thread, plain connections that
//! are kept, one request at a time on each.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use super::Load;
use crate::bench::backends::{END_OF_HEAD, content_length};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Events taken from the kernel at once.
const EVENTS: usize = 64;

/// Bytes read at once.
const BUFFER: usize = 64 * 1024;

/// Bytes of a request's body.
const BODY: usize = 1024;

/// What is said on a connection.
#[derive(Clone, Copy)]
pub(in crate::bench) enum Kind {
    Get,
    /// Requests with a body.
    Post,
    /// WebSocket messages of so many bytes, and as many back.
    Messages(usize),
}

/// When requests are sent.
#[derive(Clone, Copy)]
pub(in crate::bench) enum Pace {
    /// So many, each as soon as the one before it on its connection is answered.
    Count(u64),
    /// The same for so long.
    Closed(Duration),
    /// Each when it is due, if a connection is free then.
    Even { per_second: f64, duration: Duration },
}

impl Pace {
    /// When the next request is due, if there is one.
    fn next(self, asked: u64, now: Duration) -> Option<Duration> {
        match self {
            Self::Count(count) => (asked < count).then_some(now),
            Self::Closed(duration) => (now < duration).then_some(now),
            Self::Even {
                per_second,
                duration,
            } => {
                let due = Duration::from_secs_f64(asked as f64 / per_second);
                (due < duration).then_some(due)
            }
        }
    }
}

/// Connections to one proxy.
pub(in crate::bench) struct Talk {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Talk {
    /// Connect, and change to WebSocket where messages are to be sent.
    ///
    /// # Errors
    ///
    /// When nobody listens, or WebSocket is refused.
    pub(in crate::bench) fn open(
        port: u16,
        connections: u32,
        kind: Kind,
        headers: &[String],
    ) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let host = format!("Host: 127.0.0.1:{port}\r\n{lines}");
        let request = match kind {
            Kind::Get => format!("GET / HTTP/1.1\r\n{host}\r\n").into_bytes(),
            Kind::Post => {
                let head = format!("POST / HTTP/1.1\r\n{host}Content-Length: {BODY}\r\n\r\n");
                [head.as_bytes(), &[b'x'; BODY]].concat()
            }
            Kind::Messages(bytes) => message(bytes, true),
        };
        let connect = |place: u32| {
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_nodelay(true)?;
            let mut connection = Connection::new(stream);
            if let Kind::Messages(bytes) = kind {
                connection.change(&host)?;
                connection.answer = Some(message(bytes, false).len());
            }
            connection.stream.set_nonblocking(true)?;
            let token = epoll::EventData::new_u64(place.into());
            epoll::add(&epoll, &connection.stream, token, epoll::EventFlags::IN)?;
            Ok(connection)
        };
        let connections = (0..connections).map(connect).collect::<Result<_>>()?;
        Ok(Self {
            epoll,
            connections,
            request,
            buffer: vec![0; BUFFER],
        })
    }

    /// Ask until the pace says that it is enough and all is answered.
    ///
    /// # Errors
    ///
    /// When a connection is closed, or nothing is answered for long.
    pub(in crate::bench) fn ask(&mut self, pace: Pace) -> Result<Load> {
        let start = Instant::now();
        let mut free: VecDeque<usize> = (0..self.connections.len()).collect();
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS);
        let (mut asked, mut failed, mut times) = (0, 0, Vec::new());
        loop {
            let wait = loop {
                let now = start.elapsed();
                let Some(due) = pace.next(asked, now) else {
                    if free.len() == self.connections.len() {
                        return Ok(Load::of(times, failed, now));
                    }
                    break PATIENCE;
                };
                if due > now && !free.is_empty() {
                    break due - now;
                }
                let Some(place) = free.pop_front() else {
                    break PATIENCE;
                };
                self.connections[place].ask(&self.request, due)?;
                asked += 1;
            };
            // The kernel is asked for whole milliseconds; below that the thread
            // asks again and again, letting the servers have the core.
            let millis = Timespec::try_from(Duration::from_millis(wait.as_millis() as u64))?;
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&millis)) {
                Ok(0) if wait == PATIENCE => bail!("no answer within {PATIENCE:?}"),
                Ok(0) => std::thread::yield_now(),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                let place = event.data.u64() as usize;
                let connection = &mut self.connections[place];
                match connection.read(&mut self.buffer)? {
                    Some(true) => {
                        times.push((start.elapsed() - connection.due).as_secs_f64() * 1e6);
                    }
                    Some(false) => failed += 1,
                    None => continue,
                }
                free.push_back(place);
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    /// When its request was due, from the beginning of the load.
    due: Duration,
    /// Bytes of every answer, where answers are no HTTP.
    answer: Option<usize>,
    /// What has come of a head.
    head: Vec<u8>,
    /// What is to come of the answer yet, once its head is known.
    rest: Option<usize>,
    is_good: bool,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            due: Duration::ZERO,
            answer: None,
            head: Vec::new(),
            rest: None,
            is_good: true,
        }
    }

    /// Change to WebSocket.
    fn change(&mut self, host: &str) -> Result<()> {
        // The example of RFC 6455: nobody looks at the key but the server, which
        // answers with the example's.
        let request = format!(
            "GET / HTTP/1.1\r\n{host}Connection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.stream.set_read_timeout(Some(PATIENCE))?;
        self.stream.write_all(request.as_bytes())?;
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(END_OF_HEAD) {
            self.stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let is_changed = head.starts_with(b"HTTP/1.1 101 ");
        ensure!(
            is_changed,
            "no WebSocket: {}",
            String::from_utf8_lossy(&head)
        );
        Ok(())
    }

    fn ask(&mut self, request: &[u8], due: Duration) -> Result<()> {
        self.due = due;
        self.rest = self.answer;
        self.is_good = true;
        // A request is far smaller than what the kernel takes.
        self.stream
            .write_all(request)
            .context("the proxy closed a connection")
    }

    /// Read what is there; tells once the answer is whole whether it is a good
    /// one.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<bool>> {
        let read = match self.stream.read(buffer) {
            Ok(0) => bail!("the proxy closed a connection"),
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let rest = match self.rest {
            Some(rest) => rest.checked_sub(read.len()),
            None => {
                self.head.extend_from_slice(read);
                let mut ends = self.head.windows(END_OF_HEAD.len());
                let Some(end) = ends.position(|bytes| bytes == END_OF_HEAD) else {
                    return Ok(None);
                };
                let end = end + END_OF_HEAD.len();
                let length = content_length(&self.head[..end]);
                let length = length.context("an answer does not tell its length")?;
                self.is_good = self.head.starts_with(b"HTTP/1.1 2");
                let rest = (end + length).checked_sub(self.head.len());
                self.head.clear();
                rest
            }
        };
        self.rest = Some(rest.context("an answer is longer than it said")?);
        Ok((self.rest == Some(0)).then_some(self.is_good))
    }
}

/// A binary WebSocket message of so many bytes; a client's is masked, here by
/// zeros.
pub(in crate::bench) fn message(bytes: usize, is_clients: bool) -> Vec<u8> {
    let mask = if is_clients { 0x80 } else { 0 };
    let mut message = vec![0x82];
    match u16::try_from(bytes) {
        Ok(short) if short < 126 => message.push(mask | short as u8),
        Ok(medium) => {
            message.push(mask | 126);
            message.extend(medium.to_be_bytes());
        }
        Err(_) => {
            message.push(mask | 127);
            message.extend((bytes as u64).to_be_bytes());
        }
    }
    if is_clients {
        message.extend([0; 4]);
    }
    message.resize(message.len() + bytes, b'x');
    message
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Kind, Pace, Talk, message};
    use crate::bench::backends::{Backends, Service, Takes};

    fn ask(takes: Takes, kind: Kind, pace: Pace) -> super::Load {
        let service = Service {
            count: 1,
            body_bytes: 200,
            takes,
        };
        let backends = Backends::start(&service, None).unwrap();
        let mut talk = Talk::open(backends.ports[0], 4, kind, &["X-A: b".to_owned()]).unwrap();
        talk.ask(pace).unwrap()
    }

    #[test]
    fn a_number_of_requests_is_exact_whatever_is_said() {
        for (takes, kind) in [
            (Takes::Heads, Kind::Get),
            (Takes::Bodies, Kind::Post),
            (Takes::Messages, Kind::Messages(200)),
        ] {
            let load = ask(takes, kind, Pace::Count(50));
            assert_eq!((load.requests, load.failed), (50, 0));
            assert!(load.p50_us > 0.0);
        }
    }

    #[test]
    fn a_pace_is_kept() {
        let duration = Duration::from_millis(200);
        let pace = Pace::Even {
            per_second: 500.0,
            duration,
        };
        assert_eq!(ask(Takes::Heads, Kind::Get, pace).requests, 100);
    }

    #[test]
    fn what_is_due_does_not_wait_for_answers() {
        let pace = Pace::Even {
            per_second: 100.0,
            duration: Duration::from_secs(1),
        };
        let late = Duration::from_secs(5);
        assert_eq!(pace.next(50, late), Some(Duration::from_millis(500)));
        assert_eq!(pace.next(100, late), None);
    }

    #[test]
    fn a_message_says_its_length() {
        assert_eq!(message(3, false), b"\x82\x03xxx");
        assert_eq!(message(1, true), b"\x82\x81\0\0\0\0x");
        assert_eq!(message(200, false)[..4], [0x82, 126, 0, 200]);
    }
}
