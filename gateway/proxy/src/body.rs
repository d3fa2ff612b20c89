//! The body of a response as the HTTP server sends it to the client.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::cache::Keep;
use crate::compress::Compressed;
use crate::serving::Serving;
use crate::streams::Gave;
use crate::upstream::{Begun, ConnectionBody, CutShort, ResponseBody, StreamBody, Switched};

/// What is given at a time of what is here: a frame of HTTP/2, and half of what a
/// connection of HTTP/1.1 writes at a time.
const PIECE: usize = 16 * 1024;

/// A response's body with the guard of its exchange: the exchange is over when
/// the HTTP server drops the body, at its end or before.
pub(crate) struct ClientBody {
    content: Content,
    serving: Serving,
    /// What went wrong, until it is said; boxed, since a body is handed on several times.
    failure: Option<Box<CutShort>>,
}

/// What a response says.
pub(crate) enum Content {
    /// All of it is here; empty when there is nothing (left) to say.
    Whole(Bytes),
    /// It comes from a server as we speak.
    Streaming(Box<ResponseBody<ConnectionBody>>),
    /// The same, over HTTP/2.
    Stream(Box<ResponseBody<StreamBody>>),
    /// It comes from a server, and is kept.
    Keeping(Box<Keep>),
    /// It is compressed on its way.
    Compressed(Box<Compressed>),
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

impl From<Begun> for Content {
    fn from(begun: Begun) -> Self {
        match begun {
            Begun::Whole(bytes) => Self::Whole(bytes),
            Begun::Streaming(body) => Self::Streaming(body),
            Begun::Stream(body) => Self::Stream(body),
            Begun::Switched(server) => Self::Switched(server),
        }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => {
                let piece = bytes.split_to(bytes.len().min(PIECE));
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Self::Streaming(body) => Pin::new(&mut **body).poll_frame(cx),
            Self::Stream(body) => Pin::new(&mut **body).poll_frame(cx),
            Self::Keeping(body) => Pin::new(&mut **body).poll_frame(cx),
            Self::Compressed(body) => Pin::new(&mut **body).poll_frame(cx),
            Self::Switched(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Streaming(body) => body.is_end_stream(),
            Self::Stream(body) => body.is_end_stream(),
            Self::Keeping(body) => body.is_end_stream(),
            Self::Compressed(body) => body.is_end_stream(),
            Self::Switched(_) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Streaming(body) => body.size_hint(),
            Self::Stream(body) => body.size_hint(),
            Self::Keeping(body) => body.size_hint(),
            Self::Compressed(body) => body.size_hint(),
            Self::Switched(_) => SizeHint::with_exact(0),
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
            return Poll::Ready(Some(Err(*failure)));
        }
        if self.serving.holds() {
            return Poll::Pending;
        }
        let frame = Pin::new(&mut self.content).poll_frame(cx);
        self.serving.gave(match frame.is_ready() {
            true => Gave::Something,
            false => Gave::Nothing,
        });
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.serving.sent(data.len());
        }
        if let Poll::Ready(Some(Err(failure))) = frame {
            self.serving.broke(&failure);
            // The HTTP server drops what it has not flushed when a body fails,
            // the head included. It flushes once nothing comes.
            self.failure = Some(Box::new(failure));
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        if self.content.is_end_stream() {
            self.serving.is_over();
        }
    }
}
