//! More requests than servers may have: limits are kept to exactly, and what is
//! too much is refused at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Gateway, Pool, Upstream, eventually, get, plain};

/// How many requests servers have at a time, and the most that they had.
#[derive(Default)]
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    fn enter(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
    }

    fn leave(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// What a server takes for each answer.
const WORK: Duration = Duration::from_millis(2);

/// A server that counts how many requests it has at a time.
async fn counting(gauges: [&Arc<Gauge>; 2]) -> Upstream {
    let gauges = gauges.map(Arc::clone);
    Upstream::scripted(move |mut peer| {
        let gauges = gauges.clone();
        async move {
            while peer.request().await.is_some() {
                gauges.iter().for_each(|gauge| gauge.enter());
                tokio::time::sleep(WORK).await;
                gauges.iter().for_each(|gauge| gauge.leave());
                if peer.try_send(plain("done")).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

/// So many clients, each with as many requests, none of which may fail.
async fn ask(gateway: &Gateway, clients: usize, requests: usize) {
    let mut asking = JoinSet::new();
    for _ in 0..clients {
        let mut client = gateway.connect().await;
        asking.spawn(async move {
            for _ in 0..requests {
                client.send(get("/")).await;
                assert_eq!(client.response().await.status(), 200);
            }
        });
    }
    while let Some(done) = asking.join_next().await {
        done.expect("no client fails");
    }
}

const PATIENT: &str = "{ timeout = \"1m\" }";

#[tokio::test]
async fn no_server_gets_more_than_its_limit_from_however_many_workers_and_clients() {
    let all = Arc::default();
    let gauges = [(); 3].map(|()| Arc::<Gauge>::default());
    let mut servers = Vec::new();
    for gauge in &gauges {
        servers.push(counting([gauge, &all]).await);
    }
    let pool = Pool::of(&servers.iter().collect::<Vec<_>>());
    let pool = pool
        .with("max_active_per_server", "2")
        .with("queue", PATIENT);
    let gateway = Gateway::builder().workers(4).pool(pool).start().await;
    ask(&gateway, 60, 20).await;
    assert_eq!(gauges.map(|gauge| gauge.most()), [2, 2, 2]);
    gateway.settles().await;
    assert_eq!(gateway.metric("gatewright_pool_waiting").await, 0.0);
}

#[tokio::test]
async fn no_pool_gets_more_than_its_limit() {
    let all = Arc::<Gauge>::default();
    let each = Arc::default();
    let servers = [counting([&each, &all]).await, counting([&each, &all]).await];
    let pool = Pool::of(&[&servers[0], &servers[1]]);
    let pool = pool.with("max_active", "3").with("queue", PATIENT);
    let gateway = Gateway::builder().workers(4).pool(pool).start().await;
    ask(&gateway, 40, 20).await;
    assert_eq!(all.most(), 3);
    gateway.settles().await;
}

#[tokio::test]
async fn a_servers_own_limit_comes_before_its_pools() {
    let all = Arc::default();
    let gauges = [(); 2].map(|()| Arc::<Gauge>::default());
    let servers = [
        counting([&gauges[0], &all]).await,
        counting([&gauges[1], &all]).await,
    ];
    let port = servers[0].address().port();
    let own = format!("{{ host = \"127.0.0.1\", port = {port}, max_active = 1 }}");
    let pool = Pool::of(&[&servers[1]])
        .with("max_active_per_server", "3")
        .with("queue", PATIENT);
    let gateway = Gateway::builder().workers(2).pool(pool).start().await;
    gateway.edit(|text| text.replace("servers = [", &format!("servers = [{own}, ")));
    eventually("both are known", async || {
        gateway.servers().await.len() == 2
    })
    .await;
    ask(&gateway, 20, 20).await;
    assert_eq!(gauges.map(|gauge| gauge.most()), [1, 3]);
}

/// A server that says who it is once it is told to.
async fn gated() -> Upstream {
    Upstream::scripted(|mut peer| async move {
        while peer.request().await.is_some() {
            peer.resumed().await;
            peer.send(plain("late")).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_session_whose_server_is_full_is_served_elsewhere_and_comes_back() {
    let (home, other) = (gated().await, Upstream::named("other").await);
    let pool = Pool::of(&[&home, &other])
        .with("max_active_per_server", "1")
        .with("balancer", "\"round-robin\"")
        .with("affinity", "\"sticky-cookie\"");
    let gateway = Gateway::before(pool).await;
    let mut first = gateway.connect().await;
    first.send(get("/")).await;
    home.resume();
    let response = first.response().await;
    assert_eq!(
        response.text(),
        "late",
        "the rotation begins with the first"
    );
    let cookie = response.header("set-cookie").expect("a session").to_owned();
    let cookie = cookie.split(';').next().expect("a cookie");
    let again = format!("GET / HTTP/1.1\r\nhost: a\r\ncookie: {cookie}\r\n\r\n");
    let mut busy = gateway.connect().await;
    busy.send(&again).await;
    eventually("its server is full", async || home.requests().len() == 2).await;
    let elsewhere = gateway.exchange(&again).await;
    assert_eq!(elsewhere.text(), "other");
    assert_eq!(elsewhere.header("set-cookie"), None, "it keeps its session");
    home.resume();
    assert_eq!(busy.response().await.text(), "late");
    home.resume();
    assert_eq!(gateway.exchange(&again).await.text(), "late");
}

#[tokio::test]
async fn a_session_waits_for_its_pool_like_anybody() {
    let servers = [gated().await, gated().await];
    let pool = Pool::of(&[&servers[0], &servers[1]])
        .with("max_active", "1")
        .with("queue", PATIENT)
        .with("balancer", "\"round-robin\"")
        .with("affinity", "\"sticky-cookie\"");
    let gateway = Gateway::before(pool).await;
    let mut first = gateway.connect().await;
    first.send(get("/")).await;
    servers[0].resume();
    let response = first.response().await;
    let cookie = response.header("set-cookie").expect("a session").to_owned();
    let cookie = cookie.split(';').next().expect("a cookie");
    let mut other = gateway.connect().await;
    other.send(get("/")).await;
    eventually("the pool is full", async || {
        servers[1].requests().len() == 1
    })
    .await;
    let again = format!("GET / HTTP/1.1\r\nhost: a\r\ncookie: {cookie}\r\n\r\n");
    first.send(again).await;
    eventually("it waits", async || {
        gateway.metric("gatewright_pool_waiting").await == 1.0
    })
    .await;
    assert_eq!(
        servers[0].requests().len(),
        1,
        "its own server has nothing to do"
    );
    servers[1].resume();
    assert_eq!(other.response().await.text(), "late");
    servers[0].resume();
    assert_eq!(first.response().await.text(), "late");
    assert_eq!(servers[0].requests().len(), 2);
}

#[tokio::test]
async fn a_session_on_a_server_that_drains_goes_past_those_who_wait_for_others() {
    let servers = [gated().await, gated().await];
    let pool = Pool::of(&[&servers[0], &servers[1]])
        .with("max_active_per_server", "1")
        .with("queue", PATIENT)
        .with("balancer", "\"first\"")
        .with("affinity", "\"sticky-cookie\"");
    let gateway = Gateway::before(pool).await;
    let mut first = gateway.connect().await;
    first.send(get("/")).await;
    servers[0].resume();
    let response = first.response().await;
    let cookie = response.header("set-cookie").expect("a session").to_owned();
    let cookie = cookie.split(';').next().expect("a cookie");
    let path = format!("/api/servers/{}/drain", servers[0].address());
    gateway.change("POST", &path, json!({})).await;
    let mut others = [gateway.connect().await, gateway.connect().await];
    for other in &mut others {
        other.send(get("/")).await;
    }
    eventually("one of them waits", async || {
        gateway.metric("gatewright_pool_waiting").await == 1.0
    })
    .await;
    let again = format!("GET / HTTP/1.1\r\nhost: a\r\ncookie: {cookie}\r\n\r\n");
    first.send(again).await;
    servers[0].resume();
    assert_eq!(first.response().await.text(), "late");
}

#[tokio::test]
async fn what_a_worker_has_too_much_is_refused_before_any_plugin_is_asked() {
    let server = gated().await;
    let limits = "[limits]\nrequests = 2";
    let gateway = Gateway::builder().with(limits).pool(Pool::of(&[&server]));
    let gateway = gateway.start().await;
    let mut busy = [gateway.connect().await, gateway.connect().await];
    for client in &mut busy {
        client.send(get("/")).await;
    }
    eventually("it has all it may have", async || {
        server.requests().len() == 2
    })
    .await;
    let decisions = gateway.metric("gatewright_plugin_decisions_total").await;
    for _ in 0..5 {
        let refused = gateway.get("/").await;
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    let asked = gateway.metric("gatewright_plugin_decisions_total").await;
    assert_eq!(asked, decisions);
    assert_eq!(gateway.metric("gatewright_shed_total").await, 5.0);
    // Either may have reached the server first.
    for _ in &busy {
        server.resume();
    }
    for client in &mut busy {
        assert_eq!(client.response().await.text(), "late");
    }
    server.resume();
    assert_eq!(gateway.get("/").await.text(), "late");
}
