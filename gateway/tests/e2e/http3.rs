//! HTTP/3 from clients, HTTP/1.1 to servers.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};

use crate::support::http3::{answer, get};
use crate::support::{
    Authority, Builder, Client, Gateway, Http3, Pool, Upstream, eventually, plain, run_program,
};

/// A gateway that speaks HTTP/3 in front of a server.
fn before(server: &Upstream) -> Builder {
    Builder::new()
        .tls("self_signed = true")
        .tls_listener("http3 = true")
        .pool(Pool::of(&[server]))
}

async fn over_http3(server: &Upstream) -> (Gateway, Http3) {
    let gateway = before(server).start().await;
    let client = Http3::to(&gateway).await;
    (gateway, client)
}

fn post() -> Request<()> {
    let request = Request::post("https://localhost/");
    request.body(()).expect("a request")
}

#[tokio::test]
async fn a_request_over_http3_reaches_the_server_as_http1() {
    let server = Upstream::named("a").await;
    let (gateway, mut client) = over_http3(&server).await;
    let response = client.get("/path?query").await;
    assert_eq!(
        (response.status().as_u16(), &response.body()[..]),
        (200, &b"a"[..])
    );
    assert!(response.headers().contains_key("date"));
    assert!(
        !response.headers().contains_key("alt-svc"),
        "it is here already"
    );
    let request = server.request();
    assert_eq!(request.start_line(), "GET /path?query HTTP/1.1");
    assert_eq!(request.headers("host"), ["localhost"]);
    assert_eq!(request.headers("via"), ["3 gatewright"]);
    assert_eq!(request.header("x-forwarded-proto"), Some("https"));
    assert_eq!(request.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(
        request.header("transfer-encoding"),
        None,
        "there is no body"
    );
    assert_eq!(request.header("content-length"), None, "there is no body");
    drop(client);
    gateway.settles().await;
}

#[tokio::test]
async fn curl_speaks_it_where_it_says_that_it_can() {
    let server = Upstream::named("a").await;
    let gateway = before(&server).start().await;
    let (address, folder) = (gateway.tls_address(), gateway.path(""));
    let port = address.port();
    let line = format!(
        "curl --http3-only --silent --show-error --insecure \
         --resolve localhost:{port}:{} --write-out :%{{http_version}} https://localhost:{port}/",
        address.ip()
    );
    let said = run_program(&line, &folder, "").await;
    let about = run_program("curl -V", &folder, "").await;
    if about.split_whitespace().any(|word| word == "HTTP3") {
        assert_eq!(said, "a:3");
    } else {
        // Such as Debian 12's, which refuses before it asks anybody.
        assert!(said.contains("option --http3-only: "), "{said}");
        assert!(server.requests().is_empty());
    }
}

#[tokio::test]
async fn clients_over_tcp_are_told_of_it() {
    let server = Upstream::named("a").await;
    let gateway = before(&server).start().await;
    let port = gateway.tls_address().port();
    for protocol in ["h2", "http/1.1"] {
        let mut client = Client::https(gateway.tls_address(), &[protocol]).await;
        let response = client.get("/").await;
        let told = response.headers().get("alt-svc").expect("an alternative");
        assert_eq!(told, &format!("h3=\":{port}\"; ma=86400"));
    }
    assert_eq!(
        gateway.get("/").await.header("alt-svc"),
        None,
        "it is another listener"
    );
}

#[tokio::test]
async fn what_is_told_of_it_can_be_another_port() {
    let server = Upstream::named("a").await;
    let gateway = Builder::new()
        .tls("self_signed = true")
        .tls_listener("http3 = { advertise = 443, max_age = \"1h\" }")
        .pool(Pool::of(&[&server]))
        .start()
        .await;
    let mut client = Client::https(gateway.tls_address(), &["h2"]).await;
    let response = client.get("/").await;
    assert_eq!(response.headers()["alt-svc"], "h3=\":443\"; ma=3600");
    assert_eq!(Http3::to(&gateway).await.get("/").await.body(), "a");
}

#[tokio::test]
async fn clients_over_tcp_are_told_to_forget_it() {
    let server = Upstream::named("a").await;
    let gateway = before(&server).start().await;
    let told = async || {
        let mut client = Client::https(gateway.tls_address(), &["h2"]).await;
        client.get("/").await.headers()["alt-svc"].clone()
    };
    assert!(told().await.as_bytes().starts_with(b"h3="));
    gateway.edit(|text| text.replace("http3 = true", "http3 = { max_age = \"0s\" }"));
    eventually("they are told", async || told().await == "clear").await;
    let listeners = gateway.api("/api/listeners").await;
    assert_eq!(listeners[1]["altSvc"], "clear");
    // Who has not heard of it yet is served.
    assert_eq!(Http3::to(&gateway).await.get("/").await.body(), "a");
}

#[tokio::test]
async fn each_protocol_has_figures_of_its_own() {
    let server = Upstream::named("a").await;
    let gateway = before(&server).start().await;
    let address = gateway.tls_address();
    let mut h1 = Client::https(address, &["http/1.1"]).await;
    let mut h2 = Client::https(address, &["h2"]).await;
    let mut h3 = Http3::to(&gateway).await;
    h1.get("/").await;
    for _ in 0..2 {
        h2.get("/").await;
    }
    for _ in 0..3 {
        h3.get("/").await;
    }
    let figure = async |name: &str| {
        let mut found = Vec::new();
        for protocol in ["h1", "h2", "h3"] {
            let name = format!("gatewright_protocol_{name}{{protocol=\"{protocol}\"}}");
            found.push(gateway.metric(&name).await as u64);
        }
        found
    };
    assert_eq!(figure("requests_total").await, [1, 2, 3]);
    assert_eq!(figure("connections_accepted_total").await, [1, 1, 1]);
    assert_eq!(figure("connections").await, [1, 1, 1]);
    drop(h2);
    h3.quic.close(0u32.into(), b"");
    eventually("two of them have gone", async || {
        figure("connections").await == [1, 0, 0]
    })
    .await;
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let server = Upstream::answering(|request| plain(request.text())).await;
    let (_gateway, mut client) = over_http3(&server).await;
    let piece = Bytes::from("x".repeat(50_000));
    let stream = client.begin(post()).await.expect("a stream");
    let (mut sending, mut receiving) = stream.split();
    let sent = piece.clone();
    let upload = tokio::spawn(async move {
        for _ in 0..60 {
            sending.send_data(sent.clone()).await.expect("it is taken");
        }
        sending.finish().await.expect("it ends");
    });
    let response = receiving.recv_response().await.expect("an answer");
    assert_eq!(response.status(), 200);
    let mut length = 0;
    while let Some(piece) = receiving.recv_data().await.expect("a piece") {
        length += bytes::Buf::remaining(&piece);
    }
    upload.await.expect("all is sent");
    assert_eq!(length, 3_000_000);
    let request = server.request();
    assert!(request.is_chunked(), "its length was not told");
    assert_eq!(request.text().len(), 3_000_000);
}

#[tokio::test]
async fn a_length_that_is_told_is_told_on_and_has_to_be_kept() {
    let server = Upstream::named("a").await;
    let (_gateway, mut client) = over_http3(&server).await;
    for (length, body, is_good) in [
        ("5", "hello", true),
        ("6", "hello", false),
        ("4", "hello", false),
        ("5", "", false),
    ] {
        let mut request = post();
        let headers = request.headers_mut();
        headers.insert("content-length", HeaderValue::from_static(length));
        let mut stream = client.begin(request).await.expect("a stream");
        if !body.is_empty() {
            stream.send_data(body.into()).await.expect("it is taken");
        }
        stream.finish().await.expect("it ends");
        let response = answer(&mut stream).await;
        let is_answered = response.is_ok_and(|response| response.status() == 200);
        assert_eq!(is_answered, is_good, "{length}, {body:?}");
    }
    let requests = server.requests();
    assert_eq!(
        (requests[0].length(), requests[0].text()),
        (Some(5), "hello")
    );
    for request in &requests[1..] {
        let length = request.length().expect("a length");
        assert!(request.text().len() < length, "{request:?}");
    }
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let server = Upstream::answering(|_| {
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: back\r\n\r\n"
            .into()
    })
    .await;
    let (_gateway, mut client) = over_http3(&server).await;
    let mut stream = client.begin(post()).await.expect("a stream");
    stream.send_data("hi".into()).await.expect("it is taken");
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("there"));
    stream
        .send_trailers(trailers)
        .await
        .expect("they are taken");
    stream.finish().await.expect("it ends");
    let response = answer(&mut stream).await.expect("an answer");
    let trailers = response.extensions().get::<Option<HeaderMap>>();
    let trailers = trailers.and_then(Option::as_ref).expect("trailers");
    assert_eq!(
        (&response.body()[..], &trailers["x-sum"]),
        (&b"hi"[..], &HeaderValue::from_static("back"))
    );
    assert_eq!(server.request().trailer("x-sum"), Some("there"));
}

#[tokio::test]
async fn a_hundred_streams_of_one_connection_do_not_wait_for_each_other() {
    let server = Upstream::scripted(|mut peer| async move {
        while let Some(request) = peer.request().await {
            match request.target() {
                "/slow" => return peer.stall().await,
                _ => peer.send(plain("fast")).await,
            }
        }
    })
    .await;
    let (gateway, mut client) = over_http3(&server).await;
    let mut slow = client.begin(get("/slow")).await.expect("a stream");
    slow.finish().await.expect("it ends");
    eventually("the slow one is in flight", async || {
        gateway.active().await == 1
    })
    .await;
    let mut streams = Vec::new();
    for _ in 0..100 {
        let mut stream = client.begin(get("/")).await.expect("a stream");
        stream.finish().await.expect("it ends");
        streams.push(stream);
    }
    for mut stream in streams {
        assert_eq!(answer(&mut stream).await.expect("an answer").body(), "fast");
    }
    // Who wants no answer any more says so, and the server is let go.
    slow.stop_sending(h3::error::Code::H3_REQUEST_CANCELLED);
    eventually("the slow one is given up", async || {
        gateway.active().await == 0
    })
    .await;
}

#[tokio::test]
async fn a_head_alone_has_the_length_of_the_body_and_no_body() {
    let server =
        Upstream::answering(|_| "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n".into()).await;
    let (_gateway, mut client) = over_http3(&server).await;
    let request = Request::head("https://localhost/")
        .body(())
        .expect("a request");
    let response = client.send(request).await.expect("an answer");
    assert_eq!(
        (
            response.headers()["content-length"].as_bytes(),
            response.body().len()
        ),
        (&b"9"[..], 0)
    );
}

#[tokio::test]
async fn a_session_stays_with_its_server() {
    let servers = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = Builder::new()
        .tls("self_signed = true")
        .tls_listener("http3 = true")
        .pool(Pool::of(&[&servers[0], &servers[1]]).with("affinity", "\"sticky-cookie\""))
        .start()
        .await;
    let mut client = Http3::to(&gateway).await;
    let first = client.get("/").await;
    let cookie = first.headers()["set-cookie"].to_str().expect("a cookie");
    let cookie = cookie.split(';').next().expect("a cookie");
    for _ in 0..4 {
        let mut request = get("/");
        let value = HeaderValue::try_from(cookie).expect("a value");
        request.headers_mut().insert("cookie", value);
        assert_eq!(
            client.send(request).await.expect("an answer").body(),
            first.body()
        );
    }
}

#[tokio::test]
async fn who_a_client_has_proved_to_be_is_told() {
    let server = Upstream::named("a").await;
    let authority = Authority::new();
    let gateway = Builder::new()
        .file("ca.pem", authority.certificate())
        .tls("self_signed = true, client_ca = \"ca.pem\"")
        .tls_listener("http3 = true")
        .pool(Pool::of(&[&server]))
        .start()
        .await;
    let alice = authority.sign("alice.example");
    let mut client = Http3::showing(gateway.tls_address(), Some(&alice))
        .await
        .expect("it is let in");
    assert_eq!(client.get("/").await.status(), 200);
    let told = server.request();
    let told = told.header("x-forwarded-client-cert").expect("an identity");
    assert!(told.contains("alice.example"), "{told}");
    let nobody = Http3::showing(gateway.tls_address(), None).await;
    if let Ok(mut nobody) = nobody {
        // The client's part of the handshake is over before it is looked at.
        assert!(nobody.send(get("/")).await.is_err());
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_client_whose_address_changes_goes_on() {
    let server = Upstream::named("a").await;
    let gateway = before(&server).workers(4).start().await;
    let mut client = Http3::to(&gateway).await;
    // With four workers most new ports lead to another one.
    for _ in 0..12 {
        assert_eq!(client.get("/").await.body(), "a");
        client.move_on();
    }
    assert_eq!(client.get("/").await.body(), "a");
    let accepted = gateway
        .metric("gatewright_connections_accepted_total")
        .await;
    assert_eq!(accepted as u64, 1, "it is the same connection");
}
