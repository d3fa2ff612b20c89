//! One request and its response on a stream.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use gatewright_wire::response::HeadError;
use gatewright_wire::{Asked, RequestFraming, ResponseFraming, ResponseHead, hop};
use h2::SendStream;
use h2::client::ResponseFuture;
use http::{Method, StatusCode, header};

use super::session::{Open, Sent};
use super::{Session, StreamBody};
use crate::request_body::{Pieces, RequestBody, SendError};
use crate::upstream::{Begun, ConnectionError, Conversation, InFlight};
use crate::worker::Worker;

/// One request and its response on a stream.
pub(crate) struct OnStream {
    pub(super) open: Open,
    response: ResponseFuture,
    pub(super) received: Option<h2::RecvStream>,
    /// Whether what is received can only be its end.
    pub(super) is_bodiless: bool,
    pub(super) sending: Sending,
}

impl OnStream {
    /// Begin with a request whose head has been sent.
    pub(crate) fn begin(session: &Rc<Session>, sent: Sent, body: RequestBody) -> Self {
        let (response, stream) = sent;
        let is_whole = body.framing() == RequestFraming::None;
        Self {
            open: Open::begin(session),
            response,
            received: None,
            is_bodiless: false,
            sending: Sending::new(body, stream, is_whole),
        }
    }
}

impl Conversation for OnStream {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.sending.poll_send(cx)
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        asked: Asked<'_>,
    ) -> Poll<Result<ResponseHead, ConnectionError>> {
        let response = match ready!(Pin::new(&mut self.response).poll(cx)) {
            Ok(response) => response,
            Err(error) => {
                if is_of_connection(&error) {
                    self.open.session().retire();
                }
                return Poll::Ready(Err(error.into()));
            }
        };
        self.open.session().prove();
        let (head, received) = response.into_parts();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Poll::Ready(Err(HeadError::UnexpectedUpgrade.into()));
        }
        let mut headers = head.headers;
        // There should be none (RFC 9113 §8.2.2); none may become the client's.
        hop::strip(&mut headers);
        self.is_bodiless = asked.method == Method::HEAD
            || matches!(
                head.status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            )
            || headers
                .get(header::CONTENT_LENGTH)
                .is_some_and(|length| length == "0");
        self.received = Some(received);
        Poll::Ready(Ok(ResponseHead {
            status: head.status,
            headers,
            // A stream needs none.
            framing: ResponseFraming::None,
            reusable: true,
        }))
    }

    fn sent(&self) -> u64 {
        self.sending.sent
    }

    fn is_sent(&self) -> bool {
        self.sending.is_done
    }

    fn waits_for_client(&self) -> bool {
        !self.sending.is_done && self.sending.data.is_empty()
    }

    fn is_stale(&self, error: &ConnectionError) -> bool {
        let broke = matches!(error, ConnectionError::Stream(error) if is_of_connection(error));
        broke && self.open.session().is_proven()
    }

    fn stood_still(&self) {
        // Nobody knows whether the connection still leads anywhere.
        self.open.session().doubt();
    }

    fn take_body(&mut self) -> Option<RequestBody> {
        let nothing = || Pieces::of(RequestBody::none());
        let pieces = &mut self.sending.pieces;
        let sent = self.sending.is_done;
        sent.then(|| std::mem::replace(pieces, nothing()).into_body())
    }

    fn into_body(self) -> RequestBody {
        self.sending.pieces.into_body()
    }

    fn answered(self, worker: &Rc<Worker>, in_flight: InFlight, head: &ResponseHead) -> Begun {
        StreamBody::begin(worker, in_flight, self, head)
    }
}

/// Whether not only the stream has failed but all of its connection.
fn is_of_connection(error: &h2::Error) -> bool {
    error.is_io() || error.is_go_away()
}

/// The sending of a request's body on a stream.
pub(super) struct Sending {
    pieces: Pieces,
    stream: SendStream<Bytes>,
    /// What waits for room.
    data: Bytes,
    /// Bytes that the stream has taken.
    pub(super) sent: u64,
    pub(super) is_done: bool,
}

impl Sending {
    fn new(body: RequestBody, stream: SendStream<Bytes>, is_done: bool) -> Self {
        Self {
            pieces: Pieces::of(body),
            stream,
            data: Bytes::new(),
            sent: 0,
            is_done,
        }
    }

    /// Send on; ready when all has been taken.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        while !self.is_done {
            while !self.data.is_empty() {
                let room = ready!(self.poll_room(cx))?;
                let part = self.data.split_to(room.min(self.data.len()));
                self.sent += part.len() as u64;
                let sent = self.stream.send_data(part, false);
                sent.map_err(|_| SendError::Server)?;
            }
            match ready!(self.pieces.poll_next(cx))? {
                Some(data) => self.data = data,
                None => {
                    let ended = match self.pieces.trailers() {
                        Some(trailers) => self.stream.send_trailers(trailers),
                        None => self.stream.send_data(Bytes::new(), true),
                    };
                    ended.map_err(|_| SendError::Server)?;
                    self.is_done = true;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, SendError>> {
        self.stream.reserve_capacity(self.data.len());
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(SendError::Server)),
            }
        }
        Poll::Ready(Ok(self.stream.capacity()))
    }
}
