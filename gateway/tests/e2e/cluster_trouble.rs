//! What goes wrong with one gateway of a cluster: a program that is older, a disk that
//! is full, a component that is gone, a name that another has, a key that something else
//! has written.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::{comes_to_have, has, member, somewhere, version};
use crate::support::{Gateway, Guest, Redis, Upstream, eventually, signal, within};

/// How long it may take until gateways have noticed what they look at now and then.
const TENDED: Duration = Duration::from_secs(40);

/// Two gateways in front of the same server, once both are in the cluster.
pub(crate) async fn two(redis: &Redis, servers: &[&Upstream]) -> [Gateway; 2] {
    let a = member("a", redis, servers).start().await;
    eventually("the cluster has begun", async || {
        a.api("/api/cluster").await["version"] == 1
    })
    .await;
    [a, member("b", redis, servers).start().await]
}

/// What is wrong with a gateway in its cluster.
async fn problems(gateway: &Gateway) -> String {
    gateway.api("/api/cluster").await["problems"].to_string()
}

/// Change the state as a program does that this one does not know.
fn change_by_another_program(redis: &Redis, what: &str, commit: &str) {
    let script = format!(
        "{what}; local before = redis.call('HGET', KEYS[1], 'lineage'); \
         redis.call('HSET', KEYS[1], 'commit', '{commit}', 'author', 'newer', 'lineage', \
         before .. ' {commit}'); return redis.call('HINCRBY', KEYS[1], 'version', 1)"
    );
    let done = redis.ask(&["EVAL", &script, "1", "gatewright:state"]);
    assert!(done.parse::<u64>().is_ok(), "{done}");
}

#[tokio::test]
async fn a_record_that_is_not_read_here_stops_no_start_and_is_told() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, mut b] = two(&redis, &[&first]).await;
    a.change("POST", "/api/servers", somewhere(1)).await;
    comes_to_have(&b, "127.0.0.1:1").await;
    let new = "redis.call('HSET', KEYS[1], 'quota:web', '{}')";
    change_by_another_program(&redis, new, "feed");
    for gateway in [&a, &b] {
        eventually("it says what it cannot read", async || {
            problems(gateway).await.contains("quota:web")
        })
        .await;
        gateway.says("quota:web").await;
        assert!(gateway.metric("gatewright_cluster_problems").await > 0.0);
    }
    let call = a.call("POST", "/api/servers").json(&somewhere(2));
    let refused = call.refused(503).await;
    assert!(
        refused["message"].to_string().contains("quota:web"),
        "{refused}"
    );
    b.restart().await;
    assert!(has(&b, "127.0.0.1:1").await && !has(&b, "127.0.0.1:2").await);
    eventually("it says so again", async || {
        problems(&b).await.contains("quota:web")
    })
    .await;
    let gone = "redis.call('HDEL', KEYS[1], 'quota:web')";
    change_by_another_program(&redis, gone, "cafe");
    for gateway in [&a, &b] {
        eventually("nothing is wrong", async || problems(gateway).await == "[]").await;
    }
    b.change("POST", "/api/servers", somewhere(2)).await;
    comes_to_have(&a, "127.0.0.1:2").await;
}

#[tokio::test]
async fn a_reload_that_is_overtaken_and_given_up_leaves_the_line() {
    const LINE: &str = "gatewright:line";
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, _b] = two(&redis, &[&first]).await;
    let server = first.address();
    let weight = format!("/api/servers/{server}/weight");
    a.change("PUT", &weight, json!({ "weight": 9 })).await;
    let new = "redis.call('HSET', KEYS[1], 'quota:web', '{}')";
    change_by_another_program(&redis, new, "feed");
    assert_eq!(redis.ask(&["ZADD", LINE, "inf", "other"]), "1");
    // The file takes the weight back, which has to be committed.
    let table = format!(
        "{{ host = \"127.0.0.1\", port = {}, weight = 4 }}",
        server.port()
    );
    a.edit(|file| file.replace(&format!("\"{server}\""), &table));
    a.says("other gateways change the cluster's state").await;
    // No place ends by itself from now on.
    redis.ask(&["PERSIST", LINE]);
    eventually("only the other stands in line", async || {
        redis.ask(&["ZCARD", LINE]) == "1"
    })
    .await;
}

#[tokio::test]
async fn a_change_that_is_overtaken_is_told_as_refused_only_once_it_is_given_up() {
    const LINE: &str = "gatewright:line";
    const REFUSED: &str = "a change was refused";
    // Somebody stands there before all others, until that place ends.
    const AHEAD: &str = "local time = redis.call('TIME') \
                         redis.call('DEL', KEYS[1]) \
                         return redis.call('ZADD', KEYS[1], time[1] * 1000 + 2900, 'other')";
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let a = member("a", &redis, &[&first]).start().await;
    eventually("the cluster has begun", async || version(&a).await == 1).await;
    // Before the change, and after it once that has a place.
    assert_eq!(redis.ask(&["ZADD", LINE, "inf", "other"]), "1");
    a.change("POST", "/api/servers", somewhere(1)).await;
    // Only who was overtaken has the line end.
    assert_ne!(redis.ask(&["PTTL", LINE]), "-1");
    assert_eq!(a.says_how_often(REFUSED), 0, "{}", a.log());
    assert_eq!(redis.ask(&["EVAL", AHEAD, "1", LINE]), "1");
    // It goes on without who has asked.
    let asking = a.call("POST", "/api/servers").json(&somewhere(2)).send();
    let answer = tokio::time::timeout(Duration::from_secs(1), asking).await;
    assert!(answer.is_err(), "it is answered while another has the turn");
    assert_eq!(a.says_how_often(REFUSED), 0, "{}", a.log());
    within(TENDED, "the change is given up", async || {
        redis.ask(&["EVAL", AHEAD, "1", LINE]);
        a.says_how_often(REFUSED) > 0
    })
    .await;
    assert_eq!(a.says_how_often(REFUSED), 1, "{}", a.log());
    assert!(!has(&a, "127.0.0.1:2").await);
}

#[tokio::test]
async fn with_a_full_disk_a_gateway_goes_by_what_the_cluster_has() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, b] = two(&redis, &[&first]).await;
    a.upload("mine", Guest::always(0, 1)).await;
    let digest = a.upload("mine", Guest::always(0, 2)).await;
    let path = format!("/api/plugins/mine/versions/{digest}");
    let known = async || b.call("GET", &path).send().await.status();
    eventually("the version is known elsewhere", async || {
        known().await == 200
    })
    .await;
    b.limit_files(Some(0));
    a.change("DELETE", &path, Value::Null).await;
    eventually("it is known no more", async || known().await == 404).await;
    b.says("not on the disk").await;
    b.limit_files(None);
    let newest = async || b.api("/api/audit").await[0]["sequence"].as_u64();
    let before = newest().await;
    let binding = json!({ "plugin": "round-robin" });
    a.change("PUT", "/api/bindings/web/balancer", binding).await;
    eventually("what others change is on the disk again", async || {
        newest().await > before
    })
    .await;
}

#[tokio::test]
async fn a_component_that_is_gone_is_left_out_until_it_is_put_back() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, b] = two(&redis, &[&first]).await;
    let binding = async |gateway: &Gateway| {
        let binding = gateway.api("/api/bindings/web/balancer").await;
        binding["plugin"].as_str().unwrap_or_default().to_owned()
    };
    signal(b.id(), libc::SIGSTOP);
    let digest = a.upload("mine", Guest::always(0, 1)).await;
    let mine = json!({ "plugin": "mine" });
    a.change("PUT", "/api/bindings/web/balancer", mine).await;
    a.change("POST", "/api/servers", somewhere(1)).await;
    signal(a.id(), libc::SIGSTOP);
    let key = format!("gatewright:component:{digest}");
    assert_eq!(redis.ask(&["DEL", &key]), "1");
    signal(b.id(), libc::SIGCONT);
    // Whoever cannot get it follows all the same.
    comes_to_have(&b, "127.0.0.1:1").await;
    assert_ne!(binding(&b).await, "mine");
    assert!(problems(&b).await.contains(&digest[..12]));
    b.says("is left out").await;
    b.change("POST", "/api/servers", somewhere(2)).await;
    signal(a.id(), libc::SIGCONT);
    within(TENDED, "what was left out is in force", async || {
        binding(&b).await == "mine" && problems(&b).await == "[]"
    })
    .await;
    let noted = b.api("/api/audit").await[0].take();
    assert_eq!(noted["action"], "cluster.follow", "{noted}");
    let target = noted["target"].as_str().expect("a text");
    assert!(target.contains(&digest[..12]), "{target}");
    // From then on any of them puts it back, to stay.
    a.kill();
    assert_eq!(redis.ask(&["DEL", &key]), "1");
    within(TENDED, "it is there again", async || {
        redis.ask(&["TTL", &key]) == "-1"
    })
    .await;
    // Whoever put it back has ended before it said so.
    assert_eq!(redis.ask(&["EXPIRE", &key, "3600"]), "1");
    within(TENDED, "it is there to stay", async || {
        redis.ask(&["TTL", &key]) == "-1"
    })
    .await;
}

#[tokio::test]
async fn a_component_that_is_damaged_everywhere_is_told_until_one_is_whole() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, b] = two(&redis, &[&first]).await;
    let digest = a.upload("mine", Guest::always(0, 1)).await;
    let files = [&a, &b].map(|gateway| gateway.path(&format!("data/plugins/{digest}.wasm")));
    eventually("both have it", async || {
        files.iter().all(|file| file.exists())
    })
    .await;
    let whole = std::fs::read(&files[0]).expect("it is kept");
    for file in &files {
        std::fs::write(file, "damaged").expect("a file");
    }
    let key = format!("gatewright:component:{digest}");
    assert_eq!(redis.ask(&["DEL", &key]), "1");
    for gateway in [&a, &b] {
        within(TENDED, "it says what it cannot have", async || {
            problems(gateway).await.contains(&digest[..12])
        })
        .await;
    }
    std::fs::write(&files[0], &whole).expect("a file");
    for gateway in [&a, &b] {
        within(TENDED, "nothing is wrong", async || {
            problems(gateway).await == "[]"
        })
        .await;
    }
    assert_eq!(redis.ask(&["TTL", &key]), "-1");
    assert_eq!(std::fs::read(&files[1]).expect("it is kept"), whole);
}

#[tokio::test]
async fn a_component_that_cannot_be_read_there_holds_no_other_up() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, b] = two(&redis, &[&first]).await;
    let mut digests = [
        a.upload("one", Guest::always(0, 1)).await,
        a.upload("other", Guest::always(0, 2)).await,
    ];
    // As they are looked after.
    digests.sort_unstable();
    let files = digests
        .each_ref()
        .map(|digest| b.path(&format!("data/plugins/{digest}.wasm")));
    eventually("the other gateway has both", async || {
        files.iter().all(|file| file.exists())
    })
    .await;
    let no_text = "return redis.call('SET', KEYS[1], '\\255')";
    let signature = format!("gatewright:signature:{}", digests[0]);
    redis.ask(&["EVAL", no_text, "1", &signature]);
    for file in &files {
        std::fs::remove_file(file).expect("it is kept");
    }
    within(TENDED, "it has got the second one", async || {
        files[1].exists()
    })
    .await;
    assert!(!files[0].exists());
    b.says("is not looked after").await;
}

#[tokio::test]
async fn a_component_that_was_made_whole_here_is_not_fetched() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let a = member("a", &redis, &[&first]).start().await;
    eventually("the cluster has begun", async || version(&a).await == 1).await;
    let digest = a.upload("mine", Guest::always(0, 1)).await;
    let file = a.path(&format!("data/plugins/{digest}.wasm"));
    let whole = std::fs::read(&file).expect("it is kept");
    std::fs::write(&file, "damaged").expect("a file");
    let key = format!("gatewright:component:{digest}");
    redis.ask(&["RENAME", &key, "aside"]);
    within(TENDED, "it says what it cannot have", async || {
        problems(&a).await.contains(&digest[..12])
    })
    .await;
    std::fs::write(&file, &whole).expect("a file");
    redis.ask(&["RENAME", "aside", &key]);
    redis.ask(&["CONFIG", "RESETSTAT"]);
    within(TENDED, "nothing is wrong", async || {
        problems(&a).await == "[]"
    })
    .await;
    let stats = redis.ask(&["INFO", "commandstats"]);
    assert!(!stats.contains("cmdstat_mget"), "{stats}");
}

#[tokio::test]
async fn a_component_that_cannot_be_kept_is_tried_again_without_following_anew() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, b] = two(&redis, &[&first]).await;
    b.limit_files(Some(0));
    let digest = a.upload("mine", Guest::always(0, 1)).await;
    eventually("it says what it cannot keep", async || {
        problems(&b).await.contains(&digest[..12])
    })
    .await;
    let unwritten = "not on the disk";
    b.says(unwritten).await;
    let often = b.says_how_often(unwritten);
    // By then it has looked after it.
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(b.says_how_often(unwritten), often);
    assert!(problems(&b).await.contains(&digest[..12]));
    b.limit_files(None);
    within(TENDED, "it is kept", async || problems(&b).await == "[]").await;
    assert!(b.path(&format!("data/plugins/{digest}.wasm")).exists());
}

#[tokio::test]
async fn two_gateways_of_one_name_say_so_and_one_that_is_upgraded_does_not() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [mut a, b] = two(&redis, &[&first]).await;
    // What the run before has said is there when the next one speaks.
    a.restart().await;
    a.upgrade().await;
    let namesake = member("b", &redis, &[&first]).start().await;
    for (gateway, other) in [(&b, &namesake), (&namesake, &b)] {
        let address = other.admin_address().to_string();
        within(TENDED, "it says who is called the same", async || {
            problems(gateway).await.contains(&address)
        })
        .await;
        gateway.says("cluster.name").await;
    }
    // It has spoken as often by now.
    assert_eq!(problems(&a).await, "[]");
    assert_eq!(a.says_how_often("cluster.name"), 0);
    namesake.terminate();
    assert_eq!(namesake.exit_code().await, 0);
    within(TENDED, "nobody else is called so", async || {
        problems(&b).await == "[]"
    })
    .await;
}

#[tokio::test]
async fn a_key_of_another_type_is_a_problem_until_it_is_deleted() {
    let redis = Redis::start(&[]).await;
    let first = Upstream::named("first").await;
    let [a, b] = two(&redis, &[&first]).await;
    for (before, name) in ["log", "meta", "log"].into_iter().enumerate() {
        let key = format!("gatewright:shared:{name}");
        assert_eq!(redis.ask(&["SET", &key, "x"]), "OK");
        for gateway in [&a, &b] {
            eventually("it says what is in the way", async || {
                problems(gateway).await.contains(&key)
            })
            .await;
            assert!(gateway.metric("gatewright_cluster_problems").await > 0.0);
        }
        redis.ask(&["DEL", &key, "gatewright:shared:meta"]);
        for gateway in [&a, &b] {
            eventually("nothing is wrong", async || problems(gateway).await == "[]").await;
            eventually("its log says so each time", async || {
                gateway.says_how_often("what plugins keep is shared again") == before + 1
            })
            .await;
        }
    }
    for gateway in [&a, &b] {
        let begins = "something else has written gatewright:shared:log";
        assert_eq!(gateway.says_how_often(begins), 2);
    }
}
