//! The life of a request: policies, router, affinity, balancer, server, and
//! back. The parent functions hold the branches; the leaves are elsewhere.

use std::convert::Infallible;
use std::future::poll_fn;
use std::mem;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use gatewright_host::ExchangeView as _;
use gatewright_model::id::Slot;
use http::request::Parts;
use http::{Method, Response, Version};
use hyper::upgrade::OnUpgrade;

use crate::account::Note;
use crate::attempt::Answered;
use crate::body::{ClientBody, Content};
use crate::cache::{self, Asked, Fetch};
use crate::come_back::{self, SOON};
use crate::compress;
use crate::connection::{Client, Place};
use crate::cors;
use crate::current::{Current, PoolView};
use crate::decide::{self, Routed};
use crate::edits;
use crate::explain;
use crate::facts::{Held, Refusal};
use crate::failure::Failure;
use crate::fault;
use crate::forward::forward;
use crate::forward_auth;
use crate::mirror;
use crate::redirect;
use crate::request_body::RequestBody;
use crate::respond::Denial;
use crate::serving::Serving;
use crate::tunnel;
use crate::upload::Upload;
use crate::worker::Worker;

/// Answer one request, whatever happens.
///
/// The request is taken in at once: the future does not carry it, which is large.
pub(crate) fn exchange(
    client: Rc<Client>,
    mut parts: Parts,
    body: Upload,
) -> impl Future<Output = Result<Response<ClientBody>, Infallible>> {
    let has_body = !body.is_end_stream();
    let version = parts.version;
    let mut serving = Serving::begin(&client, version, has_body);
    // Only HTTP/2 hands a tunnel's stream out; HTTP/1.1 gives the connection up.
    let stream = match parts.method {
        Method::CONNECT => parts.extensions.remove(),
        _ => None,
    };
    let current = client.worker.current();
    let taken = serving.take_in(&current, parts, has_body.then_some(body));
    async move {
        // It is large, and filled in where it is instead of being handed on.
        let mut response = Response::new(Content::empty());
        let (status, at);
        match serving.held(taken) {
            Ok((held, body)) => {
                explain::begin(&client.worker, held);
                let mut cors = None;
                let answered = {
                    let told = (&mut cors, &mut response);
                    let mut answering = pin!(answer(&client, &current, held, body, told));
                    poll_fn(|cx| match answering.as_mut().poll(cx) {
                        Poll::Pending if client.worker.gives_up() => {
                            Poll::Ready(Err(Denial::Ending))
                        }
                        polled => polled,
                    })
                    .await
                };
                let denial = answered.err().or_else(|| false_tunnel(held, &response));
                let denied = denial.as_ref().map(Denial::status);
                if let Some(denial) = denial {
                    response = deny(&current, denial, (held.is_call(), held.come_back));
                }
                status = denied.unwrap_or(response.status());
                if let Some(cors) = cors {
                    cors.mark(response.headers_mut());
                }
                finish(&client.worker, held, &mut response);
                explain::end(&client.worker, held, status, response.headers_mut());
                current.stir_shadows(&client.worker);
                at = held.responded;
            }
            Err(denial) => {
                (status, at) = (denial.status(), None);
                response = deny(&current, denial, (false, SOON));
            }
        }
        serving.responded(status, at.unwrap_or_else(Instant::now));
        let headers = response.headers_mut();
        client.entrance().put_hsts(headers);
        if version != Version::HTTP_3 {
            client.entrance().put_alternative(client.port(), headers);
        }
        serving.head(headers);
        if matches!(response.body(), Content::Switched(_)) {
            response = switched(&client, response, stream);
        }
        let status = response.status();
        client.put_close(version, status, response.headers_mut());
        Ok(response.map(|content| content.with(serving)))
    }
}

/// Open the tunnel to a server that has switched to another protocol, and make its
/// answer what the client gets; `stream` is the client's, where it is not the whole
/// connection.
fn switched(
    client: &Rc<Client>,
    response: Response<Content>,
    stream: Option<OnUpgrade>,
) -> Response<Content> {
    let (mut head, content) = response.into_parts();
    if let Content::Switched(server) = content {
        let told = (&mut head.status, &mut head.headers);
        tunnel::open(client, server, told, stream);
    }
    Response::from_parts(head, Content::empty())
}

/// What a client is told that is not served, in its own terms if it has made a
/// call of gRPC, and in how many seconds it may come back.
fn deny(current: &Current, denial: Denial, (is_call, come_back): (bool, u8)) -> Response<Content> {
    match is_call {
        true => denial.into_grpc_response(),
        false => denial.into_response(&current.snapshot.config.error_pages, come_back),
    }
}

/// Why an HTTP/2 client does not get what it would take for the beginning of a
/// tunnel, which any success is for it, be it a server's or a plugin's: there is no
/// tunnel.
fn false_tunnel(held: &Held, response: &Response<Content>) -> Option<Denial> {
    let begins = matches!(response.body(), Content::Switched(_));
    if held.wants_tunnel().is_none() || begins || !response.status().is_success() {
        return None;
    }
    Some(match held.responded {
        Some(_) => Denial::NotSwitched,
        None => Denial::NoTunnel,
    })
}

/// From the request's head to the response's head, which is put into `response`, an
/// empty one. `cors` is set to what is to be said of who may read it, whatever comes
/// of the request.
async fn answer<'a>(
    client: &Rc<Client>,
    current: &'a Current,
    held: &mut Held,
    mut body: RequestBody,
    (cors, response): (&mut Option<cors::Asked<'a>>, &mut Response<Content>),
) -> Result<(), Denial> {
    if let Some(answer) = current.challenges.answer(&held.method, held.path()) {
        *response = answer;
        return Ok(());
    }
    if let Some(answer) = redirect::answer(client, held) {
        *response = answer?;
        return Ok(());
    }
    let worker = &client.worker;
    // The headers and the body of an answer that a plugin gives are among its edits.
    if let Some(status) = decide::screen(worker, held)? {
        *response.status_mut() = status;
        return Ok(());
    }
    let pool = match decide::route(worker, current, held)? {
        Routed::Pool(pool) => pool,
        Routed::Answer(status) => {
            *response.status_mut() = status;
            return Ok(());
        }
    };
    held.noted.note(Note::Pool, pool.pool.name.as_str());
    if let Some(answerer) = &mut held.answerer {
        answerer.pool = Some(pool.pool.name.clone());
    }
    if let Some(rules) = &pool.pool.config.cors {
        let asked = cors.insert(cors::Asked::of(held, rules));
        if let Some(preflight) = asked.preflight(held) {
            *response = preflight;
            return Ok(());
        }
    }
    let prepared = match check(held, pool, &body) {
        Ok(()) if is_plain(held, pool) => Ok(Some(Prepared::default())),
        // Apart, so that other requests do not carry its size.
        Ok(()) => Box::pin(prepare(client, held, pool, response)).await,
        Err(denial) => Err(denial),
    };
    let served = match prepared {
        Ok(Some(prepared)) => {
            body.withhold(&held.settled);
            mirror::reflect(client, held, pool, &mut body);
            let session = decide::session(worker, pool, held);
            let forwarded = forward(client, held, pool, session, body, response).await;
            let from = (prepared, session);
            settle(worker, held, pool, from, forwarded, response)
        }
        Ok(None) => Ok(()),
        Err(denial) => Err(denial),
    };
    served.inspect_err(|denial| {
        held.come_back = come_back::seconds(denial, &pool.pool, &held.tried);
    })?;
    if let Some(rules) = &pool.pool.config.compression {
        let plain = mem::replace(response, Response::new(Content::empty()));
        *response = compress::apply(worker, rules, held, plain);
    }
    Ok(())
}

/// Whether nothing speaks against having a server of the pool answer.
fn check(held: &Held, pool: &PoolView, body: &RequestBody) -> Result<(), Denial> {
    let config = &pool.pool.config;
    if body.is_too_large() {
        return Err(Failure::BodyTooLarge.into());
    }
    let tunnel = held.wants_tunnel();
    if tunnel.is_some_and(|protocol| !config.upgrades.allow(protocol)) {
        return Err(Refusal::Protocol.into());
    }
    match config.maintenance {
        true => Err(Denial::Maintenance),
        false => Ok(()),
    }
}

/// Whether there is nothing to be done before a server is asked.
fn is_plain(held: &Held, pool: &PoolView) -> bool {
    let config = &pool.pool.config;
    let is_direct = config.faults.is_none() && config.forward_auth.is_none();
    is_direct && config.cache.is_none() && held.wants_tunnel().is_none()
}

/// What was got hold of for a request before a server is asked.
#[derive(Default)]
struct Prepared {
    /// The tunnel's place, if it wants to be one.
    place: Option<Place>,
    /// What is to be made of the answer, where that may be kept.
    fetch: Option<Box<Fetch>>,
}

/// Do what is to be done before a server is asked; none if that has come to an answer,
/// which is put into `response`.
async fn prepare(
    client: &Rc<Client>,
    held: &mut Held,
    pool: &PoolView,
    response: &mut Response<Content>,
) -> Result<Option<Prepared>, Denial> {
    let worker = &client.worker;
    let config = &pool.pool.config;
    // What is rarer is apart from this in its turn.
    if let Some(faults) = &config.faults {
        Box::pin(fault::inject(worker, faults)).await?;
        held.waited = held.started.elapsed();
    }
    if let Some(auth) = &config.forward_auth {
        if let Some(refusal) = Box::pin(forward_auth::ask(client, held, auth)).await? {
            *response = refusal;
            return Ok(None);
        }
        held.waited = held.started.elapsed();
    }
    let place = match held.wants_tunnel().is_some() {
        true => Some(Place::for_tunnel(worker).ok_or(Denial::Crowded)?),
        false => None,
    };
    let fetch = match &config.cache {
        Some(rules) => match cache::ask(client, held, pool, rules).await {
            Asked::Answered(answer) => {
                *response = answer;
                return Ok(None);
            }
            Asked::Fetch(fetch) => fetch,
        },
        None => None,
    };
    Ok(Some(Prepared { place, fetch }))
}

/// A server has been asked, for a client that had a session or had none: make of its
/// answer what is kept of it, and remember who gave it.
fn settle(
    worker: &Rc<Worker>,
    held: &mut Held,
    pool: &PoolView,
    (prepared, session): (Prepared, Option<Slot>),
    forwarded: Result<Answered, Denial>,
    response: &mut Response<Content>,
) -> Result<(), Denial> {
    let slot = match prepared.fetch {
        None => forwarded?.slot,
        Some(fetch) => {
            let answerer = forwarded.as_ref().map(|answered| answered.slot).ok();
            fetch.settle(worker, held, forwarded, response)?;
            match answerer {
                Some(answerer) => answerer,
                None => return Ok(()),
            }
        }
    };
    if let Content::Switched(server) = response.body_mut() {
        server.place = prepared.place;
    }
    let is_called_for = mem::take(&mut held.effects.call_bind);
    let is_kept = |home| match home == slot {
        true => !is_called_for,
        false => stays_at(worker, pool, held, home),
    };
    if !session.is_some_and(is_kept) {
        bind(worker, held, pool, slot, response);
    }
    Ok(())
}

/// Whether a session stays with its server although another has answered: it was
/// full, and no more than that.
fn stays_at(worker: &Worker, pool: &PoolView, held: &Held, home: Slot) -> bool {
    let current = worker.current();
    let view = current
        .still(&pool.pool)
        .filter(|view| view.pool.is_limited);
    let home = view.and_then(|view| view.endpoint(home));
    home.is_some_and(|home| home.is_usable() && !held.tried.contains(&home.slot()))
}

/// Let the affinity see the response's head and remember who answered.
fn bind(
    worker: &Worker,
    held: &mut Held,
    pool: &PoolView,
    answered: Slot,
    response: &mut Response<Content>,
) {
    if pool.pool.config.affinity.is_some() {
        with_head(held, response, |held| {
            decide::bind(worker, &pool.pool, answered, held);
        });
    }
}

/// The last word on the response: response policies, then all edits that the
/// plugins asked for.
fn finish(worker: &Worker, held: &mut Held, response: &mut Response<Content>) {
    if worker.has_finishers() {
        let status = response.status();
        with_head(held, response, |held| decide::finish(worker, status, held));
    }
    let facts = &mut **held;
    if facts.response_edits.is_empty() && facts.effects.edits.is_empty() {
        return;
    }
    // Only an answer of a plugin's own may be given a body.
    let is_empty = matches!(response.body(), Content::Whole(bytes) if bytes.is_empty());
    let is_plugins = is_empty && facts.responded.is_none();
    // Those that were kept were made before.
    let all = [&mut facts.response_edits, &mut facts.effects.edits];
    for edits in all.into_iter().filter(|edits| !edits.is_empty()) {
        if let Some(body) = edits::finish(edits, response.headers_mut(), is_plugins) {
            *response.body_mut() = Content::Whole(body);
        }
    }
}

/// Let a plugin look at the response's head, which it sees through `held`.
fn with_head(held: &mut Held, response: &mut Response<Content>, look: impl FnOnce(&mut Held)) {
    held.status = Some(response.status());
    mem::swap(&mut held.response, response.headers_mut());
    look(held);
    mem::swap(&mut held.response, response.headers_mut());
    held.status = None;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a future of this function takes in memory.
    fn size<A, B, C, F: Future>(_: impl FnOnce(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_future_of_an_exchange_carries_nothing_that_is_rare() {
        // Connecting alone takes more than that.
        assert!(size(exchange) <= 4096, "{} bytes", size(exchange));
    }
}
