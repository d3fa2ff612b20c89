//! A new process is to take over from one that runs and does not come to serve: the
//! old one goes on as if nothing had been.

use std::process::Command;

use serde_json::json;

use crate::support::{
    BINARY, Builder, Clients, Gateway, Guest, Installed, Pool, Upstream, eventually, misdeeds, runs,
};

#[tokio::test]
async fn the_first_process_of_a_container_refuses_and_goes_on() {
    let server = Upstream::named("a").await;
    let folder = tempfile::tempdir().expect("a folder");
    let builder = Builder::new().pool(Pool::of(&[&server]));
    builder.write(&folder.path().join("gatewright.toml"));
    // It is process 1 there, and all that is left of it ends with the command.
    let container = ["--map-root-user", "--pid", "--fork", "--kill-child"];
    let run = [&*BINARY, "run", "-c", "gatewright.toml"];
    let arguments = [container.as_slice(), &run].concat();
    let gateway = Gateway::start_as(Command::new("unshare"), &arguments, folder).await;
    let reason = gateway.upgrade_fails().await;
    assert!(reason.contains("restart the container"), "{reason}");
    gateway.serves_everybody().await;
    let path = format!("/api/servers/{}/weight", server.address());
    gateway.change("PUT", &path, json!({ "weight": 3 })).await;
}

#[tokio::test]
async fn a_configuration_that_is_broken_meanwhile_leaves_the_old_one_serving_and_changing() {
    let server = Upstream::named("a").await;
    let mut gateway = Gateway::before(Pool::of(&[&server])).await;
    let before = gateway.id();
    gateway.edit(|text| text.replace("[workers]", "[wrokers]"));
    let reason = gateway.upgrade_fails().await;
    assert!(reason.contains("wrokers"), "{reason}");
    assert_eq!(gateway.id(), before);
    gateway.serves_everybody().await;
    let path = format!("/api/servers/{}/weight", server.address());
    gateway.change("PUT", &path, json!({ "weight": 3 })).await;
    gateway.edit(|text| text.replace("[wrokers]", "[workers]"));
    gateway.upgrade().await;
    assert_eq!(gateway.servers().await[0]["weight"], 3);
    gateway.serves_everybody().await;
}

#[tokio::test]
async fn a_program_that_ends_is_told_and_the_old_one_goes_on() {
    let server = Upstream::named("a").await;
    let installed = Installed::new();
    let builder = Builder::new().pool(Pool::of(&[&server]));
    let gateway = installed.start(&builder).await;
    installed.replace("exit 3");
    let reason = gateway.upgrade_fails().await;
    assert!(reason.contains("ended before it served"), "{reason}");
    assert!(reason.contains('3'), "{reason}");
    gateway.serves_everybody().await;
    let path = format!("/api/servers/{}/weight", server.address());
    gateway.change("PUT", &path, json!({ "weight": 3 })).await;
}

#[tokio::test]
async fn a_change_asked_for_in_between_is_refused_for_a_moment_only() {
    let server = Upstream::named("a").await;
    let installed = Installed::new();
    let builder = Builder::new().pool(Pool::of(&[&server]));
    let gateway = installed.start(&builder).await;
    let held = installed.hold();
    let asked = gateway.call("POST", "/api/upgrade");
    let path = format!("/api/servers/{}/weight", server.address());
    let change = || gateway.call("PUT", &path).json(&json!({ "weight": 3 }));
    let meanwhile = async {
        held.runs().await;
        let refused = change().send().await;
        assert_eq!(refused.status(), 503, "{refused:?}");
        assert_eq!(refused.json()["error"]["code"], "upgrading");
        assert_eq!(refused.header("retry-after"), Some("1"));
        let second = gateway.call("POST", "/api/upgrade").refused(503).await;
        assert_eq!(second["code"], "upgrading", "{second}");
        gateway.serves_everybody().await;
        held.ends();
    };
    let (outcome, ()) = tokio::join!(asked.refused(409), meanwhile);
    assert_eq!(outcome["code"], "not_upgraded");
    assert_eq!(change().send().await.status(), 200);
}

#[tokio::test]
async fn a_reload_asked_for_in_between_is_done_when_nothing_comes_of_the_upgrade() {
    let server = Upstream::named("a").await;
    let installed = Installed::new();
    let builder = Builder::new().pool(Pool::of(&[&server]));
    let gateway = installed.start(&builder).await;
    let held = installed.hold();
    let asked = gateway.call("POST", "/api/upgrade");
    let meanwhile = async {
        held.runs().await;
        gateway.hang_up();
        gateway.serves_everybody().await;
        assert!(!gateway.log().contains("nothing to change"));
        held.ends();
    };
    tokio::join!(asked.refused(409), meanwhile);
    gateway.says("nothing to change").await;
}

#[tokio::test]
async fn what_is_quarantined_in_between_is_taken_back_when_nothing_comes_of_the_upgrade() {
    let server = Upstream::named("a").await;
    let pool = Pool::of(&[&server]).with("balancer", "\"mine\"");
    let builder = Builder::new().plugin("mine", Guest::always(0, 0));
    let installed = Installed::new();
    let gateway = installed.start(&builder.pool(pool)).await;
    let bad = Guest::balancer_that(misdeeds::TRAP).build();
    let bad = gateway.upload("mine", bad).await;
    let canary = json!({ "canary": { "version": bad, "percent": 50 } });
    let seat = "/api/bindings/web/balancer";
    gateway.change("PUT", seat, canary).await;
    let held = installed.hold();
    let asked = gateway.call("POST", "/api/upgrade");
    let meanwhile = async {
        held.runs().await;
        gateway.serves_everybody().await;
        gateway.says("it cannot be rolled back").await;
        held.ends();
    };
    tokio::join!(asked.refused(409), meanwhile);
    eventually("it is taken back", async || {
        gateway.api("/api/audit").await[0]["action"] == "binding.rollback"
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_is_stopped_meanwhile_leaves_no_process_behind() {
    let server = Upstream::named("a").await;
    let installed = Installed::new();
    let builder = Builder::new().pool(Pool::of(&[&server]));
    let gateway = installed.start(&builder).await;
    let mark = installed.path("process");
    installed.replace(&format!("echo $$ > {}\nexec sleep 1000", mark.display()));
    let asked = gateway.call("POST", "/api/upgrade").try_send();
    let meanwhile = async {
        let process = || {
            std::fs::read_to_string(&mark)
                .ok()?
                .trim()
                .parse::<u32>()
                .ok()
        };
        eventually("the new program runs", async || process().is_some()).await;
        gateway.terminate();
        assert_eq!(gateway.exit_code().await, 0);
        assert!(!runs(process().expect("it was there")));
    };
    tokio::join!(asked, meanwhile);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_notices_that_more_workers_do_not_come_to_serve_or_do() {
    let server = Upstream::named("a").await;
    let sound = Guest::always(0, 0);
    let builder = Builder::new().workers(2).plugin("mine", sound.clone());
    let pool = Pool::of(&[&server]).with("balancer", "\"mine\"");
    let mut gateway = builder.pool(pool).start().await;
    let connecting = [(); 4].map(|()| Clients::connecting(gateway.address()));
    gateway.edit(|text| text.replace("count = 2\n", "count = 4\n"));
    gateway.put("mine.wasm", "no component");
    for _ in 0..3 {
        let reason = gateway.upgrade_fails().await;
        assert!(reason.contains("not WebAssembly"), "{reason}");
    }
    gateway.put("mine.wasm", sound);
    gateway.upgrade().await;
    for clients in connecting {
        clients.go_on().await;
        clients.stop().await;
    }
    let path = format!("/api/servers/{}/weight", server.address());
    let changed = gateway.change("PUT", &path, json!({ "weight": 3 })).await;
    assert_eq!(changed["applied"], json!({ "workers": 4, "of": 4 }));
}
