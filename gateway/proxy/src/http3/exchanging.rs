//! One request over HTTP/3 and its answer.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::time::SystemTime;

use bytes::Bytes;
use gatewright_wire::http3::{Malformed, check_fields};
use h3::error::Code;
use h3::server::{RequestResolver, RequestStream};
use http::header::{CONTENT_LENGTH, DATE, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;

use super::arriving::Arriving;
use super::beside::Beside;
use super::session::Stream;
use super::transport::{Sending, Transport};
use crate::body::ClientBody;
use crate::deadlines::Deadline;
use crate::exchange::exchange;
use crate::upload::Upload;

/// What is given to QUIC at once: a client that takes this much within
/// `timeouts.body_idle` does not stand still.
const PIECE: usize = 32 * 1024;

/// Read a request, have it answered, and send the answer.
pub(super) async fn run(
    stream: Stream,
    resolver: RequestResolver<Transport, Bytes>,
    mut beside: Beside,
) {
    let deadline = stream.0.client.worker.deadlines.register();
    let Some((request, mut sending)) = receive(&stream, resolver, &beside, &deadline).await else {
        return stream.0.ended(false);
    };
    let method = request.method().clone();
    let Some(response) = answer(&stream, request, &mut beside).await else {
        stream.0.ended(false);
        return sending.stop_stream(Code::H3_REQUEST_CANCELLED);
    };
    stream.0.ended(true);
    let body_idle = stream.0.client.worker.timeouts().body_idle;
    let limited = Limited {
        deadline: &deadline,
        body_idle,
    };
    let sent = send(&method, response, &mut sending, &mut beside, &limited).await;
    if let Err(code) = sent {
        return sending.stop_stream(code);
    }
    // Whoever closes the connection now waits until the client has it all.
    if !is_taken(&mut beside, &limited).await {
        sending.stop_stream(Code::H3_REQUEST_CANCELLED);
    }
}

/// Whether the client has acknowledged an answer, in whatever time, as long as it
/// acknowledges anything.
async fn is_taken(beside: &mut Beside, limited: &Limited<'_>) -> bool {
    let mut known = 0;
    while limited.run(&mut beside.stopped).await.is_err() {
        let acknowledged = beside.acknowledged();
        if acknowledged == known {
            return false;
        }
        known = acknowledged;
    }
    true
}

/// The request's head, and its body as it comes.
async fn receive(
    stream: &Stream,
    resolver: RequestResolver<Transport, Bytes>,
    beside: &Beside,
    deadline: &Deadline,
) -> Option<(Request<Upload>, RequestStream<Sending, Bytes>)> {
    deadline.arm(stream.0.client.worker.timeouts().request_head);
    // What is no request is answered, or reset, by the library.
    let resolved = deadline.limit(resolver.resolve_request()).await.ok()?;
    let (request, both) = resolved.ok()?;
    let (mut sending, receiving) = both.split();
    let length = match check_fields(request.headers()) {
        Ok(length) => length,
        Err(Malformed) => {
            sending.stop_stream(Code::H3_MESSAGE_ERROR);
            return None;
        }
    };
    let mut arriving = Box::new(Arriving::new(receiving, Rc::clone(&beside.given), length));
    let has_none = length.is_none() && is_seldom_with_body(request.method());
    let begun = match has_none {
        // Its end comes with its head, or soon.
        true => deadline
            .limit(poll_fn(|cx| arriving.poll_begins(cx)))
            .await
            .ok(),
        false => poll_fn(|cx| std::task::Poll::Ready(glance(&mut arriving, cx))).await,
    };
    if let Some(Err(_)) = begun {
        return None;
    }
    if length.is_some_and(|length| length > 0) && arriving.is_end_stream() {
        // The body that it has announced does not come (RFC 9114 §4.1.2).
        sending.stop_stream(Code::H3_MESSAGE_ERROR);
        return None;
    }
    Some((request.map(|()| Upload::Http3(arriving)), sending))
}

/// What has come of a body already; none if nothing has.
fn glance(
    arriving: &mut Arriving,
    cx: &mut std::task::Context<'_>,
) -> Option<Result<(), h3::error::StreamError>> {
    match arriving.poll_begins(cx) {
        std::task::Poll::Ready(begun) => Some(begun),
        std::task::Poll::Pending => None,
    }
}

fn is_seldom_with_body(method: &Method) -> bool {
    method.is_safe() || matches!(*method, Method::DELETE | Method::CONNECT)
}

/// The answer; none if the client does not want it any more.
async fn answer(
    stream: &Stream,
    request: Request<Upload>,
    beside: &mut Beside,
) -> Option<Response<ClientBody>> {
    let client = Rc::clone(&stream.0.client);
    let (parts, body) = request.into_parts();
    tokio::select! {
        biased;
        answered = exchange(client, parts, body) => match answered {
            Ok(response) => Some(response),
            Err(never) => match never {},
        },
        _ = &mut beside.stopped => None,
    }
}

/// Sending, within the time that a client has for it.
struct Limited<'a> {
    deadline: &'a Deadline,
    body_idle: std::time::Duration,
}

impl Limited<'_> {
    /// What comes of it; an error if it takes too long.
    async fn run<F: Future>(&self, sending: F) -> Result<F::Output, Code> {
        self.deadline.arm(self.body_idle);
        let sent = self.deadline.limit(sending).await;
        sent.map_err(|_| Code::H3_REQUEST_CANCELLED)
    }
}

/// The answer is not whole, and will not be.
fn broken<E>(_: E) -> Code {
    Code::H3_INTERNAL_ERROR
}

/// Send an answer whole; else with which code the stream is reset.
async fn send(
    method: &Method,
    response: Response<ClientBody>,
    sending: &mut RequestStream<Sending, Bytes>,
    beside: &mut Beside,
    limited: &Limited<'_>,
) -> Result<(), Code> {
    let (mut head, mut body) = response.into_parts();
    let has_none = method == Method::HEAD
        || matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
    let length = body.size_hint().exact().filter(|_| !has_none);
    complete(&mut head.headers, length);
    let head = Response::from_parts(head, ());
    let sent = limited.run(sending.send_response(head)).await?;
    sent.map_err(broken)?;
    if !has_none {
        send_body(&mut body, sending, beside, limited).await?;
    }
    limited.run(sending.finish()).await?.map_err(broken)
}

/// Send an answer's body as it comes, and its trailers.
async fn send_body(
    body: &mut ClientBody,
    sending: &mut RequestStream<Sending, Bytes>,
    beside: &mut Beside,
    limited: &Limited<'_>,
) -> Result<(), Code> {
    loop {
        let next = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
        let frame = tokio::select! {
            biased;
            frame = next => frame,
            _ = &mut beside.stopped => return Err(Code::H3_REQUEST_CANCELLED),
        };
        let Some(frame) = frame else {
            return Ok(());
        };
        match frame.map_err(broken)?.into_data() {
            Ok(mut data) => {
                while !data.is_empty() {
                    let piece = data.split_to(data.len().min(PIECE));
                    let sent = limited.run(sending.send_data(piece)).await?;
                    sent.map_err(broken)?;
                }
            }
            Err(frame) => {
                let trailers = frame.into_trailers().map_err(broken)?;
                let sent = limited.run(sending.send_trailers(trailers)).await?;
                return sent.map_err(broken);
            }
        }
    }
}

/// What the head of an answer has over HTTP/3 (RFC 9114 §4.2): nothing of another
/// connection, a date, and a length where it is known.
fn complete(headers: &mut HeaderMap, length: Option<u64>) {
    for name in gatewright_wire::http3::OF_CONNECTIONS {
        headers.remove(name);
    }
    if let Some(length) = length
        && !headers.contains_key(CONTENT_LENGTH)
    {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if !headers.contains_key(DATE)
        && let Ok(now) = HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now()))
    {
        headers.insert(DATE, now);
    }
}
