//! A socket that the runtime knows nothing of. What the system has told of it holds until
//! a call finds otherwise; nobody is woken.

use std::net::{Shutdown, TcpStream};

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

/// What the system is to tell of a socket.
pub(super) const WATCHED: EventFlags = EventFlags::IN
    .union(EventFlags::OUT)
    .union(EventFlags::RDHUP)
    .union(EventFlags::ET);

/// What it says where nothing comes or goes any more, be it behind the last bytes.
const BROKEN: EventFlags = EventFlags::HUP.union(EventFlags::ERR);

/// A socket, and what the system has told of it.
pub(super) struct Bare {
    socket: TcpStream,
    is_readable: bool,
    is_writable: bool,
    /// Whether nothing comes behind what there is to be read.
    is_over: bool,
    is_broken: bool,
}

impl From<TcpStream> for Bare {
    fn from(socket: TcpStream) -> Self {
        Self {
            socket,
            is_readable: false,
            is_writable: false,
            is_over: false,
            is_broken: false,
        }
    }
}

impl Bare {
    /// Take note of an event. Returns whether there may be something to be read, and
    /// whether it takes what it did not take before.
    pub(super) fn hears(&mut self, flags: EventFlags) -> (bool, bool) {
        self.is_broken |= flags.intersects(BROKEN);
        self.is_over |= self.is_broken || flags.intersects(EventFlags::RDHUP);
        self.is_readable |= self.is_over || flags.intersects(EventFlags::IN);
        let takes = flags.intersects(EventFlags::OUT.union(BROKEN));
        let takes_again = takes && !self.is_writable;
        self.is_writable |= takes;
        (self.is_readable, takes_again)
    }

    /// Whether there may be something to be read.
    pub(super) fn is_readable(&self) -> bool {
        self.is_readable
    }

    /// Whether its peer has broken off.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Read what there is, which may be the end; nothing where more is still to come.
    pub(super) fn read(&mut self, place: &mut [u8]) -> Result<Option<usize>, Errno> {
        if !self.is_readable {
            return Ok(None);
        }
        let room = place.len();
        match recv(&self.socket, place, RecvFlags::DONTWAIT) {
            Ok((read, _)) => {
                // What did not fill the place was all, unless urgent data follow, and the
                // system tells of more; but it has told already that none comes.
                self.is_readable = read == room || self.is_over;
                Ok(Some(read))
            }
            Err(Errno::AGAIN) => {
                self.is_readable = false;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Write as much as there is room for. Returns how much that was.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let flags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
        let mut written = 0;
        while self.is_writable && written < bytes.len() {
            match send(&self.socket, &bytes[written..], flags) {
                Ok(sent) => written += sent,
                Err(Errno::AGAIN) => self.is_writable = false,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Tell the peer that no more comes. That it has closed already, as is the only way
    /// for this to fail, whoever reads finds out.
    pub(super) fn shut_down(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}
