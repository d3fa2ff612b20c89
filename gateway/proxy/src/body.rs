//! The body of a response as the HTTP server sends it to the client.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::connection::Serving;
use crate::streams::Gave;
use crate::upstream::{CutShort, StreamBody, Switched, UpstreamBody};

/// A response's body with the guard of its exchange: the exchange is over when
/// the HTTP server drops the body, at its end or before.
pub(crate) struct ClientBody {
    content: Content,
    serving: Serving,
    /// What went wrong, until it is said.
    failure: Option<CutShort>,
}

/// What a response says.
pub(crate) enum Content {
    /// All of it is here; empty when there is nothing (left) to say.
    Whole(Bytes),
    /// It comes from a server as we speak.
    Streaming(Box<UpstreamBody>),
    /// The same, over HTTP/2.
    Stream(Box<StreamBody>),
    /// Nothing: the server speaks another protocol now, which is carried by a
    /// tunnel.
    Switched(Box<Switched>),
}

impl Content {
    /// Nothing to say.
    pub(crate) fn empty() -> Self {
        Self::Whole(Bytes::new())
    }

    /// End the exchange with this.
    pub(crate) fn with(self, serving: Serving) -> ClientBody {
        ClientBody {
            content: self,
            serving,
            failure: None,
        }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        let frame = match &mut self.content {
            Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Streaming(body) => Pin::new(&mut **body).poll_frame(cx),
            Content::Stream(body) => Pin::new(&mut **body).poll_frame(cx),
            Content::Switched(_) => Poll::Ready(None),
        };
        self.serving.gave(match frame.is_ready() {
            true => Gave::Something,
            false => Gave::Nothing,
        });
        if let Poll::Ready(Some(Err(failure))) = frame {
            // The HTTP server drops what it has not flushed when a body fails,
            // the head included. It flushes once nothing comes.
            self.failure = Some(failure);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Streaming(body) => body.is_end_stream(),
            Content::Stream(body) => body.is_end_stream(),
            Content::Switched(_) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Streaming(body) => body.size_hint(),
            Content::Stream(body) => body.size_hint(),
            Content::Switched(_) => SizeHint::with_exact(0),
        }
    }
}
