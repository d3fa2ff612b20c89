//! Certificates that the gateway orders and renews itself, from a real authority.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Authority, Builder, Certified, Events, Gateway, Hello, NAME, Pebble, Pool, Upstream, Wire,
    certificate_of, connect_tls, eventually, get, run_program, within,
};

/// How long an order may take that is refused a nonce too often, and tried again
/// half a minute later.
const WITH_ANOTHER_TRY: Duration = Duration::from_secs(60);

/// A gateway whose plain listener redirects, and which orders nothing yet.
async fn gateway(server: &Upstream) -> Gateway {
    let address = everywhere();
    let tls = format!(
        "[[listener]]\nname = \"tls\"\nlisten = \"{address}\"\ntls = {{ self_signed = true }}"
    );
    let builder = Builder::new().workers(2).pool(Pool::of(&[server]));
    let builder = builder.listen(address).listener("redirect = \"https\"");
    builder.with(&tls).start().await
}

/// Where a gateway is found by the name, on whatever address that leads to, and
/// by 127.0.0.1.
fn everywhere() -> SocketAddr {
    let mut led_to = (NAME, 0).to_socket_addrs().expect("the name leads here");
    match led_to.any(|address| address.is_ipv6()) {
        true => (Ipv6Addr::UNSPECIFIED, 0).into(),
        false => (Ipv4Addr::LOCALHOST, 0).into(),
    }
}

/// What a listener is to say of TLS.
fn ordered(name: &str) -> String {
    format!("acme = [\"{name}\"]")
}

/// Have it order certificates: a listener's keys of TLS, and more of `[acme]`.
fn order(gateway: &Gateway, pebble: &Pebble, tls: &str, more: &str) {
    gateway.put("authority.pem", pebble.authority());
    let acme = format!(
        "[acme]\ndirectory = \"{}\"\nca_file = \"authority.pem\"\nagree_to_terms = true\n\
         email = \"ops@example.com\"\n{more}\n",
        pebble.directory()
    );
    gateway.edit(|text| acme + &text.replace("self_signed = true", tls));
}

/// The certificate that clients get who ask for the name; none if they are
/// refused.
async fn shown(gateway: &Gateway) -> Option<Vec<u8>> {
    let hello = Hello {
        name: NAME,
        offered: &["http/1.1"],
        certified: None,
    };
    let stream = hello.connect(gateway.tls_address()).await.ok()?;
    Some(certificate_of(&stream))
}

/// What curl says to the gateway, trusting nobody but the authority's root.
async fn curl(gateway: &Gateway, pebble: &Pebble) -> String {
    gateway.put("root.pem", pebble.root().await);
    let port = gateway.tls_address().port();
    let line = format!(
        "curl --silent --show-error --cacert root.pem --resolve {NAME}:{port}:127.0.0.1 \
         https://{NAME}:{port}/"
    );
    run_program(&line, &gateway.path(""), "").await
}

#[tokio::test]
async fn a_name_that_is_proved_over_plain_http_is_served_by_https_though_clients_are_redirected() {
    let server = Upstream::named("a").await;
    let gateway = gateway(&server).await;
    let pebble = Pebble::before(&gateway).start().await;
    order(&gateway, &pebble, &ordered(NAME), "");
    gateway.says("is issued, until").await;
    assert_eq!(curl(&gateway, &pebble).await, "a");
    assert_eq!(gateway.get("/").await.status(), 301);
}

#[tokio::test]
async fn a_name_that_is_proved_in_a_handshake_is_served_though_clients_need_certificates() {
    let server = Upstream::named("a").await;
    let gateway = gateway(&server).await;
    let pebble = Pebble::before(&gateway).start().await;
    let authority = Authority::new();
    gateway.put("clients.pem", authority.certificate());
    let tls = format!("{}, client_ca = \"clients.pem\"", ordered(NAME));
    order(&gateway, &pebble, &tls, "challenge = \"tls-alpn-01\"");
    gateway.says("is issued, until").await;
    let client = authority.sign("client");
    let hello = Hello {
        name: NAME,
        offered: &["http/1.1"],
        certified: Some(&client),
    };
    let stream = hello.connect(gateway.tls_address()).await;
    let mut wire = Wire::new(stream.expect("a handshake"));
    wire.send(get("/")).await;
    assert_eq!(wire.response().await.text(), "a");
    // Once no order is open, nobody else is spoken to as an authority is.
    let hello = Hello {
        name: NAME,
        offered: &["acme-tls/1"],
        certified: Some(&client),
    };
    assert!(hello.connect(gateway.tls_address()).await.is_err());
}

#[tokio::test]
async fn a_certificate_is_renewed_again_and_again_while_no_request_fails() {
    let server = Upstream::named("a").await;
    let gateway = gateway(&server).await;
    let pebble = Pebble::before(&gateway).key("certificateValidityPeriod", json!(9));
    let pebble = pebble.start().await;
    order(&gateway, &pebble, &ordered(NAME), "");
    gateway.says("is issued, until").await;
    let first = shown(&gateway).await.expect("a certificate");
    // One that is open goes on through all of it, and new ones come in.
    let stream = connect_tls(gateway.tls_address(), NAME, &["http/1.1"]).await;
    let mut open = Wire::new(stream);
    let mut asked = 0;
    within(WITH_ANOTHER_TRY, "it is renewed twice", async || {
        open.send(get("/")).await;
        assert_eq!(open.response().await.text(), "a");
        let stream = connect_tls(gateway.tls_address(), NAME, &["http/1.1"]).await;
        let mut new = Wire::new(stream);
        new.send(get("/")).await;
        assert_eq!(new.response().await.text(), "a");
        asked += 1;
        gateway.says_how_often("is renewed, until") >= 2
    })
    .await;
    assert!(asked > 2);
    let last = shown(&gateway).await.expect("a certificate");
    assert_ne!(first, last);
    assert_eq!(gateway.metric("gatewright_tls_failures_total").await, 0.0);
    let renewed = gateway.metric("gatewright_certificate_orders_total{outcome=\"issued\"}");
    assert!(renewed.await >= 3.0);
}

#[tokio::test]
async fn a_gateway_that_is_started_again_orders_nothing_and_shows_what_it_has() {
    let server = Upstream::named("a").await;
    let mut gateway = gateway(&server).await;
    let pebble = Pebble::before(&gateway).start().await;
    order(&gateway, &pebble, &ordered(NAME), "");
    gateway.says("is issued, until").await;
    let before = shown(&gateway).await;
    assert!(before.is_some());
    let ordered = pebble.orders();
    // The authority is not needed for it either.
    drop(pebble);
    for _ in 0..2 {
        gateway.restart().await;
        assert_eq!(shown(&gateway).await, before);
        let mut told = Value::Null;
        eventually("it is known when it is renewed", async || {
            told = gateway.api("/api/certificates").await[0].take();
            told["renewal"].is_object()
        })
        .await;
        let [begin, renewal, end] = ["/notBefore", "/renewal/at", "/notAfter"]
            .map(|key| told.pointer(key).and_then(Value::as_str).expect("a moment"));
        assert!(begin < renewal && renewal < end, "{told}");
        assert_eq!(told["renewal"]["failures"], 0);
        assert_eq!(gateway.says_how_often("being ordered"), 0);
        assert_eq!(gateway.says_how_often("being renewed"), 0);
    }
    assert_eq!(ordered, 1);
}

#[tokio::test]
async fn a_refusal_is_told_in_the_authoritys_words_and_is_not_asked_for_again_by_a_restart() {
    let server = Upstream::named("a").await;
    let mut gateway = gateway(&server).await;
    let pebble = Pebble::before(&gateway);
    let pebble = pebble.key("domainBlocklist", json!(["blocked.example"]));
    let pebble = pebble.start().await;
    let mut events = Events::of(&gateway, None).await;
    order(&gateway, &pebble, &ordered("blocked.example"), "");
    let told = events.find("certificate", |_| true).await;
    assert_eq!(told["outcome"], "failed");
    assert_eq!(told["names"], json!(["blocked.example"]));
    let reason = told["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("(rejectedIdentifier); leave the name out"),
        "{reason}"
    );
    gateway.restart().await;
    let listed = gateway.api("/api/certificates").await;
    let waiting = &listed[0];
    assert_eq!(waiting["source"], "acme");
    assert!(waiting["notAfter"].is_null());
    eventually("it waits as before", async || {
        let listed = gateway.api("/api/certificates").await;
        listed[0]["renewal"]["reason"] == told["reason"]
    })
    .await;
    assert_eq!(gateway.says_how_often("being ordered"), 0);
    assert!(
        shown(&gateway).await.is_none(),
        "nobody is shown another certificate"
    );
}

#[tokio::test]
async fn a_proof_that_fails_is_told_with_its_name() {
    let server = Upstream::named("a").await;
    let gateway = gateway(&server).await;
    // The authority is led to the server instead of the gateway.
    let pebble = Pebble::before(&gateway).key("httpPort", json!(server.address().port()));
    let pebble = pebble.start().await;
    order(&gateway, &pebble, &ordered(NAME), "");
    gateway.says("no certificate for localhost").await;
    gateway.says("the authority refuses: localhost: ").await;
    gateway
        .says("(unauthorized); see that the name leads here")
        .await;
    let failed = gateway.metric("gatewright_certificate_orders_total{outcome=\"failed\"}");
    assert_eq!(failed.await, 1.0);
    // The order is not open any more: what is no token goes on as a request.
    assert_eq!(
        gateway.get("/.well-known/acme-challenge/x").await.status(),
        301
    );
}

#[tokio::test]
async fn nonces_that_the_authority_refuses_are_no_failure() {
    let server = Upstream::named("a").await;
    let gateway = gateway(&server).await;
    let pebble = Pebble::before(&gateway).with("PEBBLE_WFE_NONCEREJECT", 15);
    let pebble = pebble.start().await;
    order(&gateway, &pebble, &ordered(NAME), "");
    within(WITH_ANOTHER_TRY, "there is a certificate", async || {
        gateway.says_how_often("is issued, until") == 1
    })
    .await;
}

#[tokio::test]
async fn an_account_is_bound_to_one_that_is_there() {
    let server = Upstream::named("a").await;
    let gateway = gateway(&server).await;
    let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let pebble = Pebble::before(&gateway)
        .key("externalAccountBindingRequired", json!(true))
        .key("externalAccountMACKeys", json!({ "kid-1": key }));
    let pebble = pebble.start().await;
    let account = format!("external_account = {{ key_id = \"kid-1\", hmac_key = \"{key}\" }}");
    order(&gateway, &pebble, &ordered(NAME), &account);
    gateway.says("is issued, until").await;
}

#[tokio::test]
async fn an_authority_that_cannot_be_reached_is_told_and_asked_again_soon() {
    let server = Upstream::named("a").await;
    let gateway = gateway(&server).await;
    gateway.edit(|text| {
        let acme = "[acme]\ndirectory = \"https://127.0.0.1:1/dir\"\nagree_to_terms = true\n";
        acme.to_owned() + &text.replace("self_signed = true", &ordered(NAME))
    });
    gateway
        .says("127.0.0.1 cannot be asked: Connection refused")
        .await;
    assert_eq!(gateway.get("/").await.status(), 301);
}

#[tokio::test]
async fn certificates_of_every_source_are_listed_and_measured() {
    let server = Upstream::named("a").await;
    let own = Certified::for_name("own.example");
    let builder = Builder::new().pool(Pool::of(&[&server]));
    let builder = builder.file("own.pem", own.certificate.as_str());
    let builder = builder.file("own.key", own.key.as_str());
    let builder = builder.tls("certificates = [{ cert = \"own.pem\", key = \"own.key\" }]");
    let gateway = builder.start().await;
    let listed = gateway.api("/api/certificates").await;
    assert_eq!(listed[0]["names"], json!(["own.example"]));
    assert_eq!(listed[0]["source"], "file");
    assert_eq!(listed[0]["listeners"], json!(["tls"]));
    assert_eq!(listed[0]["renewal"], json!(null));
    let end = "gatewright_certificate_expiry_timestamp_seconds{listener=\"tls\",\
               certificate=\"own.example\",source=\"file\"}";
    assert!(gateway.metric(end).await > 1.7e9);
}

#[tokio::test]
async fn an_authority_that_has_lost_its_memory_gets_a_new_account() {
    let server = Upstream::named("a").await;
    let gateway = gateway(&server).await;
    let plan = || Pebble::before(&gateway).key("certificateValidityPeriod", json!(9));
    let before = plan().start().await;
    order(&gateway, &before, &ordered(NAME), "");
    gateway.says("is issued, until").await;
    let address = before.address().to_string();
    drop(before);
    let after = plan().key("listenAddress", json!(address)).start().await;
    gateway.put("authority.pem", after.authority());
    within(WITH_ANOTHER_TRY, "it is renewed", async || {
        gateway.says_how_often("is renewed, until") > 0
    })
    .await;
    gateway.says("knows the account no more").await;
    assert_eq!(
        gateway.says_how_often("an account with the authority is made"),
        2
    );
    assert_eq!(curl(&gateway, &after).await, "a");
}

#[tokio::test]
async fn the_authority_is_told_of_another_address_to_write_to() {
    let server = Upstream::named("a").await;
    let gateway = gateway(&server).await;
    let pebble = Pebble::before(&gateway);
    let pebble = pebble.key("domainBlocklist", json!(["blocked.example"]));
    let pebble = pebble.start().await;
    order(&gateway, &pebble, &ordered(NAME), "");
    gateway.says("is issued, until").await;
    let account = || {
        let folder = std::fs::read_dir(gateway.path("data/acme")).expect("a folder");
        let mut files = folder.map(|entry| entry.expect("an entry").path());
        let is_account =
            |file: &std::path::PathBuf| file.display().to_string().contains("account-");
        let file = files.find(is_account).expect("an account");
        let text = std::fs::read_to_string(file).expect("a file");
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    let before = account();
    assert_eq!(before["email"], "ops@example.com");
    // The account is looked at with the next order, whatever becomes of it.
    gateway.edit(|text| {
        let text = text.replace("ops@example.com", "others@example.com");
        text.replace(NAME, "blocked.example")
    });
    gateway.says("no certificate for blocked.example").await;
    let after = account();
    assert_eq!(after["email"], "others@example.com");
    assert_eq!(after["credentials"], before["credentials"]);
}
