//! One client's connection over QUIC: its handshake, its requests, its end.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use gatewright_wire::proxy_header::Ends;
use h3::error::{Code, ConnectionError};
use h3::server::{Connection, RequestResolver};
use quinn::Incoming;
use quinn::crypto::rustls::HandshakeData;
use rustls_pki_types::CertificateDer;

use super::beside::Latest;
use super::exchanging;
use super::transport::Transport;
use crate::connection::{Client, Place};
use crate::entrance::Entrance;
use crate::identity;
use crate::serve::MAX_STREAMS;
use crate::worker::Worker;

/// How many requests a client may give up, more than it has let be answered: each
/// may have cost a server something (CVE-2023-44487).
const MOST_FRUITLESS: u32 = 1024;

/// How much longer a head may be as it is sent than it may be by `limits`: so far
/// it is read, to be answered with 431.
const HEAD_SLACK: u64 = 4;

/// A connection, as its requests see it.
pub(super) struct Session {
    pub(super) client: Rc<Client>,
    /// How many streams are under way: requests, and answers that the client has
    /// not all of yet.
    streams: Cell<usize>,
    fruitless: Cell<u32>,
}

impl Session {
    /// One more request was answered, or given up.
    pub(super) fn ended(&self, is_answered: bool) {
        let fruitless = self.fruitless.get();
        self.fruitless.set(match is_answered {
            true => fruitless.saturating_sub(1),
            false => fruitless + 1,
        });
    }
}

/// The guard of one stream.
pub(super) struct Stream(pub(super) Rc<Session>);

impl Stream {
    fn begin(session: &Rc<Session>) -> Self {
        session.streams.set(session.streams.get() + 1);
        Self(Rc::clone(session))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
    }
}

/// Serve a connection until it closes. It is counted in at once, before the future
/// runs, so that the next one is not accepted beyond the limit.
pub(super) fn serve(
    worker: &Rc<Worker>,
    incoming: Incoming,
    entrance: Rc<Entrance>,
    bound: SocketAddr,
    handshake: Rc<()>,
) -> impl Future<Output = ()> + use<> {
    let place = Place::take(worker);
    worker.counters().accepted.add(1);
    async move {
        let Some(config) = entrance.quic.clone() else {
            return incoming.refuse();
        };
        let ends = Ends {
            source: incoming.remote_address(),
            destination: SocketAddr::new(incoming.local_ip().unwrap_or(bound.ip()), bound.port()),
        };
        let client = Client::new(place, Some(ends), entrance);
        let worker = &client.worker;
        let patience = worker.timeouts().request_head;
        let connecting = async { incoming.accept_with(config)?.await };
        let Ok(Ok(quic)) = client.within(patience, connecting).await else {
            worker.counters().tls_failures.add(1);
            return;
        };
        drop(handshake);
        if let Some(proved) = proved(&quic) {
            client.proves(proved);
        }
        client.shook_hands_over_quic(asked_name(&quic));
        client.waits();
        talk(client, quic).await;
    }
}

/// Who the client has proved to be.
fn proved(quic: &quinn::Connection) -> Option<http::HeaderValue> {
    let shown = quic.peer_identity()?;
    let shown = shown.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    identity::of(shown.first()?)
}

/// The name that the client asked for.
fn asked_name(quic: &quinn::Connection) -> Option<String> {
    let agreed = quic.handshake_data()?;
    agreed.downcast::<HandshakeData>().ok()?.server_name
}

/// What happens next on a connection.
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart where it is made"
)]
enum Event {
    Request(Result<Option<RequestResolver<Transport, Bytes>>, ConnectionError>),
    Drain,
    Overdue,
}

async fn talk(client: Rc<Client>, quic: quinn::Connection) {
    let head = client.worker.current().snapshot.config.limits.request_head as u64;
    let latest = Latest::default();
    let transport = Transport::new(quic.clone(), head * HEAD_SLACK, Rc::clone(&latest));
    let mut builder = h3::server::builder();
    builder.max_field_section_size(head).send_grease(false);
    let patience = client.worker.timeouts().request_head;
    let Ok(Ok(connection)) = client.within(patience, builder.build(transport)).await else {
        return;
    };
    client.waits();
    let session = Rc::new(Session {
        client,
        streams: Cell::new(0),
        fruitless: Cell::new(0),
    });
    let code = converse(&session, connection, &latest).await;
    quic.close(number(code), b"");
    // The connection's own task says so to the client, before the worker may end.
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
}

pub(super) fn number(code: Code) -> quinn::VarInt {
    quinn::VarInt::from_u64(code.value()).unwrap_or(quinn::VarInt::MAX)
}

/// Take requests until there are no more; says why there are none.
async fn converse(
    session: &Rc<Session>,
    mut connection: Connection<Transport, Bytes>,
    latest: &Latest,
) -> Code {
    let client = &session.client;
    let (mut drains, mut has_asked, mut is_told) = (false, false, false);
    loop {
        let event = next(client, &mut connection, drains).await;
        match event {
            Event::Request(Ok(Some(resolver))) => {
                has_asked = true;
                let Some(beside) = latest.take() else {
                    return Code::H3_INTERNAL_ERROR;
                };
                if session.fruitless.get() > MOST_FRUITLESS {
                    return Code::H3_EXCESSIVE_LOAD;
                }
                let stream = Stream::begin(session);
                tokio::task::spawn_local(exchanging::run(stream, resolver, beside));
            }
            Event::Request(Ok(None)) => return Code::H3_NO_ERROR,
            Event::Request(Err(_)) => return Code::H3_NO_ERROR,
            Event::Drain => {
                drains = true;
                client.hurries();
            }
            // What the client has not all of yet is bounded by itself.
            Event::Overdue if session.streams.get() > 0 => client.waits(),
            Event::Overdue => {
                if has_asked {
                    // What comes behind the last one was not looked at.
                    let _ = leave(client, &mut connection, 1).await;
                }
                return Code::H3_NO_ERROR;
            }
        }
        // Before the first request there is none that could be told as the last.
        // Those that are on their way are served.
        if drains && has_asked && !is_told {
            is_told = true;
            let more = MAX_STREAMS as usize;
            if leave(client, &mut connection, more).await.is_none() {
                return Code::H3_NO_ERROR;
            }
        }
    }
}

/// Tell the client that so many more requests are taken (GOAWAY); none if it has
/// gone, or does not take that within the time of a body.
async fn leave(
    client: &Client,
    connection: &mut Connection<Transport, Bytes>,
    more: usize,
) -> Option<()> {
    let deadline = client.worker.deadlines.register();
    deadline.arm(client.worker.timeouts().body_idle);
    deadline.limit(connection.shutdown(more)).await.ok()?.ok()
}

async fn next(
    client: &Client,
    connection: &mut Connection<Transport, Bytes>,
    drains: bool,
) -> Event {
    let mut accepting = pin!(connection.accept());
    poll_fn(|cx| {
        if client.is_draining() && !drains {
            return Poll::Ready(Event::Drain);
        }
        if let Poll::Ready(accepted) = accepting.as_mut().poll(cx) {
            return Poll::Ready(Event::Request(accepted));
        }
        client.poll_overdue(cx).map(|_| Event::Overdue)
    })
    .await
}
