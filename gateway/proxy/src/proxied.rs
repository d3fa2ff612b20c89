//! Connections that a proxy in front makes for its clients, and says so by a
//! header of the PROXY protocol. It comes before TLS, and nothing after it is
//! read here.

use std::io;
use std::net::SocketAddr;

use gatewright_wire::proxy_header::{Behalf, Next, next};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::entrance::Entrance;
use crate::worker::Worker;

/// Ticks between two words in the log about a listener's connections (10 s).
const TELL_TICKS: u64 = 10_000 / crate::deadlines::TICK.as_millis() as u64;

/// What there is to be seen of a line without taking more than it.
const GLANCE: usize = 128;

/// Why a connection is closed before anything is said on it.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("it is none of the proxies in proxy_protocol")]
    Stranger,
    #[error("{0}")]
    Header(#[from] io::Error),
    #[error("its header did not come in time")]
    Late,
}

/// On whose behalf the proxy at `peer`, or at a Unix socket, connects. None: the connection is to be
/// closed.
pub(crate) async fn behalf(
    worker: &Worker,
    stream: &mut TcpStream,
    peer: Option<SocketAddr>,
    entrance: &Entrance,
) -> Option<Behalf> {
    match told(worker, stream, peer, entrance).await {
        Ok(told) => Some(told),
        Err(refused) => {
            let now = worker.deadlines.now();
            if now >= entrance.tells_from.get() {
                entrance.tells_from.set(now + TELL_TICKS);
                let peer = peer.map(tracing::field::display);
                tracing::warn!(peer, reason = %refused, "a connection without a proxy's word is closed");
            }
            None
        }
    }
}

async fn told(
    worker: &Worker,
    stream: &mut TcpStream,
    peer: Option<SocketAddr>,
    entrance: &Entrance,
) -> Result<Behalf, Refused> {
    let address = peer.map(|peer| peer.ip().to_canonical());
    if !entrance.proxies.has(address) {
        return Err(Refused::Stranger);
    }
    let deadline = worker.deadlines.register();
    deadline.arm(worker.timeouts().request_head);
    match deadline.limit(read(stream)).await {
        Ok(told) => Ok(told?),
        Err(_) => Err(Refused::Late),
    }
}

/// Read the header, and not a byte beyond it.
async fn read(stream: &mut TcpStream) -> io::Result<Behalf> {
    let mut header = Vec::new();
    loop {
        let more = match next(&header).map_err(io::Error::other)? {
            Next::Whole(told) => return Ok(told),
            Next::Read(count) => count,
            Next::ReadLine(most) => line_ahead(stream, most).await?,
        };
        let start = header.len();
        header.resize(start + more, 0);
        stream.read_exact(&mut header[start..]).await?;
    }
}

/// How much has come of the present line, its end included.
async fn line_ahead(stream: &TcpStream, most: usize) -> io::Result<usize> {
    let mut glance = [0; GLANCE];
    let glance = &mut glance[..most.min(GLANCE)];
    let come = stream.peek(glance).await?;
    if come == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let end = glance[..come].iter().position(|&byte| byte == b'\n');
    Ok(end.map_or(come, |end| end + 1))
}
