//! The bench's own load generator, for what `wrk` does not do: an exact number of
//! requests, requests at an even pace whether or not those before them have been
//! answered, bodies, WebSocket messages, and connections for one request each, over
//! TLS too, at less cost than the proxy's. One thread, one request at a time on each
//! connection.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use super::Load;
use super::line::{Client, Line, Way};
use crate::bench::backends::{END_OF_HEAD, content_length};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Events taken from the kernel at once.
const EVENTS: usize = 64;

/// Bytes read at once.
const BUFFER: usize = 64 * 1024;

/// Bytes of a request's body.
const BODY: usize = 1024;

/// What is told of a connection: that bytes have come, and that none will.
const WATCHED: epoll::EventFlags = epoll::EventFlags::IN.union(epoll::EventFlags::RDHUP);

/// What is said on a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) enum Kind {
    Get,
    /// The same, each on a connection of its own, which the proxy is to end.
    GetAndClose,
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
    /// Connect, unless each request does, and change to WebSocket where messages are
    /// to be sent.
    ///
    /// # Errors
    ///
    /// When nobody listens, or WebSocket is refused.
    pub(in crate::bench) fn open(
        way: &Way,
        connections: u32,
        kind: Kind,
        headers: &[String],
    ) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let host = format!("Host: {}\r\n{lines}", way.address);
        let request = match kind {
            Kind::Get => format!("GET / HTTP/1.1\r\n{host}\r\n").into_bytes(),
            Kind::GetAndClose => {
                format!("GET / HTTP/1.1\r\n{host}Connection: close\r\n\r\n").into_bytes()
            }
            Kind::Post => {
                let head = format!("POST / HTTP/1.1\r\n{host}Content-Length: {BODY}\r\n\r\n");
                [head.as_bytes(), &[b'x'; BODY]].concat()
            }
            Kind::Messages(bytes) => message(bytes, true),
        };
        let mut talk = Self {
            epoll,
            connections: Vec::new(),
            request,
            buffer: vec![0; BUFFER],
        };
        for place in 0..connections as usize {
            talk.connections.push(Connection::new(way.client(), kind));
            if kind != Kind::GetAndClose {
                let line = talk.connect(place)?;
                line.socket.set_nodelay(true)?;
                if let Kind::Messages(_) = kind {
                    change(&mut line.socket, &host)?;
                }
                line.socket.set_nonblocking(true)?;
            }
        }
        Ok(talk)
    }

    fn connect(&mut self, place: usize) -> Result<&mut Line> {
        let connection = &mut self.connections[place];
        let line = connection.line.insert(connection.client.connect()?);
        let token = epoll::EventData::new_u64(place as u64);
        epoll::add(&self.epoll, &line.socket, token, WATCHED)?;
        Ok(line)
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
                if self.connections[place].line.is_none() {
                    self.connect(place)?;
                }
                self.connections[place].ask(&self.request, start + due)?;
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
                let (flags, place) = (event.flags, event.data.u64() as usize);
                let has_ended = flags.contains(epoll::EventFlags::RDHUP);
                let connection = &mut self.connections[place];
                match connection.read(&mut self.buffer, has_ended)? {
                    Some(true) => times.push(connection.took.as_secs_f64() * 1e6),
                    Some(false) => failed += 1,
                    None => continue,
                }
                free.push_back(place);
            }
        }
    }
}

/// A place for a connection, or for one after the other.
struct Connection {
    client: Client,
    /// None between requests that have one each.
    line: Option<Line>,
    /// Whether each request has one, which the proxy ends.
    closes: bool,
    /// Connections that were to resume a session and did not.
    full: u32,
    /// When its request was due.
    due: Instant,
    /// How long it was from then until the answer was whole.
    took: Duration,
    /// Bytes of every answer, where answers are no HTTP.
    answer: Option<usize>,
    /// What has come of a head.
    head: Vec<u8>,
    /// What is to come of the answer yet, once its head is known.
    rest: Option<usize>,
    is_good: bool,
}

impl Connection {
    fn new(client: Client, kind: Kind) -> Self {
        let answer = match kind {
            Kind::Messages(bytes) => Some(message(bytes, false).len()),
            Kind::Get | Kind::GetAndClose | Kind::Post => None,
        };
        Self {
            client,
            line: None,
            closes: kind == Kind::GetAndClose,
            full: 0,
            due: Instant::now(),
            took: Duration::ZERO,
            answer,
            head: Vec::new(),
            rest: None,
            is_good: true,
        }
    }

    fn ask(&mut self, request: &[u8], due: Instant) -> Result<()> {
        self.due = due;
        self.rest = self.answer;
        self.is_good = true;
        let line = self.line.as_mut().context("there is no connection")?;
        line.write(request).context("the proxy closed a connection")
    }

    /// Read what is there; tells once the answer is whole, and the connection ended
    /// if it is to be, whether it is a good one.
    fn read(&mut self, buffer: &mut [u8], has_ended: bool) -> Result<Option<bool>> {
        let Some(line) = &mut self.line else {
            return Ok(None);
        };
        // Nothing but the end is to come then.
        let is_ending = self.closes && self.rest == Some(0);
        if !is_ending || !has_ended {
            match line.read(buffer) {
                Ok(0) | Err(_) if is_ending => return Ok(None),
                Ok(0) => bail!("the proxy closed a connection"),
                Ok(read) => self.take(&buffer[..read])?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        if self.rest != Some(0) || (self.closes && !has_ended) {
            return Ok(None);
        }
        if self.closes {
            self.close()?;
        }
        Ok(Some(self.is_good))
    }

    /// Take in what has come of an answer.
    fn take(&mut self, read: &[u8]) -> Result<()> {
        let rest = match self.rest {
            Some(rest) => rest.checked_sub(read.len()),
            None => {
                self.head.extend_from_slice(read);
                let mut ends = self.head.windows(END_OF_HEAD.len());
                let Some(end) = ends.position(|bytes| bytes == END_OF_HEAD) else {
                    return Ok(());
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
        if self.rest == Some(0) {
            self.took = self.due.elapsed();
        }
        Ok(())
    }

    /// Close after the proxy has, so that it is the proxy's ports that rest.
    fn close(&mut self) -> Result<()> {
        let line = self.line.take();
        if self.client.resumes && !line.is_some_and(|line| line.is_resumed()) {
            // The first has nothing to resume.
            self.full += 1;
            ensure!(self.full == 1, "sessions are not resumed");
        }
        Ok(())
    }
}

/// Change to WebSocket.
fn change(socket: &mut TcpStream, host: &str) -> Result<()> {
    // The example of RFC 6455: nobody looks at the key but the server, which answers
    // with the example's.
    let request = format!(
        "GET / HTTP/1.1\r\n{host}Connection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(END_OF_HEAD) {
        socket.read_exact(&mut byte)?;
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
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use rustls::crypto::aws_lc_rs;
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::{Kind, Pace, Talk, Way, message};
    use crate::bench::backends::{Backends, END_OF_HEAD, Service, Takes};
    use crate::bench::load::suite::CipherSuite;

    fn ask(takes: Takes, kind: Kind, pace: Pace) -> super::Load {
        let service = Service {
            count: 1,
            body_bytes: 200,
            takes,
        };
        let backends = Backends::start(&service, None).unwrap();
        let way = Way::plain(backends.ports[0]);
        let mut talk = Talk::open(&way, 4, kind, &["X-A: b".to_owned()]).unwrap();
        talk.ask(pace).unwrap()
    }

    /// Read a request and answer it.
    fn answer(mut stream: impl Read + Write) {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(END_OF_HEAD) {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(String::from_utf8_lossy(&head).contains("\r\nConnection: close\r\n"));
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            .unwrap();
        stream.flush().unwrap();
    }

    /// A server over TLS that ends each connection after its answer, for so many; with
    /// `sessions` it remembers them.
    fn tls_server(connections: usize, sessions: bool) -> (u16, thread::JoinHandle<()>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        if !sessions {
            config.send_tls13_tickets = 0;
        }
        let config = Arc::new(config);
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = thread::spawn(move || {
            for _ in 0..connections {
                let (socket, _) = listener.accept().unwrap();
                let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(tls, socket);
                answer(&mut stream);
                stream.conn.send_close_notify();
                stream.flush().unwrap();
            }
        });
        (port, serving)
    }

    #[test]
    fn each_request_may_have_a_connection_of_its_own() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let way = Way::plain(listener.local_addr().unwrap().port());
        let serving = thread::spawn(move || {
            for _ in 0..20 {
                answer(listener.accept().unwrap().0);
            }
        });
        let mut talk = Talk::open(&way, 4, Kind::GetAndClose, &[]).unwrap();
        let load = talk.ask(Pace::Count(20)).unwrap();
        assert_eq!((load.requests, load.failed), (20, 0));
        serving.join().unwrap();
    }

    #[test]
    fn over_tls_it_may_resume_the_session_of_the_one_before() {
        let (port, serving) = tls_server(20, true);
        let way = Way::tls(port, &[CipherSuite::Aes128]).unwrap().resuming();
        let mut talk = Talk::open(&way, 4, Kind::GetAndClose, &[]).unwrap();
        let load = talk.ask(Pace::Count(20)).unwrap();
        assert_eq!((load.requests, load.failed), (20, 0));
        assert!(talk.connections.iter().all(|one| one.full == 1));
        serving.join().unwrap();
    }

    #[test]
    fn a_session_that_is_not_resumed_is_told() {
        let (port, _serving) = tls_server(2, false);
        let way = Way::tls(port, &[CipherSuite::Aes128]).unwrap().resuming();
        let mut talk = Talk::open(&way, 1, Kind::GetAndClose, &[]).unwrap();
        let error = talk.ask(Pace::Count(2)).unwrap_err();
        assert_eq!(error.to_string(), "sessions are not resumed");
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
