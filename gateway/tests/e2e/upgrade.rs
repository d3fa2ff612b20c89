//! A new process takes over from one that runs: no client notices, nothing that was
//! changed is lost, and when it does not come to that, the old one goes on.

use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;

use crate::support::{
    BINARY, Builder, Client, Gateway, Guest, Load, Pool, Upstream, Wire, empty, ends, eventually,
    get, misdeeds, runs, signal,
};

/// Clients of HTTP/2 or of new connections that ask until they are stopped.
struct Clients {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Clients {
    /// Ask again and again, each time as `ask` does.
    fn asking<A: Future<Output = ()> + Send>(mut ask: impl FnMut() -> A + Send + 'static) -> Self {
        let (stop, answered) = <(Arc<AtomicBool>, Arc<AtomicUsize>)>::default();
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&answered));
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                ask().await;
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self {
            stop,
            answered,
            task,
        }
    }

    /// Ask for a page, each time on a connection of its own.
    fn connecting(address: SocketAddr) -> Self {
        Self::asking(move || async move {
            let stream = TcpStream::connect(address).await.expect("it accepts");
            let mut wire = Wire::new(stream);
            wire.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                .await;
            assert_eq!(wire.response().await.text(), "a");
        })
    }

    async fn go_on(&self) {
        let wanted = self.answered.load(Ordering::Relaxed) + 20;
        eventually("more is answered", async || {
            self.task.is_finished() || self.answered.load(Ordering::Relaxed) >= wanted
        })
        .await;
    }

    /// None may have failed.
    async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("nothing failed");
    }
}

/// Whether everybody who connects is served, on however many sockets.
async fn all_are_served(gateway: &Gateway) {
    for _ in 0..40 {
        assert_eq!(gateway.get("/").await.text(), "a");
    }
}

/// A link that a gateway is started by, so that another program can take its place.
fn linked() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let link = folder.path().join("gatewright");
    symlink(&*BINARY, &link).expect("a link");
    (folder, link)
}

/// Put a script in the program's place, as an installation does.
fn replace(program: &Path, script: &str) {
    let draft = program.with_extension("new");
    std::fs::write(&draft, format!("#!/bin/sh\n{script}\n")).expect("a file");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&draft, mode).expect("a file");
    std::fs::rename(draft, program).expect("a file");
}

/// A program that runs without serving until it is let end.
struct Held(PathBuf);

impl Held {
    fn in_place_of(program: &Path, folder: &Path) -> Self {
        let mark = folder.join("held");
        let script = format!(
            ": > {0}\nwhile test -e {0}; do sleep 0.05; done",
            mark.display()
        );
        replace(program, &script);
        Self(mark)
    }

    async fn runs(&self) {
        eventually("the new program runs", async || self.0.exists()).await;
    }

    fn ends(self) {
        std::fs::remove_file(self.0).expect("a file");
    }
}

/// A gateway in front of a server, to be.
fn before(server: &Upstream) -> Builder {
    Builder::new().pool(Pool::of(&[server]))
}

/// A gateway that is started by this program.
async fn started_by(program: &Path, builder: &Builder) -> Gateway {
    let folder = tempfile::tempdir().expect("a folder");
    let file = "gatewright.toml";
    builder.write(&folder.path().join(file));
    Gateway::start_as(Command::new(program), &["run", "-c", file], folder).await
}

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

#[tokio::test]
async fn a_process_that_was_taken_over_from_ends_at_once_when_asked() {
    let server = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
            .await;
        peer.stall().await;
    })
    .await;
    let builder = Builder::new().with("[timeouts]\ndrain = \"10m\"");
    let mut gateway = builder.pool(Pool::of(&[&server])).start().await;
    let mut client = gateway.connect().await;
    client.send(get("/")).await;
    client.head().await.expect("a response");
    let before = gateway.id();
    gateway.upgrade().await;
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
async fn a_configuration_that_is_broken_meanwhile_leaves_the_old_one_serving_and_changing() {
    let server = Upstream::named("a").await;
    let mut gateway = Gateway::before(Pool::of(&[&server])).await;
    let before = gateway.id();
    gateway.edit(|text| text.replace("[workers]", "[wrokers]"));
    let reason = gateway.upgrade_fails().await;
    assert!(reason.contains("wrokers"), "{reason}");
    assert_eq!(gateway.id(), before);
    all_are_served(&gateway).await;
    let path = format!("/api/servers/{}/weight", server.address());
    gateway.change("PUT", &path, json!({ "weight": 3 })).await;
    gateway.edit(|text| text.replace("[wrokers]", "[workers]"));
    gateway.upgrade().await;
    assert_eq!(gateway.servers().await[0]["weight"], 3);
    all_are_served(&gateway).await;
}

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
    all_are_served(&gateway).await;
    let path = format!("/api/servers/{}/weight", server.address());
    gateway.change("PUT", &path, json!({ "weight": 3 })).await;
}

#[tokio::test]
async fn a_program_that_ends_is_told_and_the_old_one_goes_on() {
    let server = Upstream::named("a").await;
    let (_folder, program) = linked();
    let gateway = started_by(&program, &before(&server)).await;
    replace(&program, "exit 3");
    let reason = gateway.upgrade_fails().await;
    assert!(reason.contains("ended before it served"), "{reason}");
    assert!(reason.contains('3'), "{reason}");
    all_are_served(&gateway).await;
    let path = format!("/api/servers/{}/weight", server.address());
    gateway.change("PUT", &path, json!({ "weight": 3 })).await;
}

#[tokio::test]
async fn the_program_that_is_there_by_then_takes_over() {
    let server = Upstream::named("a").await;
    let (folder, program) = linked();
    let mut gateway = started_by(&program, &before(&server)).await;
    let mark = folder.path().join("mark");
    let script = format!("touch {}\nexec {} \"$@\"", mark.display(), *BINARY);
    replace(&program, &script);
    let before = gateway.id();
    gateway.upgrade().await;
    assert!(mark.exists(), "another program was started");
    gateway.has_left(before).await;
    all_are_served(&gateway).await;
}

#[tokio::test]
async fn a_change_asked_for_in_between_is_refused_for_a_moment_only() {
    let server = Upstream::named("a").await;
    let (folder, program) = linked();
    let gateway = started_by(&program, &before(&server)).await;
    let held = Held::in_place_of(&program, folder.path());
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
        all_are_served(&gateway).await;
        held.ends();
    };
    let (outcome, ()) = tokio::join!(asked.refused(409), meanwhile);
    assert_eq!(outcome["code"], "not_upgraded");
    assert_eq!(change().send().await.status(), 200);
}

#[tokio::test]
async fn a_reload_asked_for_in_between_is_done_when_nothing_comes_of_the_upgrade() {
    let server = Upstream::named("a").await;
    let (folder, program) = linked();
    let gateway = started_by(&program, &before(&server)).await;
    let held = Held::in_place_of(&program, folder.path());
    let asked = gateway.call("POST", "/api/upgrade");
    let meanwhile = async {
        held.runs().await;
        gateway.hang_up();
        all_are_served(&gateway).await;
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
    let (folder, program) = linked();
    let gateway = started_by(&program, &builder.pool(pool)).await;
    let bad = Guest::balancer_that(misdeeds::TRAP).build();
    let bad = gateway.upload("mine", bad).await;
    let canary = json!({ "canary": { "version": bad, "percent": 50 } });
    let seat = "/api/bindings/web/balancer";
    gateway.change("PUT", seat, canary).await;
    let held = Held::in_place_of(&program, folder.path());
    let asked = gateway.call("POST", "/api/upgrade");
    let meanwhile = async {
        held.runs().await;
        all_are_served(&gateway).await;
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
    let (folder, program) = linked();
    let gateway = started_by(&program, &before(&server)).await;
    let mark = folder.path().join("process");
    replace(
        &program,
        &format!("echo $$ > {}\nexec sleep 1000", mark.display()),
    );
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
        all_are_served(&gateway).await;
    }
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
        assert!(reason.contains("mine.wasm"), "{reason}");
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
    all_are_served(&gateway).await;
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
