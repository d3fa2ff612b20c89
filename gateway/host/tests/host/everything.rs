//! A plugin that calls every import there is, as the request's path tells it:
//! each byte of the path is a call. What the calls answer goes into a number
//! that is its own answer.

use std::collections::BTreeSet;
use std::path::Path;

use wit_parser::Resolve;

use crate::support::{FRAME, balancer, contract_in, encode, wit};

/// Every import: interface, function, what it is given and what it gives.
///
/// Given: `n` a name, `v` the path as text or bytes, `i` a small number, `z`
/// zero, `h` an hour, `l` 64 bits, `f` a float, `o` whether there is what follows, `r` where
/// to leave the answer. Given back: `i` and `l`, or with `r` what is left: `.`
/// plain, `s` text or a list of bytes, `w` a list of words, `?` before either
/// if it may be absent. `-`: nothing that would be the same twice.
const IMPORTS: [Import; 45] = [
    ("advice", "second-choice", "i", ""),
    ("advice", "reason", "v", ""),
    ("advice", "timeout", "i", ""),
    ("clock", "now", "", "-l"),
    ("clock", "unix-ms", "", "-l"),
    ("endpoints", "label", "inr", "?s"),
    ("load", "active", "i", "i"),
    ("load", "all-active", "r", "w"),
    ("load", "response-time", "i", "i"),
    ("load", "all-response-times", "r", "w"),
    ("load", "reported", "ir", "."),
    ("log", "write", "iv", ""),
    ("metrics", "count", "nl", ""),
    ("metrics", "gauge", "nf", ""),
    ("pools", "index", "nr", "."),
    ("pools", "available", "i", "i"),
    ("random", "next", "", "-l"),
    ("request", "method", "r", "s"),
    ("request", "scheme", "r", "s"),
    ("request", "authority", "r", "s"),
    ("request", "path", "r", "s"),
    ("request", "query", "r", "?s"),
    ("request", "header", "nr", "?s"),
    ("request", "header-bytes", "nir", "?s"),
    ("request", "cookie", "nr", "?s"),
    ("request", "client-address", "r", "s"),
    ("request", "attempt", "", "i"),
    ("request", "tried", "r", "w"),
    ("response", "status", "", "i"),
    ("response", "header", "nr", "?s"),
    ("response", "set-header", "nv", ""),
    ("response", "append-header", "nv", ""),
    ("response", "remove-header", "n", ""),
    ("response", "set-cookie", "v", ""),
    ("response", "body", "nv", ""),
    ("rewrite", "path", "v", ""),
    ("rewrite", "query", "ov", ""),
    ("rewrite", "authority", "v", ""),
    ("rewrite", "set-header", "nv", ""),
    ("rewrite", "remove-header", "n", ""),
    ("sessions", "get", "nr", "."),
    ("sessions", "set", "nih", ""),
    ("sessions", "remove", "n", ""),
    ("store", "get", "nr", "?s"),
    ("store", "set", "nvz", ""),
];

/// The rest, in the same form.
const MORE_IMPORTS: [Import; 11] = [
    ("store", "remove", "n", ""),
    ("store", "add", "nlz", "l"),
    ("store", "compare-and-swap", "novvz", "i"),
    ("store", "take", "nifir", ""),
    ("request", "id", "r", "s"),
    ("request", "has-body", "", "i"),
    ("rewrite", "append-header", "nv", ""),
    ("advice", "call-bind", "", ""),
    ("advice", "retries", "i", ""),
    ("advice", "hedge-after", "i", ""),
    ("response", "header-bytes", "nir", "?s"),
];

/// How many bytes of a path mean different calls.
pub(crate) const CALLS: u8 = (IMPORTS.len() + MORE_IMPORTS.len()) as u8;

/// The grants that it needs.
pub(crate) const GRANTS: &str =
    "[\"store\", \"response\", \"rewrite\", \"sessions\", \"clock\", \"random\", \"metrics\"]";

/// Where answers are left.
const AREA: u32 = 1024;

/// Interface, function, what it is given and what it gives.
type Import = (&'static str, &'static str, &'static str, &'static str);

/// The imports that a text of the contract has.
fn imports(contract: &Resolve) -> Vec<&'static Import> {
    let is_there = |(interface, function, ..): &&Import| {
        contract.interfaces.iter().any(|(_, known)| {
            known.name.as_deref() == Some(interface) && known.functions.contains_key(*function)
        })
    };
    let all = IMPORTS.iter().chain(&MORE_IMPORTS);
    all.filter(is_there).collect()
}

/// What is called, as interface and function.
pub(crate) fn called() -> BTreeSet<(String, String)> {
    let all = IMPORTS.iter().chain(&MORE_IMPORTS);
    all.map(|(interface, function, ..)| ((*interface).into(), (*function).into()))
        .collect()
}

fn import(index: usize, (interface, function, given, back): (&str, &str, &str, &str)) -> String {
    let parameters: String = given
        .chars()
        .map(|kind| match kind {
            'n' | 'v' => "i32 i32 ",
            'l' => "i64 ",
            'f' => "f64 ",
            _ => "i32 ",
        })
        .collect();
    let result = match back {
        "i" | "-i" => "(result i32)",
        "l" | "-l" => "(result i64)",
        _ => "",
    };
    format!(
        "(import \"gatewright:plugin/{interface}@0.1.0\" \"{function}\"
            (func $call{index} (param {parameters}) {result}))\n"
    )
}

/// The call of an import, for the byte `$byte` of the path.
fn call(index: usize, given: &str, back: &str) -> String {
    let arguments: String = given.chars().map(|kind| match kind {
        'n' => "(i32.add (i32.const 300) (i32.mul (i32.const 8) (i32.and (local.get $byte) (i32.const 3)))) (i32.const 8) ",
        'v' => "(local.get $at) (local.get $length) ",
        'i' => "(i32.and (local.get $byte) (i32.const 3)) ",
        'o' => "(i32.and (local.get $byte) (i32.const 1)) ",
        'l' => "(i64.extend_i32_u (local.get $byte)) ",
        'f' => "(f64.convert_i32_u (local.get $byte)) ",
        'h' => "(i32.const 3600) ",
            'r' => "(i32.const 1024) ",
        _ => "(i32.const 0) ",
    }).collect();
    let call = format!("(call $call{index} {arguments})");
    let list = |at: u32, of: u32| {
        format!(
            "(call $fold_bytes (i32.load (i32.const {at}))
                (i32.mul (i32.const {of}) (i32.load (i32.const {}))))",
            at + 4
        )
    };
    let maybe = |list: String| format!("(if (i32.load8_u (i32.const {AREA})) (then {list}))");
    let area = format!("(call $fold_bytes (i32.const {AREA}) (i32.const 16))");
    match back {
        "i" => format!("(call $fold (i64.extend_i32_u {call}))"),
        "l" => format!("(call $fold {call})"),
        "-i" | "-l" => format!("(drop {call})"),
        "." => format!("{call} {area}"),
        "s" => format!("{call} {area} {}", list(AREA, 1)),
        "w" => format!("{call} {area} {}", list(AREA, 4)),
        "?s" => format!("{call} {area} {}", maybe(list(AREA + 4, 1))),
        _ => call,
    }
}

/// What every byte of the path is for.
fn run(imports: &[&Import]) -> String {
    let calls = imports.iter().enumerate();
    let calls: String = calls
        .map(|(index, (_, _, given, back))| {
            format!(
                "(if (i32.eq (i32.rem_u (local.get $byte) (i32.const {CALLS})) (i32.const {index}))
                (then {}))\n",
                call(index, given, back)
            )
        })
        .collect();
    let mut known = imports.iter();
    let path = known
        .position(|import| matches!(import, ("request", "path", ..)))
        .unwrap();
    format!(
        r#"
        (global $sum (mut i64) (i64.const 0))
        (func $fold (param i64)
            (global.set $sum (i64.mul (i64.const 0x100000001b3)
                (i64.xor (global.get $sum) (local.get 0)))))
        (func $fold_bytes (param $at i32) (param $length i32)
            (block $done (loop $on
                (br_if $done (i32.eqz (local.get $length)))
                (call $fold (i64.load8_u (local.get $at)))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (local.set $length (i32.sub (local.get $length) (i32.const 1)))
                (br $on))))
        (func $run (result i64)
            (local $at i32) (local $length i32) (local $index i32) (local $byte i32)
            (global.set $free (i32.const 4096))
            (global.set $sum (i64.const 7))
            (memory.fill (i32.const 1024) (i32.const 0) (i32.const 64))
            (call $call{path} (i32.const 1024))
            (local.set $at (i32.load (i32.const 1024)))
            (local.set $length (i32.load (i32.const 1028)))
            (block $done (loop $on
                (br_if $done (i32.ge_u (local.get $index) (local.get $length)))
                (local.set $byte
                    (i32.load8_u (i32.add (local.get $at) (local.get $index))))
                {calls}
                (local.set $index (i32.add (local.get $index) (i32.const 1)))
                (br $on)))
            (global.get $sum))
        "#
    )
}

/// The component: a balancer and a request policy.
pub(crate) fn everything() -> Vec<u8> {
    everything_of(&wit())
}

/// The same, written against the contract in a folder.
pub(crate) fn everything_of(folder: &Path) -> Vec<u8> {
    let interfaces = [
        "advice",
        "clock",
        "endpoints",
        "load",
        "log",
        "metrics",
        "pools",
        "random",
        "request",
        "response",
        "rewrite",
        "sessions",
        "store",
    ];
    let (contract, world) = contract_in(folder, &interfaces, &["balancing", "screening"]);
    let imports = imports(&contract);
    let lines = imports.iter().enumerate();
    let lines: String = lines.map(|(index, given)| import(index, **given)).collect();
    let screening = r#"
        (func (export "gatewright:plugin/screening@0.1.0#configure") (param i32 i32) (result i32)
            (i32.const 64))
        (func (export "gatewright:plugin/screening@0.1.0#check")
            (param i32 i32 i32 i32 i32 i32) (result i32)
            (i32.store8 (i32.const 0) (i32.const 1))
            (i32.store16 (i32.const 2)
                (i32.add (i32.const 200)
                    (i32.wrap_i64 (i64.rem_u (call $run) (i64.const 400)))))
            (i32.const 0))"#;
    let balancing = balancer("(i32.wrap_i64 (i64.rem_u (call $run) (i64.const 3)))");
    let run = run(&imports);
    let names = r#"(data (i32.const 300) "x-headersession_web-shopupgrade ")"#;
    let core = format!("(module {lines} {FRAME} {run} {balancing} {screening} {names})");
    encode(contract, &world, &core)
}
