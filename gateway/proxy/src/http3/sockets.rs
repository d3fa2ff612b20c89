//! The UDP sockets of one listener, beside those for TCP in
//! [`group`](crate::group): one for each worker, bound afresh or taken over.
//!
//! Two gateways cannot receive from one socket as they can accept from one: each
//! would get what is for the other's connections. So the one that hands over stops
//! receiving when it drains, and is passed what is for it by its successor, and by
//! that one's. A successor that speaks HTTP/3 no more says nothing, and then it
//! receives on, to the end.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixDatagram as StdUnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quinn::Runtime as _;
use quinn::udp::{UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UnixDatagram;

use super::datagrams::{Relays, Shared, pass_on};
use super::ids::Owner;
use crate::inherited::{InheritedDatagrams, ResetKey};

/// What the kernel holds of what has come and was not read yet: at a gigabit a
/// second, the 16 ms that a worker may be busy with other things.
const RECEIVE_BUFFER: usize = 2 * 1024 * 1024;

/// What is received on for one listener.
pub(crate) struct DatagramGroup {
    sockets: Vec<UdpSocket>,
    inboxes: Vec<StdUnixDatagram>,
    relays: Arc<Relays>,
    handed_on: Arc<AtomicBool>,
    is_taken: Arc<AtomicBool>,
    reset_key: ResetKey,
}

/// One socket of it, with what a worker receives beside it.
pub(crate) struct Datagrams {
    place: u16,
    socket: UdpSocket,
    inbox: StdUnixDatagram,
    relays: Arc<Relays>,
    handed_on: Arc<AtomicBool>,
    is_taken: Arc<AtomicBool>,
    pub(super) reset_key: ResetKey,
}

impl DatagramGroup {
    /// Bind an address for so many workers.
    pub(crate) fn bind(address: SocketAddr, workers: usize) -> io::Result<Self> {
        // Alone first: nobody else's socket may join the group unnoticed.
        drop(bind_one(address, false)?);
        let sockets = (0..workers).map(|_| bind_one(address, true));
        let mut reset_key = ResetKey([0; 32]);
        let filled = aws_lc_rs::rand::fill(&mut reset_key.0);
        filled.map_err(|_| io::Error::other("the system has no random bytes"))?;
        Self::of(sockets.collect::<Result<_, _>>()?, 0, Vec::new(), reset_key)
    }

    /// Take over what the gateway before this one has received from, for so many
    /// workers.
    pub(crate) fn adopt(inherited: InheritedDatagrams, workers: usize) -> io::Result<Self> {
        let sockets = inherited.sockets.into_iter().map(UdpSocket::from);
        let mut sockets: Vec<_> = sockets.collect();
        if let Some(first) = sockets.first() {
            let address = first.local_addr()?;
            for _ in sockets.len()..workers {
                sockets.push(bind_one(address, true)?);
            }
        }
        for socket in &sockets {
            socket.set_nonblocking(true)?;
        }
        let before = inherited.relays.into_iter().map(|(generation, relays)| {
            let relays = relays.into_iter().map(StdUnixDatagram::from);
            (generation, relays.collect())
        });
        let before: Vec<(_, Vec<_>)> = before.collect();
        let generation = inherited.generation.wrapping_add(1);
        Self::of(sockets, generation, before, inherited.reset_key)
    }

    /// Tell those who were before that this gateway receives: they stop once they
    /// drain, and not otherwise.
    pub(crate) fn take_over(&self) {
        for relay in self.relays.before.iter().flat_map(|(_, relays)| relays) {
            pass_on(relay, &[]);
        }
    }

    fn of(
        sockets: Vec<UdpSocket>,
        generation: u8,
        before: Vec<(u8, Vec<StdUnixDatagram>)>,
        reset_key: ResetKey,
    ) -> io::Result<Self> {
        for socket in &sockets {
            // What a system does not let QUIC have is told at the start, and clients
            // are not told of HTTP/3 in vain.
            UdpSocketState::new(UdpSockRef::from(socket))?;
        }
        let pair = || {
            let (own, inbox) = StdUnixDatagram::pair()?;
            own.set_nonblocking(true)?;
            inbox.set_nonblocking(true)?;
            Ok((own, inbox))
        };
        let pairs = sockets.iter().map(|_| pair());
        let pairs: Vec<_> = pairs.collect::<io::Result<_>>()?;
        let (own, inboxes) = pairs.into_iter().unzip();
        Ok(Self {
            sockets,
            inboxes,
            relays: Arc::new(Relays {
                generation,
                own,
                before,
            }),
            handed_on: Arc::default(),
            is_taken: Arc::default(),
            reset_key,
        })
    }

    /// Duplicates of what one of so many workers receives from.
    pub(crate) fn share_of(&self, worker: usize, workers: usize) -> io::Result<Vec<Datagrams>> {
        let sockets = self.sockets.iter().zip(&self.inboxes).zip(0u16..);
        let mine = sockets.filter(|(_, place)| usize::from(*place) % workers == worker);
        mine.map(|((socket, inbox), place)| {
            Ok(Datagrams {
                place,
                socket: socket.try_clone()?,
                inbox: inbox.try_clone()?,
                relays: Arc::clone(&self.relays),
                handed_on: Arc::clone(&self.handed_on),
                is_taken: Arc::clone(&self.is_taken),
                reset_key: self.reset_key,
            })
        })
        .collect()
    }

    /// Duplicates of all of it, for the gateway after this one, with the ways to
    /// those before that have not ended. What one has said that did not come to serve
    /// counts no more.
    pub(crate) fn lend(&self) -> io::Result<InheritedDatagrams> {
        self.is_taken.store(false, Ordering::Relaxed);
        let sockets = self.sockets.iter();
        let sockets = sockets.map(|socket| socket.as_fd().try_clone_to_owned());
        let generation = self.relays.generation;
        let before = self.relays.before.iter();
        let before = before.filter(|(_, relays)| relays.iter().any(|relay| pass_on(relay, &[])));
        let before = before.map(|(generation, relays)| (*generation, relays));
        let relays = std::iter::once((generation, &self.relays.own)).chain(before);
        let relays = relays.map(|(generation, relays)| {
            let relays = relays
                .iter()
                .map(|relay| relay.as_fd().try_clone_to_owned());
            Ok((generation, relays.collect::<io::Result<_>>()?))
        });
        Ok(InheritedDatagrams {
            generation,
            reset_key: self.reset_key,
            sockets: sockets.collect::<io::Result<Vec<OwnedFd>>>()?,
            relays: relays.collect::<io::Result<_>>()?,
        })
    }

    /// From now on the gateway after this one receives, and passes on what is for
    /// this one.
    pub(crate) fn hand_on(&self) {
        self.handed_on.store(true, Ordering::Relaxed);
    }
}

impl Datagrams {
    /// The owner of the connections that begin here.
    pub(super) fn owner(&self) -> Owner {
        Owner {
            place: self.place,
            generation: self.relays.generation,
        }
    }

    /// As the worker's runtime knows it.
    pub(super) fn into_shared(self) -> io::Result<Arc<Shared>> {
        Ok(Arc::new(Shared {
            place: self.place,
            socket: quinn::TokioRuntime.wrap_udp_socket(self.socket)?,
            inbox: UnixDatagram::from_std(self.inbox)?,
            relays: self.relays,
            handed_on: self.handed_on,
            is_taken: self.is_taken,
        }))
    }
}

fn bind_one(address: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        // The unspecified IPv6 address serves IPv4 clients too.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    // The system gives as much of it as it allows.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_come_to_receive_says_nothing_to_those_before() {
        let group = DatagramGroup::bind(([127, 0, 0, 1], 0).into(), 1).unwrap();
        let told = || group.inboxes[0].recv(&mut [0; 1]).ok();
        let next = DatagramGroup::adopt(group.lend().unwrap(), 1).unwrap();
        assert_eq!(told(), None);
        next.take_over();
        assert_eq!(told(), Some(0));
    }

    #[test]
    fn who_did_not_come_to_serve_has_taken_nothing_from_the_next() {
        let group = DatagramGroup::bind(([127, 0, 0, 1], 0).into(), 1).unwrap();
        let shares = group.share_of(0, 1).unwrap();
        shares[0].is_taken.store(true, Ordering::Relaxed);
        let _lent = group.lend().unwrap();
        assert!(!shares[0].is_taken.load(Ordering::Relaxed));
    }
}
