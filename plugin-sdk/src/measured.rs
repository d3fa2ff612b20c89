//! A pool whose endpoints' response times are measured: what policies that
//! choose by them are made of.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::{Candidate, Candidates, Endpoint, Latencies, Members, Outcome, Slot};

/// The members of a pool, those of them that may be picked, and how long each
/// takes. Hand it what the roles' functions bring.
#[derive(Clone, Debug)]
pub struct Measured {
    members: Members,
    candidates: Candidates,
    latencies: Latencies,
}

/// What marks saved latencies, whichever policy they are of.
const SCHEMA: u32 = 0x4c41_5401;

impl Measured {
    /// A pool without members, measured so.
    pub fn by(latencies: Latencies) -> Self {
        Self {
            members: Members::default(),
            candidates: Candidates::default(),
            latencies,
        }
    }

    /// As [`Balancer::update`](crate::Balancer::update) tells it.
    pub fn update(&mut self, endpoints: Vec<Endpoint>) {
        self.latencies.update(&endpoints);
        self.members.update(endpoints);
        self.candidates.gather(self.members.eligible_endpoints());
    }

    /// As [`Balancer::eligible`](crate::Balancer::eligible) tells it.
    pub fn set_eligible(&mut self, slots: &[Slot]) {
        self.members.set_eligible(slots);
        self.candidates.gather(self.members.eligible_endpoints());
    }

    /// Learn from outcomes that are told at `now`, in nanoseconds of the host's
    /// clock.
    pub fn observe(&mut self, outcomes: &[Outcome], now: u64) {
        self.latencies.observe(outcomes, now);
    }

    /// The endpoints that may be picked.
    pub fn candidates(&self) -> &[Candidate] {
        self.candidates.all()
    }

    /// The endpoints that the attempt at hand may use, and how long all take.
    #[inline]
    pub fn for_attempt(&mut self) -> (&[Candidate], &Latencies) {
        (self.candidates.for_attempt(), &self.latencies)
    }

    /// What was learned, for [`Handover::save`](crate::Handover::save). Policies
    /// that keep a `Measured` can take over from each other.
    pub fn save(&self) -> (u32, Vec<u8>) {
        (SCHEMA, self.latencies.save())
    }

    /// Go on at `now` from what a predecessor learned, for
    /// [`Handover::restore`](crate::Handover::restore).
    ///
    /// # Errors
    ///
    /// When another kind of policy saved it, or it is damaged. Nothing is changed
    /// then.
    pub fn restore(&mut self, schema: u32, state: &[u8], now: u64) -> Result<(), String> {
        if schema != SCHEMA {
            return Err(format!(
                "schema {schema} is not {SCHEMA}, the one known here"
            ));
        }
        self.latencies.restore(state, now)
    }
}
