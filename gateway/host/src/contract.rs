//! The contract's bindings, generated from `wit/`: one world that imports all
//! there is to grant and exports every role. Nobody implements that world; its
//! parts are looked up one by one, because a component has the roles that it
//! pleases and the optional interfaces that it needs.

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package gatewright:host;

        world seats {
            include gatewright:plugin/everything@0.1.0;
            export gatewright:plugin/screening@0.1.0;
            export gatewright:plugin/routing@0.1.0;
            export gatewright:plugin/balancing@0.1.0;
            export gatewright:plugin/scanning@0.1.0;
            export gatewright:plugin/finishing@0.1.0;
            export gatewright:plugin/observing@0.1.0;
            export gatewright:plugin/handover@0.1.0;
        }
    ",
    world: "gatewright:host/seats",
});

/// The interfaces that components export.
pub(crate) mod roles {
    pub(crate) use super::exports::gatewright::plugin::{
        balancing, finishing, handover, observing, routing, scanning, screening,
    };
    pub(crate) use crate::sticking;
}
pub(crate) use gatewright::plugin as imports;

/// The contract's package, as interface names begin.
pub const PACKAGE: &str = "gatewright:plugin/";

/// The contract's version, as this gateway speaks it.
pub const VERSION: &str = "0.1.0";

/// The full name of one of the contract's interfaces.
pub(crate) fn interface(name: &str) -> String {
    format!("{PACKAGE}{name}@{VERSION}")
}
