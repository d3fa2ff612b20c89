//! Where workers hand over what they tell of requests: never waiting for anybody
//! who takes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatewright_model::config::LogTarget;
use tokio::sync::mpsc;

use crate::explain::Explanations;
use crate::spans::Recorded;

/// Buffers of lines that may wait for their writer: with those of 64 KiB that
/// busy workers fill, 4 MiB.
const WAITING_LINES: usize = 64;

/// Requests whose spans may wait for their exporter.
const WAITING_SPANS: usize = 2048;

/// Where workers hand over what they tell.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// What was decided about some requests.
    pub explanations: Arc<Explanations>,
    /// Whoever writes the access log.
    pub log: mpsc::Sender<ToLog>,
    /// Whoever exports spans.
    pub spans: mpsc::Sender<Box<Recorded>>,
    /// What became of it.
    pub counts: Arc<TelemetryCounts>,
}

/// What the writer of the access log is told.
#[derive(Debug)]
pub enum ToLog {
    /// Write this.
    Lines(Lines),
    /// Open the file anew: what was it has another name now.
    Reopen,
    /// Write what is there, and end.
    End,
}

/// Whole lines of the access log.
#[derive(Debug)]
pub struct Lines {
    /// Where they go.
    pub target: LogTarget,
    /// The lines, each with its end.
    pub bytes: Vec<u8>,
    /// How many there are.
    pub count: u64,
}

/// What became of what was told.
#[derive(Debug, Default)]
pub struct TelemetryCounts {
    /// Lines of the access log that were written.
    pub lines: AtomicU64,
    /// Lines of the access log that were not.
    pub lines_dropped: AtomicU64,
    /// Spans that a collector has taken.
    pub spans: AtomicU64,
    /// Spans that none has taken.
    pub spans_dropped: AtomicU64,
}

/// The other ends: whoever writes and exports.
#[derive(Debug)]
pub struct Takers {
    /// What is to be written.
    pub log: mpsc::Receiver<ToLog>,
    /// What is to be exported.
    pub spans: mpsc::Receiver<Box<Recorded>>,
}

impl Telemetry {
    /// Both ends.
    pub fn new(explanations: Arc<Explanations>) -> (Self, Takers) {
        let (to_log, log) = mpsc::channel(WAITING_LINES);
        let (to_spans, spans) = mpsc::channel(WAITING_SPANS);
        let telemetry = Self {
            explanations,
            log: to_log,
            spans: to_spans,
            counts: Arc::default(),
        };
        (telemetry, Takers { log, spans })
    }

    /// Hand lines over; if the writer is behind, they are dropped.
    pub(crate) fn write(&self, lines: Lines) {
        let count = lines.count;
        if self.log.try_send(ToLog::Lines(lines)).is_err() {
            self.counts
                .lines_dropped
                .fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Hand spans over; if the exporter is behind, they are dropped.
    pub(crate) fn export(&self, recorded: Box<Recorded>) {
        let count = recorded.spans.len() as u64;
        if self.spans.try_send(recorded).is_err() {
            self.counts
                .spans_dropped
                .fetch_add(count, Ordering::Relaxed);
        }
    }
}
