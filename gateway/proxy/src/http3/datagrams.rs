//! A worker's UDP socket as QUIC sees it: what is for connections of another
//! worker, or of the gateway before this one, is passed on to them, and what they
//! pass on comes in beside what the socket receives.
//!
//! A relay is a pair of Unix sockets, in one process as between two: bounded by
//! the kernel, and what it has no room for is lost as any datagram may be.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::unix::net::UnixDatagram as StdUnixDatagram;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use quinn::udp::{EcnCodepoint, RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use socket2::SockRef;
use tokio::net::UnixDatagram;

use super::ids::Owner;

/// What precedes a datagram that is passed on: where it came from and to, and its
/// mark of congestion.
const PREFACE: usize = 16 + 2 + 16 + 1;

/// The largest datagram that is passed on; QUIC's are kept below by
/// `max_udp_payload_size`.
const LARGEST: usize = 2048;

/// The sending ends of relays, by the places that they lead to.
#[derive(Debug)]
pub(super) struct Relays {
    pub(super) generation: u8,
    /// Those of this gateway's own sockets.
    pub(super) own: Vec<StdUnixDatagram>,
    /// Those of gateways before this one that may drain still, by generation.
    pub(super) before: Vec<(u8, Vec<StdUnixDatagram>)>,
}

/// Where a datagram belongs.
#[derive(Debug)]
enum Way<'a> {
    /// To whoever received it: it is theirs, or nobody's.
    Here,
    /// To whom this relay leads.
    There(&'a StdUnixDatagram),
    /// To the gateway after this one, which receives already: its client repeats
    /// what it is not told to have come.
    Later,
}

impl Relays {
    /// Where what was received at a place belongs.
    fn way(&self, owner: Owner, place: u16) -> Way<'_> {
        if owner.generation == self.generation.wrapping_add(1) {
            return Way::Later;
        }
        let relays = match owner.generation == self.generation {
            true if owner.place == place => return Way::Here,
            true => Some(&self.own),
            false => {
                let mut before = self.before.iter();
                let found = before.find(|(generation, _)| *generation == owner.generation);
                found.map(|(_, relays)| relays)
            }
        };
        let relay = relays.and_then(|relays| relays.get(usize::from(owner.place)));
        relay.map_or(Way::Here, Way::There)
    }
}

/// Send a message by a relay; whether there is anybody who could get it. Who has too
/// much to do loses it.
pub(super) fn pass_on(relay: &StdUnixDatagram, message: &[IoSlice<'_>]) -> bool {
    let sent = SockRef::from(relay).send_vectored(message);
    !sent.is_err_and(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::NotConnected
                | io::ErrorKind::BrokenPipe
        )
    })
}

/// The socket of a place.
pub(super) struct Shared {
    pub(super) place: u16,
    pub(super) socket: Arc<dyn AsyncUdpSocket>,
    /// What others pass on.
    pub(super) inbox: UnixDatagram,
    pub(super) relays: Arc<Relays>,
    /// Whether the socket is another gateway's to receive from.
    pub(super) handed_on: Arc<AtomicBool>,
    /// Whether that one has said that it does: it may speak HTTP/3 no more.
    pub(super) is_taken: Arc<AtomicBool>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Receive what another worker passes on.
    fn poll_passed(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<RecvMeta>> {
        let mut message = [0; PREFACE + LARGEST];
        loop {
            ready!(self.inbox.poll_recv_ready(cx))?;
            let length = match self.inbox.try_recv(&mut message) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Poll::Ready(Err(error)),
            };
            let Some((preface, datagram)) = message[..length].split_first_chunk() else {
                // An empty one is the word of the gateway after this one.
                self.is_taken.store(true, Ordering::Relaxed);
                continue;
            };
            if let Some(place) = buffer.get_mut(..datagram.len()) {
                place.copy_from_slice(datagram);
                return Poll::Ready(Ok(read(preface, datagram.len())));
            }
        }
    }

    /// Pass on what is for others, and keep the rest in `buffer`. Several
    /// datagrams of one sender lie in it one behind the other. What is for somebody
    /// who has gone is kept: QUIC answers that nobody knows the connection any more,
    /// and the client begins anew instead of waiting.
    fn keep_own(&self, buffer: &mut [u8], meta: &mut RecvMeta) {
        let (mut kept, mut at) = (0, 0);
        while at < meta.len {
            let end = (at + meta.stride.max(1)).min(meta.len);
            let datagram = &buffer[at..end];
            let way = Owner::of(datagram).map(|owner| self.relays.way(owner, self.place));
            let is_kept = match way {
                None | Some(Way::Here) => true,
                Some(Way::There(relay)) => {
                    let preface = write(meta);
                    !pass_on(relay, &[IoSlice::new(&preface), IoSlice::new(datagram)])
                }
                Some(Way::Later) => false,
            };
            if is_kept {
                if kept != at {
                    buffer.copy_within(at..end, kept);
                }
                kept += end - at;
            }
            at = end;
        }
        meta.len = kept;
    }
}

fn write(meta: &RecvMeta) -> [u8; PREFACE] {
    let mut preface = [0; PREFACE];
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    preface[..16].copy_from_slice(&octets(meta.addr.ip()));
    preface[16..18].copy_from_slice(&meta.addr.port().to_be_bytes());
    let to = meta.dst_ip.unwrap_or(Ipv6Addr::UNSPECIFIED.into());
    preface[18..34].copy_from_slice(&octets(to));
    preface[34] = meta.ecn.map_or(0, |ecn| ecn as u8) | u8::from(meta.addr.is_ipv4()) << 7;
    preface
}

fn read(preface: &[u8; PREFACE], length: usize) -> RecvMeta {
    let is_ipv4 = preface[34] & 0x80 != 0;
    let address = |from: usize| {
        let mut octets = [0; 16];
        octets.copy_from_slice(&preface[from..from + 16]);
        let ip = Ipv6Addr::from(octets);
        match is_ipv4 {
            true => ip.to_canonical(),
            // A socket for both kinds has IPv4's in this form.
            false => IpAddr::V6(ip),
        }
    };
    let port = u16::from_be_bytes([preface[16], preface[17]]);
    RecvMeta {
        addr: SocketAddr::new(address(0), port),
        len: length,
        stride: length,
        ecn: EcnCodepoint::from_bits(preface[34]),
        dst_ip: Some(address(18)).filter(|to| !to.is_unspecified()),
    }
}

impl AsyncUdpSocket for Shared {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.socket).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if let ([buffer, ..], [meta, ..]) = (&mut *buffers, &mut *metas)
            && let Poll::Ready(passed) = self.poll_passed(cx, buffer)
        {
            *meta = passed?;
            return Poll::Ready(Ok(1));
        }
        if self.handed_on.load(Ordering::Relaxed) && self.is_taken.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        let count = ready!(self.socket.poll_recv(cx, buffers, metas))?;
        for (buffer, meta) in buffers.iter_mut().zip(metas).take(count) {
            self.keep_own(buffer, meta);
        }
        Poll::Ready(Ok(count))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_goes_to_whoever_has_its_connection() {
        let several = |count| (0..count).map(|_| StdUnixDatagram::pair().unwrap());
        let (own, _inboxes): (Vec<_>, Vec<_>) = several(2).unzip();
        let (last, _theirs): (Vec<_>, Vec<_>) = several(4).unzip();
        let (first, gone): (Vec<_>, Vec<_>) = several(1).unzip();
        let relays = Relays {
            generation: 0,
            own,
            before: vec![(255, last), (254, first)],
        };
        let way = |generation, place| relays.way(Owner { place, generation }, 0);
        assert!(matches!(way(0, 0), Way::Here), "its own");
        assert!(matches!(way(0, 1), Way::There(_)), "another worker's");
        assert!(matches!(way(0, 2), Way::Here), "nobody's");
        assert!(matches!(way(255, 3), Way::There(_)), "more workers before");
        assert!(matches!(way(253, 0), Way::Here), "long gone");
        assert!(matches!(way(1, 0), Way::Later), "not known yet");
        let Way::There(relay) = way(254, 0) else {
            panic!("it may drain still");
        };
        assert!(pass_on(relay, &[IoSlice::new(b"here")]));
        drop(gone);
        for _ in 0..2 {
            assert!(!pass_on(relay, &[IoSlice::new(b"gone")]));
        }
    }

    #[test]
    fn what_is_known_of_a_datagram_is_passed_on_with_it() {
        for (from, to) in [
            ("192.0.2.1:443", Some("198.51.100.1")),
            ("[::ffff:192.0.2.1]:443", Some("::ffff:198.51.100.1")),
            ("[2001:db8::1]:1", None),
        ] {
            for ecn in [None, Some(EcnCodepoint::Ect0), Some(EcnCodepoint::Ce)] {
                let meta = RecvMeta {
                    addr: from.parse().unwrap(),
                    len: 9,
                    stride: 9,
                    ecn,
                    dst_ip: to.map(|to| to.parse().unwrap()),
                };
                let passed = read(&write(&meta), 9);
                assert_eq!(
                    (
                        passed.addr,
                        passed.dst_ip,
                        passed.ecn,
                        passed.len,
                        passed.stride
                    ),
                    (meta.addr, meta.dst_ip, meta.ecn, meta.len, meta.stride)
                );
            }
        }
    }
}
