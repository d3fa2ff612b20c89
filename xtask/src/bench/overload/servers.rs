//! Servers that can do so much and no more: each works on a few requests at a
//! time, all of which take the same time, and lets the others wait.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;

/// The longest request head that a gateway sends here, in bytes.
const LONGEST_HEAD: usize = 8192;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What a server can do.
#[derive(Clone, Copy)]
pub(super) struct Ability {
    /// Requests that it works on at a time.
    pub(super) places: u32,
    /// How long each of them takes.
    pub(super) work: Duration,
}

impl Ability {
    /// Requests that it can answer in a second.
    pub(super) fn per_second(self) -> f64 {
        f64::from(self.places) / self.work.as_secs_f64()
    }
}

/// Start a server on a port of its own, which serves until the process ends.
///
/// # Errors
///
/// When no port can be had.
pub(super) fn start(ability: Ability) -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    let places = Arc::new(Places {
        free: Mutex::new(ability.places),
        one_left: Condvar::new(),
    });
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let places = Arc::clone(&places);
            std::thread::spawn(move || serve(stream, &places, ability.work));
        }
    });
    Ok(port)
}

/// The places of a server, of which each request that is worked on has one.
struct Places {
    free: Mutex<u32>,
    one_left: Condvar,
}

impl Places {
    fn work(&self, time: Duration) {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.one_left.wait_while(free, |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        std::thread::sleep(time);
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.one_left.notify_one();
    }
}

/// Answer one request after another; any trouble ends the connection.
fn serve(mut stream: TcpStream, places: &Places, work: Duration) {
    // Answers are one write each; it only costs latency.
    let _ = stream.set_nodelay(true);
    let mut head = [0; LONGEST_HEAD];
    let mut length = 0;
    while let Some(room) = head.get_mut(length..).filter(|room| !room.is_empty()) {
        match stream.read(room) {
            Ok(read) if read > 0 => length += read,
            _ => return,
        }
        if head[..length].ends_with(b"\r\n\r\n") {
            length = 0;
            places.work(work);
            if stream.write_all(ANSWER).is_err() {
                return;
            }
        }
    }
}
