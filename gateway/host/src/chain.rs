//! All the seats of one worker, in the shape of its snapshot.

use std::sync::Arc;

use gatewright_model::config::OnFault;
use gatewright_model::snapshot::Snapshot;

use crate::seat::{Seat, SeatUpdate};

/// All the seats of one worker.
pub struct Chain {
    /// The request policies in their order.
    pub policies: Vec<PolicySeat>,
    /// The response policies in their order.
    pub finishers: Vec<Seat>,
    /// The router.
    pub router: Seat,
    /// The pools' seats, by the pool's index in the snapshot.
    pub pools: Vec<PoolSeats>,
}

/// A request policy's seat.
pub struct PolicySeat {
    /// The seat.
    pub seat: Seat,
    /// What becomes of a request when it faults.
    pub on_fault: OnFault,
}

/// The seats of one pool.
pub struct PoolSeats {
    /// Who remembers sessions, if anyone.
    pub affinity: Option<Seat>,
    /// Who chooses the endpoint.
    pub balancer: Seat,
}

/// What turns a worker's chain into the one of the next snapshot. Made aside,
/// with new instances for whatever is new.
pub struct ChainUpdate {
    pub(crate) policies: Vec<(SeatUpdate, OnFault)>,
    pub(crate) finishers: Vec<SeatUpdate>,
    pub(crate) router: SeatUpdate,
    pub(crate) pools: Vec<PoolUpdate>,
}

pub(crate) struct PoolUpdate {
    pub(crate) affinity: Option<SeatUpdate>,
    pub(crate) balancer: SeatUpdate,
}

impl Chain {
    /// A worker's first chain, from an update that was prepared for `snapshot`.
    pub fn new(update: ChainUpdate, snapshot: &Arc<Snapshot>) -> Self {
        let fresh = |update| Seat::fresh(update, snapshot);
        Self {
            policies: update
                .policies
                .into_iter()
                .map(|(update, on_fault)| PolicySeat {
                    seat: fresh(update),
                    on_fault,
                })
                .collect(),
            finishers: update.finishers.into_iter().map(fresh).collect(),
            router: fresh(update.router),
            pools: update
                .pools
                .into_iter()
                .map(|pool| PoolSeats {
                    affinity: pool.affinity.map(fresh),
                    balancer: fresh(pool.balancer),
                })
                .collect(),
        }
    }

    /// Take over an update between two requests: kept seats stay, new
    /// instances are handed what their predecessors learned. Updates are to be
    /// applied in the order of their preparation, with the snapshot that they
    /// were prepared for; a seat that misses one that it builds on comes vacant
    /// and is filled by the preparer.
    pub fn apply(&mut self, update: ChainUpdate, snapshot: &Arc<Snapshot>) {
        let mut past = self.disband();
        let mut seat = |update: SeatUpdate| past.seat(update, snapshot);
        for (update, on_fault) in update.policies {
            let seat = seat(update);
            self.policies.push(PolicySeat { seat, on_fault });
        }
        self.finishers
            .extend(update.finishers.into_iter().map(&mut seat));
        for pool in update.pools {
            let affinity = pool.affinity.map(&mut seat);
            let balancer = seat(pool.balancer);
            self.pools.push(PoolSeats { affinity, balancer });
        }
        self.router.renew(update.router, snapshot);
    }

    /// Whether a shadow is asked in any seat.
    pub fn is_shadowed(&self) -> bool {
        self.seats().any(Seat::is_shadowed)
    }

    /// Ask the shadows about the decisions that were kept for them. To be called
    /// when nothing waits for the worker.
    pub fn run_shadows(&mut self) {
        self.seats_mut().for_each(Seat::run_shadow);
    }

    fn seats(&self) -> impl Iterator<Item = &Seat> {
        let policies = self.policies.iter().map(|policy| &policy.seat);
        let pools = self.pools.iter();
        let pools = pools.flat_map(|pool| pool.affinity.iter().chain([&pool.balancer]));
        policies
            .chain(&self.finishers)
            .chain(pools)
            .chain([&self.router])
    }

    fn seats_mut(&mut self) -> impl Iterator<Item = &mut Seat> {
        let policies = self.policies.iter_mut().map(|policy| &mut policy.seat);
        let pools = self.pools.iter_mut();
        let pools = pools.flat_map(|pool| pool.affinity.iter_mut().chain([&mut pool.balancer]));
        let rest = self.finishers.iter_mut().chain([&mut self.router]);
        policies.chain(pools).chain(rest)
    }

    /// Take out all seats but the router's.
    fn disband(&mut self) -> Past {
        let mut past: Vec<_> = self.policies.drain(..).map(|policy| policy.seat).collect();
        past.append(&mut self.finishers);
        for pool in self.pools.drain(..) {
            past.extend(pool.affinity);
            past.push(pool.balancer);
        }
        Past(past.into_iter().map(Some).collect())
    }
}

/// The seats before an update.
struct Past(Vec<Option<Seat>>);

impl Past {
    /// What an update says, with its past if there is one.
    fn seat(&mut self, update: SeatUpdate, snapshot: &Arc<Snapshot>) -> Seat {
        let mut seats = self.0.iter_mut();
        let precedes = |seat: &Seat| seat.precedes(&update);
        let past = seats.find(|seat| seat.as_ref().is_some_and(precedes));
        match past.and_then(Option::take) {
            Some(mut seat) => {
                seat.renew(update, snapshot);
                seat
            }
            None => Seat::fresh(update, snapshot),
        }
    }
}
