//! The simulation of one policy: what is to happen happens, one thing after the
//! other, until the last request is over.

mod attempts;
mod upkeep;
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use gatewright_host::{Host, Lent, Simulated};

use crate::agenda::{Agenda, Event};
use crate::asked::Asked;
use crate::error::SimulationError;
use crate::fleet::Fleet;
use crate::gateway::Gateway;
use crate::random::{Purpose, stream};
use crate::requests::Requests;
use crate::scenario::{Policy, Scenario, nanos};
use crate::server::Server;
use crate::tally::Tally;
use crate::workload::{Incoming, Workload};

use self::world::Change;

/// Requests after which a caller is told how far it is.
const TELL_EVERY: u64 = 4096;

/// What a simulation is made with.
pub(crate) struct Setting<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) policy: &'a Policy,
    pub(crate) seed: u64,
    pub(crate) host: &'a Host,
    pub(crate) clock: Arc<Simulated>,
}

/// The simulation of one policy.
pub(crate) struct Engine<'a> {
    setting: Setting<'a>,
    fleet: Fleet<'a>,
    agenda: Agenda,
    now_ns: u64,
    workload: Workload,
    next: Option<Incoming>,
    requests: Requests,
    servers: Vec<Server>,
    gateways: Vec<Gateway>,
    changes: Vec<Change>,
    world: Rng,
    antagonists: Rng,
    checks: Rng,
    lent: Lent,
    tally: Tally,
    latency_ns: u64,
    jitter_ns: u64,
}

impl<'a> Engine<'a> {
    /// Everything in its place.
    ///
    /// # Errors
    ///
    /// When a gateway would not start so, or a file cannot be used.
    pub(crate) fn new(setting: Setting<'a>) -> Result<Self, SimulationError> {
        let (scenario, seed) = (setting.scenario, setting.seed);
        let fleet = Fleet::of(scenario, setting.policy);
        let servers = (0..fleet.len()).map(|server| {
            let (group, like) = fleet.group(server as u32);
            Server::of(group, like, fleet.is_present[server])
        });
        let mut random = stream(seed, Purpose::Gateway);
        let workers = scenario.gateways.workers as usize;
        let gateways = (0..scenario.gateways.count)
            .map(|_| Gateway::start(setting.host, &fleet, (workers, random.fork())));
        let mut workload = Workload::of(scenario, seed)?;
        let mut engine = Self {
            agenda: Agenda::default(),
            now_ns: 0,
            next: workload.next(),
            workload,
            requests: Requests::default(),
            servers: servers.collect(),
            gateways: gateways.collect::<Result<_, _>>()?,
            changes: Vec::new(),
            world: stream(seed, Purpose::World),
            antagonists: stream(seed, Purpose::Antagonists),
            checks: random.fork(),
            lent: Some(Box::new(Asked::default())),
            tally: Tally::of(scenario, fleet.len())?,
            latency_ns: nanos(scenario.network.latency),
            jitter_ns: nanos(scenario.network.jitter),
            fleet,
            setting,
        };
        engine.begin();
        Ok(engine)
    }

    /// Run to the end, telling now and then how many requests have come.
    ///
    /// # Errors
    ///
    /// When a change of the servers is one that a gateway would refuse.
    pub(crate) fn run(mut self, told: &mut dyn FnMut(u64)) -> Result<Ran, SimulationError> {
        let began = Instant::now();
        let mut events = 0;
        while !self.is_over() {
            let Some((at_ns, event)) = self.agenda.next() else {
                break;
            };
            events += 1;
            self.now_ns = at_ns;
            self.setting.clock.advance(at_ns);
            self.happen(event)?;
            if event == Event::Arrive && self.tally.came.is_multiple_of(TELL_EVERY) {
                told(self.tally.came);
            }
        }
        told(self.tally.came);
        self.end_measuring();
        Ok(Ran {
            tally: self.tally,
            servers: self.servers,
            gateways: self.gateways,
            events,
            took: began.elapsed(),
        })
    }

    fn is_over(&self) -> bool {
        self.next.is_none() && self.requests.is_empty()
    }

    fn begin(&mut self) {
        for gateway in &mut self.gateways {
            gateway.settle_in();
        }
        // Before the first request, which may come at once.
        let warm_up = nanos(self.setting.scenario.warm_up);
        self.agenda.plan(warm_up, Event::Measure);
        if let Some(first) = &self.next {
            self.agenda.plan(first.at_ns, Event::Arrive);
        }
        self.agenda
            .plan(warm_up.saturating_add(self.tally.sample_ns), Event::Sample);
        self.plan_changes();
        for gateway in 0..self.gateways.len() as u32 {
            for server in 0..self.fleet.len() as u32 {
                self.plan_first_check(gateway, server);
                self.plan_first_poll(gateway, server);
            }
        }
    }

    fn happen(&mut self, event: Event) -> Result<(), SimulationError> {
        match event {
            Event::Arrive => self.arrive(),
            Event::Reach(attempt) => self.reach(attempt),
            Event::Finish {
                server,
                epoch,
                attempt,
                came_ns,
            } => self.finish((server, epoch), attempt, came_ns),
            Event::Answer(attempt, answer) => self.answered(attempt, answer),
            Event::Deadline(attempt) => self.timed_out(attempt),
            Event::Change(index) => return self.change(index),
            Event::Churn(index) => return self.churn(index),
            Event::Return(server) => return self.come_back(server),
            Event::Antagonist {
                index,
                server,
                begins,
            } => self.antagonise(index, server, begins),
            Event::Check {
                gateway,
                server,
                in_turn,
            } => self.check(gateway, server, in_turn),
            Event::Poll { gateway, server } => self.poll(gateway, server),
            Event::Reported {
                gateway,
                server,
                report,
            } => self.reported(gateway, server, report),
            Event::HalfOpen(opening) => self.half_open(opening),
            Event::Widen(opening) => self.widen(opening),
            Event::Warm(gateway) => self.warm(gateway),
            Event::Sample => self.sample(),
            Event::Measure => {
                self.tally.is_measuring = true;
                self.tally.began_ns = self.now_ns;
                for server in &mut self.servers {
                    server.begin_measuring(self.now_ns);
                }
            }
        }
        Ok(())
    }

    /// The time so much later; at the end of all times, that.
    pub(super) fn after(&self, ns: u64) -> u64 {
        self.now_ns.saturating_add(ns)
    }

    /// Write down who has how much to do.
    fn sample(&mut self) {
        if self.tally.ended_ns.is_none() {
            self.tally.sample(self.now_ns, &mut self.servers);
            let next = self.after(self.tally.sample_ns);
            self.agenda.plan(next, Event::Sample);
        }
    }

    /// No more requests come: what servers do now says little of the load.
    fn end_measuring(&mut self) {
        if self.tally.ended_ns.is_none() {
            self.tally.ended_ns = Some(self.now_ns);
            for server in &mut self.servers {
                server.end_measuring(self.now_ns);
            }
        }
    }
}

/// A simulation that is over.
pub(crate) struct Ran {
    pub(crate) tally: Tally,
    pub(crate) servers: Vec<Server>,
    pub(crate) gateways: Vec<Gateway>,
    /// How much happened.
    pub(crate) events: u64,
    /// How long it took on this machine.
    pub(crate) took: Duration,
}
