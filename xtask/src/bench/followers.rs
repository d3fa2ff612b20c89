//! Readers of the live stream, as many as are asked for, on threads of their
//! own: each takes what comes and counts it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, ensure};

/// What figures begin with on the stream.
const FIGURES: &[u8] = b"event: metrics\n";

/// How long a read may take before its reader looks whether it is over.
const LOOK: Duration = Duration::from_millis(200);

/// How many bytes are taken at once.
const PIECE: usize = 64 << 10;

/// The readers; dropping them ends them.
pub(super) struct Followers {
    readers: Vec<JoinHandle<()>>,
    counts: Vec<Arc<Count>>,
    over: Arc<AtomicBool>,
}

#[derive(Default)]
struct Count {
    figures: AtomicU64,
    bytes: AtomicU64,
}

/// What readers were told.
pub(super) struct Told {
    figures: Vec<u64>,
    bytes: u64,
    /// How often the reader was told who was told least.
    pub(super) fewest: u64,
}

impl Followers {
    /// So many readers of the gateway on this port of the loopback address.
    ///
    /// # Errors
    ///
    /// When one is not let in.
    pub(super) fn start(port: u16, readers: u16) -> Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let mut followers = Self {
            readers: Vec::new(),
            counts: Vec::new(),
            over: Arc::clone(&over),
        };
        for _ in 0..readers {
            let stream = open(port)?;
            let count = Arc::new(Count::default());
            followers.counts.push(Arc::clone(&count));
            let over = Arc::clone(&over);
            let reader = thread::spawn(move || follow(stream, &count, &over));
            followers.readers.push(reader);
        }
        Ok(followers)
    }

    /// What they have been told so far.
    pub(super) fn told(&self) -> Told {
        let counts = self.counts.iter();
        Told::of(
            counts
                .clone()
                .map(|count| count.figures.load(Ordering::Relaxed)),
            counts
                .map(|count| count.bytes.load(Ordering::Relaxed))
                .sum(),
        )
    }
}

impl Drop for Followers {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for reader in self.readers.drain(..) {
            // It only counts, and its count is read already.
            let _ = reader.join();
        }
    }
}

impl Told {
    fn of(figures: impl Iterator<Item = u64>, bytes: u64) -> Self {
        let figures: Vec<_> = figures.collect();
        Self {
            fewest: figures.iter().copied().min().unwrap_or(0),
            figures,
            bytes,
        }
    }

    /// What came after an earlier look.
    pub(super) fn since(&self, before: &Self) -> Self {
        let figures = self.figures.iter().zip(&before.figures);
        Self::of(
            figures.map(|(now, then)| now - then),
            self.bytes - before.bytes,
        )
    }

    /// What one reader is sent each time.
    pub(super) fn bytes_a_tick(&self) -> f64 {
        self.bytes as f64 / self.figures.iter().sum::<u64>() as f64
    }
}

fn open(port: u16) -> Result<TcpStream> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = TcpStream::connect(address)?;
    let request = format!("GET /api/stream HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    ensure!(status.ends_with(b" 200"), "a stream was not let in");
    stream.set_read_timeout(Some(LOOK))?;
    Ok(stream)
}

fn follow(mut stream: TcpStream, count: &Count, over: &AtomicBool) {
    let mut piece = vec![0; PIECE];
    // What is left of the last piece, in which a mark may have begun.
    let mut text = Vec::new();
    while !over.load(Ordering::Relaxed) {
        match stream.read(&mut piece) {
            Ok(0) => return,
            Ok(length) => {
                text.extend_from_slice(&piece[..length]);
                let found = marks(&text);
                count.figures.fetch_add(found, Ordering::Relaxed);
                count.bytes.fetch_add(length as u64, Ordering::Relaxed);
                text.drain(..text.len().saturating_sub(FIGURES.len() - 1));
            }
            Err(error) if is_patience(&error) => {}
            Err(_) => return,
        }
    }
}

fn is_patience(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

fn marks(text: &[u8]) -> u64 {
    let windows = text.windows(FIGURES.len());
    windows.filter(|window| *window == FIGURES).count() as u64
}

#[cfg(test)]
mod tests {
    use super::{Told, marks};

    #[test]
    fn figures_are_counted_by_their_beginning() {
        let text = b"event: metrics\ndata: {}\n\nevent: health\ndata: {}\n\nevent: metrics\n";
        assert_eq!(marks(text), 2);
    }

    #[test]
    fn who_was_told_least_counts() {
        let before = Told::of([1, 1].into_iter(), 200);
        let told = Told::of([4, 3].into_iter(), 700).since(&before);
        assert_eq!(told.fewest, 2);
        assert_eq!(told.bytes_a_tick(), 100.0);
    }
}
