//! Until when a request has to be answered, and by whose word.

use std::cell::Cell;
use std::time::Duration;

use crate::deadlines::Deadlines;

/// The ticks at which the time of a whole request is over.
pub(crate) struct Due {
    /// By the pool's word or a plugin's. Sending a body does not count, as long
    /// as it moves.
    request: Cell<u64>,
    /// By the word of the client, who says nothing about a server by it.
    client: u64,
}

impl Due {
    /// A request that has `limit`, where that is not zero, and whose client waits
    /// no longer than `patience`, each from a moment that is `spent` ago.
    pub(crate) fn after(
        deadlines: &Deadlines,
        limit: Duration,
        patience: Option<Duration>,
        spent: Duration,
    ) -> Self {
        let limit = Some(limit).filter(|limit| !limit.is_zero());
        let tick = |after: Option<Duration>| {
            after.map_or(u64::MAX, |after| {
                deadlines.tick_after(after.saturating_sub(spent))
            })
        };
        Self {
            request: Cell::new(tick(limit)),
            client: tick(patience),
        }
    }

    /// Let it be over at `tick` at the latest.
    pub(crate) fn advance(&self, tick: u64) {
        self.request.set(self.request.get().min(tick));
    }

    /// Sending the body took so many ticks.
    pub(crate) fn postpone(&self, ticks: u64) {
        self.request.set(self.request.get().saturating_add(ticks));
    }

    /// The tick at which it is over.
    pub(crate) fn tick(&self) -> u64 {
        self.request.get().min(self.client)
    }

    /// Whether the client waits no longer.
    pub(crate) fn is_clients(&self, now: u64) -> bool {
        self.client <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadlines::TICK;

    #[test]
    fn a_client_that_gives_up_first_is_known_by_it() {
        let deadlines = Deadlines::new();
        let due = Due::after(&deadlines, TICK * 12, Some(TICK * 7), TICK * 3);
        assert_eq!(
            (due.tick(), due.is_clients(4), due.is_clients(5)),
            (5, false, true)
        );
        due.advance(3);
        assert_eq!((due.tick(), due.is_clients(3)), (3, false));
    }

    #[test]
    fn a_body_that_is_sent_gives_time_but_not_its_clients() {
        let deadlines = Deadlines::new();
        let due = Due::after(&deadlines, TICK * 2, Some(TICK * 9), Duration::ZERO);
        due.postpone(4);
        assert_eq!(due.tick(), 7);
        due.postpone(40);
        assert_eq!((due.tick(), due.is_clients(10)), (10, true));
    }

    #[test]
    fn without_a_limit_there_is_none() {
        let due = Due::after(&Deadlines::new(), Duration::ZERO, None, TICK);
        due.postpone(4);
        assert_eq!((due.tick(), due.is_clients(1 << 60)), (u64::MAX, false));
    }
}
