//! The way of datagrams between a client and a gateway, and what is seen on it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// A Retry among the packets with a long header (RFC 9000 §17.2), whatever the bit
/// says that may be greased.
const RETRY: u8 = 0xb0;

/// The largest datagram.
const LARGEST: usize = 65_536;

/// The way of one client's datagrams.
pub(crate) struct Road {
    address: SocketAddr,
    seen: Arc<Seen>,
    carrying: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    is_one_way: AtomicBool,
    retries: AtomicUsize,
}

impl Road {
    /// A way to a gateway.
    pub(crate) async fn to(gateway: SocketAddr) -> Self {
        let near = UdpSocket::bind("127.0.0.1:0").await.expect("a UDP socket");
        let far = UdpSocket::bind("127.0.0.1:0").await.expect("a UDP socket");
        far.connect(gateway).await.expect("an address");
        let address = near.local_addr().expect("an address");
        let seen = Arc::new(Seen::default());
        let carrying = tokio::spawn(carry(near, far, Arc::clone(&seen)));
        Self {
            address,
            seen,
            carrying,
        }
    }

    /// Where the client begins.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on nothing comes back.
    pub(crate) fn becomes_one_way(&self) {
        self.seen.is_one_way.store(true, Ordering::Relaxed);
    }

    /// How often the client was asked to prove its address.
    pub(crate) fn retries(&self) -> usize {
        self.seen.retries.load(Ordering::Relaxed)
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.carrying.abort();
    }
}

async fn carry(near: UdpSocket, far: UdpSocket, seen: Arc<Seen>) {
    let (mut there, mut back) = (vec![0; LARGEST], vec![0; LARGEST]);
    let mut client = None;
    loop {
        tokio::select! {
            come = near.recv_from(&mut there) => {
                let Ok((length, from)) = come else { continue };
                client = Some(from);
                // What is lost is lost, as on any way.
                let _ = far.send(&there[..length]).await;
            }
            come = far.recv(&mut back) => {
                let Ok(length) = come else { continue };
                let is_retry = back.first().is_some_and(|first| first & 0xb0 == RETRY);
                if length > 0 && is_retry {
                    seen.retries.fetch_add(1, Ordering::Relaxed);
                }
                if let Some(client) = client.filter(|_| !seen.is_one_way.load(Ordering::Relaxed)) {
                    let _ = near.send_to(&back[..length], client).await;
                }
            }
        }
    }
}
