//! Clients that show certificates: who is let in, and what servers and policies
//! are told of them.

use crate::support::{
    Authority, Builder, Certified, Gateway, Guest, Hello, Message, Pool, Upstream, Wire,
    eventually, run_program,
};

/// A gateway that trusts this authority for its clients' certificates.
fn asking(server: &Upstream, authority: &Authority, mode: &str) -> Builder {
    let keys = format!("self_signed = true, client_ca = \"ca.pem\", client_auth = \"{mode}\"");
    let builder = Builder::new().file("ca.pem", authority.certificate());
    builder.tls(&keys).pool(Pool::of(&[server]))
}

/// What the gateway answers to a client with this certificate; none if it lets
/// the client not in.
async fn answer(gateway: &Gateway, certified: Option<&Certified>, claim: &str) -> Option<Message> {
    let hello = Hello {
        name: "localhost",
        offered: &[],
        certified,
    };
    // Over TLS 1.3 the client may learn of it after its own last word.
    let stream = hello.connect(gateway.tls_address()).await.ok()?;
    let mut client = Wire::new(stream);
    let head = format!("GET /a HTTP/1.1\r\nhost: a\r\n{claim}\r\n");
    client.try_send(head).await.ok()?;
    client.try_response().await
}

/// A policy that faults, and so denies, unless a request says who the client is.
fn insisting() -> Vec<u8> {
    let name = "x-forwarded-client-cert";
    let check = format!(
        "(call $header (i32.const {}) (i32.const {}) (i32.const 0)) \
         (if (i32.eqz (i32.load8_u (i32.const 0))) (then (unreachable)))",
        Guest::TEXTS,
        name.len()
    );
    let policy = Guest::policy_that(&check)
        .importing("request", "header", "$header (param i32 i32 i32)")
        .saying(&[name]);
    policy.build()
}

const CLAIM: &str = "X-Forwarded-Client-Cert: Hash=0;Subject=\"CN=admin\"\r\n\
    x_forwarded_client_cert: Hash=1\r\nclient-cert: :AAAA:\r\n";

/// What the server was told in this header.
fn told(server: &Upstream) -> Vec<String> {
    let last = server.requests().pop().expect("a request");
    assert!(last.headers("client-cert").is_empty());
    assert!(last.headers("x_forwarded_client_cert").is_empty());
    let told = last.headers("x-forwarded-client-cert");
    told.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn where_a_certificate_is_required_nobody_else_is_let_in() {
    let server = Upstream::named("a").await;
    let authority = Authority::new();
    let gateway = asking(&server, &authority, "required").start().await;
    let alice = authority.sign("alice.internal");
    let answered = answer(&gateway, Some(&alice), CLAIM).await;
    assert_eq!(answered.expect("alice is let in").text(), "a");
    let told = told(&server);
    assert_eq!(told.len(), 1);
    assert!(told[0].ends_with(";DNS=alice.internal"), "{told:?}");
    let expired = authority.sign_until("alice.internal", 2020);
    let stranger = Authority::new().sign("alice.internal");
    for refused in [None, Some(&expired), Some(&stranger)] {
        assert!(answer(&gateway, refused, "").await.is_none());
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn where_it_is_optional_those_without_one_have_no_identity() {
    let server = Upstream::named("a").await;
    let authority = Authority::new();
    let gateway = asking(&server, &authority, "optional").start().await;
    assert!(answer(&gateway, None, CLAIM).await.is_some());
    assert!(told(&server).is_empty());
    let alice = authority.sign("alice.internal");
    assert!(answer(&gateway, Some(&alice), CLAIM).await.is_some());
    assert_eq!(told(&server).len(), 1);
    let stranger = Authority::new().sign("alice.internal");
    assert!(answer(&gateway, Some(&stranger), "").await.is_none());
    // Nor has anyone on a listener that asks for none.
    let plain = format!("GET / HTTP/1.1\r\nhost: a\r\n{CLAIM}\r\n");
    assert_eq!(gateway.exchange(plain).await.status(), 200);
    assert!(told(&server).is_empty());
}

#[tokio::test]
async fn what_a_trusted_proxy_says_of_its_clients_is_continued() {
    let server = Upstream::named("a").await;
    let authority = Authority::new();
    let builder = asking(&server, &authority, "required");
    let gateway = builder
        .top("trusted_proxies = [\"127.0.0.1\"]")
        .start()
        .await;
    let proxy = authority.sign("proxy.internal");
    let claim = "x-forwarded-client-cert: Hash=0\r\n";
    assert!(answer(&gateway, Some(&proxy), claim).await.is_some());
    let told = told(&server).join(",");
    assert!(told.starts_with("Hash=0,Hash="), "{told}");
    assert!(told.ends_with("DNS=proxy.internal"), "{told}");
}

#[tokio::test]
async fn a_policy_reads_who_the_client_is() {
    let server = Upstream::named("a").await;
    let authority = Authority::new();
    let gateway = asking(&server, &authority, "optional")
        .plugin("judge", insisting())
        .with("[[policy]]\nplugin = \"judge\"")
        .start()
        .await;
    let alice = authority.sign("alice.internal");
    for (certified, status) in [(Some(&alice), 200), (None, 503)] {
        let answered = answer(&gateway, certified, CLAIM).await.expect("an answer");
        assert_eq!(answered.status(), status);
    }
}

#[tokio::test]
async fn a_session_does_not_outlive_the_authority_that_let_it_in() {
    let server = Upstream::named("a").await;
    let (old, new) = (Authority::new(), Authority::new());
    let alice = old.sign("alice.internal");
    let builder = asking(&server, &old, "required");
    let gateway = builder
        .file("alice.pem", alice.certificate.as_str())
        .file("alice.key", alice.key.as_str())
        .start()
        .await;
    let address = gateway.tls_address();
    let request = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let shown = "-cert alice.pem -key alice.key -ign_eof";
    let begin = format!("openssl s_client -connect {address} {shown} -sess_out session");
    let said = run_program(&begin, &gateway.path(""), request).await;
    assert!(said.contains("200 OK"), "{said}");
    let again = format!("openssl s_client -connect {address} {shown} -sess_in session");
    let said = run_program(&again, &gateway.path(""), request).await;
    assert!(said.contains("Reused") && said.contains("200 OK"), "{said}");
    let identities = server.requests();
    assert_eq!(
        identities[0].header("x-forwarded-client-cert"),
        identities[1].header("x-forwarded-client-cert"),
    );
    gateway.put("ca.pem", new.certificate());
    eventually("alice is let in no more", async || {
        answer(&gateway, Some(&alice), "").await.is_none()
    })
    .await;
    let said = run_program(&again, &gateway.path(""), request).await;
    assert!(!said.contains("200 OK"), "{said}");
}

#[tokio::test]
async fn no_stranger_passes_for_a_client_of_the_proxy_in_front_that_ends_tls() {
    let server = Upstream::named("a").await;
    for (proxy, status) in [("127.0.0.1", 200), ("10.0.0.1", 503)] {
        let trusted = format!("trusted_proxies = [\"{proxy}\"]");
        let builder = Builder::new().top(&trusted).pool(Pool::of(&[&server]));
        let gateway = builder
            .plugin("judge", insisting())
            .with("[[policy]]\nplugin = \"judge\"")
            .start()
            .await;
        let claims = format!("GET /a HTTP/1.1\r\nhost: a\r\n{CLAIM}\r\n");
        assert_eq!(gateway.exchange(claims).await.status(), status, "{proxy}");
    }
}
