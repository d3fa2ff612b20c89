//! A body that is compressed on its way to the client: piece by piece, so that a large
//! one holds up nobody else on its worker, and no later than the next piece is waited
//! for, so that a slow one is not held back.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::encoder::Encoder;
use crate::body::Content;
use crate::under_way::UnderWay;
use crate::upstream::CutShort;

/// What is taken in before others on the worker have their turn.
const TURN: usize = 16 * 1024;

/// What is given to the client at once, at the most.
const PIECE: usize = 16 * 1024;

/// Where a worker's encoders write, one after the other: what has come out is copied, and
/// takes as much as it is.
#[derive(Debug, Default)]
pub(crate) struct Output(RefCell<Vec<u8>>);

impl Output {
    /// Have something written; beside what that says of it, the bytes.
    fn of<T>(&self, write: impl FnOnce(&mut [u8]) -> Written<T>) -> Result<(T, Bytes), CutShort> {
        let mut output = self.0.borrow_mut();
        output.resize(PIECE, 0);
        let (said, written) = write(&mut output).map_err(CutShort::Coding)?;
        Ok((said, Bytes::copy_from_slice(&output[..written])))
    }
}

/// How much was written, after something else.
type Written<T> = io::Result<(T, usize)>;

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
    under_way: UnderWay,
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
    pub(super) fn new(content: Content, encoder: Encoder, under_way: UnderWay) -> Self {
        Self {
            content,
            encoder,
            input: Bytes::new(),
            left: Left::Nothing,
            is_others_turn: false,
            trailers: None,
            under_way,
        }
    }

    /// Take in a turn's worth of what has come.
    fn encode(&mut self) -> Result<Bytes, CutShort> {
        let turn = &self.input[..self.input.len().min(TURN)];
        let output = &self.under_way.worker().compressed;
        let (taken, written) = output.of(|output| self.encoder.encode(turn, output))?;
        self.input.advance(taken);
        self.left = Left::Held;
        self.is_others_turn = true;
        Ok(written)
    }

    /// Do what is left to do.
    fn write_out(&mut self) -> Result<Bytes, CutShort> {
        let output = &self.under_way.worker().compressed;
        let (is_done, written) = output.of(|output| match self.left {
            Left::Finish => self.encoder.finish(output),
            _ => self.encoder.flush(output),
        })?;
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
        loop {
            let written = match body.left {
                Left::Over => return Poll::Ready(None),
                Left::Flush | Left::Finish => body.write_out(),
                Left::Nothing | Left::Held if !body.input.is_empty() => body.encode(),
                Left::Nothing | Left::Held => match body.poll_input(cx) {
                    Poll::Ready(came) => came.map(|()| Bytes::new()),
                    Poll::Pending if body.left == Left::Held => {
                        body.left = Left::Flush;
                        Ok(Bytes::new())
                    }
                    Poll::Pending => return Poll::Pending,
                },
            };
            match written {
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(bytes) if !bytes.is_empty() => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Ok(_) if body.is_others_turn => {
                    body.is_others_turn = false;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Ok(_) if body.left == Left::Over && body.trailers.is_some() => {
                    let trailers = body.trailers.take().unwrap_or_default();
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Ok(_) => {}
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
