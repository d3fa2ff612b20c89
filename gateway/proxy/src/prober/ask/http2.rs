//! A GET over HTTP/2, and what a call of gRPC has in common with it.

use std::io;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, Version, request};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Answer, USER_AGENT};

/// Whom a request is for.
#[derive(Clone, Copy)]
pub(super) struct Address<'a> {
    pub(super) scheme: &'a str,
    pub(super) authority: &'a str,
}

impl Address<'_> {
    /// A request for a path.
    pub(super) fn request(self, path: &str) -> request::Builder {
        let Self { scheme, authority } = self;
        Request::builder()
            .version(Version::HTTP_2)
            .uri(format!("{scheme}://{authority}{path}"))
            .header("user-agent", USER_AGENT)
    }
}

/// What a path is answered with.
pub(super) async fn get(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    address: Address<'_>,
    path: &str,
) -> io::Result<Answer> {
    let request = address.request(path).body(()).map_err(io::Error::other)?;
    converse(stream, async |mut sender| {
        let (response, _) = sender.send_request(request, true)?;
        let (head, _) = response.await?.into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
        })
    })
    .await
}

/// Have one exchange over a connection.
pub(super) async fn converse<T>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    exchange: impl AsyncFnOnce(SendRequest<Bytes>) -> Result<T, h2::Error>,
) -> io::Result<T> {
    let conversing = async {
        let (sender, connection) = h2::client::handshake(stream).await?;
        let exchange = async { exchange(sender.ready().await?).await };
        tokio::select! {
            exchanged = exchange => exchanged,
            ended = connection => Err(ended.err().unwrap_or_else(|| h2::Reason::NO_ERROR.into())),
        }
    };
    conversing.await.map_err(io::Error::other)
}
