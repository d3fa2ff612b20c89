//! The cluster's server comes back with less than it was told, and others have changed
//! it meanwhile: what comes from what counts.

use std::time::Duration;

use crate::cluster::{
    comes_to_have, deployer, has, member, set_aside, somewhere, three, version, version_there,
};
use crate::support::{Redis, Upstream, eventually, signal, within};

const STATE: &str = "gatewright:state";

/// Since when there is none.
const EMPTY: &str = "gatewright:empty";

/// It takes five seconds.
const BEGINS: Duration = Duration::from_secs(20);

/// A replica that has heard of nothing since takes over.
struct Older<'r>(&'r Redis);

impl<'r> Older<'r> {
    fn of(redis: &'r Redis) -> Self {
        redis.ask(&["COPY", STATE, "older"]);
        Self(redis)
    }

    fn takes_over(self) {
        assert_eq!(self.0.ask(&["COPY", "older", STATE, "REPLACE"]), "1");
    }
}

#[tokio::test]
async fn a_server_that_came_back_older_is_told_what_it_forgot() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, b, _c] = three(&redis, &[&first]).await;
    a.change("POST", "/api/servers", somewhere(1)).await;
    comes_to_have(&b, "127.0.0.1:1").await;
    let older = Older::of(&redis);
    for port in 2..5 {
        a.change("POST", "/api/servers", somewhere(port)).await;
    }
    comes_to_have(&b, "127.0.0.1:4").await;
    let version = version(&a).await.to_string();
    older.takes_over();
    eventually("the server has the newest state", async || {
        version_there(&redis) == version
    })
    .await;
    assert!(redis.ask(&["HKEYS", STATE]).contains("127.0.0.1:4"));
    assert!(has(&a, "127.0.0.1:4").await && has(&b, "127.0.0.1:4").await);
}

#[tokio::test]
async fn what_was_changed_on_an_older_server_outlives_who_had_a_higher_version() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [mut a, b, mut c] = three(&redis, &[&first]).await;
    a.change("POST", "/api/servers", somewhere(1)).await;
    comes_to_have(&b, "127.0.0.1:1").await;
    a.kill();
    let older = Older::of(&redis);
    for port in 2..5 {
        b.change("POST", "/api/servers", somewhere(port)).await;
    }
    comes_to_have(&c, "127.0.0.1:4").await;
    let higher = version(&b).await.as_u64().expect("a number");
    // Those who know better are cut off, one of them for so long that it starts anew.
    signal(b.id(), libc::SIGSTOP);
    c.kill();
    older.takes_over();
    a.restart().await;
    a.change("POST", "/api/servers", somewhere(9)).await;
    assert!(version(&a).await.as_u64().expect("a number") < higher);
    signal(b.id(), libc::SIGCONT);
    c.restart().await;
    for gateway in [&b, &c] {
        comes_to_have(gateway, "127.0.0.1:9").await;
        assert!(!has(gateway, "127.0.0.1:2").await);
        let text = set_aside(gateway).await;
        // Of what it had, what came later.
        assert!(text.contains(r#"127.0.0.1:2\"]"#), "{text}");
        assert!(!text.contains(r#"127.0.0.1:1\"]"#), "{text}");
    }
    assert!(has(&a, "127.0.0.1:9").await && !has(&a, "127.0.0.1:2").await);
    assert_eq!(version_there(&redis), version(&a).await.to_string());
}

#[tokio::test]
async fn a_server_that_throws_the_state_away_opens_no_door() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let gateways = three(&redis, &[&first]).await;
    let (_, token) = deployer(&gateways[0], None).await;
    let is_closed = async || {
        for gateway in &gateways {
            if gateway.call("GET", "/api/servers").send().await.status() != 401 {
                return false;
            }
        }
        true
    };
    eventually("the token is asked for", async || is_closed().await).await;
    let version = version_there(&redis);
    for _ in 0..3 {
        // As eviction does.
        assert_eq!(redis.ask(&["DEL", STATE]), "1");
        eventually("the server has the state again", async || {
            assert!(is_closed().await);
            version_there(&redis) == version
        })
        .await;
    }
    for gateway in &gateways {
        let shown = gateway.call("GET", "/api/servers").token(&token);
        assert_eq!(shown.send().await.status(), 200);
    }
}

#[tokio::test]
async fn a_state_that_lost_a_field_is_given_back_and_takes_changes() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, b, _c] = three(&redis, &[&first]).await;
    for (field, port) in [("epoch", 1), ("version", 2), ("commit", 3)] {
        let before = redis.ask(&["HGET", STATE, field]);
        assert_eq!(redis.ask(&["HDEL", STATE, field]), "1");
        eventually("the state is whole again", async || {
            redis.ask(&["HGET", STATE, field]) == before
        })
        .await;
        a.change("POST", "/api/servers", somewhere(port)).await;
        comes_to_have(&b, &format!("127.0.0.1:{port}")).await;
    }
}

#[tokio::test]
async fn who_comes_to_a_server_that_lost_the_state_waits_for_those_who_have_it() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let gateways = three(&redis, &[&first]).await;
    let (_, token) = deployer(&gateways[0], None).await;
    let version = version_there(&redis);
    for gateway in &gateways {
        signal(gateway.id(), libc::SIGSTOP);
    }
    // However long the start takes, they count as there.
    let far = u64::MAX.to_string();
    redis.ask(&["ZADD", "gatewright:gateways", &far, "a"]);
    redis.ask(&["PERSIST", "gatewright:gateways"]);
    redis.ask(&["PERSIST", "gatewright:gateway:a"]);
    redis.ask(&["DEL", STATE]);
    let new = member("d", &redis, &[&first]).start().await;
    new.says("is to give it back").await;
    assert_eq!(redis.ask(&["EXISTS", STATE]), "0");
    for gateway in &gateways {
        signal(gateway.id(), libc::SIGCONT);
    }
    eventually("it has what the others have", async || {
        let shown = new.call("GET", "/api/servers").token(&token);
        let is_closed = new.call("GET", "/api/servers").send().await.status() == 401;
        is_closed && shown.send().await.status() == 200
    })
    .await;
    assert_eq!(version_there(&redis), version);
}

#[tokio::test]
async fn who_comes_to_a_server_that_lost_everything_waits_for_those_who_come_back() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let gateways = three(&redis, &[&first]).await;
    let (_, token) = deployer(&gateways[0], None).await;
    let version = version_there(&redis);
    for gateway in &gateways {
        signal(gateway.id(), libc::SIGSTOP);
    }
    // Who was there is lost as well.
    redis.kill();
    redis.restart().await;
    let new = member("d", &redis, &[&first]).start().await;
    assert_eq!(new.get("/").await.text(), "first");
    eventually("it has found no state", async || {
        redis.ask(&["EXISTS", EMPTY]) == "1"
    })
    .await;
    // However long its start took, it waits from now on.
    redis.ask(&["DEL", EMPTY]);
    assert_eq!(redis.ask(&["EXISTS", STATE]), "0");
    for gateway in &gateways {
        signal(gateway.id(), libc::SIGCONT);
    }
    // And however long this machine takes to have them back.
    within(BEGINS, "one of them is back", async || {
        redis.ask(&["DEL", EMPTY]);
        redis.ask(&["EXISTS", STATE]) == "1"
    })
    .await;
    eventually("it has what the others have", async || {
        let shown = new.call("GET", "/api/servers").token(&token);
        let is_closed = new.call("GET", "/api/servers").send().await.status() == 401;
        is_closed && shown.send().await.status() == 200
    })
    .await;
    assert_eq!(version_there(&redis), version);
    for gateway in &gateways {
        let shown = gateway.call("GET", "/api/servers");
        assert_eq!(shown.send().await.status(), 401);
    }
}

#[tokio::test]
async fn the_first_gateway_serves_at_once_and_begins_when_nobody_comes_back() {
    let redis = Redis::start(&[]).await;
    redis.ask(&["DEL", EMPTY]);
    let first = Upstream::named("first").await;
    let a = member("a", &redis, &[&first]).start().await;
    assert_eq!(a.get("/").await.text(), "first");
    within(BEGINS, "the cluster has begun", async || {
        version_there(&redis) == "1"
    })
    .await;
    assert_eq!(redis.ask(&["EXISTS", EMPTY]), "0");
    a.change("POST", "/api/servers", somewhere(1)).await;
}
