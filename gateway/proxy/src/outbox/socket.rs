//! A connection's socket, which the runtime gets to know of when somebody waits.
//!
//! To have the system tell of a socket, and to stop that, takes two system calls, an
//! event and a place in memory. Many a connection has its one request there when it is
//! accepted, and is closed behind the answer: nobody ever waits for it.

use std::cell::{Ref, RefCell};
use std::ffi::c_int;
use std::io::{self, Read as _};
use std::mem::{self, MaybeUninit};
use std::net::{Shutdown, TcpStream as StdTcpStream};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::ioctl::{Getter, Opcode, ioctl};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use socket2::SockRef;
use tokio::io::{AsyncRead as _, Interest, ReadBuf};
use tokio::net::TcpStream;

/// The longest first read of one that is not watched: a usual request's head.
const FIRST: usize = 4 * 1024;

/// Asks how many bytes were sent and are not acknowledged yet: `SIOCOUTQ`, alike on all
/// processors that plugins are compiled for.
const UNACKNOWLEDGED: Opcode = 0x5411;

/// A socket that does not block.
pub(crate) struct Socket(RefCell<State>);

enum State {
    /// The runtime knows nothing of it, and nobody is told when something comes.
    Unwatched {
        stream: StdTcpStream,
        /// Whether it was read already: what there was has come then.
        is_read: bool,
    },
    Watched {
        stream: TcpStream,
        /// Whether the runtime may not have heard yet that it can be written to.
        is_new: bool,
    },
    /// The runtime did not take it, or it was taken away.
    Lost,
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self(RefCell::new(State::Watched {
            stream,
            is_new: false,
        }))
    }
}

/// One that the runtime gets to know of when somebody waits.
impl From<StdTcpStream> for Socket {
    fn from(stream: StdTcpStream) -> Self {
        Self(RefCell::new(State::Unwatched {
            stream,
            is_read: false,
        }))
    }
}

impl Socket {
    /// Whether the runtime knows of it.
    pub(super) fn is_watched(&self) -> bool {
        matches!(*self.0.borrow(), State::Watched { .. })
    }

    /// Have the runtime know of it.
    pub(super) fn watch(&self) -> io::Result<()> {
        self.0.borrow_mut().watch()
    }

    /// The same, as the runtime has it.
    pub(super) fn watched(&self) -> io::Result<Ref<'_, TcpStream>> {
        self.watch()?;
        let watched = Ref::filter_map(self.0.borrow(), |state| match state {
            State::Watched { stream, .. } => Some(stream),
            State::Unwatched { .. } | State::Lost => None,
        });
        watched.map_err(|_| lost())
    }

    /// Whether nothing has come of which the runtime was told.
    pub(super) fn is_silent(&self) -> bool {
        match &*self.0.borrow() {
            State::Watched { stream, .. } => stream.try_io(Interest::READABLE, || Ok(())).is_err(),
            State::Unwatched { .. } | State::Lost => false,
        }
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.borrow_mut();
        if let State::Unwatched { stream, is_read } = &mut *state
            && !mem::replace(is_read, true)
        {
            match read_first(stream, buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
        }
        state.watch()?;
        match &mut *state {
            State::Watched { stream, .. } => Pin::new(stream).poll_read(cx, buffer),
            State::Unwatched { .. } | State::Lost => Poll::Ready(Err(lost())),
        }
    }

    pub(super) fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        next: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.watched()?.poll_peek(cx, &mut ReadBuf::new(next))
    }

    /// Read without waiting.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut *self.0.borrow_mut() {
            State::Watched { stream, .. } => stream.try_read(buffer),
            State::Unwatched { stream, .. } => stream.read(buffer),
            State::Lost => Err(lost()),
        }
    }

    /// Write without waiting.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.0.borrow_mut() {
            State::Watched { stream, is_new } => {
                match stream.try_io(Interest::WRITABLE, || send_to(&*stream, bytes)) {
                    // The runtime has asked nobody.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock && *is_new => {
                        send_to(&*stream, bytes)
                    }
                    written => {
                        *is_new = false;
                        written
                    }
                }
            }
            State::Unwatched { stream, .. } => send_to(&*stream, bytes),
            State::Lost => Err(lost()),
        }
    }

    /// Ready when it may take more.
    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watched()?.poll_write_ready(cx)
    }

    /// How many bytes that were sent the peer's system has yet to take.
    pub(super) fn untaken(&self) -> usize {
        match &*self.0.borrow() {
            State::Watched { stream, .. } => unacknowledged(stream),
            State::Unwatched { stream, .. } => unacknowledged(stream),
            State::Lost => 0,
        }
    }

    /// Take it away, from the runtime too.
    pub(super) fn take(&self) -> io::Result<StdTcpStream> {
        match self.0.replace(State::Lost) {
            State::Watched { stream, .. } => stream.into_std(),
            State::Unwatched { stream, .. } => Ok(stream),
            State::Lost => Err(lost()),
        }
    }

    /// Tell the peer that no more comes.
    pub(super) fn shut_down(&self) -> io::Result<()> {
        match &*self.0.borrow() {
            State::Watched { stream, .. } => SockRef::from(stream).shutdown(Shutdown::Write),
            State::Unwatched { stream, .. } => stream.shutdown(Shutdown::Write),
            State::Lost => Err(lost()),
        }
    }
}

impl State {
    fn watch(&mut self) -> io::Result<()> {
        if matches!(self, Self::Unwatched { .. })
            && let Self::Unwatched { stream, .. } = mem::replace(self, Self::Lost)
        {
            *self = Self::Watched {
                stream: TcpStream::from_std(stream)?,
                is_new: true,
            };
        }
        Ok(())
    }
}

/// Read what is there already, by way of the stack: so much is soon copied, and nothing
/// has to be known of what is in the buffer.
fn read_first(stream: &StdTcpStream, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
    let mut place = [MaybeUninit::<u8>::uninit(); FIRST];
    let room = buffer.remaining().min(FIRST);
    let ((come, _), _) = recv(stream, &mut place[..room], RecvFlags::empty())?;
    buffer.put_slice(come);
    Ok(())
}

/// Send without the library's point of cancellation, which costs more than the rest of a
/// call in user space.
fn send_to(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(socket, bytes, SendFlags::NOSIGNAL)?)
}

fn unacknowledged(socket: impl AsFd) -> usize {
    #[expect(
        unsafe_code,
        reason = "the system fills in an int for this call, and so does `Getter`"
    )]
    let bytes = unsafe { ioctl(socket, Getter::<UNACKNOWLEDGED, c_int>::new()) };
    // Of what cannot be asked nothing is waited for.
    bytes.map_or(0, |bytes| usize::try_from(bytes).unwrap_or(0))
}

fn lost() -> io::Error {
    io::ErrorKind::NotConnected.into()
}
