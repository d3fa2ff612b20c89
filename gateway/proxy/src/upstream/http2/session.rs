//! One HTTP/2 connection to a server, shared by the requests of a worker.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Ping, Reason, SendStream};
use http::Request;

use crate::upstream::Transport;

/// What a server may send on one stream before the client has taken it: enough
/// for 20 Gbit/s over a tenth of a millisecond, and little enough that a hundred
/// slow clients hold 25 MiB.
const STREAM_WINDOW: u32 = 256 * 1024;

/// What it may send on all streams together: so much that slow clients do not
/// hold up the others.
const CONNECTION_WINDOW: u32 = 32 * 1024 * 1024;

/// What waits in memory of one request's body.
const SEND_BUFFER: usize = 64 * 1024;

/// Streams at once on a connection, however many the server allows: beyond
/// them another connection spreads the load.
const MOST_STREAMS: usize = 256;

/// A connection that is open, as far as we know.
pub(crate) struct Session {
    sender: RefCell<SendRequest<Bytes>>,
    /// Streams that are open.
    open: Cell<usize>,
    /// Whether it takes no more of them.
    retired: Cell<bool>,
    /// Whether one has been answered: until then a failure is no sign of age.
    proven: Cell<bool>,
    /// The tick at which the last stream was closed.
    idle_since: Cell<u64>,
}

impl Session {
    /// Begin one on a new stream, and wait until the server has answered a ping:
    /// by then it has said how many streams it takes, and that it speaks HTTP/2
    /// at all. A task of the worker's keeps the connection going for as long as
    /// it or one of its streams is used.
    pub(crate) async fn begin(
        stream: Transport,
        max_head: usize,
        now: u64,
    ) -> Result<Rc<Self>, h2::Error> {
        let (sender, mut connection) = Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buffer_size(SEND_BUFFER)
            .max_header_list_size(u32::try_from(max_head).unwrap_or(u32::MAX))
            .handshake(stream)
            .await?;
        let pings = connection.ping_pong();
        let session = Rc::new(Self {
            sender: RefCell::new(sender),
            open: Cell::new(0),
            retired: Cell::new(false),
            proven: Cell::new(false),
            idle_since: Cell::new(now),
        });
        let kept = Rc::downgrade(&session);
        tokio::task::spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an HTTP/2 connection to a server ended");
            }
            if let Some(session) = kept.upgrade() {
                session.retire();
            }
        });
        if let Some(mut pings) = pings {
            pings.ping(Ping::opaque()).await?;
        }
        Ok(session)
    }

    /// Whether it takes one more stream.
    pub(crate) fn has_room(&self) -> bool {
        let allowed = self.sender.borrow().current_max_send_streams();
        !self.retired.get() && self.open.get() < allowed.min(MOST_STREAMS)
    }

    /// Let it finish what runs and take no more.
    pub(crate) fn retire(&self) {
        self.retired.set(true);
    }

    /// Whether it takes no more.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.get()
    }

    /// Whether a request on it has been answered before.
    pub(crate) fn is_proven(&self) -> bool {
        self.proven.get()
    }

    /// A request on it was answered.
    pub(crate) fn prove(&self) {
        self.proven.set(true);
    }

    /// Whether it has had no stream since before `tick`.
    pub(crate) fn was_idle_since(&self, tick: u64) -> bool {
        self.open.get() == 0 && self.idle_since.get() < tick
    }

    /// Send a request's head; `is_whole` if no body follows.
    pub(crate) fn send(&self, request: Request<()>, is_whole: bool) -> Result<Sent, h2::Error> {
        let sent = self.sender.borrow_mut().send_request(request, is_whole);
        if sent.is_err() {
            self.retire();
        }
        sent
    }
}

/// Where the response to a request comes, and its body goes.
pub(crate) type Sent = (ResponseFuture, SendStream<Bytes>);

/// The guard of one open stream.
pub(crate) struct Open {
    session: Rc<Session>,
    now: u64,
}

impl Open {
    /// Count one in.
    pub(super) fn begin(session: &Rc<Session>, now: u64) -> Self {
        session.open.set(session.open.get() + 1);
        Self {
            session: Rc::clone(session),
            now,
        }
    }

    /// Whose it is.
    pub(super) fn session(&self) -> &Rc<Session> {
        &self.session
    }

    /// Note the time, by which the connection's rest is measured.
    pub(super) fn lasts_until(&mut self, now: u64) {
        self.now = now;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let session = &self.session;
        session.open.set(session.open.get() - 1);
        session.idle_since.set(self.now);
    }
}

/// Whether the server has said that it did nothing with the request (RFC 9113
/// §8.7): it may be sent again, whatever its method.
pub(crate) fn is_unprocessed(error: &h2::Error) -> bool {
    let refused = error.reason() == Some(Reason::REFUSED_STREAM);
    let goes_away = error.is_go_away() && error.reason() == Some(Reason::NO_ERROR);
    error.is_remote() && (refused || goes_away)
}
