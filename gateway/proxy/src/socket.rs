//! Streams of either kind that connections run on: TCP, and Unix sockets.
//!
//! What is above them, from the outbox to TLS and hyper, knows one kind alone:
//! here a call is passed on to the stream's own, at the price of a branch. TCP's
//! halves are tokio's own, since these know without a system call when a socket
//! has been read empty.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use gatewright_model::address::Address;
use gatewright_wire::proxy_header::Ends;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, tcp, unix};

/// A stream whose ends have not been parted yet.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Connect to a server.
    pub(crate) async fn connect(address: &Address) -> io::Result<Self> {
        match address {
            Address::Ip(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Self::Tcp(stream))
            }
            Address::Unix(path) => UnixStream::connect(path).await.map(Self::Unix),
        }
    }

    /// Both ends of a client's connection that was accepted from `peer`. None on
    /// a Unix socket, whose ends have no addresses.
    pub(crate) fn ends(&self, peer: Option<SocketAddr>) -> io::Result<Option<Ends>> {
        match (self, peer) {
            (Self::Tcp(stream), Some(source)) => {
                let destination = stream.local_addr()?;
                Ok(Some(Ends {
                    source,
                    destination,
                }))
            }
            _ => Ok(None),
        }
    }

    /// The reading and the writing side, each for an owner of its own.
    pub(crate) fn into_halves(self) -> (Reading, Writing) {
        match self {
            Self::Tcp(stream) => {
                let (reading, writing) = stream.into_split();
                (Reading::Tcp(reading), Writing::Tcp(writing))
            }
            Self::Unix(stream) => {
                let (reading, writing) = stream.into_split();
                (Reading::Unix(reading), Writing::Unix(writing))
            }
        }
    }
}

/// Pass a call on to the stream of either kind.
macro_rules! either {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Self::Tcp($inner) => $call,
            Self::Unix($inner) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}

/// The reading side of a stream.
pub(crate) enum Reading {
    Tcp(tcp::OwnedReadHalf),
    Unix(unix::OwnedReadHalf),
}

impl Reading {
    /// Read without waiting.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        either!(self, half => half.try_read(buffer))
    }
}

impl AsyncRead for Reading {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self.get_mut(), half => Pin::new(half).poll_read(cx, buffer))
    }
}

/// The writing side of a stream.
pub(crate) enum Writing {
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
}

impl Writing {
    /// Write what fits without waiting.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, half => half.try_write(bytes))
    }

    /// Ready when the socket may take more.
    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(half) => AsRef::<TcpStream>::as_ref(half).poll_write_ready(cx),
            Self::Unix(half) => AsRef::<UnixStream>::as_ref(half).poll_write_ready(cx),
        }
    }

    /// The socket, for what is asked of the system itself.
    pub(crate) fn socket(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(half) => SockRef::from(AsRef::<TcpStream>::as_ref(half)),
            Self::Unix(half) => SockRef::from(AsRef::<UnixStream>::as_ref(half)),
        }
    }

    /// Let go of it without closing the stream for writing.
    pub(crate) fn forget(self) {
        either!(self, half => half.forget());
    }
}
