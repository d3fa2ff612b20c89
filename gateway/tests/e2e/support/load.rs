//! Traffic that goes on while something else happens, and then says how many
//! requests failed: any status but 200, and any connection that broke. A client
//! that is told that a connection ends makes another.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::eventually::eventually;
use super::wire::Wire;

/// How many clients ask at a time, each on a connection of its own.
const CLIENTS: usize = 4;

/// After so many requests a client connects anew, so that all workers are met.
const PER_CONNECTION: usize = 25;

/// Traffic that is under way.
pub(crate) struct Load {
    clients: JoinSet<Totals>,
    progress: Arc<Progress>,
}

#[derive(Default)]
struct Progress {
    answered: AtomicUsize,
    stop: AtomicBool,
}

/// What became of the requests.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// How many were answered by whom, by the body.
    pub(crate) answers: BTreeMap<String, usize>,
    /// What went wrong.
    pub(crate) failures: Vec<String>,
}

impl Load {
    /// Begin asking for a path.
    pub(crate) fn on(address: SocketAddr, path: &'static str) -> Self {
        let progress = Arc::<Progress>::default();
        let client = |_| ask(address, path, Arc::clone(&progress));
        Self {
            clients: (0..CLIENTS).map(client).collect(),
            progress,
        }
    }

    /// Wait until so many more requests have been answered.
    pub(crate) async fn goes_on(&self, more: usize) {
        let answered = || self.progress.answered.load(Ordering::Relaxed);
        let wanted = answered() + more;
        eventually("more requests are answered", async || answered() >= wanted).await;
    }

    /// End it.
    pub(crate) async fn stop(self) -> Totals {
        self.progress.stop.store(true, Ordering::Relaxed);
        let mut totals = Totals::default();
        for one in self.clients.join_all().await {
            totals.failures.extend(one.failures);
            for (body, count) in one.answers {
                *totals.answers.entry(body).or_default() += count;
            }
        }
        totals
    }

    /// End it; nothing may have failed.
    pub(crate) async fn stop_without_failure(self) -> Totals {
        let totals = self.stop().await;
        assert!(totals.failures.is_empty(), "{:?}", totals.failures);
        totals
    }
}

async fn ask(address: SocketAddr, path: &str, progress: Arc<Progress>) -> Totals {
    let mut totals = Totals::default();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    while !progress.stop.load(Ordering::Relaxed) {
        let Ok(stream) = TcpStream::connect(address).await else {
            totals.failures.push("cannot connect".into());
            continue;
        };
        let mut wire = Wire::new(stream);
        for _ in 0..PER_CONNECTION {
            if wire.try_send(&request).await.is_err() {
                totals.failures.push("the connection broke".into());
                break;
            }
            match wire.try_response().await {
                Some(response) if response.status() == 200 && response.is_whole => {
                    *totals.answers.entry(response.text().into()).or_default() += 1;
                    progress.answered.fetch_add(1, Ordering::Relaxed);
                    if response.header("connection") == Some("close") {
                        break;
                    }
                }
                response => {
                    totals.failures.push(format!("{response:?}"));
                    break;
                }
            }
        }
    }
    totals
}
