//! Exporting spans to a collector of OpenTelemetry: they are taken from the workers,
//! gathered into batches and sent by OTLP over HTTP. What no collector takes is
//! dropped and counted.

mod collector;
mod otlp;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gatewright_model::config::Tracing;
use gatewright_proxy::{Queued, TelemetryCounts};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use self::collector::{Collector, SendError};
use crate::control::Control;

/// Requests in a batch at the most.
const BATCH: usize = 512;

/// Bytes in a batch, as they lie in memory, beyond which no more are put in: well
/// below what collectors take at once.
const BATCH_BYTES: usize = 1024 * 1024;

/// How long spans wait for others.
const GATHER: Duration = Duration::from_secs(1);

/// How long a batch is sent again and again that the collector cannot take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first and the longest wait before sending again.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));

/// Export whatever workers record, until `end` says that no more comes.
pub(crate) async fn export(
    control: Arc<Control>,
    mut recorded: mpsc::Receiver<Queued>,
    mut end: watch::Receiver<bool>,
) {
    let mut exporter = Exporter::new(Arc::clone(&control.telemetry.counts));
    loop {
        let (batch, is_last) = gather(&mut recorded, &mut end).await;
        let config = control.publisher.snapshot().config.tracing.clone();
        exporter.send(config.as_deref(), batch, &mut end).await;
        if is_last {
            return;
        }
    }
}

/// A batch, which is empty only if it is the last, and whether it is.
async fn gather(
    recorded: &mut mpsc::Receiver<Queued>,
    end: &mut watch::Receiver<bool>,
) -> (Vec<Queued>, bool) {
    let Some(first) = next(recorded, end).await else {
        return (Vec::new(), true);
    };
    let gathered = Instant::now() + GATHER;
    let mut bytes = first.room.num_permits();
    let mut batch = vec![first];
    while batch.len() < BATCH && bytes < BATCH_BYTES {
        match tokio::time::timeout_at(gathered, next(recorded, end)).await {
            Ok(Some(another)) => {
                bytes += another.room.num_permits();
                batch.push(another);
            }
            Ok(None) => return (batch, true),
            Err(_) => break,
        }
    }
    (batch, false)
}

/// What has been recorded next; none when no more comes.
async fn next(
    recorded: &mut mpsc::Receiver<Queued>,
    end: &mut watch::Receiver<bool>,
) -> Option<Queued> {
    tokio::select! {
        biased;
        next = recorded.recv() => next,
        _ = end.wait_for(|is_over| *is_over) => None,
    }
}

/// What is exported with.
struct Exporter {
    counts: Arc<TelemetryCounts>,
    collector: Option<Collector>,
    is_failing: bool,
}

impl Exporter {
    fn new(counts: Arc<TelemetryCounts>) -> Self {
        Self {
            counts,
            collector: None,
            is_failing: false,
        }
    }

    /// Send a batch; whatever comes of it is counted.
    async fn send(
        &mut self,
        config: Option<&Tracing>,
        batch: Vec<Queued>,
        end: &mut watch::Receiver<bool>,
    ) {
        let spans: usize = batch.iter().map(|one| one.recorded.spans.len()).sum();
        if spans == 0 {
            return;
        }
        let Some(config) = config else {
            // Traces have been switched off meanwhile.
            return self.dropped(spans);
        };
        let recorded = batch.iter().map(|one| &*one.recorded);
        let request = otlp::request(recorded, &config.service_name);
        // What is sent again and again takes no more room than what was recorded.
        let _room: Vec<_> = batch.into_iter().map(|one| one.room).collect();
        let mut wait = WAITS.0;
        let until = Instant::now() + PATIENCE;
        loop {
            let sent = self
                .collector_for(config)
                .send(config, request.clone())
                .await;
            let error = match sent {
                Ok(rejected) => return self.took(config, spans, rejected),
                Err(error) => error,
            };
            self.tell(config, &error);
            let pause = error.retry_after.unwrap_or(wait);
            // The collector may have named any time.
            let left = until.saturating_duration_since(Instant::now());
            let is_late = pause > left || *end.borrow();
            if is_late || !error.is_passing {
                return self.dropped(spans);
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = end.wait_for(|is_over| *is_over) => {}
            }
            wait = (wait * 2).min(WAITS.1);
        }
    }

    fn collector_for(&mut self, config: &Tracing) -> &mut Collector {
        let known = self.collector.take();
        let known = known.filter(|known| known.is_at(&config.otlp));
        self.collector
            .insert(known.unwrap_or_else(|| Collector::at(&config.otlp)))
    }

    fn took(&mut self, config: &Tracing, spans: usize, rejected: usize) {
        let rejected = rejected.min(spans);
        let taken = (spans - rejected) as u64;
        self.counts.spans.fetch_add(taken, Ordering::Relaxed);
        self.dropped(rejected);
        if std::mem::take(&mut self.is_failing) {
            tracing::info!("traces are taken again by {}", config.otlp);
        }
    }

    fn dropped(&self, spans: usize) {
        let dropped = &self.counts.spans_dropped;
        dropped.fetch_add(spans as u64, Ordering::Relaxed);
    }

    fn tell(&mut self, config: &Tracing, error: &SendError) {
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!(
                "traces cannot be sent to {}: {}; spans are dropped, and counted, until they can",
                config.otlp,
                error.reason
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use gatewright_proxy::{Recorded, TraceId};
    use tokio::sync::Semaphore;

    use super::*;

    /// A request's spans, which take so many bytes.
    fn queued(bytes: usize) -> Queued {
        let room = Arc::new(Semaphore::new(bytes));
        let bytes = u32::try_from(bytes).unwrap();
        let recorded = Recorded {
            trace: TraceId([1; 16]),
            state: String::new(),
            at: SystemTime::UNIX_EPOCH,
            link: None,
            spans: Vec::new(),
        };
        Queued {
            recorded: Box::new(recorded),
            room: room.try_acquire_many_owned(bytes).unwrap(),
        }
    }

    #[tokio::test]
    async fn a_batch_ends_when_it_is_large_or_no_more_comes() {
        let (send, mut recorded) = mpsc::channel(8);
        let (end, mut ending) = watch::channel(false);
        for bytes in [1, BATCH_BYTES, 2, 3] {
            send.try_send(queued(bytes)).unwrap();
        }
        let (batch, is_last) = gather(&mut recorded, &mut ending).await;
        assert_eq!((batch.len(), is_last), (2, false));
        end.send_replace(true);
        let (batch, is_last) = gather(&mut recorded, &mut ending).await;
        assert_eq!((batch.len(), is_last), (2, true));
        let (batch, is_last) = gather(&mut recorded, &mut ending).await;
        assert_eq!((batch.len(), is_last), (0, true));
    }
}
