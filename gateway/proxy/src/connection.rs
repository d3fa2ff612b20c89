//! One client connection: TLS, HTTP framing by hyper, and the deadlines that
//! hyper is not asked to keep.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use gatewright_wire::forwarded;
use http::{HeaderMap, StatusCode};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::deadlines::Deadline;
use crate::exchange::exchange;
use crate::outbox::{Peer, Posted};
use crate::streams::{Gave, Streams};
use crate::watched::Watched;
use crate::worker::Worker;

/// How many requests an HTTP/2 client may have open on one connection: what
/// browsers and gRPC clients expect of a server.
const MAX_STREAMS: u32 = 256;

/// What may wait on an HTTP/2 stream for the client to take it, beside the piece
/// in hand: two full frames, so that one is ready while another goes out. A
/// client with all its streams open that reads nothing makes the gateway hold
/// this much for each; hyper's own limit would come to 100 MB a connection.
const MAX_SEND_BUFFER: usize = 32 * 1024;

/// A client's connection, as its exchanges see it.
pub(crate) struct Client {
    pub(crate) worker: Rc<Worker>,
    peer: IpAddr,
    peer_text: String,
    trusted: bool,
    max_headers: usize,
    secure: bool,
    stage: Cell<Stage>,
    exchanges: Cell<u32>,
    /// Whether the client takes nothing more at the moment.
    blocked: Cell<bool>,
    /// What the response's body that was asked last had to give, for the
    /// stream that asked it; none once that stream has taken note.
    gave: Cell<Option<Gave>>,
    deadline: Deadline,
}

/// What a connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The TLS handshake.
    Handshake,
    /// The first byte of a request.
    Idle,
    /// The rest of a request's head.
    Head,
    /// An exchange: its own deadlines apply.
    Exchange,
}

impl Client {
    fn new(worker: &Rc<Worker>, peer: SocketAddr, secure: bool) -> Rc<Self> {
        let address = peer.ip().to_canonical();
        let config = Arc::clone(&worker.current().snapshot.config);
        let trusted = &config.trusted_proxies;
        worker.opened();
        Rc::new(Self {
            worker: Rc::clone(worker),
            peer: address,
            peer_text: address.to_string(),
            trusted: trusted.iter().any(|network| network.contains(&address)),
            secure,
            stage: Cell::new(Stage::Handshake),
            exchanges: Cell::new(0),
            blocked: Cell::new(false),
            gave: Cell::new(None),
            max_headers: config.limits.request_headers,
            deadline: worker.deadlines.register(),
        })
    }

    /// The address that connected.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// The same as text.
    pub(crate) fn peer_text(&self) -> &str {
        &self.peer_text
    }

    /// Whether what it says about clients behind it is believed.
    pub(crate) fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// Header lines that a request may have.
    pub(crate) fn max_headers(&self) -> usize {
        self.max_headers
    }

    /// `https` over TLS, `http` otherwise.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// The address of the client that a request is from.
    pub(crate) fn address_of_client(&self, headers: &HeaderMap) -> IpAddr {
        if !self.trusted {
            return self.peer;
        }
        let current = self.worker.current();
        let trusted = &current.snapshot.config.trusted_proxies;
        let values: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        forwarded::client_address(self.peer, values, |address| {
            trusted.iter().any(|network| network.contains(&address))
        })
    }

    /// The first bytes of a request have come.
    pub(crate) fn reads(&self) {
        if self.stage.get() == Stage::Idle {
            self.stage.set(Stage::Head);
            self.deadline.arm(self.worker.timeouts().request_head);
        }
    }

    /// Writing to the client is held up, or goes on again.
    pub(crate) fn write_blocked(&self, blocked: bool) {
        self.blocked.set(blocked);
        match self.stage.get() {
            // The end of a response may wait for its client when the exchange
            // is over: that is no idle connection yet.
            Stage::Idle => self.waits(),
            Stage::Exchange if blocked => self.deadline.arm(self.worker.timeouts().body_idle),
            Stage::Exchange => self.deadline.disarm(),
            // They have deadlines of their own.
            Stage::Handshake | Stage::Head => {}
        }
    }

    /// The note of what a response's body gave, taken away.
    pub(crate) fn take_gave(&self) -> Option<Gave> {
        self.gave.take()
    }

    fn waits(&self) {
        let timeouts = self.worker.timeouts();
        self.stage.set(Stage::Idle);
        self.deadline.arm(match self.blocked.get() {
            true => timeouts.body_idle,
            false => timeouts.idle,
        });
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.worker.closed();
    }
}

/// The guard of one exchange, from the request's head to the response's end.
pub(crate) struct Serving {
    client: Rc<Client>,
    started: Instant,
    responded: bool,
}

impl Serving {
    pub(crate) fn begin(client: &Rc<Client>) -> Self {
        client.stage.set(Stage::Exchange);
        // A client that reads nothing does not get more time by asking for more.
        if !client.blocked.get() {
            client.deadline.disarm();
        }
        client.exchanges.set(client.exchanges.get() + 1);
        let counters = client.worker.counters();
        counters.requests.add(1);
        counters.in_flight.add(1);
        Self {
            client: Rc::clone(client),
            started: Instant::now(),
            responded: false,
        }
    }

    /// When the request's head had been read.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// The response's body was asked for more.
    pub(crate) fn gave(&self, what: Gave) {
        self.client.gave.set(Some(what));
    }

    /// The response's head was ready `at` that time.
    pub(crate) fn responded(&mut self, status: StatusCode, at: Instant) {
        self.responded = true;
        let counters = self.client.worker.counters();
        counters.responded(status.as_u16());
        let micros = (at - self.started).as_micros();
        counters
            .latency
            .record(u32::try_from(micros).unwrap_or(u32::MAX));
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let counters = self.client.worker.counters();
        counters.in_flight.sub(1);
        if !self.responded {
            counters.abandoned.add(1);
        }
        let exchanges = self.client.exchanges.get() - 1;
        self.client.exchanges.set(exchanges);
        if exchanges == 0 {
            self.client.waits();
        }
    }
}

/// Serve a connection until it closes. It is counted in at once, before the
/// future runs, so that the next one is not accepted beyond the limit.
pub(crate) fn serve(
    worker: &Rc<Worker>,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
) -> impl Future<Output = ()> + use<> {
    let client = Client::new(worker, peer, tls.is_some());
    async move {
        let stream = Posted::new(stream, Peer::Client, &client.worker.outbox);
        match tls {
            None => {
                client.waits();
                serve_http1(&client, stream).await;
            }
            Some(acceptor) => serve_tls(&client, stream, &acceptor).await,
        }
    }
}

async fn serve_tls(client: &Rc<Client>, stream: Posted, acceptor: &TlsAcceptor) {
    let worker = &client.worker;
    client.deadline.arm(worker.timeouts().request_head);
    let Ok(Ok(stream)) = client.deadline.limit(acceptor.accept(stream)).await else {
        worker.counters().tls_failures.add(1);
        return;
    };
    client.waits();
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        serve_http2(client, stream).await;
    } else {
        serve_http1(client, stream).await;
    }
}

async fn serve_http1<S: AsyncRead + AsyncWrite + Unpin>(client: &Rc<Client>, stream: S) {
    let limits = client.worker.current().snapshot.config.limits;
    let io = TokioIo::new(Watched::new(stream, Rc::clone(client), true));
    let owner = Rc::clone(client);
    let connection = hyper::server::conn::http1::Builder::new()
        .writev(false)
        .max_headers(limits.request_headers)
        .max_buf_size(limits.request_head)
        .serve_connection(
            io,
            service_fn(|request| exchange(Rc::clone(&owner), request)),
        );
    let mut connection = connection;
    if drive(client, Pin::new(&mut connection)).await == End::HeadTimeout {
        let mut stream = connection.into_parts().io.into_inner();
        client.deadline.arm(FAREWELL);
        let farewell = tokio::io::AsyncWriteExt::write(&mut stream, TOO_SLOW);
        let told = client.deadline.limit(farewell).await;
        tracing::debug!(peer = %client.peer, ?told, "a request's head came too slowly");
    }
}

/// How long a client that dawdles is given to be told so.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a client reads whose request's head took too long.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\n\
    Content-Type: application/json\r\nContent-Length: 48\r\nConnection: close\r\n\r\n\
    {\"error\": \"the request's head came too slowly\"}\n";

async fn serve_http2<S: AsyncRead + AsyncWrite + Unpin>(client: &Rc<Client>, stream: S) {
    let limits = client.worker.current().snapshot.config.limits;
    let io = TokioIo::new(Watched::new(stream, Rc::clone(client), false));
    let owner = Rc::clone(client);
    let connection = hyper::server::conn::http2::Builder::new(Streams::of(client))
        .max_concurrent_streams(MAX_STREAMS)
        .max_send_buf_size(MAX_SEND_BUFFER)
        .max_header_list_size(u32::try_from(limits.request_head).unwrap_or(u32::MAX))
        .serve_connection(
            io,
            service_fn(move |request| exchange(Rc::clone(&owner), request)),
        );
    drive(client, pin!(connection)).await;
}

/// How serving a connection ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Closed,
    HeadTimeout,
    TimedOut,
}

/// Run a connection until it closes, its deadline passes, or, when the worker
/// drains, its last exchange is over.
async fn drive<C: Drainable>(client: &Client, mut connection: Pin<&mut C>) -> End {
    let mut told = false;
    std::future::poll_fn(|cx| {
        if client.worker.is_draining() && !told {
            told = true;
            connection.as_mut().drain();
        }
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(End::Closed);
        }
        client.deadline.poll_passed(cx).map(|()| {
            if client.stage.get() == Stage::Head {
                End::HeadTimeout
            } else {
                End::TimedOut
            }
        })
    })
    .await
}

/// hyper's connections, of either protocol.
trait Drainable: Future {
    /// Finish what runs and take no new requests.
    fn drain(self: Pin<&mut Self>);
}

impl<I, S, B> Drainable for hyper::server::conn::http1::Connection<I, S>
where
    Self: Future,
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, B, E> Drainable for hyper::server::conn::http2::Connection<I, S, E>
where
    Self: Future,
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
