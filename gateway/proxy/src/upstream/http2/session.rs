//! One HTTP/2 connection to a server, shared by the requests of a worker.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Ping, PingPong, Reason, SendStream};
use http::Request;

use crate::deadlines::Deadlines;
use crate::upstream::Transport;

/// What a server may send on one stream before the client has taken it: enough
/// for 20 Gbit/s over a tenth of a millisecond, and little enough that a hundred
/// slow clients hold 25 MiB.
const STREAM_WINDOW: u32 = 256 * 1024;

/// Streams at once on a connection, however many the server allows: beyond
/// them another connection spreads the load.
const MOST_STREAMS: u32 = 128;

/// What it may send on all streams together.
const CONNECTION_WINDOW: u32 = 32 * 1024 * 1024;

const _: () = assert!(
    MOST_STREAMS * STREAM_WINDOW <= CONNECTION_WINDOW,
    "clients that take nothing, be it on all streams but one, leave that one its window",
);

/// What waits in memory of one request's body.
const SEND_BUFFER: usize = 64 * 1024;

/// Streams that were cut and are remembered for a second, so that what the
/// server had on its way for them is known for what it is.
const MOST_CUT: usize = 1024;

/// How long a server in doubt has for the answer to a ping: many times what it
/// takes to the other side of the world. It costs a connection at most.
const PING_PATIENCE: Duration = Duration::from_secs(1);

/// A connection that is open, as far as we know.
pub(crate) struct Session {
    sender: SendRequest<Bytes>,
    deadlines: Rc<Deadlines>,
    /// What asks whether the server is there; none while it is asking.
    pings: Cell<Option<PingPong>>,
    /// Streams that are open.
    open: Cell<usize>,
    /// Whether it takes no more of them.
    retired: Cell<bool>,
    /// Whether one has been answered: until then a failure is no sign of age.
    proven: Cell<bool>,
    /// The tick at which the last stream was closed.
    idle_since: Cell<u64>,
}

/// Why a request was not sent.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// The connection takes no more of them.
    Over(h2::Error),
    /// It is none that can be sent.
    Request(h2::Error),
}

impl Session {
    /// Begin one on a new stream, and wait until the server has answered a ping:
    /// by then it has said how many streams it takes, and that it speaks HTTP/2
    /// at all. A task of the worker's keeps the connection going for as long as
    /// it or one of its streams is used.
    pub(crate) async fn begin(
        stream: Transport,
        max_head: usize,
        deadlines: &Rc<Deadlines>,
    ) -> Result<Rc<Self>, h2::Error> {
        let (sender, mut connection) = Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buffer_size(SEND_BUFFER)
            .max_header_list_size(u32::try_from(max_head).unwrap_or(u32::MAX))
            .max_concurrent_reset_streams(MOST_CUT)
            // It is the clients who cut streams, and the server that sends what
            // comes late for them does nothing wrong.
            .max_local_error_reset_streams(None)
            .handshake(stream)
            .await?;
        let mut pings = connection.ping_pong();
        let session = Rc::new(Self {
            sender,
            deadlines: Rc::clone(deadlines),
            pings: Cell::new(None),
            open: Cell::new(0),
            retired: Cell::new(false),
            proven: Cell::new(false),
            idle_since: Cell::new(deadlines.now()),
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
        if let Some(pings) = &mut pings {
            pings.ping(Ping::opaque()).await?;
        }
        session.pings.set(pings);
        Ok(session)
    }

    /// Whether it takes one more stream.
    pub(crate) fn has_room(&self) -> bool {
        let allowed = self.sender.current_max_send_streams();
        !self.retired.get() && self.open.get() < allowed.min(MOST_STREAMS as usize)
    }

    /// Let it finish what runs and take no more.
    pub(crate) fn retire(&self) {
        self.retired.set(true);
    }

    /// Whether it takes no more.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.get()
    }

    /// A response did not come in time, or no more of it. That may be the
    /// request's own doing, so others go on meanwhile; but a server that does
    /// not answer a ping either gets no more of them here.
    pub(crate) fn doubt(self: &Rc<Self>) {
        let Some(mut pings) = self.pings.take() else {
            return;
        };
        let session = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let patience = session.deadlines.register();
            patience.arm(PING_PATIENCE);
            match patience.limit(pings.ping(Ping::opaque())).await {
                Ok(Ok(_)) => session.pings.set(Some(pings)),
                _ => session.retire(),
            }
        });
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
    pub(crate) fn send(&self, request: Request<()>, is_whole: bool) -> Result<Sent, Unsent> {
        // With a handle of its own a request waits for the room that a stream
        // leaves which was cut a moment ago, where it would be refused otherwise.
        let mut sender = self.sender.clone();
        sender.send_request(request, is_whole).map_err(|error| {
            let mut cx = Context::from_waker(Waker::noop());
            match self.sender.clone().poll_ready(&mut cx) {
                Poll::Ready(Err(over)) => {
                    self.retire();
                    Unsent::Over(over)
                }
                _ => Unsent::Request(error),
            }
        })
    }
}

/// Where the response to a request comes, and its body goes.
pub(crate) type Sent = (ResponseFuture, SendStream<Bytes>);

/// The guard of one open stream.
pub(crate) struct Open(Rc<Session>);

impl Open {
    /// Count one in.
    pub(super) fn begin(session: &Rc<Session>) -> Self {
        session.open.set(session.open.get() + 1);
        Self(Rc::clone(session))
    }

    /// Whose it is.
    pub(super) fn session(&self) -> &Rc<Session> {
        &self.0
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let session = &self.0;
        session.open.set(session.open.get() - 1);
        session.idle_since.set(session.deadlines.now());
    }
}

/// Whether the server has refused the one stream, without a look at the request
/// (RFC 9113 §8.7).
pub(crate) fn is_refused(error: &h2::Error) -> bool {
    error.is_remote() && error.reason() == Some(Reason::REFUSED_STREAM)
}

/// Whether the server has gone before it looked at the request (RFC 9113 §6.8):
/// it may be sent again, whatever its method.
pub(crate) fn is_unprocessed(error: &h2::Error) -> bool {
    let is_goodbye = error.is_go_away() && error.reason() == Some(Reason::NO_ERROR);
    error.is_remote() && is_goodbye
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::LocalSet;

    use super::*;
    use crate::deadlines::TICK;
    use crate::outbox::{Outbox, Peer, Posted};

    /// Do this with a session, whose server answers every request.
    async fn with_session<F: Future>(
        run: impl FnOnce(Rc<Session>, Rc<Deadlines>) -> F,
    ) -> F::Output {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap());
        let (stream, accepted) = tokio::join!(stream, listener.accept());
        tokio::spawn(async {
            let mut connection = h2::server::handshake(accepted.unwrap().0).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                let response = http::Response::new(());
                respond.send_response(response, true).unwrap();
            }
        });
        let here = async {
            let outbox = Rc::new(Outbox::default());
            let stream = Posted::new(stream.unwrap(), Peer::Server, &outbox);
            tokio::task::spawn_local(async move { outbox.serve().await });
            let deadlines = Deadlines::new();
            let stream = Transport::Plain(stream);
            let session = Session::begin(stream, 4096, &deadlines).await.unwrap();
            run(session, deadlines).await
        };
        LocalSet::new().run_until(here).await
    }

    fn get(target: &'static str) -> Request<()> {
        let request = Request::get(target).version(http::Version::HTTP_2);
        request.body(()).unwrap()
    }

    #[tokio::test]
    async fn a_request_that_cannot_be_sent_leaves_the_session_in_use() {
        with_session(|session, _| async move {
            let unsent = session.send(get("/without-a-host"), true).err();
            assert!(matches!(unsent, Some(Unsent::Request(_))), "{unsent:?}");
            assert!(session.has_room());
            let sent = session.send(get("http://a/"), true).unwrap();
            assert_eq!(sent.0.await.unwrap().status(), 200);
        })
        .await;
    }

    #[tokio::test]
    async fn a_session_rests_from_the_end_of_its_last_stream_on() {
        with_session(|session, deadlines| async move {
            let open = Open::begin(&session);
            tokio::time::sleep(TICK * 2).await;
            deadlines.sweep();
            assert!(!session.was_idle_since(deadlines.now()), "a stream is open");
            drop(open);
            assert!(!session.was_idle_since(deadlines.now()));
            assert!(session.was_idle_since(deadlines.now() + 1));
        })
        .await;
    }
}
