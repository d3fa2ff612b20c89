//! The loop that accepts QUIC connections, one for each of a worker's UDP sockets.

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use gatewright_model::config::Config;
use h3::error::Code;
use quinn::{
    Endpoint, EndpointConfig, Incoming, ServerConfig, TokioRuntime, TransportConfig, VarInt,
};

use super::ids::Ids;
use super::session;
use super::sockets::Datagrams;
use crate::serve::MAX_STREAMS;
use crate::worker::Worker;

/// How many handshakes may be under way on a worker before those who begin one
/// have to show that they are where they say: that costs them a round trip, and a
/// flood from false addresses whatever it would have made the gateway keep.
const UNPROVEN_HANDSHAKES: usize = 64;

/// How many beginnings of connections wait to be looked at, and what may be kept of
/// each and of all of them.
const WAITING: usize = 1024;
const KEPT_OF_ONE: u64 = 64 * 1024;
const KEPT_OF_ALL: u64 = 4 * 1024 * 1024;

/// Streams of a client that are no requests: control, QPACK's two, and some that
/// have no meaning.
const OTHER_STREAMS: u32 = 8;

/// What a client may have sent of one body, and of all of its, that was not taken
/// yet; what it may have been sent and not acknowledged.
const STREAM_WINDOW: u32 = 512 * 1024;
const RECEIVE_WINDOW: u32 = 1024 * 1024;
const SEND_WINDOW: u64 = 1024 * 1024;

/// After how long without a packet a client is thought to be gone, and how often
/// it is asked for one: a request may take longer than that to be answered.
const GONE_AFTER: VarInt = VarInt::from_u32(30_000);
const ASK_EVERY: Duration = Duration::from_secs(10);

/// Accept connections until the worker ends.
pub(crate) async fn accept(worker: Rc<Worker>, name: Arc<str>, datagrams: Datagrams) {
    let endpoint = match open(&worker, &name, datagrams) {
        Ok(endpoint) => endpoint,
        Err(error) => return tracing::error!(%error, "a UDP socket cannot be used"),
    };
    let handshakes = Rc::new(());
    let mut cut = pin!(worker.cut_begins.notified());
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            () = &mut cut => return endpoint.close(session::number(Code::H3_NO_ERROR), b""),
        };
        let Some(incoming) = incoming else {
            return;
        };
        let current = worker.current();
        let Some(entrance) = current.entrance(&name) else {
            continue;
        };
        let is_full = worker.open() >= current.snapshot.config.limits.connections;
        if worker.is_draining() || is_full {
            // Unlike a connection over TCP it cannot wait. Its client goes there.
            incoming.refuse();
            continue;
        }
        let is_busy = Rc::strong_count(&handshakes) > UNPROVEN_HANDSHAKES;
        if is_busy && incoming.may_retry() && !incoming.remote_address_validated() {
            // It may: this was just asked.
            let _ = incoming.retry();
            continue;
        }
        spawn(&worker, incoming, entrance, &endpoint, &handshakes);
    }
}

fn spawn(
    worker: &Rc<Worker>,
    incoming: Incoming,
    entrance: Rc<crate::entrance::Entrance>,
    endpoint: &Endpoint,
    handshakes: &Rc<()>,
) {
    let Ok(bound) = endpoint.local_addr() else {
        return incoming.refuse();
    };
    let serving = session::serve(worker, incoming, entrance, bound, Rc::clone(handshakes));
    tokio::task::spawn_local(serving);
}

fn open(worker: &Worker, name: &str, datagrams: Datagrams) -> io::Result<Endpoint> {
    let owner = datagrams.owner();
    // The same key for all sockets, and for gateways after this one: whoever
    // receives what nobody knows any more can end it (RFC 9000 §10.3).
    let reset_key = hmac::Key::new(hmac::HMAC_SHA256, &datagrams.reset_key.0);
    let mut config = EndpointConfig::new(Arc::new(reset_key));
    config.cid_generator(move || Box::new(Ids::of(owner)));
    // What holds for a connection is looked up when it comes; the key of the tokens
    // that prove addresses stays the same meanwhile.
    let entrance = worker.current().entrance(name);
    let server = entrance.and_then(|entrance| entrance.quic.clone());
    let server = server.map(Arc::unwrap_or_clone);
    let shared = datagrams.into_shared()?;
    Endpoint::new_with_abstract_socket(config, server, shared, Arc::new(TokioRuntime))
}

/// How QUIC is spoken on a listener, over what its handshakes are done with.
pub(crate) fn server_config(handshakes: &ServerConfig, config: &Config) -> ServerConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(MAX_STREAMS.into())
        .max_concurrent_uni_streams(OTHER_STREAMS.into())
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(RECEIVE_WINDOW.into())
        .send_window(SEND_WINDOW)
        .max_idle_timeout(Some(GONE_AFTER.into()))
        .keep_alive_interval(Some(ASK_EVERY))
        .datagram_receive_buffer_size(None);
    let mut server = handshakes.clone();
    server
        .transport_config(Arc::new(transport))
        .max_incoming(WAITING.min(config.limits.connections))
        .incoming_buffer_size(KEPT_OF_ONE)
        .incoming_buffer_size_total(KEPT_OF_ALL);
    server
}
