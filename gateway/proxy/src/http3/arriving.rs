//! The body of a request over HTTP/3, on its way in.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use h3::error::StreamError;
use h3::server::RequestStream;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::beside::Given;
use super::transport::Receiving;

/// A request's body and what follows it.
pub(crate) struct Arriving {
    stream: RequestStream<Receiving, Bytes>,
    given: Rc<Given>,
    /// What the client has announced.
    length: Option<u64>,
    /// What was read before anybody asked.
    first: Option<Frame<Bytes>>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Data,
    Trailers,
    Ended,
}

impl Arriving {
    pub(super) fn new(
        stream: RequestStream<Receiving, Bytes>,
        given: Rc<Given>,
        length: Option<u64>,
    ) -> Self {
        Self {
            stream,
            given,
            length,
            first: None,
            stage: Stage::Data,
        }
    }

    /// Ready once it is known whether there is a body, or trailers: the end of a
    /// request may come behind its head.
    pub(super) fn poll_begins(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        if self.first.is_none() {
            self.first = ready!(Pin::new(&mut *self).poll_frame(cx)).transpose()?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamError>> {
        if self.stage != Stage::Data {
            return Poll::Ready(Ok(None));
        }
        let Some(mut piece) = ready!(self.stream.poll_recv_data(cx))? else {
            self.stage = Stage::Trailers;
            return Poll::Ready(Ok(None));
        };
        let bytes = piece.copy_to_bytes(piece.remaining());
        self.given.taken(bytes.len());
        Poll::Ready(Ok(Some(bytes)))
    }

    fn poll_trailers(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<HeaderMap>, StreamError>> {
        if self.stage == Stage::Ended {
            return Poll::Ready(Ok(None));
        }
        let trailers = ready!(self.stream.poll_recv_trailers(cx));
        self.stage = Stage::Ended;
        Poll::Ready(trailers)
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if let Some(data) = ready!(self.poll_data(cx)).transpose() {
            return Poll::Ready(Some(data.map(Frame::data)));
        }
        let trailers = ready!(self.poll_trailers(cx)).transpose();
        Poll::Ready(trailers.map(|trailers| trailers.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.stage == Stage::Ended
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
