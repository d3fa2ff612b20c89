//! The cluster's server: with TLS and passwords, without memory, when it hangs, and when
//! it is a replica.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::cluster::{comes_to_have, has, member, somewhere};
use crate::cluster_trouble::two;
use crate::support::{Authority, Builder, Load, Pool, Redis, Upstream, eventually, signal, within};

#[tokio::test]
async fn it_is_spoken_to_with_tls_certificates_and_a_password() {
    let authority = Authority::new();
    let (redis, port) = Redis::with_tls(&authority, "s3cret").await;
    let client = authority.sign("gateway");
    let first = Upstream::named("first").await;
    let cluster = |password: &str| {
        format!(
            "[cluster]\nurl = \"rediss://localhost:{port}/0\"\npassword = \"{password}\"\n\
             name = \"a\"\ntls = {{ ca = \"ca.pem\", cert = \"cert.pem\", key = \"key.pem\" }}"
        )
    };
    let gateway = |password: &str| {
        Builder::new()
            .pool(Pool::of(&[&first]))
            .with(&cluster(password))
            .file("ca.pem", authority.certificate())
            .file("cert.pem", client.certificate.clone())
            .file("key.pem", client.key.clone())
    };
    let right = gateway("s3cret").start().await;
    eventually("the cluster has begun", async || {
        right.api("/api/cluster").await["version"] == 1
    })
    .await;
    let server = json!({ "host": "127.0.0.1", "port": 1 });
    right.change("POST", "/api/servers", server).await;
    let asked = [
        "-a",
        "s3cret",
        "--no-auth-warning",
        "HGET",
        "gatewright:state",
        "version",
    ];
    assert_eq!(redis.ask(&asked), "2");
    let wrong = gateway("guess").start().await;
    let why = wrong.api("/api/cluster").await["why"].to_string();
    assert!(why.contains("cluster.password"), "{why}");
    assert!(!wrong.log().contains("guess"), "{}", wrong.log());
}

#[tokio::test]
async fn an_address_that_speaks_tls_where_the_server_does_not_is_told_of() {
    let authority = Authority::new();
    let (_with, tls) = Redis::with_tls(&authority, "s3cret").await;
    let without = Redis::on_a_port(&[]).await;
    let plain = without.url().replace("redis://", "rediss://");
    let first = Upstream::named("first").await;
    for (url, ca, begins) in [
        (plain, "tls = { ca = \"ca.pem\" }", " redis://"),
        (format!("redis://localhost:{tls}/0"), "", " rediss://"),
    ] {
        let gateway = Builder::new()
            .pool(Pool::of(&[&first]))
            .with(&format!("[cluster]\nurl = \"{url}\"\nname = \"a\"\n{ca}"))
            .file("ca.pem", authority.certificate())
            .start()
            .await;
        eventually("it says how the address may have to begin", async || {
            let why = gateway.api("/api/cluster").await["why"].to_string();
            why.contains(&format!("let cluster.url begin with{begins}"))
        })
        .await;
    }
}

#[tokio::test]
async fn without_memory_there_it_refuses_a_change_and_says_why() {
    let redis = Redis::start(&["--maxmemory-policy", "noeviction"]).await;
    let first = Upstream::named("first").await;
    let second = Upstream::named("second").await;
    let a = member("a", &redis, &[&first]).start().await;
    eventually("the cluster has begun", async || {
        a.api("/api/cluster").await["version"] == 1
    })
    .await;
    let load = Load::on(a.address(), "/");
    load.goes_on(50).await;
    redis.ask(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let server = somewhere(second.address().port());
    let error = a
        .call("POST", "/api/servers")
        .json(&server)
        .refused(503)
        .await;
    assert!(
        error["message"].to_string().contains("maxmemory"),
        "{error}"
    );
    load.goes_on(50).await;
    redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    a.change("POST", "/api/servers", server).await;
    load.goes_on(50).await;
    load.stop_without_failure().await;
}

/// A way to a server on which a command with this text never comes, and nothing behind it
/// on its connection; its address.
async fn way_without(text: &'static str, redis: &Redis) -> String {
    let url = redis.url();
    let socket = url.strip_prefix("redis+unix://").expect("a Unix socket");
    let socket = socket.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = UnixStream::connect(&socket).await.expect("it accepts");
            tokio::spawn(carry_without(text, near, far));
        }
    });
    format!("redis://{address}")
}

async fn carry_without(text: &str, near: TcpStream, far: UnixStream) {
    let ((mut asked, mut to_near), (mut answered, mut to_far)) =
        (near.into_split(), far.into_split());
    tokio::spawn(async move { tokio::io::copy(&mut answered, &mut to_near).await });
    let (mut seen, mut buffer) = (Vec::new(), vec![0; 65_536]);
    while let Ok(length @ 1..) = asked.read(&mut buffer).await {
        seen.extend_from_slice(&buffer[..length]);
        if seen.windows(text.len()).any(|part| part == text.as_bytes()) {
            std::future::pending::<()>().await;
        }
        // Either side may close in the midst of it.
        if to_far.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn one_that_refuses_is_not_asked_without_pause_what_became_of_a_change() {
    // 20 times a second for three seconds, and what is asked besides.
    const QUESTIONS: u64 = 200;
    let redis = Redis::start(&["--maxmemory-policy", "noeviction"]).await;
    let first = Upstream::named("first").await;
    let url = way_without("192.0.2.7", &redis).await;
    let a = Builder::new()
        .pool(Pool::of(&[&first]))
        .with(&format!("[cluster]\nurl = \"{url}\"\nname = \"a\""))
        .start()
        .await;
    eventually("the cluster has begun", async || {
        a.api("/api/cluster").await["version"] == 1
    })
    .await;
    redis.ask(&["CONFIG", "SET", "maxmemory", "1mb"]);
    redis.ask(&["CONFIG", "RESETSTAT"]);
    let lost = json!({ "host": "192.0.2.7", "port": 1 });
    let error = a
        .call("POST", "/api/servers")
        .json(&lost)
        .refused(503)
        .await;
    assert!(
        error["message"].to_string().contains("nobody knows yet"),
        "{error}"
    );
    let stats = redis.ask(&["INFO", "commandstats"]);
    let asked = stats
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_hmget:calls="));
    let asked = asked.and_then(|rest| rest.split(',').next()?.parse::<u64>().ok());
    assert!(asked.expect("it was asked") < QUESTIONS, "{stats}");
    redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    a.change("POST", "/api/servers", somewhere(1)).await;
}

#[tokio::test]
async fn one_that_hangs_holds_no_drain_up() {
    // Less than a command has.
    const AT_ONCE: Duration = Duration::from_millis(900);
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let a = member("a", &redis, &[&first]).start().await;
    eventually("it is on the list", async || {
        redis.ask(&["EXISTS", "gatewright:gateway:a"]) == "1"
    })
    .await;
    signal(redis.id(), libc::SIGSTOP);
    a.terminate();
    within(AT_ONCE, "nobody is let in", async || !a.accepts().await).await;
    assert_eq!(a.exit_code().await, 0);
    signal(redis.id(), libc::SIGCONT);
}

#[tokio::test]
async fn what_it_has_not_answered_is_not_said_to_be_done() {
    let redis = Redis::on_a_port(&[]).await;
    let first = Upstream::named("first").await;
    let second = Upstream::named("second").await;
    let a = member("a", &redis, &[&first]).start().await;
    eventually("the cluster has begun", async || {
        a.api("/api/cluster").await["version"] == 1
    })
    .await;
    let load = Load::on(a.address(), "/");
    load.goes_on(50).await;
    signal(redis.id(), libc::SIGSTOP);
    let server = somewhere(second.address().port());
    let refused = a
        .call("POST", "/api/servers")
        .json(&server)
        .refused(503)
        .await;
    assert_eq!(refused["code"], "cluster_away");
    load.goes_on(50).await;
    signal(redis.id(), libc::SIGCONT);
    // Asked again, it is done once, whatever became of the first.
    eventually("the change is there", async || {
        let answer = a.call("POST", "/api/servers").json(&server).send().await;
        matches!(answer.status(), 201 | 409)
    })
    .await;
    load.goes_on(50).await;
    load.stop_without_failure().await;
}

#[tokio::test]
async fn a_replica_refuses_changes_until_it_is_the_primary_again() {
    // Otherwise it waits for more replicas first.
    let at_once = ["--repl-diskless-sync-delay", "0"];
    let redis = Redis::on_a_port(&at_once).await;
    let stand_in = Redis::on_a_port(&at_once).await;
    let first = Upstream::named("first").await;
    let second = Upstream::named("second").await;
    let [a, b] = two(&redis, &[&first]).await;
    let load = Load::on(a.address(), "/");
    load.goes_on(50).await;
    // A failover that the gateways' address does not go along with.
    stand_in.follow(&redis).await;
    stand_in.lead();
    redis.follow(&stand_in).await;
    let id = second.address().to_string();
    let server = somewhere(second.address().port());
    // While it loads what the other has it refuses too, with another reason.
    eventually("a change is refused, with the remedy", async || {
        let call = a.call("POST", "/api/servers").json(&server);
        let refused = call.refused(503).await;
        assert_eq!(refused["code"], "cluster_away", "{refused}");
        let why = refused["message"].to_string();
        why.contains("cluster.url lead to the primary")
    })
    .await;
    assert!(!has(&a, &id).await && !has(&b, &id).await);
    load.goes_on(50).await;
    redis.lead();
    eventually("changes are taken again", async || {
        let call = a.call("POST", "/api/servers").json(&server);
        call.send().await.status() == 201
    })
    .await;
    comes_to_have(&b, &id).await;
    load.goes_on(50).await;
    load.stop_without_failure().await;
}
