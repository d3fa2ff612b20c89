//! Closing a connection on a client that may still be sending.
//!
//! A socket that is closed while bytes come in answers them with a reset, and a
//! reset makes the client's system drop what the client has not read yet: its
//! answer. So the sending side is closed first, and what still comes is read
//! and thrown away for a moment (RFC 9112 §9.6).

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::connection::Client;
use crate::deadlines::Passed;
use crate::outbox::Layered;

/// How long a client that dawdles is given to be told so.
const TELLING: Duration = Duration::from_secs(1);

/// What a client reads whose request's head took too long.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\n\
    Content-Type: application/json\r\nContent-Length: 48\r\nConnection: close\r\n\r\n\
    {\"error\": \"the request's head came too slowly\"}\n";

/// How long a client is listened to that is silent after its answer and has taken all of
/// it: a few round trips over any network, and no longer than a drain can wait.
const LINGER: Duration = Duration::from_secs(1);

/// What is read of it meanwhile. Reading all of a refused upload would be to
/// take it after all.
const LINGER_BYTES: usize = 256 * 1024;

/// Tell a client that its request's head came too slowly.
pub(crate) async fn tell_too_slow<S: AsyncWrite + Unpin>(client: &Client, stream: &mut S) {
    let told = client.within(TELLING, stream.write(TOO_SLOW)).await;
    tracing::debug!(
        peer = client.source().peer_text,
        ?told,
        "a request's head came too slowly"
    );
}

/// Close the sending side, and wait until the client has closed its own: for as long as
/// it is still taking what it was sent, at most for as long as a drain waits.
pub(crate) async fn linger<S: AsyncRead + AsyncWrite + Layered + Unpin>(
    client: &Client,
    mut stream: S,
) {
    let deadlines = &client.worker.deadlines;
    let end = deadlines.tick_after(client.worker.timeouts().drain);
    if !matches!(client.within(LINGER, stream.shutdown()).await, Ok(Ok(()))) {
        return;
    }
    let mut place = [0; 1024];
    let mut heard = 0;
    while heard < LINGER_BYTES && deadlines.now() < end {
        match client.within(LINGER, stream.read(&mut place)).await {
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(come)) => heard += come,
            Err(Passed) if stream.connection().is_taken() => break,
            Err(Passed) => {}
        }
    }
    tracing::debug!(
        peer = client.source().peer_text,
        heard,
        "a client was listened to after its last answer"
    );
}
