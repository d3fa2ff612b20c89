//! The facts in the form in which they are lent to plugins, and back again.

use std::any::Any;

use gatewright_host::{Effects, Lent};
use smallvec::SmallVec;

use super::Facts;

/// The facts of an exchange, in a box that plugins are lent.
pub(crate) struct Held(Lent);

impl Held {
    pub(crate) fn new(facts: Facts) -> Self {
        Self(Some(Box::new(facts)))
    }

    /// The same exchange as it was before anybody was asked for a server.
    pub(crate) fn duplicate(&self) -> Self {
        let mut facts = Facts::clone(self);
        facts.tried = SmallVec::new();
        facts.effects = Effects::default();
        facts.response_edits = Vec::new();
        facts.answerer = None;
        Self::new(facts)
    }

    /// For a call into the host.
    pub(crate) fn lend(&mut self) -> &mut Lent {
        &mut self.0
    }
}

impl std::ops::Deref for Held {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        let facts = self.0.as_deref().map(|view| view as &dyn Any);
        facts
            .and_then(|facts| facts.downcast_ref())
            .unwrap_or_else(|| not_given_back())
    }
}

impl std::ops::DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Facts {
        let facts = self.0.as_deref_mut().map(|view| view as &mut dyn Any);
        facts
            .and_then(|facts| facts.downcast_mut())
            .unwrap_or_else(|| not_given_back())
    }
}

fn not_given_back() -> ! {
    unreachable!("the plugin host gives back the exchange that it was lent, also after a fault")
}
