//! The description of the API in OpenAPI 3.1, generated from its code.
//!
//! Each handler has its path, parameters and answers beside it, and is
//! registered once, for the router and the document alike. What many handlers
//! have in common is said by what does it: the extractors say what they refuse,
//! `login` adds who may ask, and this file what the guard does.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response, ResponseBuilder};

use super::envelope::Failure;

/// The name of the tokens' scheme in the document.
pub(super) const TOKEN: &str = "token";

/// Where the document is.
const PATH: &str = "/api/openapi.json";

/// What the document says before its paths.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Gatewright",
        description = "The admin API: servers, pools, algorithms, plugins, settings and tokens of a running \
            gateway. Durations are seconds, response times milliseconds, moments RFC 3339 in UTC. \
            `null` stands for what is not known yet. Every change is whole or not at all, and kept \
            on the disk before it is answered. `ETag` names the state of the configuration that an \
            answer is of; sent back as `If-Match`, a change is refused if it is not in force any \
            more."
    ),
    servers((url = "/", description = "This gateway")),
    components(schemas(Failure)),
    tags(
        (name = "servers", description = "Every server of every pool"),
        (name = "pools", description = "Pools with their settings and servers"),
        (name = "sessions", description = "Which server has which client's session"),
        (name = "cache", description = "What is kept of servers' answers"),
        (name = "algorithms", description = "Which balancers there are, and which one a pool has"),
        (name = "plugins", description = "Which plugins there are, in which versions"),
        (name = "bindings", description = "Which version decides in which seat"),
        (name = "settings", description = "A pool's settings and the listener's, flat"),
        (name = "certificates", description = "What clients are shown over TLS, and until when"),
        (name = "figures", description = "What is counted, and whether it is well"),
        (name = "explanations", description = "Which plugin decided what about a request"),
        (name = "recordings", description = "What a balancer was handed and answered, to be replayed"),
        (name = "cluster", description = "Which gateways have one desired state together"),
        (name = "upgrade", description = "A new program takes over from the running one"),
        (name = "audit", description = "Who changed what"),
        (name = "tokens", description = "Who may operate the gateway"),
    )
)]
struct Title;

/// The document before there is a path in it.
pub(super) fn title() -> OpenApi {
    let mut document = Title::openapi();
    let mut scheme = Http::new(HttpAuthScheme::Bearer);
    scheme.description = Some(
        "A token of `gatewright token create`. On a loopback address nobody needs one until the \
         first is made."
            .to_owned(),
    );
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(TOKEN, SecurityScheme::Http(scheme));
    document
}

/// The path of the document, which is complete with what the guard refuses.
pub(super) fn router(mut document: OpenApi) -> Router {
    for (_, operation) in operations(&mut document) {
        let refused = match operation.security {
            Some(_) => format!("`forbidden`: the role does not allow it; {STRANGERS}"),
            None => STRANGERS.to_owned(),
        };
        let refused = refusals(&[(StatusCode::FORBIDDEN, &refused)]);
        operation.responses.responses.extend(refused);
    }
    let document = Arc::new(document);
    let answer = move || async move { Json(&*document).into_response() };
    Router::new().route(PATH, get(answer))
}

/// Whom the guard refuses.
const STRANGERS: &str = "`forbidden_host`, `forbidden_origin`: the request came through a name or \
    a page of somebody else's";

/// Every operation of a document, with its method.
pub(super) fn operations(document: &mut OpenApi) -> impl Iterator<Item = (Method, &mut Operation)> {
    document.paths.paths.values_mut().flat_map(methods)
}

/// Every operation of a path, with its method.
pub(super) fn methods(path: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let methods = [
        (Method::GET, &mut path.get),
        (Method::PUT, &mut path.put),
        (Method::POST, &mut path.post),
        (Method::DELETE, &mut path.delete),
        (Method::PATCH, &mut path.patch),
    ];
    let methods = methods.into_iter();
    methods.filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Answers in the envelope, by their statuses, each with what it means.
pub(super) fn refusals(answers: &[(StatusCode, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let answers = answers.iter().map(|(status, meaning)| {
        let answer = refused(meaning).build();
        (status.as_str().to_owned(), answer.into())
    });
    answers.collect()
}

/// One of [`refusals`], to be completed.
pub(super) fn refused(meaning: &str) -> ResponseBuilder {
    let failure = Content::new(Some(Ref::from_schema_name("Failure")));
    ResponseBuilder::new()
        .description(meaning)
        .content("application/json", failure)
}
