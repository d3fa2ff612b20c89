//! A server that does as its mood is, which a test may change at any time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use super::upstream::{Peer, Upstream, plain};

/// What a server does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It answers with its name.
    Well,
    /// It answers with this status.
    Answering(u16),
    /// It reads a request and resets the connection.
    Resetting,
    /// It reads a request and stays silent.
    Silent,
}

/// A server with moods.
pub(crate) struct Moody {
    upstream: Upstream,
    mood: Arc<AtomicU16>,
}

const RESETTING: u16 = 1;
const SILENT: u16 = 2;

impl Mood {
    fn code(self) -> u16 {
        match self {
            Self::Well => 200,
            Self::Answering(status) => status,
            Self::Resetting => RESETTING,
            Self::Silent => SILENT,
        }
    }
}

impl Moody {
    /// A server with this name that is well.
    pub(crate) async fn named(name: &'static str) -> Self {
        let mood = Arc::new(AtomicU16::new(Mood::Well.code()));
        let known = Arc::clone(&mood);
        let upstream = Upstream::scripted(move |peer| serve(peer, name, Arc::clone(&known)));
        Self {
            upstream: upstream.await,
            mood,
        }
    }

    /// From the next request on it is in this mood.
    pub(crate) fn is(&self, mood: Mood) {
        self.mood.store(mood.code(), Ordering::Relaxed);
    }

    /// The server itself.
    pub(crate) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.upstream.address()
    }

    /// How many requests it has read, but for checks.
    pub(crate) fn asked(&self) -> usize {
        let requests = self.upstream.requests();
        let own = requests.iter().filter(|one| one.target() != "/health");
        own.count()
    }
}

async fn serve(mut peer: Peer, name: &'static str, mood: Arc<AtomicU16>) {
    while let Some(_request) = peer.request().await {
        let answer = match mood.load(Ordering::Relaxed) {
            RESETTING => return peer.reset(),
            SILENT => return peer.stall().await,
            200 => plain(name),
            status => format!("HTTP/1.1 {status} Moody\r\ncontent-length: 0\r\n\r\n"),
        };
        if peer.try_send(answer).await.is_err() {
            return;
        }
    }
}
