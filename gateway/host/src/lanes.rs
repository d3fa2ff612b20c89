//! The two lanes into a plugin, as one: a seat asks a role and does not know
//! whether a component answers or its main module does.

use wasmtime::Store;

use crate::contract::imports::types::{ConfigError, Endpoint, Outcome};
use crate::contract::{interface, roles};
use crate::direct;
use crate::guest::Guest;

/// Which lanes a host uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lanes {
    /// The direct one for components that can take it.
    #[default]
    Both,
    /// The component model's for all: the reference that the direct lane is
    /// tested and measured against.
    ComponentOnly,
}

/// One lane of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Through the component model.
    Component,
    /// Through the main module's own functions.
    Direct,
}

/// An instance in one of the lanes.
pub(crate) enum Instantiated {
    Component(wasmtime::component::Instance),
    Direct(wasmtime::Instance),
}

/// The contract's name of the function that a generated `call_…` calls.
fn function(call: &str) -> &str {
    call.trim_start_matches("call_")
}

/// The type of an answer, which some functions have not.
macro_rules! answer {
    () => {
        ()
    };
    ($answer:ty) => {
        $answer
    };
}

/// An interface of the contract, in either lane.
macro_rules! either {
    (
        $(#[$doc:meta])*
        $name:ident of $interface:ident:
        $($call:ident($($argument:ident: $type:ty),*) $(-> $answer:ty)?;)+
    ) => {
        $(#[$doc])*
        pub(crate) enum $name {
            Component(roles::$interface::Guest),
            Direct(Box<direct::roles::$name>),
        }

        impl $name {
            $(
                pub(crate) fn $call(
                    &self,
                    store: &mut Store<Guest>,
                    $($argument: $type,)*
                ) -> wasmtime::Result<answer!($($answer)?)> {
                    match self {
                        Self::Component(role) => role.$call(store, $($argument),*),
                        Self::Direct(role) => role.$call(store, $($argument),*),
                    }
                }
            )+

            /// The first function of a component's that has another type than
            /// the contract says, with the interface: the generated lookup does
            /// not say which it is.
            pub(crate) fn mistyped(
                store: &mut Store<Guest>,
                instance: &wasmtime::component::Instance,
            ) -> Option<String> {
                let interface = interface(stringify!($interface));
                let inside = instance.get_export_index(&mut *store, None, &interface)?;
                $(
                    let name = function(stringify!($call));
                    let index = instance.get_export_index(&mut *store, Some(&inside), name)?;
                    let found = instance.get_func(&mut *store, index)?;
                    if found.typed::<($($type,)*), ($($answer,)?)>(&*store).is_err() {
                        return Some(format!("`{name}` of {interface}"));
                    }
                )+
                None
            }
        }
    };
}

either! {
    /// A request policy's.
    Screening of screening:
    call_configure(config: &str) -> Result<(), ConfigError>;
    call_check(method: &str, authority: &str, path: &str) -> roles::screening::Verdict;
}

either! {
    /// The router's.
    Routing of routing:
    call_configure(config: &str) -> Result<(), ConfigError>;
    call_route(method: &str, authority: &str, path: &str) -> roles::routing::Decision;
}

either! {
    /// An affinity's.
    Sticking of sticking:
    call_configure(config: &str) -> Result<(), ConfigError>;
    call_update(endpoints: &[Endpoint]);
    call_eligible(slots: &[u32]);
    call_lookup() -> Option<u32>;
    call_bind(slot: u32);
}

either! {
    /// A balancer's.
    Balancing of balancing:
    call_configure(config: &str) -> Result<(), ConfigError>;
    call_update(endpoints: &[Endpoint]);
    call_eligible(slots: &[u32]);
    call_pick(key: u64) -> Option<u32>;
}

either! {
    /// A scanning balancer's.
    Scanning of scanning:
    call_configure(config: &str) -> Result<(), ConfigError>;
    call_update(endpoints: &[Endpoint]);
    call_eligible(slots: &[u32]);
    call_pick(key: u64, load: &[u32]) -> Option<u32>;
}

either! {
    /// A response policy's.
    Finishing of finishing:
    call_configure(config: &str) -> Result<(), ConfigError>;
    call_finish(status: u16);
}

either! {
    /// Hearing outcomes.
    Observing of observing:
    call_observe(outcomes: &[Outcome]);
}

either! {
    /// Handing state over.
    Handover of handover:
    call_save() -> (u32, Vec<u8>);
    call_restore(schema: u32, state: &[u8]) -> Result<(), String>;
}
