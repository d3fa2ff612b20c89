//! What is to happen, in the order of its time; of two things at one time, what
//! was planned first.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

use gatewright_model::reported::LoadReport;

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event {
    /// The next request comes.
    Arrive,
    /// An attempt reaches its server.
    Reach(Attempt),
    /// A server has done a request, unless it has crashed since.
    Finish {
        server: u32,
        epoch: u32,
        attempt: Attempt,
        /// When the server got it.
        came_ns: u64,
    },
    /// What became of an attempt reaches its gateway.
    Answer(Attempt, Answer),
    /// An attempt takes too long.
    Deadline(Attempt),
    /// A failure begins or ends, or a group of servers comes or leaves.
    Change(u32),
    /// One of some servers leaves for a while.
    Churn(u32),
    /// A server comes back.
    Return(u32),
    /// Somebody else's work on a server begins or ends.
    Antagonist {
        index: u32,
        server: u32,
        begins: bool,
    },
    /// A gateway checks a server, in its turn or out of it.
    Check {
        gateway: u32,
        server: u32,
        in_turn: bool,
    },
    /// A gateway's question how busy it is reaches a server.
    Poll { gateway: u32, server: u32 },
    /// What a server says of that reaches the gateway.
    Reported {
        gateway: u32,
        server: u32,
        report: LoadReport,
    },
    /// The time of an open circuit is over.
    HalfOpen(Opening),
    /// A half-open circuit has waited long enough for a request that may be
    /// repeated.
    Widen(Opening),
    /// Servers of a gateway that warm up get a little more.
    Warm(u32),
    /// Loads are written down.
    Sample,
    /// From now on it counts.
    Measure,
}

/// One attempt of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) request: u32,
    pub(crate) serial: u32,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Status(u16),
    ConnectFailed,
    Broken,
}

/// One opening of the circuit that a gateway has of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) gateway: u32,
    pub(crate) server: u32,
    pub(crate) number: u64,
    pub(crate) lasts_ns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at_ns: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at_ns, self.number).cmp(&(other.at_ns, other.number))
    }
}

/// What is to happen. Deadlines hardly ever come, and come in the order in which
/// they are set but for those of retries: they have a queue of their own, so that
/// the heap stays small.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    heap: BinaryHeap<Reverse<Entry>>,
    deadlines: VecDeque<Entry>,
    number: u64,
}

impl Agenda {
    /// Plan something.
    pub(crate) fn plan(&mut self, at_ns: u64, event: Event) {
        let entry = self.entry(at_ns, event);
        self.heap.push(Reverse(entry));
    }

    /// Plan a deadline.
    pub(crate) fn plan_deadline(&mut self, at_ns: u64, attempt: Attempt) {
        let entry = self.entry(at_ns, Event::Deadline(attempt));
        match self.deadlines.back() {
            Some(last) if last.at_ns > at_ns => self.heap.push(Reverse(entry)),
            _ => self.deadlines.push_back(entry),
        }
    }

    fn entry(&mut self, at_ns: u64, event: Event) -> Entry {
        self.number += 1;
        Entry {
            at_ns,
            number: self.number,
            event,
        }
    }

    /// What comes next, and when.
    pub(crate) fn next(&mut self) -> Option<(u64, Event)> {
        let planned = self.heap.peek().map(|Reverse(entry)| entry);
        let entry = match (planned, self.deadlines.front()) {
            (Some(planned), Some(deadline)) if deadline < planned => self.deadlines.pop_front(),
            (None, Some(_)) => self.deadlines.pop_front(),
            _ => self.heap.pop().map(|Reverse(entry)| entry),
        };
        entry.map(|entry| (entry.at_ns, entry.event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn things_come_in_the_order_of_their_times(times in prop::collection::vec((0..50_u64, any::<bool>()), 0..200)) {
            let mut agenda = Agenda::default();
            for (number, (at, is_deadline)) in times.iter().enumerate() {
                let attempt = Attempt { request: number as u32, serial: 0 };
                match is_deadline {
                    true => agenda.plan_deadline(*at, attempt),
                    false => agenda.plan(*at, Event::Reach(attempt)),
                }
            }
            let mut came = Vec::new();
            while let Some((at, Event::Reach(attempt) | Event::Deadline(attempt))) = agenda.next() {
                came.push((at, attempt.request));
            }
            let mut sorted: Vec<_> = times.iter().enumerate().map(|(n, (at, _))| (*at, n as u32)).collect();
            sorted.sort_unstable();
            prop_assert_eq!(came, sorted);
        }
    }
}
