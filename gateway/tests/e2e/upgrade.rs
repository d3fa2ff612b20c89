//! A new process takes over from one that runs: no client notices, and nothing that
//! was changed is lost.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::json;
use tokio::net::UnixStream;

use crate::support::{
    BINARY, Builder, Client, Clients, Gateway, Installed, Load, Pool, Upstream, Wire, empty, ends,
    eventually, get, plain, runs, signal,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_two_upgrades_follow_each_other() {
    let server = Upstream::named("a").await;
    let builder = Builder::new().workers(2).tls("self_signed = true");
    let mut gateway = builder.pool(Pool::of(&[&server])).start().await;
    let kept_alive = Load::on(gateway.address(), "/");
    let connecting = Clients::connecting(gateway.address());
    let tls = gateway.tls_address();
    let http2 = Arc::new(tokio::sync::Mutex::new(Client::https(tls, &["h2"]).await));
    let streaming = Clients::asking(move || {
        let http2 = Arc::clone(&http2);
        async move {
            let mut client = http2.lock().await;
            let request = http::Request::get("https://localhost/").body(empty());
            match client.send(request.expect("a request")).await {
                Ok(response) => assert_eq!(response.status(), 200),
                // Told to go away before the request was sent.
                Err(error) if error.is_canceled() || error.is_closed() => {
                    *client = Client::https(tls, &["h2"]).await;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    });
    let first = gateway.id();
    for _ in 0..2 {
        kept_alive.goes_on(50).await;
        connecting.go_on().await;
        streaming.go_on().await;
        gateway.upgrade().await;
    }
    kept_alive.goes_on(50).await;
    connecting.go_on().await;
    streaming.go_on().await;
    gateway.has_left(first).await;
    kept_alive.stop_without_failure().await;
    connecting.stop().await;
    streaming.stop().await;
}

#[tokio::test]
async fn a_request_under_way_is_finished_by_the_process_that_has_it() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        let half = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello";
        peer.send(half).await;
        peer.resumed().await;
        peer.send("world").await;
    })
    .await;
    let mut gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = gateway.connect().await;
    client.send(get("/")).await;
    client.head().await.expect("a response");
    let before = gateway.id();
    let after = gateway.upgrade_by_signal().await;
    assert_ne!(before, after);
    assert!(runs(before), "it has a request to finish");
    server.resume();
    assert_eq!(client.bytes(10).await, b"helloworld");
    assert!(client.is_closed().await);
    gateway.has_left(before).await;
    assert_eq!(gateway.admin("/readyz").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_write_one_access_log_and_no_line_is_torn_or_lost() {
    let server = Upstream::scripted(|mut peer| async move {
        while let Some(asked) = peer.request().await {
            if asked.target() == "/held" {
                peer.resumed().await;
            }
            if peer.try_send(plain("a")).await.is_err() {
                return;
            }
        }
    })
    .await;
    let builder = Builder::new().workers(2);
    let builder = builder.with("[access_log]\nfile = \"access.log\"");
    let mut gateway = builder.pool(Pool::of(&[&server])).start().await;
    let mut held = gateway.connect().await;
    held.send(get("/held")).await;
    eventually("it is asked", async || !server.requests().is_empty()).await;
    let load = Load::on(gateway.address(), "/");
    load.goes_on(100).await;
    let before = gateway.id();
    gateway.upgrade().await;
    load.goes_on(100).await;
    let [new, old] = ["access.log", "access.log.1"].map(|name| gateway.path(name));
    std::fs::rename(&new, &old).expect("a file");
    signal(gateway.id(), libc::SIGUSR1);
    load.goes_on(100).await;
    let answered: usize = load.stop_without_failure().await.answers.values().sum();
    assert!(runs(before), "it has a request to finish");
    server.resume();
    assert_eq!(held.response().await.text(), "a");
    gateway.has_left(before).await;
    let last = gateway.id();
    gateway.terminate();
    gateway.has_left(last).await;

    let paths = |file: &Path| {
        let text = std::fs::read_to_string(file).expect("a file");
        assert!(text.ends_with('\n'), "{text}");
        let line = |line| serde_json::from_str::<serde_json::Value>(line).expect(line);
        let lines = text.lines().map(line);
        lines
            .map(|line| line["path"].as_str().expect("a path").to_owned())
            .collect::<Vec<_>>()
    };
    let (old, new) = (paths(&old), paths(&new));
    assert!(!old.contains(&"/held".to_owned()));
    let held = new.iter().filter(|path| *path == "/held");
    assert_eq!(
        held.count(),
        1,
        "the old process writes to the new file too"
    );
    assert_eq!(old.len() + new.len(), answered + 1);
}

#[tokio::test]
async fn a_process_that_was_taken_over_from_ends_at_once_when_asked() {
    let server = Upstream::that_hangs().await;
    let builder = Builder::new().with("[timeouts]\ndrain = \"10m\"");
    let mut gateway = builder.pool(Pool::of(&[&server])).start().await;
    let [mut idle, mut client] = [gateway.connect().await, gateway.connect().await];
    client.send(get("/")).await;
    client.head().await.expect("a response");
    let before = gateway.id();
    gateway.upgrade().await;
    assert!(idle.is_closed().await, "it drains");
    signal(before, libc::SIGTERM);
    eventually("it ends", async || !runs(before)).await;
    assert_eq!(client.rest().await, b"hello");
}

#[tokio::test]
async fn what_was_changed_before_is_there_afterwards_and_changes_go_on() {
    let server = Upstream::named("a").await;
    let mut gateway = Gateway::before(Pool::of(&[&server])).await;
    let weight = |value| json!({ "weight": value });
    let path = format!("/api/servers/{}/weight", server.address());
    gateway.change("PUT", &path, weight(7)).await;
    let before = gateway.id();
    gateway.upgrade().await;
    gateway.has_left(before).await;
    assert_eq!(gateway.servers().await[0]["weight"], 7);
    gateway.change("PUT", &path, weight(9)).await;
    gateway.upgrade().await;
    assert_eq!(gateway.servers().await[0]["weight"], 9);
    let audit = gateway.api("/api/audit").await;
    let actions: Vec<_> = audit.as_array().expect("entries").iter().collect();
    let upgrades = actions
        .iter()
        .filter(|one| one["action"] == "gateway.upgrade");
    assert_eq!(upgrades.count(), 2, "{audit}");
}

#[tokio::test]
async fn the_program_that_is_there_by_then_takes_over() {
    let server = Upstream::named("a").await;
    let installed = Installed::new();
    let builder = Builder::new().pool(Pool::of(&[&server]));
    let mut gateway = installed.start(&builder).await;
    let mark = installed.path("mark");
    let script = format!("touch {}\nexec {} \"$@\"", mark.display(), *BINARY);
    installed.replace(&script);
    let before = gateway.id();
    gateway.upgrade().await;
    assert!(mark.exists(), "another program was started");
    gateway.has_left(before).await;
    gateway.serves_everybody().await;
}

#[tokio::test]
async fn more_and_fewer_workers_serve_everybody() {
    let server = Upstream::named("a").await;
    let builder = Builder::new().workers(2);
    let mut gateway = builder.pool(Pool::of(&[&server])).start().await;
    for (now, next) in [(2, 4), (4, 1), (1, 3)] {
        let before = gateway.id();
        let [now, next] = [now, next].map(|count| format!("count = {count}\n"));
        gateway.edit(|text| text.replace(&now, &next));
        gateway.upgrade().await;
        gateway.has_left(before).await;
        gateway.serves_everybody().await;
    }
}

#[tokio::test]
async fn a_unix_socket_goes_over_and_its_file_goes_with_its_last_owner() {
    let server = Upstream::named("a").await;
    let folder = tempfile::tempdir().expect("a folder");
    let [kept, dropped] = ["kept", "dropped"].map(|name| folder.path().join(name));
    let listener = |name: &str, path: &Path| {
        let path = path.display();
        format!("[[listener]]\nname = \"{name}\"\nlisten = \"unix:{path}\"\n")
    };
    let gone = listener("dropped", &dropped);
    let builder = Builder::new().with(&(listener("kept", &kept) + &gone));
    let mut gateway = builder.pool(Pool::of(&[&server])).start().await;
    let is_served = async || {
        let mut wire = Wire::new(UnixStream::connect(&kept).await.expect("it accepts"));
        wire.send(get("/")).await;
        assert_eq!(wire.response().await.text(), "a");
    };
    is_served().await;
    let before = gateway.id();
    gateway.edit(|text| text.replace(&gone, ""));
    gateway.upgrade().await;
    gateway.has_left(before).await;
    is_served().await;
    assert!(!dropped.exists(), "nobody listens there any more");
    let last = gateway.id();
    gateway.terminate();
    gateway.has_left(last).await;
    assert!(!kept.exists(), "its last owner has removed it");
}

#[tokio::test]
async fn who_takes_over_compiles_with_its_own_program() {
    const COMPILER: &str = "GATEWRIGHT_COMPILER";
    let server = Upstream::named("a").await;
    let folder = tempfile::tempdir().expect("a folder");
    let builder = Builder::new().pool(Pool::of(&[&server]));
    builder.write(&folder.path().join("gatewright.toml"));
    let mut command = Command::new(&*BINARY);
    command.env(COMPILER, &*BINARY);
    let arguments = ["run", "-c", "gatewright.toml"];
    let mut gateway = Gateway::start_as(command, &arguments, folder).await;
    let is_told = |process: u32| {
        let told = std::fs::read(format!("/proc/{process}/environ")).expect("it runs");
        String::from_utf8_lossy(&told).contains(COMPILER)
    };
    assert!(is_told(gateway.id()));
    gateway.upgrade().await;
    assert!(!is_told(gateway.id()));
}

#[tokio::test]
async fn the_command_says_who_serves_or_why_nobody_else_does() {
    let server = Upstream::named("a").await;
    let mut gateway = Gateway::before(Pool::of(&[&server])).await;
    let before = gateway.id();
    let said = ends(&gateway, 0, &["upgrade"]).await;
    let words: Vec<_> = said.split_whitespace().collect();
    let process = words[1].parse().expect("a process id");
    gateway.succeeded_by(process);
    assert!(runs(process) && said.contains("has taken over"), "{said}");
    gateway.has_left(before).await;
    gateway.edit(|text| text.replace("[workers]", "[wrokers]"));
    let said = ends(&gateway, 1, &["upgrade"]).await;
    assert!(said.contains("this one goes on"), "{said}");
    gateway.serves_everybody().await;
}

#[tokio::test]
async fn who_only_looks_may_not_upgrade() {
    let server = Upstream::named("a").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let make = |role: &str| json!({ "name": role, "role": role });
    let deploy = gateway.change("POST", "/api/tokens", make("deploy")).await;
    let deploy = deploy["token"].as_str().expect("a token");
    let call = gateway.call("POST", "/api/tokens").token(deploy);
    let read = call.json(&make("read")).send().await.json();
    let read = read["data"]["token"].as_str().expect("a token").to_owned();
    let call = gateway.call("POST", "/api/upgrade").token(&read);
    assert_eq!(call.refused(403).await["code"], "forbidden");
}
