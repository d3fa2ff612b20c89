//! The facts in the form in which they are lent to plugins, and back again.

use std::any::Any;

use gatewright_host::{Effects, Lent};
use smallvec::SmallVec;

use super::Facts;

/// The facts of an exchange, in a box that plugins are lent.
pub(crate) struct Held(Option<Box<Facts>>);

impl Held {
    pub(crate) fn new(facts: Box<Facts>) -> Self {
        Self(Some(facts))
    }

    /// The same exchange as it was before anybody was asked for a server.
    pub(crate) fn duplicate(&self) -> Self {
        let mut facts = Box::new(Facts::clone(self));
        facts.tried = SmallVec::new();
        facts.effects = Effects::default();
        facts.response_edits = Vec::new();
        facts.answerer = None;
        Self::new(facts)
    }

    /// Lend the facts for a call into the host.
    pub(crate) fn lend<T>(&mut self, ask: impl FnOnce(&mut Lent) -> T) -> T {
        let mut lent: Lent = self.0.take().map(|facts| facts as _);
        let answer = ask(&mut lent);
        let view = lent.map(|view| view as Box<dyn Any>);
        self.0 = view.and_then(|view| view.downcast().ok());
        answer
    }
}

impl std::ops::Deref for Held {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        self.0.as_deref().unwrap_or_else(|| not_given_back())
    }
}

impl std::ops::DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Facts {
        self.0.as_deref_mut().unwrap_or_else(|| not_given_back())
    }
}

#[cold]
fn not_given_back() -> ! {
    unreachable!("the plugin host gives back the exchange that it was lent, also after a fault")
}
