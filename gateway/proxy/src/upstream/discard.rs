//! Reading what nobody wants, so that a connection can serve again that would
//! have to be closed otherwise, or a stream be reset.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;

use super::CutShort;
use crate::under_way::{UnderWay, Work};
use crate::worker::Worker;

/// What is read of a response aside, and for how long.
const MOST_ASIDE: usize = 64 * 1024;
const READING: Duration = Duration::from_secs(5);

/// Read a response's body to its end; one that breaks off is an error. One that
/// is longer than `most` bytes is dropped.
pub(crate) async fn discard<B>(mut body: B, most: usize) -> Result<(), CutShort>
where
    B: Body<Data = Bytes, Error = CutShort> + Unpin,
{
    let mut read = 0;
    while read <= most
        && let Some(frame) = body.frame().await
    {
        read += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(())
}

/// Read the rest of a response for which nobody need wait.
pub(crate) fn discard_aside<B>(worker: &Rc<Worker>, rest: B)
where
    B: Body<Data = Bytes, Error = CutShort> + Unpin + 'static,
{
    read_aside(worker, rest, MOST_ASIDE);
}

/// The same up to `most` bytes. Where too much is read so already it is dropped, and its
/// connection closed; returns whether it is read.
pub(crate) fn read_aside<B>(worker: &Rc<Worker>, rest: B, most: usize) -> bool
where
    B: Body<Data = Bytes, Error = CutShort> + Unpin + 'static,
{
    if rest.is_end_stream() {
        return true;
    }
    let Some(under_way) = UnderWay::begin(worker, Work::Reading) else {
        return false;
    };
    let deadline = worker.deadlines.register();
    deadline.arm(READING);
    tokio::task::spawn_local(async move {
        // Whatever becomes of it, nobody waits for it.
        let _ = deadline.limit(discard(rest, most)).await;
        drop(under_way);
    });
    true
}
