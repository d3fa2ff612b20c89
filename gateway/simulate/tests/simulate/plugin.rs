//! Balancers made of a few lines of core WebAssembly.

use std::fs;
use std::path::Path;

use gatewright_simulate::{Outcome, Policy, simulate_one};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::support::{scenario, workshop};

/// A balancer of the contract.
#[derive(Clone, Copy, Default)]
pub(crate) struct Plugin<'a> {
    /// The interfaces that it imports, and the imports themselves.
    pub(crate) interfaces: &'a [&'a str],
    pub(crate) imports: &'a str,
    /// What it does when it hears of servers: the body of a function.
    pub(crate) update: &'a str,
    /// How it picks: the body of a function that gets `$key` and leaves a slot.
    pub(crate) pick: &'a str,
}

/// What every one of them has: memory, an allocator that never frees, and from
/// address 64 on zeros, which mean "ok" as any result.
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
    (func (export "gatewright:plugin/balancing@0.1.0#update") (param i32 i32)
        (call $update))
    (func (export "gatewright:plugin/balancing@0.1.0#eligible") (param i32 i32))
    (func (export "gatewright:plugin/balancing@0.1.0#pick") (param $key i64) (result i32)
        (i32.store8 (i32.const 0) (i32.const 1))
        (i32.store (i32.const 4) (call $pick (local.get $key)))
        (i32.const 0))
"#;

impl Plugin<'_> {
    fn component(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        resolve.push_dir(&contract).unwrap();
        let import = |name: &&str| format!("import gatewright:plugin/{name}@0.1.0;\n");
        let imported: String = self.interfaces.iter().map(import).collect();
        let world = format!(
            "package test:plugin;\nworld plugin {{\n{imported}export gatewright:plugin/balancing@0.1.0;\n}}\n"
        );
        let package = resolve.push_str("plugin.wit", &world).unwrap();
        let world = resolve.select_world(&[package], Some("plugin")).unwrap();
        let (imports, update, pick) = (self.imports, self.update, self.pick);
        let core = format!(
            "(module {imports} {FRAME} (func $update {update}) \
             (func $pick (param $key i64) (result i32) {pick}))"
        );
        let mut module = wat::parse_str(core).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        let mut encoder = ComponentEncoder::default();
        encoder.module(&module).unwrap().encode().unwrap()
    }

    /// What it comes to in the lines of a scenario.
    pub(crate) fn run(&self, text: &str) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.wasm");
        fs::write(&file, self.component()).unwrap();
        let policy = Policy {
            file: Some(file.display().to_string()),
            ..Policy::named("mine")
        };
        let outcome = simulate_one(&scenario(text), &policy, 1, &workshop(), &mut |_| {});
        outcome.unwrap_or_else(|error| panic!("{error}"))
    }
}
