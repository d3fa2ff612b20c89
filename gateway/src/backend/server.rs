//! A demo server's listener, its connections and its end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::manners::Manners;
use super::replies::{self, Reply};
use super::{BackendOptions, shop};

const NAME_HEADER: HeaderName = HeaderName::from_static("x-backend");

/// How long requests may take to finish once the server is being stopped.
const GRACE: Duration = Duration::from_secs(2);

/// How long to wait when no connection can be accepted: out of descriptors,
/// the next attempt would fail at once too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A demo server that runs on the current tokio runtime.
///
/// Dropping it is a crash: the port closes and every connection breaks off.
/// [`stop`](Self::stop) is the polite end.
pub(crate) struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
    stopping: watch::Sender<bool>,
    listening: JoinHandle<()>,
}

/// What every connection of a server needs.
struct Shared {
    name: String,
    name_header: HeaderValue,
    manners: Manners,
    started: Instant,
    requests: AtomicU64,
}

impl Backend {
    /// Listen and serve.
    ///
    /// # Errors
    ///
    /// Why the address cannot be listened on, naming it; of kind
    /// [`io::ErrorKind::AddrInUse`] when the port is taken.
    pub(crate) async fn start(options: BackendOptions) -> io::Result<Self> {
        let wanted = SocketAddr::new(options.host, options.port);
        let listener = TcpListener::bind(wanted)
            .await
            .map_err(|error| explain(&error, wanted))?;
        let address = listener.local_addr()?;
        let manners = Manners::new(&options);
        let name = options
            .name
            .unwrap_or_else(|| format!("backend-{}", address.port()));
        let shared = Arc::new(Shared {
            name_header: HeaderValue::from_str(&name).map_err(io::Error::other)?,
            name,
            manners,
            started: Instant::now(),
            requests: AtomicU64::new(0),
        });
        let (stopping, stopped) = watch::channel(false);
        let listening = tokio::spawn(listen(listener, Arc::clone(&shared), stopped));
        Ok(Self {
            address,
            shared,
            stopping,
            listening,
        })
    }

    /// Where it listens; the port is the real one when 0 was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it calls itself.
    pub(crate) fn name(&self) -> &str {
        &self.shared.name
    }

    /// How many requests it has taken, health checks included.
    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Close the port, let the requests that are under way finish for up to
    /// two seconds, then close what is left.
    pub(crate) async fn stop(mut self) {
        self.stopping.send_replace(true);
        // It ends with an error only when it was aborted, which is an end too.
        let _ = (&mut self.listening).await;
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// A server's name: what fits into a header, and is there.
pub(super) fn parse_name(text: &str) -> Result<String, String> {
    match HeaderValue::from_str(text) {
        Ok(_) if !text.trim().is_empty() => Ok(text.to_owned()),
        _ => Err("write letters, digits and punctuation, as it is sent in a header".to_owned()),
    }
}

fn explain(error: &io::Error, address: SocketAddr) -> io::Error {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {} on {} is taken: stop what listens there, or choose another port (0 picks a free one)",
            address.port(),
            address.ip()
        ),
        io::ErrorKind::PermissionDenied => format!(
            "port {} needs privileges: choose one from 1024 up",
            address.port()
        ),
        _ => format!("cannot listen on {address}: {error}"),
    };
    io::Error::new(error.kind(), reason)
}

/// Accept until told to stop. The connections live in the set, so that an
/// abort of this task ends them all.
async fn listen(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&shared), stopped.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, server = shared.name, "no connection could be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = told(&mut stopped) => break,
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    // What has not finished by then is aborted with the set.
    let _ = tokio::time::timeout(GRACE, finished).await;
}

/// Ends when the server is being stopped, or is gone.
async fn told(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stop| *stop).await);
}

async fn serve(stream: TcpStream, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    // Small answers should not wait for acknowledgements; where the option
    // cannot be set they are only slower.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, server = shared.name, "a connection broke off");
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Reply {
        let server = shop::Server {
            name: &self.name,
            requests: self.requests.fetch_add(1, Ordering::Relaxed) + 1,
            started: self.started,
            healthy: self.manners.healthy(),
        };
        let mut reply = if shop::is_health(request.uri().path()) {
            shop::health(&server)
        } else {
            self.manners.linger().await;
            if self.manners.fails() {
                let reason = "this server fails now and then, as --error-rate asks";
                replies::error(StatusCode::INTERNAL_SERVER_ERROR, reason)
            } else {
                shop::visit(&server, request).await
            }
        };
        reply
            .headers_mut()
            .insert(NAME_HEADER, self.name_header.clone());
        reply
    }
}

#[cfg(test)]
mod tests;
