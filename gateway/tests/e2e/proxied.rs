//! The PROXY protocol, from proxies in front and to servers behind.

use std::net::SocketAddr;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::{
    Builder, Gateway, Hello, Pool, Upstream, Wire, eventually, get, plain, run_program,
};

const PREFACE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A gateway that is behind proxies at these addresses, with both listeners.
fn behind(server: &Upstream, proxies: &str) -> Builder {
    let key = format!("proxy_protocol = [\"{proxies}\"]");
    let tls = format!(
        "[[listener]]\nname = \"proxied-tls\"\nlisten = \"127.0.0.1:0\"\n\
         tls = {{ self_signed = true }}\n{key}"
    );
    let builder = Builder::new().listener(&key).with(&tls);
    builder.pool(Pool::of(&[server]))
}

/// A header of version 2 for a client at 192.0.2.7, port 1000; local if it is
/// the proxy's own.
fn binary(is_local: bool) -> Vec<u8> {
    let command = if is_local { 0x20 } else { 0x21 };
    // Both addresses, both ports, and an extension that nobody needs.
    let rest = [192, 0, 2, 7, 192, 0, 2, 1, 3, 232, 1, 187, 4, 0, 1, 0];
    [PREFACE, &[command, 0x11, 0, 16], &rest].concat()
}

const LINE: &str = "PROXY TCP6 2001:db8::7 2001:db8::1 1000 443\r\n";

/// Whom the server was told of last.
fn told(server: &Upstream) -> String {
    let last = server.requests().pop().expect("a request");
    assert_eq!(last.header("x-real-ip"), last.header("x-forwarded-for"));
    last.header("x-real-ip").expect("an address").to_owned()
}

#[tokio::test]
async fn the_client_is_whom_the_proxy_names() {
    let server = Upstream::named("a").await;
    let gateway = behind(&server, "127.0.0.0/8").start().await;
    for (header, client) in [
        (LINE.as_bytes().to_vec(), "2001:db8::7"),
        (binary(false), "192.0.2.7"),
        (binary(true), "127.0.0.1"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
    ] {
        // Together, and byte by byte.
        let whole = [&header[..], get("/").as_bytes()].concat();
        let mut wire = gateway.connect().await;
        wire.send(&whole).await;
        assert_eq!(wire.response().await.text(), "a");
        assert_eq!(told(&server), client);
        let mut wire = gateway.connect().await;
        for byte in whole {
            wire.send([byte]).await;
        }
        assert_eq!(wire.response().await.text(), "a");
        assert_eq!(told(&server), client);
    }
}

#[tokio::test]
async fn the_header_comes_before_tls() {
    let server = Upstream::named("a").await;
    let gateway = behind(&server, "127.0.0.1").start().await;
    let stream = TcpStream::connect(gateway.tls_address()).await;
    let mut wire = Wire::new(stream.expect("it accepts"));
    wire.send(LINE).await;
    let hello = Hello {
        name: "localhost",
        offered: &[],
        certified: None,
    };
    let stream = hello.shake_hands(wire.stream).await.expect("a handshake");
    let mut client = Wire::new(stream);
    client.send(get("/")).await;
    assert_eq!(client.response().await.text(), "a");
    assert_eq!(told(&server), "2001:db8::7");
}

#[tokio::test]
async fn without_a_right_header_the_connection_is_closed() {
    let server = Upstream::named("a").await;
    let timeouts = "[timeouts]\nrequest_head = \"200ms\"";
    let gateway = behind(&server, "127.0.0.1").with(timeouts).start().await;
    let endless = format!("PROXY TCP4 {}", "1".repeat(200));
    for bytes in [
        get("/").as_bytes(),
        endless.as_bytes(),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n",
        // These say nothing wrong, and nothing more.
        b"PROXY",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 ",
        &binary(false)[..20],
    ] {
        let mut wire = gateway.connect().await;
        wire.send(bytes).await;
        wire.rest().await;
    }
    gateway
        .says("a connection without a proxy's word is closed")
        .await;
    assert!(server.requests().is_empty());
    eventually("all are counted out", async || {
        gateway.metric("gatewright_connections").await == 0.0
    })
    .await;
}

#[tokio::test]
async fn nobody_else_may_say_for_whom_he_comes() {
    let server = Upstream::named("a").await;
    let gateway = behind(&server, "10.0.0.0/8").start().await;
    let mut wire = gateway.connect().await;
    let _ = wire.try_send([LINE, &get("/")].concat()).await;
    wire.rest().await;
    gateway.says("none of the proxies").await;
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn curl_is_understood() {
    let server = Upstream::named("a").await;
    let gateway = behind(&server, "127.0.0.1").start().await;
    let address = gateway.address();
    let line = format!("curl --silent --show-error --haproxy-protocol http://{address}/");
    assert_eq!(run_program(&line, &gateway.path(""), "").await, "a");
    assert_eq!(told(&server), "127.0.0.1");
}

/// A server that answers with the header that its connection began with, whose
/// end it knows by `length`, or else by the line's end.
async fn told_of_clients(length: Option<usize>) -> Upstream {
    Upstream::speaking(move |mut stream| async move {
        let mut header = Vec::new();
        while match length {
            Some(length) => header.len() < length,
            None => !header.ends_with(b"\n"),
        } {
            let Ok(byte) = stream.read_u8().await else {
                return;
            };
            header.push(byte);
        }
        let mut wire = Wire::new(stream);
        while wire.request().await.is_some() {
            let said = header.escape_ascii().to_string();
            if wire.try_send(plain(&said)).await.is_err() {
                return;
            }
        }
    })
    .await
}

/// A gateway that tells its servers of clients.
async fn telling(server: &Upstream, version: &str) -> Gateway {
    let pool = Pool::of(&[server]).with("proxy_protocol", version);
    Gateway::before(pool).await
}

async fn ask(gateway: &Gateway) -> (String, [SocketAddr; 2]) {
    let stream = TcpStream::connect(gateway.address()).await;
    let stream = stream.expect("it accepts");
    let ends = [stream.local_addr(), stream.peer_addr()].map(|end| end.expect("an address"));
    let mut wire = Wire::new(stream);
    wire.send(get("/")).await;
    (wire.response().await.text().to_owned(), ends)
}

#[tokio::test]
async fn a_server_is_told_of_the_client_on_each_connection() {
    let server = told_of_clients(None).await;
    let gateway = telling(&server, "\"v1\"").await;
    for _ in 0..2 {
        let (said, [client, here]) = ask(&gateway).await;
        let ports = format!("{} {}", client.port(), here.port());
        assert_eq!(
            said,
            format!("PROXY TCP4 127.0.0.1 127.0.0.1 {ports}\\r\\n")
        );
    }
    // Nor are two requests of one client on one connection, whatever it keeps.
    let mut wire = gateway.connect().await;
    for _ in 0..2 {
        wire.send(get("/")).await;
        assert_eq!(wire.response().await.status(), 200);
    }
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn a_server_is_told_in_version_2_too() {
    let server = told_of_clients(Some(28)).await;
    let gateway = telling(&server, "\"v2\"").await;
    let stream = TcpStream::connect(gateway.address()).await;
    let stream = stream.expect("it accepts");
    let ends = [stream.local_addr(), stream.peer_addr()].map(|end| end.expect("an address").port());
    let mut wire = Wire::new(stream);
    wire.send(get("/")).await;
    let said = wire.response().await.text().to_owned();
    let ports = ends.map(u16::to_be_bytes).concat();
    let addresses = [127, 0, 0, 1, 127, 0, 0, 1];
    let header = [PREFACE, &[0x21, 0x11, 0, 12], &addresses, &ports].concat();
    assert_eq!(said, header.escape_ascii().to_string());
}

#[tokio::test]
async fn health_checks_are_for_nobody() {
    let server = told_of_clients(None).await;
    let pool = Pool::of(&[&server]).with("proxy_protocol", "\"v1\"");
    let gateway = Gateway::before(pool.checked()).await;
    eventually("it is healthy", async || {
        gateway.count("healthy").await == 1
    })
    .await;
}

#[tokio::test]
async fn a_client_that_the_proxy_does_not_name_is_not_trusted_as_the_proxy_is() {
    let server = Upstream::named("a").await;
    let builder = behind(&server, "127.0.0.1").top("trusted_proxies = [\"127.0.0.1\"]");
    let gateway = builder.start().await;
    let unix = [PREFACE, b"\x21\x31\0\xd8", &[b'/'; 216]].concat();
    for (header, told) in [
        (binary(true), "192.0.2.9, 127.0.0.1"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (unix, "127.0.0.1"),
    ] {
        let request = "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 192.0.2.9\r\n\r\n";
        let whole = [&header[..], request.as_bytes()].concat();
        assert_eq!(gateway.exchange(whole).await.text(), "a");
        let last = server.requests().pop().expect("a request");
        assert_eq!(last.headers("x-forwarded-for"), [told]);
    }
}
