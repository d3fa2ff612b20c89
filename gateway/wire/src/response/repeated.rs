//! The last head of a connection, so that one that is the same to the byte need
//! not be understood again: a server's answers are much alike, and its `Date`
//! changes but once a second.

use bytes::{Buf, Bytes, BytesMut};
use http::{Method, StatusCode};

use super::ResponseHead;

/// The longest head that is remembered, and the most fields: together they bound
/// what an idle connection holds to some 5 KiB.
const MAX_BYTES: usize = 1024;
const MAX_FIELDS: usize = 24;

/// What is remembered of the last head.
#[derive(Debug, Default)]
pub(super) struct LastHead {
    /// Its bytes; none if it is too long.
    section: Vec<u8>,
    /// What it means, once it has come twice: heads that change with each
    /// response cost no more than a copy of their bytes.
    meaning: Option<Meaning>,
}

#[derive(Debug)]
struct Meaning {
    head: ResponseHead,
    /// Whether it answered `HEAD`, which decides on the body.
    is_to_head: bool,
}

impl LastHead {
    /// The last head again, if the buffer begins with it; it is then taken off.
    pub(super) fn again(&self, buffer: &mut BytesMut, to: &Method) -> Option<ResponseHead> {
        let meaning = self.meaning.as_ref()?;
        if !buffer.starts_with(&self.section) || meaning.is_to_head != (to == Method::HEAD) {
            return None;
        }
        buffer.advance(self.section.len());
        Some(meaning.head.clone())
    }

    /// Whether these are the bytes of the last head; if not, they become it.
    pub(super) fn is_repeated(&mut self, section: &[u8]) -> bool {
        if !self.section.is_empty() && self.section == section {
            return true;
        }
        self.meaning = None;
        self.section.clear();
        if section.len() <= MAX_BYTES {
            self.section.extend_from_slice(section);
        }
        false
    }

    /// Remembers what the last head means; made of [`section`](Self::section), it
    /// keeps no read buffer in memory.
    pub(super) fn remember(&mut self, head: &ResponseHead, to: &Method) {
        let depends_on_more = head.status == StatusCode::SWITCHING_PROTOCOLS;
        if depends_on_more || head.headers.len() > MAX_FIELDS {
            return;
        }
        self.meaning = Some(Meaning {
            head: head.clone(),
            is_to_head: to == Method::HEAD,
        });
    }

    /// The bytes of the last head, in memory of their own.
    pub(super) fn section(&self) -> Bytes {
        Bytes::copy_from_slice(&self.section)
    }
}
