//! What clients share: one request for many, one memory for all pools, and who may
//! empty it.

use std::sync::Arc;

use super::{caching, numbered, said};
use crate::support::{Builder, Gateway, Message, Peer, Pool, Upstream, eventually, get};

/// A server that answers with this head once it is told to, each request when the word
/// for it has come.
async fn patient(head: &'static str) -> Upstream {
    Upstream::scripted(move |mut peer: Peer| async move {
        while peer.request().await.is_some() {
            peer.resumed().await;
            peer.send(numbered(head, 1)).await;
        }
    })
    .await
}

async fn before(server: &Upstream, workers: usize) -> Arc<Gateway> {
    let builder = Builder::new().workers(workers);
    let pool = Pool::of(&[server]).with("cache", "true");
    Arc::new(builder.pool(pool).start().await)
}

/// So many clients, each of which asks for the same.
fn crowd(gateway: &Arc<Gateway>, count: usize) -> Vec<tokio::task::JoinHandle<Message>> {
    let client = |_| {
        let gateway = Arc::clone(gateway);
        tokio::spawn(async move { gateway.get("/").await })
    };
    (0..count).map(client).collect()
}

#[tokio::test]
async fn of_a_hundred_clients_one_is_sent_to_the_server_and_all_get_its_answer() {
    let server = patient("|Cache-Control: max-age=60").await;
    let gateway = before(&server, 2).await;
    let crowd = crowd(&gateway, 100);
    eventually("all have asked", async || {
        gateway.metric("gatewright_requests_in_flight").await == 100.0
    })
    .await;
    server.resume();
    let mut collapsed = 0;
    for client in crowd {
        let response = client.await.expect("no panic");
        assert_eq!((response.status(), response.text()), (200, "1"));
        collapsed += usize::from(said(&response).contains("; collapsed"));
    }
    assert_eq!((server.requests().len(), collapsed), (1, 99));
}

#[tokio::test]
async fn what_is_not_to_be_kept_is_waited_for_by_nobody_for_long() {
    let server = patient("|Cache-Control: no-store").await;
    let gateway = before(&server, 1).await;
    let crowd = crowd(&gateway, 5);
    eventually("all have asked", async || {
        gateway.metric("gatewright_requests_in_flight").await == 5.0
    })
    .await;
    assert_eq!(server.requests().len(), 1);
    server.resume();
    eventually("all are sent", async || server.requests().len() == 5).await;
    for answered in 1..5 {
        server.resume();
        eventually("one more is answered", async || {
            let left = gateway.metric("gatewright_requests_in_flight").await;
            left == f64::from(4 - answered)
        })
        .await;
    }
    for client in crowd {
        assert_eq!(client.await.expect("no panic").text(), "1");
    }
}

#[tokio::test]
async fn those_who_wait_do_not_depend_on_the_client_that_was_sent() {
    let server = patient("|Cache-Control: max-age=60").await;
    let gateway = before(&server, 1).await;
    let mut first = gateway.connect().await;
    first.send(get("/")).await;
    eventually("it is sent", async || server.requests().len() == 1).await;
    let crowd = crowd(&gateway, 3);
    eventually("all have asked", async || {
        gateway.metric("gatewright_requests_in_flight").await == 4.0
    })
    .await;
    drop(first);
    eventually("another is sent", async || server.requests().len() == 2).await;
    // The word may be heard by the first connection's script, which has lost its peer.
    server.resume();
    server.resume();
    for client in crowd {
        assert_eq!(client.await.expect("no panic").text(), "1");
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_is_too_large_is_not_kept() {
    let server = Upstream::scripted(|mut peer: Peer| async move {
        while let Some(request) = peer.request().await {
            let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n";
            match request.target() {
                "/broken" => {
                    peer.send(format!("{head}Content-Length: 10\r\n\r\n12345"))
                        .await;
                    return;
                }
                "/large" => {
                    let body = "x".repeat(2000);
                    peer.send(format!("{head}Content-Length: 2000\r\n\r\n{body}"))
                        .await;
                }
                _ => {
                    peer.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"))
                        .await;
                    for _ in 0..20 {
                        peer.send_chunk(&[b'x'; 100]).await;
                    }
                    peer.send("0\r\n\r\n").await;
                }
            }
        }
    })
    .await;
    let pool = Pool::of(&[&server]).with("cache", "{ max_object = \"1KiB\" }");
    let gateway = Gateway::before(pool.with("breaker", "false")).await;
    for (path, length) in [("/broken", 5), ("/large", 2000), ("/chunked", 2000)] {
        for _ in 0..2 {
            let response = gateway.get(path).await;
            assert_eq!(response.body.len(), length, "{path}");
            assert!(
                said(&response).starts_with("gatewright; fwd=uri-miss"),
                "{response:?}"
            );
        }
    }
    assert_eq!(server.requests().len(), 6);
}

#[tokio::test]
async fn a_body_that_streams_is_kept_when_its_end_has_come() {
    let server = Upstream::scripted(|mut peer: Peer| async move {
        while peer.request().await.is_some() {
            let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n";
            peer.send(head).await;
            peer.send_chunk(b"first").await;
            peer.resumed().await;
            peer.send_chunk(b", second").await;
            peer.send("0\r\n\r\n").await;
        }
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server]).with("cache", "true")).await;
    let mut wire = gateway.connect().await;
    wire.send(get("/")).await;
    wire.head().await.expect("a head");
    assert_eq!(
        wire.bytes(10).await,
        b"5\r\nfirst\r\n",
        "it is not held back"
    );
    server.resume();
    wire.rest_of_chunks().await;
    let kept = gateway.get("/").await;
    assert_eq!((kept.text(), kept.length()), ("first, second", Some(13)));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn what_is_kept_stays_within_its_memory() {
    let body = "x".repeat(50_000);
    let server = Upstream::answering(move |_| {
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    })
    .await;
    let pool = Pool::of(&[&server]).with("cache", "{ max_object = \"64KiB\" }");
    let builder = Builder::new().with("[cache]\nmemory = \"1MiB\"");
    let gateway = builder.pool(pool).start().await;
    for number in 0..100 {
        assert_eq!(gateway.get(&format!("/{number}")).await.body.len(), 50_000);
    }
    let cache = gateway.api("/api/cache").await;
    assert_eq!(cache["capacity"], 1 << 20);
    let bytes = cache["bytes"].as_u64().expect("a number");
    assert!((400_000..=1 << 20).contains(&bytes), "{cache}");
    assert!(cache["evictions"].as_u64() >= Some(79), "{cache}");
    assert_eq!(cache["pools"][0]["misses"], 100);
    assert_eq!(gateway.metric("gatewright_cache_bytes").await, bytes as f64);
}

#[tokio::test]
async fn what_is_on_its_way_stays_within_the_memory_too() {
    // Each is as much as an eighth of the memory has room for twice, with its head.
    let server = Upstream::scripted(|mut peer: Peer| async move {
        while let Some(request) = peer.request().await {
            let framing = match request.target() {
                "/chunked" => "Transfer-Encoding: chunked",
                _ => "Content-Length: 60000",
            };
            peer.send(format!(
                "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n{framing}\r\n\r\n"
            ))
            .await;
            match request.target() {
                "/chunked" => {
                    peer.send_chunk(&[b'x'; 60_000]).await;
                    peer.send("0\r\n\r\n").await;
                }
                "/small" => {
                    peer.send("x".repeat(60_000)).await;
                }
                _ => {
                    peer.resumed().await;
                    peer.send("x".repeat(60_000)).await;
                }
            }
        }
    })
    .await;
    let pool = Pool::of(&[&server]).with("cache", "{ max_object = \"64KiB\" }");
    let builder = Builder::new().with("[cache]\nmemory = \"1MiB\"");
    let gateway = builder.pool(pool).start().await;
    let mut slow = Vec::new();
    for number in 0..2 {
        let mut wire = gateway.connect().await;
        wire.send(get(&format!("/{number}"))).await;
        let head = wire.response_to_head().await;
        assert_eq!(said(&head), "gatewright; fwd=uri-miss; stored");
        slow.push(wire);
    }
    let bytes = gateway.api("/api/cache").await["bytes"].as_u64();
    assert!((120_000..131_072).contains(&bytes.expect("a number")));
    // For others there is no room, and they get their answers all the same.
    for path in ["/small", "/chunked", "/small", "/chunked"] {
        assert_eq!(gateway.get(path).await.body.len(), 60_000, "{path}");
    }
    assert_eq!(gateway.api("/api/cache").await["pools"][0]["misses"], 6);
    // One that has gone gives its room back, and so does one that has come.
    drop(slow.pop());
    eventually("there is room", async || {
        gateway.get("/small").await;
        said(&gateway.get("/small").await).starts_with("gatewright; hit")
    })
    .await;
    server.resume();
    server.resume();
    eventually("it is kept", async || {
        said(&gateway.get("/0").await).starts_with("gatewright; hit")
    })
    .await;
}

#[tokio::test]
async fn an_operator_purges_a_url_a_prefix_a_pool_or_all() {
    let (_server, gateway) = caching("|Cache-Control: max-age=60", "true").await;
    let is_kept = async |path: &str| said(&gateway.get(path).await).starts_with("gatewright; hit");
    for (query, kept) in [
        ("?url=http://localhost/a/1", [false, true, true]),
        ("?prefix=http://localhost/a/", [false, false, true]),
        ("?pool=web", [false, false, false]),
        ("", [false, false, false]),
    ] {
        for path in ["/a/1", "/a/2", "/b"] {
            gateway.get(path).await;
            assert!(is_kept(path).await, "{path}");
        }
        let path = format!("/api/cache{query}");
        let purged = gateway
            .change("DELETE", &path, serde_json::Value::Null)
            .await;
        let gone = kept.iter().filter(|kept| !**kept).count();
        assert_eq!(purged["purged"], gone, "{query}");
        for (path, kept) in ["/a/1", "/a/2", "/b"].into_iter().zip(kept) {
            assert_eq!(is_kept(path).await, kept, "{query} {path}");
        }
    }
    for (query, status) in [
        ("?pool=none", 404),
        ("?pool=web&url=x", 422),
        ("?ulr=x", 400),
    ] {
        gateway
            .call("DELETE", &format!("/api/cache{query}"))
            .refused(status)
            .await;
    }
    let audit = gateway.api("/api/audit").await;
    assert_eq!(audit[0]["action"], "cache.purge");
    assert_eq!(audit[3]["target"], "url http://localhost/a/1");
}

#[tokio::test]
async fn what_is_under_way_when_it_is_purged_is_not_kept() {
    let server = patient("|Cache-Control: max-age=60").await;
    let gateway = before(&server, 1).await;
    let asked = crowd(&gateway, 1);
    eventually("it is sent", async || server.requests().len() == 1).await;
    gateway
        .change("DELETE", "/api/cache", serde_json::Value::Null)
        .await;
    server.resume();
    for client in asked {
        assert_eq!(client.await.expect("no panic").text(), "1");
    }
    server.resume();
    gateway.get("/").await;
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_pool_begins_and_ceases_to_cache_while_it_serves() {
    let (server, gateway) = caching("|Cache-Control: max-age=60", "false").await;
    assert_eq!(gateway.get("/").await.text(), "1");
    gateway.edit(|text| text.replace("cache = false", "cache = true"));
    eventually("it caches", async || {
        said(&gateway.get("/").await).starts_with("gatewright; hit")
    })
    .await;
    let sent = server.requests().len();
    gateway.edit(|text| text.replace("cache = true", "cache = false"));
    eventually("it does not", async || {
        gateway.get("/").await.header("cache-status").is_none()
    })
    .await;
    assert!(server.requests().len() > sent);
    assert_eq!(gateway.api("/api/cache").await["entries"], 0);
}

#[tokio::test]
async fn what_is_made_for_a_user_that_another_has_named_is_nobody_elses() {
    let server = Upstream::answering(|request: &Message| {
        let user = request.header("x-user").unwrap_or("nobody");
        let length = user.len();
        format!(
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: {length}\r\n\r\n{user}"
        )
    })
    .await;
    let auth = Upstream::answering(|request: &Message| match request.header("cookie") {
        Some(user) => format!("HTTP/1.1 204 No Content\r\nX-User: {user}\r\n\r\n"),
        None => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
    })
    .await;
    let asks = "{ pool = \"auth\", path = \"/verify\", headers = [\"X-User\"] }";
    let pool = Pool::of(&[&server])
        .with("cache", "true")
        .with("forward_auth", asks);
    let builder = Builder::new().top("default_pool = \"web\"");
    let builder = builder.pool(pool).pool(Pool::of(&[&auth]).named("auth"));
    let gateway = builder.start().await;
    for (cookie, user) in [
        ("Cookie: ann\r\n", "ann"),
        ("", "nobody"),
        ("Cookie: bob\r\n", "bob"),
        ("", "nobody"),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{cookie}\r\n");
        assert_eq!(gateway.exchange(request).await.text(), user);
    }
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn who_has_come_with_credentials_is_a_known_user_though_a_policy_has_taken_them_off() {
    let server = Upstream::answering(|_| numbered("|Cache-Control: max-age=60", 1)).await;
    let policy = "[[policy]]\nname = \"anonymous\"\nplugin = \"headers\"\n\
                  [policy.config.request]\nremove = [\"Authorization\"]\n";
    let pool = Pool::of(&[&server]).with("cache", "true");
    let gateway = Builder::new().with(policy).pool(pool).start().await;
    for (credentials, asked) in [
        ("Authorization: x\r\n", 1),
        ("", 2),
        ("", 2),
        ("Authorization: x\r\n", 3),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{credentials}\r\n");
        assert_eq!(gateway.exchange(request).await.text(), "1");
        assert_eq!(server.requests().len(), asked);
    }
    let mut asked = server.requests().into_iter();
    assert!(asked.all(|request| request.header("authorization").is_none()));
}

#[tokio::test]
async fn what_one_request_has_earned_leaves_what_is_kept_for_others() {
    let server = Upstream::answering(|request: &Message| {
        let head = match request.header("x-earns") {
            Some(status) => format!("{status} X|Cache-Control: no-store"),
            None => "|Cache-Control: max-age=60".to_owned(),
        };
        numbered(&head, 1)
    })
    .await;
    let pool = Pool::of(&[&server])
        .with("cache", "true")
        .with("breaker", "false");
    let gateway = Gateway::before(pool).await;
    gateway.get("/").await;
    for (headers, is_left) in [
        ("Authorization: x", true),
        ("Cache-Control: no-cache, no-store", true),
        ("Cache-Control: no-cache\r\nX-Earns: 400", true),
        ("Cache-Control: no-cache\r\nX-Earns: 401", true),
        ("Cache-Control: no-cache\r\nX-Earns: 429", true),
        ("Cache-Control: no-cache\r\nX-Earns: 500", true),
        ("Cache-Control: no-cache\r\nX-Earns: 404", false),
        ("Cache-Control: no-cache\r\nX-Earns: 200", false),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n");
        gateway.exchange(request).await;
        let response = gateway.get("/").await;
        let is_hit = said(&response).starts_with("gatewright; hit");
        assert_eq!(is_hit, is_left, "{headers}: {response:?}");
    }
}
