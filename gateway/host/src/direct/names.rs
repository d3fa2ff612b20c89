//! The names that a core module has for what its component imports and
//! exports: the conventions of the component tooling (`wit-component`), and two
//! of the SDK's.

/// The memory that pointers are into.
pub(super) const MEMORY: &str = "memory";

/// The allocator of what a plugin is given.
pub(super) const REALLOC: &str = "cabi_realloc";

/// Where the SDK's allocator keeps free blocks: in steps of sixteen bytes,
/// sixty-four sizes. Lists of another shape would have another name.
pub(super) const BLOCKS: &str = "gatewright_free_blocks_16x64";

/// Where the SDK's plugins have a tray, of so many bytes. One of another size would
/// have another name.
pub(super) const TRAY: &str = "gatewright_tray_4096";

/// What is to be called once, before anything else.
pub(super) const INITIALIZE: &str = "_initialize";

/// The contract's interfaces that are exported.
pub(super) const ROLES: [&str; 8] = [
    "screening",
    "routing",
    "sticking",
    "balancing",
    "scanning",
    "finishing",
    "observing",
    "handover",
];

/// An interface's exported function.
pub(super) fn function(interface: &str, function: &str) -> String {
    format!("{interface}#{function}")
}

/// What is called when the answer of an exported function was read.
pub(super) fn post_return(interface: &str, function: &str) -> String {
    format!("cabi_post_{interface}#{function}")
}

/// What a core module exports.
#[cfg(test)]
pub(super) fn exports(module: &[u8]) -> Vec<(&str, wasmparser::ExternalKind)> {
    let sections = wasmparser::Parser::new(0).parse_all(module);
    let exports = sections.filter_map(|payload| match payload.unwrap() {
        wasmparser::Payload::ExportSection(exports) => Some(exports),
        _ => None,
    });
    let exports = exports.flatten().map(Result::unwrap);
    exports.map(|export| (export.name, export.kind)).collect()
}
