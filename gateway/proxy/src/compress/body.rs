//! A body that is compressed on its way to the client: piece by piece, so that a large
//! one holds up nobody else on its worker, and no later than the next piece is waited
//! for, so that a slow one is not held back.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::encoder::Encoder;
use crate::body::Content;
use crate::upstream::CutShort;

/// What is taken in before others on the worker have their turn.
const TURN: usize = 16 * 1024;

/// What is given to the client at once, at the most.
const PIECE: usize = 16 * 1024;

/// A body on its way through an encoder.
pub(crate) struct Compressed {
    content: Content,
    encoder: Encoder,
    /// What has come and has not been taken in.
    input: Bytes,
    /// What is left to do before more is asked for.
    left: Left,
    /// Whether others are to have their turn.
    is_others_turn: bool,
    trailers: Option<HeaderMap>,
}

/// What is left to do in an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// Nothing: all that was taken in has come out.
    Nothing,
    /// Something may be held back for more to come.
    Held,
    /// What was taken in is coming out.
    Flush,
    /// The end is.
    Finish,
    /// Nothing any more.
    Over,
}

impl Compressed {
    pub(super) fn new(content: Content, encoder: Encoder) -> Self {
        Self {
            content,
            encoder,
            input: Bytes::new(),
            left: Left::Nothing,
            is_others_turn: false,
            trailers: None,
        }
    }

    /// Take in a turn's worth of what has come.
    fn encode(&mut self, output: &mut [u8]) -> Result<usize, CutShort> {
        let turn = &self.input[..self.input.len().min(TURN)];
        let (taken, written) = self
            .encoder
            .encode(turn, output)
            .map_err(CutShort::Coding)?;
        self.input.advance(taken);
        self.left = Left::Held;
        self.is_others_turn = true;
        Ok(written)
    }

    /// Do what is left to do.
    fn write_out(&mut self, output: &mut [u8]) -> Result<usize, CutShort> {
        let (written, is_done) = match self.left {
            Left::Finish => self.encoder.finish(output),
            _ => self.encoder.flush(output),
        }
        .map_err(CutShort::Coding)?;
        self.left = match (self.left, is_done) {
            (left, false) => left,
            (Left::Finish, true) => Left::Over,
            (_, true) => Left::Nothing,
        };
        Ok(written)
    }

    /// Take in what comes next. Pending: nothing does yet.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CutShort>> {
        let frame = Pin::new(&mut self.content).poll_frame(cx);
        frame.map(|frame| {
            match frame {
                None => self.left = Left::Finish,
                Some(Err(error)) => return Err(error),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.input = data,
                    Err(frame) => {
                        self.trailers = frame.into_trailers().ok();
                        self.left = Left::Finish;
                    }
                },
            }
            Ok(())
        })
    }
}

impl Body for Compressed {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        let body = self.get_mut();
        if std::mem::take(&mut body.is_others_turn) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if body.left == Left::Over {
            let trailers = body.trailers.take();
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        }
        let mut output = vec![0; PIECE];
        loop {
            let written = match body.left {
                Left::Over => return Poll::Ready(None),
                Left::Flush | Left::Finish => body.write_out(&mut output),
                Left::Nothing | Left::Held if !body.input.is_empty() => body.encode(&mut output),
                Left::Nothing | Left::Held => match body.poll_input(cx) {
                    Poll::Ready(came) => came.map(|()| 0),
                    Poll::Pending if body.left == Left::Held => {
                        body.left = Left::Flush;
                        Ok(0)
                    }
                    Poll::Pending => return Poll::Pending,
                },
            };
            match written {
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(0) if body.is_others_turn => {
                    body.is_others_turn = false;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Ok(0) if body.left == Left::Over && body.trailers.is_some() => {
                    let trailers = body.trailers.take().unwrap_or_default();
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Ok(0) => {}
                Ok(written) => {
                    output.truncate(written);
                    return Poll::Ready(Some(Ok(Frame::data(output.into()))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == Left::Over && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
