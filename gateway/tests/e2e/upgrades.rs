//! Connections that switch protocols: WebSockets over HTTP/1.1 and HTTP/2, by
//! clients and servers that are no part of the gateway.

use futures_util::{SinkExt, StreamExt};
use http::{Method, Request, StatusCode};
use hyper::ext::Protocol;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame as RawFrame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config, client_async_with_config};

use crate::support::{
    Builder, Client, Gateway, Guest, Pool, Upstream, connect_tls, empty, eventually, plain, soon,
};

const MIB: usize = 1 << 20;

fn large() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(32 * MIB))
        .max_frame_size(Some(32 * MIB))
}

/// A server that sends every message back.
async fn echo() -> Upstream {
    Upstream::speaking(|stream| async move {
        let Ok(mut socket) = accept_async_with_config(stream, Some(large())).await else {
            return;
        };
        while let Some(Ok(message)) = socket.next().await {
            if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                return;
            }
        }
    })
    .await
}

async fn websocket<S: AsyncRead + AsyncWrite + Unpin>(
    scheme: &str,
    stream: S,
) -> WebSocketStream<S> {
    let address = format!("{scheme}://localhost/chat");
    let handshake = client_async_with_config(address, stream, Some(large()));
    let (socket, response) = soon("a handshake", handshake).await.expect("a handshake");
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    socket
}

async fn over_http1(gateway: &Gateway) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(gateway.address())
        .await
        .expect("it accepts");
    websocket("ws", stream).await
}

/// An extended CONNECT (RFC 8441), and what was answered.
async fn connect_over_http2(
    gateway: &Gateway,
    protocol: &'static str,
) -> http::Response<hyper::body::Incoming> {
    let mut client = Client::https(gateway.tls_address(), &["h2"]).await;
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri("https://localhost/chat")
        .header("sec-websocket-version", "13")
        .body(empty())
        .expect("a request");
    let extensions = request.extensions_mut();
    extensions.insert(Protocol::from_static(protocol));
    client.send(request).await.expect("a response")
}

async fn over_http2(gateway: &Gateway) -> WebSocketStream<impl AsyncRead + AsyncWrite + Unpin> {
    let response = connect_over_http2(gateway, "websocket").await;
    assert_eq!(response.status(), StatusCode::OK);
    let stream = hyper::upgrade::on(response).await.expect("a stream");
    WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Client, Some(large())).await
}

/// Whatever a WebSocket is used for, there and back.
async fn converses<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) {
    let next = async |socket: &mut WebSocketStream<S>| {
        let message = soon("a message", socket.next()).await;
        message.expect("a message").expect("a sound message")
    };
    socket.send(Frame::text("hello")).await.expect("it is sent");
    assert_eq!(next(socket).await, Frame::text("hello"));

    socket
        .send(Frame::Ping("are you there".into()))
        .await
        .expect("it is sent");
    assert_eq!(next(socket).await, Frame::Pong("are you there".into()));

    let fragment = |text: &'static str, kind, is_last| {
        let frame = RawFrame::message(text, OpCode::Data(kind), is_last);
        Frame::Frame(frame)
    };
    socket
        .send(fragment("in ", Data::Text, false))
        .await
        .expect("it is sent");
    socket
        .send(fragment("three ", Data::Continue, false))
        .await
        .expect("it is sent");
    socket
        .send(fragment("pieces", Data::Continue, true))
        .await
        .expect("it is sent");
    assert_eq!(next(socket).await, Frame::text("in three pieces"));

    let large: Vec<u8> = (0..16 * MIB).map(|at| (at % 251) as u8).collect();
    let (sent, back) = {
        let (mut sink, mut stream) = socket.split();
        tokio::join!(sink.send(Frame::binary(large.clone())), stream.next())
    };
    sent.expect("it is sent");
    assert!(
        back.expect("a message")
            .expect("a sound message")
            .into_data()
            == large,
        "16 MiB, unchanged"
    );

    let farewell = CloseFrame {
        code: 4001.into(),
        reason: "done".into(),
    };
    socket
        .close(Some(farewell.clone()))
        .await
        .expect("it is sent");
    assert_eq!(next(socket).await, Frame::Close(Some(farewell)));
    assert!(soon("the end", socket.next()).await.is_none());
}

#[tokio::test]
async fn websockets_work_over_http1_with_and_without_tls() {
    let server = echo().await;
    let gateway = Builder::new().tls("self_signed = true");
    let gateway = gateway.pool(Pool::of(&[&server])).start().await;
    converses(&mut over_http1(&gateway).await).await;
    let stream = connect_tls(gateway.tls_address(), "localhost", &["http/1.1"]).await;
    converses(&mut websocket("wss", stream).await).await;
}

#[tokio::test]
async fn websockets_work_over_http2() {
    let server = echo().await;
    let gateway = Builder::new().tls("self_signed = true");
    let gateway = gateway.pool(Pool::of(&[&server])).start().await;
    converses(&mut over_http2(&gateway).await).await;
}

#[tokio::test]
async fn what_a_client_sends_along_with_its_wish_reaches_the_server() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.resumed().await;
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat/2\r\n\r\nhi ",
        )
        .await;
        let heard = peer.bytes(5).await;
        peer.send(heard).await;
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server]).with("upgrades", "[\"chat/2\"]")).await;
    let wish = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: chat/2\r\n\r\n";
    for (before, (along, later)) in [("early", ""), ("ea", "rly"), ("", "early")]
        .into_iter()
        .enumerate()
    {
        let mut client = gateway.connect().await;
        client.send([wish, along].concat()).await;
        eventually("it has come", async || server.requests().len() > before).await;
        client.send(later).await;
        server.resume();
        let head = client.head().await.expect("a response");
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert!(head.contains("upgrade: chat/2\r\n"), "{head}");
        assert_eq!(client.rest().await, b"hi early");
    }
    for request in server.requests() {
        assert_eq!(request.header("upgrade"), Some("chat/2"));
        assert_eq!(request.header("connection"), Some("upgrade"));
    }
}

#[tokio::test]
async fn a_protocol_that_is_not_allowed_is_not_asked_for() {
    let server = Upstream::named("plain").await;
    let builder = Builder::new().tls("self_signed = true");
    let pool = Pool::of(&[&server]).with("upgrades", "[\"chat\"]");
    let gateway = builder.pool(pool).start().await;
    for protocol in ["websocket", "h2c", "TLS/1.3"] {
        let asking = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n\
             Upgrade: {protocol}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        );
        let mut client = gateway.connect().await;
        client.send(asking).await;
        assert_eq!(client.response().await.text(), "plain");
    }
    for request in server.requests() {
        for name in ["upgrade", "connection", "http2-settings"] {
            assert_eq!(request.header(name), None, "{name}");
        }
    }
    for protocol in ["websocket", "h2c"] {
        let response = connect_over_http2(&gateway, protocol).await;
        assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
    }
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn any_protocol_does_not_mean_http_or_tls() {
    let server = Upstream::named("plain").await;
    let gateway = Gateway::before(Pool::of(&[&server]).with("upgrades", "[\"*\"]")).await;
    let asking = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    assert_eq!(gateway.exchange(asking).await.text(), "plain");
    assert_eq!(server.request().header("upgrade"), None);
}

#[tokio::test]
async fn a_server_that_refuses_answers_as_it_likes() {
    let server =
        Upstream::answering(|_| "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno".to_owned())
            .await;
    let builder = Builder::new().tls("self_signed = true");
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    let asking = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let mut client = gateway.connect().await;
    for _ in 0..2 {
        client.send(asking).await;
        let response = client.response().await;
        assert_eq!((response.status(), response.text()), (403, "no"));
    }
    let response = connect_over_http2(&gateway, "websocket").await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(server.connections(), 1, "its connection is kept");
}

#[tokio::test]
async fn no_http2_client_takes_an_ordinary_answer_for_a_tunnel() {
    let server = Upstream::answering(|_| plain("not a tunnel")).await;
    let builder = Builder::new().tls("self_signed = true");
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    let response = connect_over_http2(&gateway, "websocket").await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn no_http2_client_takes_a_policys_answer_for_a_tunnel() {
    let answers = |status: u16| {
        let answer = format!(
            "(i32.store8 (i32.const 16) (i32.const 1)) \
             (i32.store16 (i32.const 18) (i32.const {status})) (return (i32.const 16))"
        );
        Guest::policy_that(&answer).build()
    };
    let server = echo().await;
    for (answered, told) in [(200, 403), (299, 403), (401, 401)] {
        let gateway = Builder::new()
            .tls("self_signed = true")
            .plugin_granted("judge", "[\"response\"]", answers(answered))
            .with("[[policy]]\nplugin = \"judge\"")
            .pool(Pool::of(&[&server]))
            .start()
            .await;
        let response = connect_over_http2(&gateway, "websocket").await;
        assert_eq!(response.status(), told);
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_tunnel_counts_as_a_request_in_flight_until_it_closes() {
    let server = echo().await;
    let gateway = Builder::new().tls("self_signed = true");
    let gateway = gateway.pool(Pool::of(&[&server])).start().await;
    let open = async || {
        (
            gateway.active().await,
            gateway.metric("gatewright_tunnels_open").await,
        )
    };
    let one = over_http1(&gateway).await;
    let other = over_http2(&gateway).await;
    eventually("both count", async || open().await == (2, 2.0)).await;
    drop((one, other));
    eventually("neither counts", async || open().await == (0, 0.0)).await;
}

#[tokio::test]
async fn tunnels_between_bare_sockets_are_watched_apart() {
    let server = echo().await;
    let gateway = Builder::new().tls("self_signed = true");
    let gateway = gateway.pool(Pool::of(&[&server])).start().await;
    let says_hello = async |socket: &mut WebSocketStream<_>| {
        socket.send(Frame::text("hello")).await.expect("it is sent");
        let answer = soon("an answer", socket.next()).await.expect("an answer");
        assert_eq!(answer.expect("a sound message"), Frame::text("hello"));
    };
    let of_runtimes = gateway.watched_sockets();
    let _by_its_task = over_http2(&gateway).await;
    let mut relayed = over_http1(&gateway).await;
    says_hello(&mut relayed).await;
    let mut apart = gateway.watched_sockets();
    apart.retain(|set, _| !of_runtimes.contains_key(set));
    let watched: Vec<_> = apart.into_values().collect();
    assert_eq!(watched, [2], "the client's and the server's of one tunnel");
}

#[tokio::test]
async fn a_tunnel_over_http2_counts_as_a_connection() {
    let server = echo().await;
    let builder = Builder::new()
        .tls("self_signed = true")
        .with("[limits]\nconnections = 3");
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    let one = over_http2(&gateway).await;
    let connections = gateway.metric("gatewright_connections").await;
    assert_eq!(connections, 2.0);
    // A connection for it there is, and no more.
    let response = connect_over_http2(&gateway, "websocket").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop((one, response));
    eventually("there is room again", async || {
        let response = connect_over_http2(&gateway, "websocket").await;
        response.status() == StatusCode::OK
    })
    .await;
}

#[tokio::test]
async fn a_tunnel_ends_with_its_server() {
    let server = echo().await;
    let gateway = Builder::new().tls("self_signed = true");
    let gateway = gateway.pool(Pool::of(&[&server])).start().await;
    let mut one = over_http1(&gateway).await;
    let mut other = over_http2(&gateway).await;
    server.kill().await;
    for last in [
        soon("an end", one.next()).await,
        soon("an end", other.next()).await,
    ] {
        assert!(!matches!(last, Some(Ok(_))), "{last:?}");
    }
}

#[tokio::test]
async fn a_tunnel_in_which_nothing_moves_is_closed() {
    let server = echo().await;
    let gateway = Builder::new()
        .tls("self_signed = true")
        .with("[timeouts]\ntunnel_idle = \"300ms\"");
    let gateway = gateway.pool(Pool::of(&[&server])).start().await;
    let mut one = over_http1(&gateway).await;
    let mut other = over_http2(&gateway).await;
    for last in [
        soon("an end", one.next()).await,
        soon("an end", other.next()).await,
    ] {
        assert!(!matches!(last, Some(Ok(_))), "{last:?}");
    }
}

#[tokio::test]
async fn http2_connections_outlive_their_idle_limit_while_a_tunnel_is_open() {
    let server = echo().await;
    let gateway = Builder::new()
        .tls("self_signed = true")
        .with("[timeouts]\nidle = \"100ms\"");
    let gateway = gateway.pool(Pool::of(&[&server])).start().await;
    let mut socket = over_http2(&gateway).await;
    // Twice as long as an idle connection is kept, and then some ticks.
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    socket.send(Frame::text("still here")).await.unwrap();
    let back = soon("a message", socket.next()).await;
    assert_eq!(back.unwrap().unwrap(), Frame::text("still here"));
}
