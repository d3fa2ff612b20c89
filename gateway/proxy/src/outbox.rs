//! What a worker has to send, sent together at the end of a round.
//!
//! A worker works in rounds: the kernel names the sockets on which something
//! came, and each task that waited for one of them runs once. What the tasks
//! write meanwhile is posted here, and when the last of them has run it goes
//! out, socket after socket, with one system call each as before. A peer on the
//! same machine is woken once a round, not once a write, and the kernel's
//! sending code runs while it is warm.
//!
//! Nothing waits for a timer: the round of a single request is that request.
//! Who writes more than a few kilobytes at once, or closes, does not wait for
//! the round's end, nor do those who wrote before. While rounds are small, what
//! one task has posted goes out as soon as the next one posts: a worker that has
//! time left would only make its peers wait.

mod layered;
mod posted;
mod socket;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};

pub(crate) use self::layered::Layered;
pub(crate) use self::posted::Posted;
pub(crate) use self::socket::Socket;

/// The longest write that is posted: copying a longer one costs more than
/// sending it at once.
const LONGEST: usize = 4 * 1024;

/// Bytes that a round may gather before they are sent in the middle of it.
const FULL: usize = 128 * 1024;

/// Fewer writes make a small round. A worker without time to spare has rounds of some
/// 25, with 32 clients.
const SMALL: usize = 8;

/// A worker's writes of the present round.
#[derive(Default)]
pub(crate) struct Outbox {
    to_servers: RefCell<Letters>,
    to_clients: RefCell<Letters>,
    /// How many there have been in this round, sent ones included, and in the last one.
    writes: Cell<usize>,
    writes_before: Cell<usize>,
    /// Lines whose socket was full: they wait until it takes more.
    held: RefCell<Vec<Rc<Line>>>,
    /// Lines on which no more is sent, whose peers have not been told so.
    ended: RefCell<Vec<Weak<Line>>>,
    /// Wakes whoever ends the round.
    closer: RefCell<Option<Waker>>,
}

#[derive(Default)]
struct Letters {
    bytes: Vec<u8>,
    /// Each with where its bytes end, which is where the next one's begin.
    addressed: Vec<(Rc<Line>, usize)>,
}

impl Letters {
    /// Whether the last one is a line's.
    fn ends_with(&self, line: &Rc<Line>) -> bool {
        let last = self.addressed.last();
        last.is_some_and(|(last, _)| Rc::ptr_eq(last, line))
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    Server,
    Client,
}

/// A connection, as the outbox has it.
struct Line {
    peer: Peer,
    socket: Socket,
    /// What the socket did not take.
    rest: RefCell<BytesMut>,
    failure: Cell<Option<io::ErrorKind>>,
    /// Whether the outbox has a letter of it.
    is_posted: Cell<bool>,
    /// Wakes whoever wants to write more, when the rest has gone.
    writer: RefCell<Option<Waker>>,
}

impl Outbox {
    /// End every round, for ever. One task of a worker does this, so that it
    /// runs after all that were woken before it.
    pub(crate) async fn serve(&self) {
        poll_fn(|cx| {
            let mut closer = self.closer.borrow_mut();
            if closer.is_none() {
                *closer = Some(cx.waker().clone());
            }
            drop(closer);
            self.writes_before.set(self.writes.replace(0));
            self.send();
            self.tell_ends();
            self.held
                .borrow_mut()
                .retain(|line| is_used(line) && line.poll_rest(cx).is_pending());
            Poll::<()>::Pending
        })
        .await;
    }

    /// Send what has been posted: first to the servers, who have work to do
    /// while the answers go out. Sent one kind after the other, each kind of
    /// peer is kept busy and does not fall asleep in between.
    pub(crate) fn send(&self) {
        self.send_all(&self.to_servers);
        self.send_all(&self.to_clients);
    }

    fn send_all(&self, letters: &RefCell<Letters>) {
        let mut letters = letters.borrow_mut();
        let Letters { bytes, addressed } = &mut *letters;
        let mut start = 0;
        for (line, end) in addressed.drain(..) {
            if line.send(&bytes[start..end]) && is_used(&line) {
                self.held.borrow_mut().push(line);
            }
            start = end;
        }
        bytes.clear();
    }

    /// Have a peer told at the round's end that no more comes. Mostly the connection
    /// is closed by then, which tells it too and saves a system call.
    fn end(&self, line: &Rc<Line>) {
        self.ended.borrow_mut().push(Rc::downgrade(line));
        if let Some(closer) = &*self.closer.borrow() {
            closer.wake_by_ref();
        }
    }

    fn tell_ends(&self) {
        for line in self.ended.borrow_mut().drain(..) {
            if let Some(line) = line.upgrade() {
                line.tell_end();
            }
        }
    }

    /// Count a write, and have the round ended that it begins.
    fn count(&self) {
        let writes = self.writes.get();
        self.writes.set(writes + 1);
        if writes == 0
            && let Some(closer) = &*self.closer.borrow()
        {
            closer.wake_by_ref();
        }
    }

    /// Whether rounds are small.
    fn is_quiet(&self) -> bool {
        self.writes.get().max(self.writes_before.get()) < SMALL
    }

    /// Post what is written behind what others have posted.
    fn post(&self, line: &Rc<Line>, write: impl FnOnce(&mut Vec<u8>)) {
        let letters = match line.peer {
            Peer::Server => &self.to_servers,
            Peer::Client => &self.to_clients,
        };
        if !letters.borrow().ends_with(line) {
            self.count();
            if self.is_quiet() {
                self.send();
            }
        }
        let mut letters = letters.borrow_mut();
        write(&mut letters.bytes);
        let end = letters.bytes.len();
        match letters.addressed.last_mut() {
            // A head and its body go out as one.
            Some((last, its_end)) if Rc::ptr_eq(last, line) => *its_end = end,
            _ => letters.addressed.push((Rc::clone(line), end)),
        }
        line.is_posted.set(true);
        if end > FULL {
            drop(letters);
            self.send();
        }
    }
}

/// Whether the connection is still somebody's: one that was cut does not stay
/// open for what its peer does not take.
fn is_used(line: &Rc<Line>) -> bool {
    Rc::strong_count(line) > 1
}

impl Line {
    /// Send now what fits; returns whether a rest has come to be, which
    /// somebody has to see to.
    fn send(&self, bytes: &[u8]) -> bool {
        self.is_posted.set(false);
        let mut rest = self.rest.borrow_mut();
        if !rest.is_empty() {
            rest.extend_from_slice(bytes);
            return false;
        }
        match self.try_write(bytes) {
            Ok(sent) if sent == bytes.len() => false,
            Ok(sent) => {
                rest.extend_from_slice(&bytes[sent..]);
                true
            }
            Err(error) => {
                self.failure.set(Some(error.kind()));
                false
            }
        }
    }

    /// Ready when the rest is gone, or the connection is.
    fn poll_rest(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut rest = self.rest.borrow_mut();
        while !rest.is_empty() {
            match self.poll_write(cx, &rest) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(sent)) => rest.advance(sent),
                Poll::Ready(Err(error)) => {
                    self.failure.set(Some(error.kind()));
                    rest.clear();
                }
            }
        }
        *rest = BytesMut::new();
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
        Poll::Ready(())
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.try_write(bytes) {
                Ok(0) if !bytes.is_empty() => ready!(self.socket.poll_write_ready(cx))?,
                result => return Poll::Ready(result),
            }
        }
    }

    /// How much went out without waiting.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.socket.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }

    /// Tell the peer that no more comes. That it has closed already, as is the only way
    /// for this to fail, whoever reads finds out.
    fn tell_end(&self) {
        let _ = self.socket.shut_down();
    }

    /// Nothing may be written past bytes that wait already.
    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(failure) = self.failure.get() {
            return Poll::Ready(Err(failure.into()));
        }
        if self.rest.borrow().is_empty() {
            return Poll::Ready(Ok(()));
        }
        *self.writer.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
