//! The seats of a plan with the instances made for them, and their dealing out
//! to the workers.

use std::sync::Arc;

use gatewright_model::config::OnFault;
use gatewright_model::pool::Pool;

use crate::binding::Binding;
use crate::chain::{ChainUpdate, PoolUpdate};
use crate::instance::Instance;
use crate::occupant::OccupantUpdate;
use crate::seat::{CanaryUpdate, SeatUpdate, ShadowUpdate};

/// A seat on all workers.
pub(crate) struct SeatDraft {
    pub(crate) active: Draft,
    /// And its share of the requests, in percent.
    pub(crate) canary: Option<(Draft, u8)>,
    /// And its share of the decisions, in percent.
    pub(crate) shadow: Option<(Draft, u8)>,
}

/// One of a seat's versions on all workers.
pub(crate) struct Draft {
    pub(crate) binding: Arc<Binding>,
    pub(crate) pool: Option<Arc<Pool>>,
    /// One for each worker, or none at all to go on with those that there are.
    pub(crate) instances: Vec<Instance>,
}

/// All seats, on all workers.
pub(crate) struct Drafts {
    pub(crate) policies: Vec<(SeatDraft, OnFault)>,
    pub(crate) finishers: Vec<SeatDraft>,
    pub(crate) router: SeatDraft,
    pub(crate) pools: Vec<(Option<SeatDraft>, SeatDraft)>,
}

impl Drafts {
    /// The seats by worker.
    pub(crate) fn chains(mut self, workers: usize) -> Vec<ChainUpdate> {
        let mut chains: Vec<_> = (0..workers)
            .rev()
            .map(|worker| self.chain(worker))
            .collect();
        chains.reverse();
        chains
    }

    /// The seats of the last worker that has not got them yet.
    fn chain(&mut self, worker: usize) -> ChainUpdate {
        let seat = |draft: &mut SeatDraft| draft.seat(worker);
        let policies = self.policies.iter_mut();
        let pools = self.pools.iter_mut();
        ChainUpdate {
            policies: policies
                .map(|(draft, on_fault)| (seat(draft), *on_fault))
                .collect(),
            finishers: self.finishers.iter_mut().map(seat).collect(),
            router: seat(&mut self.router),
            pools: pools
                .map(|(affinity, balancer)| PoolUpdate {
                    affinity: affinity.as_mut().map(seat),
                    balancer: seat(balancer),
                })
                .collect(),
        }
    }
}

impl SeatDraft {
    fn seat(&mut self, worker: usize) -> SeatUpdate {
        SeatUpdate {
            active: self.active.occupant(worker),
            canary: self.canary.as_mut().map(|(draft, percent)| CanaryUpdate {
                occupant: draft.occupant(worker),
                percent: *percent,
            }),
            shadow: self.shadow.as_mut().map(|(draft, sample)| ShadowUpdate {
                occupant: draft.occupant(worker),
                sample: *sample,
            }),
        }
    }
}

impl Draft {
    fn occupant(&mut self, worker: usize) -> OccupantUpdate {
        OccupantUpdate {
            binding: Arc::clone(&self.binding),
            worker,
            pool: self.pool.as_ref().map(|pool| pool.index),
            instance: self.instances.pop(),
        }
    }
}
