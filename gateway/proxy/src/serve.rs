//! Serving one client connection: whom a proxy says it is for, TLS, HTTP framing
//! by hyper, and the deadlines that hyper is not asked to keep.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::net::TcpStream as StdTcpStream;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use gatewright_model::config::Limits;
use gatewright_wire::proxy_header::{Behalf, Ends};
use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::body::ClientBody;
use crate::connection::{Client, Place, Tunnelling};
use crate::drive::{End, drive};
use crate::early::Early;
use crate::entrance::Entrance;
use crate::exchange::exchange;
use crate::farewell;
use crate::identity;
use crate::opening::HTTP2_PREFACE;
use crate::outbox::{Layered, Peer, Posted, Socket};
use crate::passthrough;
use crate::proxied;
use crate::streams::Streams;
use crate::tls::ACME_PROTOCOL;
use crate::tunnel;
use crate::upload::Upload;
use crate::watched::{Lent, Watched};
use crate::worker::Worker;

/// How many requests a client of HTTP/2 or HTTP/3 may have open on one connection: what
/// browsers and gRPC clients expect of a server.
pub(crate) const MAX_STREAMS: u32 = 256;

/// What may wait on an HTTP/2 stream for the client to take it, beside the piece
/// in hand: two full frames, so that one is ready while another goes out. A
/// client with all its streams open that reads nothing makes the gateway hold
/// this much for each; hyper's own limit would come to 100 MB a connection.
const MAX_SEND_BUFFER: usize = 32 * 1024;

/// How many headers hyper takes where it is told nothing, as its documentation says.
const HYPER_HEADERS: usize = 100;

/// A connection that has been accepted.
pub(crate) struct Arrival {
    place: Place,
    stream: StdTcpStream,
    ends: Option<Ends>,
    entrance: Rc<Entrance>,
}

impl Arrival {
    /// It is counted in at once, before it is served, so that the next one is not
    /// accepted beyond the limit.
    pub(crate) fn new(
        worker: &Rc<Worker>,
        stream: StdTcpStream,
        ends: Option<Ends>,
        entrance: Rc<Entrance>,
    ) -> Self {
        let place = Place::take(worker);
        worker.counters().accepted.add(1);
        Self {
            place,
            stream,
            ends,
            entrance,
        }
    }

    /// Whether HTTP is spoken on it without TLS.
    pub(crate) fn is_plain(&self) -> bool {
        self.entrance.tls.is_none() && !self.entrance.passes_on()
    }

    /// The client, once it is known for whom a proxy connects, if it is one; none: the
    /// connection is to be closed.
    async fn client(self) -> Option<(Rc<Client>, Posted)> {
        let Self {
            place,
            stream,
            ends,
            entrance,
        } = self;
        let (client, socket) = if entrance.proxies.is_empty() {
            (Client::new(place, ends, entrance), Socket::from(stream))
        } else {
            let mut stream = TcpStream::from_std(stream).ok()?;
            let worker = place.worker();
            let peer = ends.map(|ends| ends.source);
            let behalf = Box::pin(proxied::behalf(worker, &mut stream, peer, &entrance));
            let client = match behalf.await? {
                Behalf::Client(ends) => Client::new(place, Some(ends), entrance),
                Behalf::Own => Client::new(place, ends, entrance),
                Behalf::Unknown => Client::unknown(place, ends, entrance),
            };
            (client, Socket::from(stream))
        };
        let stream = Posted::new(socket, Peer::Client, &client.worker.outbox);
        Some((client, stream))
    }
}

/// Serve a connection without TLS until it closes.
pub(crate) async fn plain(arrival: Arrival) {
    let Some((client, stream)) = arrival.client().await else {
        return;
    };
    client.waits();
    if let Some(stream) = serve_http1(&client, stream).await {
        // What came was no head of HTTP/1.1.
        client.waits();
        Box::pin(serve_http2(&client, stream)).await;
    }
}

/// Serve a connection on which TLS is spoken until it closes, be it passed on as it
/// comes. Apart, so that neither kind of connections takes the other's room.
pub(crate) async fn secured(arrival: Arrival) {
    let Some((client, stream)) = arrival.client().await else {
        return;
    };
    if client.entrance().passes_on() {
        return Box::pin(passthrough::serve(&client, stream)).await;
    }
    if let Some(tls) = client.entrance().tls.clone() {
        serve_tls(&client, stream, tls).await;
    }
}

async fn serve_tls(client: &Rc<Client>, stream: Posted, tls: Arc<ServerConfig>) {
    let worker = &client.worker;
    let patience = worker.timeouts().request_head;
    let challenges = Arc::clone(&worker.current().challenges);
    let accepting = challenges.shake_hands(tls, stream);
    let Ok(Ok(stream)) = client.within(patience, accepting).await else {
        worker.counters().tls_failures.add(1);
        return;
    };
    if stream.get_ref().1.alpn_protocol() == Some(ACME_PROTOCOL) {
        // The authority has seen what it came for.
        let mut stream = stream;
        let _ = client.within(patience, stream.shutdown()).await;
        return;
    }
    if let Some([leaf, ..]) = stream.get_ref().1.peer_certificates()
        && let Some(identity) = identity::of(leaf)
    {
        client.proves(identity);
    }
    client.shook_hands(stream.get_ref().1);
    client.waits();
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        Box::pin(serve_http2(client, stream)).await;
    } else {
        // HTTP/2 is agreed on by ALPN or not spoken at all.
        Box::pin(serve_http1(client, stream)).await;
    }
}

/// Serve HTTP/1.1, unless the client begins as HTTP/2 begins (RFC 9113 §3.4): then
/// the stream is given back. What looks like that behind a request is none: bytes
/// that somebody has passed on as HTTP/1.1 must not become another protocol.
async fn serve_http1<S: AsyncRead + AsyncWrite + Layered + Unpin>(
    client: &Rc<Client>,
    stream: S,
) -> Option<Early<S>> {
    let limits = client.worker.current().snapshot.config.limits;
    let watched = RefCell::new(Watched::new(stream, Rc::clone(client), true));
    let lent = &watched;
    let (end, switched, read) = {
        let place = pin!(None);
        let place = RefCell::new(place);
        let (place, owner) = (&place, Rc::clone(client));
        let service = service_fn(move |request: Request<Incoming>| {
            // The place is borrowed first: as nothing can fail any more when the answer's
            // future is made, it is made there, and not elsewhere and moved.
            place
                .borrow_mut()
                .set(Some(answer(lent, Rc::clone(&owner), request)));
            InPlace(place)
        });
        let mut connection = http1(&limits).serve_connection(TokioIo::new(Lent(lent)), service);
        let has_left = |cx: &mut Context<'_>, is_woken| lent.borrow_mut().has_left(cx, is_woken);
        let end = drive(client, Pin::new(&mut connection), has_left).await;
        let switched = client.take_switched();
        // Only who goes on with the stream wants what was read of it: to get at that, all
        // that hyper has of the connection is moved about.
        let read = match switched.is_some() || end == End::Malformed {
            true => connection.into_parts().read_buf,
            false => Bytes::new(),
        };
        (end, switched, read)
    };
    let watched = watched.into_inner();
    let has_ended = watched.has_ended();
    let (ahead, mut stream) = watched.into_parts();
    if let (End::Closed, Some(server)) = (end, switched) {
        let early = [read, ahead].concat();
        let tunnelling = Tunnelling::begin(client);
        tunnel::run(tunnelling, stream, early, *server).await;
        return None;
    }
    let begins_http2 = read.starts_with(HTTP2_PREFACE);
    if end == End::Malformed && begins_http2 && !client.has_asked() {
        debug_assert!(ahead.is_empty(), "only who has asked is looked for");
        return Some(Early::new(read, stream));
    }
    let may_send_more = match end {
        End::Broken | End::TimedOut => false,
        End::HeadTimeout | End::Malformed => true,
        End::Closed => client.had_body(),
    };
    if may_send_more && !has_ended {
        if end == End::HeadTimeout {
            farewell::tell_too_slow(client, &mut stream).await;
        }
        Box::pin(farewell::linger(client, stream, end)).await;
    }
    None
}

/// How hyper is to read requests of HTTP/1.1, and to write answers.
fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .writev(false)
        // Whether the client has left is looked for by who lends the stream.
        .half_close(true)
        .max_buf_size(limits.request_head);
    // Told a limit, be it its own, hyper fills room for so many headers with each
    // request, twice.
    if limits.request_headers != HYPER_HEADERS {
        builder.max_headers(limits.request_headers);
    }
    builder
}

/// The answer to a request of HTTP/1.1, which comes about in its connection's own memory:
/// hyper would have some kilobytes more for it on every connection.
struct InPlace<'a, 'b, F>(&'a RefCell<Pin<&'b mut Option<F>>>);

impl<F: Future> Future for InPlace<'_, '_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut place = self.0.borrow_mut();
        match place.as_mut().as_pin_mut() {
            Some(answering) => answering.poll(cx),
            None => unreachable!("what is waited for has been put there"),
        }
    }
}

/// Answer a request of HTTP/1.1, unless its client has left already: no server is to
/// hear of it then, and the connection ends.
async fn answer<S: AsyncRead + Layered + Unpin>(
    watched: &RefCell<Watched<S>>,
    client: Rc<Client>,
    request: Request<Incoming>,
) -> Result<Response<ClientBody>, Infallible> {
    watched.borrow_mut().begins(!request.body().is_end_stream());
    if poll_fn(|cx| Poll::Ready(watched.borrow_mut().look(cx))).await {
        pending::<()>().await;
    }
    let (parts, body) = request.into_parts();
    // Awaited as it stands, the future, which is large, would be moved twice.
    pin!(exchange(client, parts, Upload::Http(body))).await
}

async fn serve_http2<S: AsyncRead + AsyncWrite + Layered + Unpin>(client: &Rc<Client>, stream: S) {
    let limits = client.worker.current().snapshot.config.limits;
    let watched = RefCell::new(Watched::new(stream, Rc::clone(client), false));
    let end = {
        let owner = Rc::clone(client);
        let connection = http2::Builder::new(Streams::of(client))
            .max_concurrent_streams(MAX_STREAMS)
            .max_send_buf_size(MAX_SEND_BUFFER)
            .enable_connect_protocol()
            .max_header_list_size(u32::try_from(limits.request_head).unwrap_or(u32::MAX))
            .serve_connection(
                TokioIo::new(Lent(&watched)),
                service_fn(move |request: Request<Incoming>| {
                    let (parts, body) = request.into_parts();
                    exchange(Rc::clone(&owner), parts, Upload::Http(body))
                }),
            );
        // Clients of HTTP/2 take their requests back one by one, and hyper hears it.
        drive(client, pin!(connection), |_, _| false).await
    };
    let watched = watched.into_inner();
    // Who takes nothing has been waited for long enough. Who takes its last answers
    // goes on telling how much more it has room for.
    let is_cut = end == End::TimedOut && client.is_blocked();
    if !is_cut && !watched.has_ended() {
        let (_, stream) = watched.into_parts();
        Box::pin(farewell::linger(client, stream, end)).await;
    }
}
