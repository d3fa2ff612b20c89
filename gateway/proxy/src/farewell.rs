//! Closing a connection on a client that may still be sending.
//!
//! A socket that is closed while bytes come in answers them with a reset, and a
//! reset makes the client's system drop what the client has not read yet: its
//! answer. So the sending side is closed first, and what still comes is read
//! and thrown away for a while (RFC 9112 §9.6).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::connection::Client;
use crate::drive::End;
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

/// How long it may take nothing of what is left of its answer: packets that were lost have
/// been sent again by then, more than once, and small buffers have moved on.
const STANDSTILL: Duration = Duration::from_secs(5);

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
/// it is taking what it was sent or goes on sending, at most for as long as a drain waits.
/// One that has kept to no protocol, or was too slow in it, has a moment alone.
pub(crate) async fn linger<S: AsyncRead + AsyncWrite + Layered + Unpin>(
    client: &Client,
    mut stream: S,
    end: End,
) {
    let longest = match end {
        End::Closed | End::TimedOut => client.worker.timeouts().drain,
        End::Broken | End::Malformed | End::HeadTimeout => LINGER,
    };
    let deadlines = &client.worker.deadlines;
    let last = deadlines.tick_after(longest);
    let standstill = || deadlines.tick_after(STANDSTILL).min(last);
    let mut until = standstill();
    let mut untaken = stream.connection().untaken();
    let (mut heard, mut heard_before) = (0, 0);
    while client
        .within(LINGER, hear_out(&mut stream, &mut heard))
        .await
        .is_err()
    {
        let left = stream.connection().untaken();
        if left == 0 && heard == heard_before {
            break;
        }
        // Nothing is added to what is left: when it changes, some was taken.
        if left == 0 || left != untaken {
            until = standstill();
        }
        if deadlines.now() >= until {
            break;
        }
        (untaken, heard_before) = (left, heard);
    }
    tracing::debug!(
        peer = client.source().peer_text,
        heard,
        "a client was listened to after its last answer"
    );
}

/// Close the sending side, and read until the client has closed its own or sent too much.
/// Given up, it may be begun again.
async fn hear_out<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    heard: &mut usize,
) -> io::Result<()> {
    stream.shutdown().await?;
    let mut place = [0; 1024];
    while *heard < LINGER_BYTES {
        match stream.read(&mut place).await? {
            0 => break,
            come => *heard += come,
        }
    }
    Ok(())
}
