//! The facts in the form in which they are lent to plugins, and back again.

use std::any::Any;
use std::cell::RefCell;
use std::time::Instant;

use gatewright_host::{Effects, Lent};
use http::HeaderMap;
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
        facts.response_edits.clear();
        facts.answerer = None;
        Self::new(facts)
    }

    /// The exchange is over: its facts make place for those of another one. Returns
    /// the map of its headers.
    pub(crate) fn vacate(self, places: &Places) -> HeaderMap {
        let Some(mut facts) = self.0 else {
            return HeaderMap::new();
        };
        let headers = facts.forget();
        places.keep(facts);
        headers
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

/// How many places a worker keeps; a quarter of a megabyte at the most.
const MAX_PLACES: usize = 256;

/// Where a worker's next facts are put, so that nothing is allocated for them: facts
/// that are of no more use.
#[derive(Default)]
#[expect(clippy::vec_box, reason = "it is their boxes that are given away")]
pub(crate) struct Places(RefCell<Vec<Box<Facts>>>);

impl Places {
    /// Facts to be filled in where they are, of a request whose head had been read at
    /// that time; new ones, if none are left.
    pub(super) fn take(&self, started: Instant) -> Box<Facts> {
        let left = self.0.borrow_mut().pop();
        left.unwrap_or_else(|| Box::new(Facts::blank(started)))
    }

    fn keep(&self, place: Box<Facts>) {
        let mut places = self.0.borrow_mut();
        if places.len() < MAX_PLACES {
            places.push(place);
        }
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
