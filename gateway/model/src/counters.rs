//! What a worker counts. One thread writes, with plain loads and stores; the
//! control plane reads whenever it likes.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::histogram::Histogram;

/// A number that only its owning worker changes: no read-modify-write.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Count up. Only the owning thread may call it.
    pub fn add(&self, by: u64) {
        let count = self.0.load(Ordering::Relaxed);
        self.0.store(count.wrapping_add(by), Ordering::Relaxed);
    }

    /// Count down, for gauges. Only the owning thread may call it.
    pub fn sub(&self, by: u64) {
        let count = self.0.load(Ordering::Relaxed);
        self.0.store(count.wrapping_sub(by), Ordering::Relaxed);
    }

    /// Keep the greater of the present value and `value`.
    pub fn raise_to(&self, value: u64) {
        if value > self.0.load(Ordering::Relaxed) {
            self.0.store(value, Ordering::Relaxed);
        }
    }

    /// The present value, from any thread.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One worker's figures of one endpoint. Aligned so that two workers never
/// write the same cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct EndpointCounters {
    /// Attempts that were given to the endpoint.
    pub requests: Counter,
    /// Attempts that got no response, or one with a status of 500 or above.
    pub failures: Counter,
    /// Attempts that could not connect.
    pub connect_failures: Counter,
    /// Connections opened.
    pub connections: Counter,
    /// From sending the request's head to the response's head.
    pub latency: Histogram,
    /// Exponentially weighted mean of the same in µs; 0 before the first.
    mean_us: AtomicU32,
}

impl EndpointCounters {
    /// Count a response head that took so many microseconds.
    pub fn responded(&self, micros: u32) {
        self.latency.record(micros);
        let mean = self.mean_us.load(Ordering::Relaxed);
        // The first response is the mean; later ones move it by an eighth.
        let next = match mean {
            0 => micros,
            _ => mean - mean / 8 + micros / 8,
        };
        self.mean_us.store(next.max(1), Ordering::Relaxed);
    }

    /// The mean response time in microseconds; 0 before the first response.
    pub fn mean_us(&self) -> u32 {
        self.mean_us.load(Ordering::Relaxed)
    }
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, or before it.
    Http1,
    /// HTTP/2.
    Http2,
    /// HTTP/3.
    Http3,
}

impl Protocol {
    /// All of them, in the order of their figures.
    pub const ALL: [Self; 3] = [Self::Http1, Self::Http2, Self::Http3];

    /// The word that is shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http1 => "h1",
            Self::Http2 => "h2",
            Self::Http3 => "h3",
        }
    }
}

/// One worker's figures of one protocol.
#[derive(Debug, Default)]
pub struct ProtocolCounters {
    /// Requests whose head was read.
    pub requests: Counter,
    /// Client connections that have made a request.
    pub accepted: Counter,
    /// Those of them that are open now.
    pub connections: Counter,
}

/// One worker's figures of all its traffic.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct WorkerCounters {
    /// Requests whose head was read.
    pub requests: Counter,
    /// Responses by the hundreds of their status: `[1xx, 2xx, 3xx, 4xx, 5xx]`.
    pub responses: [Counter; 5],
    /// Requests now in flight.
    pub in_flight: Counter,
    /// Tunnels now open: connections and streams that have switched protocols.
    pub tunnels: Counter,
    /// Client connections accepted.
    pub accepted: Counter,
    /// Client connections now open.
    pub connections: Counter,
    /// TLS handshakes that failed.
    pub tls_failures: Counter,
    /// What clients speak, by [`Protocol::ALL`].
    pub protocols: [ProtocolCounters; Protocol::ALL.len()],
    /// Attempts beyond a request's first.
    pub retries: Counter,
    /// Requests that were refused because the worker had as many as it may have.
    pub shed: Counter,
    /// Second servers that were asked while the first was thinking.
    pub hedges: Counter,
    /// Those of them that answered first.
    pub hedges_won: Counter,
    /// Copies of requests that were sent to a mirror.
    pub mirrored: Counter,
    /// Copies that were to be sent and could not be, or failed.
    pub unmirrored: Counter,
    /// Answers that were to be compressed while too many were.
    pub uncompressed: Counter,
    /// Plugin answers that could not be used and were replaced.
    pub overruled: Counter,
    /// Decisions that the fallback made because a plugin faulted or had no
    /// opinion.
    pub fallbacks: Counter,
    /// Requests whose client left before the response's end.
    pub abandoned: Counter,
    /// From the request's head to the response's head, as the client saw it.
    pub latency: Histogram,
    /// The longest that taking over a publication held the worker, in µs.
    pub longest_switch_us: Counter,
    /// The newest generation that the worker has taken over.
    pub generation: Counter,
}

impl WorkerCounters {
    /// The figures of a protocol.
    pub fn of(&self, protocol: Protocol) -> &ProtocolCounters {
        &self.protocols[protocol as usize]
    }

    /// Count a response by its status.
    pub fn responded(&self, status: u16) {
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        self.responses[class].add(1);
    }

    /// Requests that have no response's head yet, and whose client has not left. Only
    /// the owning thread sees figures that fit each other.
    pub fn unanswered(&self) -> u64 {
        let answered: u64 = self.responses.iter().map(Counter::get).sum();
        let over = answered + self.abandoned.get();
        self.requests.get().saturating_sub(over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_moves_towards_what_is_measured() {
        let counters = EndpointCounters::default();
        counters.responded(800);
        assert_eq!(counters.mean_us(), 800);
        (0..100).for_each(|_| counters.responded(1600));
        assert!((1500..=1600).contains(&counters.mean_us()));
    }

    #[test]
    fn each_protocol_has_figures_of_its_own() {
        let counters = WorkerCounters::default();
        for (index, protocol) in Protocol::ALL.into_iter().enumerate() {
            counters.of(protocol).requests.add(index as u64 + 1);
        }
        let requests = counters.protocols.each_ref().map(|one| one.requests.get());
        assert_eq!(requests, [1, 2, 3]);
    }

    #[test]
    fn an_unknown_status_counts_in_the_nearest_class() {
        let counters = WorkerCounters::default();
        counters.responded(999);
        counters.responded(204);
        assert_eq!(counters.responses[4].get(), 1);
        assert_eq!(counters.responses[1].get(), 1);
    }
}
