//! A version of a plugin: a component, compiled and linked, and the roles that
//! it has.

use gatewright_model::id::Digest;
use gatewright_model::role::{Grant, Role};
use wasmtime::component::{Component, Instance, InstancePre, Linker};
use wasmtime::{AsContextMut, Engine};

use crate::admission::{self, Imports, Refusal};
use crate::contract::roles::{
    balancing, finishing, handover, observing, routing, scanning, screening, sticking,
};
use crate::guest::Guest;

/// A component that may be seated.
pub(crate) struct Version {
    /// The digest of its bytes.
    pub(crate) digest: Digest,
    /// What it imports.
    pub(crate) imports: Imports,
    pre: InstancePre<Guest>,
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
    Screening(screening::Guest),
    /// The router's.
    Routing(routing::Guest),
    /// An affinity's.
    Sticking(sticking::Guest),
    /// A balancer's.
    Balancing(balancing::Guest),
    /// A scanning balancer's.
    Scanning(scanning::Guest),
    /// A response policy's.
    Finishing(finishing::Guest),
}

/// The functions that a seat uses, in one instance.
pub(crate) struct Functions {
    /// The role's.
    pub(crate) calls: Calls,
    /// Hearing outcomes, if exported.
    pub(crate) observing: Option<observing::Guest>,
    /// Handing state over, if exported.
    pub(crate) handover: Option<handover::Guest>,
}

impl Version {
    /// Check a compiled component against the contract.
    pub(crate) fn new(
        digest: Digest,
        component: &Component,
        linker: &Linker<Guest>,
    ) -> Result<Self, Refusal> {
        let engine: &Engine = linker.engine();
        let imports = admission::imports(engine, component)?;
        let linked = linker.instantiate_pre(component);
        let pre = linked.map_err(|error| Refusal::Link(format!("{error:#}")))?;
        let roles = Roles::of(engine, &pre)?;
        Ok(Self {
            digest,
            imports,
            pre,
            roles,
        })
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

    /// The first of these grants' imports that it needs beyond `grants`.
    pub(crate) fn lacks(&self, grants: &[Grant]) -> Option<Grant> {
        let needed = self.imports.grants.iter().copied();
        needed.into_iter().find(|grant| !grants.contains(grant))
    }

    /// The names of the interfaces that it exports.
    pub(crate) fn exports(&self) -> Vec<String> {
        let engine = self.pre.engine();
        let component = self.pre.component().component_type();
        let exports = component.exports(engine);
        exports.map(|(name, _)| name.to_owned()).collect()
    }

    /// A new instance in a store.
    pub(crate) fn instantiate(
        &self,
        store: impl AsContextMut<Data = Guest>,
    ) -> wasmtime::Result<Instance> {
        self.pre.instantiate(store)
    }

    /// The functions that a seat of this role uses; none when the component
    /// has not the role. Fails where a function has another type than the
    /// contract says.
    pub(crate) fn functions(
        &self,
        role: Role,
        mut store: impl AsContextMut<Data = Guest>,
        instance: &Instance,
    ) -> wasmtime::Result<Option<Functions>> {
        let Some(calls) = self.roles.calls(role, &mut store, instance)? else {
            return Ok(None);
        };
        let observing = match &self.roles.observing {
            Some(indices) => Some(indices.load(&mut store, instance)?),
            None => None,
        };
        let handover = match &self.roles.handover {
            Some(indices) => Some(indices.load(&mut store, instance)?),
            None => None,
        };
        Ok(Some(Functions {
            calls,
            observing,
            handover,
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

    fn calls(
        &self,
        role: Role,
        mut store: impl AsContextMut<Data = Guest>,
        instance: &Instance,
    ) -> wasmtime::Result<Option<Calls>> {
        let store = &mut store;
        Ok(match (role, self) {
            (
                Role::RequestPolicy,
                Self {
                    screening: Some(indices),
                    ..
                },
            ) => Some(Calls::Screening(indices.load(store, instance)?)),
            (
                Role::Router,
                Self {
                    routing: Some(indices),
                    ..
                },
            ) => Some(Calls::Routing(indices.load(store, instance)?)),
            (
                Role::Affinity,
                Self {
                    sticking: Some(indices),
                    ..
                },
            ) => Some(Calls::Sticking(indices.load(store, instance)?)),
            // A component with both is asked the cheaper question.
            (
                Role::Balancer,
                Self {
                    balancing: Some(indices),
                    ..
                },
            ) => Some(Calls::Balancing(indices.load(store, instance)?)),
            (
                Role::Balancer,
                Self {
                    scanning: Some(indices),
                    ..
                },
            ) => Some(Calls::Scanning(indices.load(store, instance)?)),
            (
                Role::ResponsePolicy,
                Self {
                    finishing: Some(indices),
                    ..
                },
            ) => Some(Calls::Finishing(indices.load(store, instance)?)),
            _ => None,
        })
    }
}
