//! Decisions that are recorded, and played to candidates.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::{Builder, Gateway, Guest, Pool, Upstream, ends, eventually};

/// Record some decisions of this balancer, into a file of the gateway's folder.
async fn record(gateway: &Gateway, file: &str) -> String {
    let wanted = json!({ "pool": "web", "seconds": 600 });
    let made = gateway.change("POST", "/api/recordings", wanted).await;
    let path = format!("/api/recordings/{}", made["id"].as_str().expect("an id"));
    // The first are made while the instances to be recorded are made ready.
    eventually("decisions are recorded", async || {
        for _ in 0..10 {
            assert_eq!(gateway.get("/").await.status(), 200);
        }
        let list = gateway.api("/api/recordings").await;
        list[0]["decisions"].as_u64() >= Some(60)
    })
    .await;
    let text = gateway.admin(&path).await.text().to_owned();
    gateway.change("DELETE", &path, Value::Null).await;
    gateway.call("GET", &path).refused(404).await;
    gateway.put(file, &text);
    text
}

async fn replay(gateway: &Gateway, candidate: &str, file: &str) -> Value {
    let path = gateway.path(file);
    let path = path.to_str().expect("a path");
    let said = ends(gateway, 0, &["plugin", "replay", candidate, path, "--json"]).await;
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[tokio::test]
async fn a_plugin_agrees_with_its_own_recording_in_every_decision() {
    let servers = [Upstream::named("a").await, Upstream::named("b").await];
    let third = Upstream::named("c").await;
    // One that counts, one that hands over what it learned, one that is told loads,
    // some that draw lots, and those that learn from outcomes and ask the time.
    for balancer in [
        "round-robin",
        "weighted",
        "least-connections",
        "power-of-two",
        "weighted-random",
        "peak-ewma",
        "adaptive",
    ] {
        let pool = Pool::of(&[&servers[0], &servers[1], &third])
            .with("balancer", format!("\"{balancer}\""));
        let gateway = Builder::new().workers(2).pool(pool).start().await;
        let text = record(&gateway, "web.jsonl").await;
        let header: Value = serde_json::from_str(text.lines().next().expect("a line")).unwrap();
        assert_eq!(
            (&header["plugin"], &header["pool"]),
            (&json!(balancer), &json!("web"))
        );
        let found = replay(&gateway, balancer, "web.jsonl").await;
        assert!(found["decisions"].as_u64() >= Some(60), "{found}");
        assert_eq!(found["agreed"], found["decisions"], "{balancer}: {found:#}");
        assert_eq!(found["failed"], 0, "{found}");
    }
}

#[tokio::test]
async fn another_balancer_is_told_where_it_differs() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let pool = Pool::of(&[&a, &b]).with("balancer", "\"round-robin\"");
    let gateway = Builder::new().pool(pool).start().await;
    record(&gateway, "web.jsonl").await;
    let found = replay(&gateway, "first", "web.jsonl").await;
    let decisions = found["decisions"].as_u64().expect("a count");
    let agreed = found["agreed"].as_u64().expect("a count");
    // It always takes the same one of two.
    assert!(
        agreed * 2 <= decisions + 1 && agreed * 2 >= decisions - 1,
        "{found:#}"
    );
    assert_eq!(found["differences"].as_array().map(Vec::len), Some(10));
    let counts = found["counts"].as_array().expect("counts");
    let chosen = counts.iter().filter(|one| one["candidate"] != 0);
    assert_eq!(chosen.count(), 1, "{found:#}");

    let path = gateway.path("web.jsonl");
    let said = ends(
        &gateway,
        0,
        &["plugin", "replay", "first", path.to_str().unwrap()],
    )
    .await;
    assert!(said.contains("first agrees with round-robin in"), "{said}");
    assert!(said.contains("The first differences:"), "{said}");
    // Of one that was cut, what is left is replayed, and that is said.
    let whole = std::fs::read_to_string(&path).expect("a recording");
    let header = whole.lines().next().expect("a header");
    gateway.put("header.jsonl", format!("{header}\n"));
    let left = gateway.path("header.jsonl");
    let line = ["plugin", "replay", "first", left.to_str().unwrap()];
    let said = ends(&gateway, 0, &line).await;
    assert!(said.contains("was cut or edited"), "{said}");
    assert!(said.contains("first had nothing to decide"), "{said}");
    // Also within a line.
    gateway.put("within.jsonl", &whole[..whole.len() - 20]);
    let left = gateway.path("within.jsonl");
    let line = ["plugin", "replay", "first", left.to_str().unwrap()];
    let said = ends(&gateway, 0, &line).await;
    assert!(said.contains("was cut or edited"), "{said}");
    assert!(said.contains("first agrees with round-robin in"), "{said}");
    gateway.put("cut.jsonl", "{\"kind\":\"else\"}\n");
    let cut = gateway.path("cut.jsonl");
    let said = ends(
        &gateway,
        2,
        &["plugin", "replay", "first", cut.to_str().unwrap()],
    )
    .await;
    assert!(said.contains("it is no recording"), "{said}");
    gateway.put("own.json", "{\"zzz\":1}");
    let own = gateway.path("own.json");
    let files = [&path, &own].map(|file| file.to_str().unwrap());
    let line = ["plugin", "replay", "zone", files[0], "--config", files[1]];
    let said = ends(&gateway, 2, &line).await;
    assert!(said.contains(files[1]) && said.contains("zzz"), "{said}");
}

/// A balancer that picks the second server for whoever shows a credential.
fn asking() -> Vec<u8> {
    let asks = "(call $header (i32.const 512) (i32.const 13) (i32.const 256)) \
        (i32.load8_u (i32.const 256))";
    let guest = Guest::balancer(asks).saying(&["authorization"]);
    let header = "$header (param i32 i32 i32)";
    guest.importing("request", "header", header).build()
}

#[tokio::test]
async fn what_was_asked_of_requests_is_replayed_and_secrets_are_not_in_it() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let pool = Pool::of(&[&a, &b]).with("balancer", "\"asking\"");
    let gateway = Builder::new().plugin("asking", asking()).pool(pool);
    let gateway = gateway.start().await;
    let made = gateway
        .change("POST", "/api/recordings", json!({ "pool": "web" }))
        .await;
    assert_eq!(made["state"], "recording");
    let known = "GET / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer hidden\r\n\r\n";
    eventually("decisions are recorded", async || {
        assert_eq!(gateway.exchange(known).await.text(), "b");
        assert_eq!(gateway.get("/").await.text(), "a");
        gateway.api("/api/recordings").await[0]["decisions"].as_u64() >= Some(20)
    })
    .await;
    let text = gateway.admin("/api/recordings/1").await.text().to_owned();
    assert!(!text.contains("hidden"));
    assert!(
        text.contains("[\"request.header\",\"authorization\",\"redacted-"),
        "{text}"
    );
    gateway.put("web.jsonl", &text);
    gateway.put("candidate.wasm", asking());
    let candidate = gateway.path("candidate.wasm");
    let found = replay(&gateway, candidate.to_str().unwrap(), "web.jsonl").await;
    assert_eq!(found["agreed"], found["decisions"], "{found:#}");
    assert_eq!(found["notRecorded"], json!({}));
    // Who asks for something else hears nothing, and is told so.
    gateway.put(
        "first.jsonl",
        text.replace("request.header", "request.query"),
    );
    let found = replay(&gateway, candidate.to_str().unwrap(), "first.jsonl").await;
    assert_eq!(
        found["notRecorded"]["request.header"], found["decisions"],
        "{found:#}"
    );
    // One that always fails is told too, and the replay goes on.
    gateway.put("failing.wasm", Guest::balancer_that("unreachable").build());
    let failing = gateway.path("failing.wasm");
    let found = replay(&gateway, failing.to_str().unwrap(), "web.jsonl").await;
    assert_eq!(found["failed"], found["decisions"], "{found:#}");
    assert_eq!(found["agreed"], 0);
    // Also where what follows a failure is no decision: whoever comes after it
    // knows the members all the same.
    gateway.put("observed.jsonl", observed(&text));
    let found = replay(&gateway, failing.to_str().unwrap(), "observed.jsonl").await;
    assert_eq!(found["failed"], found["decisions"], "{found:#}");
}

/// A recording with outcomes told after each decision.
fn observed(text: &str) -> String {
    let mut told = String::new();
    for line in text.lines() {
        let said: Value = serde_json::from_str(line).expect("a line");
        if !said["end"].is_null() {
            let end = json!({ "end": told.lines().count() - 1 });
            told += &format!("{end}\n");
            break;
        }
        told += line;
        told += "\n";
        if said["call"] == "pick" {
            let (worker, at_ns) = (&said["worker"], &said["at_ns"]);
            let heard = json!({
                "worker": worker, "at_ns": at_ns, "call": "observe", "outcomes": [],
            });
            told += &heard.to_string();
            told += "\n";
        }
    }
    told
}

#[tokio::test]
async fn a_recording_is_asked_for_within_bounds() {
    let a = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&a])).start().await;
    let ask = |body: Value| gateway.call("POST", "/api/recordings").json(&body);
    ask(json!({ "pool": "nobody" })).refused(404).await;
    ask(json!({ "pool": "web", "seconds": 601 }))
        .refused(422)
        .await;
    ask(json!({ "pool": "web", "sample": 0 }))
        .refused(422)
        .await;
    for _ in 0..4 {
        gateway
            .change("POST", "/api/recordings", json!({ "pool": "web" }))
            .await;
    }
    let list = gateway.api("/api/recordings").await;
    let list = list.as_array().expect("recordings").iter();
    let states: Vec<_> = list
        .map(|one| one["state"].as_str().expect("a state"))
        .collect();
    assert_eq!(states, ["done", "done", "done", "recording"]);
    let error = ask(json!({ "pool": "web" })).refused(409).await;
    let message = error["message"].as_str().unwrap();
    for part in ["1 of web (done)", "DELETE ADDRESS/api/recordings/1`"] {
        assert!(message.contains(part), "{message}");
    }
    gateway
        .call("DELETE", "/api/recordings/01")
        .refused(404)
        .await;
    gateway
        .change("DELETE", "/api/recordings/1", Value::Null)
        .await;
    assert_eq!(
        gateway
            .api("/api/recordings")
            .await
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    // Of two who ask at once one deletes it, and is noted.
    let delete = async || {
        let call = gateway.call("DELETE", "/api/recordings/2");
        call.send().await.status()
    };
    let (one, other) = tokio::join!(delete(), delete());
    assert_eq!([one.min(other), one.max(other)], [200, 404]);
    let audit = gateway.api("/api/audit").await;
    let entries = audit.as_array().expect("entries").iter();
    let noted = entries.filter(|entry| entry["action"] == "recording.delete");
    assert_eq!(noted.count(), 2, "{audit}");
}

#[tokio::test]
async fn a_command_records_into_a_file() {
    let a = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&a])).start().await;
    let file = gateway.path("web.jsonl");
    let line = [
        "record",
        "--pool",
        "web",
        "--for",
        "1s",
        "-o",
        file.to_str().unwrap(),
    ];
    let (said, ()) = tokio::join!(ends(&gateway, 0, &line), async {
        while !file.exists() {
            gateway.get("/").await;
        }
    });
    assert!(said.contains("decisions in"), "{said}");
    let mode = file.metadata().expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(gateway.api("/api/recordings").await, json!([]));
    let line = [
        "record",
        "--pool",
        "web",
        "--for",
        "1h",
        "-o",
        file.to_str().unwrap(),
    ];
    ends(&gateway, 2, &line).await;
}

#[tokio::test]
async fn a_recording_that_nobody_asks_for_any_more_goes() {
    let a = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&a])).start().await;
    let wanted = |seconds: u64| json!({ "pool": "web", "unattendedSeconds": seconds });
    let ask = gateway.call("POST", "/api/recordings").json(&wanted(0));
    ask.refused(422).await;
    for seconds in [1, 600] {
        gateway
            .change("POST", "/api/recordings", wanted(seconds))
            .await;
    }
    let stays = json!({ "pool": "web" });
    gateway.change("POST", "/api/recordings", stays).await;
    // Whoever looks at the list has it stay.
    eventually("its deletion is noted", async || {
        let audit = gateway.api("/api/audit").await;
        let mut entries = audit.as_array().expect("entries").iter();
        entries.any(|entry| {
            entry["action"] == "recording.delete"
                && entry["who"] == "gateway"
                && entry["target"] == "pools.web.balancer 1"
        })
    })
    .await;
    let list = gateway.api("/api/recordings").await;
    let list = list.as_array().expect("recordings").iter();
    let ids: Vec<_> = list.map(|one| one["id"].as_str().expect("an id")).collect();
    assert_eq!(ids, ["2", "3"]);
}

#[tokio::test]
async fn a_recording_whose_creator_leaves_without_hearing_of_it_goes_too() {
    let a = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&a])).start().await;
    let wanted = json!({ "pool": "web", "unattendedSeconds": 1 }).to_string();
    let head = format!(
        "POST /api/recordings HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        gateway.admin_address(),
        wanted.len()
    );
    for _ in 0..4 {
        let mut creator = gateway.connect_admin_narrow(4096).await;
        creator.send(format!("{head}{wanted}")).await;
    }
    eventually("theirs are made", async || {
        let audit = gateway.api("/api/audit").await;
        let entries = audit.as_array().expect("entries").iter();
        let made = entries.filter(|entry| entry["action"] == "recording.create");
        made.count() == 4
    })
    .await;
    // There is room for four, once theirs are gone.
    let mut kept = 0;
    eventually("there is room for all", async || {
        let stays = json!({ "pool": "web" });
        let made = gateway.call("POST", "/api/recordings").json(&stays).send();
        kept += usize::from(made.await.status() == 201);
        kept == 4
    })
    .await;
}

#[tokio::test]
async fn where_an_affinity_decides_a_recording_of_nothing_says_so() {
    let a = Upstream::named("a").await;
    let pool = Pool::of(&[&a]).with("affinity", "\"sticky-cookie\"");
    let gateway = Builder::new().pool(pool).start().await;
    let file = gateway.path("web.jsonl");
    let file = file.to_str().unwrap();
    let line = ["record", "--pool", "web", "--for", "1s", "-o", file];
    let said = ends(&gateway, 1, &line).await;
    assert!(said.contains("its affinity does not know"), "{said}");
}
