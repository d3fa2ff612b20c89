//! Carrying what goes through tunnels from one bare socket to another: WebSockets in the
//! clear, and TLS that is passed on as it comes.
//!
//! To wake a connection's task and to ask the runtime about its sockets costs more than
//! to carry the few bytes that came. So such a tunnel's sockets are taken from the runtime
//! and watched by an `epoll` of the relay's own, one for all tunnels of a worker. The
//! runtime tells one task that something has come there. It takes the events and carries
//! what each is about: from a socket that can be read from, and to one that can be written
//! to again. The connection's task waits for the end alone, by a [`Joined`]; dropping that
//! closes the sockets.
//!
//! The system tells of every change once (it is edge-triggered). So what it has told of a
//! socket holds until a call finds otherwise, and a way through a tunnel rests only where
//! nothing is to be read or no room is to write: the event that changes that carries on.
//! A way that has been carried for long while there was more is told of by nobody: it
//! stays due, behind the others.

mod bare;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use gatewright_host::Ending;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData};
use slab::Slab;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use self::bare::{Bare, WATCHED};
use crate::deadlines::Deadlines;
use crate::tunnel::{Broke, Direction, SoFar, TunnelLanding, ending};

/// How many events are taken at once: those of a busy round.
const MOST_EVENTS: usize = 256;

/// Reads of one way before another's, each of what a TLS record holds: who sends without
/// end does not keep the others waiting.
const MOST_READS: u32 = 16;

/// Reads of all ways before the worker's other tasks: two megabytes.
const READS_OF_A_TURN: u32 = 128;

/// How long events are waited for.
const AT_ONCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// A worker's tunnels between bare sockets.
pub(crate) struct Relay {
    epoll: AsyncFd<OwnedFd>,
    tunnels: RefCell<Slab<Tunnel>>,
    /// The next tunnel's number.
    next: Cell<u32>,
    deadlines: Rc<Deadlines>,
    landing: Rc<TunnelLanding>,
}

/// A tunnel. Its sides, and the ways that begin there, are the client's and the server's.
struct Tunnel {
    number: u32,
    sides: [Bare; 2],
    ways: [Direction; 2],
    /// What has become of the ways.
    carried: [Poll<Result<(), Broke>>; 2],
    ending: Option<Ending>,
    /// The tick at which something moved last.
    moved_at: u64,
    /// Wakes who waits for the end.
    waker: Option<Waker>,
}

impl Relay {
    pub(crate) fn new(
        deadlines: &Rc<Deadlines>,
        landing: &Rc<TunnelLanding>,
    ) -> io::Result<Rc<Self>> {
        let descriptor = epoll::create(CreateFlags::CLOEXEC)?;
        #[expect(
            unsafe_code,
            reason = "the descriptor is the runtime's now, and always gives the same number"
        )]
        let epoll = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE)? };
        Ok(Rc::new(Self {
            epoll,
            tunnels: RefCell::default(),
            next: Cell::new(0),
            deadlines: Rc::clone(deadlines),
            landing: Rc::clone(landing),
        }))
    }

    /// Join a client's socket and a server's. What is held for a way goes first: the
    /// system tells of every new socket that it can be written to, and so begins it.
    pub(crate) fn join(
        self: &Rc<Self>,
        sockets: [TcpStream; 2],
        ways: [Direction; 2],
    ) -> io::Result<Joined> {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        let mut tunnels = self.tunnels.borrow_mut();
        let place = tunnels.vacant_entry();
        let key = place.key();
        for (side, socket) in sockets.iter().enumerate() {
            let token = Token::new(number, key, side);
            epoll::add(&self.epoll, socket, EventData::new_u64(token.0), WATCHED)?;
        }
        place.insert(Tunnel {
            number,
            sides: sockets.map(Bare::from),
            ways,
            carried: [Poll::Pending; 2],
            ending: None,
            moved_at: self.deadlines.now(),
            waker: None,
        });
        Ok(Joined {
            relay: Rc::clone(self),
            key,
        })
    }

    /// Carry what comes, for ever. One task of the worker does this.
    pub(crate) async fn serve(&self) {
        let mut events = Vec::with_capacity(MOST_EVENTS);
        let mut due = VecDeque::new();
        // It fails when the runtime ends.
        while let Ok(mut ready) = self.epoll.readable().await {
            // Before the events are taken: the runtime tells of what comes later.
            ready.clear_ready();
            while self.turn(&mut events, &mut due) {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Take events, and carry what is due, the oldest first. Returns whether there is more
    /// to do.
    fn turn(&self, events: &mut Vec<Event>, due: &mut VecDeque<Token>) -> bool {
        let mut tunnels = self.tunnels.borrow_mut();
        // Who does not wait is not interrupted, so this does not fail.
        let _ = epoll::wait(&self.epoll, spare_capacity(events), Some(&AT_ONCE));
        let is_full = events.len() == events.capacity();
        for event in events.drain(..) {
            let (flags, token) = (event.flags, Token(event.data.u64()));
            let Some(tunnel) = token.find(&mut tunnels) else {
                continue;
            };
            let (reads, writes_again) = tunnel.sides[token.side()].hears(flags);
            if reads {
                tunnel.have_carried(token, due);
            }
            if writes_again {
                tunnel.have_carried(token.of_other_side(), due);
            }
        }
        let mut turn = Turn {
            now: self.deadlines.now(),
            landing: &self.landing,
            reads_left: READS_OF_A_TURN,
        };
        while turn.reads_left > 0
            && let Some(token) = due.pop_front()
        {
            let Some(tunnel) = token.find(&mut tunnels) else {
                continue;
            };
            tunnel.sides[token.side()].is_due = false;
            if tunnel.carry(token.side(), &mut turn) {
                tunnel.have_carried(token, due);
            }
        }
        is_full || !due.is_empty()
    }
}

/// A turn of a relay.
struct Turn<'a> {
    /// The present tick.
    now: u64,
    landing: &'a TunnelLanding,
    reads_left: u32,
}

impl Tunnel {
    /// Have a way carried in its turn, which has a token of the side where it begins.
    fn have_carried(&mut self, way: Token, due: &mut VecDeque<Token>) {
        if !mem::replace(&mut self.sides[way.side()].is_due, true) {
            due.push_back(way);
        }
    }

    /// Carry what there is from one side to the other. Returns whether there is more, and
    /// others come first.
    fn carry(&mut self, from: usize, turn: &mut Turn<'_>) -> bool {
        let [client, server] = &mut self.sides;
        let (source, target) = match from {
            0 => (client, server),
            _ => (server, client),
        };
        if self.carried[from].is_ready() {
            return false;
        }
        let way = &mut self.ways[from];
        let (before, had_ended) = (way.so_far(), way.has_ended());
        source.reads_left = MOST_READS;
        // What it waits for the system tells.
        let mut cx = Context::from_waker(Waker::noop());
        let carried = way.poll_carry(source, target, turn.landing, &mut cx);
        let read = MOST_READS - source.reads_left;
        turn.reads_left = turn.reads_left.saturating_sub(read);
        let is_more = carried.is_pending() && source.is_readable && !way.holds();
        let is_news = carried.is_ready() || way.has_ended() != had_ended;
        if way.so_far() != before {
            self.moved_at = turn.now;
        }
        if let Poll::Ready(done) = carried {
            self.carried[from] = carried;
            if done.is_err() {
                // A side that has broken off may have said something before.
                self.sides[1 - from].is_readable = true;
                self.carry(1 - from, turn);
            }
            self.ending = ending(self.carried[0], self.carried[1]);
        }
        // Once a side is done there is less time for the rest.
        if is_news && let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
        is_more
    }
}

/// What the system calls a side of a tunnel by: the tunnel's number, so that what comes
/// late for another is not taken for its own, its place, and which side.
#[derive(Clone, Copy)]
struct Token(u64);

impl Token {
    fn new(number: u32, key: usize, side: usize) -> Self {
        Self((u64::from(number) << 32) | ((key as u64) << 1) | (side as u64))
    }

    fn side(self) -> usize {
        (self.0 & 1) as usize
    }

    fn of_other_side(self) -> Self {
        Self(self.0 ^ 1)
    }

    /// Its tunnel, if that is still there.
    fn find(self, tunnels: &mut Slab<Tunnel>) -> Option<&mut Tunnel> {
        let key = (self.0 as u32) >> 1;
        let tunnel = tunnels.get_mut(key as usize);
        tunnel.filter(|tunnel| u64::from(tunnel.number) == self.0 >> 32)
    }
}

/// A tunnel, as who waits for its end has it.
pub(crate) struct Joined {
    relay: Rc<Relay>,
    key: usize,
}

impl Joined {
    /// What has become of it so far. The task is woken when one side is done, and at the
    /// end.
    pub(crate) fn so_far(&self, cx: &Context<'_>) -> SoFar {
        let mut tunnels = self.relay.tunnels.borrow_mut();
        let tunnel = &mut tunnels[self.key];
        match &mut tunnel.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => tunnel.waker = Some(cx.waker().clone()),
        }
        SoFar {
            ending: tunnel.ending,
            moved_at: tunnel.moved_at,
            is_half_closed: tunnel.ways.iter().any(Direction::has_ended),
        }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        // Its sockets are closed by this, and the system knows of them no longer.
        let _tunnel = self.relay.tunnels.borrow_mut().remove(self.key);
    }
}

#[cfg(test)]
mod tests;
