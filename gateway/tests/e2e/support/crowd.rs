//! Clients who ask on and on whatever happens, over HTTP/1.1 and HTTP/2, and who
//! tell a request that was never answered from an answer that broke off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use http::Request;
use http_body_util::BodyExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::client::{Client, empty};

/// Clients of either protocol, each with a connection of its own.
const CLIENTS: usize = 6;

/// Requests at a time on a connection of HTTP/2.
const STREAMS: usize = 4;

/// What is asked for in turn: little, and more than fits into one piece.
const PATHS: [&str; 4] = ["/api/test", "/bytes?n=200000", "/cart", "/bytes?n=2000000"];

/// How long a client waits for an answer before it takes it for lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of all requests.
#[derive(Debug, Default)]
pub(crate) struct Fates {
    /// Answered whole, with 200: over HTTP/1.1, and over HTTP/2.
    pub(crate) answered: [usize; 2],
    /// Turned away in an orderly way before anything of it was looked at.
    pub(crate) unsent: usize,
    /// Answered with 200, but broken off in the middle of the body.
    pub(crate) cut: usize,
    /// Why requests got no answer, or another one.
    pub(crate) failures: Vec<String>,
}

/// Clients who are asking.
pub(crate) struct Crowd {
    clients: JoinSet<Fates>,
    stops: Arc<AtomicBool>,
}

/// What became of one request.
enum Fate {
    Answered,
    Cut,
    /// The gateway had ended the connection before it looked at anything of it.
    Unsent,
    Failed(String),
}

impl Crowd {
    /// The most requests under way at a time.
    pub(crate) const AT_ONCE: usize = CLIENTS + CLIENTS * STREAMS;

    /// Begin.
    pub(crate) fn before(address: SocketAddr) -> Self {
        let stops = Arc::<AtomicBool>::default();
        let client = |index| ask(address, index % 2 == 1, Arc::clone(&stops));
        Self {
            clients: (0..2 * CLIENTS).map(client).collect(),
            stops,
        }
    }

    /// Let what is under way end, and begin nothing new.
    pub(crate) async fn stop(self) -> Fates {
        self.stops.store(true, Ordering::Relaxed);
        let mut all = Fates::default();
        for one in self.clients.join_all().await {
            for (all, one) in all.answered.iter_mut().zip(one.answered) {
                *all += one;
            }
            all.unsent += one.unsent;
            all.cut += one.cut;
            all.failures.extend(one.failures);
        }
        all
    }
}

async fn ask(address: SocketAddr, over_http2: bool, stops: Arc<AtomicBool>) -> Fates {
    let mut fates = Fates::default();
    let mut client = None;
    let mut turn = 0;
    while !stops.load(Ordering::Relaxed) {
        let Some(open) = &mut client else {
            client = connect(address, over_http2).await;
            if client.is_none() {
                fates.failures.push("cannot connect".into());
                tokio::task::yield_now().await;
            }
            continue;
        };
        turn += 1;
        let path = PATHS[turn % PATHS.len()];
        let mut stays = true;
        for fate in exchange(open, path).await {
            match fate {
                Fate::Answered => fates.answered[usize::from(over_http2)] += 1,
                Fate::Cut => fates.cut += 1,
                Fate::Unsent => {
                    fates.unsent += 1;
                    stays = false;
                }
                Fate::Failed(reason) => {
                    fates.failures.push(reason);
                    stays = false;
                }
            }
        }
        if !stays {
            client = None;
        }
    }
    fates
}

async fn connect(address: SocketAddr, over_http2: bool) -> Option<Client> {
    let stream = TcpStream::connect(address).await.ok()?;
    Some(match over_http2 {
        true => Client::http2_on(stream).await,
        false => Client::http1_on(stream).await,
    })
}

/// As many requests at a time as the protocol allows.
async fn exchange(client: &mut Client, path: &str) -> Vec<Fate> {
    match client {
        Client::Http1(sender) => {
            if sender.ready().await.is_err() {
                return vec![Fate::Unsent];
            }
            let request = Request::get(path).header("host", "localhost");
            let request = request.body(empty()).expect("a request");
            vec![fate(sender.send_request(request)).await]
        }
        Client::Http2(sender) => {
            if sender.ready().await.is_err() {
                return vec![Fate::Unsent];
            }
            let requests = (0..STREAMS).map(|_| {
                let request = Request::get(format!("http://localhost{path}"));
                let request = request.body(empty()).expect("a request");
                fate(sender.send_request(request))
            });
            join_all(requests.collect::<Vec<_>>()).await
        }
    }
}

async fn fate(
    responding: impl Future<Output = hyper::Result<http::Response<hyper::body::Incoming>>>,
) -> Fate {
    let response = match tokio::time::timeout(PATIENCE, responding).await {
        Ok(Ok(response)) => response,
        // It was never sent: the connection had ended in an orderly way.
        Ok(Err(error)) if error.is_canceled() || is_turned_away(&error) => return Fate::Unsent,
        Ok(Err(error)) => return Fate::Failed(format!("{error:?}")),
        Err(_) => return Fate::Failed("no answer".into()),
    };
    let status = response.status();
    let body = tokio::time::timeout(PATIENCE, response.into_body().collect()).await;
    match (status.as_u16(), body) {
        (200, Ok(Ok(_))) => Fate::Answered,
        (200, Ok(Err(_))) => Fate::Cut,
        (200, Err(_)) => Fate::Failed("a body that stands still".into()),
        (status, body) => {
            let body = body.ok().and_then(Result::ok);
            let body = body.map(http_body_util::Collected::to_bytes);
            Fate::Failed(format!("{status} {body:?}"))
        }
    }
}

/// Whether a GOAWAY has told that the gateway has not looked at the request and
/// will not: it is to be asked on another connection (RFC 9113 §6.8).
fn is_turned_away(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error);
    let cause = cause.and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| {
        cause.is_go_away() && cause.is_remote() && cause.reason() == Some(h2::Reason::NO_ERROR)
    })
}
