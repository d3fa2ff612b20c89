//! Plugins that lie about their memory: each lie is a fault of theirs, in
//! either lane.

use crate::support::{FRAME, MINE, Rig, balancer, component, config, picking};

/// What is said about a balancer of this core module.
fn refusal(imports: &[&str], core: &str) -> String {
    let mut rig = Rig::new();
    rig.place("mine", &component(imports, &["balancing"], core));
    rig.take(&config(MINE, 3)).unwrap_err().to_string()
}

/// The plugin is refused because it trapped. What exactly is said is checked
/// where the words are ours.
#[track_caller]
fn traps(imports: &[&str], core: &str, words: &str) {
    let message = refusal(imports, core);
    assert!(message.contains("the plugin trapped"), "{message}");
    if crate::LANES == gatewright_host::Lanes::Both {
        assert!(message.contains(words), "{words:?} is not in: {message}");
    }
}

/// A balancer whose `pick` is this.
fn answering(pick: &str) -> String {
    let honest =
        "(i32.store (i32.const 4) (call $decide (local.get $key)))\n            (i32.const 0))";
    let functions = balancer("(i32.const 0)");
    assert!(functions.contains(honest));
    format!(
        "(module {FRAME} {})",
        functions.replace(honest, &format!("{pick})"))
    )
}

/// A balancer that calls an import in `pick`.
fn calling(import: &str, call: &str) -> String {
    let functions = balancer(&format!("{call} (i32.const 0)"));
    format!("(module {import} {FRAME} {functions} (data (i32.const 300) \"\\ff\\fe\"))")
}

/// A balancer with this allocator.
fn allocating(imports: &str, body: &str) -> String {
    let realloc = format!(
        "(memory (export \"memory\") 16)
        (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) {body})"
    );
    format!("(module {imports} {realloc} {})", balancer("(i32.const 0)"))
}

const OUT_OF_BOUNDS: &str = "leads out of its memory";
const MISALIGNED: &str = "is not aligned";
const NO_CASE: &str = "no such case";
const MAY_NOT_CALL: &str = "called where none may be";

const LOG: &str = r#"(import "gatewright:plugin/log@0.1.0" "write"
    (func $log (param i32 i32 i32)))"#;
const METHOD: &str = r#"(import "gatewright:plugin/request@0.1.0" "method"
    (func $method (param i32)))"#;
const ATTEMPT: &str = r#"(import "gatewright:plugin/request@0.1.0" "attempt"
    (func $attempt (result i32)))"#;

#[test]
fn an_answer_that_is_nowhere_is_a_fault() {
    traps(&[], &answering("(i32.const 0x7ffffff0)"), OUT_OF_BOUNDS);
    traps(&[], &answering("(i32.const -4)"), OUT_OF_BOUNDS);
    // The last word of the memory: half of the answer would be outside.
    traps(&[], &answering("(i32.const 0xffffc)"), OUT_OF_BOUNDS);
    traps(&[], &answering("(i32.const 2)"), MISALIGNED);
}

#[test]
fn an_answer_of_no_case_is_a_fault() {
    let pick = "(i32.store8 (i32.const 0) (i32.const 7)) (i32.const 0)";
    traps(&[], &answering(pick), NO_CASE);
}

#[test]
fn a_text_that_is_none_is_a_fault() {
    let log = |arguments: &str| calling(LOG, &format!("(call $log {arguments})"));
    let level = "(i32.const 2)";
    let outside = format!("{level} (i32.const 0x7ffffff0) (i32.const 1)");
    traps(&["log"], &log(&outside), OUT_OF_BOUNDS);
    let too_long = format!("{level} (i32.const 300) (i32.const -1)");
    traps(&["log"], &log(&too_long), OUT_OF_BOUNDS);
    let overflowing = format!("{level} (i32.const -16) (i32.const 64)");
    traps(&["log"], &log(&overflowing), OUT_OF_BOUNDS);
    let not_utf8 = format!("{level} (i32.const 300) (i32.const 2)");
    traps(&["log"], &log(&not_utf8), "utf-8");
    let no_level = "(i32.const 4) (i32.const 0) (i32.const 0)";
    traps(&["log"], &log(no_level), NO_CASE);
}

#[test]
fn an_enormous_list_is_a_fault() {
    let import = r#"(import "gatewright:plugin/store@0.1.0" "set"
        (func $set (param i32 i32 i32 i32 i32)))"#;
    let call = "(call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0x7fffffff)
        (i32.const 0))";
    let mut rig = Rig::new();
    let core = calling(import, call);
    rig.place("mine", &component(&["store"], &["balancing"], &core));
    let granted = config(MINE, 3).replace("mine.wasm\"", "mine.wasm\"\ngrants = [\"store\"]");
    let message = rig.take(&granted).unwrap_err().to_string();
    assert!(message.contains("the plugin trapped"), "{message}");
}

#[test]
fn a_place_for_an_answer_that_is_nowhere_is_a_fault() {
    let method = |at: &str| calling(METHOD, &format!("(call $method (i32.const {at}))"));
    traps(&["request"], &method("-8"), OUT_OF_BOUNDS);
    traps(&["request"], &method("0xffffc"), OUT_OF_BOUNDS);
    traps(&["request"], &method("1026"), MISALIGNED);
}

#[test]
fn an_allocator_that_gives_nonsense_is_a_fault() {
    traps(
        &[],
        &allocating("", "(i32.const 0x7ffffff0)"),
        OUT_OF_BOUNDS,
    );
    traps(&[], &allocating("", "(i32.const -1)"), OUT_OF_BOUNDS);
    traps(&[], &allocating("", "unreachable"), "unreachable");
    // Right for a text, wrong for a list of numbers.
    traps(&[], &allocating("", "(i32.const 1025)"), MISALIGNED);
}

#[test]
fn an_allocator_may_not_call_out() {
    let body = "(drop (call $attempt)) (i32.const 1024)";
    traps(&["request"], &allocating(ATTEMPT, body), MAY_NOT_CALL);
}

#[test]
fn whoever_cleans_up_may_not_call_out() {
    let post_return = r#"(func (export "cabi_post_gatewright:plugin/balancing@0.1.0#pick")
        (param i32) (drop (call $attempt)))"#;
    let functions = balancer("(i32.const 0)");
    let core = format!("(module {ATTEMPT} {FRAME} {functions} {post_return})");
    traps(&["request"], &core, MAY_NOT_CALL);
}

#[test]
fn an_answer_is_cleaned_up_after_it_was_read() {
    // It counts, and takes away what was the answer.
    let post_return = r#"(global $cleaned (mut i32) (i32.const 0))
        (func (export "cabi_post_gatewright:plugin/balancing@0.1.0#pick") (param i32)
            (i32.store8 (local.get 0) (i32.const 7))
            (global.set $cleaned (i32.add (global.get $cleaned) (i32.const 1))))"#;
    let functions = balancer("(i32.rem_u (global.get $cleaned) (i32.const 3))");
    let core = format!("(module {FRAME} {functions} {post_return})");
    let mut rig = Rig::balanced_by(&component(&[], &["balancing"], &core));
    let picked: Vec<_> = (0..4)
        .map(|key| rig.pick(key).unwrap().unwrap().0)
        .collect();
    assert_eq!(picked, [0, 1, 2, 0]);
}

#[test]
fn an_initializer_is_called_once_before_all_else() {
    let initialize = r#"(global $calls (mut i32) (i32.const 0))
        (func (export "_initialize")
            (call $method (i32.const 1024))
            (global.set $calls (i32.add (global.get $calls) (i32.const 1))))"#;
    let functions = balancer("(global.get $calls)");
    let core = format!("(module {METHOD} {FRAME} {initialize} {functions})");
    let mut rig = Rig::balanced_by(&component(&["request"], &["balancing"], &core));
    let is_direct = crate::LANES == gatewright_host::Lanes::Both;
    assert_eq!(rig.balancer().binding().is_direct(), is_direct);
    assert_eq!(rig.pick(1).unwrap().map(|slot| slot.0), Some(1));
    assert_eq!(rig.pick(2).unwrap().map(|slot| slot.0), Some(1));
}

/// The direct lane takes what lies in the list; the other one, and one for which
/// nothing good lies there, calls the allocator.
#[test]
fn a_text_goes_into_a_free_block_where_there_is_one() {
    let lists = r#"(global (export "gatewright_free_blocks_16x64") i32 (i32.const 2048))"#;
    let functions = balancer(
        "(i32.store (i32.const 2048)
            (select (i32.const 3072) (i32.const -4) (i64.eqz (local.get $key))))
        (call $method (i32.const 1024))
        (i32.eq (i32.load (i32.const 1024)) (i32.const 3072))",
    );
    let core = format!("(module {METHOD} {FRAME} {lists} {functions})");
    let mut rig = Rig::balanced_by(&component(&["request"], &["balancing"], &core));
    let is_direct = crate::LANES == gatewright_host::Lanes::Both;
    assert_eq!(rig.balancer().binding().is_direct(), is_direct);
    let picks = [0, 1, 0].map(|key| rig.pick(key).unwrap().map(|slot| slot.0));
    let from_list = Some(u32::from(is_direct));
    assert_eq!(picks, [from_list, Some(0), from_list]);
}

/// A scanning balancer with a tray there, which picks slot 1 if loads are laid on it
/// and 2 if they are handed over.
fn with_a_tray_at(tray: &str) -> Vec<u8> {
    let scanning = r#"
        (func (export "gatewright:plugin/scanning@0.1.0#configure") (param i32 i32) (result i32)
            (i32.const 64))
        (func (export "gatewright:plugin/scanning@0.1.0#update") (param i32 i32))
        (func (export "gatewright:plugin/scanning@0.1.0#eligible") (param i32 i32))
        (func (export "gatewright:plugin/scanning@0.1.0#pick")
            (param $key i64) (param $at i32) (param $length i32) (result i32)
            (i32.store8 (i32.const 0) (i32.const 1))
            (i32.store (i32.const 4)
                (i32.sub (i32.const 2) (i32.eq (local.get $at) (global.get $tray))))
            (i32.const 0))"#;
    let tray = format!(r#"(global $tray (export "gatewright_tray_4096") i32 (i32.const {tray}))"#);
    let core = format!("(module {FRAME} {tray} {scanning})");
    component(&[], &["scanning"], &core)
}

/// The direct lane lays loads there; the other one, and one for which there is no
/// good tray, hands them over.
#[test]
fn loads_are_laid_on_a_tray_where_there_is_one() {
    let is_direct = crate::LANES == gatewright_host::Lanes::Both;
    for (tray, is_good) in [("65536", true), ("65540", false), ("-8", false)] {
        let mut rig = Rig::balanced_by(&with_a_tray_at(tray));
        assert_eq!(rig.balancer().binding().is_direct(), is_direct);
        let expected = 2 - u32::from(is_direct && is_good);
        let picked = rig.pick(1).unwrap().map(|slot| slot.0);
        assert_eq!(picked, Some(expected), "{tray}");
    }
}

#[test]
fn an_allocator_of_another_name_takes_the_component_lane() {
    let frame = FRAME.replace("cabi_realloc", "canonical_abi_realloc");
    let core = format!("(module {frame} {})", balancer("(i32.const 2)"));
    let mut rig = Rig::balanced_by(&component(&[], &["balancing"], &core));
    assert!(!rig.balancer().binding().is_direct());
    assert_eq!(
        rig.pick(1),
        Rig::balanced_by(&picking("(i32.const 2)")).pick(1)
    );
}
