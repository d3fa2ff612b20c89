//! The way of a request: decided about, sent, worked on, answered, or tried again
//! elsewhere.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use gatewright_host::{Effects, Ending, Outcome};
use gatewright_model::circuit::Turn;
use gatewright_model::id::Slot;

use super::Engine;
use crate::agenda::{Answer, Attempt, Event, Opening};
use crate::asked::{self, Asked, Tried};
use crate::random::{Purpose, lot};
use crate::requests::{Request, Trip};
use crate::server::{Job, Reception};
use crate::tally::End;
use crate::upkeep::judge;

/// The status of an answer that went well, of one that did not, and of a server
/// that has too much to do.
const WELL: u16 = 200;
const ERROR: u16 = 500;
const OVERLOADED: u16 = 503;

/// After a connection that could not be made, the server is checked this much
/// later, whenever its turn would be: as the gateway's prober does.
const SUSPECT_PAUSE_NS: u64 = 100_000_000;

impl Engine<'_> {
    /// The next request comes to its gateway.
    pub(super) fn arrive(&mut self) {
        let Some(incoming) = self.next else { return };
        self.tally.came += 1;
        let pool = self.fleet.pool_for(incoming.pool_lot);
        let gateway = &mut self.gateways[incoming.gateway as usize];
        let timeout = gateway.pool(pool).config.request_timeout;
        let due_ns = match timeout.as_nanos() as u64 {
            0 => u64::MAX,
            timeout => incoming.at_ns.saturating_add(timeout),
        };
        let request = Request {
            incoming,
            key: asked::key(incoming.client),
            pool,
            tried: Tried::new(),
            second_choice: None,
            most_attempts: u32::MAX,
            due_ns,
            is_measured: self.tally.is_measuring,
            serial: 0,
            trip: None,
        };
        let config = Arc::clone(&gateway.pool(pool).config);
        gateway.side(request.seat()).budgets.came(&config.retries);
        let place = self.requests.enter(request);
        self.next = self.workload.next();
        if let Some(next) = &self.next {
            self.agenda.plan(next.at_ns, Event::Arrive);
        }
        self.attempt(place);
        if self.next.is_none() {
            self.end_measuring();
        }
    }

    /// Decide on a server for a request, and send it there.
    fn attempt(&mut self, place: u32) {
        let now_ns = self.now_ns;
        let Some(request) = self.requests.at(place) else {
            return;
        };
        let (seat, key, client) = (request.seat(), request.key, request.incoming.client);
        let number = request.incoming.number;
        let attempts = request.tried.len() as u64;
        if let Some(asked) = self.lent.as_mut().and_then(|view| {
            let view: &mut dyn Any = view.as_mut();
            view.downcast_mut::<Asked>()
        }) {
            asked.client = asked::address(client);
            asked.tried.clone_from(&request.tried);
            // All requests are asked about in one view, and each keeps what was
            // said of it.
            asked.effects = Effects {
                second_choice: request.second_choice.take(),
                ..Effects::default()
            };
        }
        let way_ns = self.way_ns(number, attempts);
        let Some(request) = self.requests.at(place) else {
            return;
        };
        let gateway = &mut self.gateways[request.incoming.gateway as usize];
        let Some(chosen) = gateway.choose(seat, (key, now_ns), &mut self.lent) else {
            return self.end(place, End::NoServer);
        };
        let advice = self.lent.as_mut().map(|view| {
            let effects = view.effects();
            (effects.timeout, effects.retries, effects.second_choice)
        });
        let (timeout, retries, second_choice) = advice.unwrap_or_default();
        let state = &chosen.endpoint.state;
        state.pool().enter(state.slot());
        state.counters_of(seat.worker).requests.add(1);
        let serial = self.requests.next_serial();
        let attempt = Attempt {
            request: place,
            serial,
        };
        let per_try = gateway.pool(seat.pool).config.retries.per_try_timeout;
        let Some(request) = self.requests.at(place) else {
            return;
        };
        request.second_choice = second_choice;
        if let Some(timeout) = timeout {
            let advised = now_ns.saturating_add(timeout.as_nanos() as u64);
            request.due_ns = request.due_ns.min(advised);
        }
        if let Some(more) = retries {
            let most = more.saturating_add(request.tried.len() as u32 + 1);
            request.most_attempts = request.most_attempts.min(most);
        }
        request.serial = serial;
        request.trip = Some(Trip {
            endpoint: chosen.endpoint,
            server: chosen.server,
            permit: chosen.permit,
            sent_ns: now_ns,
            is_there: false,
            way_ns,
        });
        let deadline = now_ns.saturating_add(per_try.as_nanos() as u64);
        self.agenda
            .plan_deadline(deadline.min(request.due_ns), attempt);
        match way_ns {
            0 => self.reach(attempt),
            way => self.agenda.plan(self.after(way), Event::Reach(attempt)),
        }
    }

    /// How long an attempt's way is, each way.
    fn way_ns(&self, number: u64, attempt: u64) -> u64 {
        if self.jitter_ns == 0 {
            return self.latency_ns;
        }
        let lot = lot(self.setting.seed, Purpose::Ways, (number, attempt));
        self.latency_ns + (self.jitter_ns as f64 * lot) as u64
    }

    /// An attempt reaches its server.
    pub(super) fn reach(&mut self, attempt: Attempt) {
        let Some(request) = self.requests.waiting_for(attempt) else {
            // It was given up on the way.
            return;
        };
        let work_ns = request.incoming.work_ns;
        let Some(trip) = &mut request.trip else {
            return;
        };
        let server = trip.server;
        let way_ns = trip.way_ns;
        let job = Job {
            request: attempt.request,
            serial: attempt.serial,
            work_ns,
            came_ns: self.now_ns,
        };
        let at_server = &mut self.servers[server as usize];
        match at_server.receive(job, self.now_ns) {
            Reception::Begun(takes) => {
                trip.is_there = true;
                self.begun(server, job, takes);
            }
            Reception::Waits => trip.is_there = true,
            Reception::Refused => self.reply(attempt, way_ns, Answer::Status(OVERLOADED)),
            Reception::Down => self.reply(attempt, way_ns, Answer::ConnectFailed),
        }
    }

    /// A server has begun with a request.
    fn begun(&mut self, server: u32, job: Job, takes_ns: u64) {
        let done = Event::Finish {
            server,
            epoch: self.servers[server as usize].epoch,
            attempt: Attempt {
                request: job.request,
                serial: job.serial,
            },
            came_ns: job.came_ns,
        };
        self.agenda.plan(self.after(takes_ns), done);
    }

    pub(super) fn reply(&mut self, attempt: Attempt, way_ns: u64, answer: Answer) {
        // Even without a way it is an event of its own, so that a pool in which
        // nobody answers is no endless recursion.
        self.agenda
            .plan(self.after(way_ns), Event::Answer(attempt, answer));
    }

    /// A server has done an attempt.
    pub(super) fn finish(&mut self, (server, epoch): (u32, u32), attempt: Attempt, came_ns: u64) {
        let at_server = &mut self.servers[server as usize];
        if at_server.epoch != epoch {
            return;
        }
        let requests = &self.requests;
        let is_wanted = |job: &Job| {
            requests.waits_for(Attempt {
                request: job.request,
                serial: job.serial,
            })
        };
        let next = at_server.finish((came_ns, self.now_ns), is_wanted);
        let errors = at_server.ailment.errors;
        if let Some((job, takes)) = next {
            self.begun(server, job, takes);
        }
        let Some(request) = self.requests.waiting_for(attempt) else {
            return;
        };
        let number = (request.incoming.number, request.tried.len() as u64);
        let way_ns = request.trip.as_mut().map_or(0, |trip| {
            trip.is_there = false;
            trip.way_ns
        });
        let fails = errors > 0.0 && lot(self.setting.seed, Purpose::Errors, number) < errors;
        let status = if fails { ERROR } else { WELL };
        match way_ns {
            0 => self.answered(attempt, Answer::Status(status)),
            _ => self.reply(attempt, way_ns, Answer::Status(status)),
        }
    }

    /// What became of an attempt reaches its gateway.
    pub(super) fn answered(&mut self, attempt: Attempt, answer: Answer) {
        match answer {
            Answer::Status(status) => self.settle(attempt, Ending::Completed, status),
            Answer::ConnectFailed => self.settle(attempt, Ending::ConnectFailed, 0),
            Answer::Broken => self.settle(attempt, Ending::Broken, 0),
        }
    }

    /// An attempt takes too long.
    pub(super) fn timed_out(&mut self, attempt: Attempt) {
        self.settle(attempt, Ending::TimedOut, 0);
    }

    /// An attempt is over: count it out, tell whoever wants to know, and try
    /// again or end the request.
    fn settle(&mut self, attempt: Attempt, ending: Ending, status: u16) {
        let now_ns = self.now_ns;
        let Some(request) = self.requests.waiting_for(attempt) else {
            return;
        };
        request.serial = 0;
        let Some(trip) = request.trip.take() else {
            return;
        };
        let seat = request.seat();
        let gateway_number = request.incoming.gateway;
        let gateway = &mut self.gateways[gateway_number as usize];
        let state = &trip.endpoint.state;
        let slot = state.slot();
        state.pool().leave(slot);
        let micros = u32::try_from((now_ns - trip.sent_ns) / 1000).unwrap_or(u32::MAX);
        let counters = state.counters_of(seat.worker);
        if ending == Ending::Completed {
            counters.responded(micros);
        }
        if ending != Ending::Completed || status >= ERROR {
            counters.failures.add(1);
        }
        let balancer = gateway.balancer(seat);
        if balancer.observes() {
            balancer.observe(Outcome {
                slot,
                ending,
                status,
                first_byte_us: micros,
                duration_us: micros,
                lot: None,
            });
        }
        let breaker = gateway.pool(seat.pool).config.breaker;
        let turn = judge(
            &trip.endpoint,
            breaker,
            (ending, status),
            (trip.permit, now_ns),
        );
        if let Some(turn) = turn {
            self.turned(gateway_number, trip.server, turn);
        }
        if ending == Ending::ConnectFailed {
            self.suspect(gateway_number, trip.server);
        }
        self.conclude(attempt.request, slot, (ending, status));
    }

    /// Try a request again, or end it.
    fn conclude(&mut self, place: u32, slot: Slot, (ending, status): (Ending, u16)) {
        let now = Duration::from_nanos(self.now_ns);
        let Some(request) = self.requests.at(place) else {
            return;
        };
        request.tried.push(slot);
        let (seat, is_due) = (request.seat(), self.now_ns >= request.due_ns);
        let attempts = request.tried.len() as u32;
        let (tried, most) = (&request.tried, request.most_attempts);
        let gateway = &mut self.gateways[request.incoming.gateway as usize];
        let pool = Arc::clone(gateway.pool(seat.pool));
        let retries = &pool.config.retries;
        let is_usable = ending == Ending::Completed && !retries.statuses.contains(&status);
        let may_retry = !is_usable
            && !is_due
            && attempts < retries.attempts.min(most)
            && gateway.has_other(seat, tried);
        let budgets = &gateway.side(seat).budgets;
        let retried = may_retry
            && match ending {
                Ending::ConnectFailed => budgets.withdraw_connect(now),
                _ => budgets.withdraw(now),
            };
        if retried {
            self.tally.retried(request.is_measured);
            return self.attempt(place);
        }
        if ending == Ending::Completed {
            budgets.answered(retries);
        }
        let end = match ending {
            Ending::Completed if status < ERROR => End::Well,
            Ending::Completed => End::Status,
            Ending::TimedOut => End::TimedOut,
            _ => End::Failed,
        };
        self.end(place, end);
    }

    fn end(&mut self, place: u32, end: End) {
        if let Some(request) = self.requests.leave(place)
            && request.is_measured
        {
            let took_ns = self.now_ns - request.incoming.at_ns;
            self.tally.ended(took_ns, end);
        }
    }

    fn suspect(&mut self, gateway: u32, server: u32) {
        let thinks = &mut self.gateways[gateway as usize];
        let opinion = &mut thinks.opinions[server as usize];
        if !std::mem::replace(&mut opinion.is_suspect, true) {
            let check = Event::Check {
                gateway,
                server,
                in_turn: false,
            };
            self.agenda.plan(self.after(SUSPECT_PAUSE_NS), check);
        }
    }

    fn turned(&mut self, gateway: u32, server: u32, turn: Turn) {
        if let Turn::Opened { opening, time, .. } = turn {
            let opening = Opening {
                gateway,
                server,
                number: opening,
                lasts_ns: time.as_nanos() as u64,
            };
            let over = self.after(opening.lasts_ns);
            self.agenda.plan(over, Event::HalfOpen(opening));
        }
        self.review(gateway);
    }
}
