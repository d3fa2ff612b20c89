//! What stands between the contract's free functions and a plugin's own type:
//! the one instance of a component and the `export!` macro.

#[cfg(any(test, all(target_arch = "wasm32", not(target_feature = "atomics"))))]
pub use crate::tray::put_away;
#[cfg(target_arch = "wasm32")]
pub use guest::Instance;

#[cfg(target_arch = "wasm32")]
mod guest {
    use alloc::string::String;
    use core::cell::RefCell;

    use crate::{ConfigError, Configuration};

    /// The component's one instance, empty until it is configured.
    #[derive(Default)]
    pub struct Instance<T>(RefCell<Option<T>>);

    // SAFETY: a component's module is built without threads and never shares
    // its memory, so there is only ever one thread to use the cell.
    #[cfg(not(target_feature = "atomics"))]
    unsafe impl<T> Sync for Instance<T> {}

    impl<T> Instance<T> {
        /// An instance that is not configured yet.
        pub const fn new() -> Self {
            Self(RefCell::new(None))
        }

        /// Make the plugin from its configuration.
        ///
        /// # Errors
        ///
        /// When the text does not fit `C`, or `make` refuses it.
        #[expect(
            clippy::needless_pass_by_value,
            reason = "the contract hands strings over"
        )]
        pub fn configure<C: Configuration>(
            &self,
            json: String,
            make: impl FnOnce(C) -> Result<T, ConfigError>,
        ) -> Result<(), ConfigError> {
            #[cfg(feature = "std")]
            crate::panicking::report_to_log();
            let plugin = make(C::from_json(&json)?)?;
            self.0.replace(Some(plugin));
            Ok(())
        }

        /// Call the plugin; none when it was never configured.
        #[inline]
        pub fn call<R>(&self, function: impl FnOnce(&mut T) -> R) -> Option<R> {
            self.0.try_borrow_mut().ok()?.as_mut().map(function)
        }
    }
}

/// Make a component of a type: name the roles and the optional interfaces that
/// it implements.
///
/// ```
/// # use gatewright_plugin_sdk::{export, Balancer, ConfigError, NoConfig, Observer, Outcome, Slot};
/// # struct Mine;
/// # impl Balancer for Mine {
/// #     type Config = NoConfig;
/// #     fn configure(_: NoConfig) -> Result<Self, ConfigError> { Ok(Self) }
/// #     fn pick(&mut self, _: u64) -> Option<Slot> { None }
/// # }
/// # impl Observer for Mine { fn observe(&mut self, _: &[Outcome]) {} }
/// export!(Mine: balancer + observer);
/// # fn main() {}
/// ```
///
/// Roles have their worlds' names: `router`, `affinity`, `balancer`,
/// `scanning-balancer`, `request-policy`, `response-policy`. The optional
/// interfaces are `observer` and `handover`. What a component imports follows
/// from what the code calls: nothing need be declared.
///
/// The exports exist on `wasm32` alone; elsewhere the macro only checks that
/// the traits are implemented, so that unit tests run natively.
#[macro_export]
macro_rules! export {
    ($plugin:ty: $($interfaces:tt)+) => {
        const _: () = {
            #[cfg(target_arch = "wasm32")]
            static INSTANCE: $crate::exporting::Instance<$plugin> =
                $crate::exporting::Instance::new();
            #[cfg(target_arch = "wasm32")]
            struct Exported;
            $crate::__export_each!($plugin; $($interfaces)+);
        };
    };
}

/// Export one interface after the other.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_each {
    ($plugin:ty; router $(+ $($rest:tt)+)?) => {
        $crate::__export_one!($plugin, Router, $crate::__export_router);
        $($crate::__export_each!($plugin; $($rest)+);)?
    };
    ($plugin:ty; affinity $(+ $($rest:tt)+)?) => {
        $crate::__export_one!($plugin, Affinity, $crate::__export_affinity);
        $($crate::__export_each!($plugin; $($rest)+);)?
    };
    ($plugin:ty; balancer $(+ $($rest:tt)+)?) => {
        $crate::__export_one!($plugin, Balancer, $crate::__export_balancer);
        $($crate::__export_each!($plugin; $($rest)+);)?
    };
    ($plugin:ty; scanning-balancer $(+ $($rest:tt)+)?) => {
        $crate::__export_one!($plugin, ScanningBalancer, $crate::__export_scanning_balancer);
        $($crate::__export_each!($plugin; $($rest)+);)?
    };
    ($plugin:ty; request-policy $(+ $($rest:tt)+)?) => {
        $crate::__export_one!($plugin, RequestPolicy, $crate::__export_request_policy);
        $($crate::__export_each!($plugin; $($rest)+);)?
    };
    ($plugin:ty; response-policy $(+ $($rest:tt)+)?) => {
        $crate::__export_one!($plugin, ResponsePolicy, $crate::__export_response_policy);
        $($crate::__export_each!($plugin; $($rest)+);)?
    };
    ($plugin:ty; observer $(+ $($rest:tt)+)?) => {
        $crate::__export_one!($plugin, Observer, $crate::__export_observer);
        $($crate::__export_each!($plugin; $($rest)+);)?
    };
    ($plugin:ty; handover $(+ $($rest:tt)+)?) => {
        $crate::__export_one!($plugin, Handover, $crate::__export_handover);
        $($crate::__export_each!($plugin; $($rest)+);)?
    };
    ($plugin:ty; $($unknown:tt)+) => {
        ::core::compile_error!(
            "expected `router`, `affinity`, `balancer`, `scanning-balancer`, `request-policy`, \
             `response-policy`, `observer` or `handover`, joined by `+`"
        );
    };
}

/// Check one trait everywhere and export its interface on `wasm32`.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_one {
    ($plugin:ty, $role:ident, $($export:tt)+) => {
        const _: () = {
            const fn implements<T: $crate::$role>() {}
            implements::<$plugin>();
        };
        #[cfg(target_arch = "wasm32")]
        $($export)+!($plugin, Exported, INSTANCE);
    };
}
