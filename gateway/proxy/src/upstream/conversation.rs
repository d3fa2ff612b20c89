//! One request and its response with a server, in whatever protocol.

use std::rc::Rc;
use std::task::{Context, Poll};

use gatewright_host::Ending;
use gatewright_wire::{Asked, ResponseHead};
use http::StatusCode;

use super::{Begun, Connection, ConnectionBody, ConnectionError, InFlight, ResponseBody, Switched};
use crate::request_body::{RequestBody, SendError, Sending};
use crate::worker::Worker;

/// One request, whose head is on its way, and its response.
pub(crate) trait Conversation {
    /// Send the body on; ready when the server has been given all of it.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>>;

    /// Read the response's head.
    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        asked: Asked<'_>,
    ) -> Poll<Result<ResponseHead, ConnectionError>>;

    /// Bytes of the body that have been taken: it moves, or it stalls.
    fn sent(&self) -> u64;

    /// Whether nothing of the body is left to be sent.
    fn is_sent(&self) -> bool;

    /// Whether all has been sent that the client has sent, and more is to come.
    fn waits_for_client(&self) -> bool;

    /// Whether a failure may only mean that the connection was an old one, which
    /// servers close at any time.
    fn is_stale(&self, error: &ConnectionError) -> bool;

    /// The response did not come in time.
    fn stood_still(&self);

    /// The body, to be sent again although the server has answered, if all of it
    /// was sent.
    fn take_body(&mut self) -> Option<RequestBody>;

    /// The body, to be sent again.
    fn into_body(self) -> RequestBody;

    /// What is left once the response's head has come.
    fn answered(self, worker: &Rc<Worker>, in_flight: InFlight, head: &ResponseHead) -> Begun;
}

/// On a connection of HTTP/1.1, which is its own for as long as it lasts.
pub(crate) struct OnConnection {
    connection: Box<Connection>,
    sending: Sending,
    /// Whether the connection has served before.
    reused: bool,
}

impl OnConnection {
    /// Begin with a request whose head has been posted.
    pub(crate) fn begin(connection: Box<Connection>, body: RequestBody, reused: bool) -> Self {
        Self {
            connection,
            sending: Sending::new(body),
            reused,
        }
    }
}

impl Conversation for OnConnection {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.sending.poll_send(cx, &mut self.connection)
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        asked: Asked<'_>,
    ) -> Poll<Result<ResponseHead, ConnectionError>> {
        self.connection.poll_head(cx, asked)
    }

    fn sent(&self) -> u64 {
        self.sending.sent()
    }

    fn is_sent(&self) -> bool {
        self.sending.is_done()
    }

    fn waits_for_client(&self) -> bool {
        self.sending.waits_for_client()
    }

    fn is_stale(&self, error: &ConnectionError) -> bool {
        let unanswered = matches!(error, ConnectionError::Closed | ConnectionError::Io(_));
        self.reused && unanswered
    }

    fn stood_still(&self) {}

    fn take_body(&mut self) -> Option<RequestBody> {
        self.sending.take_body()
    }

    fn into_body(self) -> RequestBody {
        self.sending.into_body()
    }

    fn answered(
        mut self,
        worker: &Rc<Worker>,
        mut in_flight: InFlight,
        head: &ResponseHead,
    ) -> Begun {
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Begun::Switched(Box::new(Switched {
                connection: self.connection,
                in_flight,
                place: None,
            }));
        }
        let is_sent = self.sending.is_done();
        if let Some(whole) = self.connection.take_whole(head.framing) {
            in_flight.ended(Ending::Completed);
            if head.reusable && is_sent {
                let now = worker.deadlines.now();
                in_flight.upstream().give_back(self.connection, now);
            }
            return Begun::Whole(whole);
        }
        let sending = match is_sent {
            true => None,
            false => Some(Box::new(self.sending)),
        };
        let body = ConnectionBody::begin(worker, self.connection, head, sending);
        Begun::Streaming(ResponseBody::begin(worker, in_flight, body))
    }
}
