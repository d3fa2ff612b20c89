//! A GET over HTTP/1.1.

use std::io;

use bytes::BytesMut;
use gatewright_wire::{HeadLimits, HeadParser};
use http::Method;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Answer, USER_AGENT};

/// What a path is answered with.
pub(super) async fn get(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    authority: &str,
    path: &str,
) -> io::Result<Answer> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {USER_AGENT}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut buffer = BytesMut::with_capacity(1024);
    let mut parser = HeadParser::new(HeadLimits::DEFAULT);
    loop {
        let parsed = parser.parse(&mut buffer, (&Method::GET).into());
        match parsed.map_err(io::Error::other)? {
            Some(head) if head.status.is_informational() => {}
            Some(head) => {
                return Ok(Answer {
                    status: head.status,
                    headers: head.headers,
                });
            }
            None => {
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Err(io::Error::other("closed without an answer"));
                }
            }
        }
    }
}
