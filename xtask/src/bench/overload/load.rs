//! Requests that come at their own pace, whether or not those before them have
//! been answered: what tells an overloaded server from a slow client. Times are
//! from when a request was due, so that a client that is late hides nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long connecting, and each read, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long an answer may take before the requests of others come late: the
/// clients are as many as come in this time.
const LONGEST: Duration = Duration::from_millis(600);

/// The memory of a client's thread, in bytes, of which it needs little.
const STACK: usize = 128 * 1024;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// A server answered.
    Served,
    /// The gateway said that there is too much to do.
    Refused,
    /// Anything else.
    Failed,
}

/// One request.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    /// When it was due, from the beginning of the load.
    pub(super) due: Duration,
    pub(super) fate: Fate,
    /// From when it was due to the end of its answer.
    pub(super) took: Duration,
}

/// Ask so many times a second for so long.
pub(super) fn offer(port: u16, per_second: f64, duration: Duration) -> Vec<Asked> {
    let clients = (per_second * LONGEST.as_secs_f64()).ceil().max(1.0) as u32;
    let pause = Duration::from_secs_f64(f64::from(clients) / per_second);
    // Time for all threads to start and to connect.
    let start = Instant::now() + Duration::from_millis(300);
    let client = |number: u32| {
        let first = pause * number / clients;
        let ask = move || Client::new(port).ask(start, (first, pause), duration);
        std::thread::Builder::new().stack_size(STACK).spawn(ask)
    };
    let clients: Vec<_> = (0..clients).map(client).collect();
    let asked = clients
        .into_iter()
        .filter_map(|client| client.ok()?.join().ok());
    asked.flatten().collect()
}

/// A client with a connection of its own.
struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

impl Client {
    fn new(port: u16) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            address,
            stream: connect(address),
        }
    }

    /// Ask at `first` after `start`, and again after each `pause`.
    fn ask(
        mut self,
        start: Instant,
        (first, pause): (Duration, Duration),
        duration: Duration,
    ) -> Vec<Asked> {
        let mut asked = Vec::new();
        let mut due = first;
        while due < duration {
            let at = start + due;
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            let fate = self.fate().unwrap_or(Fate::Failed);
            if fate == Fate::Failed {
                self.stream = None;
            }
            let took = at.elapsed();
            asked.push(Asked { due, fate, took });
            due += pause;
        }
        asked
    }

    fn fate(&mut self) -> Option<Fate> {
        if self.stream.is_none() {
            self.stream = connect(self.address);
        }
        let stream = self.stream.as_mut()?;
        stream.write_all(REQUEST).ok()?;
        let answer = response(stream)?;
        Some(match answer.get(9..12)? {
            "200" => Fate::Served,
            "503" if answer.to_ascii_lowercase().contains("\r\nretry-after: ") => Fate::Refused,
            _ => Fate::Failed,
        })
    }
}

fn connect(address: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_nodelay(true).ok()?;
    Some(stream)
}

/// The head of a response, which is read to the end of its body.
fn response(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length? {
                return Some(format!("{head}\r\n"));
            }
        }
    }
}
