//! The preparer: a thread that makes new instances for seats whose plugin takes
//! too long to be started between two requests.

use std::sync::mpsc::Receiver;
use std::sync::{Mutex, Weak};
use std::thread;

use crate::instance::{Assignment, Budget, Failure, Instance};

/// Where a vacant seat finds its new instance.
#[derive(Default)]
pub(crate) struct Mailbox(Mutex<Option<Instance>>);

impl Mailbox {
    /// Take the instance, if it is there; never waits.
    pub(crate) fn take(&self) -> Option<Instance> {
        self.0.try_lock().ok()?.take()
    }

    fn put(&self, instance: Instance) {
        if let Ok(mut slot) = self.0.lock() {
            *slot = Some(instance);
        }
    }
}

/// A vacant seat's wish.
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
/// in quarantine.
fn fill(order: &Order) {
    let binding = &order.assignment.binding;
    while !binding.is_quarantined() && order.mailbox.strong_count() > 0 {
        match Instance::prepare(&order.assignment, Budget::PREPARATION) {
            Ok(instance) => {
                if let Some(mailbox) = order.mailbox.upgrade() {
                    mailbox.put(instance);
                }
                return;
            }
            Err(refusal) => binding.failed_to_begin(Failure::from(refusal)),
        }
    }
}
