//! How long something is tried again that other gateways overtake.

use std::time::{Duration, Instant};

use tokio::time;

/// How long it is tried again at most: far longer than gateways keep overtaking each
/// other by bad luck alone.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest pause before it is: about what a change takes.
const PAUSE_MS: u64 = 10;

/// The attempts at one change.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    began: Option<Instant>,
}

impl Attempts {
    /// Whether to try: at once the first time, then after a pause by chance, so that
    /// gateways that change in step get out of it, and too long after the first not
    /// any more.
    pub(crate) async fn another(&mut self) -> bool {
        let Some(began) = self.began else {
            self.began = Some(Instant::now());
            return true;
        };
        time::sleep(Duration::from_millis(fastrand::u64(..PAUSE_MS))).await;
        began.elapsed() < PATIENCE
    }
}
