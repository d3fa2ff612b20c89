//! A copy of a request's body in the making.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

/// What the writer and the reader of a copy share.
struct Copy {
    bytes: RefCell<BytesMut>,
    limit: usize,
    state: Cell<State>,
    decided: Notify,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Growing,
    Whole,
    /// It would be too large, or the original was not read to its end.
    Lost,
}

/// Writes a copy. Dropped before its end, it loses it.
pub(crate) struct CopyWriter(Rc<Copy>);

/// A copy to be.
pub(crate) struct Copied(Rc<Copy>);

/// A copy of at most so many bytes, to be written and to be read.
pub(crate) fn copy(limit: usize) -> (CopyWriter, Copied) {
    let copy = Rc::new(Copy {
        bytes: RefCell::default(),
        limit,
        state: Cell::new(State::Growing),
        decided: Notify::new(),
    });
    (CopyWriter(Rc::clone(&copy)), Copied(copy))
}

impl CopyWriter {
    /// More of the original has come.
    pub(crate) fn write(&self, data: &[u8]) {
        let mut bytes = self.0.bytes.borrow_mut();
        if bytes.len() + data.len() > self.0.limit {
            *bytes = BytesMut::new();
            drop(bytes);
            self.0.decide(State::Lost);
        } else if self.0.state.get() == State::Growing {
            bytes.extend_from_slice(data);
        }
    }

    /// The original has ended as it should.
    pub(crate) fn finish(&self) {
        self.0.decide(State::Whole);
    }
}

impl Drop for CopyWriter {
    fn drop(&mut self) {
        self.0.decide(State::Lost);
    }
}

impl Copy {
    fn decide(&self, state: State) {
        if self.state.get() == State::Growing {
            self.state.set(state);
            self.decided.notify_one();
        }
    }
}

impl Copied {
    /// The bytes, once they are whole; none if they never will be.
    pub(crate) async fn whole(self) -> Option<Bytes> {
        while self.0.state.get() == State::Growing {
            self.0.decided.notified().await;
        }
        let is_whole = self.0.state.get() == State::Whole;
        is_whole.then(|| self.0.bytes.take().freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_copy_is_whole_when_the_original_is() {
        let (writer, copied) = copy(10);
        writer.write(b"hello ");
        writer.write(b"you");
        writer.finish();
        drop(writer);
        assert_eq!(copied.whole().await.as_deref(), Some(&b"hello you"[..]));
    }

    #[tokio::test]
    async fn what_breaks_off_or_grows_too_large_is_lost() {
        let (writer, copied) = copy(10);
        writer.write(b"hello");
        drop(writer);
        assert_eq!(copied.whole().await, None);
        let (writer, copied) = copy(10);
        writer.write(b"hello");
        writer.write(b" world");
        writer.finish();
        assert_eq!(copied.whole().await, None);
    }
}
