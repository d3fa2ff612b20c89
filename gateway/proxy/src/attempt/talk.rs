//! One request and its response, in whichever protocol the server speaks.

use std::rc::Rc;
use std::task::{Context, Poll};

use gatewright_wire::{Asked, ResponseHead};

use crate::request_body::{RequestBody, SendError};
use crate::upstream::{Begun, ConnectionError, Conversation, InFlight, OnConnection, OnStream};
use crate::worker::Worker;

/// A conversation with a server.
pub(super) enum Talk {
    Connection(OnConnection),
    Stream(Box<OnStream>),
}

/// The same in either protocol.
macro_rules! either {
    ($talk:expr, $one:ident => $does:expr) => {
        match $talk {
            Talk::Connection($one) => $does,
            Talk::Stream($one) => $does,
        }
    };
}

impl Conversation for Talk {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        either!(self, one => one.poll_send(cx))
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        asked: Asked<'_>,
    ) -> Poll<Result<ResponseHead, ConnectionError>> {
        either!(self, one => one.poll_head(cx, asked))
    }

    fn sent(&self) -> u64 {
        either!(self, one => one.sent())
    }

    fn is_sent(&self) -> bool {
        either!(self, one => one.is_sent())
    }

    fn waits_for_client(&self) -> bool {
        either!(self, one => one.waits_for_client())
    }

    fn is_stale(&self, error: &ConnectionError) -> bool {
        either!(self, one => one.is_stale(error))
    }

    fn stood_still(&self) {
        either!(self, one => one.stood_still());
    }

    fn take_body(&mut self) -> Option<RequestBody> {
        either!(self, one => one.take_body())
    }

    fn into_body(self) -> RequestBody {
        either!(self, one => one.into_body())
    }

    fn answered(self, worker: &Rc<Worker>, in_flight: InFlight, head: &ResponseHead) -> Begun {
        either!(self, one => one.answered(worker, in_flight, head))
    }
}
