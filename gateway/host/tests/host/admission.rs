//! What is not let in, and what is said about it.

use wit_parser::Resolve;

use crate::support::{FRAME, MINE, Rig, balancer, component, config, encode, picking};

/// What is said about a component as the balancer `mine`.
fn refusal(component: &[u8]) -> String {
    let mut rig = Rig::new();
    rig.place("mine", component);
    let error = rig.take(&config(MINE, 3)).unwrap_err();
    error.to_string()
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn a_core_module_is_told_how_to_become_a_component() {
    let message = refusal(&wat::parse_str("(module)").unwrap());
    let seat = "pools.web.balancer: plugin \"mine\"";
    assert_says(&message, &[seat, "core module", "wasm-component-ld"]);
}

#[test]
fn what_is_not_webassembly_is_said_so() {
    assert_says(&refusal(b"#!/bin/sh"), &["not WebAssembly"]);
    assert_says(&refusal(b"(component)"), &["text format"]);
}

#[test]
fn a_damaged_component_is_refused() {
    let mut component = picking("(i32.const 0)");
    component.truncate(component.len() / 2);
    let message = refusal(&component);
    assert_says(&message, &["cannot be compiled", "is the build finished?"]);
    assert_says(&message, &["mine.wasm: "]);
}

#[test]
fn another_world_is_named_beside_the_one_that_is_needed() {
    let policy = r#"
        (func (export "gatewright:plugin/screening@0.1.0#configure") (param i32 i32) (result i32)
            (i32.const 64))
        (func (export "gatewright:plugin/screening@0.1.0#check")
            (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 64))"#;
    let message = refusal(&component(
        &[],
        &["screening"],
        &format!("(module {FRAME} {policy})"),
    ));
    let needed = "gatewright:plugin/balancing@0.1.0 or gatewright:plugin/scanning@0.1.0";
    assert_says(
        &message,
        &[
            "it is a request-policy and cannot be a balancer",
            needed,
            "exports gatewright:plugin/screening",
        ],
    );
}

#[test]
fn an_import_without_its_grant_names_the_line_to_write() {
    let draws = r#"(import "gatewright:plugin/random@0.1.0" "next" (func $next (result i64)))"#;
    let functions = balancer("(drop (call $next)) (i32.const 0)");
    let drawing = component(
        &["random"],
        &["balancing"],
        &format!("(module {draws} {FRAME} {functions})"),
    );
    assert_says(
        &refusal(&drawing),
        &["\"random\"", "grants = [\"random\"]", "[plugins.mine]"],
    );
    let mut rig = Rig::new();
    rig.place("mine", &drawing);
    let granted = |grants: &str| {
        let grants = format!("mine.wasm\"\ngrants = [{grants}]");
        config(MINE, 3).replace("mine.wasm\"", &grants)
    };
    // What it may have already stays.
    let refused = rig.take(&granted("\"clock\"")).unwrap_err().to_string();
    assert_says(&refused, &["grants = [\"clock\", \"random\"]"]);
    rig.take(&granted("\"random\"")).unwrap();
    assert!(rig.pick(1).is_ok());
}

#[test]
fn wasi_is_named_with_what_to_do_about_it() {
    let component = r#"(component (import "wasi:cli/stdout@0.2.0" (instance)))"#;
    let message = refusal(&wat::parse_str(component).unwrap());
    assert_says(&message, &["wasi:cli/stdout@0.2.0", "--stub-wasi"]);
}

#[test]
fn imports_beyond_the_contract_are_named() {
    let component = r#"(component (import "gatewright:plugin/files@0.1.0" (instance)))"#;
    let message = refusal(&wat::parse_str(component).unwrap());
    assert_says(
        &message,
        &["gatewright:plugin/files@0.1.0", "it offers", "request"],
    );
    let component = r#"(component (import "gatewright:plugin/log@0.2.0" (instance)))"#;
    let message = refusal(&wat::parse_str(component).unwrap());
    assert_says(&message, &["version 0.2.0", "speaks 0.1.0"]);
}

#[test]
fn a_function_of_another_type_is_named() {
    let package = "package gatewright:plugin@0.1.0;
        interface balancing {
            configure: func(config: string);
            update: func(endpoints: list<u32>);
            eligible: func(slots: list<u32>);
            pick: func(key: u64) -> u32;
        }
        world plugin { export balancing; }";
    let functions = r#"
        (func (export "gatewright:plugin/balancing@0.1.0#configure") (param i32 i32))
        (func (export "gatewright:plugin/balancing@0.1.0#update") (param i32 i32))
        (func (export "gatewright:plugin/balancing@0.1.0#eligible") (param i32 i32))
        (func (export "gatewright:plugin/balancing@0.1.0#pick") (param i64) (result i32) i32.const 0)"#;
    let component = encode(
        Resolve::default(),
        package,
        &format!("(module {FRAME} {functions})"),
    );
    assert_says(
        &refusal(&component),
        &["another type than the contract says"],
    );
}

#[test]
fn a_missing_function_is_named() {
    let package = "package gatewright:plugin@0.1.0;
        interface balancing { eligible: func(slots: list<u32>); }
        world plugin { export balancing; }";
    let functions =
        r#"(func (export "gatewright:plugin/balancing@0.1.0#eligible") (param i32 i32))"#;
    let component = encode(
        Resolve::default(),
        package,
        &format!("(module {FRAME} {functions})"),
    );
    assert_says(
        &refusal(&component),
        &["does not fit the contract", "configure"],
    );
}

#[test]
fn a_configuration_error_names_its_key() {
    // An error-config record: key "hosts[1]", reason "is empty".
    let functions = balancer("(i32.const 0)").replace("(i32.const 64))", "(i32.const 200))");
    let data = r#"
        (data (i32.const 200) "\01\00\00\00\2c\01\00\00\08\00\00\00\34\01\00\00\08\00\00\00")
        (data (i32.const 300) "hosts[1]is empty")"#;
    let core = format!("(module {FRAME} {functions} {data})");
    let message = refusal(&component(&[], &["balancing"], &core));
    assert_says(&message, &["config.hosts[1]: is empty"]);
}

#[test]
fn four_gigabytes_declared_are_not_given() {
    let core = format!("(module {FRAME} {})", balancer("(i32.const 0)"));
    let core = core.replace(
        "(memory (export \"memory\") 16)",
        "(memory (export \"memory\") 65536)",
    );
    let message = refusal(&component(&[], &["balancing"], &core));
    assert_says(&message, &["out of memory", "`start`"]);
}

#[test]
fn a_huge_table_is_not_given() {
    let core = format!(
        "(module (table 50000000 funcref) {FRAME} {})",
        balancer("(i32.const 0)")
    );
    let message = refusal(&component(&[], &["balancing"], &core));
    assert_says(&message, &["out of memory", "`start`"]);
}

#[test]
fn a_start_function_that_loops_is_stopped() {
    let start = "(func $forever (loop $on (br $on))) (start $forever)";
    let core = format!("(module {FRAME} {start} {})", balancer("(i32.const 0)"));
    let message = refusal(&component(&[], &["balancing"], &core));
    assert_says(&message, &["did not answer in time", "`start`"]);
}

#[test]
fn a_plugin_that_traps_in_its_trial_is_not_seated() {
    assert_says(
        &refusal(&picking("unreachable")),
        &["in a trial", "trapped", "unreachable"],
    );
    assert_says(
        &refusal(&picking("(i32.const 3)")),
        &["in a trial", "there is no slot 3"],
    );
}

#[test]
fn a_refused_change_leaves_everything_as_it_was() {
    let mut rig = Rig::balanced_by(&picking("(i32.const 2)"));
    rig.place("mine", b"not a component");
    assert!(rig.retake().is_err());
    assert_eq!(rig.pick(1).unwrap().map(|slot| slot.0), Some(2));
}

#[test]
fn a_file_that_is_gone_is_named() {
    let mut rig = Rig::balanced_by(&picking("(i32.const 2)"));
    rig.remove("mine");
    let error = rig.retake().unwrap_err();
    assert_says(&error.to_string(), &["cannot read", "mine.wasm"]);
    assert!(rig.pick(1).is_ok());
}
