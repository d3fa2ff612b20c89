//! Plugins that are replaced, and plugins that misbehave, under a running
//! gateway.

use std::fs;
use std::path::Path;

use gatewright_control::{Gateway, Happened, PluginState};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::support::{Folder, Server, balancer, eventually, pool, visit};

/// A balancer that traps at every pick unless it has three servers, as many as
/// a trial has.
const TRAPS: &str = r#"(module
    (memory (export "memory") 16)
    (global $free (mut i32) (i32.const 4096))
    (global $members (mut i32) (i32.const 0))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (local $at i32)
        (local.set $at (global.get $free))
        (global.set $free
            (i32.and (i32.add (i32.add (local.get $at) (local.get 3)) (i32.const 7)) (i32.const -8)))
        (local.get $at))
    (func (export "gatewright:plugin/balancing@0.1.0#configure") (param i32 i32) (result i32)
        (i32.const 64))
    (func (export "gatewright:plugin/balancing@0.1.0#update") (param i32 i32)
        (global.set $members (local.get 1)))
    (func (export "gatewright:plugin/balancing@0.1.0#eligible") (param i32 i32))
    (func (export "gatewright:plugin/balancing@0.1.0#pick") (param i64) (result i32)
        (if (i32.ne (global.get $members) (i32.const 3)) (then unreachable))
        (i32.const 64)))"#;

/// The component of a core module that balances.
fn component(core: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    resolve.push_dir(&contract).unwrap();
    let world =
        "package test:plugin;\nworld plugin { export gatewright:plugin/balancing@0.1.0; }\n";
    let package = resolve.push_str("plugin.wit", world).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    let mut module = wat::parse_str(core).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module).unwrap().encode().unwrap()
}

/// A gateway whose balancer is the file `mine.wasm`, which begins as
/// round-robin.
async fn balanced_by_file(folder: &Folder, servers: &[&Server]) -> Gateway {
    folder.write("mine.wasm", Folder::default_plugin("round-robin"));
    let plugin = "[plugins.mine]\nfile = \"mine.wasm\"\n";
    folder.configure(&format!("{}{plugin}", pool(servers, "balancer = \"mine\"")));
    folder.start(true).await
}

#[tokio::test]
async fn a_component_that_is_copied_over_decides_without_a_failed_request() {
    let (one, two) = (Server::start("one").await, Server::start("two").await);
    let folder = Folder::new();
    let gateway = balanced_by_file(&folder, &[&one, &two]).await;
    let before = balancer(&gateway).version;
    folder.write("mine.wasm", Folder::default_plugin("least-connections"));
    let after = eventually("a new version that decides", async || {
        visit(&gateway).await;
        let now = balancer(&gateway);
        (now.version != before && now.decisions > 0).then_some(now)
    })
    .await;
    assert_eq!(after.state, PluginState::Active);
    assert_eq!(after.faults.total(), 0);
}

#[tokio::test]
async fn half_a_component_changes_nothing_and_the_whole_one_is_taken() {
    let server = Server::start("one").await;
    let folder = Folder::new();
    let gateway = balanced_by_file(&folder, &[&server]).await;
    let before = balancer(&gateway).version;
    let next = Folder::default_plugin("least-connections");
    folder.write("mine.wasm", &next[..next.len() / 2]);
    let reason = eventually("a refusal", async || {
        visit(&gateway).await;
        let events = gateway.events().into_iter();
        let mut refused = events.filter_map(|event| match event.happened {
            Happened::Refused(reason) => Some(reason),
            _ => None,
        });
        refused.next()
    })
    .await;
    assert!(
        reason.contains("pools.web.balancer: plugin \"mine\""),
        "{reason}"
    );
    assert_eq!(balancer(&gateway).version, before);
    folder.write("mine.wasm", &next);
    eventually("the whole version", async || {
        visit(&gateway).await;
        (balancer(&gateway).version != before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_touched_component_is_no_change() {
    let server = Server::start("one").await;
    let folder = Folder::new();
    let gateway = balanced_by_file(&folder, &[&server]).await;
    folder.write("mine.wasm~", fs::read(folder.path("mine.wasm")).unwrap());
    fs::rename(folder.path("mine.wasm~"), folder.path("mine.wasm")).unwrap();
    let noticed = eventually("that it is noticed", async || {
        let mut events = gateway.events().into_iter();
        events.find(|event| matches!(event.happened, Happened::Reloaded(_)))
    })
    .await;
    assert_eq!(noticed.to_string(), "nothing to change; generation 1 stays");
}

#[tokio::test]
async fn a_quarantined_version_gives_way_to_the_one_before_it_without_a_failed_request() {
    let (one, two) = (Server::start("one").await, Server::start("two").await);
    let folder = Folder::new();
    let gateway = balanced_by_file(&folder, &[&one, &two]).await;
    let good = balancer(&gateway).version;
    folder.write("mine.wasm", component(TRAPS));
    eventually("faults", async || {
        visit(&gateway).await;
        let events = gateway.events();
        events
            .iter()
            .any(|event| matches!(event.happened, Happened::Plugin(_)))
            .then_some(())
    })
    .await;
    let now = eventually("the version before it", async || {
        visit(&gateway).await;
        let now = balancer(&gateway);
        (now.version == good && now.decisions > 0).then_some(now)
    })
    .await;
    assert_eq!(now.state, PluginState::StandingIn);
}
