//! The adapters that `export!` puts between a component's exports and a
//! plugin: one macro an interface, each an implementation of the generated
//! `Guest` trait that calls the one instance.

/// `configure`, which every role has.
#[doc(hidden)]
#[macro_export]
macro_rules! __configure {
    ($plugin:ty, $role:ident, $instance:ident) => {
        fn configure(config: $crate::__String) -> ::core::result::Result<(), $crate::ConfigError> {
            $instance.configure(config, <$plugin as $crate::$role>::configure)
        }
    };
}

/// `update` and `eligible`, which the roles have that know a pool.
#[doc(hidden)]
#[macro_export]
macro_rules! __members {
    ($plugin:ty, $role:ident, $instance:ident) => {
        fn update(endpoints: $crate::__Vec<$crate::Endpoint>) {
            $instance.call(|plugin| <$plugin as $crate::$role>::update(plugin, endpoints));
        }

        fn eligible(slots: $crate::__Vec<$crate::Slot>) {
            $instance.call(|plugin| <$plugin as $crate::$role>::eligible(plugin, slots));
        }
    };
}

/// The interface `routing` for a type that is a [`Router`](crate::Router).
#[doc(hidden)]
#[macro_export]
macro_rules! __export_router {
    ($plugin:ty, $exported:ident, $instance:ident) => {
        impl $crate::bindings::routing::exports::gatewright::plugin::routing::Guest for $exported {
            $crate::__configure!($plugin, Router, $instance);

            fn route(
                method: $crate::__String,
                authority: $crate::__String,
                path: $crate::__String,
            ) -> $crate::Decision {
                let decision = $instance.call(|plugin| {
                    <$plugin as $crate::Router>::route(plugin, &method, &authority, &path)
                });
                let at = method.as_ptr();
                $crate::exporting::put_away((method, authority, path), at);
                decision.unwrap_or($crate::Decision::Unmatched)
            }
        }
        $crate::bindings::routing::__export_routing!($exported with_types_in $crate::bindings::routing);
    };
}

/// The interface `sticking` for a type that is a [`Affinity`](crate::Affinity).
#[doc(hidden)]
#[macro_export]
macro_rules! __export_affinity {
    ($plugin:ty, $exported:ident, $instance:ident) => {
        impl $crate::bindings::sticking::exports::gatewright::plugin::sticking::Guest for $exported {
            $crate::__configure!($plugin, Affinity, $instance);
            $crate::__members!($plugin, Affinity, $instance);

            fn lookup() -> ::core::option::Option<$crate::Slot> {
                $instance.call(<$plugin as $crate::Affinity>::lookup).flatten()
            }

            fn bind(answered: $crate::Slot) {
                $instance.call(|plugin| <$plugin as $crate::Affinity>::bind(plugin, answered));
            }
        }
        $crate::bindings::sticking::__export_sticking!($exported with_types_in $crate::bindings::sticking);
    };
}

/// The interface `balancing` for a type that is a [`Balancer`](crate::Balancer).
#[doc(hidden)]
#[macro_export]
macro_rules! __export_balancer {
    ($plugin:ty, $exported:ident, $instance:ident) => {
        impl $crate::bindings::balancing::exports::gatewright::plugin::balancing::Guest for $exported {
            $crate::__configure!($plugin, Balancer, $instance);
            $crate::__members!($plugin, Balancer, $instance);

            fn pick(key: u64) -> ::core::option::Option<$crate::Slot> {
                let slot = $instance.call(|plugin| <$plugin as $crate::Balancer>::pick(plugin, key));
                slot.flatten()
            }
        }
        $crate::bindings::balancing::__export_balancing!($exported with_types_in $crate::bindings::balancing);
    };
}

/// The interface `scanning` for a type that is a [`ScanningBalancer`](crate::ScanningBalancer).
#[doc(hidden)]
#[macro_export]
macro_rules! __export_scanning_balancer {
    ($plugin:ty, $exported:ident, $instance:ident) => {
        impl $crate::bindings::scanning::exports::gatewright::plugin::scanning::Guest for $exported {
            $crate::__configure!($plugin, ScanningBalancer, $instance);
            $crate::__members!($plugin, ScanningBalancer, $instance);

            fn pick(
                key: u64,
                load: $crate::__Vec<u32>,
            ) -> ::core::option::Option<$crate::Slot> {
                let slot = $instance.call(|plugin| {
                    <$plugin as $crate::ScanningBalancer>::pick(plugin, key, &load)
                });
                let at = load.as_ptr().cast();
                $crate::exporting::put_away(load, at);
                slot.flatten()
            }
        }
        $crate::bindings::scanning::__export_scanning!($exported with_types_in $crate::bindings::scanning);
    };
}

/// The interface `screening` for a type that is a [`RequestPolicy`](crate::RequestPolicy).
#[doc(hidden)]
#[macro_export]
macro_rules! __export_request_policy {
    ($plugin:ty, $exported:ident, $instance:ident) => {
        impl $crate::bindings::screening::exports::gatewright::plugin::screening::Guest for $exported {
            $crate::__configure!($plugin, RequestPolicy, $instance);

            fn check(
                method: $crate::__String,
                authority: $crate::__String,
                path: $crate::__String,
            ) -> $crate::Verdict {
                let verdict = $instance.call(|plugin| {
                    <$plugin as $crate::RequestPolicy>::check(plugin, &method, &authority, &path)
                });
                let at = method.as_ptr();
                $crate::exporting::put_away((method, authority, path), at);
                // A policy without a configuration cannot vouch for anything.
                verdict.unwrap_or($crate::Verdict::Answer(503))
            }
        }
        $crate::bindings::screening::__export_screening!($exported with_types_in $crate::bindings::screening);
    };
}

/// The interface `finishing` for a type that is a [`ResponsePolicy`](crate::ResponsePolicy).
#[doc(hidden)]
#[macro_export]
macro_rules! __export_response_policy {
    ($plugin:ty, $exported:ident, $instance:ident) => {
        impl $crate::bindings::finishing::exports::gatewright::plugin::finishing::Guest for $exported {
            $crate::__configure!($plugin, ResponsePolicy, $instance);

            fn finish(status: u16) {
                $instance.call(|plugin| <$plugin as $crate::ResponsePolicy>::finish(plugin, status));
            }
        }
        $crate::bindings::finishing::__export_finishing!($exported with_types_in $crate::bindings::finishing);
    };
}

/// The interface `observing` for a type that is a [`Observer`](crate::Observer).
#[doc(hidden)]
#[macro_export]
macro_rules! __export_observer {
    ($plugin:ty, $exported:ident, $instance:ident) => {
        impl $crate::bindings::observing::exports::gatewright::plugin::observing::Guest for $exported {
            fn observe(outcomes: $crate::__Vec<$crate::Outcome>) {
                $instance.call(|plugin| <$plugin as $crate::Observer>::observe(plugin, &outcomes));
            }
        }
        $crate::bindings::observing::__export_observing!($exported with_types_in $crate::bindings::observing);
    };
}

/// The interface `handover` for a type that is a [`Handover`](crate::Handover).
#[doc(hidden)]
#[macro_export]
macro_rules! __export_handover {
    ($plugin:ty, $exported:ident, $instance:ident) => {
        impl $crate::bindings::handing_over::exports::gatewright::plugin::handover::Guest for $exported {
            fn save() -> (u32, $crate::__Vec<u8>) {
                let saved = $instance.call(<$plugin as $crate::Handover>::save);
                saved.unwrap_or_default()
            }

            fn restore(
                schema: u32,
                state: $crate::__Vec<u8>,
            ) -> ::core::result::Result<(), $crate::__String> {
                let restored = $instance.call(|plugin| {
                    <$plugin as $crate::Handover>::restore(plugin, schema, &state)
                });
                restored.unwrap_or(::core::result::Result::Ok(()))
            }
        }
        $crate::bindings::handing_over::__export_handing_over!($exported with_types_in $crate::bindings::handing_over);
    };
}
