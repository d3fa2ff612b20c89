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
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};

use crate::account::Note;
use crate::attempt::Answered;
use crate::body::{ClientBody, Content};
use crate::cache::{self, Asked};
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
pub(crate) async fn exchange(
    client: Rc<Client>,
    mut request: Request<Upload>,
) -> Result<Response<ClientBody>, Infallible> {
    let has_body = !request.body().is_end_stream();
    let mut serving = Serving::begin(&client, request.version(), has_body);
    let version = request.version();
    // Only HTTP/2 hands a tunnel's stream out; HTTP/1.1 gives the connection up.
    let stream = match request.method() {
        &Method::CONNECT => request.extensions_mut().remove(),
        _ => None,
    };
    let (parts, body) = request.into_parts();
    let current = client.worker.current();
    let (status, at);
    let response = match serving.take_in(&current, parts, has_body) {
        Ok(held) => {
            explain::begin(&client.worker, held);
            let mut cors = None;
            let mut answered = {
                let mut answering = pin!(answer(&client, &current, held, body, &mut cors));
                poll_fn(|cx| match answering.as_mut().poll(cx) {
                    Poll::Pending if client.worker.gives_up() => Poll::Ready(Err(Denial::Ending)),
                    polled => polled,
                })
                .await
            };
            if let Ok(response) = &answered
                && let Some(denial) = false_tunnel(held, response)
            {
                answered = Err(denial);
            }
            let denied = answered.as_ref().err().map(Denial::status);
            let mut response = match answered {
                Ok(response) => response,
                Err(denial) => deny(&current, denial, (held.is_call(), held.come_back)),
            };
            status = denied.unwrap_or(response.status());
            if let Some(cors) = cors {
                cors.mark(response.headers_mut());
            }
            finish(&client.worker, held, &mut response);
            explain::end(&client.worker, held, status, response.headers_mut());
            current.stir_shadows(&client.worker);
            at = held.responded;
            response
        }
        Err(denial) => {
            (status, at) = (denial.status(), None);
            deny(&current, denial, (false, SOON))
        }
    };
    serving.responded(status, at.unwrap_or_else(Instant::now));
    let (mut head, content) = response.into_parts();
    client.entrance().put_hsts(&mut head.headers);
    if version != Version::HTTP_3 {
        let port = client.port();
        client.entrance().put_alternative(port, &mut head.headers);
    }
    serving.head(&head.headers);
    let content = tunnel::open(
        &client,
        content,
        (&mut head.status, &mut head.headers),
        stream,
    );
    client.put_close(version, head.status, &mut head.headers);
    Ok(Response::from_parts(head, content.with(serving)))
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

/// From the request's head to the response's head. `cors` is set to what is to
/// be said of who may read it, whatever comes of the request.
async fn answer<'a>(
    client: &Rc<Client>,
    current: &'a Current,
    held: &mut Held,
    body: Upload,
    cors: &mut Option<cors::Asked<'a>>,
) -> Result<Response<Content>, Denial> {
    if let Some(answer) = current.challenges.answer(&held.method, held.path()) {
        return Ok(answer);
    }
    if let Some(answer) = redirect::answer(client, held) {
        return answer;
    }
    let worker = &client.worker;
    let body = RequestBody::new(body, held, &current.snapshot.config.limits);
    if let Some(status) = decide::screen(worker, held)? {
        return Ok(answer_of_plugin(status));
    }
    match decide::route(worker, current, held)? {
        Routed::Answer(status) => Ok(answer_of_plugin(status)),
        Routed::Pool(pool) => {
            held.noted.note(Note::Pool, pool.pool.name.as_str());
            if let Some(answerer) = &mut held.answerer {
                answerer.pool = Some(pool.pool.name.clone());
            }
            if let Some(rules) = &pool.pool.config.cors {
                let asked = cors.insert(cors::Asked::of(held, rules));
                if let Some(preflight) = asked.preflight(held) {
                    return Ok(preflight);
                }
            }
            let served = serve(client, held, pool, body).await;
            let response = served.inspect_err(|denial| {
                held.come_back = come_back::seconds(denial, &pool.pool, &held.tried);
            })?;
            Ok(match &pool.pool.config.compression {
                None => response,
                Some(rules) => compress::apply(&client.worker, rules, held, response),
            })
        }
    }
}

/// Have a server of the pool answer, if nothing speaks against it.
async fn serve(
    client: &Rc<Client>,
    held: &mut Held,
    pool: &PoolView,
    mut body: RequestBody,
) -> Result<Response<Content>, Denial> {
    let worker = &client.worker;
    let config = &pool.pool.config;
    if body.is_too_large() {
        return Err(Failure::BodyTooLarge.into());
    }
    let tunnel = held.wants_tunnel();
    if tunnel.is_some_and(|protocol| !config.upgrades.allow(protocol)) {
        return Err(Refusal::Protocol.into());
    }
    if config.maintenance {
        return Err(Denial::Maintenance);
    }
    // What is rare is apart, so that other requests do not carry its size.
    if let Some(faults) = &config.faults {
        Box::pin(fault::inject(worker, faults)).await?;
        held.waited = held.started.elapsed();
    }
    if let Some(auth) = &config.forward_auth {
        if let Some(refusal) = Box::pin(forward_auth::ask(client, held, auth)).await? {
            return Ok(refusal);
        }
        held.waited = held.started.elapsed();
    }
    body.withhold(&held.settled);
    let place = match held.wants_tunnel().is_some() {
        true => Some(Place::for_tunnel(worker).ok_or(Denial::Crowded)?),
        false => None,
    };
    let fetch = match &config.cache {
        Some(rules) => match Box::pin(cache::ask(client, held, pool, rules)).await {
            Asked::Answered(response) => return Ok(response),
            Asked::Fetch(fetch) => fetch,
        },
        None => None,
    };
    mirror::reflect(client, held, pool, &mut body);
    let session = decide::session(worker, pool, held);
    let forwarded = forward(client, held, pool, session, body).await;
    let slot;
    let mut response = match fetch {
        None => {
            let answered = forwarded?;
            slot = answered.slot;
            answer_of_server(answered)
        }
        Some(fetch) => {
            let answerer = forwarded.as_ref().map(|answered| answered.slot).ok();
            let response = fetch.settle(worker, held, forwarded)?;
            match answerer {
                Some(answerer) => slot = answerer,
                None => return Ok(response),
            }
            response
        }
    };
    if let Content::Switched(server) = response.body_mut() {
        server.place = place;
    }
    let is_called_for = mem::take(&mut held.effects.call_bind);
    let is_kept = |home| match home == slot {
        true => !is_called_for,
        false => stays_at(worker, pool, held, home),
    };
    if !session.is_some_and(is_kept) {
        bind(worker, held, pool, slot, &mut response);
    }
    Ok(response)
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

/// A server's response as it stands.
pub(crate) fn answer_of_server(answered: Answered) -> Response<Content> {
    let mut response = Response::new(Content::from(answered.body));
    *response.status_mut() = answered.head.status;
    put(&mut response, answered.head.headers);
    response
}

/// Give an answer that has no headers these: dropping an empty map is work, too.
fn put(response: &mut Response<Content>, headers: HeaderMap) {
    let empty = mem::replace(response.headers_mut(), headers);
    debug_assert_eq!(empty.capacity(), 0, "what it has allocated would be lost");
    mem::forget(empty);
}

/// An answer that a plugin gave; its headers and body are among its edits.
fn answer_of_plugin(status: StatusCode) -> Response<Content> {
    let mut response = Response::new(Content::empty());
    *response.status_mut() = status;
    response
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
    if held.response_edits.is_empty() && held.effects.edits.is_empty() {
        return;
    }
    let kept = mem::take(&mut held.response_edits);
    let latest = mem::take(&mut held.effects.edits);
    // Only an answer of a plugin's own may be given a body.
    let is_empty = matches!(response.body(), Content::Whole(bytes) if bytes.is_empty());
    let is_plugins = is_empty && held.responded.is_none();
    let edits = kept.into_iter().chain(latest);
    if let Some(body) = edits::finish(edits, response.headers_mut(), is_plugins) {
        *response.body_mut() = Content::Whole(body);
    }
}

/// Let a plugin look at the response's head, which it sees through `held`.
fn with_head(held: &mut Held, response: &mut Response<Content>, look: impl FnOnce(&mut Held)) {
    let headers = mem::take(response.headers_mut());
    held.response = Some((response.status(), headers));
    look(held);
    if let Some((_, headers)) = held.response.take() {
        put(response, headers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a future of this function takes in memory.
    fn size<A, B, F: Future>(_: impl FnOnce(A, B) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_future_of_an_exchange_carries_nothing_that_is_rare() {
        // Connecting alone takes more than that.
        assert!(size(exchange) <= 4096, "{} bytes", size(exchange));
    }
}
