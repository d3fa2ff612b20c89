//! A stream of which something has been read already.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is read ahead at the most: that something comes is what matters.
const AHEAD: usize = 1024;

/// A stream that gives what was read of it before it reads on.
pub(crate) struct Early<S> {
    read: Bytes,
    /// What befell the stream behind the bytes that were read before.
    failure: Option<io::Error>,
    stream: S,
}

impl<S> Early<S> {
    pub(crate) fn new(read: Bytes, stream: S) -> Self {
        Self {
            read,
            failure: None,
            stream,
        }
    }

    /// The stream itself.
    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    /// Whether something is still to be given that was read before.
    pub(crate) fn holds(&self) -> bool {
        !self.read.is_empty() || self.failure.is_some()
    }

    /// What is still to be given that was read before, and the stream.
    pub(crate) fn into_parts(self) -> (Bytes, S) {
        (self.read, self.stream)
    }
}

impl<S: AsyncRead + Unpin> Early<S> {
    /// Read ahead, where nothing is held that was read before; ready without bytes
    /// at the end of the stream. What comes is given to whoever reads next.
    pub(crate) fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        debug_assert!(!self.holds(), "what is held must be read first");
        let mut place = [MaybeUninit::uninit(); AHEAD];
        let mut next = ReadBuf::uninit(&mut place);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut next))?;
        self.read = Bytes::copy_from_slice(next.filled());
        Poll::Ready(Ok(self.read.len()))
    }

    /// Read what is held, and behind it what has come since.
    fn read_held(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let length = self.read.len().min(buffer.remaining());
        buffer.put_slice(&self.read[..length]);
        self.read.advance(length);
        // A long body must not come in pieces as short as what was read ahead of it.
        if buffer.remaining() > 0
            && let Poll::Ready(Err(failure)) = Pin::new(&mut self.stream).poll_read(cx, buffer)
        {
            self.failure = Some(failure);
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Early<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.holds() {
            true => Poll::Ready(this.read_held(cx, buffer)),
            false => Pin::new(&mut this.stream).poll_read(cx, buffer),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Early<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn what_was_read_comes_first() {
        let mut stream = Early::new(Bytes::from_static(b"before "), &b"after"[..]);
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "before after");
    }

    #[tokio::test]
    async fn what_is_read_ahead_comes_in_its_place() {
        let long = "1234567".repeat(AHEAD);
        let mut stream = Early::new(Bytes::new(), long.as_bytes());
        let ahead = poll_fn(|cx| stream.poll_ahead(cx)).await;
        assert_eq!((ahead.unwrap(), stream.holds()), (AHEAD, true));
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, long);
        let ahead = poll_fn(|cx| stream.poll_ahead(cx)).await;
        assert_eq!((ahead.unwrap(), stream.holds()), (0, false));
    }

    #[tokio::test]
    async fn what_is_held_is_read_together_with_what_has_come_since() {
        let mut stream = Early::new(Bytes::from_static(b"before "), &b"after"[..]);
        let mut piece = [0; 10];
        assert_eq!(stream.read(&mut piece).await.unwrap(), 10);
        assert_eq!(&piece, b"before aft");
    }

    /// A stream that has failed.
    struct Failed;

    impl AsyncRead for Failed {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        }
    }

    #[tokio::test]
    async fn a_failure_behind_what_is_held_is_told_after_it() {
        let mut stream = Early::new(Bytes::from_static(b"before"), Failed);
        let mut piece = [0; 10];
        assert_eq!(stream.read(&mut piece).await.unwrap(), 6);
        assert!(stream.holds());
        let failure = stream.read(&mut piece).await.unwrap_err();
        assert_eq!(failure.kind(), io::ErrorKind::ConnectionReset);
    }
}
