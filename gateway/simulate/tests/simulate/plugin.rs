//! Balancers made of a few lines of core WebAssembly.

use std::fs;
use std::path::Path;

use gatewright_simulate::{Outcome, Policy, simulate_one};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::support::{scenario, workshop};

/// What every one of them has: memory, an allocator that never frees, and from
/// address 64 on zeros, which mean "ok" as any result. `$pick` is to be added: it
/// gets the key and leaves a slot.
const FRAME: &str = r#"
    (memory (export "memory") 16)
    (global $free (mut i32) (i32.const 4096))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (local $at i32)
        (local.set $at (global.get $free))
        (global.set $free
            (i32.and (i32.add (i32.add (local.get $at) (local.get 3)) (i32.const 7)) (i32.const -8)))
        (local.get $at))
    (func (export "gatewright:plugin/balancing@0.1.0#configure") (param i32 i32) (result i32)
        (i32.const 64))
    (func (export "gatewright:plugin/balancing@0.1.0#update") (param i32 i32))
    (func (export "gatewright:plugin/balancing@0.1.0#eligible") (param i32 i32))
    (func (export "gatewright:plugin/balancing@0.1.0#pick") (param $key i64) (result i32)
        (i32.store8 (i32.const 0) (i32.const 1))
        (i32.store (i32.const 4) (call $pick (local.get $key)))
        (i32.const 0))
"#;

/// A balancer that imports these interfaces of the contract, with these imports
/// and this `$pick`.
fn component(interfaces: &[&str], imports: &str, pick: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    resolve.push_dir(&contract).unwrap();
    let imported = interfaces
        .iter()
        .map(|name| format!("import gatewright:plugin/{name}@0.1.0;\n"));
    let imported: String = imported.collect();
    let world = format!(
        "package test:plugin;\nworld plugin {{\n{imported}export gatewright:plugin/balancing@0.1.0;\n}}\n"
    );
    let package = resolve.push_str("plugin.wit", &world).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    let core =
        format!("(module {imports} {FRAME} (func $pick (param $key i64) (result i32) {pick}))");
    let mut module = wat::parse_str(core).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module).unwrap().encode().unwrap()
}

/// What such a balancer comes to in the lines of a scenario.
pub(crate) fn run_plugin(interfaces: &[&str], imports: &str, pick: &str, text: &str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.wasm");
    fs::write(&file, component(interfaces, imports, pick)).unwrap();
    let policy = Policy {
        file: Some(file.display().to_string()),
        ..Policy::named("mine")
    };
    let outcome = simulate_one(&scenario(text), &policy, 1, &workshop(), &mut |_| {});
    outcome.unwrap_or_else(|error| panic!("{error}"))
}
