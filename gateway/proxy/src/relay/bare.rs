//! A socket that the runtime knows nothing of. What the system has told of it holds until
//! a call finds otherwise; nobody is woken.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the system is to tell of a socket.
pub(super) const WATCHED: EventFlags = EventFlags::IN
    .union(EventFlags::OUT)
    .union(EventFlags::RDHUP)
    .union(EventFlags::ET);

/// What it says where no more comes, which it may say together with the last bytes.
const OVER: EventFlags = EventFlags::RDHUP.union(BROKEN);

/// What it says where nothing goes either.
const BROKEN: EventFlags = EventFlags::HUP.union(EventFlags::ERR);

/// A socket, and what the system has told of it.
pub(super) struct Bare {
    socket: TcpStream,
    pub(super) is_readable: bool,
    is_writable: bool,
    /// Whether nothing comes behind what there is to be read.
    is_over: bool,
    /// Reads that are left of its way's turn.
    pub(super) reads_left: u32,
    /// Whether its way is to be carried.
    pub(super) is_due: bool,
}

impl From<TcpStream> for Bare {
    fn from(socket: TcpStream) -> Self {
        Self {
            socket,
            is_readable: false,
            is_writable: false,
            is_over: false,
            reads_left: 0,
            is_due: false,
        }
    }
}

impl Bare {
    /// Take note of an event. Returns whether there may be something to be read, and
    /// whether it takes what it did not take before.
    pub(super) fn hears(&mut self, flags: EventFlags) -> (bool, bool) {
        self.is_over |= flags.intersects(OVER);
        self.is_readable |= self.is_over || flags.intersects(EventFlags::IN);
        let takes = flags.intersects(EventFlags::OUT.union(BROKEN));
        let takes_again = takes && !self.is_writable;
        self.is_writable |= takes;
        (self.is_readable, takes_again)
    }
}

impl AsyncRead for Bare {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_readable || this.reads_left == 0 {
            return Poll::Pending;
        }
        this.reads_left -= 1;
        let place = buffer.initialize_unfilled();
        let room = place.len();
        match recv(&this.socket, place, RecvFlags::DONTWAIT) {
            Ok((read, _)) => {
                // What did not fill the place was all, and the system tells of more; but
                // it has told already that none comes.
                this.is_readable = read == room || this.is_over;
                buffer.advance(read);
                Poll::Ready(Ok(()))
            }
            Err(Errno::AGAIN) => {
                this.is_readable = false;
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}

impl AsyncWrite for Bare {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.is_writable {
            return Poll::Pending;
        }
        let flags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
        match send(&this.socket, bytes, flags) {
            Err(Errno::AGAIN) => {
                this.is_writable = false;
                Poll::Pending
            }
            sent => Poll::Ready(sent.map_err(io::Error::from)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// That the peer has closed already, as is the only way for this to fail, whoever
    /// reads finds out.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = self.socket.shutdown(Shutdown::Write);
        Poll::Ready(Ok(()))
    }
}
