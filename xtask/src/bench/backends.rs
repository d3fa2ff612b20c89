//! The servers behind the proxies: three ports that answer every request with
//! the same bytes, on one thread, at as little cost as the kernel allows, so
//! that the proxy is what saturates.
//!
//! They know what a proxy sends that was asked by our load generator: GET
//! requests without a body, one at a time on a connection.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Result;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use super::cores;

/// How many servers there are.
pub(super) const COUNT: usize = 3;

/// Events taken from the kernel at once.
const EVENTS: usize = 128;

/// The longest request head that a proxy sends here, in bytes.
const LONGEST_HEAD: usize = 8192;

/// Requests have no body, so this is where one ends.
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// How long a stop may go unnoticed, in nanoseconds.
const NOTICE_NS: i64 = 100_000_000;

/// Three running servers; dropping them stops them.
pub(super) struct Backends {
    /// Their ports on the loopback address.
    pub(super) ports: [u16; COUNT],
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Backends {
    /// Start servers that answer with `body_bytes` bytes, on a thread that stays
    /// on `core`.
    ///
    /// # Errors
    ///
    /// When no port can be had.
    pub(super) fn start(body_bytes: usize, core: usize) -> Result<Self> {
        let mut listeners = Vec::new();
        let mut ports = [0; COUNT];
        for port in &mut ports {
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            *port = listener.local_addr()?.port();
            listener.set_nonblocking(true)?;
            listeners.push(listener);
        }
        let mut server = Server::new(listeners, response(body_bytes))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let served = cores::pin_this_thread(core).and_then(|()| server.serve(&stopped));
            if let Err(error) = served {
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

fn response(body_bytes: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {body_bytes}\r\n\r\n"
    );
    let mut response = head.into_bytes();
    response.resize(response.len() + body_bytes, b'x');
    response
}

/// The event loop's state.
struct Server {
    epoll: OwnedFd,
    listeners: Vec<TcpListener>,
    /// By token, less the listeners' tokens. A place is not used again: the
    /// proxies keep their connections, so there are few.
    connections: Vec<Option<Connection>>,
    response: Vec<u8>,
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    head: Vec<u8>,
}

impl Server {
    fn new(listeners: Vec<TcpListener>, response: Vec<u8>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (at, listener) in listeners.iter().enumerate() {
            let token = epoll::EventData::new_u64(at as u64);
            epoll::add(&epoll, listener, token, epoll::EventFlags::IN)?;
        }
        Ok(Self {
            epoll,
            listeners,
            connections: Vec::new(),
            response,
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
                    self.answer(token - self.listeners.len());
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
        let token = self.listeners.len() + self.connections.len();
        let token = epoll::EventData::new_u64(token as u64);
        epoll::add(&self.epoll, &stream, token, epoll::EventFlags::IN)?;
        self.connections.push(Some(Connection {
            stream,
            head: Vec::new(),
        }));
        Ok(())
    }

    /// Answer on a connection, and close it when it has ended.
    fn answer(&mut self, place: usize) {
        if let Some(connection) = &mut self.connections[place]
            && !connection.answer(&mut self.buffer, &self.response)
        {
            self.connections[place] = None;
        }
    }
}

impl Connection {
    /// Read what is there and answer a request that is complete; returns
    /// whether the connection lives on.
    fn answer(&mut self, buffer: &mut [u8], response: &[u8]) -> bool {
        let read = match self.stream.read(buffer) {
            Ok(0) => return false,
            Ok(read) => &buffer[..read],
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        };
        // Nearly always a whole head comes at once, and nothing is kept.
        if self.head.is_empty() && read.ends_with(END_OF_HEAD) {
            return write(&mut self.stream, response);
        }
        self.head.extend_from_slice(read);
        if self.head.ends_with(END_OF_HEAD) {
            self.head.clear();
            return write(&mut self.stream, response);
        }
        self.head.len() < LONGEST_HEAD
    }
}

/// Write everything; the socket's buffer takes a response of these sizes whole
/// but for rare moments, and those are waited for.
fn write(stream: &mut TcpStream, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return false,
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::{Backends, response};
    use crate::bench::cores::Cores;

    #[test]
    fn a_request_is_answered_however_it_arrives() {
        let core = Cores::choose().map_or(0, |cores| cores.load);
        let backends = Backends::start(128, core).unwrap();
        let expected = response(128);
        for port in backends.ports {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
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
}
