//! Components of other shapes than a main module that is what its names say:
//! none takes the direct lane, and each runs as what it is.

use wit_component::{ComponentEncoder, StringEncoding};

use crate::support::{FRAME, Rig, balancer, component, contract, embedded};

/// Whether a balancer takes the direct lane, and its first three picks.
fn seated(component: &[u8]) -> (bool, [u32; 3]) {
    let mut rig = Rig::balanced_by(component);
    let picks = [0, 1, 2].map(|key| rig.pick(key).unwrap().unwrap().0);
    (rig.balancer().binding().is_direct(), picks)
}

/// A component with a few places of its text changed, as no tool would write it.
#[track_caller]
fn edited(component: &[u8], edits: &[(&str, &str)]) -> Vec<u8> {
    let mut text = wasmprinter::print_bytes(component).unwrap();
    for (from, to) in edits {
        assert!(text.contains(from), "{from} is not in {text}");
        text = text.replacen(from, to, 1);
    }
    wat::parse_str(text).unwrap()
}

/// A component of one module takes the direct lane, and still does when it has
/// only been printed and read again; with an edit it does not.
#[track_caller]
fn is_noticed(component: &[u8], picks: [u32; 3], edits: &[(&str, &str)], then: [u32; 3]) {
    assert_eq!(seated(component), (true, picks));
    assert_eq!(seated(&edited(component, &[])), (true, picks));
    assert_eq!(seated(&edited(component, edits)), (false, then));
}

#[test]
fn an_adapter_beside_the_main_module_is_noticed() {
    let import = r#"(import "adapter" "choose" (func $choose (result i32)))"#;
    let core = format!("(module {import} {FRAME} {})", balancer("(call $choose)"));
    let (resolve, world) = contract(&[], &["balancing"]);
    let module = embedded(resolve, &world, &core, StringEncoding::UTF8);
    let choose = r#"(module (func (export "choose") (result i32) (i32.const 2)))"#;
    let nothing = "package test:adapter; world plugin {}";
    let (resolve, _) = contract(&[], &[]);
    let adapter = embedded(resolve, nothing, choose, StringEncoding::UTF8);
    let mut encoder = ComponentEncoder::default();
    let encoder = encoder.module(&module).unwrap();
    let encoder = encoder.adapter("adapter", &adapter).unwrap();
    assert_eq!(seated(&encoder.encode().unwrap()), (false, [2; 3]));
}

#[test]
fn a_start_function_is_noticed() {
    let functions = balancer("(i32.load (i32.const 2048))");
    let with = |start: &str| {
        let core = format!("(module {FRAME} {functions} {start})");
        component(&[], &["balancing"], &core)
    };
    assert_eq!(seated(&with("")), (true, [0; 3]));
    let start = "(func $begin (i32.store (i32.const 2048) (i32.const 2))) (start $begin)";
    assert_eq!(seated(&with(start)), (false, [2; 3]));
}

#[test]
fn another_encoding_of_texts_is_noticed() {
    // Tells whether the second byte of its configuration is zero.
    let functions = balancer("(i32.eqz (global.get $second))").replacen(
        "(i32.const 64))",
        "(global.set $second (i32.load8_u offset=1 (local.get 0))) (i32.const 64))",
        1,
    );
    let second = "(global $second (mut i32) (i32.const 0))";
    let core = format!("(module {FRAME} {second} {functions})");
    let encoded = |encoding| {
        let (resolve, world) = contract(&[], &["balancing"]);
        let module = embedded(resolve, &world, &core, encoding);
        let mut encoder = ComponentEncoder::default();
        encoder.module(&module).unwrap().encode().unwrap()
    };
    assert_eq!(seated(&encoded(StringEncoding::UTF8)), (true, [0; 3]));
    assert_eq!(seated(&encoded(StringEncoding::UTF16)), (false, [1; 3]));
    // A text of Latin letters has one byte for each in this one, too.
    let compact = encoded(StringEncoding::CompactUTF16);
    assert_eq!(seated(&compact), (false, [0; 3]));
}

/// A balancer that picks slot 1 for a short method, which `GET` is, and 2 for a
/// long one; it knows the way to the authority as well, which is long.
fn asking() -> Vec<u8> {
    let import = |name: &str| {
        format!(
            "(import \"gatewright:plugin/request@0.1.0\" \"{name}\" (func ${name} (param i32)))"
        )
    };
    let imports = import("method") + &import("authority");
    let pick = "(call $method (i32.const 128))
        (i32.add (i32.const 1) (i32.gt_u (i32.load (i32.const 132)) (i32.const 3)))";
    let core = format!("(module {imports} {FRAME} {})", balancer(pick));
    component(&["request"], &["balancing"], &core)
}

/// Where a component says which function `method` is.
const METHOD: &str = r#"(alias export $gatewright:plugin/request@0.1.0 "method" (func $method "#;

/// The component gives its main module the authority for the method.
#[track_caller]
fn a_new_route_is_noticed(from: &str, to: &str) {
    is_noticed(&asking(), [1; 3], &[(from, to)], [2; 3]);
}

#[test]
fn an_alias_to_another_function_is_noticed() {
    a_new_route_is_noticed(METHOD, &METHOD.replace("\"method\"", "\"authority\""));
}

#[test]
fn an_instance_between_an_import_and_the_main_module_is_noticed() {
    let other = METHOD.replace("\"method\" (func $method ", "\"authority\" (func $other))");
    let through = |instance: &str| {
        let method = METHOD.replace("$gatewright:plugin/request@0.1.0", "$posing");
        format!("{other} {instance} {method}")
    };
    let bundle = "(instance $posing (export \"method\" (func $other)))";
    a_new_route_is_noticed(METHOD, &through(bundle));
    let wrapped = r#"(component $between
            (import "asked" (func $asked (result string)))
            (export "method" (func $asked)))
        (instance $posing (instantiate $between (with "asked" (func $other))))"#;
    a_new_route_is_noticed(METHOD, &through(wrapped));
}

#[test]
fn core_functions_that_change_places_are_noticed() {
    let export = |of: &str| {
        format!("(export \"method\" (func $indirect-gatewright:plugin/request@0.1.0-{of}))")
    };
    a_new_route_is_noticed(&export("method"), &export("authority"));
}

/// A balancer that picks how often it has cleaned up; `spare` counts double.
fn cleaning(clean_up: &str) -> Vec<u8> {
    let counting = |name: &str, by: u32| {
        format!(
            "(func (export \"{name}\") (param i32)
                (global.set $cleaned (i32.add (global.get $cleaned) (i32.const {by}))))"
        )
    };
    let cleaned = "(global $cleaned (mut i32) (i32.const 0))";
    let (clean_up, spare) = (counting(clean_up, 1), counting("spare", 2));
    let functions = balancer("(i32.rem_u (global.get $cleaned) (i32.const 3))");
    let core = format!("(module {FRAME} {cleaned} {functions} {clean_up} {spare})");
    component(&[], &["balancing"], &core)
}

/// What cleans up after `pick`, by its name.
const CLEAN_UP: &str = "cabi_post_gatewright:plugin/balancing@0.1.0#pick";

#[test]
fn a_clean_up_that_is_left_out_is_noticed() {
    let option = format!(" (post-return ${CLEAN_UP})");
    is_noticed(&cleaning(CLEAN_UP), [0, 1, 2], &[(&option, "")], [0; 3]);
}

#[test]
fn another_clean_up_is_noticed() {
    let alias = |name: &str| format!("(alias core export $main \"{name}\"");
    let edit = (&*alias(CLEAN_UP), &*alias("spare"));
    is_noticed(&cleaning(CLEAN_UP), [0, 1, 2], &[edit], [0, 2, 1]);
}

#[test]
fn a_clean_up_that_the_main_module_has_no_name_for_is_noticed() {
    let lift = "#pick) (memory $memory)";
    let cleaned = format!("{lift} (post-return $spare)");
    let pick = "(func $pick ";
    let spare = format!("(alias core export $main \"spare\" (core func $spare)) {pick}");
    let edits = [(lift, &*cleaned), (pick, &*spare)];
    is_noticed(&cleaning("nothing"), [0; 3], &edits, [0, 2, 1]);
}
