//! Clients of any kind that ask again and again while something else happens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::eventually::eventually;
use super::wire::Wire;

/// Clients that ask until they are stopped.
pub(crate) struct Clients {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Clients {
    /// Ask again and again, each time as `ask` does.
    pub(crate) fn asking<A: Future<Output = ()> + Send>(
        mut ask: impl FnMut() -> A + Send + 'static,
    ) -> Self {
        let (stop, answered) = <(Arc<AtomicBool>, Arc<AtomicUsize>)>::default();
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&answered));
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                ask().await;
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self {
            stop,
            answered,
            task,
        }
    }

    /// Ask a server `a` for a page, each time on a connection of its own.
    pub(crate) fn connecting(address: SocketAddr) -> Self {
        Self::asking(move || async move {
            let stream = TcpStream::connect(address).await.expect("it accepts");
            let mut wire = Wire::new(stream);
            wire.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                .await;
            assert_eq!(wire.response().await.text(), "a");
        })
    }

    /// Wait until more has been answered.
    pub(crate) async fn go_on(&self) {
        let wanted = self.answered.load(Ordering::Relaxed) + 20;
        eventually("more is answered", async || {
            self.task.is_finished() || self.answered.load(Ordering::Relaxed) >= wanted
        })
        .await;
    }

    /// None may have failed.
    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("nothing failed");
    }
}
