//! Components that may take the direct lane, and those that only look so.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::{VERSION, digest, main_module};
use crate::defaults::defaults;

/// A response policy that is honest about what it is.
const HONEST: &str = r#"(component
    (import "gatewright:plugin/load@0.1.0" (instance $load
        (export "active" (func (param "slot" u32) (result u32)))
        (export "response-time" (func (param "slot" u32) (result u32)))))
    (core module $main
        (import "gatewright:plugin/load@0.1.0" "active" (func (param i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8))
        (func (export "another") (param i32))
        (func (export "gatewright:plugin/finishing@0.1.0#finish") (param i32)))
    (core module $second)
    (core func $given (canon lower (func $load "active")))
    (core instance $load_given (export "active" (func $given)))
    (core instance $it (instantiate $main
        (with "gatewright:plugin/load@0.1.0" (instance $load_given))))
    (func $finish (param "status" u16)
        (canon lift (core func $it "gatewright:plugin/finishing@0.1.0#finish")))
    (instance $finishing (export "finish" (func $finish)))
    (export "gatewright:plugin/finishing@0.1.0" (instance $finishing)))"#;

fn parsed(text: &str) -> Vec<u8> {
    let component = wat::parse_str(text).unwrap();
    let valid = wasmparser::Validator::new().validate_all(&component);
    valid
        .map(drop)
        .unwrap_or_else(|error| panic!("{error}: {text}"));
    component
}

/// A component that differs from the honest one in one place takes the other
/// lane.
#[track_caller]
fn is_not_taken(honest: &str, lie: &str) {
    assert!(HONEST.contains(honest), "there is no {honest}");
    let component = parsed(&HONEST.replacen(honest, lie, 1));
    assert!(main_module(&component).is_none());
}

#[test]
fn the_default_plugins_are_their_main_modules() {
    for plugin in defaults() {
        let main = main_module(plugin.component);
        let main = main.unwrap_or_else(|| panic!("{} is not", plugin.name));
        assert!(main.starts_with(b"\0asm\x01\0\0\0"));
    }
}

#[test]
fn a_component_by_hand_is_its_main_module() {
    let component = parsed(HONEST);
    assert!(main_module(&component).unwrap().starts_with(b"\0asm"));
}

#[test]
fn another_function_behind_an_imports_name_is_noticed() {
    is_not_taken(
        r#"(canon lower (func $load "active"))"#,
        r#"(canon lower (func $load "response-time"))"#,
    );
}

#[test]
fn another_interface_behind_an_imports_name_is_noticed() {
    is_not_taken(
        r#"(import "gatewright:plugin/load@0.1.0" (instance $load"#,
        r#"(import "gatewright:plugin/lode@0.1.0" (instance $load"#,
    );
}

#[test]
fn another_function_behind_an_exports_name_is_noticed() {
    is_not_taken(
        r#"(core func $it "gatewright:plugin/finishing@0.1.0#finish")"#,
        r#"(core func $it "another")"#,
    );
    is_not_taken(r#"(export "finish" (func"#, r#"(export "start" (func"#);
}

#[test]
fn exports_beyond_the_contract_are_noticed() {
    is_not_taken(
        r#"(export "gatewright:plugin/finishing@0.1.0" (instance"#,
        r#"(export "gatewright:plugin/finishing@0.1.1" (instance"#,
    );
    is_not_taken(
        "(instance $finishing (export",
        "(export \"more\" (func $finish)) (instance $finishing (export",
    );
}

#[test]
fn a_module_that_acts_while_it_is_instantiated_is_noticed() {
    is_not_taken(
        "(memory (export",
        "(func $begin) (start $begin) (memory (export",
    );
}

#[test]
fn an_initializer_that_nobody_calls_is_noticed() {
    is_not_taken(
        "(memory (export",
        "(func (export \"_initialize\")) (memory (export",
    );
}

#[test]
fn a_second_module_that_does_anything_is_noticed() {
    is_not_taken(
        "(core module $second)",
        "(core module $second (func $begin) (start $begin)) (core instance (instantiate $second))",
    );
    is_not_taken(
        "(func $finish (param",
        "(core instance (instantiate $main (with \"gatewright:plugin/load@0.1.0\" (instance $load_given))))
        (func $finish (param",
    );
}

#[test]
fn a_post_return_that_is_not_told_of_is_noticed() {
    is_not_taken(
        "(memory (export",
        "(func (export \"cabi_post_gatewright:plugin/finishing@0.1.0#finish\")) (memory (export",
    );
}

#[test]
fn another_memory_than_the_plain_one_is_noticed() {
    is_not_taken(
        "(memory (export \"memory\") 1)",
        "(memory (export \"heap\") 1)",
    );
    is_not_taken(
        "(memory (export \"memory\") 1)",
        "(memory (export \"memory\") i64 1)",
    );
}

#[test]
fn another_encoding_is_noticed() {
    let lift = "#finish\")))";
    is_not_taken(lift, "#finish\") string-encoding=utf16))");
}

#[test]
fn the_version_is_made_of_every_file_of_the_recogniser() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/direct/recognise");
    let files = fs::read_dir(&folder).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|file| !file.ends_with("tests.rs"));
    files.sort();
    files.push(folder.join("../names.rs"));
    let files: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let files: Vec<_> = files.iter().map(Vec::as_slice).collect();
    assert_eq!(digest(&files), VERSION);
}

proptest! {
    /// Whatever is done to a component's bytes, there is an answer, and it is
    /// a part of them.
    #[test]
    fn damaged_components_are_no_danger(
        which in 0..defaults().len(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        near_the_end in any::<bool>(),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = defaults()[which].component.to_vec();
        // The wiring is at the end, behind a main module of many kilobytes.
        let from = if near_the_end { bytes.len().saturating_sub(4096) } else { 0 };
        for (at, byte) in damage {
            let at = from + at.index(bytes.len() - from);
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Some(main) = main_module(&bytes) {
            prop_assert!(bytes.as_ptr_range().contains(&main.as_ptr()));
        }
    }
}
