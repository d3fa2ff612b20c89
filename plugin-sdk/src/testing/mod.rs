//! A fake gateway for native unit tests.
//!
//! Every thread has one, so tests do not see each other. Set what the plugin
//! will ask for, call the plugin, then look at what it did:
//!
//! ```
//! use gatewright_plugin_sdk::{request, response, testing};
//!
//! testing::host(|host| host.header("accept-language", "de"));
//! assert_eq!(request::header("Accept-Language").as_deref(), Some("de"));
//!
//! response::set_cookie("seen=1");
//! assert_eq!(testing::host(|host| host.response.cookies.clone()), ["seen=1"]);
//! ```

pub(crate) mod backend;
mod balancing;
mod fake;
mod store;

use std::cell::RefCell;
use std::string::ToString;
use std::thread_local;

pub use balancing::{check_retries, counts, pool, refused_key, seat};
pub use fake::{Advice, Answer, Host, RequestHead, ResponseHead, Rewrites};
pub use store::Store;

use crate::{Ending, Endpoint, Outcome, Slot};

thread_local! {
    static HOST: RefCell<Host> = RefCell::new(Host::default());
}

/// Set up this thread's fake host, or look at what a plugin did to it. Call no
/// host function from inside `visit`.
pub fn host<R>(visit: impl FnOnce(&mut Host) -> R) -> R {
    HOST.with_borrow_mut(visit)
}

/// Put this thread's fake host back to its beginning.
pub fn reset() {
    host(|host| *host = Host::default());
}

/// An endpoint of the given slot and weight, with an id that follows from the slot.
pub fn endpoint(slot: Slot, weight: u32) -> Endpoint {
    let host = std::format!("10.0.{}.{}", slot / 250, slot % 250);
    Endpoint {
        slot,
        id: host.clone() + ":" + &8080.to_string(),
        host,
        port: 8080,
        weight,
    }
}

/// The outcome of an attempt that was answered with 200 in so many microseconds.
pub const fn outcome(slot: Slot, first_byte_us: u32) -> Outcome {
    Outcome {
        slot,
        ending: Ending::Completed,
        status: 200,
        first_byte_us,
        duration_us: first_byte_us,
    }
}
