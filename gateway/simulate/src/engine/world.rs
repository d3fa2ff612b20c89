//! What happens to servers: failures, somebody else's work, coming and going.

use std::ops::Range;

use super::Engine;
use crate::agenda::{Answer, Event};
use crate::error::SimulationError;
use crate::random::exponential;
use crate::scenario::{members, nanos};
use crate::server::Ailment;

/// What changes at a time that the scenario says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// A failure begins or ends: what its servers suffer is to be looked at.
    Failure(usize),
    /// A group of servers comes into the pool.
    Joins(usize),
    /// A group of servers leaves it.
    Leaves(usize),
}

impl Engine<'_> {
    /// Plan what the scenario says will happen to servers.
    pub(super) fn plan_changes(&mut self) {
        let scenario = self.setting.scenario;
        for (index, failure) in scenario.failures.iter().enumerate() {
            let times = [Some(failure.from), failure.to];
            for time in times.into_iter().flatten() {
                self.plan_change(nanos(time), Change::Failure(index));
            }
        }
        for (index, group) in scenario.servers.iter().enumerate() {
            if !group.joins.0.is_zero() {
                self.plan_change(nanos(group.joins), Change::Joins(index));
            }
            if let Some(leaves) = group.leaves {
                self.plan_change(nanos(leaves), Change::Leaves(index));
            }
        }
        for (index, churn) in scenario.churn.iter().enumerate() {
            let event = Event::Churn(index as u32);
            self.agenda.plan(nanos(churn.every), event);
        }
        for (index, antagonists) in scenario.antagonists.iter().enumerate() {
            for server in members(&scenario.servers, &antagonists.servers).unwrap_or_default() {
                self.plan_antagonist(index as u32, server, true);
            }
        }
    }

    fn plan_change(&mut self, at_ns: u64, change: Change) {
        let index = self.changes.len() as u32;
        self.changes.push(change);
        self.agenda.plan(at_ns, Event::Change(index));
    }

    /// What the scenario says happens.
    pub(super) fn change(&mut self, index: u32) -> Result<(), SimulationError> {
        let groups = &self.setting.scenario.servers;
        match self.changes[index as usize] {
            Change::Failure(index) => {
                let named = &self.setting.scenario.failures[index].servers;
                self.fail(&members(groups, named).unwrap_or_default());
                Ok(())
            }
            Change::Joins(group) => {
                let servers = members(groups, &groups[group].name).unwrap_or_default();
                self.set_present(servers, true)
            }
            Change::Leaves(group) => {
                let servers = members(groups, &groups[group].name).unwrap_or_default();
                self.set_present(servers, false)
            }
        }
    }

    /// A failure of some servers begins or ends: what they had breaks off where
    /// they crash.
    fn fail(&mut self, servers: &Range<u32>) {
        let crashed: Vec<bool> = servers
            .clone()
            .map(|server| self.look_after(server))
            .collect();
        if !crashed.contains(&true) {
            return;
        }
        let has_crashed =
            |server: u32| servers.contains(&server) && crashed[(server - servers.start) as usize];
        for attempt in self.requests.at_servers(has_crashed) {
            self.reply(attempt, self.latency_ns, Answer::Broken);
        }
    }

    /// Put together what a server suffers now; whether it has just crashed.
    fn look_after(&mut self, server: u32) -> bool {
        let scenario = self.setting.scenario;
        let mut ailment = Ailment::NONE;
        for failure in &scenario.failures {
            let is_meant = members(&scenario.servers, &failure.servers);
            let begun = nanos(failure.from) <= self.now_ns;
            let ended = failure.to.is_some_and(|to| nanos(to) <= self.now_ns);
            if is_meant.is_some_and(|servers| servers.contains(&server)) && begun && !ended {
                ailment.is_down |= failure.crash;
                ailment.slow *= failure.slow;
                ailment.delay_ns = ailment.delay_ns.saturating_add(nanos(failure.delay));
                ailment.errors = ailment.errors.max(failure.errors);
            }
        }
        let one = &mut self.servers[server as usize];
        let was_down = one.ailment.is_down;
        one.ailment = ailment;
        let crashes = ailment.is_down && !was_down;
        if crashes {
            one.crash(self.now_ns);
        }
        crashes
    }

    /// One of some servers leaves for a while, unless it is the last.
    pub(super) fn churn(&mut self, index: u32) -> Result<(), SimulationError> {
        let scenario = self.setting.scenario;
        let churn = &scenario.churn[index as usize];
        let next = self.after(nanos(churn.every));
        self.agenda.plan(next, Event::Churn(index));
        let servers = members(&scenario.servers, &churn.servers).unwrap_or_default();
        let server = self.world.u32(servers);
        if !self.fleet.is_present[server as usize] || !self.fleet.may_leave(server) {
            return Ok(());
        }
        let back = self.after(nanos(churn.away));
        self.agenda.plan(back, Event::Return(server));
        self.set_present(server..server + 1, false)
    }

    pub(super) fn come_back(&mut self, server: u32) -> Result<(), SimulationError> {
        // Its group may have left for good meanwhile.
        let (_, group) = self.fleet.group(server);
        let has_left = group.leaves.is_some_and(|time| nanos(time) <= self.now_ns);
        match has_left {
            true => Ok(()),
            false => self.set_present(server..server + 1, true),
        }
    }

    /// Servers come into their pool or leave it, on all gateways.
    fn set_present(&mut self, servers: Range<u32>, present: bool) -> Result<(), SimulationError> {
        for server in servers.clone() {
            self.fleet.is_present[server as usize] = present;
            self.servers[server as usize].set_present(present, self.now_ns);
        }
        for index in 0..self.gateways.len() {
            let gateway = &mut self.gateways[index];
            gateway.publish(self.setting.host, &self.fleet)?;
            self.review(index as u32);
            if present {
                self.check_at_once(index as u32, servers.clone());
            }
        }
        Ok(())
    }

    fn plan_antagonist(&mut self, index: u32, server: u32, begins: bool) {
        let one = &self.setting.scenario.antagonists[index as usize];
        let mean = if begins { one.every } else { one.lasts };
        let pause = exponential(&mut self.antagonists, nanos(mean) as f64);
        let event = Event::Antagonist {
            index,
            server,
            begins,
        };
        self.agenda.plan(self.after(pause as u64), event);
    }

    /// Somebody else's work on a server begins or ends.
    pub(super) fn antagonise(&mut self, index: u32, server: u32, begins: bool) {
        let share = self.setting.scenario.antagonists[index as usize].share;
        let one = &mut self.servers[server as usize];
        // Several share what is left of it.
        let left = 1.0 - one.taken_share;
        let left = if begins {
            left * (1.0 - share)
        } else {
            left / (1.0 - share)
        };
        one.taken_share = (1.0 - left).max(0.0);
        self.plan_antagonist(index, server, !begins);
    }
}
