//! What the runtime says of a call that failed, in one line: logs are read by
//! machines line by line.

use wasmtime::{Error, WasmBacktrace};

/// Lines of the guest's backtrace that are told, the innermost first: enough to
/// find the place, and short enough for a log.
const LINES: usize = 6;

/// The causes from the outermost on, then the guest's own calls.
pub(crate) fn in_one_line(error: &Error) -> String {
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    let backtrace = backtrace.map(ToString::to_string).unwrap_or_default();
    // The runtime makes the backtrace one of the causes.
    let causes = error.chain().map(ToString::to_string);
    let causes: Vec<_> = causes.filter(|cause| *cause != backtrace).collect();
    // Its first line is a headline, its last may be a note for developers.
    let calls = backtrace.lines().skip(1).take(LINES);
    let calls = calls.filter(|line| !line.starts_with("note:"));
    let calls: Vec<_> = calls.flat_map(str::split_whitespace).collect();
    let mut told = causes.join(": ");
    if !calls.is_empty() {
        told += " at ";
        told += &calls.join(" ");
    }
    told.replace(['\n', '\r'], " ")
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
    fn an_error_without_a_backtrace_is_its_causes() {
        let error = Error::msg("the first\nof two lines").context("outermost");
        assert_eq!(in_one_line(&error), "outermost: the first of two lines");
    }
}
