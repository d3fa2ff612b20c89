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
//! A way of which more is to be read than one read takes is told of by nobody: it stays
//! due, behind the others.

mod bare;
mod passage;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::Context;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData};
use slab::Slab;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use self::bare::WATCHED;
use self::passage::Passage;
use crate::deadlines::Deadlines;
use crate::tunnel::SoFar;

/// How many events are taken at once: those of a busy round.
const MOST_EVENTS: usize = 256;

/// As many events as take so long to carry that others have come meanwhile: to ask for
/// them at once spares the runtime's way of asking.
const MANY_EVENTS: usize = 4;

/// Reads before the worker's other tasks have their turn.
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
    /// How much is read at once: who sends without end does not keep the others waiting.
    longest_read: usize,
}

/// A tunnel in its place.
struct Tunnel {
    number: u32,
    passage: Passage,
}

/// What the task that carries has to work with.
struct Work {
    events: Vec<Event>,
    /// The ways that are to be carried, each by the side where it begins.
    due: VecDeque<Token>,
    /// What one read takes.
    landing: Box<[u8]>,
}

impl Work {
    fn new(longest_read: usize) -> Self {
        Self {
            events: Vec::with_capacity(MOST_EVENTS),
            due: VecDeque::new(),
            landing: vec![0; longest_read].into(),
        }
    }
}

impl Relay {
    /// A relay that reads so much at once.
    pub(crate) fn new(longest_read: usize, deadlines: &Rc<Deadlines>) -> io::Result<Rc<Self>> {
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
            longest_read,
        }))
    }

    /// Join a client's socket and a server's. What has come before for the server and for
    /// the client goes first: the system tells of every new socket that it can be written
    /// to, and so begins it.
    pub(crate) fn join(
        self: &Rc<Self>,
        sockets: [TcpStream; 2],
        early: [&[u8]; 2],
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
        let passage = Passage::new(sockets, early, self.deadlines.now());
        place.insert(Tunnel { number, passage });
        Ok(Joined {
            relay: Rc::clone(self),
            key,
        })
    }

    /// Carry what comes, for ever. One task of the worker does this.
    pub(crate) async fn serve(&self) {
        let mut work = Work::new(self.longest_read);
        // It fails when the runtime ends.
        while let Ok(mut ready) = self.epoll.readable().await {
            // Before the events are taken: the runtime tells of what comes later.
            ready.clear_ready();
            while self.turn(&mut work) {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Take events and carry what is due, the oldest first, while there is much. Returns
    /// whether there is more to do.
    fn turn(&self, work: &mut Work) -> bool {
        let mut tunnels = self.tunnels.borrow_mut();
        let now = self.deadlines.now();
        let mut reads_left = READS_OF_A_TURN;
        loop {
            let heard = self.hear(work, &mut tunnels);
            while reads_left > 0
                && let Some(token) = work.due.pop_front()
            {
                reads_left -= 1;
                if let Some(passage) = token.find(&mut tunnels)
                    && passage.carry(token.side(), &mut work.landing, now)
                {
                    work.due.push_back(token);
                }
            }
            if reads_left == 0 || heard < MANY_EVENTS {
                return !work.due.is_empty() || heard >= MANY_EVENTS;
            }
        }
    }

    /// Take events. Returns how many there were.
    fn hear(&self, work: &mut Work, tunnels: &mut Slab<Tunnel>) -> usize {
        let Work { events, due, .. } = work;
        // Who does not wait is not interrupted, so this does not fail.
        let _ = epoll::wait(&self.epoll, spare_capacity(events), Some(&AT_ONCE));
        let heard = events.len();
        for event in events.drain(..) {
            let (flags, token) = (event.flags, Token(event.data.u64()));
            if let Some(passage) = token.find(tunnels) {
                passage.hears(token.side(), flags, |from| {
                    due.push_back(token.of_side(from));
                });
            }
        }
        heard
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

    fn of_side(self, side: usize) -> Self {
        Self(self.0 & !1 | side as u64)
    }

    /// Its tunnel, if that is still there.
    fn find(self, tunnels: &mut Slab<Tunnel>) -> Option<&mut Passage> {
        let key = (self.0 as u32) >> 1;
        let tunnel = tunnels.get_mut(key as usize)?;
        (u64::from(tunnel.number) == self.0 >> 32).then_some(&mut tunnel.passage)
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
        tunnels[self.key].passage.so_far(cx)
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
