//! Where workers hand over what they tell of requests: never waiting for anybody
//! who takes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatewright_model::config::LogTarget;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::explain::Explanations;
use crate::spans::Recorded;

/// Buffers of lines that may wait for their writer: with those of 64 KiB that
/// busy workers fill, 4 MiB.
const WAITING_LINES: usize = 64;

/// Requests whose spans may wait for their exporter.
const WAITING_SPANS: usize = 2048;

/// Bytes that spans may take which wait for their exporter or are on their way to
/// the collector.
const WAITING_BYTES: usize = 16 * 1024 * 1024;

/// Where workers hand over what they tell.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// What was decided about some requests.
    pub explanations: Arc<Explanations>,
    /// Whoever writes the access log.
    pub log: mpsc::Sender<ToLog>,
    /// Whoever exports spans.
    pub spans: mpsc::Sender<Queued>,
    /// A permit for each byte that spans may still take.
    room: Arc<Semaphore>,
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

/// Spans on their way to a collector.
#[derive(Debug)]
pub struct Queued {
    /// The spans.
    pub recorded: Box<Recorded>,
    /// The bytes that they take, which others may have once this is dropped.
    pub room: OwnedSemaphorePermit,
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
    pub spans: mpsc::Receiver<Queued>,
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
            room: Arc::new(Semaphore::new(WAITING_BYTES)),
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
        if self.try_export(recorded).is_none() {
            self.counts
                .spans_dropped
                .fetch_add(count, Ordering::Relaxed);
        }
    }

    fn try_export(&self, recorded: Box<Recorded>) -> Option<()> {
        let bytes = u32::try_from(recorded.size()).ok()?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes).ok()?;
        self.spans.try_send(Queued { recorded, room }).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use gatewright_wire::trace_context::{SpanId, TraceId};

    use super::*;
    use crate::spans::{Span, SpanKind, SpanValue};

    /// A request's only span, with an attribute of so many bytes.
    fn recorded(bytes: usize) -> Box<Recorded> {
        let span = Span {
            id: SpanId([1; 8]),
            parent: None,
            name: "GET".to_owned(),
            kind: SpanKind::Server,
            start: Duration::ZERO,
            duration: Duration::ZERO,
            attributes: vec![("long", SpanValue::Text("x".repeat(bytes)))],
            error: None,
        };
        Box::new(Recorded {
            trace: TraceId([1; 16]),
            state: String::new(),
            at: SystemTime::UNIX_EPOCH,
            link: None,
            spans: vec![span],
        })
    }

    #[test]
    fn spans_beyond_the_bytes_that_may_wait_are_dropped_until_others_have_gone() {
        let (telemetry, mut takers) = Telemetry::new(Explanations::new(1, Box::new(|_| false)));
        let dropped = || telemetry.counts.spans_dropped.load(Ordering::Relaxed);
        let quarter = WAITING_BYTES / 4;
        for count in [0, 0, 0, 1, 2] {
            telemetry.export(recorded(quarter));
            assert_eq!(
                dropped(),
                count,
                "the fourth has no room beside its own bytes"
            );
        }
        telemetry.export(recorded(1024));
        assert_eq!(dropped(), 2, "a small one still has");
        let taken = takers.spans.try_recv().unwrap();
        telemetry.export(recorded(quarter));
        assert_eq!(dropped(), 3, "what is being sent still takes its bytes");
        drop(taken);
        telemetry.export(recorded(quarter));
        assert_eq!(dropped(), 3);
    }

    #[test]
    fn requests_beyond_those_that_may_wait_are_dropped_too() {
        let (telemetry, _takers) = Telemetry::new(Explanations::new(1, Box::new(|_| false)));
        for _ in 0..=WAITING_SPANS {
            telemetry.export(recorded(1));
        }
        assert_eq!(telemetry.counts.spans_dropped.load(Ordering::Relaxed), 1);
    }
}
