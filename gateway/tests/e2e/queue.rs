//! Requests that wait for a server that has room: in which order, for how long,
//! and what becomes of them when things change meanwhile.

use h2::Reason;
use http::Request;
use serde_json::json;

use crate::support::{
    Gateway, Message, Pool, Upstream, Wire, eventually, get, http2_by_hand, plain,
};

/// A server that answers each request with its path when told, in the order in
/// which the requests came.
async fn gated() -> Upstream {
    Upstream::scripted(|mut peer| async move {
        while let Some(request) = peer.request().await {
            peer.resumed().await;
            if peer.try_send(plain(request.target())).await.is_err() {
                return;
            }
        }
    })
    .await
}

/// A pool of this server that gives it one request at a time.
fn one_at_a_time(server: &Upstream, queue: &str) -> Pool {
    let pool = Pool::of(&[server]).with("max_active_per_server", "1");
    pool.with("queue", queue)
}

const PATIENT: &str = "{ size = 100, timeout = \"1m\" }";

async fn waiting(gateway: &Gateway) -> usize {
    gateway.metric("gatewright_pool_waiting").await as usize
}

async fn wait_until(gateway: &Gateway, count: usize) {
    let what = format!("{count} requests wait");
    eventually(&what, async || waiting(gateway).await == count).await;
}

/// A client whose request has been sent.
async fn asking(gateway: &Gateway, path: &str) -> Wire {
    let mut client = gateway.connect().await;
    client.send(get(path)).await;
    client
}

/// A gateway whose only server is busy with a request, and as many clients as
/// there are paths, who wait in their order.
async fn busy(gateway: &Gateway, server: &Upstream, paths: &[&str]) -> (Wire, Vec<Wire>) {
    let first = asking(gateway, "/busy").await;
    eventually("the server is busy", async || !server.requests().is_empty()).await;
    let mut clients = Vec::new();
    for (before, path) in paths.iter().enumerate() {
        clients.push(asking(gateway, path).await);
        wait_until(gateway, before + 1).await;
    }
    (first, clients)
}

fn assert_unavailable(response: &Message, why: &str) {
    assert_eq!(response.status(), 503, "{response:?}");
    let seconds = response.header("retry-after").expect("when to come again");
    assert!(seconds.parse::<u32>().expect("seconds") >= 1);
    assert!(response.error().contains(why), "{response:?}");
}

#[tokio::test]
async fn those_who_wait_are_served_in_the_order_in_which_they_came() {
    let server = gated().await;
    let pool = one_at_a_time(&server, PATIENT);
    let gateway = Gateway::builder().workers(3).pool(pool).start().await;
    let paths = ["/1", "/2", "/3", "/4", "/5", "/6"];
    let (mut first, mut clients) = busy(&gateway, &server, &paths).await;
    server.resume();
    assert_eq!(first.response().await.text(), "/busy");
    for (client, path) in clients.iter_mut().zip(paths) {
        server.resume();
        assert_eq!(client.response().await.text(), path);
    }
    let order: Vec<_> = server.requests();
    let order: Vec<_> = order.iter().map(Message::target).collect();
    assert_eq!(order, ["/busy", "/1", "/2", "/3", "/4", "/5", "/6"]);
    assert_eq!(gateway.metric("gatewright_pool_waited_total").await, 6.0);
    gateway.settles().await;
}

#[tokio::test]
async fn who_has_waited_long_enough_is_refused_before_its_body_is_read() {
    let server = gated().await;
    let pool = one_at_a_time(&server, "{ timeout = \"100ms\" }");
    let gateway = Gateway::before(pool).await;
    let (_first, _) = busy(&gateway, &server, &[]).await;
    let mut client = gateway.connect().await;
    client
        .send("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n")
        .await;
    assert_unavailable(&client.response().await, "room");
    assert_eq!(server.requests().len(), 1);
    let timeouts = gateway.metric("gatewright_pool_wait_timeouts_total").await;
    assert_eq!((timeouts, waiting(&gateway).await), (1.0, 0));
}

#[tokio::test]
async fn who_finds_no_place_to_wait_is_refused_at_once() {
    for (queue, places) in [
        ("{ size = 1, timeout = \"1m\" }", 1),
        ("{ size = 0 }", 0),
        ("false", 0),
    ] {
        let server = gated().await;
        let gateway = Gateway::before(one_at_a_time(&server, queue)).await;
        let paths = &["/waits"][..places];
        let (_first, _clients) = busy(&gateway, &server, paths).await;
        assert_unavailable(&gateway.get("/").await, "as many wait");
        assert_eq!(server.requests().len(), 1, "{queue}");
        assert_eq!(waiting(&gateway).await, places);
    }
}

#[tokio::test]
async fn a_client_that_leaves_gives_its_place_up() {
    let server = gated().await;
    let pool = one_at_a_time(&server, "{ size = 2, timeout = \"1m\" }");
    let gateway = Gateway::before(pool).await;
    let (mut first, mut clients) = busy(&gateway, &server, &["/leaves", "/stays"]).await;
    drop(clients.remove(0));
    wait_until(&gateway, 1).await;
    let mut another = asking(&gateway, "/another").await;
    wait_until(&gateway, 2).await;
    server.resume();
    assert_eq!(first.response().await.text(), "/busy");
    server.resume();
    assert_eq!(clients[0].response().await.text(), "/stays");
    server.resume();
    assert_eq!(another.response().await.text(), "/another");
    assert!(server.requests().iter().all(|it| it.target() != "/leaves"));
}

#[tokio::test]
async fn a_client_that_leaves_while_its_body_is_unread_gives_its_place_up() {
    let server = gated().await;
    let gateway = Gateway::before(one_at_a_time(&server, PATIENT)).await;
    let (mut first, _) = busy(&gateway, &server, &[]).await;
    for rest in [
        "content-length: 5\r\n\r\nhello",
        "content-length: 5\r\nexpect: 100-continue\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nsum: 1\r\n\r\n",
    ] {
        let mut client = gateway.connect().await;
        let request = format!("POST /leaves HTTP/1.1\r\nhost: a\r\n{rest}");
        client.send(request).await;
        wait_until(&gateway, 1).await;
        drop(client);
        wait_until(&gateway, 0).await;
    }
    server.resume();
    assert_eq!(first.response().await.text(), "/busy");
    gateway.settles().await;
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_turn_whose_client_has_left_is_handed_on() {
    let server = gated().await;
    let pool = one_at_a_time(&server, PATIENT);
    let gateway = Gateway::builder().workers(4).pool(pool).start().await;
    for round in 0..20 {
        let first = asking(&gateway, "/first").await;
        eventually("the server is busy", async || {
            let requests = server.requests();
            let firsts = requests.iter().filter(|it| it.target() == "/first");
            firsts.count() == round + 1
        })
        .await;
        let leaving = asking(&gateway, "/leaving").await;
        wait_until(&gateway, 1).await;
        let mut stays = asking(&gateway, "/stays").await;
        wait_until(&gateway, 2).await;
        // Both leave at once: whichever is noticed first, the last is served.
        drop((leaving, first));
        eventually("the last is served", async || {
            server
                .requests()
                .last()
                .is_some_and(|it| it.target() == "/stays")
        })
        .await;
        server.resume();
        server.resume();
        assert_eq!(stays.response().await.text(), "/stays");
        gateway.settles().await;
    }
}

#[tokio::test]
async fn a_server_that_comes_while_clients_wait_serves_them() {
    let (server, new) = (gated().await, Upstream::named("new").await);
    let pool = one_at_a_time(&server, PATIENT);
    let gateway = Gateway::builder().workers(2).pool(pool).start().await;
    let (_first, mut clients) = busy(&gateway, &server, &["/1", "/2", "/3"]).await;
    let (old, both) = (server.address(), new.address());
    gateway.edit(|text| text.replace(&format!("[\"{old}\"]"), &format!("[\"{old}\", \"{both}\"]")));
    for client in &mut clients {
        assert_eq!(client.response().await.text(), "new");
    }
}

#[tokio::test]
async fn nobody_waits_for_a_server_that_is_gone() {
    let (server, new) = (gated().await, Upstream::named("new").await);
    let gateway = Gateway::before(one_at_a_time(&server, PATIENT)).await;
    let (_first, mut clients) = busy(&gateway, &server, &["/1", "/2"]).await;
    gateway.edit(|text| text.replace(&server.address().to_string(), &new.address().to_string()));
    for client in &mut clients {
        assert_eq!(client.response().await.text(), "new");
    }
}

#[tokio::test]
async fn nobody_waits_for_a_pool_that_is_gone() {
    let (server, other) = (gated().await, Upstream::named("other").await);
    let builder = Gateway::builder()
        .workers(2)
        .top("default_pool = \"web\"")
        .pool(one_at_a_time(&server, PATIENT));
    let gateway = builder.start().await;
    let (_first, mut clients) = busy(&gateway, &server, &["/1", "/2"]).await;
    let now = format!(
        "default_pool = \"other\"\n[pools.other]\nservers = [\"{}\"]\n",
        other.address()
    );
    gateway.edit(|text| {
        let (before, _) = text.split_once("[pools.web]").expect("the pool");
        let (default, rest) = now.split_once('\n').expect("two parts");
        before.replace("default_pool = \"web\"", default) + rest
    });
    for client in &mut clients {
        assert_unavailable(&client.response().await, "no server");
    }
    assert_eq!(gateway.get("/").await.text(), "other");
}

#[tokio::test]
async fn a_stream_that_is_reset_gives_its_place_up() {
    let server = gated().await;
    let pool = one_at_a_time(&server, PATIENT);
    let gateway = Gateway::builder().tls("self_signed = true").pool(pool);
    let gateway = gateway.start().await;
    let (_first, _) = busy(&gateway, &server, &[]).await;
    let mut client = http2_by_hand(gateway.tls_address()).await;
    let mut streams = Vec::new();
    for count in 1..=3 {
        let request = Request::get("https://localhost/")
            .body(())
            .expect("a request");
        client = client.ready().await.expect("a connection");
        streams.push(client.send_request(request, true).expect("a stream"));
        wait_until(&gateway, count).await;
    }
    streams[1].1.send_reset(Reason::CANCEL);
    wait_until(&gateway, 2).await;
    drop(streams);
    wait_until(&gateway, 0).await;
}

#[tokio::test]
async fn where_no_server_takes_requests_any_more_nobody_waits() {
    let server = gated().await;
    let pool = one_at_a_time(&server, PATIENT);
    let gateway = Gateway::builder().workers(2).pool(pool).start().await;
    let (_first, mut clients) = busy(&gateway, &server, &["/1", "/2", "/3"]).await;
    let path = format!("/api/servers/{}/drain", server.address());
    gateway.change("POST", &path, json!({})).await;
    for client in &mut clients {
        assert_unavailable(&client.response().await, "no server");
    }
}

#[tokio::test]
async fn a_limit_that_is_raised_lets_those_in_who_wait() {
    let server = gated().await;
    let pool = one_at_a_time(&server, PATIENT);
    let gateway = Gateway::builder().workers(2).pool(pool).start().await;
    let (_first, clients) = busy(&gateway, &server, &["/1", "/2", "/3", "/4"]).await;
    let raised = json!({ "maxActivePerServer": 3 });
    gateway.change("PUT", "/api/pools/web", raised).await;
    eventually("two more are there", async || server.requests().len() == 3).await;
    wait_until(&gateway, 2).await;
    let none = json!({ "maxActivePerServer": 0 });
    gateway.change("PUT", "/api/pools/web", none).await;
    eventually("all are there", async || server.requests().len() == 5).await;
    assert_eq!((waiting(&gateway).await, clients.len()), (0, 4));
}

#[tokio::test]
async fn those_who_wait_cost_little_memory_and_no_connection() {
    const CLIENTS: usize = 400;
    let server = gated().await;
    let pool = one_at_a_time(&server, "{ size = 300, timeout = \"1m\" }");
    let gateway = Gateway::builder().workers(2).pool(pool).start().await;
    let (_first, _) = busy(&gateway, &server, &[]).await;
    let before = gateway.memory();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(asking(&gateway, "/").await);
    }
    wait_until(&gateway, 300).await;
    eventually("the rest is refused", async || {
        gateway.metric("gatewright_pool_overflows_total").await == 100.0
    })
    .await;
    let each = gateway.memory().saturating_sub(before) / CLIENTS;
    assert!(each < 64 * 1024, "{each} bytes for each client");
    assert_eq!(server.connections(), 1);
    drop(clients);
    wait_until(&gateway, 0).await;
}

#[tokio::test]
async fn what_is_known_of_those_who_wait_is_shown() {
    let server = gated().await;
    let gateway = Gateway::before(one_at_a_time(&server, PATIENT)).await;
    let (_first, _clients) = busy(&gateway, &server, &["/1", "/2"]).await;
    let pool = gateway.api("/api/pools/web").await;
    let shown = [
        "waiting",
        "maxActivePerServer",
        "maxActive",
        "queueSize",
        "queueTimeout",
    ];
    let shown = shown.map(|key| pool[key].clone());
    assert_eq!(
        shown,
        [json!(2), json!(1), json!(null), json!(100), json!(60.0)]
    );
    assert_eq!(gateway.servers().await[0]["maxActive"], 1);
}

#[tokio::test]
async fn what_was_refused_for_want_of_room_is_told_of_its_pool() {
    for queue in ["{ timeout = \"100ms\" }", "false"] {
        let server = gated().await;
        let gateway = Gateway::before(one_at_a_time(&server, queue)).await;
        let (_first, _) = busy(&gateway, &server, &[]).await;
        for refused in [0, 1] {
            let pool = gateway.api("/api/pools/web").await;
            let metrics = gateway.api("/api/metrics/pools").await;
            assert_eq!(
                (&pool["shed"], &metrics[0]["shed"]),
                (&json!(refused), &json!(refused))
            );
            assert_eq!(pool["panicking"], false);
            assert_eq!(gateway.get("/").await.status(), 503, "{queue}");
        }
    }
}
