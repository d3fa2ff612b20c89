//! The two lanes into a plugin, as one: a seat asks a role and does not know
//! whether a component answers or its main module does.

use wasmtime::Store;

use crate::contract::imports::types::{ConfigError, Endpoint, Outcome};
use crate::contract::{interface, roles};
use crate::direct;
use crate::guest::Guest;
use crate::view;

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

/// The head of the exchange that is being decided about, copied because the
/// exchange stays in the store.
fn head(store: &Store<Guest>) -> [String; 3] {
    view::head(store.data().view()).map(str::to_owned)
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
        $(@head $asked:ident -> $verdict:ty;)?
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

            $(
                pub(crate) fn $asked(
                    &self,
                    store: &mut Store<Guest>,
                ) -> wasmtime::Result<$verdict> {
                    match self {
                        Self::Component(role) => {
                            let [method, authority, path] = head(store);
                            role.$asked(store, &method, &authority, &path)
                        }
                        Self::Direct(role) => role.$asked(store),
                    }
                }
            )?

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
                $(
                    let name = function(stringify!($asked));
                    let index = instance.get_export_index(&mut *store, Some(&inside), name)?;
                    let found = instance.get_func(&mut *store, index)?;
                    if found.typed::<(&str, &str, &str), ($verdict,)>(&*store).is_err() {
                        return Some(format!("`{name}` of {interface}"));
                    }
                )?
                None
            }
        }
    };
}

either! {
    /// A request policy's.
    Screening of screening:
    call_configure(config: &str) -> Result<(), ConfigError>;
    @head call_check -> roles::screening::Verdict;
}

either! {
    /// The router's.
    Routing of routing:
    call_configure(config: &str) -> Result<(), ConfigError>;
    @head call_route -> roles::routing::Decision;
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
