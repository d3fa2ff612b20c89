//! HTTP/3 from clients: QUIC by quinn, HTTP/3's control streams and fields by h3,
//! and around both what keeps a stranger within limits.
//!
//! Each worker has a UDP socket of its own at the listener's address, as it has one
//! for TCP ([`sockets`]). The kernel spreads datagrams by their addresses; when a
//! client's changes, they come to another worker, who passes them on to the one
//! that their connection id names ([`datagrams`], [`ids`]). A connection is served
//! by [`session`], a request by [`exchanging`], between [`transport`] and the same
//! [`exchange`](crate::exchange) that serves HTTP/1.1 and HTTP/2.

mod accept;
mod arriving;
mod beside;
mod datagrams;
mod exchanging;
mod ids;
mod session;
mod sockets;
mod transport;

pub(crate) use accept::{accept, server_config};
pub(crate) use arriving::Arriving;
pub(crate) use sockets::{DatagramGroup, Datagrams};
