//! TLS that is passed on to servers as it comes, by the name asked for.

use crate::support::{
    Builder, Certified, Gateway, Hello, Pool, Upstream, Wire, acceptor, certificate_of, eventually,
    get, plain, run_program,
};

/// A server that shows a certificate for a name and answers with the name.
async fn secret(name: &'static str) -> (Upstream, Vec<u8>) {
    let certified = Certified::for_name(name);
    let shown = acceptor(&certified, &[], None);
    let server = Upstream::speaking(move |stream| {
        let shown = shown.clone();
        async move {
            let Ok(stream) = shown.accept(stream).await else {
                return;
            };
            let mut wire = Wire::new(stream);
            while let Some(request) = wire.request().await {
                wire.send(plain(name)).await;
                if request.header("connection") == Some("close") {
                    return;
                }
            }
        }
    })
    .await;
    (server, certified.der)
}

/// A gateway that passes `names` on to pools: each with its server.
async fn passing(names: &[(&str, &'static str, &Upstream)]) -> Gateway {
    let mut builder = Builder::new();
    let mut rules = Vec::new();
    for (sni, pool, server) in names {
        rules.push(format!("{{ sni = \"{sni}\", pool = \"{pool}\" }}"));
        let unreachable = Upstream::nowhere();
        builder = builder.pool(Pool::at(&[unreachable, server.address()]).named(pool));
    }
    let rules = format!("passthrough = [{}]", rules.join(", "));
    let builder = builder.top("default_pool = \"a\"").listener(&rules);
    builder.start().await
}

fn asking(name: &str) -> Hello<'_> {
    Hello {
        name,
        offered: &[],
        certified: None,
    }
}

#[tokio::test]
async fn the_servers_own_certificate_is_shown_to_who_asks_for_its_name() {
    let (a, a_shown) = secret("a.example").await;
    let (b, b_shown) = secret("b.example").await;
    let gateway = passing(&[("*.example", "b", &b), ("a.example", "a", &a)]).await;
    // A dead server of each pool is passed over, whenever it is picked.
    for _ in 0..4 {
        for (name, shown, answer) in [
            ("A.example", &a_shown, "a.example"),
            ("other.example", &b_shown, "b.example"),
        ] {
            let stream = asking(name).connect(gateway.address()).await;
            let stream = stream.expect("a handshake");
            assert!(certificate_of(&stream) == *shown, "{name}");
            let mut client = Wire::new(stream);
            client.send(get("/")).await;
            assert_eq!(client.response().await.text(), answer);
        }
    }
    eventually("nothing is counted on", async || {
        gateway.metric("gatewright_tunnels").await == 0.0 && gateway.active().await == 0
    })
    .await;
}

#[tokio::test]
async fn names_for_nobody_and_what_is_no_tls_are_closed_on() {
    let (a, _) = secret("a.example").await;
    let gateway = passing(&[("a.example", "a", &a)]).await;
    for name in ["b.example", "x.a.example", "127.0.0.1"] {
        assert!(
            asking(name).connect(gateway.address()).await.is_err(),
            "{name}"
        );
    }
    let mut wire = gateway.connect().await;
    wire.send(get("/")).await;
    wire.rest().await;
    assert_eq!(a.connections(), 0);
}

#[tokio::test]
async fn all_others_may_have_a_pool_too() {
    let (a, _) = secret("a.example").await;
    let gateway = passing(&[("*", "a", &a)]).await;
    for name in ["a.example", "127.0.0.1"] {
        let stream = asking(name).connect(gateway.address()).await;
        let mut client = Wire::new(stream.expect("a handshake"));
        client.send(get("/")).await;
        assert_eq!(client.response().await.text(), "a.example", "{name}");
    }
}

#[tokio::test]
async fn openssl_is_passed_on_with_a_large_request() {
    let (a, _) = secret("a.example").await;
    let gateway = passing(&[("a.example", "a", &a)]).await;
    let address = gateway.address();
    let line = format!("openssl s_client -connect {address} -servername a.example -ign_eof");
    let body = "x".repeat(1_000_000);
    let length = body.len();
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n");
    let request = format!("{head}connection: close\r\n\r\n{body}");
    let said = run_program(&line, &gateway.path(""), &request).await;
    assert!(said.contains("200 OK"), "{said}");
}
