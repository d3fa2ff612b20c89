//! TLS towards clients: certificates, names, and clients that speak none.

use crate::support::{
    Builder, Certified, Client, Gateway, Pool, Upstream, Wire, certificate_of, connect_tls, get,
};

#[tokio::test]
async fn a_self_signed_listener_serves_https_beside_http() {
    let server = Upstream::named("a").await;
    let gateway = Builder::new()
        .tls("self_signed = true")
        .pool(Pool::of(&[&server]))
        .start()
        .await;
    let mut client = Client::https(gateway.tls_address(), &["http/1.1"]).await;
    assert_eq!(client.get("/").await.body(), "a");
    assert_eq!(gateway.get("/").await.text(), "a");
    let seen = server.requests();
    assert_eq!(seen[0].header("x-forwarded-proto"), Some("https"));
    assert_eq!(seen[1].header("x-forwarded-proto"), Some("http"));
}

/// A gateway with certificates for `a.example` and, by a wildcard, `*.b.example`.
async fn with_two_certificates(server: &Upstream) -> (Gateway, [Certified; 2]) {
    let certified = [
        Certified::for_name("a.example"),
        Certified::for_name("*.b.example"),
    ];
    let [a, b] = &certified;
    let certificates = "certificates = [{ cert = \"a.pem\", key = \"a.key\" }, \
                        { cert = \"b.pem\", key = \"b.key\" }]";
    let builder = Builder::new()
        .tls(certificates)
        .file("a.pem", a.certificate.as_str())
        .file("a.key", a.key.as_str())
        .file("b.pem", b.certificate.as_str())
        .file("b.key", b.key.as_str());
    (builder.pool(Pool::of(&[server])).start().await, certified)
}

#[tokio::test]
async fn the_certificate_is_chosen_by_the_name_asked_for() {
    let server = Upstream::named("a").await;
    let (gateway, [a, b]) = with_two_certificates(&server).await;
    for (name, expected) in [
        ("a.example", &a),
        ("A.Example", &a),
        ("x.b.example", &b),
        ("unknown.example", &a),
        ("127.0.0.1", &a),
    ] {
        let stream = connect_tls(gateway.tls_address(), name, &[]).await;
        assert!(certificate_of(&stream) == expected.der, "{name}");
        let mut client = Wire::new(stream);
        client.send(get("/")).await;
        assert_eq!(client.response().await.text(), "a");
    }
}

#[tokio::test]
async fn a_client_that_speaks_plain_http_to_a_tls_port_is_closed_on() {
    let server = Upstream::named("a").await;
    let gateway = Builder::new()
        .tls("self_signed = true")
        .pool(Pool::of(&[&server]))
        .start()
        .await;
    let stream = tokio::net::TcpStream::connect(gateway.tls_address())
        .await
        .expect("it accepts");
    let mut client = Wire::new(stream);
    client.send(get("/")).await;
    client.rest().await;
    assert!(server.requests().is_empty());
    assert_eq!(gateway.get("/").await.status(), 200);
}

#[tokio::test]
async fn a_handshake_that_stalls_is_given_up() {
    let server = Upstream::named("a").await;
    let builder = Builder::new()
        .tls("self_signed = true")
        .pool(Pool::of(&[&server]));
    let gateway = builder
        .with("[timeouts]\nrequest_head = \"100ms\"")
        .start()
        .await;
    let stream = tokio::net::TcpStream::connect(gateway.tls_address())
        .await
        .expect("it accepts");
    let mut client = Wire::new(stream);
    client.send([0x16, 0x03, 0x01]).await;
    assert!(client.is_closed().await);
}
