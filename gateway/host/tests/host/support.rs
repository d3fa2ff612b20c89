//! What the tests share: plugins made of a few lines of core WebAssembly, an
//! exchange without HTTP, and a host with workers that are plain values.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gatewright_host::{
    Chain, Compiler, Effects, ExchangeView, Host, HostError, HostOptions, Lanes, Lent, Plan,
    PrepareError, Seat,
};
use gatewright_model::config::{self, Environment};
use gatewright_model::id::Slot;
use gatewright_model::snapshot::Snapshot;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A component of a core module, for a world with these imports and exports of
/// the contract.
pub(crate) fn component(imports: &[&str], exports: &[&str], core: &str) -> Vec<u8> {
    let (contract, world) = contract(imports, exports);
    encode(contract, &world, core)
}

/// A component of a core module, for the world `plugin` of a package.
pub(crate) fn encode(resolve: Resolve, package: &str, core: &str) -> Vec<u8> {
    let module = embedded(resolve, package, core, StringEncoding::UTF8);
    let mut encoder = ComponentEncoder::default();
    let encoder = encoder.module(&module);
    encoder.unwrap().encode().unwrap()
}

/// The contract, and a package with a world of these imports and exports of it.
pub(crate) fn contract(imports: &[&str], exports: &[&str]) -> (Resolve, String) {
    contract_in(&wit(), imports, exports)
}

/// Where the contract is.
pub(crate) fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

/// The contract in a folder, and a package with a world of these imports and
/// exports of it.
pub(crate) fn contract_in(folder: &Path, imports: &[&str], exports: &[&str]) -> (Resolve, String) {
    let mut resolve = Resolve::default();
    resolve.push_dir(folder).unwrap();
    let item = |kind: &str, names: &[&str]| -> String {
        let line = |name: &&str| format!("{kind} gatewright:plugin/{name}@0.1.0;\n");
        names.iter().map(line).collect()
    };
    let (imports, exports) = (item("import", imports), item("export", exports));
    let world = format!("package test:plugin;\nworld plugin {{\n{imports}{exports}}}\n");
    (resolve, world)
}

/// A core module that says of itself that it is for the world `plugin` of a
/// package, with texts in this encoding.
pub(crate) fn embedded(
    mut resolve: Resolve,
    package: &str,
    core: &str,
    encoding: StringEncoding,
) -> Vec<u8> {
    let package = resolve.push_str("plugin.wit", package).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    let mut module = wat::parse_str(core).unwrap();
    embed_component_metadata(&mut module, &resolve, world, encoding).unwrap();
    module
}

/// What every core module here has: memory, an allocator that never frees, and
/// from address 64 on zeros, which mean "ok" as any result.
pub(crate) const FRAME: &str = r#"
    (memory (export "memory") 16)
    (global $free (mut i32) (i32.const 4096))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (local $at i32)
        (local.set $at (global.get $free))
        (global.set $free
            (i32.and (i32.add (i32.add (local.get $at) (local.get 3)) (i32.const 7)) (i32.const -8)))
        (local.get $at))
"#;

/// The functions of a balancer: `$eligible` and `$members` are how many slots
/// it heard of last, and `pick` is a body that leaves a slot on the stack.
pub(crate) fn balancer(pick: &str) -> String {
    format!(
        r#"
        (global $eligible (mut i32) (i32.const 0))
        (global $members (mut i32) (i32.const 0))
        (global $picks (mut i32) (i32.const 0))
        (func (export "gatewright:plugin/balancing@0.1.0#configure") (param i32 i32) (result i32)
            (i32.const 64))
        (func (export "gatewright:plugin/balancing@0.1.0#update") (param i32 i32)
            (global.set $members (local.get 1)))
        (func (export "gatewright:plugin/balancing@0.1.0#eligible") (param i32 i32)
            (global.set $eligible (local.get 1)))
        (func $decide (param $key i64) (result i32) {pick})
        (func (export "gatewright:plugin/balancing@0.1.0#pick") (param $key i64) (result i32)
            (global.set $picks (i32.add (global.get $picks) (i32.const 1)))
            (i32.store8 (i32.const 0) (i32.const 1))
            (i32.store (i32.const 4) (call $decide (local.get $key)))
            (i32.const 0))
        "#
    )
}

/// A balancer component with nothing but a body for `pick`.
pub(crate) fn picking(pick: &str) -> Vec<u8> {
    component(
        &[],
        &["balancing"],
        &format!("(module {FRAME} {})", balancer(pick)),
    )
}

/// The line that makes `mine` the balancer, with a deadline that a busy machine
/// does not break for a plugin that behaves.
pub(crate) const MINE: &str = "balancer = { plugin = \"mine\", deadline = \"300ms\" }";

/// A request as decisions see it.
#[derive(Clone, Default)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) cookies: HashMap<&'static str, &'static str>,
    pub(crate) tried: Vec<Slot>,
    pub(crate) effects: Effects,
}

impl ExchangeView for Request {
    fn path(&self) -> &str {
        &self.path
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).copied()
    }

    fn client_address(&self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9))
    }

    fn tried(&self) -> &[Slot] {
        &self.tried
    }

    fn effects(&mut self) -> &mut Effects {
        &mut self.effects
    }

    fn copy(&self) -> Box<dyn ExchangeView> {
        Box::new(self.clone())
    }
}

/// A plain request, ready to be lent.
pub(crate) fn request() -> Lent {
    Some(Box::new(Request::default()))
}

/// A host with two workers and the folder that it reads plugins from.
pub(crate) struct Rig {
    pub(crate) host: Arc<Host>,
    pub(crate) plan: Option<Plan>,
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    pub(crate) chains: Vec<Chain>,
    folder: tempfile::TempDir,
}

pub(crate) const WORKERS: usize = 2;

impl Rig {
    pub(crate) fn new() -> Self {
        Self::on(crate::LANES)
    }

    /// A rig whose host uses these lanes.
    pub(crate) fn on(lanes: Lanes) -> Self {
        Self::started(|options| Host::start_on(lanes, options))
    }

    /// A rig of a host that is started so.
    pub(crate) fn started(start: impl FnOnce(HostOptions) -> Result<Arc<Host>, HostError>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = HostOptions {
            workers: WORKERS,
            // Shared by all tests: compiling the default set takes seconds.
            cache: Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled"),
            components: None,
            compiler: Compiler::InProcess,
        };
        let rig = Self {
            host: start(options).unwrap(),
            plan: None,
            snapshot: None,
            chains: Vec::new(),
            folder,
        };
        // The file must be there even where nobody is bound to it.
        rig.place("mine", b"");
        rig
    }

    /// A rig whose pool `web` of three servers has a balancer of this component.
    pub(crate) fn balanced_by(component: &[u8]) -> Self {
        let mut rig = Self::new();
        rig.place("mine", component);
        rig.take(&config(MINE, 3)).unwrap();
        rig
    }

    /// Put a component where the configuration's `[plugins.NAME]` says.
    pub(crate) fn place(&self, name: &str, component: &[u8]) {
        let path = self.folder.path().join(format!("{name}.wasm"));
        std::fs::write(path, component).unwrap();
    }

    /// Remove the component that the configuration's `[plugins.NAME]` names.
    pub(crate) fn remove(&self, name: &str) {
        let path = self.folder.path().join(format!("{name}.wasm"));
        std::fs::remove_file(path).unwrap();
    }

    /// Prepare a configuration and give it to all workers.
    pub(crate) fn take(&mut self, config: &str) -> Result<(), PrepareError> {
        self.take_snapshot(self.next(config))
    }

    /// Rehearse a configuration.
    pub(crate) fn rehearse(&self, config: &str) -> Result<(), PrepareError> {
        let plan = self.plan.as_ref().unwrap();
        self.host.rehearse(&self.next(config), plan)
    }

    fn next(&self, config: &str) -> Arc<Snapshot> {
        let config = config::parse(config, self.folder.path(), &Environment::empty());
        let config = Arc::new(config.unwrap_or_else(|errors| panic!("{errors}")));
        Arc::new(Snapshot::next(self.snapshot.as_deref(), config, WORKERS).unwrap())
    }

    /// Prepare the present configuration again.
    pub(crate) fn retake(&mut self) -> Result<(), PrepareError> {
        self.take_snapshot(Arc::clone(self.snapshot.as_ref().unwrap()))
    }

    fn take_snapshot(&mut self, snapshot: Arc<Snapshot>) -> Result<(), PrepareError> {
        let prepared = self.host.prepare(&snapshot, self.plan.as_ref())?;
        if self.chains.is_empty() {
            let chains = prepared.chains.into_iter();
            self.chains = chains.map(|update| Chain::new(update, &snapshot)).collect();
        } else {
            for (chain, update) in self.chains.iter_mut().zip(prepared.chains) {
                chain.apply(update, &snapshot);
            }
        }
        self.plan = Some(prepared.plan);
        self.snapshot = Some(snapshot);
        Ok(())
    }

    /// The seat of the first pool's balancer on the first worker.
    pub(crate) fn balancer(&mut self) -> &mut Seat {
        &mut self.chains[0].pools[0].balancer
    }

    /// What the seat picks for a key, with a request of its own.
    pub(crate) fn pick(&mut self, key: u64) -> Result<Option<Slot>, gatewright_host::Fault> {
        self.balancer().pick(key, &mut request())
    }
}

/// A configuration with one pool `web` of so many servers, `mine.wasm` declared
/// as the plugin `mine`, and more lines for the pool.
pub(crate) fn config(pool: &str, servers: u16) -> String {
    let server = |number| format!("{{ host = \"192.0.2.1\", port = {} }}", 3000 + number);
    let servers: Vec<_> = (0..servers).map(server).collect();
    let servers = servers.join(", ");
    format!(
        "[plugins.mine]\nfile = \"mine.wasm\"\n[pools.web]\nhealth = false\n{pool}\nservers = [{servers}]\n"
    )
}
