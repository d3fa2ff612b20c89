//! Plugins that come in through the API: what is taken and what is refused,
//! what is kept, and what may go.

use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{
    Builder, Gateway, Guest, Load, Message, Pool, Upstream, Wire, calling_itself, eventually,
    misdeeds, runs,
};

async fn gateway() -> (Gateway, Upstream) {
    let a = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&a])).start().await;
    (gateway, a)
}

async fn post(gateway: &Gateway, query: &str, component: impl Into<Vec<u8>>) -> Message {
    let path = format!("/api/plugins?{query}");
    gateway
        .call("POST", &path)
        .component(component)
        .send()
        .await
}

/// The digests of a plugin's versions, the oldest first.
async fn versions(gateway: &Gateway, plugin: &str) -> Vec<String> {
    let plugin = gateway.api(&format!("/api/plugins/{plugin}")).await;
    let versions = plugin["versions"].as_array().expect("versions").iter();
    let digests = versions.map(|one| one["version"].as_str().expect("a digest").to_owned());
    digests.collect()
}

/// The components in the data folder.
fn kept(gateway: &Gateway) -> usize {
    let folder = std::fs::read_dir(gateway.path("data/plugins"));
    folder.expect("it is there").count()
}

#[tokio::test]
async fn an_upload_is_a_version_that_decides_nothing() {
    let (gateway, _a) = gateway().await;
    let first = post(&gateway, "name=mine", Guest::always(0, 1)).await;
    assert_eq!(first.status(), 201, "{}", first.text());
    let first = &first.json()["data"];
    assert_eq!(first["name"], "mine");
    assert_eq!(first["uploader"], "anonymous");
    assert_eq!(first["roles"], json!(["balancer"]));
    assert_eq!(first["direct"], true);
    assert_eq!(first["bound"], json!([]));
    assert_eq!(first["size"], Guest::always(0, 1).len());
    assert!(first["compileMs"].as_f64().expect("a time") >= 0.0);
    let exports = first["exports"].to_string();
    assert!(exports.contains("balancing"), "{exports}");
    let again = post(&gateway, "name=mine", Guest::always(0, 1)).await;
    assert_eq!(again.status(), 200);
    assert_eq!(again.json()["data"]["uploadedAt"], first["uploadedAt"]);
    let second = gateway.upload("mine", Guest::always(0, 2)).await;
    let first = first["version"].as_str().expect("a digest");
    assert_eq!(versions(&gateway, "mine").await, [first, &second]);
    let list = gateway.api("/api/plugins").await;
    let plugins = list["plugins"].as_array().expect("plugins").iter();
    let mine: Vec<_> = plugins.filter(|one| one["name"] == "mine").collect();
    assert_eq!(mine[0]["source"], "upload");
    assert_eq!(mine[0]["versionCount"], 2);
    assert_eq!(mine[0]["version"], first, "a later upload changes nothing");
    assert_eq!(list["uploads"], json!([]));
}

#[tokio::test]
async fn versions_are_shown_downloaded_and_named_by_their_beginning() {
    let (gateway, _a) = gateway().await;
    let component = Guest::always(0, 1);
    let digest = gateway.upload("mine", component.clone()).await;
    let path = format!("/api/plugins/mine/versions/{}", &digest[..8]);
    assert_eq!(gateway.api(&path).await["version"], digest.as_str());
    let answer = gateway.admin(&format!("{path}/download")).await;
    assert_eq!(answer.header("content-type"), Some("application/wasm"));
    assert_eq!(answer.body, component);
    for unknown in ["mine/versions/00000000", "mine/versions/1234567", "other"] {
        let call = gateway.call("GET", &format!("/api/plugins/{unknown}"));
        assert_eq!(call.refused(404).await["code"], "not_found");
    }
    let built_in = gateway.api("/api/plugins/weighted").await;
    assert_eq!(built_in["source"], "default");
    assert_eq!(built_in["versions"][0]["roles"], json!(["balancer"]));
}

#[tokio::test]
async fn a_form_brings_a_component_too() {
    let (gateway, _a) = gateway().await;
    let mut body = b"--cut\r\ncontent-disposition: form-data; name=\"file\"; \
                     filename=\"mine.wasm\"\r\n\r\n"
        .to_vec();
    body.extend(Guest::always(0, 1));
    body.extend(b"\r\n--cut--\r\n");
    let form = |body: Vec<u8>| {
        let call = gateway.call("POST", "/api/plugins?name=mine").body(body);
        call.header("content-type", "multipart/form-data; boundary=cut")
    };
    assert_eq!(form(body.clone()).send().await.status(), 201);
    body.truncate(body.len() - 9);
    assert_eq!(form(body).refused(400).await["code"], "bad_body");
    let none = b"--cut--\r\n".to_vec();
    assert_eq!(form(none).refused(400).await["code"], "bad_body");
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_with_the_reason_and_leaves_nothing() {
    let (gateway, _a) = gateway().await;
    let whole = Guest::always(0, 1);
    let flipped = |at: usize| {
        let mut component = whole.clone();
        component[at] ^= 1;
        component
    };
    let random: Vec<u8> = (0..5000_u32).map(|at| ((at * at) >> 3) as u8).collect();
    let greedy = Guest::balancer("(i32.const 1)").importing("store", "remove", "(param i32 i32)");
    let core = wat::parse_str("(module)").expect("a module");
    let empty = wat::parse_str("(component)").expect("a component");
    for (component, reason) in [
        (core, "core module"),
        (empty, "none of the contract's worlds"),
        (b"(component)".to_vec(), "text format"),
        (Vec::new(), "is the build finished?"),
        (random, "not WebAssembly"),
        (whole[..whole.len() / 2].to_vec(), ""),
        (flipped(1), "not WebAssembly"),
        (flipped(whole.len() / 3), ""),
        (greedy.build(), "without the grant"),
        (Guest::balancer(misdeeds::TRAP).build(), "in a trial"),
    ] {
        let call = gateway.call("POST", "/api/plugins?name=mine");
        let answer = call.component(component).send().await;
        // A flipped bit may leave a component that is as good as before.
        if answer.status() == 201 && reason.is_empty() {
            continue;
        }
        assert_eq!(answer.status(), 422, "{reason}: {}", answer.text());
        let error = &answer.json()["error"];
        assert_eq!(error["code"], "plugin_refused", "{error}");
        let message = error["message"].as_str().expect("a sentence");
        assert!(message.contains(reason), "{message}");
    }
    assert!(kept(&gateway) <= 1, "only what was taken is kept");
    assert_eq!(gateway.get("/").await.text(), "a");
}

#[tokio::test]
async fn every_bit_flipped_is_taken_or_refused_and_hurts_nobody() {
    let (gateway, _a) = gateway().await;
    let whole = Guest::always(0, 1);
    for at in (8..whole.len()).step_by(whole.len() / 24) {
        let mut component = whole.clone();
        component[at] ^= 1 << (at % 8);
        let status = post(&gateway, "name=mine", component).await.status();
        assert!([200, 201, 422].contains(&status), "byte {at}: {status}");
    }
    assert_eq!(gateway.get("/").await.text(), "a");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused() {
    let (gateway, _a) = gateway().await;
    let component = Guest::always(0, 1);
    for (query, status, code) in [
        ("", 422, "invalid"),
        ("colour=red", 400, "bad_address"),
        ("name=mine&colour=red", 400, "bad_address"),
        ("name=no%20name", 422, "invalid"),
        ("name=mine&memory=1GiB", 422, "invalid"),
        ("name=mine&grants=fly", 422, "invalid"),
        ("name=weighted&grants=store", 409, "conflict"),
    ] {
        let path = format!("/api/plugins?{query}");
        let call = gateway.call("POST", &path).component(component.clone());
        assert_eq!(call.refused(status).await["code"], code, "{query}");
    }
    let call = gateway.call("POST", "/api/plugins?name=mine");
    let call = call.header("content-type", "text/plain").body("near");
    assert_eq!(call.refused(415).await["code"], "not_wasm");
    assert_eq!(kept(&gateway), 0);
}

#[tokio::test]
async fn grants_are_given_with_an_upload() {
    let (gateway, _a) = gateway().await;
    let greedy = Guest::balancer("(i32.const 0)").importing("store", "remove", "(param i32 i32)");
    let taken = post(
        &gateway,
        "name=mine&grants=store&memory=1MiB",
        greedy.build(),
    )
    .await;
    assert_eq!(taken.status(), 201, "{}", taken.text());
    let plugin = gateway.api("/api/plugins/mine").await;
    assert_eq!(plugin["grants"], json!(["store"]));
    assert_eq!(plugin["memory"], "1MiB");
    let more = post(&gateway, "name=mine&grants=store,clock", greedy.build()).await;
    assert_eq!(more.status(), 200);
    let plugin = gateway.api("/api/plugins/mine").await;
    assert_eq!(plugin["grants"], json!(["store", "clock"]));
    // Of what it lacks the whole list is told, as it is to be sent.
    let drawing = Guest::balancer("(i32.const 0)").importing("random", "next", "(result i64)");
    let refused = post(&gateway, "name=mine", drawing.build()).await;
    assert_eq!(refused.status(), 422, "{}", refused.text());
    let advice =
        "grants=store,clock,random, which is --grant store --grant clock --grant random of";
    assert!(refused.text().contains(advice), "{}", refused.text());
}

#[tokio::test]
async fn what_a_plugin_of_the_file_lacks_is_to_be_written_there() {
    let a = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&a]));
    let gateway = gateway.plugin("near", Guest::always(0, 1)).start().await;
    let drawing = Guest::balancer("(i32.const 0)").importing("random", "next", "(result i64)");
    let call = gateway.call("POST", "/api/plugins?name=near");
    let error = call.component(drawing.build()).refused(422).await;
    let message = error["message"].as_str().expect("a sentence");
    assert!(
        message.contains("\"random\"] under [plugins.near]"),
        "{message}"
    );
}

#[tokio::test]
async fn a_component_that_no_compiler_can_take_is_refused_while_traffic_goes_on() {
    let (gateway, _a) = gateway().await;
    let load = Load::on(gateway.address(), "/");
    let answer = post(&gateway, "name=mine", Guest::too_laborious().build()).await;
    assert_eq!(answer.status(), 422, "{answer:?}");
    let error = &answer.json()["error"];
    let message = error["message"].as_str().expect("a message");
    assert!(
        message.contains("a smaller component would do"),
        "{message}"
    );
    assert_eq!(kept(&gateway), 0);
    load.stop_without_failure().await;
    gateway.upload("mine", Guest::always(0, 1)).await;
}

/// Whether the code of a component is kept. Gateways of other tests keep theirs
/// in the same folder.
fn is_compiled(gateway: &Gateway, component: &[u8]) -> bool {
    let digest = format!("{:x}", Sha256::digest(component));
    let folder = std::fs::read_dir(gateway.path("data/cache")).expect("it is there");
    let mut names = folder.map(|file| file.expect("a file").file_name());
    names.any(|name| name.to_string_lossy().starts_with(&digest))
}

#[tokio::test]
async fn what_is_refused_or_deleted_leaves_no_code_behind() {
    let (gateway, _a) = gateway().await;
    // Components that no other test has.
    let trap = Guest::balancer("(drop (i32.const 4711)) (unreachable)").build();
    let answer = post(&gateway, "name=mine", trap.clone()).await;
    assert_eq!(answer.status(), 422, "{}", answer.text());
    assert!(!is_compiled(&gateway, &trap));
    let good = Guest::always(0, 4711);
    gateway.upload("mine", good.clone()).await;
    assert!(is_compiled(&gateway, &good));
    gateway
        .change("DELETE", "/api/plugins/mine", Value::Null)
        .await;
    assert!(!is_compiled(&gateway, &good));
}

/// Begin an upload that is compiled for long, and wait until it is.
async fn begin_long_upload(gateway: &Gateway) -> Wire {
    let component = Guest::too_laborious().build();
    let stream = TcpStream::connect(gateway.admin_address()).await;
    let mut wire = Wire::new(stream.expect("it accepts"));
    wire.send(head(gateway, component.len())).await;
    wire.send(component).await;
    eventually("it is compiled", async || is_compiling(gateway).await).await;
    wire
}

async fn is_compiling(gateway: &Gateway) -> bool {
    let plugins = gateway.api("/api/plugins").await;
    plugins["uploads"][0]["state"] == "compiling"
}

#[tokio::test]
async fn a_change_does_not_wait_for_what_somebody_uploads() {
    let a = Upstream::named("a").await;
    let pool = Pool::of(&[&a]).with("balancer", "\"mine\"");
    let builder = Builder::new().plugin("mine", Guest::always(0, 1));
    let gateway = builder.pool(pool).start().await;
    let version = async || gateway.api("/api/bindings/web/balancer").await["version"].take();
    let before = version().await;
    let _upload = begin_long_upload(&gateway).await;
    // It has to be compiled, too.
    gateway.put("mine.wasm", Guest::always(0, 2));
    eventually("another version decides", async || {
        version().await != before
    })
    .await;
    assert!(is_compiling(&gateway).await);
}

#[tokio::test]
async fn the_compiler_ends_with_the_gateway() {
    let (gateway, _a) = gateway().await;
    let _upload = begin_long_upload(&gateway).await;
    eventually("there is a compiler", async || {
        !gateway.children().is_empty()
    })
    .await;
    let compilers = gateway.children();
    gateway.kill();
    eventually("it has ended", async || {
        compilers.iter().all(|compiler| !runs(*compiler))
    })
    .await;
}

#[tokio::test]
async fn a_full_disk_refuses_an_upload_and_leaves_nothing_of_it() {
    let (gateway, _a) = gateway().await;
    let component = Guest::always(0, 1);
    gateway.limit_files(Some(0));
    let answer = post(&gateway, "name=mine", component.clone()).await;
    assert_eq!(answer.status(), 507, "{answer:?}");
    assert_eq!(answer.json()["error"]["code"], "not_kept");
    assert_eq!(gateway.get("/").await.text(), "a", "traffic goes on");
    gateway.limit_files(None);
    assert_eq!(kept(&gateway), 0);
    assert_eq!(
        gateway.call("GET", "/api/plugins/mine").refused(404).await["code"],
        "not_found"
    );
    gateway.upload("mine", component).await;
    assert_eq!(kept(&gateway), 1);
}

/// The head of an upload that says how long its body is.
fn head(gateway: &Gateway, length: usize) -> String {
    let host = gateway.admin_address();
    format!(
        "POST /api/plugins?name=mine HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/wasm\r\n\
         content-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let (gateway, _a) = gateway().await;
    let stream = TcpStream::connect(gateway.admin_address()).await;
    let mut wire = Wire::new(stream.expect("it accepts"));
    wire.send(head(&gateway, (64 << 20) + 1)).await;
    let answer = wire.response().await;
    assert_eq!(answer.status(), 413);
    assert_eq!(answer.json()["error"]["code"], "body_too_large");
}

#[tokio::test]
async fn an_upload_that_is_cut_off_leaves_nothing() {
    let (gateway, _a) = gateway().await;
    let component = Guest::always(0, 1);
    let stream = TcpStream::connect(gateway.admin_address()).await;
    let mut wire = Wire::new(stream.expect("it accepts"));
    wire.send(head(&gateway, component.len())).await;
    wire.send(&component[..component.len() / 2]).await;
    drop(wire);
    let call = gateway.call("GET", "/api/plugins/mine");
    assert_eq!(call.refused(404).await["code"], "not_found");
    assert_eq!(kept(&gateway), 0);
    assert_eq!(gateway.api("/api/plugins").await["uploads"], json!([]));
}

#[tokio::test]
async fn uploads_that_come_in_slowly_are_not_more_than_may_wait() {
    let (gateway, _a) = gateway().await;
    let component = Guest::always(0, 1);
    let asking =
        head(&gateway, component.len()).replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
    let mut slow = Vec::new();
    for _ in 0..16 {
        let stream = TcpStream::connect(gateway.admin_address()).await;
        let mut wire = Wire::new(stream.expect("it accepts"));
        wire.send(&asking).await;
        // Who has a place is told to go on.
        let told = wire.head().await.expect("an interim response");
        assert!(told.starts_with("HTTP/1.1 100"), "{told}");
        slow.push(wire);
    }
    let answer = post(&gateway, "name=mine", component.clone()).await;
    assert_eq!(answer.status(), 429);
    drop(slow);
    eventually("there are places again", async || {
        post(&gateway, "name=mine", component.clone())
            .await
            .status()
            != 429
    })
    .await;
}

#[tokio::test]
async fn ten_uploads_at_once_are_all_taken_while_the_api_answers() {
    let (gateway, _a) = gateway().await;
    let gateway = Arc::new(gateway);
    let uploads = (0..10).map(|build| {
        let gateway = Arc::clone(&gateway);
        async move { post(&gateway, "name=mine", Guest::always(0, build)).await }
    });
    let uploads: JoinSet<_> = uploads.collect();
    eventually("all are there", async || {
        let plugin = gateway.admin("/api/plugins/mine").await.json();
        plugin["data"]["versionCount"] == 10
    })
    .await;
    let answers = uploads.join_all().await;
    assert!(answers.iter().all(|answer| answer.status() == 201));
    assert_eq!(versions(&gateway, "mine").await.len(), 10);
}

#[tokio::test]
async fn versions_outlive_a_restart_and_what_is_none_is_cleared_away() {
    let (mut gateway, _a) = gateway().await;
    let digest = gateway.upload("mine", Guest::always(0, 1)).await;
    let before = gateway.api("/api/plugins/mine").await;
    gateway.kill();
    let stray = format!("data/plugins/{}.wasm", "ab".repeat(32));
    gateway.put(&stray, "left by an upload that was not finished");
    gateway.put(&format!("data/plugins/{digest}.1-2.part"), "half of it");
    gateway.restart().await;
    assert_eq!(gateway.api("/api/plugins/mine").await, before);
    assert_eq!(kept(&gateway), 1);
}

#[tokio::test]
async fn what_is_bound_is_not_deleted() {
    let (gateway, _a) = gateway().await;
    let first = gateway.upload("mine", Guest::always(0, 1)).await;
    let second = gateway.upload("mine", Guest::always(0, 2)).await;
    let binding = json!({ "plugin": "mine", "canary": { "version": second, "percent": 5 } });
    gateway
        .change("PUT", "/api/bindings/web/balancer", binding)
        .await;
    let path = |version: &str| format!("/api/plugins/mine/versions/{version}");
    for bound in [path(&first), path(&second), "/api/plugins/mine".to_owned()] {
        let refused = gateway.call("DELETE", &bound).refused(409).await;
        let message = refused["message"].as_str().expect("a sentence");
        assert!(message.contains("web/balancer"), "{message}");
    }
    let unbound = json!({ "plugin": "round-robin" });
    gateway
        .change("PUT", "/api/bindings/web/balancer", unbound)
        .await;
    gateway.change("DELETE", &path(&first), Value::Null).await;
    assert_eq!(versions(&gateway, "mine").await, [second]);
    let plugin = gateway.api("/api/plugins/mine").await;
    assert_eq!(plugin["version"], plugin["versions"][0]["version"]);
    gateway
        .change("DELETE", "/api/plugins/mine", Value::Null)
        .await;
    let call = gateway.call("GET", "/api/plugins/mine");
    assert_eq!(call.refused(404).await["code"], "not_found");
    assert_eq!(kept(&gateway), 0);
}

#[tokio::test]
async fn what_the_api_does_not_own_stays() {
    let a = Upstream::named("a").await;
    let pool = Pool::of(&[&a]).with("balancer", "\"mine\"");
    let builder = Builder::new().plugin("mine", Guest::always(0, 1));
    let gateway = builder.pool(pool).start().await;
    let weighted = gateway.api("/api/plugins/weighted").await["version"].clone();
    let built_in = format!(
        "/api/plugins/weighted/versions/{}",
        weighted.as_str().expect("one")
    );
    for path in ["/api/plugins/weighted", "/api/plugins/mine", &built_in] {
        let refused = gateway.call("DELETE", path).refused(409).await;
        assert_eq!(refused["code"], "conflict", "{path}");
    }
    let other = gateway.upload("mine", Guest::always(0, 2)).await;
    let path = format!("/api/plugins/mine/versions/{other}");
    gateway.change("DELETE", &path, Value::Null).await;
    let mine = gateway.api("/api/plugins/mine").await;
    assert_eq!(mine["source"], "file");
    assert_eq!(mine["versions"][0]["source"], "file");
}

#[tokio::test]
async fn who_only_operates_may_look_and_not_deploy() {
    let (gateway, _a) = gateway().await;
    let make = |role: &str| json!({ "name": role, "role": role });
    let call = gateway.call("POST", "/api/tokens").json(&make("deploy"));
    let deploy = call.send().await.json()["data"]["token"].clone();
    let deploy = deploy.as_str().expect("a token");
    let call = gateway.call("POST", "/api/tokens").token(deploy);
    let operate = call.json(&make("operate")).send().await.json()["data"]["token"].clone();
    let operate = operate.as_str().expect("a token");
    let upload = |token: &str| {
        let call = gateway.call("POST", "/api/plugins?name=mine").token(token);
        call.component(Guest::always(0, 1))
    };
    assert_eq!(upload(operate).refused(403).await["code"], "forbidden");
    assert_eq!(upload(deploy).send().await.status(), 201);
    // Nor may it come into force by another name of the same.
    let wanted = json!({ "algorithm": "mine" });
    for path in ["/api/algorithm", "/api/config"] {
        let put = |token: &str| gateway.call("PUT", path).token(token).json(&wanted);
        assert_eq!(put(operate).refused(403).await["code"], "forbidden");
        let other = json!({ "algorithm": "ip_hash" });
        let call = gateway.call("PUT", path).token(operate).json(&other);
        assert_eq!(call.send().await.status(), 200, "{path}");
        assert_eq!(put(deploy).send().await.status(), 200, "{path}");
    }
    let bind = gateway
        .call("PUT", "/api/bindings/web/balancer")
        .token(operate);
    let bind = bind.json(&json!({ "plugin": "weighted" }));
    assert_eq!(bind.refused(403).await["code"], "forbidden");
    let look = gateway.call("GET", "/api/plugins").token(operate);
    assert_eq!(look.send().await.status(), 200);
    let taken = upload(deploy).send().await;
    assert_eq!(taken.json()["data"]["uploader"], "deploy");
}

#[tokio::test]
async fn a_plugin_s_log_and_figures_are_shown() {
    let a = Upstream::named("a").await;
    // On a busy machine a trap may take longer than the default deadline.
    let balancer = "{ plugin = \"mine\", deadline = \"1s\" }";
    let pool = Pool::of(&[&a]).with("balancer", balancer);
    let component = Guest::balancer_that(misdeeds::TRAP).build();
    let builder = Builder::new().plugin("mine", component);
    let gateway = builder.pool(pool).start().await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/").await.text(), "a");
    }
    let log = gateway.api("/api/plugins/mine/logs?limit=2").await;
    let entries = log["entries"].as_array().expect("entries");
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[1]["level"], "error");
    assert_eq!(entries[1]["binding"], "web/balancer");
    let message = entries[1]["message"].as_str().expect("words");
    assert!(message.contains("trapped"), "{message}");
    assert_eq!(log["dropped"], 0);
    let stats = gateway.api("/api/plugins/mine/stats").await;
    let active = &stats["bindings"][0];
    assert_eq!(active["part"], "active");
    assert_eq!(active["decisions"], 3);
    assert_eq!(active["faults"]["trapped"], 3);
    assert_eq!(active["fallbacks"], 3);
}

#[tokio::test]
async fn what_a_component_says_of_itself_is_shown_and_names_it() {
    let (gateway, _a) = gateway().await;
    let component = calling_itself("near", "1.2.0", &Guest::always(0, 1));
    let answer = post(&gateway, "", component.clone()).await;
    assert_eq!(answer.status(), 201, "{}", answer.text());
    let uploaded = &answer.json()["data"];
    assert_eq!(uploaded["name"], "near");
    let about = &uploaded["about"];
    assert_eq!(about["version"], "1.2.0");
    assert_eq!(about["homepage"], "https://plugins.example/");
    assert_eq!(about["authors"], Value::Null);
    post(&gateway, "name=other", component).await;
    for plugin in ["near", "other"] {
        let plugin = gateway.api(&format!("/api/plugins/{plugin}")).await;
        assert_eq!(plugin["about"], *about, "{plugin}");
        assert_eq!(plugin["versions"][0]["about"], *about, "{plugin}");
    }
    let bad = calling_itself("no name", "1", &Guest::always(0, 2));
    let call = gateway.call("POST", "/api/plugins").component(bad);
    assert_eq!(call.refused(422).await["code"], "invalid");
    let weighted = gateway.api("/api/plugins/weighted").await;
    assert_eq!(weighted["about"]["name"], Value::Null);
}
