//! The admin listener's connections, in the clear or by TLS.

use std::future::pending;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Handshakes under way at once; more clients wait to be accepted.
const MOST_HANDSHAKES: usize = 256;

/// Where operators connect, before it is served.
pub(crate) struct AdminListener {
    pub(crate) listener: StdListener,
    /// How it speaks TLS; none for plain HTTP.
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

/// Where a client connects from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// A connection, once its handshake is done.
type Shaken = (TlsStream<TcpStream>, SocketAddr);

/// Connections whose handshakes are done; those under way hold no other up.
pub(super) struct TlsListener {
    address: SocketAddr,
    shaken: mpsc::Receiver<Shaken>,
}

impl TlsListener {
    /// Accept, and shake hands as this says.
    pub(super) fn new(listener: TcpListener, config: Arc<ServerConfig>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, shaken) = mpsc::channel(MOST_HANDSHAKES);
        tokio::spawn(accept(listener, TlsAcceptor::from(config), sender));
        Ok(Self { address, shaken })
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Shaken {
        match self.shaken.recv().await {
            Some(shaken) => shaken,
            // The one that accepts has ended, with the thread's runtime.
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn accept(mut listener: TcpListener, acceptor: TlsAcceptor, shaken: mpsc::Sender<Shaken>) {
    let handshakes = Arc::new(Semaphore::new(MOST_HANDSHAKES));
    while let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await {
        // The trait's, which waits where there are no descriptors left.
        let (stream, peer) = Listener::accept(&mut listener).await;
        let (acceptor, shaken) = (acceptor.clone(), shaken.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
                // The receiver lives as long as the listener.
                Ok(Ok(stream)) => drop(shaken.send((stream, peer)).await),
                Ok(Err(error)) => {
                    tracing::info!(peer = %peer.ip(), %error, "no TLS with an admin client");
                }
                Err(_) => tracing::info!(peer = %peer.ip(), "an admin client's handshake stalled"),
            }
            drop(permit);
        });
    }
}
