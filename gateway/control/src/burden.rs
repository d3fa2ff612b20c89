//! What each plugin takes of its workers' time, and the alarm when that is much
//! for long, or when its limit begins to tell.
//!
//! Nothing is measured for it on a request's way: one decision in 64 is timed
//! anyway, and stands for those that were not.

mod course;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use gatewright_host::{Binding, Place};
use gatewright_model::config::Config;
use gatewright_model::id::Digest;

use self::course::{Account, Course, Look};
use crate::seats::SeatName;

/// What a plugin in its seat has taken lately.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Burden {
    /// Percent of the time of all workers together, over the last ten seconds.
    pub percent: f64,
    /// Percent of the time of the worker that it took most of.
    pub busiest: f64,
    /// Whether it takes more of a worker's time than its alarm says.
    pub heavy: bool,
    /// Whether the fallback decides for it now and then, since its share of a
    /// worker's time is used up.
    pub capping: bool,
}

/// What began or ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Turn {
    /// It takes more of a worker's time than its alarm says.
    Heavy {
        /// What it takes of the busiest worker's time, in percent.
        percent: f64,
        /// Its alarm, in percent.
        alarm: u8,
    },
    /// It takes no more than that any longer.
    Eased {
        /// What it takes of the busiest worker's time, in percent.
        percent: f64,
        /// Its alarm, in percent.
        alarm: u8,
    },
    /// The fallback begins to decide for it, since its share is used up.
    Capped,
    /// It decides everything again.
    Uncapped,
}

/// A turn, and who took it.
#[derive(Clone, Debug)]
pub struct Burdened {
    /// The seat and the plugin.
    pub place: Place,
    /// The plugin's version.
    pub version: Digest,
    /// What began or ended.
    pub turn: Turn,
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heavy { percent, alarm } => write!(
                f,
                "takes {percent:.0} % of a worker's time, over the {alarm} % of its cpu_alarm"
            ),
            Self::Eased { percent, alarm } => write!(
                f,
                "takes {percent:.0} % of a worker's time, within the {alarm} % of its cpu_alarm again"
            ),
            Self::Capped => f.write_str(
                "has used up its cpu_share of a worker's time: the fallback decides meanwhile",
            ),
            Self::Uncapped => f.write_str("stays within its cpu_share of a worker's time again"),
        }
    }
}

/// What all plugins have taken lately.
#[derive(Debug, Default)]
pub(crate) struct Burdens {
    /// By the addresses of the bindings.
    watched: Mutex<HashMap<usize, Watched>>,
}

/// A binding that is in force, or was at the last look.
#[derive(Debug)]
struct Watched {
    /// While this is kept, no other binding has the address.
    _binding: Weak<Binding>,
    burdened: (Place, Digest),
    alarm: u8,
    course: Course,
}

impl Burdens {
    /// Look at what the bindings in force have counted; what began or ended
    /// since the last look.
    pub(crate) fn look(
        &self,
        bindings: &[Arc<Binding>],
        config: &Config,
        now: Instant,
    ) -> Vec<Burdened> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let mut turns = Vec::new();
        let mut before = std::mem::take(&mut *watched);
        for binding in bindings {
            let known = before.remove(&address(binding));
            let mut one = known.unwrap_or_else(|| Watched::new(binding));
            let bound = SeatName::of_place(binding.place()).binding(config);
            one.alarm = bound.map_or(one.alarm, |bound| bound.cpu_alarm);
            let new = one.course.take_in(look(binding, now), one.alarm);
            turns.extend(new.into_iter().map(|turn| one.burdened(turn)));
            watched.insert(address(binding), one);
        }
        for mut gone in before.into_values() {
            let ended = gone.course.end(gone.alarm);
            turns.extend(ended.into_iter().map(|turn| gone.burdened(turn)));
        }
        turns
    }

    /// What a binding has taken lately; none before there are two looks.
    pub(crate) fn of(&self, binding: &Binding) -> Option<Burden> {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.get(&address(binding))?.course.burden()
    }
}

impl Watched {
    fn new(binding: &Arc<Binding>) -> Self {
        Self {
            _binding: Arc::downgrade(binding),
            burdened: (binding.place().clone(), binding.version()),
            alarm: 100,
            course: Course::default(),
        }
    }

    fn burdened(&self, turn: Turn) -> Burdened {
        let (place, version) = self.burdened.clone();
        Burdened {
            place,
            version,
            turn,
        }
    }
}

fn address(binding: &Binding) -> usize {
    std::ptr::from_ref(binding).addr()
}

fn look(binding: &Binding, at: Instant) -> Look {
    let workers = binding.counters().iter();
    let accounts = workers.map(|worker| Account {
        answered: worker.answered(),
        samples: worker.samples.get(),
        sampled_ns: worker.sampled_ns.get(),
    });
    let capped = binding.counters().iter().map(|worker| worker.capped.get());
    Look {
        at,
        accounts: accounts.collect(),
        capped: capped.sum(),
    }
}
