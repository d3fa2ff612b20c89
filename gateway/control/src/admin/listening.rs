//! The admin listener: who connects gets a place, shakes hands where it speaks
//! TLS, and is served.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::serve::Listener;
use rustls::ServerConfig;
use socket2::{Domain, SockRef};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::places::{Place, Places, Standing};
use super::serving::{Patience, closed, serve};
use crate::access::Notices;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// How long a client is waited for.
const PATIENCE: Patience = Patience {
    head: Duration::from_secs(10),
    body: STALL,
};

/// What the kernel may hold for a client that has not been sent yet: it would
/// keep megabytes of a live stream for one that does not read, who is to be
/// told of the newest instead.
const MOST_UNSENT: u32 = 128 * 1024;

/// How long a client may take nothing of what it is sent.
const STALL: Duration = Duration::from_secs(30);

/// Where operators connect, before it is served.
pub(crate) struct AdminListener {
    listener: StdListener,
    /// How it speaks TLS; none for plain HTTP.
    tls: Option<Arc<ServerConfig>>,
}

impl AdminListener {
    /// Listen where operators are to connect.
    ///
    /// # Errors
    ///
    /// When the address cannot be had.
    pub(crate) fn bind(address: SocketAddr, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        Self::of(StdListener::bind(address)?, tls)
    }

    /// Take over a socket that listens already.
    ///
    /// # Errors
    ///
    /// When it is none of TCP, or the system refuses.
    pub(crate) fn adopt(socket: OwnedFd, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        if SockRef::from(&socket).domain()? == Domain::UNIX {
            let error = "the socket that was handed over for it is none of TCP";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
        }
        Self::of(socket.into(), tls)
    }

    fn of(listener: StdListener, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        // Accepted sockets inherit both, early ones too. The kernel ends them
        // itself, stuck streams included, and knows better than we could what a
        // client has taken.
        let socket = SockRef::from(&listener);
        socket.set_tcp_user_timeout(Some(STALL))?;
        socket.set_tcp_notsent_lowat(MOST_UNSENT)?;
        Ok(Self { listener, tls })
    }

    /// A duplicate of its socket.
    ///
    /// # Errors
    ///
    /// When the system has no more descriptors.
    pub(crate) fn socket(&self) -> io::Result<StdListener> {
        self.listener.try_clone()
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// When the system does not say.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Accept and serve until it is to close.
///
/// # Errors
///
/// When the listener cannot be used.
pub(super) async fn accept(
    AdminListener { listener, tls }: AdminListener,
    routes: Router,
    mut closing: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut listener = TcpListener::from_std(listener)?;
    let door = Door {
        tls: tls.map(TlsAcceptor::from),
        routes,
        notices: Arc::default(),
        closing: closing.clone(),
    };
    let places = Places::default();
    loop {
        // The trait's, which waits where there are no descriptors left.
        let (stream, peer) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            () = closed(&mut closing) => return Ok(()),
        };
        let standing = match door.tls {
            Some(_) => Standing::Shaking,
            None => Standing::Stranger,
        };
        let (place, leave) = places.enter(peer.ip(), standing);
        let entering = door.clone().enter(stream, peer, place);
        tokio::spawn(async move {
            tokio::select! {
                () = entering => {}
                _ = leave => {}
            }
        });
    }
}

/// What a connection goes through.
#[derive(Clone)]
struct Door {
    tls: Option<TlsAcceptor>,
    routes: Router,
    notices: Arc<Notices>,
    closing: watch::Receiver<bool>,
}

impl Door {
    async fn enter(self, stream: TcpStream, peer: SocketAddr, place: Place) {
        let place = Arc::new(place);
        match &self.tls {
            None => self.serve(stream, peer, place).await,
            Some(tls) => {
                if let Some(stream) = self.shake_hands(tls, stream, peer).await {
                    place.reaches(Standing::Stranger);
                    self.serve(stream, peer, place).await;
                }
            }
        }
    }

    async fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
        place: Arc<Place>,
    ) {
        let (routes, closing) = (self.routes.clone(), self.closing.clone());
        serve(stream, peer, place, routes, PATIENCE, closing).await;
    }

    async fn shake_hands(
        &self,
        tls: &TlsAcceptor,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> Option<TlsStream<TcpStream>> {
        let shaken = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await;
        let error = match shaken {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => error,
            Err(_) => io::Error::new(io::ErrorKind::TimedOut, "the handshake stalled"),
        };
        if let Some(untold) = self.notices.due(peer.ip(), Instant::now()) {
            tracing::info!(peer = %peer.ip(), %error, untold, "no TLS with an admin client");
        }
        None
    }
}
