//! A tunnel between two bare sockets: what has become of its two ways.
//!
//! What is read from one side is written to the other; only what that does not take at
//! once is kept, and goes before anything more is read.

use std::mem;
use std::net::TcpStream;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use gatewright_host::Ending;
use rustix::event::epoll::EventFlags;

use super::bare::Bare;
use crate::tunnel::{Broke, SoFar, ending};

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
        if self.sides[side].is_broken() {
            self.tell();
        }
    }

    /// Carry what one read takes of what comes from a side. Returns whether there may be
    /// more, for which it is due.
    pub(super) fn carry(&mut self, from: usize, landing: &mut [u8], now: u64) -> bool {
        self.ways[from].is_due = false;
        if self.ways[from].carried.is_ready() {
            return false;
        }
        match self.try_carry(from, landing, now) {
            Ok(is_more) => is_more && self.ways[from].becomes_due(),
            Err(broke) => {
                self.end(from, Err(broke));
                false
            }
        }
    }

    fn try_carry(&mut self, from: usize, landing: &mut [u8], now: u64) -> Result<bool, Broke> {
        let way = &mut self.ways[from];
        let [client, server] = &mut self.sides;
        let (source, target) = match from {
            0 => (client, server),
            _ => (server, client),
        };
        if !way.held.is_empty() {
            let taken = target.write(&way.held).map_err(|_| Broke::To)?;
            way.held.advance(taken);
            if taken > 0 {
                self.moved_at = now;
            }
            if !way.held.is_empty() {
                return Ok(false);
            }
            way.held = BytesMut::new();
        }
        let Some(read) = source.read(landing).map_err(|_| Broke::From)? else {
            return Ok(false);
        };
        self.moved_at = now;
        if read == 0 {
            target.shut_down();
            self.end(from, Ok(()));
            return Ok(false);
        }
        let taken = target.write(&landing[..read]).map_err(|_| Broke::To)?;
        way.held.extend_from_slice(&landing[taken..read]);
        Ok(way.held.is_empty() && source.is_readable())
    }

    /// Take note that nothing more is carried from a side.
    fn end(&mut self, from: usize, carried: Result<(), Broke>) {
        self.ways[from].carried = Poll::Ready(carried);
        self.tell();
    }

    /// Tell who waits for the end that a side is done: where this is not the end yet, there
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
            is_half_closed: self.ways.iter().any(|way| way.carried.is_ready())
                || self.sides.iter().any(Bare::is_broken),
        }
    }

    /// How much memory there is for what was read and is not taken yet.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.ways.iter().map(|way| way.held.capacity()).sum()
    }
}

impl Way {
    /// Make it due. Returns whether it was not.
    fn becomes_due(&mut self) -> bool {
        !mem::replace(&mut self.is_due, true)
    }
}
