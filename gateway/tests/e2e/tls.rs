//! TLS towards clients: certificates, names, and clients that speak none.

use crate::support::{
    Authority, Builder, Certified, Client, Gateway, Hello, Pool, Upstream, Wire, certificate_of,
    connect_tls, eventually, get, run_program,
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

/// A gateway with these certificates, in files named after their place, and
/// other keys of TLS.
async fn with_certificates(server: &Upstream, certified: &[&Certified], more: &str) -> Gateway {
    let mut builder = Builder::new().workers(2).pool(Pool::of(&[server]));
    let mut written = Vec::new();
    for (place, certified) in certified.iter().enumerate() {
        let (cert, key) = (format!("{place}.pem"), format!("{place}.key"));
        written.push(format!("{{ cert = \"{cert}\", key = \"{key}\" }}"));
        builder = builder
            .file(&cert, certified.certificate.as_str())
            .file(&key, certified.key.as_str());
    }
    let written = written.join(", ");
    let keys = format!("certificates = [{written}]{more}");
    builder.tls(&keys).start().await
}

/// Whether a client that asks for this name is refused.
async fn refuses(gateway: &Gateway, name: &str) -> bool {
    let hello = Hello {
        name,
        offered: &[],
        certified: None,
    };
    hello.connect(gateway.tls_address()).await.is_err()
}

#[tokio::test]
async fn the_certificate_is_chosen_by_the_name_asked_for() {
    let server = Upstream::named("a").await;
    let names = ["a.example", "*.b.example", "exact.b.example"];
    let [a, b, exact] = names.map(Certified::for_name);
    let gateway = with_certificates(&server, &[&a, &b, &exact], "").await;
    for (name, expected) in [
        ("a.example", &a),
        ("A.Example", &a),
        ("x.b.example", &b),
        ("exact.b.example", &exact),
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

#[tokio::test]
async fn strictly_a_name_without_a_certificate_is_refused() {
    let server = Upstream::named("a").await;
    let a = Certified::for_name("a.example");
    let gateway = with_certificates(&server, &[&a], ", strict_sni = true").await;
    assert!(!refuses(&gateway, "a.example").await);
    assert!(refuses(&gateway, "b.example").await);
    assert!(refuses(&gateway, "127.0.0.1").await, "it asks for no name");
    let failures = gateway.metric("gatewright_tls_failures_total");
    assert_eq!(failures.await, 2.0);
}

#[tokio::test]
async fn a_renewed_certificate_is_for_new_connections_and_the_open_ones_go_on() {
    let server = Upstream::named("a").await;
    let [old, new] = [(); 2].map(|()| Certified::for_name("a.example"));
    let gateway = with_certificates(&server, &[&old], "").await;
    let stream = connect_tls(gateway.tls_address(), "a.example", &[]).await;
    let mut open = Wire::new(stream);
    // Between the two the pair does not fit, which changes nothing.
    gateway.put("0.key", &new.key);
    gateway
        .says("the key cannot be used with its certificate")
        .await;
    gateway.put("0.pem", &new.certificate);
    eventually("the new certificate is shown", async || {
        let stream = connect_tls(gateway.tls_address(), "a.example", &[]).await;
        certificate_of(&stream) == new.der
    })
    .await;
    open.send(get("/")).await;
    assert_eq!(open.response().await.text(), "a");
    gateway.put("0.pem", "no certificate");
    gateway.says("no CERTIFICATE section").await;
    let stream = connect_tls(gateway.tls_address(), "a.example", &[]).await;
    assert!(certificate_of(&stream) == new.der);
}

/// What openssl says of a handshake and of the answer to a request.
async fn openssl(gateway: &Gateway, arguments: &str) -> String {
    let address = gateway.tls_address();
    let line = format!("openssl s_client -connect {address} -ign_eof {arguments}");
    let request = "GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n";
    run_program(&line, &gateway.path(""), request).await
}

#[tokio::test]
async fn openssl_is_answered_in_both_versions_unless_only_the_newer_is_wanted() {
    let server = Upstream::named("a").await;
    let a = Certified::for_name("a.example");
    for (more, old) in [("", true), (", min_version = \"1.3\"", false)] {
        let gateway = with_certificates(&server, &[&a], more).await;
        for (version, spoken) in [("tls1_1", false), ("tls1_2", old), ("tls1_3", true)] {
            let said = openssl(&gateway, &format!("-{version} -cipher DEFAULT@SECLEVEL=0")).await;
            assert_eq!(said.contains("200 OK"), spoken, "{version}: {said}");
        }
    }
}

#[tokio::test]
async fn a_session_is_resumed_on_any_worker_and_after_a_renewal() {
    let server = Upstream::named("a").await;
    let [old, new] = [(); 2].map(|()| Certified::for_name("a.example"));
    let gateway = with_certificates(&server, &[&old], "").await;
    for version in ["tls1_2", "tls1_3"] {
        let first = format!("-{version} -servername a.example -sess_out {version}");
        let said = openssl(&gateway, &first).await;
        assert!(said.contains("New, TLSv1"), "{said}");
    }
    let resumed = async |version: &str| {
        let again = format!("-{version} -servername a.example -sess_in {version}");
        let said = openssl(&gateway, &again).await;
        assert!(said.contains("200 OK"), "{said}");
        said.contains("Reused, TLSv1")
    };
    for _ in 0..4 {
        assert!(resumed("tls1_2").await && resumed("tls1_3").await);
    }
    gateway.put("0.key", &new.key);
    gateway.put("0.pem", &new.certificate);
    eventually("the new certificate is shown", async || {
        let stream = connect_tls(gateway.tls_address(), "a.example", &[]).await;
        certificate_of(&stream) == new.der
    })
    .await;
    assert!(resumed("tls1_2").await && resumed("tls1_3").await);
}

#[tokio::test]
async fn clients_are_offered_the_protocols_of_the_listener() {
    let server = Upstream::named("a").await;
    let a = Certified::for_name("a.example");
    let only = ", protocols = [\"http/1.1\"]";
    let gateway = with_certificates(&server, &[&a], only).await;
    let hello = |offered| Hello {
        name: "a.example",
        offered,
        certified: None,
    };
    let both = hello(&["h2", "http/1.1"]);
    let agreed = both.connect(gateway.tls_address()).await;
    let agreed = agreed.expect("a handshake");
    assert_eq!(agreed.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let other = hello(&["h2"]).connect(gateway.tls_address()).await;
    assert!(other.is_err());
}

#[tokio::test]
async fn curl_verifies_the_certificate_and_speaks_http2() {
    let server = Upstream::named("a").await;
    let authority = Authority::new();
    let gateway = with_certificates(&server, &[&authority.sign("a.example")], "").await;
    gateway.put("ca.pem", authority.certificate());
    let address = gateway.tls_address();
    let port = address.port();
    let line = format!(
        "curl --silent --show-error --cacert ca.pem --resolve a.example:{port}:{} \
         --write-out :%{{http_version}} https://a.example:{port}/",
        address.ip()
    );
    assert_eq!(run_program(&line, &gateway.path(""), "").await, "a:2");
}
