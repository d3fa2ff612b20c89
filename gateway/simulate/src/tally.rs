//! What is counted while a simulation runs.

use hdrhistogram::{CreationError, Histogram};

use crate::scenario::{Scenario, nanos};
use crate::server::Server;

/// How often loads are written down, in parts of the simulation's length.
const SAMPLES: u32 = 240;

/// The shortest time between two of them.
const SHORTEST_NS: u64 = 1_000_000;

/// The most rows of the heat map; where there are more servers, several share one.
const ROWS: usize = 64;

/// The longest response time that is told apart, in nanoseconds: 10,000 s.
const LONGEST_NS: u64 = 10_000_000_000_000;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was answered well.
    Well,
    /// It was answered with an error of the server's.
    Status,
    /// No attempt was answered in time.
    TimedOut,
    /// A connection could not be made or broke.
    Failed,
    /// No server could take it.
    NoServer,
}

/// What is counted while a simulation runs.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Requests that came, the warm-up included.
    pub(crate) came: u64,
    pub(crate) is_measuring: bool,
    pub(crate) began_ns: u64,
    pub(crate) ended_ns: Option<u64>,
    /// Of requests that were answered well or ran out of time.
    pub(crate) times: Histogram<u64>,
    /// By [`End`].
    pub(crate) ends: [u64; 5],
    pub(crate) retries: u64,
    objective_ns: u64,
    /// Requests that were answered well within the objective.
    pub(crate) within: u64,
    pub(crate) sample_ns: u64,
    pub(crate) samples: Samples,
}

/// Loads over time.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    /// Seconds since the beginning.
    pub(crate) at: Vec<f64>,
    /// Requests on a server: of all in the mean, and of the busiest.
    pub(crate) mean: Vec<f64>,
    pub(crate) most: Vec<f64>,
    /// By row, then by time: requests on a server, in the row's mean.
    pub(crate) rows: Vec<Vec<f64>>,
}

impl Tally {
    /// Nothing so far.
    ///
    /// # Errors
    ///
    /// When no histogram has these bounds, which is a defect.
    pub(crate) fn of(scenario: &Scenario, servers: usize) -> Result<Self, CreationError> {
        // Response times are told apart to a thousandth.
        let times = Histogram::new_with_bounds(1, LONGEST_NS, 3)?;
        let length = scenario.expected_length().as_nanos() as u64;
        Ok(Self {
            came: 0,
            is_measuring: false,
            began_ns: 0,
            ended_ns: None,
            times,
            ends: [0; 5],
            retries: 0,
            objective_ns: scenario.objective.map_or(u64::MAX, nanos),
            within: 0,
            sample_ns: (length / u64::from(SAMPLES)).max(SHORTEST_NS),
            samples: Samples {
                rows: vec![Vec::new(); servers.min(ROWS)],
                ..Samples::default()
            },
        })
    }

    /// A request ended.
    pub(crate) fn ended(&mut self, took_ns: u64, end: End) {
        self.ends[end as usize] += 1;
        if end == End::Well && took_ns <= self.objective_ns {
            self.within += 1;
        }
        if matches!(end, End::Well | End::TimedOut) {
            self.times.saturating_record(took_ns.max(1));
        }
    }

    /// How many requests ended so.
    pub(crate) fn count(&self, end: End) -> u64 {
        self.ends[end as usize]
    }

    /// A request was tried again.
    pub(crate) fn retried(&mut self, is_measured: bool) {
        self.retries += u64::from(is_measured);
    }

    /// Write down the loads since the last time.
    pub(crate) fn sample(&mut self, now_ns: u64, servers: &mut [Server]) {
        let samples = &mut self.samples;
        let loads: Vec<f64> = servers.iter_mut().map(|one| one.look(now_ns)).collect();
        let sum: f64 = loads.iter().sum();
        samples.at.push(now_ns as f64 / 1e9);
        samples.mean.push(sum / loads.len() as f64);
        samples.most.push(loads.iter().copied().fold(0.0, f64::max));
        let rows = samples.rows.len();
        for (row, values) in samples.rows.iter_mut().enumerate() {
            let part = row_of(row, rows, loads.len());
            let share: f64 = loads[part.clone()].iter().sum();
            values.push(share / part.len() as f64);
        }
    }
}

/// The servers that share a row.
pub(crate) fn row_of(row: usize, rows: usize, servers: usize) -> std::ops::Range<usize> {
    row * servers / rows..(row + 1) * servers / rows
}
