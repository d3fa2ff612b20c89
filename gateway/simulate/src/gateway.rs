//! One gateway: the real plugin host's seats over the real snapshot, and what a
//! gateway does around a decision, in the order in which it does it.

use std::sync::Arc;

use fastrand::Rng;
use gatewright_host::{Chain, Host, Lent, Plan, SeatCounters};
use gatewright_model::circuit::Permit;
use gatewright_model::endpoint::Endpoint;
use gatewright_model::id::{PoolIndex, Slot};
use gatewright_model::pool::Pool;
use gatewright_model::retry_budget::RetryBudgets;
use gatewright_model::role::Role;
use gatewright_model::snapshot::Snapshot;

use crate::error::SimulationError;
use crate::fleet::Fleet;
use crate::upkeep::Opinion;

/// After a look in vain for a server to be tried, how long there is none.
const TRIAL_PAUSE_NS: u64 = 50_000_000;

/// What a worker keeps of a pool.
#[derive(Debug, Default)]
pub(crate) struct Side {
    rotation: usize,
    no_trial_until_ns: u64,
    pub(crate) budgets: RetryBudgets,
}

/// One gateway.
pub(crate) struct Gateway {
    pub(crate) chains: Vec<Chain>,
    plan: Plan,
    snapshot: Arc<Snapshot>,
    /// Where each pool is in the snapshot.
    pools: Vec<PoolIndex>,
    /// The servers, by pool and slot.
    servers: Vec<Vec<u32>>,
    /// What is in the pool of each server.
    pub(crate) endpoints: Vec<Option<Arc<Endpoint>>>,
    /// By worker and pool.
    sides: Vec<Side>,
    random: Rng,
    /// What it thinks of each server.
    pub(crate) opinions: Vec<Opinion>,
    /// Whether some servers take less than their share, and go on step by step.
    pub(crate) is_warming: bool,
    /// Picks of nobody, and picks that could not be used.
    pub(crate) fallbacks: u64,
    pub(crate) overruled: u64,
}

/// Who is asked, where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    pub(crate) worker: usize,
    pub(crate) pool: usize,
}

/// Who gets an attempt.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) server: u32,
    /// If it is on trial.
    pub(crate) permit: Option<Permit>,
}

impl Gateway {
    /// A gateway that has just started with these servers.
    ///
    /// # Errors
    ///
    /// When a gateway would not start.
    pub(crate) fn start(
        host: &Host,
        fleet: &Fleet<'_>,
        (workers, random): (usize, Rng),
    ) -> Result<Self, SimulationError> {
        let snapshot = Arc::new(Snapshot::next(None, fleet.config()?, workers)?);
        let prepared = host.prepare(&snapshot, None);
        let prepared = prepared.map_err(|error| fleet.refused(error))?;
        let chains = prepared.chains.into_iter();
        let mut gateway = Self {
            chains: chains.map(|update| Chain::new(update, &snapshot)).collect(),
            plan: prepared.plan,
            snapshot,
            pools: Vec::new(),
            servers: Vec::new(),
            endpoints: Vec::new(),
            sides: (0..workers * fleet.pools())
                .map(|_| Side::default())
                .collect(),
            random,
            opinions: vec![Opinion::default(); fleet.len()],
            is_warming: false,
            fallbacks: 0,
            overruled: 0,
        };
        gateway.look_up(fleet);
        Ok(gateway)
    }

    /// Take over a change of the servers, as it would be published.
    ///
    /// # Errors
    ///
    /// When a gateway would refuse it.
    pub(crate) fn publish(
        &mut self,
        host: &Host,
        fleet: &Fleet<'_>,
    ) -> Result<(), SimulationError> {
        let next = Snapshot::next(Some(&self.snapshot), fleet.config()?, self.chains.len())?;
        let snapshot = Arc::new(next);
        let prepared = host.prepare(&snapshot, Some(&self.plan));
        let prepared = prepared.map_err(|error| fleet.refused(error))?;
        for (chain, update) in self.chains.iter_mut().zip(prepared.chains) {
            chain.apply(update, &snapshot);
        }
        self.plan = prepared.plan;
        self.snapshot = snapshot;
        self.look_up(fleet);
        Ok(())
    }

    fn look_up(&mut self, fleet: &Fleet<'_>) {
        let names = (0..fleet.pools()).map(Fleet::pool_name);
        let pools = names.filter_map(|name| self.snapshot.pool_named(name.as_str()));
        self.pools = pools.map(|pool| pool.index).collect();
        self.endpoints = vec![None; fleet.len()];
        self.servers.clear();
        for index in &self.pools {
            let mut servers = Vec::new();
            if let Some(pool) = self.snapshot.pool(*index) {
                servers.resize(pool.width(), u32::MAX);
                for endpoint in pool.endpoints() {
                    if let Some(server) = fleet.server_at(&endpoint.host) {
                        servers[endpoint.slot().index()] = server;
                        self.endpoints[server as usize] = Some(Arc::clone(endpoint));
                    }
                }
            }
            self.servers.push(servers);
        }
    }

    /// A pool as it is now.
    pub(crate) fn pool(&self, pool: usize) -> &Arc<Pool> {
        &self.snapshot.pools[self.pools[pool].index()]
    }

    /// A worker's side of a pool.
    pub(crate) fn side(&mut self, seat: Seat) -> &mut Side {
        let pools = self.pools.len();
        &mut self.sides[seat.worker * pools + seat.pool]
    }

    /// Who gets the next attempt: a server on trial, else whom the plugin named
    /// second before, else whom it picks, else whom it names second now, else the
    /// next in rotation, else one whose circuit is open.
    pub(crate) fn choose(
        &mut self,
        seat: Seat,
        (key, now_ns): (u64, u64),
        lent: &mut Lent,
    ) -> Option<Chosen> {
        let pool = Arc::clone(self.pool(seat.pool));
        let tried = Tried::of(lent);
        if let Some((endpoint, permit)) = self.trial(seat, &pool, (&tried, now_ns)) {
            return Some(self.chosen(seat, endpoint, Some(permit)));
        }
        let second = second_choice(lent).filter(|slot| tried.lets(&pool, *slot));
        let slot = second
            .or_else(|| self.pick(seat, &pool, (key, &tried), lent))
            .or_else(|| self.rotate(seat, &pool, &tried));
        let (slot, permit) = match slot {
            Some(slot) => (slot, None),
            None => self.last_resort(seat, &pool, &tried)?,
        };
        let endpoint = Arc::clone(pool.endpoint(slot)?);
        Some(self.chosen(seat, endpoint, permit))
    }

    /// Whether any server might take another attempt of a request that has tried
    /// these, were it as a last resort.
    pub(crate) fn has_other(&self, seat: Seat, tried: &[Slot]) -> bool {
        let pool = self.pool(seat.pool);
        let any_is_free = |fits: fn(&Endpoint) -> bool| {
            let mut endpoints = pool.endpoints();
            endpoints.any(|one| fits(one) && one.has_room() && !tried.contains(&one.slot()))
        };
        any_is_free(Endpoint::is_eligible)
            || !is_anybody_left(pool, tried) && any_is_free(Endpoint::is_last_resort)
    }

    /// The next in rotation of those whose circuits are not closed, if nobody else
    /// is left: an attempt that may fail is better than none. Who is full is left.
    fn last_resort(
        &mut self,
        seat: Seat,
        pool: &Pool,
        tried: &Tried,
    ) -> Option<(Slot, Option<Permit>)> {
        if is_anybody_left(pool, &tried.0) {
            return None;
        }
        let slot = self.rotate_among(seat, pool, |slot| {
            tried.is_free(pool, slot, Endpoint::is_last_resort)
        })?;
        Some((slot, Permit::as_last_resort(&pool.endpoint(slot)?.state)))
    }

    fn chosen(&self, seat: Seat, endpoint: Arc<Endpoint>, permit: Option<Permit>) -> Chosen {
        Chosen {
            server: self.servers[seat.pool][endpoint.slot().index()],
            endpoint,
            permit,
        }
    }

    fn trial(
        &mut self,
        seat: Seat,
        pool: &Pool,
        (tried, now_ns): (&Tried, u64),
    ) -> Option<(Arc<Endpoint>, Permit)> {
        if !pool.state.circuits.wait_for_trials() || !tried.0.is_empty() {
            return None;
        }
        let side = self.side(seat);
        if now_ns < side.no_trial_until_ns {
            return None;
        }
        let mut endpoints = pool.endpoints();
        let found = endpoints.find_map(|endpoint| {
            if !endpoint.is_wanted() || !endpoint.passes_checks() || !endpoint.has_room() {
                return None;
            }
            let permit = Permit::take(&endpoint.state, true)?;
            Some((Arc::clone(endpoint), permit))
        });
        if found.is_none() {
            side.no_trial_until_ns = now_ns + TRIAL_PAUSE_NS;
        }
        found
    }

    fn pick(
        &mut self,
        seat: Seat,
        pool: &Pool,
        (key, tried): (u64, &Tried),
        lent: &mut Lent,
    ) -> Option<Slot> {
        let index = self.pools[seat.pool].index();
        let balancer = &mut self.chains[seat.worker].pools[index].balancer;
        let Ok(Some(slot)) = balancer.pick(key, lent) else {
            self.fallbacks += 1;
            return None;
        };
        if tried.lets(pool, slot) {
            return Some(match self.takes(pool, slot) {
                true => slot,
                false => self
                    .instead_of_warming(seat, pool, (tried, lent))
                    .unwrap_or(slot),
            });
        }
        balancer.overruled();
        self.overruled += 1;
        second_choice(lent).filter(|slot| tried.lets(pool, *slot))
    }

    /// Whether a server takes this request: a warming one takes the part of them
    /// that it is warm for.
    fn takes(&mut self, pool: &Pool, slot: Slot) -> bool {
        if !is_warming(pool, slot) {
            return true;
        }
        let lot = self.random.u8(..100);
        let endpoint = pool.endpoint(slot);
        endpoint.is_none_or(|endpoint| lot < endpoint.state.warmth.percent())
    }

    fn instead_of_warming(
        &mut self,
        seat: Seat,
        pool: &Pool,
        (tried, lent): (&Tried, &mut Lent),
    ) -> Option<Slot> {
        let second = second_choice(lent);
        let second = second.filter(|slot| !is_warming(pool, *slot) && tried.lets(pool, *slot));
        second.or_else(|| {
            self.rotate_among(seat, pool, |slot| {
                !is_warming(pool, slot) && tried.lets(pool, slot)
            })
        })
    }

    fn rotate(&mut self, seat: Seat, pool: &Pool, tried: &Tried) -> Option<Slot> {
        let warm = |slot| !is_warming(pool, slot) && tried.lets(pool, slot);
        let found = self.rotate_among(seat, pool, warm);
        found.or_else(|| self.rotate_among(seat, pool, |slot| tried.lets(pool, slot)))
    }

    fn rotate_among(
        &mut self,
        seat: Seat,
        pool: &Pool,
        fits: impl Fn(Slot) -> bool,
    ) -> Option<Slot> {
        let width = pool.width();
        let side = self.side(seat);
        let mut slots = (0..width).map(|step| Slot(((side.rotation + step) % width) as u32));
        let found = slots.find(|slot| fits(*slot))?;
        side.rotation = found.index() + 1;
        Some(found)
    }

    /// What the balancers' seats have counted.
    pub(crate) fn seat_counters(&self) -> impl Iterator<Item = &SeatCounters> {
        let bindings = self.plan.bindings().iter();
        let balancers = bindings.filter(|binding| binding.role() == Role::Balancer);
        balancers.flat_map(|binding| binding.counters())
    }

    /// The balancer's seat.
    pub(crate) fn balancer(&mut self, seat: Seat) -> &mut gatewright_host::Seat {
        let index = self.pools[seat.pool].index();
        &mut self.chains[seat.worker].pools[index].balancer
    }
}

/// The slots that may not be tried again.
struct Tried(crate::asked::Tried);

impl Tried {
    fn of(lent: &Lent) -> Self {
        Self(
            lent.as_ref()
                .map_or_else(Default::default, |view| view.tried().into()),
        )
    }

    /// Whether a slot may be given an attempt.
    fn lets(&self, pool: &Pool, slot: Slot) -> bool {
        self.is_free(pool, slot, Endpoint::is_eligible)
    }

    fn is_free(&self, pool: &Pool, slot: Slot, fits: fn(&Endpoint) -> bool) -> bool {
        let endpoint = pool.endpoint(slot);
        endpoint.is_some_and(|endpoint| fits(endpoint) && endpoint.has_room())
            && !self.0.contains(&slot)
    }
}

/// Whether any eligible server was not tried yet, be it full.
fn is_anybody_left(pool: &Pool, tried: &[Slot]) -> bool {
    let mut endpoints = pool.endpoints();
    endpoints.any(|one| one.is_eligible() && !tried.contains(&one.slot()))
}

fn second_choice(lent: &mut Lent) -> Option<Slot> {
    lent.as_mut()?.effects().second_choice.take()
}

fn is_warming(pool: &Pool, slot: Slot) -> bool {
    let endpoint = || pool.endpoint(slot);
    pool.state.is_warming() && endpoint().is_some_and(|one| one.state.warmth.is_warming())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gatewright_host::Compiler;

    use super::*;
    use crate::asked::Asked;
    use crate::random::{Purpose, stream};
    use crate::scenario::{Policy, Scenario};
    use crate::simulation::Workshop;

    /// Who would get each of three requests, by their numbers.
    fn three(gateway: &mut Gateway) -> Vec<u32> {
        let seat = Seat { worker: 0, pool: 0 };
        let next = |_| {
            let mut lent: Lent = Some(Box::new(Asked::default()));
            gateway.choose(seat, (0, 0), &mut lent).unwrap().server
        };
        let mut servers: Vec<_> = (0..3).map(next).collect();
        servers.sort_unstable();
        servers
    }

    #[test]
    fn a_gateway_decides_by_what_it_has_in_flight_and_not_by_what_another_has() {
        let text = "requests = 1\narrivals = { constant = { rate = 1 } }\n\
            work = { constant = { time = \"1ms\" } }\n[[servers]]\nname = \"s\"\ncount = 3\n";
        let scenario = Scenario::parse(text, Path::new("two.toml")).unwrap();
        let policy = Policy::named("least-connections");
        let folder = tempfile::tempdir().unwrap();
        let workshop = Workshop {
            cache: folder.path().to_owned(),
            compiler: Compiler::InProcess,
        };
        let (host, _) = workshop.host(1, 1).unwrap();
        let fleet = Fleet::of(&scenario, &policy);
        let start = || {
            let random = stream(1, Purpose::Gateway);
            let mut gateway = Gateway::start(&host, &fleet, (1, random)).unwrap();
            gateway.settle_in();
            gateway
        };
        let (mut loaded, mut idle) = (start(), start());
        for server in [0, 1] {
            let endpoint = loaded.endpoints[server].as_ref().unwrap();
            endpoint.state.pool().enter(endpoint.slot());
        }
        assert_eq!(three(&mut loaded), [2, 2, 2]);
        assert_eq!(three(&mut idle), [0, 1, 2]);
        assert_eq!((loaded.fallbacks, idle.fallbacks), (0, 0));
    }
}
