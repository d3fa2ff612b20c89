//! TLS towards servers: who is believed to be one, what is shown to them, and
//! that everything else works as in the clear.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{accept_async, client_async};

use crate::support::{
    Authority, Builder, Certified, Gateway, Pool, Upstream, Wire, acceptor, eventually, plain, soon,
};

/// A server that answers everything with `a`, or a POST with its body.
async fn serving(acceptor: TlsAcceptor) -> Upstream {
    Upstream::speaking(move |stream| serve(acceptor.clone(), stream)).await
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream) {
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let mut wire = Wire::new(stream);
    while let Some(request) = wire.request().await {
        let answer = match request.method() {
            "POST" => plain(request.text()),
            _ => plain("a"),
        };
        if wire.try_send(answer).await.is_err() {
            return;
        }
    }
}

/// A gateway whose pool trusts this authority alone.
async fn trusting(authority: &Authority, server: &Upstream, more: &str) -> Gateway {
    let tls = format!("{{ ca = \"ca.pem\"{more} }}");
    let builder = Builder::new().file("ca.pem", authority.certificate());
    let pool = Pool::of(&[server]).with("tls", tls);
    builder.pool(pool.checked()).start().await
}

#[tokio::test]
async fn a_server_that_proves_its_name_is_spoken_to_over_connections_that_are_kept() {
    let authority = Authority::new();
    let server = serving(acceptor(&authority.sign("127.0.0.1"), &[], None)).await;
    let gateway = trusting(&authority, &server, "").await;
    eventually("it is healthy", async || {
        gateway.count("healthy").await == 1
    })
    .await;
    let before = server.connections();
    let mut client = gateway.connect().await;
    let large = "x".repeat(3 << 20);
    for _ in 0..3 {
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(client.response().await.text(), "a");
        let length = large.len();
        let post = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{large}");
        client.send(post).await;
        assert_eq!(client.response().await.text(), large);
    }
    // Health checks come over connections of their own.
    let checks = gateway.metric("gatewright_server_connections_total").await;
    assert_eq!(checks, 1.0, "of {} since {before}", server.connections());
}

#[tokio::test]
async fn a_server_of_another_name_is_refused_unless_it_is_asked_for() {
    let authority = Authority::new();
    let server = serving(acceptor(&authority.sign("app.internal"), &[], None)).await;
    let gateway = trusting(&authority, &server, "").await;
    assert_eq!(gateway.get("/").await.status(), 502);
    eventually("the check fails", async || {
        gateway.count("unhealthy").await == 1
    })
    .await;
    gateway.says("certificate not valid for name").await;

    let gateway = trusting(&authority, &server, ", name = \"app.internal\"").await;
    assert_eq!(gateway.get("/").await.text(), "a");
}

#[tokio::test]
async fn expired_and_unknown_certificates_are_refused() {
    let authority = Authority::new();
    let expired = authority.sign_until("127.0.0.1", 2020);
    let unknown = Certified::for_name("127.0.0.1");
    for (certified, reason) in [(expired, "expired"), (unknown, "invalid peer certificate")] {
        let server = serving(acceptor(&certified, &[], None)).await;
        let builder = Builder::new().file("ca.pem", authority.certificate());
        let pool = Pool::of(&[&server]).with("tls", "{ ca = \"ca.pem\" }");
        let gateway = builder.pool(pool).start().await;
        for _ in 0..3 {
            assert_eq!(gateway.get("/").await.status(), 502);
        }
        gateway.says(reason).await;
        assert_eq!(gateway.says_how_often("cannot connect to a server"), 1);
    }
}

#[tokio::test]
async fn without_verification_any_certificate_will_do() {
    let server = serving(acceptor(&Certified::for_name("nobody"), &[], None)).await;
    let gateway = Gateway::before(Pool::of(&[&server]).with("tls", "{ verify = false }")).await;
    assert_eq!(gateway.get("/").await.text(), "a");
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_is_shown_the_configured_one() {
    let authority = Authority::new();
    let ours = authority.sign("gateway.internal");
    let asking = acceptor(&authority.sign("127.0.0.1"), &[], Some(&authority));
    let server = serving(asking).await;
    let gateway = trusting(&authority, &server, "").await;
    assert_eq!(gateway.get("/").await.status(), 502);

    let builder = Builder::new()
        .file("ca.pem", authority.certificate())
        .file("ours.pem", ours.certificate.as_str())
        .file("ours.key", ours.key.as_str());
    let tls = "{ ca = \"ca.pem\", cert = \"ours.pem\", key = \"ours.key\" }";
    let gateway = builder.pool(Pool::of(&[&server]).with("tls", tls));
    assert_eq!(gateway.start().await.get("/").await.text(), "a");
}

#[tokio::test]
async fn a_renewed_authority_holds_for_new_connections() {
    let (old, new) = (Authority::new(), Authority::new());
    let server = serving(acceptor(&new.sign("127.0.0.1"), &[], None)).await;
    let gateway = trusting(&old, &server, "").await;
    eventually("it is refused", async || {
        gateway.count("unhealthy").await == 1
    })
    .await;
    gateway.put("ca.pem", new.certificate());
    eventually("it is trusted", async || {
        gateway.count("healthy").await == 1
    })
    .await;
    assert_eq!(gateway.get("/").await.text(), "a");
}

#[tokio::test]
async fn a_bad_authority_changes_nothing() {
    let authority = Authority::new();
    let server = serving(acceptor(&authority.sign("127.0.0.1"), &[], None)).await;
    let gateway = trusting(&authority, &server, "").await;
    gateway.put("ca.pem", "no certificate");
    gateway.says("pools.web.tls").await;
    gateway.says("no CERTIFICATE section").await;
    assert_eq!(gateway.get("/").await.text(), "a");
}

#[tokio::test]
async fn websockets_go_through_tls_to_the_server() {
    let authority = Authority::new();
    let shown = acceptor(&authority.sign("127.0.0.1"), &[], None);
    let server = Upstream::speaking(move |stream| {
        let shown = shown.clone();
        async move {
            let Ok(stream) = shown.accept(stream).await else {
                return;
            };
            let Ok(mut socket) = accept_async(stream).await else {
                return;
            };
            while let Some(Ok(message)) = socket.next().await {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    let builder = Builder::new().file("ca.pem", authority.certificate());
    let pool = Pool::of(&[&server]).with("tls", "{ ca = \"ca.pem\" }");
    let gateway = builder.pool(pool).start().await;
    let stream = TcpStream::connect(gateway.address()).await.unwrap();
    let (mut socket, _) = client_async("ws://localhost/", stream).await.unwrap();
    let large = Frame::binary(vec![7; 1 << 20]);
    for message in [Frame::text("hello"), large] {
        socket.send(message.clone()).await.unwrap();
        let back = soon("a message", socket.next()).await;
        assert_eq!(back.unwrap().unwrap(), message);
    }
}
