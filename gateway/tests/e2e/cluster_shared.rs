//! What plugins keep, in three gateways that share it: limits, sessions, sums and
//! values, and what becomes of them while the server is away, or a gateway is upgraded.

use std::time::Instant;

use serde_json::Value;

use crate::support::{
    Builder, Gateway, Guest, Load, Pool, Redis, Upstream, eventually, get, plain, runs,
    within_a_second_of,
};

/// What all gateways of the tests limit: 30 requests for each key.
pub(crate) const LIMIT: usize = 30;

/// Takes on credit, of the others.
const ROUNDING: usize = 2;

/// An application that names a session by itself.
async fn application(name: &'static str) -> Upstream {
    Upstream::answering(move |request| {
        let cookie = match request.header("cookie") {
            None => format!("set-cookie: sessionId={name}-secret; Path=/\r\n"),
            Some(_) => String::new(),
        };
        let length = name.len();
        format!("HTTP/1.1 200 OK\r\n{cookie}content-length: {length}\r\n\r\n{name}")
    })
    .await
}

fn builder(redis: &Redis, servers: &[&Upstream]) -> Builder {
    let pool = Pool::of(servers)
        .with("balancer", "\"round-robin\"")
        .with("affinity", "\"sticky-learn\"");
    let limit = format!(
        "rate = \"1/h\", burst = {LIMIT}, key = \"header:x-api-key\", \
         exempt = {{ paths = [\"/free*\"] }}"
    );
    Builder::new()
        .workers(2)
        .pool(pool)
        .with(&format!("[cluster]\nurl = \"{}\"", redis.url()))
        .with(&format!(
            "[[policy]]\nplugin = \"rate-limit\"\nconfig = {{ {limit} }}"
        ))
}

/// Gateways that all know of each other.
async fn three(redis: &Redis, servers: &[&Upstream]) -> [Gateway; 3] {
    let start = || builder(redis, servers).start();
    let gateways = [start().await, start().await, start().await];
    meet(redis, 3).await;
    gateways
}

/// Wait until so many gateways have exchanged since all of them were there.
async fn meet(redis: &Redis, count: usize) {
    let exchanged = || {
        let told = redis.ask(&["HVALS", "gatewright:shared:gateways"]);
        let at = told.lines();
        let at = at.filter_map(|told| told.rsplit(' ').next()?.parse().ok());
        let mut at: Vec<u64> = at.collect();
        at.sort_unstable();
        at.split_off(at.len().saturating_sub(count))
    };
    eventually("all gateways are there", async || {
        exchanged().len() == count
    })
    .await;
    let newest = exchanged().pop().expect("a gateway");
    eventually("they have exchanged since", async || {
        exchanged().first().is_some_and(|oldest| *oldest > newest)
    })
    .await;
}

/// How many of so many requests with a key are let through.
pub(crate) async fn let_through(gateway: &Gateway, key: &str, requests: usize) -> usize {
    let mut count = 0;
    for _ in 0..requests {
        let request = format!("GET / HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n\r\n");
        match gateway.exchange(request).await.status() {
            200 => count += 1,
            429 => {}
            status => panic!("it answers {status}"),
        }
    }
    count
}

/// Ask one gateway until all of a limit is spent there; returns how much that was.
pub(crate) async fn spend(gateway: &Gateway, key: &str) -> usize {
    let mut spent = 0;
    eventually("all of the limit is spent", async || {
        spent += let_through(gateway, key, 5).await;
        spent >= LIMIT
    })
    .await;
    spent
}

/// It runs alone (`xtask/nextest.toml`), for it measures a second that is promised.
#[tokio::test]
async fn a_limit_that_is_spent_on_one_gateway_is_spent_on_all() {
    let (redis, server) = (Redis::start(&[]).await, application("a").await);
    let gateways = three(&redis, &[&server]).await;
    let spent = spend(&gateways[0], "one").await;
    let answered = Instant::now();
    assert_eq!(spent, LIMIT);
    let mut more = 0;
    for gateway in &gateways[1..] {
        within_a_second_of(answered, "nothing is left there", async || {
            let through = let_through(gateway, "one", 1).await;
            more += through;
            through == 0
        })
        .await;
    }
    for gateway in &gateways {
        more += let_through(gateway, "one", 20).await;
    }
    assert!(more <= ROUNDING, "{more} more than the limit");
    // Another key is another limit.
    assert!(let_through(&gateways[1], "other", 1).await == 1);
}

#[tokio::test]
async fn a_burst_on_all_gateways_at_once_is_let_through_up_to_the_limit() {
    let (redis, server) = (Redis::start(&[]).await, application("a").await);
    let gateways = three(&redis, &[&server]).await;
    for key in ["one", "two", "three"] {
        let bursts = gateways
            .each_ref()
            .map(|gateway| let_through(gateway, key, 40));
        let [one, two, three] = bursts;
        let (one, two, three) = tokio::join!(one, two, three);
        println!("at once: {one} + {two} + {three} of {LIMIT}");
        let mut all = one + two + three;
        assert!(all <= LIMIT + ROUNDING, "{all}");
        // What others had leased and not used comes back to whoever goes on asking.
        eventually("all of it is given", async || {
            all += let_through(&gateways[0], key, 5).await;
            all >= LIMIT
        })
        .await;
        assert!(all <= LIMIT + ROUNDING, "{all}");
    }
}

async fn sessions(gateway: &Gateway) -> Vec<Value> {
    let listed = gateway.api("/api/sessions").await;
    listed.as_array().expect("sessions").clone()
}

async fn knows(gateway: &Gateway, count: usize) {
    eventually("the session is known", async || {
        sessions(gateway).await.len() == count
    })
    .await;
}

/// Whether many requests of a session all come to one server.
async fn stays(gateway: &Gateway, session: &str, server: &str) -> bool {
    for _ in 0..8 {
        let request =
            format!("GET /free HTTP/1.1\r\nhost: a\r\ncookie: sessionId={session}\r\n\r\n");
        if gateway.exchange(request).await.text() != server {
            return false;
        }
    }
    true
}

#[tokio::test]
async fn a_session_of_one_gateway_sticks_on_the_others_until_it_is_deleted() {
    let redis = Redis::start(&[]).await;
    let [a, b] = [application("a").await, application("b").await];
    let gateways = three(&redis, &[&a, &b]).await;
    let server = gateways[0].get("/free").await.text().to_owned();
    let session = format!("{server}-secret");
    for gateway in &gateways {
        knows(gateway, 1).await;
        assert!(stays(gateway, &session, &server).await);
    }
    let id = sessions(&gateways[1]).await[0]["sessionId"].clone();
    let path = format!("/api/sessions/{}", id.as_str().expect("an id"));
    gateways[1].change("DELETE", &path, Value::Null).await;
    for gateway in &gateways {
        knows(gateway, 0).await;
    }
}

#[tokio::test]
async fn a_gateway_that_joins_knows_all_sessions_when_it_begins_to_serve() {
    let redis = Redis::start(&[]).await;
    let [a, b] = [application("a").await, application("b").await];
    let servers = [&a, &b];
    let first = builder(&redis, &servers).start().await;
    let server = first.get("/free").await.text().to_owned();
    let session = format!("{server}-secret");
    eventually("the session is told", async || {
        !redis
            .ask(&["HKEYS", "gatewright:shared:items"])
            .trim()
            .is_empty()
    })
    .await;
    let joining = builder(&redis, &servers).start().await;
    // Nothing has to be awaited.
    assert!(stays(&joining, &session, &server).await);
    knows(&joining, 1).await;
}

#[tokio::test]
async fn without_the_server_traffic_goes_on_and_limits_go_by_share() {
    let redis = Redis::start(&[]).await;
    let [a, b] = [application("a").await, application("b").await];
    let servers = [&a, &b];
    let gateways = three(&redis, &servers).await;
    let server = gateways[0].get("/free").await.text().to_owned();
    let session = format!("{server}-secret");
    for gateway in &gateways {
        knows(gateway, 1).await;
    }
    let load = gateways
        .each_ref()
        .map(|gateway| Load::on(gateway.address(), "/free"));
    redis.kill();
    for gateway in &gateways {
        gateway.says("server is away").await;
        assert_eq!(let_through(gateway, "apart", LIMIT).await, LIMIT / 3);
    }
    for load in &load {
        load.goes_on(100).await;
    }
    redis.restart().await;
    meet(&redis, 3).await;
    for load in load {
        load.stop_without_failure().await;
    }
    // All of a limit is to be had on one gateway again, and what was there is brought
    // back: whoever joins hears of it.
    assert_eq!(spend(&gateways[1], "together").await, LIMIT);
    let joined = builder(&redis, &servers).start().await;
    // Asked for it before that, it would begin one of its own.
    eventually("whoever joins knows the session", async || {
        !sessions(&joined).await.is_empty()
    })
    .await;
    assert!(stays(&joined, &session, &server).await);
}

#[tokio::test]
async fn what_is_bound_late_by_an_upgraded_process_is_told_before_it_ends() {
    let redis = Redis::start(&[]).await;
    let server = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.resumed().await;
        let cookie = "set-cookie: sessionId=late; Path=/";
        peer.send(format!(
            "HTTP/1.1 200 OK\r\n{cookie}\r\ncontent-length: 1\r\n\r\na"
        ))
        .await;
    })
    .await;
    let mut upgraded = builder(&redis, &[&server]).start().await;
    let other = builder(&redis, &[&server]).start().await;
    let mut client = upgraded.connect().await;
    client.send(get("/free")).await;
    eventually("the request is there", async || {
        server.requests().len() == 1
    })
    .await;
    let before = upgraded.id();
    upgraded.upgrade().await;
    assert!(runs(before), "it has a request to finish");
    server.resume();
    assert_eq!(client.response().await.text(), "a");
    upgraded.has_left(before).await;
    for gateway in [&upgraded, &other] {
        knows(gateway, 1).await;
    }
    // It has said that it is there no more: it counts no longer.
    assert_eq!(redis.ask(&["HLEN", "gatewright:shared:gateways"]), "2");
}

/// Gateways with a policy that keeps things, and a server that answers with what it was
/// told of them. `/a/KEY` adds 1 to a sum; `/s/KEY` sets a value, which is the host that
/// is asked for; `/g/KEY` tells the server what is kept.
async fn three_that_keep(redis: &Redis) -> ([Gateway; 3], Upstream) {
    let key = "(i32.add (local.get $path) (i32.const 3)) \
               (i32.sub (local.get $path_length) (i32.const 3))";
    let is = |letter: char| {
        format!(
            "(i32.eq (i32.load8_u offset=1 (local.get $path)) (i32.const {}))",
            u32::from(letter)
        )
    };
    let (texts, kept) = (Guest::TEXTS, Guest::TEXTS - 64);
    let policy = Guest::policy_that(&format!(
        "(if {adds} (then (drop (call $add {key} (i64.const 1) (i32.const 0)))))
         (if {sets} (then (call $set {key} (local.get $authority) (local.get $authority_length)
           (i32.const 0))))
         (if {gets} (then (call $get {key} (i32.const {kept}))
           (if (i32.load8_u (i32.const {kept})) (then (call $tell
             (i32.const {texts}) (i32.const 6)
             (i32.load offset=4 (i32.const {kept})) (i32.load offset=8 (i32.const {kept})))))))",
        adds = is('a'),
        sets = is('s'),
        gets = is('g'),
    ))
    .importing("store", "add", "$add (param i32 i32 i64 i32) (result i64)")
    .importing("store", "set", "$set (param i32 i32 i32 i32 i32)")
    .importing("store", "get", "$get (param i32 i32 i32)")
    .importing("rewrite", "set-header", "$tell (param i32 i32 i32 i32)")
    .saying(&["x-kept"])
    .build();
    let server =
        Upstream::answering(|request| plain(request.header("x-kept").unwrap_or("nothing"))).await;
    let start = || {
        Builder::new()
            .workers(2)
            .pool(Pool::of(&[&server]))
            .with(&format!("[cluster]\nurl = \"{}\"", redis.url()))
            .plugin_granted("keeper", "[\"store\", \"rewrite\"]", policy.clone())
            .with("[[policy]]\nplugin = \"keeper\"")
            .start()
    };
    let gateways = [start().await, start().await, start().await];
    meet(redis, 3).await;
    (gateways, server)
}

/// What each of them has of a key.
async fn kept(gateways: &[Gateway; 3], key: &str) -> Vec<String> {
    let mut kept = Vec::new();
    for gateway in gateways {
        let told = gateway.get(&format!("/g/{key}")).await;
        kept.push(told.text().to_owned());
    }
    kept
}

#[tokio::test]
async fn what_all_gateways_add_at_once_comes_to_one_exact_sum() {
    let redis = Redis::start(&[]).await;
    let (gateways, _server) = three_that_keep(&redis).await;
    let add = async |gateway: &Gateway, times: usize| {
        for _ in 0..times {
            assert_eq!(gateway.get("/a/n").await.status(), 200);
        }
    };
    let mut sum = 0;
    for times in [[20, 30, 40], [7, 0, 1]] {
        let [one, two, three] = &gateways;
        tokio::join!(add(one, times[0]), add(two, times[1]), add(three, times[2]));
        sum += times.iter().sum::<usize>();
        eventually("all know the sum", async || {
            kept(&gateways, "n").await == vec![sum.to_string(); 3]
        })
        .await;
    }
}

#[tokio::test]
async fn what_all_gateways_set_at_once_comes_to_one_of_the_values() {
    let redis = Redis::start(&[]).await;
    let (gateways, _server) = three_that_keep(&redis).await;
    let set = async |gateway: &Gateway, value: &str| {
        let request = format!("GET /s/k HTTP/1.1\r\nhost: {value}\r\n\r\n");
        assert_eq!(gateway.exchange(request).await.status(), 200);
    };
    let [one, two, three] = &gateways;
    for _ in 0..5 {
        tokio::join!(set(one, "one"), set(two, "two"), set(three, "three"));
        let mut agreed = Vec::new();
        eventually("all have the same value", async || {
            agreed = kept(&gateways, "k").await;
            agreed.iter().all(|value| *value == agreed[0])
        })
        .await;
        assert!(["one", "two", "three"].contains(&&*agreed[0]), "{agreed:?}");
    }
    // The latest counts, whoever has the one before from whom.
    set(two, "last").await;
    eventually("all have the last value", async || {
        kept(&gateways, "k").await == vec!["last"; 3]
    })
    .await;
}
