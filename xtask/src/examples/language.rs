//! The languages that there are examples in, and how each is built.

/// A folder of `examples/plugins/`.
pub(super) struct Language {
    /// The folder's name.
    pub(super) name: &'static str,
    /// What must be there beside the folder's own lists of packages.
    pub(super) needs: &'static [Need],
    /// The documented command, run in the folder.
    pub(super) build: &'static [&'static str],
    /// Where the balancer is then, from the folder.
    pub(super) balancer: &'static str,
    /// Where the router is then, if there is one.
    pub(super) router: Option<&'static str>,
}

/// A kind of tool.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Need {
    /// Rust's compiler with the guests' target.
    RustTarget,
    /// The packages in `requirements.txt`.
    PythonPackages,
    /// The packages in `package-lock.json`.
    NodePackages,
    /// Makes components of modules.
    WasmTools,
    /// Generates bindings for C and C++.
    WitBindgen,
}

use Need::{NodePackages, PythonPackages, RustTarget, WasmTools, WitBindgen};

const BALANCER: &str = "target/balancer.wasm";
const ROUTER: &str = "target/router.wasm";

/// All of them, the smallest components first.
pub(super) const LANGUAGES: &[Language] = &[
    Language {
        name: "wat",
        needs: &[WasmTools],
        build: &["make"],
        balancer: BALANCER,
        router: None,
    },
    Language {
        name: "c",
        needs: &[PythonPackages, WasmTools, WitBindgen],
        build: &["make"],
        balancer: BALANCER,
        router: Some(ROUTER),
    },
    Language {
        name: "cpp",
        needs: &[PythonPackages, WasmTools, WitBindgen],
        build: &["make"],
        balancer: BALANCER,
        router: None,
    },
    Language {
        name: "assemblyscript",
        needs: &[NodePackages, WasmTools],
        build: &["npm", "run", "build"],
        balancer: BALANCER,
        router: None,
    },
    Language {
        name: "zig",
        needs: &[PythonPackages, WasmTools],
        build: &["make"],
        balancer: BALANCER,
        router: None,
    },
    Language {
        name: "rust",
        needs: &[RustTarget],
        build: &["cargo", "build", "--release"],
        balancer: "target/wasm32-unknown-unknown/release/balancer.wasm",
        router: Some("target/wasm32-unknown-unknown/release/router.wasm"),
    },
    Language {
        name: "javascript",
        needs: &[NodePackages],
        build: &["npm", "run", "build"],
        balancer: BALANCER,
        router: Some(ROUTER),
    },
    Language {
        name: "typescript",
        needs: &[NodePackages],
        build: &["npm", "run", "build"],
        balancer: BALANCER,
        router: None,
    },
    Language {
        name: "go",
        needs: &[PythonPackages, WasmTools],
        build: &["make"],
        balancer: BALANCER,
        router: None,
    },
    Language {
        name: "python",
        needs: &[PythonPackages],
        build: &["make"],
        balancer: BALANCER,
        router: None,
    },
];
