//! How long something is tried again that other gateways overtake, and the place in the
//! server's line that it has meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time;

use super::Cluster;

/// How long it is tried again at most: far longer than the line takes, even where one in
/// it is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest pause before it is: about what a change takes.
const PAUSE_MS: u64 = 10;

/// The attempts at one change. Only who has the turn may have them.
#[derive(Default)]
pub(crate) struct Attempts {
    began: Option<Instant>,
    is_overtaken: bool,
    /// What the change stands in line with.
    ticket: Option<(Arc<Cluster>, String)>,
}

impl Attempts {
    /// At a change that goes to the cluster, if there is one.
    pub(crate) fn at(cluster: Option<&Arc<Cluster>>) -> Self {
        let ticket = cluster.map(|cluster| {
            let ticket = format!("{:016x}", fastrand::u64(..));
            cluster.hold(Some(ticket.clone()));
            (Arc::clone(cluster), ticket)
        });
        Self {
            began: None,
            is_overtaken: false,
            ticket,
        }
    }

    /// Whether to try: at once the first time, then after a pause by chance, so that
    /// gateways that change in step get out of it, and too long after the first not
    /// any more.
    pub(crate) async fn another(&mut self) -> bool {
        let Some(began) = self.began else {
            self.began = Some(Instant::now());
            return true;
        };
        self.is_overtaken = true;
        time::sleep(Duration::from_millis(fastrand::u64(..PAUSE_MS))).await;
        began.elapsed() < PATIENCE
    }
}

impl Drop for Attempts {
    /// Nobody is to wait for a change that is done or given up.
    fn drop(&mut self) {
        let Some((cluster, ticket)) = self.ticket.take() else {
            return;
        };
        cluster.hold(None);
        if let (true, Ok(runtime)) = (self.is_overtaken, Handle::try_current()) {
            // Otherwise the place ends by itself.
            runtime.spawn(async move { cluster.leave_line(&ticket).await });
        }
    }
}
