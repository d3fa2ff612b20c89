//! What the runtime says of a call that failed, in one line: logs are read by
//! machines line by line.

use wasmtime::{Error, WasmBacktrace};

/// Lines of the guest's backtrace that are told, the innermost first: enough to
/// find the place, and short enough for a log.
const LINES: usize = 6;

/// What the names of Rust's standard library begin with. A panic goes through
/// some ten of its functions before it traps, and they say nothing of the place.
const RUNTIME: [&str; 4] = ["__rustc", "alloc", "core", "std"];

/// The causes from the outermost on, then the guest's own calls.
pub(crate) fn in_one_line(error: &Error) -> String {
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    let backtrace = backtrace.map(ToString::to_string).unwrap_or_default();
    // The runtime makes the backtrace one of the causes.
    let causes = error.chain().map(ToString::to_string);
    let causes: Vec<_> = causes.filter(|cause| *cause != backtrace).collect();
    // Its first line is a headline, its last may be a note for developers.
    let calls = backtrace.lines().skip(1);
    let calls: Vec<_> = calls.filter(|line| !line.starts_with("note:")).collect();
    let own = calls.iter().position(|line| !is_of_runtime(line));
    let calls = calls[own.unwrap_or(0)..].iter().take(LINES);
    let calls: Vec<_> = calls.flat_map(|line| line.split_whitespace()).collect();
    let mut told = causes.join(": ");
    if !calls.is_empty() {
        told += " at ";
        told += &calls.join(" ");
    }
    told.replace(['\n', '\r'], " ")
}

/// Whether a line of a backtrace is of the standard library: `0: 0x12 -
/// module!function`, or the place in a file that may stand below it.
fn is_of_runtime(line: &str) -> bool {
    let Some((_, function)) = line.split_once('!') else {
        return line.trim_start().starts_with("at ");
    };
    let root = function.split(['[', ':']).next().unwrap_or_default();
    RUNTIME.contains(&root)
}

#[cfg(test)]
mod tests {
    use wasmtime::{Engine, Instance, Module, Store};

    use super::*;

    #[test]
    fn a_trap_is_told_in_one_line_with_its_cause_and_place() {
        let text = "(module $guest (func $inner (unreachable)) \
                    (func $outer (export \"run\") (call $inner)))";
        let engine = Engine::default();
        let module = Module::new(&engine, wat::parse_str(text).unwrap()).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance
            .get_typed_func::<(), ()>(&mut store, "run")
            .unwrap();
        let told = in_one_line(&run.call(&mut store, ()).unwrap_err());
        assert_eq!(told.lines().count(), 1, "{told}");
        let order = [
            "unreachable",
            " at 0: ",
            "guest!inner",
            " 1: ",
            "guest!outer",
        ];
        let places = order.map(|part| told.find(part).unwrap_or_else(|| panic!("{part}: {told}")));
        assert!(places.is_sorted(), "{told}");
    }

    #[test]
    fn a_panic_is_told_from_the_plugin_s_own_function_on() {
        for (line, is_of_runtime) in [
            (
                "    0: 0x3a34 - mine.wasm!__rustc[b7974e86]::__rust_abort",
                true,
            ),
            (
                "    1: 0x246d - mine.wasm!std[a543996e]::panicking::panic_with_hook",
                true,
            ),
            ("                    at src/panicking.rs:1:2", true),
            ("    2: 0x2207 - mine.wasm!core::panicking::panic_fmt", true),
            (
                "    3: 0x2113 - mine.wasm!mine[01]::Mine as Balancer>::pick",
                false,
            ),
            ("    4: 0x2113 - core.wasm!standard.pick", false),
            ("    5: 0x2113 - <unknown>!<wasm function 7>", false),
        ] {
            assert_eq!(super::is_of_runtime(line), is_of_runtime, "{line}");
        }
    }

    #[test]
    fn an_error_without_a_backtrace_is_its_causes() {
        let error = Error::msg("the first\nof two lines").context("outermost");
        assert_eq!(in_one_line(&error), "outermost: the first of two lines");
    }
}
