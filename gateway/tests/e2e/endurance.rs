//! Much of everything: bodies of a gigabyte, streams of events that go on, and
//! ten thousand connections, in memory that does not grow with them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::support::{
    Body, Builder, Client, Gateway, Pool, Upstream, Wire, body_of, connect_tls, empty, get,
    raise_descriptors, soon, whole,
};

const GIB: u64 = 1 << 30;

/// What a gateway may need more while it carries a body, however long: the
/// windows and buffers of one stream, on both sides.
const MOST_MEMORY: usize = 12 << 20;

/// The version of HTTP that both sides of the gateway speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaking {
    Http1,
    Http2,
}

/// A body of so many bytes.
struct Long {
    left: u64,
}

impl hyper::body::Body for Long {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        static PIECE: [u8; 64 << 10] = [b'x'; 64 << 10];
        let length = self.left.min(PIECE.len() as u64);
        self.left -= length;
        let piece = Bytes::from_static(&PIECE[..length as usize]);
        Poll::Ready((length > 0).then_some(Ok(Frame::data(piece))))
    }
}

/// Read a body to its end: its length.
async fn length_of(mut body: Incoming) -> u64 {
    let mut length = 0;
    while let Some(frame) = soon("a piece", body.frame()).await {
        let frame = frame.expect("a whole body");
        length += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
    length
}

/// A server that says how long a POST was, and answers a GET with `length`.
async fn measuring(speaking: Speaking, length: u64) -> Upstream {
    let answer = service_fn(move |request: Request<Incoming>| async move {
        let body = match *request.method() {
            Method::POST => whole(length_of(request.into_body()).await.to_string()),
            _ => Long { left: length }.boxed(),
        };
        Ok::<_, Infallible>(Response::new(body))
    });
    Upstream::speaking(move |stream| async move {
        let stream = TokioIo::new(stream);
        // How it ends is the gateway's to decide.
        match speaking {
            Speaking::Http1 => {
                let _ = http1::Builder::new().serve_connection(stream, answer).await;
            }
            Speaking::Http2 => {
                let server = http2::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(stream, answer).await;
            }
        }
    })
    .await
}

async fn client(speaking: Speaking, gateway: &Gateway) -> Client {
    let stream = TcpStream::connect(gateway.address())
        .await
        .expect("it accepts");
    match speaking {
        Speaking::Http1 => Client::http1_on(stream).await,
        Speaking::Http2 => Client::http2_on(stream).await,
    }
}

/// Do something while watching how much memory the gateway has: the most.
async fn watching<T>(gateway: &Gateway, doing: impl Future<Output = T>) -> (T, usize) {
    let mut most = 0;
    let watching = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            most = most.max(gateway.memory());
        }
    };
    let done = tokio::select! {
        done = doing => done,
        () = watching => unreachable!("it watches for ever"),
    };
    (done, most)
}

/// A long body up and one down.
async fn carries(speaking: Speaking, length: u64) {
    let server = measuring(speaking, length).await;
    let pool = Pool::of(&[&server]);
    let pool = match speaking {
        Speaking::Http1 => pool,
        Speaking::Http2 => pool.with("protocol", "\"http2\""),
    };
    let gateway = Gateway::before(pool).await;
    let mut client = client(speaking, &gateway).await;
    let request = |method: Method, body: Body| {
        let request = Request::builder().method(method);
        let request = match speaking {
            Speaking::Http1 => request.uri("/").header("host", "localhost"),
            Speaking::Http2 => request.uri("http://localhost/"),
        };
        request.body(body).expect("a request")
    };
    // So that all is there that the first request brings with it.
    let small = request(Method::POST, whole("x"));
    client.send(small).await.expect("a response");
    let before = gateway.memory();

    let up = request(Method::POST, Long { left: length }.boxed());
    let (response, most) = watching(&gateway, client.send_slowly(up)).await;
    let told = response.expect("a response").into_body().collect().await;
    let told = told.expect("a whole body").to_bytes();
    assert_eq!(told, length.to_string());
    judge(speaking, "up", before, most);

    let down = client.send(request(Method::GET, empty())).await;
    let body = down.expect("a response").into_body();
    let (received, most) = watching(&gateway, length_of(body)).await;
    assert_eq!(received, length);
    judge(speaking, "down", before, most);
    gateway.settles().await;
}

fn judge(speaking: Speaking, direction: &str, before: usize, most: usize) {
    let grown = most.saturating_sub(before);
    println!("{speaking:?} {direction}: {} KiB more", grown >> 10);
    assert!(grown < MOST_MEMORY, "{} KiB", grown >> 10);
}

#[tokio::test]
async fn long_bodies_take_no_more_memory_over_http1() {
    carries(Speaking::Http1, GIB).await;
}

#[tokio::test]
async fn long_bodies_take_no_more_memory_over_http2() {
    carries(Speaking::Http2, GIB).await;
}

/// How many events a stream has.
const EVENTS: usize = 5;

/// A server that sends an event each time the test says so.
async fn telling() -> Upstream {
    Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.send(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        )
        .await;
        for event in 0..EVENTS {
            peer.resumed().await;
            peer.send_chunk(format!("data: {event}\n\n").as_bytes()).await;
        }
        peer.send_chunk(b"").await;
    })
    .await
}

/// A gateway that waits shorter for a body to move than all events take.
async fn before_events(server: &Upstream) -> Gateway {
    let builder = Builder::new().with("[timeouts]\nbody_idle = \"800ms\"");
    builder.pool(Pool::of(&[server])).start().await
}

/// Together the pauses are more than twice what a body may stand still.
const PAUSE: Duration = Duration::from_millis(400);

#[tokio::test]
async fn events_arrive_one_by_one_over_http1() {
    let server = telling().await;
    let gateway = before_events(&server).await;
    let mut client = gateway.connect().await;
    client.send(get("/events")).await;
    let head = client.head().await.expect("a response");
    assert!(head.contains("text/event-stream"), "{head}");
    for event in 0..EVENTS {
        tokio::time::sleep(PAUSE).await;
        server.resume();
        let told = format!("9\r\ndata: {event}\n\n\r\n");
        assert_eq!(client.bytes(told.len()).await, told.as_bytes());
    }
    assert_eq!(client.bytes(5).await, b"0\r\n\r\n");
}

#[tokio::test]
async fn events_arrive_one_by_one_over_http2() {
    let server = telling().await;
    let gateway = before_events(&server).await;
    let mut client = client(Speaking::Http2, &gateway).await;
    let request = Request::get("http://localhost/events").body(empty());
    let response = client.send(request.expect("a request")).await;
    let mut body = response.expect("a response").into_body();
    for event in 0..EVENTS {
        tokio::time::sleep(PAUSE).await;
        server.resume();
        let frame = soon("an event", body.frame()).await.expect("an event");
        let data = frame.expect("a sound stream").into_data();
        assert_eq!(data.expect("data"), format!("data: {event}\n\n"));
    }
    assert_eq!(body_of(body).await.expect("an end"), "");
}

/// How many connections are opened or used at a time.
const AT_A_TIME: usize = 100;

/// Descriptors that are needed for something else than connections.
const OTHER_DESCRIPTORS: u64 = 500;

/// Ask on each connection.
async fn ask_all<S: AsyncRead + AsyncWrite + Unpin>(connections: &mut [Wire<S>]) {
    for some in connections.chunks_mut(AT_A_TIME) {
        let asking = some.iter_mut().map(async |connection| {
            connection.send(get("/")).await;
            assert_eq!(connection.response().await.text(), "a");
        });
        join_all(asking).await;
    }
}

/// Open `count` connections, use each, leave them alone, and use each again.
async fn hold<S: AsyncRead + AsyncWrite + Unpin>(
    what: &str,
    wanted: usize,
    open: impl AsyncFn(&Gateway) -> S,
) {
    let limit = raise_descriptors();
    let room = usize::try_from(limit.saturating_sub(OTHER_DESCRIPTORS)).unwrap_or(wanted);
    let count = wanted.min(room);
    let server = Upstream::named("a").await;
    let builder = Builder::new()
        .tls("self_signed = true")
        .with("[timeouts]\nidle = \"10m\"\n[limits]\nconnections = 20000");
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    let mut warm: Vec<_> = join_all((0..AT_A_TIME).map(|_| open(&gateway)))
        .await
        .into_iter()
        .map(Wire::new)
        .collect();
    ask_all(&mut warm).await;
    let before = gateway.memory();
    let mut connections = Vec::with_capacity(count);
    while connections.len() < count {
        let more = AT_A_TIME.min(count - connections.len());
        let opened = join_all((0..more).map(|_| open(&gateway))).await;
        connections.extend(opened.into_iter().map(Wire::new));
        let first = connections.len() - more;
        ask_all(&mut connections[first..]).await;
    }
    let each = gateway.memory().saturating_sub(before) / count;
    let open_now = gateway.metric("gatewright_connections").await;
    println!(
        "{count} idle connections ({what}; {wanted} wanted, {limit} descriptors allowed): \
         {each} bytes each"
    );
    assert_eq!(open_now, (count + warm.len()) as f64);
    ask_all(&mut connections).await;
    ask_all(&mut warm).await;
    assert!(each < 64 << 10, "{each} bytes for each connection");
}

#[tokio::test]
async fn ten_thousand_idle_connections_are_kept_and_answered() {
    hold("in the clear", 10_000, async |gateway| {
        let stream = TcpStream::connect(gateway.address()).await;
        stream.expect("it accepts")
    })
    .await;
}

#[tokio::test]
async fn a_thousand_idle_connections_over_tls_are_kept_and_answered() {
    hold(
        "TLS; fewer, because handshakes take long in a debug build",
        1_000,
        async |gateway| connect_tls(gateway.tls_address(), "localhost", &["http/1.1"]).await,
    )
    .await;
}
