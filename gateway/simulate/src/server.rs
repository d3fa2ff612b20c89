//! A server: so many requests at a time, the others in the order in which they
//! came. What it suffers counts for requests that begin while it suffers it.

use std::collections::VecDeque;

use gatewright_model::reported::LoadReport;

use crate::recent::Recent;
use crate::scenario::Servers;

/// A request that a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// Whose it is, and which attempt of it.
    pub(crate) request: u32,
    pub(crate) serial: u32,
    /// How long it keeps a server of speed 1 busy.
    pub(crate) work_ns: u64,
    /// When the server got it.
    pub(crate) came_ns: u64,
}

/// What becomes of a request that reaches a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reception {
    /// It is worked on, and that takes so long.
    Begun(u64),
    /// It waits.
    Waits,
    /// Too many wait.
    Refused,
    /// Nobody is there.
    Down,
}

/// A server, and what is measured of it.
#[derive(Debug)]
pub(crate) struct Server {
    /// Which group it is of.
    pub(crate) group: u32,
    speed: f64,
    slots: u32,
    limit: usize,
    /// Whether it is in its pool.
    is_present: bool,
    /// What it suffers now.
    pub(crate) ailment: Ailment,
    /// The share of it that is somebody else's.
    pub(crate) taken_share: f64,
    /// Counts up when it crashes: what it was at is gone.
    pub(crate) epoch: u32,
    busy: u32,
    queue: VecDeque<Job>,
    recent: Recent,
    pub(crate) figures: Figures,
}

/// What a server suffers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ailment {
    pub(crate) is_down: bool,
    pub(crate) slow: f64,
    pub(crate) delay_ns: u64,
    pub(crate) errors: f64,
}

impl Ailment {
    pub(crate) const NONE: Self = Self {
        is_down: false,
        slow: 1.0,
        delay_ns: 0,
        errors: 0.0,
    };
}

/// What is measured of a server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Requests that it was given.
    pub(crate) requests: u64,
    /// The most that it had at a time.
    pub(crate) peak: u32,
    /// Its busy slots, over time, and the requests that it had.
    pub(crate) busy_ns: u128,
    pub(crate) load_ns: u128,
    /// How long it was in its pool, or still at work when it had left.
    pub(crate) there_ns: u128,
    /// The requests that it had since the last look, over time, and when that was.
    window_ns: u128,
    looked_ns: u64,
    /// Until when that is counted.
    at_ns: u64,
    is_closed: bool,
}

impl Server {
    /// One of a group, in its pool or not.
    pub(crate) fn of(group: u32, like: &Servers, is_present: bool) -> Self {
        Self {
            is_present,
            group,
            speed: like.speed,
            slots: like.concurrency,
            limit: like.queue.map_or(usize::MAX, |queue| queue as usize),
            ailment: Ailment::NONE,
            taken_share: 0.0,
            epoch: 0,
            busy: 0,
            queue: VecDeque::new(),
            recent: Recent::default(),
            figures: Figures::default(),
        }
    }

    /// Requests that it has, worked on or waiting.
    pub(crate) fn load(&self) -> u32 {
        self.busy + self.queue.len() as u32
    }

    /// It comes into its pool or leaves it.
    pub(crate) fn set_present(&mut self, is_present: bool, now_ns: u64) {
        self.account(now_ns);
        self.is_present = is_present;
    }

    /// The share of its places that were taken while it was there; none if it
    /// never was.
    pub(crate) fn utilisation(&self) -> Option<f64> {
        let Figures {
            busy_ns, there_ns, ..
        } = self.figures;
        (there_ns > 0).then(|| busy_ns as f64 / (there_ns as f64 * f64::from(self.slots)))
    }

    /// The requests that it had in the mean while it was there, for what it can
    /// do; none if it never was.
    pub(crate) fn relative_load(&self) -> Option<f64> {
        let Figures {
            load_ns, there_ns, ..
        } = self.figures;
        let capacity = self.speed * f64::from(self.slots);
        (there_ns > 0).then(|| load_ns as f64 / (there_ns as f64 * capacity))
    }

    /// A request reaches it.
    pub(crate) fn receive(&mut self, job: Job, now_ns: u64) -> Reception {
        if self.ailment.is_down {
            return Reception::Down;
        }
        self.account(now_ns);
        let reception = if self.busy < self.slots {
            self.busy += 1;
            Reception::Begun(self.takes(job.work_ns))
        } else if self.queue.len() < self.limit {
            self.queue.push_back(job);
            Reception::Waits
        } else {
            return Reception::Refused;
        };
        self.figures.requests += 1;
        if !self.figures.is_closed {
            self.figures.peak = self.figures.peak.max(self.load());
        }
        reception
    }

    /// It has done one that it got at a time; the next that waits and is still
    /// wanted, and how long that takes.
    pub(crate) fn finish(
        &mut self,
        (came_ns, now_ns): (u64, u64),
        is_wanted: impl Fn(&Job) -> bool,
    ) -> Option<(Job, u64)> {
        self.account(now_ns);
        self.recent.answered(now_ns - came_ns);
        while let Some(job) = self.queue.pop_front() {
            if is_wanted(&job) {
                return Some((job, self.takes(job.work_ns)));
            }
        }
        self.busy -= 1;
        None
    }

    /// It loses all that it was at.
    pub(crate) fn crash(&mut self, now_ns: u64) {
        self.account(now_ns);
        self.epoch += 1;
        self.busy = 0;
        self.queue.clear();
        self.recent.forget();
    }

    /// How busy it says that it is.
    pub(crate) fn says(&self) -> LoadReport {
        LoadReport {
            in_flight: self.load(),
            latency_us: self.recent.median_us(),
        }
    }

    fn takes(&self, work_ns: u64) -> u64 {
        let slowed = work_ns as f64 * self.ailment.slow / self.speed / (1.0 - self.taken_share);
        (slowed as u64).max(1).saturating_add(self.ailment.delay_ns)
    }

    fn account(&mut self, now_ns: u64) {
        let load = self.load();
        let figures = &mut self.figures;
        if !figures.is_closed {
            let passed = u128::from(now_ns.saturating_sub(figures.at_ns));
            figures.busy_ns += passed * u128::from(self.busy);
            figures.load_ns += passed * u128::from(load);
            if self.is_present || load > 0 {
                figures.there_ns += passed;
            }
            figures.window_ns += passed * u128::from(load);
            figures.at_ns = now_ns;
        }
    }

    /// The requests that it had since the last look, in the mean.
    pub(crate) fn look(&mut self, now_ns: u64) -> f64 {
        self.account(now_ns);
        let load = f64::from(self.load());
        let figures = &mut self.figures;
        let passed = now_ns - figures.looked_ns;
        figures.looked_ns = now_ns;
        match (std::mem::take(&mut figures.window_ns), passed) {
            (_, 0) => load,
            (window, passed) => window as f64 / passed as f64,
        }
    }

    /// What was before counts for nothing.
    pub(crate) fn begin_measuring(&mut self, now_ns: u64) {
        self.figures = Figures {
            at_ns: now_ns,
            looked_ns: now_ns,
            peak: self.load(),
            ..Figures::default()
        };
    }

    /// What comes now counts for nothing.
    pub(crate) fn end_measuring(&mut self, now_ns: u64) {
        self.account(now_ns);
        self.figures.is_closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> Server {
        Server::of(0, &serde_json::from_str(text).unwrap(), true)
    }

    fn job(request: u32) -> Job {
        Job {
            request,
            serial: 1,
            work_ns: 1000,
            came_ns: 0,
        }
    }

    #[test]
    fn requests_beyond_its_slots_wait_and_beyond_its_queue_are_refused() {
        let mut server = server(r#"{ "name": "a", "speed": 2.0, "queue": 2 }"#);
        let received: Vec<_> = (0..4).map(|n| server.receive(job(n), 0)).collect();
        let waits = Reception::Waits;
        assert_eq!(
            received,
            [Reception::Begun(500), waits, waits, Reception::Refused]
        );
        assert_eq!(server.finish((0, 500), |_| true), Some((job(1), 500)));
        // The last one that waits was given up on.
        assert_eq!(server.finish((0, 1000), |_| false), None);
        let said = LoadReport {
            in_flight: 0,
            latency_us: 1,
        };
        assert_eq!(server.says(), said);
        assert_eq!((server.load(), server.figures.peak), (0, 3));
        assert_eq!(server.figures.busy_ns, 1000);
        assert_eq!(server.figures.load_ns, 3 * 500 + 2 * 500);
    }

    #[test]
    fn time_counts_while_it_is_in_its_pool_or_still_at_work() {
        let mut server = server(r#"{ "name": "a" }"#);
        assert_eq!(server.utilisation(), None);
        server.receive(job(1), 500);
        server.set_present(false, 600);
        server.finish((500, 1500), |_| true);
        server.set_present(true, 9000);
        server.end_measuring(9500);
        assert_eq!(server.figures.there_ns, 1500 + 500);
        assert_eq!(server.utilisation(), Some(0.5));
        assert_eq!(server.relative_load(), Some(0.5));
    }

    #[test]
    fn what_it_suffers_makes_it_slower() {
        let mut server = server(r#"{ "name": "a", "concurrency": 9 }"#);
        server.taken_share = 0.5;
        assert_eq!(server.receive(job(1), 0), Reception::Begun(2000));
        server.ailment.slow = 3.0;
        server.ailment.delay_ns = 7;
        assert_eq!(server.receive(job(2), 0), Reception::Begun(6007));
        server.ailment.is_down = true;
        server.crash(10);
        assert_eq!(server.receive(job(3), 10), Reception::Down);
        assert_eq!(server.load(), 0);
    }
}
