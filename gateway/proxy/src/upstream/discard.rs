//! Reading what nobody wants, so that a connection can serve again that would
//! have to be closed otherwise, or a stream be reset.

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;

use super::CutShort;

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
