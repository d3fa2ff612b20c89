//! `load`: how busy the pool's endpoints are.

use gatewright_model::id::Slot;

use crate::contract::imports::load::{Host, Report};
use crate::guest::Guest;

impl Guest {
    /// A figure of every slot, `absent` for an empty one.
    fn column(&self, absent: u32, figure: impl Fn(&Self, Slot) -> Option<u32>) -> Vec<u32> {
        let width = self.pool.as_ref().map_or(0, |pool| pool.width());
        let slots = (0..width as u32).map(Slot);
        slots
            .map(|slot| figure(self, slot).unwrap_or(absent))
            .collect()
    }

    fn active_on(&self, slot: Slot) -> Option<u32> {
        let pool = self.pool.as_ref()?;
        pool.endpoint(slot)?;
        Some(pool.state.active(slot))
    }

    fn report_of(&self, slot: Slot) -> Option<(u32, u32, u32)> {
        let endpoint = self.pool.as_ref()?.endpoint(slot)?;
        let reported = &endpoint.state.reported;
        let (report, age) = match self.binding.shared.ticker.ticker().simulated() {
            None => reported.last()?,
            Some(simulated) => reported.last_at(simulated.now())?,
        };
        let age_ms = u32::try_from(age.as_millis()).unwrap_or(u32::MAX);
        Some((report.in_flight, report.latency_us, age_ms))
    }

    /// The response time of every slot, by slot; 0 for none.
    pub(crate) fn response_times(&self) -> Vec<u32> {
        self.column(0, Self::mean_us_of)
    }

    fn mean_us_of(&self, slot: Slot) -> Option<u32> {
        let endpoint = self.pool.as_ref()?.endpoint(slot)?;
        let counters = endpoint.state.counters().get(self.worker)?;
        Some(counters.mean_us())
    }
}

impl Host for Guest {
    fn active(&mut self, slot: u32) -> u32 {
        let active = self.active_on(Slot(slot)).unwrap_or(u32::MAX);
        self.heard("load.active", &slot, active)
    }

    fn all_active(&mut self) -> Vec<u32> {
        let active = self.column(u32::MAX, Self::active_on);
        self.heard("load.all-active", &(), active)
    }

    fn response_time(&mut self, slot: u32) -> u32 {
        let time = self.mean_us_of(Slot(slot)).unwrap_or(0);
        self.heard("load.response-time", &slot, time)
    }

    fn all_response_times(&mut self) -> Vec<u32> {
        let times = self.response_times();
        self.heard("load.all-response-times", &(), times)
    }

    fn reported(&mut self, slot: u32) -> Option<Report> {
        let report = self.report_of(Slot(slot));
        let report = self.heard("load.reported", &slot, report);
        report.map(|(in_flight, latency_us, age_ms)| Report {
            in_flight,
            latency_us,
            age_ms,
        })
    }
}
