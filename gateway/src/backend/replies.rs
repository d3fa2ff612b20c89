//! The forms that a demo server's answers take: JSON, HTML, an echo, a number
//! of bytes.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use serde_json::{Value, json};

/// An answer of the demo server.
pub(super) type Reply = Response<UnsyncBoxBody<Bytes, hyper::Error>>;

const CHUNK: &[u8] = &[b'x'; 16 * 1024];

/// A JSON object.
pub(super) fn json(status: StatusCode, value: &Value) -> Reply {
    whole(status, "application/json", format!("{value}\n").into())
}

/// An HTML page.
pub(super) fn html(page: String) -> Reply {
    whole(StatusCode::OK, "text/html; charset=utf-8", page.into())
}

/// `{"error": …}`.
pub(super) fn error(status: StatusCode, reason: &str) -> Reply {
    json(status, &json!({ "error": reason }))
}

/// 405, naming the methods that would do.
pub(super) fn method_not_allowed(allowed: &'static str) -> Reply {
    let mut reply = error(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("allowed here: {allowed}"),
    );
    reply
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}

/// The request's body, as it comes in.
pub(super) fn echo(content_type: Option<HeaderValue>, body: Incoming) -> Reply {
    let mut reply = Response::new(body.boxed_unsync());
    let fallback = HeaderValue::from_static("application/octet-stream");
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, content_type.unwrap_or(fallback));
    reply
}

/// So many bytes.
pub(super) fn bytes(count: u64) -> Reply {
    let mut reply = Response::new(Filler(count).map_err(|never| match never {}).boxed_unsync());
    reply.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    reply
}

fn whole(status: StatusCode, content_type: &'static str, body: Bytes) -> Reply {
    let body = Full::new(body).map_err(|never| match never {});
    let mut reply = Response::new(body.boxed_unsync());
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

/// A body of so many bytes, made a chunk at a time: a gigabyte costs no memory.
struct Filler(u64);

impl Body for Filler {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0 == 0 {
            return Poll::Ready(None);
        }
        let length = usize::try_from(self.0).map_or(CHUNK.len(), |left| left.min(CHUNK.len()));
        self.0 -= length as u64;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&CHUNK[..length])))))
    }

    fn is_end_stream(&self) -> bool {
        self.0 == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_filler_has_exactly_the_length_that_it_announces() {
        for count in [0, 1, CHUNK.len() as u64, 100_000] {
            let body = bytes(count).into_body();
            assert_eq!(body.size_hint().exact(), Some(count));
            let collected = body.collect().await.expect("it cannot fail").to_bytes();
            assert_eq!(collected.len() as u64, count);
        }
    }
}
