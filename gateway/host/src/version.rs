//! A version of a plugin: a component, compiled and linked, and the roles that
//! it has. Where the component can take the direct lane, its main module is
//! here beside it.

use gatewright_model::id::{Digest, PluginName};
use gatewright_model::role::{Grant, Role};
use wasmtime::component::InstancePre;
use wasmtime::{Engine, Store};

use crate::admission::{self, Imports, Refusal};
use crate::code::Loaded;
use crate::contract::roles::{
    balancing, finishing, handover, observing, routing, scanning, screening, sticking,
};
use crate::direct::{self, Linked};
use crate::guest::Guest;
use crate::imports::Linkers;
use crate::lanes::{self, Instantiated, Lane};

/// A component that may be seated.
pub(crate) struct Version {
    /// The digest of its bytes.
    pub(crate) digest: Digest,
    /// What it imports.
    pub(crate) imports: Imports,
    pre: InstancePre<Guest>,
    direct: Option<Linked>,
    roles: Roles,
}

/// Where a component's exports are, by interface.
#[derive(Clone)]
struct Roles {
    screening: Option<screening::GuestIndices>,
    routing: Option<routing::GuestIndices>,
    sticking: Option<sticking::GuestIndices>,
    balancing: Option<balancing::GuestIndices>,
    scanning: Option<scanning::GuestIndices>,
    finishing: Option<finishing::GuestIndices>,
    observing: Option<observing::GuestIndices>,
    handover: Option<handover::GuestIndices>,
}

/// The functions of a role, in one instance.
pub(crate) enum Calls {
    /// A request policy's.
    Screening(lanes::Screening),
    /// The router's.
    Routing(lanes::Routing),
    /// An affinity's.
    Sticking(lanes::Sticking),
    /// A balancer's.
    Balancing(lanes::Balancing),
    /// A scanning balancer's.
    Scanning(lanes::Scanning),
    /// A response policy's.
    Finishing(lanes::Finishing),
}

/// The functions that a seat uses, in one instance.
pub(crate) struct Functions {
    /// The role's.
    pub(crate) calls: Calls,
    /// Hearing outcomes, if exported.
    pub(crate) observing: Option<lanes::Observing>,
    /// Handing state over, if exported.
    pub(crate) handover: Option<lanes::Handover>,
}

impl Version {
    /// Check a compiled component against the contract.
    pub(crate) fn new(digest: Digest, code: &Loaded, linkers: &Linkers) -> Result<Self, Refusal> {
        let component = &code.component;
        let engine: &Engine = linkers.component.engine();
        let imports = admission::imports(engine, component)?;
        let linked = linkers.component.instantiate_pre(component);
        let pre = linked.map_err(|error| Refusal::Link(format!("{error:#}")))?;
        let roles = Roles::of(engine, &pre)?;
        let direct = match (&code.main, &linkers.direct) {
            (Some(main), Some(linker)) => Linked::new(main, linker),
            _ => None,
        };
        Ok(Self {
            digest,
            imports,
            pre,
            direct,
            roles,
        })
    }

    /// The lane that its instances take.
    pub(crate) fn lane(&self) -> Lane {
        match self.direct {
            Some(_) => Lane::Direct,
            None => Lane::Component,
        }
    }

    /// The role that it has in a seat that was written as `role`: the same, but
    /// a policy that can only finish is a response policy.
    pub(crate) fn role_as(&self, role: Role) -> Role {
        let only_finishes = self.roles.screening.is_none() && self.roles.finishing.is_some();
        match role {
            Role::RequestPolicy if only_finishes => Role::ResponsePolicy,
            role => role,
        }
    }

    /// Whether it exports what a role needs.
    pub(crate) fn has_role(&self, role: Role) -> bool {
        let roles = &self.roles;
        match role {
            Role::RequestPolicy => roles.screening.is_some(),
            Role::Router => roles.routing.is_some(),
            Role::Affinity => roles.sticking.is_some(),
            Role::Balancer => roles.balancing.is_some() || roles.scanning.is_some(),
            Role::ResponsePolicy => roles.finishing.is_some(),
        }
    }

    /// Whether it wants to hear how attempts ended.
    pub(crate) fn observes(&self) -> bool {
        self.roles.observing.is_some()
    }

    /// Refuse it where it imports what its plugin has no grant for.
    pub(crate) fn within(&self, grants: &[Grant], plugin: &PluginName) -> Result<(), Refusal> {
        let needed = self.imports.grants.iter().copied();
        let lacking: Vec<_> = needed.filter(|grant| !grants.contains(grant)).collect();
        match lacking.first() {
            None => Ok(()),
            Some(grant) => Err(Refusal::NotGranted {
                grant: *grant,
                needed: [grants, lacking.as_slice()].concat(),
                plugin: plugin.clone(),
            }),
        }
    }

    /// The names of the interfaces that it exports.
    pub(crate) fn exports(&self) -> Vec<String> {
        let engine = self.pre.engine();
        let component = self.pre.component().component_type();
        let exports = component.exports(engine);
        exports.map(|(name, _)| name.to_owned()).collect()
    }

    /// The names of the interfaces that it imports.
    pub(crate) fn imported(&self) -> Vec<String> {
        let engine = self.pre.engine();
        let component = self.pre.component().component_type();
        let imports = component.imports(engine);
        imports.map(|(name, _)| name.to_owned()).collect()
    }

    /// A new instance in a store that has none yet. A version that has no
    /// direct lane takes the other one.
    pub(crate) fn instantiate(
        &self,
        lane: Lane,
        store: &mut Store<Guest>,
    ) -> wasmtime::Result<Instantiated> {
        match (lane, &self.direct) {
            (Lane::Direct, Some(linked)) => linked.instantiate(store).map(Instantiated::Direct),
            _ => self.pre.instantiate(store).map(Instantiated::Component),
        }
    }

    /// The functions that a seat of this role uses; none when the component
    /// has not the role. Fails where a function has another type than the
    /// contract says: in the component's lane, since core functions tell only
    /// half of it.
    pub(crate) fn functions(
        &self,
        role: Role,
        store: &mut Store<Guest>,
        instance: &Instantiated,
    ) -> wasmtime::Result<Option<Functions>> {
        let mut finder = Finder {
            roles: &self.roles,
            store,
            instance,
        };
        let Some(calls) = finder.calls(role)? else {
            return Ok(None);
        };
        Ok(Some(Functions {
            calls,
            observing: finder.observing()?,
            handover: finder.handover()?,
        }))
    }
}

/// Look up an interface's functions, if the component exports the interface.
macro_rules! role {
    ($engine:expr, $pre:expr, $interface:ident) => {
        match admission::exports($engine, $pre.component(), stringify!($interface)) {
            true => Some(
                $interface::GuestIndices::new($pre).map_err(|error| Refusal::incomplete(&error))?,
            ),
            false => None,
        }
    };
}

impl Roles {
    fn of(engine: &Engine, pre: &InstancePre<Guest>) -> Result<Self, Refusal> {
        Ok(Self {
            screening: role!(engine, pre, screening),
            routing: role!(engine, pre, routing),
            sticking: role!(engine, pre, sticking),
            balancing: role!(engine, pre, balancing),
            scanning: role!(engine, pre, scanning),
            finishing: role!(engine, pre, finishing),
            observing: role!(engine, pre, observing),
            handover: role!(engine, pre, handover),
        })
    }
}

/// Looks functions up in an instance.
struct Finder<'a> {
    roles: &'a Roles,
    store: &'a mut Store<Guest>,
    instance: &'a Instantiated,
}

/// A lookup of an interface, if the component exports it.
macro_rules! find {
    ($interface:ident, $either:ident) => {
        fn $interface(&mut self) -> wasmtime::Result<Option<lanes::$either>> {
            let Some(indices) = &self.roles.$interface else {
                return Ok(None);
            };
            let store = &mut *self.store;
            Ok(Some(match self.instance {
                Instantiated::Component(instance) => {
                    let loaded = indices.load(&mut *store, instance);
                    lanes::$either::Component(loaded.map_err(
                        |error| match lanes::$either::mistyped(store, instance) {
                            Some(function) => error.context(function),
                            None => error,
                        },
                    )?)
                }
                Instantiated::Direct(instance) => {
                    lanes::$either::Direct(Box::new(direct::roles::$either::load(store, instance)?))
                }
            }))
        }
    };
}

impl Finder<'_> {
    find!(screening, Screening);
    find!(routing, Routing);
    find!(sticking, Sticking);
    find!(balancing, Balancing);
    find!(scanning, Scanning);
    find!(finishing, Finishing);
    find!(observing, Observing);
    find!(handover, Handover);

    fn calls(&mut self, role: Role) -> wasmtime::Result<Option<Calls>> {
        Ok(match role {
            Role::RequestPolicy => self.screening()?.map(Calls::Screening),
            Role::Router => self.routing()?.map(Calls::Routing),
            Role::Affinity => self.sticking()?.map(Calls::Sticking),
            // A component with both is asked the cheaper question.
            Role::Balancer => match self.balancing()? {
                Some(balancing) => Some(Calls::Balancing(balancing)),
                None => self.scanning()?.map(Calls::Scanning),
            },
            Role::ResponsePolicy => self.finishing()?.map(Calls::Finishing),
        })
    }
}
