//! Exporting spans to a collector of OpenTelemetry: they are taken from the workers,
//! gathered into batches and sent by OTLP over HTTP. What no collector takes is
//! dropped and counted.

mod collector;
mod otlp;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gatewright_model::config::Tracing;
use gatewright_proxy::{Recorded, TelemetryCounts};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use self::collector::{Collector, SendError};
use crate::control::Control;

/// Requests in a batch at the most.
const BATCH: usize = 512;

/// How long spans wait for others.
const GATHER: Duration = Duration::from_secs(1);

/// How long a batch is sent again and again that the collector cannot take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first and the longest wait before sending again.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));

/// Export whatever workers record, until `end` says that no more comes.
pub(crate) async fn export(
    control: Arc<Control>,
    mut recorded: mpsc::Receiver<Box<Recorded>>,
    mut end: watch::Receiver<bool>,
) {
    let mut exporter = Exporter::new(Arc::clone(&control.telemetry.counts));
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let came = tokio::select! {
            came = recorded.recv_many(&mut batch, BATCH) => came,
            _ = end.wait_for(|is_over| *is_over) => 0,
        };
        let is_over = *end.borrow() || came == 0;
        let gathered = Instant::now() + GATHER;
        while !is_over && batch.len() < BATCH {
            let room = BATCH - batch.len();
            tokio::select! {
                came = recorded.recv_many(&mut batch, room) => if came == 0 { break },
                () = tokio::time::sleep_until(gathered) => break,
                _ = end.wait_for(|is_over| *is_over) => break,
            }
        }
        while is_over && let Ok(last) = recorded.try_recv() {
            batch.push(last);
        }
        let config = control.publisher.snapshot().config.tracing.clone();
        let whole = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
        exporter.send(config.as_deref(), &whole, &mut end).await;
        if is_over {
            return;
        }
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
        batch: &[Box<Recorded>],
        end: &mut watch::Receiver<bool>,
    ) {
        let spans: usize = batch.iter().map(|one| one.spans.len()).sum();
        if spans == 0 {
            return;
        }
        let Some(config) = config else {
            // Traces have been switched off meanwhile.
            return self.dropped(spans);
        };
        let request = otlp::request(batch, &config.service_name);
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
