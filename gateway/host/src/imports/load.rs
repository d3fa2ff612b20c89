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

    fn mean_us_of(&self, slot: Slot) -> Option<u32> {
        let endpoint = self.pool.as_ref()?.endpoint(slot)?;
        let counters = endpoint.state.counters().get(self.worker)?;
        Some(counters.mean_us())
    }
}

impl Host for Guest {
    fn active(&mut self, slot: u32) -> u32 {
        self.active_on(Slot(slot)).unwrap_or(u32::MAX)
    }

    fn all_active(&mut self) -> Vec<u32> {
        self.column(u32::MAX, Self::active_on)
    }

    fn response_time(&mut self, slot: u32) -> u32 {
        self.mean_us_of(Slot(slot)).unwrap_or(0)
    }

    fn all_response_times(&mut self) -> Vec<u32> {
        self.column(0, Self::mean_us_of)
    }

    fn reported(&mut self, slot: u32) -> Option<Report> {
        let endpoint = self.pool.as_ref()?.endpoint(Slot(slot))?;
        let reported = &endpoint.state.reported;
        let (report, age) = match self.binding.shared.ticker.ticker().simulated() {
            None => reported.last()?,
            Some(simulated) => reported.last_at(simulated.now())?,
        };
        Some(Report {
            in_flight: report.in_flight,
            latency_us: report.latency_us,
            age_ms: u32::try_from(age.as_millis()).unwrap_or(u32::MAX),
        })
    }
}
