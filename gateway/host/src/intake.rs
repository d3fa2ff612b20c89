//! Taking in a component that somebody uploads: it is checked against the
//! contract, compiled, and tried in every role that it has. It decides nothing
//! until it is kept and a binding names it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_model::config::{PluginSource, USUAL_DEADLINE};
use gatewright_model::id::{Digest, PluginName};
use gatewright_model::role::Role;
use gatewright_model::signature::{KeyId, PluginKey};
use gatewright_model::snapshot::Snapshot;

use crate::about::About;
use crate::admission::{self, Refusal};
use crate::binding::{Binding, Part, Place, Terms};
use crate::host::Host;
use crate::lanes::Lane;
use crate::trial;
use crate::trust::Brought;
use crate::version::Version;

/// Exports that are kept of a component: the contract has a few, and whatever
/// else a stranger exports is nobody's.
const MOST_EXPORTS: usize = 100;

/// What a component is.
#[derive(Clone, Debug)]
pub struct Component {
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// How many those are.
    pub size: u64,
    /// The roles that it has.
    pub roles: Vec<Role>,
    /// The interfaces of the contract that it imports.
    pub imports: Vec<String>,
    /// The interfaces that it exports, the first 100.
    pub exports: Vec<String>,
    /// What it says of itself.
    pub about: About,
    /// Whether it is run without the component model between.
    pub is_direct: bool,
    /// How long it took to compile and try it; next to nothing for one that
    /// was compiled before.
    pub took: Duration,
}

impl Component {
    fn of(version: &Version, bytes: &[u8], began: Instant) -> Self {
        Self {
            digest: version.digest,
            size: bytes.len() as u64,
            roles: roles(version),
            imports: version.imported(),
            exports: exported(version),
            about: About::of(bytes),
            is_direct: version.lane() == Lane::Direct,
            took: began.elapsed(),
        }
    }
}

/// The names of what it exports, as far as they are kept.
fn exported(version: &Version) -> Vec<String> {
    let mut exports = version.exports();
    exports.truncate(MOST_EXPORTS);
    exports.iter().map(|name| admission::short(name)).collect()
}

fn roles(version: &Version) -> Vec<Role> {
    let roles = Role::ALL.into_iter();
    roles.filter(|role| version.has_role(*role)).collect()
}

impl Host {
    /// Take in a version of a plugin with what its source allows it. Compiling
    /// may take minutes; never call it on a worker.
    ///
    /// # Errors
    ///
    /// When nobody has signed it whose signature it needs, it is no component,
    /// does not fit the contract, imports what it is not granted, or faults in a
    /// trial. That it refuses an empty configuration is no reason: the binding may
    /// bring another.
    pub fn take_in(
        &self,
        plugin: &PluginName,
        brought: &Brought<'_>,
        source: &PluginSource,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Component, Refusal> {
        brought.check(&snapshot.config.admin.plugin_keys)?;
        let taken = self.try_and_keep(plugin, brought.component, source, snapshot);
        if taken.is_err() {
            self.library.refuse(plugin, brought.component);
        }
        taken
    }

    fn try_and_keep(
        &self,
        plugin: &PluginName,
        component: &[u8],
        source: &PluginSource,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Component, Refusal> {
        let began = Instant::now();
        let version = self.library.version_brought(component)?;
        let roles = roles(&version);
        if roles.is_empty() {
            return Err(Refusal::without_role(&version.exports()));
        }
        version.within(&source.grants, plugin)?;
        for role in &roles {
            self.try_in(*role, plugin, &version, source, snapshot)?;
        }
        Ok(Component::of(&version, component, began))
    }

    /// Keep a component that was taken in, unless it is kept, and its signature.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn keep(&self, digest: Digest, brought: &Brought<'_>) -> Result<(), Refusal> {
        self.library.keep(digest, brought)
    }

    /// Which of some keys has signed a component that is kept; none where none
    /// has. Reads the component the first time.
    pub fn signer(&self, digest: Digest, keys: &[PluginKey]) -> Option<KeyId> {
        self.library.signer(digest, keys).ok()
    }

    /// The signature that is kept with a component, as minisign's file holds it.
    pub fn signature(&self, digest: Digest) -> Option<String> {
        self.library.signature(digest)
    }

    /// Compile a version that is kept, so that whoever binds it need not wait for that;
    /// nothing where it is compiled. May take minutes; never call it on a worker. A
    /// preparation that needs it meanwhile waits for this and compiles nothing.
    ///
    /// # Errors
    ///
    /// When it is not kept, none of the keys has signed it where there are any, or it
    /// cannot be compiled.
    pub fn compile_ahead(&self, digest: Digest, keys: &[PluginKey]) -> Result<(), Refusal> {
        self.library.compile_ahead(digest, keys)
    }

    /// Whether there is compiled code of a version here, so that binding it compiles
    /// nothing.
    pub fn is_compiled(&self, digest: Digest) -> bool {
        self.library.is_compiled(digest)
    }

    /// What a version is that is kept or built in. Compiles it unless that was
    /// done before; never call it on a worker.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be had any more.
    pub fn describe(&self, plugin: &PluginName, digest: Digest) -> Result<Component, Refusal> {
        let began = Instant::now();
        let version = self.library.version_at(plugin, None, digest, &[])?;
        let bytes = self.library.component(plugin, digest);
        let bytes = bytes.map_err(|error| Refusal::Unkept { digest, error })?;
        Ok(Component::of(&version, &bytes, began))
    }

    /// The bytes of a version that is kept or built in.
    ///
    /// # Errors
    ///
    /// Of the kind "not found" where there is none.
    pub fn component(&self, plugin: &PluginName, digest: Digest) -> io::Result<Vec<u8>> {
        self.library.component(plugin, digest)
    }

    /// Keep a version no more. One that is in force stays so until the next
    /// start.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn forget(&self, digest: Digest) -> io::Result<()> {
        self.library.forget(digest)
    }

    /// The digests of all versions that are kept.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn kept(&self) -> io::Result<Vec<Digest>> {
        self.library.kept()
    }

    fn try_in(
        &self,
        role: Role,
        plugin: &PluginName,
        version: &Arc<Version>,
        source: &PluginSource,
        snapshot: &Arc<Snapshot>,
    ) -> Result<(), Refusal> {
        let pool = snapshot.pools.first().filter(|_| role.is_of_a_pool());
        let pools = snapshot.pools.iter().map(|pool| pool.name.clone());
        let terms = Terms {
            place: Place {
                role,
                pool: pool.map(|pool| pool.name.clone()),
                plugin: plugin.clone(),
                policy: None,
                part: Part::Active,
            },
            version: version.digest,
            config: Arc::from("{}"),
            // Nobody has bound it, and so nobody has said otherwise.
            deadline: USUAL_DEADLINE.0,
            cpu_share: None,
            grants: source.grants.clone(),
            memory: source.memory,
            pools: pools.collect(),
        };
        let nothing = (Arc::default(), Some(Arc::default()));
        let shared = Arc::clone(&self.shared);
        let binding = Binding::new(terms, Arc::clone(version), nothing, shared, 1);
        match trial::hold(binding, snapshot, pool) {
            Err(Refusal::Config { .. }) => Ok(()),
            held => held,
        }
    }
}
