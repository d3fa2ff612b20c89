//! Taking a body along while it passes to a client, so that it can be kept once all
//! of it has come.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::task::AbortHandle;

use super::flights::{Landing, Lead};
use super::room::Room;
use super::store::Cache;
use super::stored::{Key, Stored};
use crate::body::Content;
use crate::deadlines::{Deadline, Deadlines, since_start};
use crate::upstream::CutShort;

/// An answer that is to be kept once its body is there. Dropped before, it is not.
pub(super) struct Keeping {
    pub(super) cache: Arc<Cache>,
    pub(super) key: Key,
    pub(super) asked: Instant,
    /// The headers of the request.
    pub(super) request: HeaderMap,
    /// Without its body.
    pub(super) stored: Stored,
    /// Who waits for it.
    pub(super) lead: Option<Lead>,
    /// What it takes until then.
    pub(super) room: Room,
    /// Bytes of its body for which there is room.
    pub(super) expected: usize,
}

impl Keeping {
    /// Its body is there.
    pub(super) fn keep(self, body: Bytes) {
        let mut stored = self.stored;
        stored.body = body;
        // From here on it is counted as what is kept.
        drop(self.room);
        let is_kept = self.cache.keep(&self.key, &Arc::new(stored), self.asked);
        lands(self.lead, is_kept);
    }

    /// It is more than may be kept.
    pub(super) fn give_up(self) {
        self.cache
            .keep_apart(&self.key, &self.request, Instant::now());
        lands(self.lead, false);
    }
}

/// Tell those who wait what has become of it.
pub(super) fn lands(lead: Option<Lead>, is_kept: bool) {
    if let Some(lead) = lead {
        lead.lands(match is_kept {
            true => Landing::Kept,
            false => Landing::Apart,
        });
    }
}

/// How long a client may hold up what is taken along for all: at once, and in all.
const AT_ONCE: Duration = Duration::from_secs(5);
const IN_ALL: Duration = Duration::from_secs(30);

/// A body of which a copy is taken, as long as its client takes it fast enough: what
/// others wait for, and the room that it has, are not one client's to hold.
pub(crate) struct Keep {
    content: Content,
    copy: Rc<RefCell<Taken>>,
    /// Passes when the client has not asked for more in time.
    deadline: Rc<Deadline>,
    /// The tick at which the client got something, until it asks for more.
    gave_at: Option<u64>,
    /// For how long it has not asked for more, in all.
    held_up: Duration,
    /// Who waits for the deadline: a client that stands still polls nothing.
    watch: AbortHandle,
}

/// What has come of a body.
struct Taken {
    bytes: Vec<u8>,
    most: usize,
    /// None once it is kept, or cannot be.
    keeping: Option<Keeping>,
}

impl Keep {
    pub(super) fn begin(
        deadlines: &Rc<Deadlines>,
        content: Content,
        keeping: Keeping,
        most: usize,
    ) -> Self {
        let copy = Rc::new(RefCell::new(Taken {
            bytes: Vec::with_capacity(keeping.expected),
            most,
            keeping: Some(keeping),
        }));
        let deadline = Rc::new(deadlines.register());
        let watching = watch(Rc::clone(&deadline), Rc::downgrade(&copy));
        let mut keep = Self {
            content,
            copy,
            deadline,
            gave_at: None,
            held_up: Duration::ZERO,
            watch: tokio::task::spawn_local(watching).abort_handle(),
        };
        keep.gave();
        keep
    }

    /// The client has what there is: its time runs until it asks for more.
    fn gave(&mut self) {
        if self.copy.borrow().keeping.is_some() {
            self.gave_at = Some(self.deadline.now());
            self.deadline
                .arm(AT_ONCE.min(IN_ALL.saturating_sub(self.held_up)));
        }
    }

    /// The client asks for more: the time until that comes is the server's.
    fn is_asked(&mut self) {
        if let Some(gave_at) = self.gave_at.take() {
            self.held_up += since_start(self.deadline.now() - gave_at);
            self.deadline.disarm();
        }
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// Leave a copy to be made for another client once this one has had its time.
async fn watch(deadline: Rc<Deadline>, copy: Weak<RefCell<Taken>>) {
    poll_fn(|cx| deadline.poll_passed(cx)).await;
    if let Some(copy) = copy.upgrade() {
        copy.borrow_mut().leave();
    }
}

impl Taken {
    fn take(&mut self, data: &[u8]) {
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        let (length, held) = (self.bytes.len() + data.len(), self.bytes.capacity());
        if length > self.most {
            self.bytes = Vec::new();
            self.keeping
                .take()
                .map(Keeping::give_up)
                .unwrap_or_default();
            return;
        }
        if length > held {
            // Twice as much each time, so that little is copied.
            let more = (2 * held).clamp(length, self.most) - held;
            if !keeping.room.extend(more) {
                let keeping = self.keeping.take();
                lands(keeping.and_then(|keeping| keeping.lead), false);
                self.bytes = Vec::new();
                return;
            }
            self.bytes.reserve_exact(held + more - self.bytes.len());
        }
        self.bytes.extend_from_slice(data);
    }

    /// All has come.
    fn end(&mut self) {
        if let Some(keeping) = self.keeping.take() {
            let taken = std::mem::take(&mut self.bytes);
            keeping.keep(Bytes::from(taken.into_boxed_slice()));
        }
    }

    /// It is not to be kept, for a reason of its own.
    fn leave(&mut self) {
        self.keeping = None;
        self.bytes = Vec::new();
    }
}

impl Body for Keep {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        self.is_asked();
        let frame = ready!(Pin::new(&mut self.content).poll_frame(cx));
        let mut copy = self.copy.borrow_mut();
        match &frame {
            None => copy.end(),
            Some(Err(_)) => copy.leave(),
            Some(Ok(frame)) => match frame.data_ref() {
                Some(data) => copy.take(data),
                // Trailers would be lost.
                None => copy.leave(),
            },
        }
        // Nobody asks for what comes after the end.
        if self.content.is_end_stream() {
            copy.end();
        }
        drop(copy);
        self.gave();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}
