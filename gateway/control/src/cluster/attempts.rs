//! How long something is tried again that other gateways overtake, and the place in the
//! server's line that it has meanwhile.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time;

use super::Cluster;

/// How long it is tried again at most: far longer than the line takes, even where one in
/// it is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest pause before it is: about what a change takes.
const PAUSE_MS: u64 = 10;

/// What a change stands in line with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(u64);

impl Ticket {
    fn draw() -> Self {
        Self(fastrand::u64(..))
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// The attempts at one change. Only who has the turn may have them.
#[derive(Default)]
pub(crate) struct Attempts {
    began: Option<Instant>,
    line: Option<(Arc<Cluster>, Ticket)>,
}

impl Attempts {
    /// At a change that goes to the cluster, if there is one.
    pub(crate) fn at(cluster: Option<&Arc<Cluster>>) -> Self {
        Self {
            line: cluster.map(|cluster| (Arc::clone(cluster), Ticket::draw())),
            ..Self::default()
        }
    }

    /// What the change stands in line with, if it goes to the cluster.
    pub(crate) fn ticket(&self) -> Option<Ticket> {
        self.line.as_ref().map(|(_, ticket)| *ticket)
    }

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

impl Drop for Attempts {
    /// Nobody is to wait for a change that is done or given up.
    fn drop(&mut self) {
        let Some((cluster, ticket)) = self.line.take() else {
            return;
        };
        let is_in_line = cluster.is_in_line.swap(false, Ordering::Relaxed);
        if let (true, Ok(runtime)) = (is_in_line, Handle::try_current()) {
            // Otherwise the place ends by itself.
            runtime.spawn(async move { cluster.leave_line(ticket).await });
        }
    }
}
