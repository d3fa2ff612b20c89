//! The body of a request as a client sends it, over whichever protocol.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use hyper::body::Incoming;

use crate::http3::Arriving;

/// A body on its way in.
pub(crate) enum Upload {
    /// Over HTTP/1.1 or HTTP/2.
    Http(Incoming),
    /// Over HTTP/3.
    Http3(Box<Arriving>),
}

/// The client left, or broke its framing.
pub(crate) struct Broken;

impl Upload {
    /// The next part of it; none at the end.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        Poll::Ready(match self {
            Self::Http(body) => {
                ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map_err(|_| Broken))
            }
            Self::Http3(body) => {
                ready!(Pin::new(&mut **body).poll_frame(cx)).map(|frame| frame.map_err(|_| Broken))
            }
        })
    }

    /// Whether it is known that nothing more comes.
    pub(crate) fn is_end_stream(&self) -> bool {
        match self {
            Self::Http(body) => body.is_end_stream(),
            Self::Http3(body) => body.is_end_stream(),
        }
    }

    /// The length that the client announced.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Http(body) => body.size_hint().exact(),
            Self::Http3(body) => body.size_hint().exact(),
        }
    }
}
