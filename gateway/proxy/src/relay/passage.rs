//! A tunnel between two bare sockets: what has become of its two ways.
//!
//! A way is read, and then what was read is written; only what the other side does not
//! take at once is kept, and goes before anything more is read.

use std::mem;
use std::net::TcpStream;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use gatewright_host::Ending;
use rustix::event::epoll::EventFlags;

use super::bare::Bare;
use crate::tunnel::{Broke, SoFar, ending};

/// Reads that the last words of a side that has broken off may take.
const LAST_READS: usize = 16;

/// A tunnel. Its sides, and the ways that begin there, are the client's and the server's.
pub(super) struct Passage {
    sides: [Bare; 2],
    ways: [Way; 2],
    ending: Option<Ending>,
    /// The tick at which something moved last.
    moved_at: u64,
    /// Wakes who waits for the end.
    waker: Option<Waker>,
}

/// One of the two ways through it.
struct Way {
    /// What was read and not yet taken by the other side.
    held: BytesMut,
    /// Ready when the last byte has been carried.
    carried: Poll<Result<(), Broke>>,
    /// Whether it is to be carried.
    is_due: bool,
}

impl From<&[u8]> for Way {
    fn from(early: &[u8]) -> Self {
        Self {
            held: BytesMut::from(early),
            carried: Poll::Pending,
            is_due: false,
        }
    }
}

impl Passage {
    /// What has come before for the server and for the client is `early`, and `now` the
    /// present tick.
    pub(super) fn new(sockets: [TcpStream; 2], early: [&[u8]; 2], now: u64) -> Self {
        Self {
            sides: sockets.map(Bare::from),
            ways: early.map(Way::from),
            ending: None,
            moved_at: now,
            waker: None,
        }
    }

    /// Take note of what the system tells of a side. `due` is told of the ways that are to
    /// be carried now, by the side where each begins.
    pub(super) fn hears(&mut self, side: usize, flags: EventFlags, mut due: impl FnMut(usize)) {
        let (reads, takes_again) = self.sides[side].hears(flags);
        if reads && self.ways[side].becomes_due() {
            due(side);
        }
        if takes_again && self.ways[1 - side].becomes_due() {
            due(1 - side);
        }
    }

    /// Read what comes from a side, where the other has taken all before it. Returns how
    /// much that was; none where it rests, or has ended.
    pub(super) fn read(&mut self, from: usize, place: &mut [u8], now: u64) -> Result<usize, Broke> {
        let read = self.try_read(from, place, now);
        if let Err(broke) = read {
            self.ways[from].carried = Poll::Ready(Err(broke));
        }
        read
    }

    fn try_read(&mut self, from: usize, place: &mut [u8], now: u64) -> Result<usize, Broke> {
        let way = &mut self.ways[from];
        let (source, target) = ends(&mut self.sides, from);
        way.is_due = false;
        if way.carried.is_ready() {
            return Ok(0);
        }
        if !way.held.is_empty() {
            let taken = target.write(&way.held).map_err(|_| Broke::To)?;
            way.held.advance(taken);
            if taken > 0 {
                self.moved_at = now;
            }
            if !way.held.is_empty() {
                return Ok(0);
            }
            way.held = BytesMut::new();
        }
        let Some(read) = source.read(place).map_err(|_| Broke::From)? else {
            return Ok(0);
        };
        self.moved_at = now;
        if read == 0 {
            target.shut_down();
            way.carried = Poll::Ready(Ok(()));
            self.tell();
        }
        Ok(read)
    }

    /// Write what was read from a side. Returns whether there may be more to read, for
    /// which it is due.
    pub(super) fn write(&mut self, from: usize, bytes: &[u8]) -> Result<bool, Broke> {
        let way = &mut self.ways[from];
        let (source, target) = ends(&mut self.sides, from);
        match target.write(bytes) {
            Ok(taken) => {
                way.held.extend_from_slice(&bytes[taken..]);
                Ok(way.held.is_empty() && source.is_readable() && way.becomes_due())
            }
            Err(_) => {
                way.carried = Poll::Ready(Err(Broke::To));
                Err(Broke::To)
            }
        }
    }

    /// End, since a way has failed. The side that has broken off may have said something
    /// before.
    pub(super) fn break_off(&mut self, failed: usize, place: &mut [u8], now: u64) {
        let back = 1 - failed;
        self.sides[back].may_be_read();
        for _ in 0..LAST_READS {
            let is_more = match self.read(back, place, now) {
                Ok(read @ 1..) => self.write(back, &place[..read]),
                Ok(0) | Err(_) => Ok(false),
            };
            if !matches!(is_more, Ok(true)) {
                break;
            }
        }
        self.tell();
    }

    /// Tell who waits for the end that a way is done: where this is not the end yet, there
    /// is less time for the rest.
    fn tell(&mut self) {
        let [up, down] = &self.ways;
        self.ending = ending(up.carried, down.carried);
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    /// What has become of it so far. The task is woken when one side is done, and at the
    /// end.
    pub(super) fn so_far(&mut self, cx: &Context<'_>) -> SoFar {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
        SoFar {
            ending: self.ending,
            moved_at: self.moved_at,
            is_half_closed: self.ways.iter().any(|way| way.carried.is_ready()),
        }
    }

    /// How much memory there is for what was read and is not taken yet.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.ways.iter().map(|way| way.held.capacity()).sum()
    }
}

/// Where a way begins and where it leads.
fn ends([client, server]: &mut [Bare; 2], from: usize) -> (&mut Bare, &mut Bare) {
    match from {
        0 => (client, server),
        _ => (server, client),
    }
}

impl Way {
    /// Make it due. Returns whether it was not.
    fn becomes_due(&mut self) -> bool {
        !mem::replace(&mut self.is_due, true)
    }
}
