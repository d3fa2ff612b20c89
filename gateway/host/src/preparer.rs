//! The preparer: a thread that makes new instances for seats whose plugin takes
//! too long to be started between two requests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, Weak};
use std::thread;

use crate::instance::{Assignment, Budget, Failure, Instance};
use crate::journal::Level;

/// Where a seat finds its new instance.
#[derive(Default)]
pub(crate) struct Mailbox {
    instance: Mutex<Option<Instance>>,
    is_understudys: bool,
    is_given_up: AtomicBool,
}

impl Mailbox {
    /// For an instance beside one that decides. It is tried once, and a failure is
    /// no fault of the version: nobody misses the instance but who asked for it.
    pub(crate) fn of_understudy() -> Self {
        Self {
            is_understudys: true,
            ..Self::default()
        }
    }

    /// Take the instance, if it is there; never waits.
    pub(crate) fn take(&self) -> Option<Instance> {
        self.instance.try_lock().ok()?.take()
    }

    /// Whether there will be none.
    pub(crate) fn is_given_up(&self) -> bool {
        self.is_given_up.load(Ordering::Relaxed)
    }

    fn put(&self, instance: Instance) {
        if let Ok(mut slot) = self.instance.lock() {
            *slot = Some(instance);
        }
    }
}

/// A seat's wish.
pub(crate) struct Order {
    /// Whose instance it is to be.
    pub(crate) assignment: Assignment,
    /// Where to put it; gone with the seat.
    pub(crate) mailbox: Weak<Mailbox>,
}

/// Start the thread. It ends when nobody can order any more.
pub(crate) fn start(orders: Receiver<Order>) -> std::io::Result<()> {
    let builder = thread::Builder::new().name("gatewright-preparer".to_owned());
    builder.spawn(move || orders.into_iter().for_each(|order| fill(&order)))?;
    Ok(())
}

/// Try until it works: each failure counts as a fault, and faults in a row end
/// in quarantine. An understudy's counts nothing, and ends it.
fn fill(order: &Order) {
    let binding = &order.assignment.binding;
    while !binding.is_quarantined() {
        let Some(mailbox) = order.mailbox.upgrade() else {
            return;
        };
        match Instance::prepare(&order.assignment, Budget::PREPARATION) {
            Ok(instance) => {
                mailbox.put(instance);
                return;
            }
            Err(refusal) if mailbox.is_understudys => {
                binding.write_log(Level::Warn, format!("an instance to record: {refusal}"));
                mailbox.is_given_up.store(true, Ordering::Relaxed);
                return;
            }
            Err(refusal) => binding.failed_to_begin(Failure::from(refusal)),
        }
    }
}
