//! Taking a body along while it passes to a client, so that it can be kept once all
//! of it has come.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::flights::{Landing, Lead};
use super::room::Room;
use super::store::Cache;
use super::stored::{Key, Stored};
use crate::body::Content;
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

/// A body of which a copy is taken.
pub(crate) struct Keep {
    content: Content,
    taken: Vec<u8>,
    most: usize,
    /// None once it is kept, or cannot be.
    keeping: Option<Keeping>,
}

impl Keep {
    pub(super) fn begin(content: Content, keeping: Keeping, most: usize) -> Self {
        Self {
            content,
            taken: Vec::with_capacity(keeping.expected),
            most,
            keeping: Some(keeping),
        }
    }

    fn take(&mut self, data: &[u8]) {
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        let (length, held) = (self.taken.len() + data.len(), self.taken.capacity());
        if length > self.most {
            self.taken = Vec::new();
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
                self.taken = Vec::new();
                return;
            }
            self.taken.reserve_exact(held + more - self.taken.len());
        }
        self.taken.extend_from_slice(data);
    }

    /// All has come.
    fn end(&mut self) {
        if let Some(keeping) = self.keeping.take() {
            let taken = std::mem::take(&mut self.taken);
            keeping.keep(Bytes::from(taken.into_boxed_slice()));
        }
    }

    /// It is not to be kept, for a reason of its own.
    fn leave(&mut self) {
        self.keeping = None;
        self.taken = Vec::new();
    }
}

impl Body for Keep {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        let frame = ready!(Pin::new(&mut self.content).poll_frame(cx));
        match &frame {
            None => self.end(),
            Some(Err(_)) => self.leave(),
            Some(Ok(frame)) => match frame.data_ref() {
                Some(data) => self.take(data),
                // Trailers would be lost.
                None => self.leave(),
            },
        }
        // Nobody asks for what comes after the end.
        if self.content.is_end_stream() {
            self.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}
