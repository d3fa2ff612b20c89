//! What a component must be to be let in, and errors that say what to do about
//! one that is not.

use std::path::{Path, PathBuf};

use gatewright_model::id::{Digest, PluginName};
use gatewright_model::role::{Grant, Role};
use gatewright_model::signature::{PluginKey, Unsigned};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compile::CompileError;
use crate::contract::{PACKAGE, VERSION, interface};
use crate::fault::Fault;
use crate::journal::cut;

/// The most bytes of a component. A whole language runtime has 20 MiB.
pub const COMPONENT_BYTES: u64 = 64 << 20;

/// Names that a component chose which a refusal lists, and bytes of each.
const MOST_NAMES: usize = 10;
const NAME_BYTES: usize = 256;

/// The imports that need no grant.
const BASE: [&str; 7] = [
    "types",
    "request",
    "endpoints",
    "load",
    "pools",
    "log",
    "advice",
];

/// Why a plugin cannot be seated.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message says what it is")]
pub enum Refusal {
    #[error(
        "no such plugin; the default set has {known}; others need a [plugins.NAME] with a file"
    )]
    Unknown { known: String },
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("{}: {refusal}", path.display())]
    OfFile {
        path: PathBuf,
        refusal: Box<Refusal>,
    },
    #[error("there is no version {digest} of it any more; upload it again, or name another one")]
    NoSuchVersion { digest: Digest },
    #[error("its version {digest} cannot be read from the data folder: {error}; upload it again")]
    Unkept {
        digest: Digest,
        error: std::io::Error,
    },
    #[error("it cannot be kept in the data folder: {0}")]
    NotKept(#[source] std::io::Error),
    #[error("the component is larger than {} MiB", COMPONENT_BYTES >> 20)]
    TooLarge,
    #[error("there is nothing in it: is the build finished?")]
    Empty,
    #[error(
        "this is not WebAssembly: it does not begin with the bytes \\0asm; name the file that the build made, which ends in .wasm"
    )]
    NotWasm,
    #[error(
        "this is WebAssembly's text format; turn it into a binary component first, such as by `wasm-tools parse`"
    )]
    Text,
    #[error(
        "this is a core module, not a component; have wasm-component-ld link it, as Rust can, or turn it into a component by `wasm-tools component new`"
    )]
    CoreModule,
    #[error(
        "{why}; only components are let in that were signed with a key of admin.plugin_keys, which has {known}: sign it by `minisign -Sm FILE`, and have FILE.minisig beside the file or send it along, as `gatewright plugin push` does"
    )]
    Unsigned { why: Unsigned, known: String },
    #[error(
        "{} beside it cannot be read as its signature: {reason}; sign it again by `minisign -Sm FILE`",
        path.display()
    )]
    NoSignature { path: PathBuf, reason: String },
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(
        "it imports {interface} of WASI, which this gateway does not offer; build it for wasm32-unknown-unknown with wasm-component-ld as the linker, or with your toolchain's `--stub-wasi`"
    )]
    Wasi { interface: String },
    #[error(
        "it imports {name}, which the contract does not have; it offers {PACKAGE}… at {VERSION}: {}",
        known_imports()
    )]
    UnknownImport { name: String },
    #[error(
        "it is built for version {theirs} of the contract; this gateway speaks {VERSION}: rebuild it against the gateway's wit folder"
    )]
    OtherContract { theirs: String },
    #[error("it imports \"{}\" without the grant for it; if it may have that, write grants = [{}] under [plugins.{plugin}]", grant.name(), quoted(needed))]
    NotGranted {
        grant: Grant,
        /// What it has, and all that it lacks.
        needed: Vec<Grant>,
        plugin: PluginName,
    },
    #[error("it does not fit the contract: {0}")]
    Link(String),
    #[error(
        "it is {is} and cannot be {}: {exports}",
        role.with_article()
    )]
    WrongRole {
        is: String,
        role: Role,
        /// Those that it takes, and those that there are.
        exports: String,
    },
    #[error(
        "it is built for none of the contract's worlds: that needs one of the exports {needed}, and it exports {exported}"
    )]
    NoRole { needed: String, exported: String },
    #[error(
        "a function has another type than the contract says: {0}; build it against the gateway's wit folder"
    )]
    Mistyped(String),
    #[error("config{}: {reason}", at(key))]
    Config { key: String, reason: String },
    #[error("{fault} in `{stage}`: {detail}{}", fault.remedy(detail))]
    Unprepared {
        stage: &'static str,
        fault: Fault,
        detail: String,
    },
    #[error("{fault} in a trial on made-up servers: {detail}{}", fault.remedy(detail))]
    Trial { fault: Fault, detail: String },
}

impl Refusal {
    /// It is signed with none of the keys that are trusted.
    pub(crate) fn unsigned(why: Unsigned, keys: &[PluginKey]) -> Self {
        let known = keys.iter().map(|key| key.id().to_string());
        let known = known.collect::<Vec<_>>().join(", ");
        Self::Unsigned { why, known }
    }

    /// What a file holds is refused.
    pub(crate) fn of_file(self, path: &Path) -> Self {
        Self::OfFile {
            path: path.to_owned(),
            refusal: Box::new(self),
        }
    }

    pub(crate) fn incomplete(error: &wasmtime::Error) -> Self {
        let error = error.to_string();
        Self::Link(error)
    }

    /// It exports none of the contract's interfaces, or those of another version.
    pub(crate) fn without_role(exports: &[String]) -> Self {
        let mut contracts = exports.iter().filter_map(|name| name.strip_prefix(PACKAGE));
        if let Some((_, theirs)) = contracts.find_map(|name| name.split_once('@')) {
            let theirs = short(theirs);
            return Self::OtherContract { theirs };
        }
        Self::NoRole {
            needed: Role::ALL
                .into_iter()
                .flat_map(needed)
                .copied()
                .collect::<Vec<_>>()
                .join(", "),
            exported: listed(exports),
        }
    }

    pub(crate) fn wrong_role(role: Role, exports: &[String]) -> Self {
        let exported = |role: &Role| {
            let mut names = needed(*role).iter();
            names.any(|name| exports.contains(&interface(name)))
        };
        let roles = Role::ALL.into_iter().filter(exported);
        let roles: Vec<_> = roles.map(Role::with_article).collect();
        let needed: Vec<_> = needed(role).iter().map(|name| interface(name)).collect();
        Self::WrongRole {
            is: match roles.is_empty() {
                true => "a plugin of no role".to_owned(),
                false => roles.join(" and "),
            },
            role,
            exports: format!(
                "that needs the export {}, and it exports {}",
                needed.join(" or "),
                listed(exports)
            ),
        }
    }
}

/// The first of some names that a component chose, each of them cut, and how
/// many more there are.
fn listed(exports: &[String]) -> String {
    let (told, others) = exports.split_at(exports.len().min(MOST_NAMES));
    let told = told.iter().map(|name| short(name));
    let told = told.collect::<Vec<_>>().join(", ");
    match (exports.len(), others.len()) {
        (0, _) => "nothing".to_owned(),
        (_, 0) => told,
        (_, others) => format!("{told} and {others} more"),
    }
}

/// As much of a name that a component chose as is told.
pub(crate) fn short(name: &str) -> String {
    let mut name = name.to_owned();
    cut(&mut name, NAME_BYTES);
    name
}

fn quoted(grants: &[Grant]) -> String {
    let quoted = grants.iter().map(|grant| format!("{:?}", grant.name()));
    quoted.collect::<Vec<_>>().join(", ")
}

fn at(key: &str) -> String {
    match key {
        "" => String::new(),
        key => format!(".{key}"),
    }
}

fn known_imports() -> String {
    let base = BASE.iter().copied();
    let granted = Grant::ALL.iter().map(|grant| grant.name());
    base.chain(granted).collect::<Vec<_>>().join(", ")
}

/// The interfaces of a role; one of them is enough.
fn needed(role: Role) -> &'static [&'static str] {
    match role {
        Role::RequestPolicy => &["screening"],
        Role::Router => &["routing"],
        Role::Affinity => &["sticking"],
        Role::Balancer => &["balancing", "scanning"],
        Role::ResponsePolicy => &["finishing"],
    }
}

/// What a component's bytes are, before anything is spent on them.
pub(crate) fn is_component(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.len() as u64 > COMPONENT_BYTES {
        return Err(Refusal::TooLarge);
    }
    match bytes {
        [] => Err(Refusal::Empty),
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(Refusal::CoreModule),
        // Whatever its version, a layer of 1 says that it is a component.
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        _ if bytes.trim_ascii_start().first() == Some(&b'(') => Err(Refusal::Text),
        _ => Err(Refusal::NotWasm),
    }
}

/// What a component imports of the contract.
#[derive(Clone, Debug, Default)]
pub(crate) struct Imports {
    /// The imports that need a grant.
    pub(crate) grants: Vec<Grant>,
    /// Whether it may ask for pools, and so must be told when they change.
    pub(crate) pools: bool,
}

/// Check that all imports are the contract's.
pub(crate) fn imports(engine: &Engine, component: &Component) -> Result<Imports, Refusal> {
    let mut imports = Imports::default();
    for (name, _) in component.component_type().imports(engine) {
        if name.starts_with("wasi:") {
            let interface = short(name);
            return Err(Refusal::Wasi { interface });
        }
        let unknown = || Refusal::UnknownImport { name: short(name) };
        let (interface, version) = name
            .strip_prefix(PACKAGE)
            .and_then(|rest| rest.split_once('@'))
            .ok_or_else(unknown)?;
        if !version.starts_with("0.1.") {
            let theirs = short(version);
            return Err(Refusal::OtherContract { theirs });
        }
        match Grant::ALL
            .into_iter()
            .find(|grant| grant.name() == interface)
        {
            Some(grant) => imports.grants.push(grant),
            None if BASE.contains(&interface) => imports.pools |= interface == "pools",
            None => return Err(unknown()),
        }
    }
    Ok(imports)
}

/// Whether a component exports one of the contract's interfaces.
pub(crate) fn exports(engine: &Engine, component: &Component, name: &str) -> bool {
    let component = component.component_type();
    component.get_export(engine, &interface(name)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_for_a_later_contract_is_told_both_versions() {
        let exports = ["gatewright:plugin/scanning@0.1.7".to_owned()];
        let told = Refusal::without_role(&exports).to_string();
        assert!(told.contains("0.1.7") && told.contains(VERSION), "{told}");
    }

    #[test]
    fn a_refusal_has_its_length_whatever_is_exported() {
        let name = |number: usize| format!("{number}-{}", "a".repeat(500));
        let many: Vec<_> = (0..10_000).map(name).collect();
        for refusal in [
            Refusal::without_role(&many),
            Refusal::wrong_role(Role::Router, &many),
        ] {
            let told = refusal.to_string();
            assert!(told.len() < 4096, "{} bytes", told.len());
            assert!(told.contains("and 9990 more"), "{told}");
        }
        assert_eq!(listed(&["a".to_owned(), "b".to_owned()]), "a, b");
        assert_eq!(listed(&[]), "nothing");
    }

    #[test]
    fn bytes_are_told_apart_before_they_are_compiled() {
        let core = wat::parse_str("(module)").unwrap();
        let component = wat::parse_str("(component)").unwrap();
        assert!(is_component(&component).is_ok());
        assert!(matches!(is_component(&core), Err(Refusal::CoreModule)));
        assert!(matches!(is_component(b" (component)"), Err(Refusal::Text)));
        assert!(matches!(is_component(b"\x7fELF"), Err(Refusal::NotWasm)));
        assert!(matches!(is_component(b""), Err(Refusal::Empty)));
    }
}
