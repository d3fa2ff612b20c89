//! `/api/explain` and `/api/requests`: which plugin decided what about a
//! request, and which requests there were lately.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use gatewright_host::{Answer, Route, Step, Verdict};
use gatewright_proxy::Explanation;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::{Asked, Named, count};
use super::envelope::{Failure, Success, success};
use crate::change::Refusal;
use crate::control::Control;
use crate::timestamp::Timestamp;

/// Requests that are answered when no number is asked for.
const USUAL: usize = 50;

/// Requests that are answered at most.
const MOST: usize = 1000;

pub(super) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(requests))
        .routes(routes!(request_metrics))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Limit {
    /// Requests that are wanted: 50 if it is not said, 1000 at most.
    #[param(value_type = usize, required = false, example = 10)]
    #[serde(default, deserialize_with = "count")]
    limit: Option<usize>,
}

impl Limit {
    fn most(&self) -> usize {
        self.limit.unwrap_or(USUAL).min(MOST)
    }
}

/// What was decided about one request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Explained {
    #[serde(flatten)]
    request: Requested,
    /// The host that it asked for.
    authority: String,
    /// The pool that it was routed to; none where the gateway answered.
    pool: Option<String>,
    /// The server that was asked beside the first one, which was slow; it has won
    /// if it is the one that answered.
    #[schema(example = "10.0.0.2:3000")]
    hedged_to: Option<String>,
    /// Servers that were tried in vain.
    retries: usize,
    /// Whether the request asked to be explained; otherwise it is a sample.
    asked: bool,
    /// Each decision, in order.
    decisions: Vec<Decision>,
}

/// One decision about a request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Decision {
    /// The seat, such as `pools.web.balancer`.
    seat: String,
    /// The role that the plugin was asked in.
    #[schema(example = "balancer")]
    role: String,
    plugin: String,
    /// The version's digest.
    version: String,
    /// `active`, or `canary` for a version that decides for a share.
    part: String,
    /// How long it took.
    nanoseconds: u64,
    /// What it said, in words.
    #[schema(example = "10.0.0.1:3000")]
    answer: Option<String>,
    /// Why it said nothing: somebody else decided then.
    fault: Option<String>,
    /// The servers that it could choose; none for who chooses none.
    candidates: Vec<String>,
    /// Why, in the plugin's own words.
    reason: Option<String>,
}

/// A request that there was.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Requested {
    /// Its id, which its server was told as `X-Request-Id`.
    id: String,
    method: String,
    /// Its path; the query is not kept.
    url: String,
    timestamp: Timestamp,
    /// The server that answered; none where the gateway did.
    server_id: Option<String>,
    /// From its head to the answer's head, in milliseconds.
    response_time: f64,
    status_code: u16,
}

impl From<&Explanation> for Requested {
    fn from(explanation: &Explanation) -> Self {
        Self {
            id: explanation.id.clone(),
            method: explanation.method.clone(),
            url: explanation.path.clone(),
            timestamp: Timestamp::from(explanation.at),
            server_id: explanation.endpoint.as_ref().map(ToString::to_string),
            response_time: explanation.duration.as_secs_f64() * 1000.0,
            status_code: explanation.status,
        }
    }
}

impl From<&Explanation> for Explained {
    fn from(explanation: &Explanation) -> Self {
        Self {
            request: Requested::from(explanation),
            authority: explanation.authority.clone(),
            pool: explanation.pool.as_ref().map(ToString::to_string),
            hedged_to: explanation.hedged_to.as_ref().map(ToString::to_string),
            retries: explanation.retries,
            asked: explanation.asked,
            decisions: explanation.steps.iter().map(Decision::from).collect(),
        }
    }
}

impl From<&Step> for Decision {
    fn from(step: &Step) -> Self {
        let place = &step.place;
        Self {
            seat: place.to_string(),
            role: place.role.to_string(),
            plugin: place.plugin.to_string(),
            version: step.version.to_string(),
            part: place.part.to_string(),
            nanoseconds: u64::try_from(step.duration.as_nanos()).unwrap_or(u64::MAX),
            answer: step
                .answer
                .ok()
                .map(|answer| words(answer, step.chosen.as_deref())),
            fault: step.answer.err().map(|fault| fault.to_string()),
            candidates: step.candidates.iter().map(ToString::to_string).collect(),
            reason: step.reason.clone(),
        }
    }
}

/// What an answer means; `chosen` is the name of what it names.
fn words(answer: Answer, chosen: Option<&str>) -> String {
    match (answer, chosen) {
        (_, Some(chosen)) => chosen.to_owned(),
        (Answer::Verdict(Verdict::Proceed), None) => "proceed".to_owned(),
        (Answer::Verdict(Verdict::Answer(status)) | Answer::Route(Route::Answer(status)), None) => {
            format!("answer {status}")
        }
        (Answer::Route(Route::Unmatched), None) => "no route".to_owned(),
        (Answer::Route(Route::Forward(_)) | Answer::Endpoint(Some(_)), None) => {
            "something that is not there any more".to_owned()
        }
        (Answer::Endpoint(None), None) => "no opinion".to_owned(),
        (Answer::Done, None) => "done".to_owned(),
    }
}

/// Explain the latest requests.
///
/// Ten requests a second of each worker are explained, and every one that asks
/// by the header `x-gatewright-explain` with an access token. Newest first.
#[utoipa::path(
    get, path = "/api/explain", operation_id = "listExplanations", tag = "explanations",
    params(Limit),
    responses(
        (status = OK, description = "The explanations", body = Success<Vec<Explained>>),
        Asked<Limit>,
    )
)]
async fn list(State(control): State<Arc<Control>>, Asked(limit): Asked<Limit>) -> Response {
    let latest = control.publisher.explanations().latest(limit.most());
    let explained: Vec<_> = latest.iter().map(Explained::from).collect();
    success(explained).into_response()
}

/// Explain one request.
///
/// By its id, which a request that asks is told in the response's header
/// `x-gatewright-explain`.
#[utoipa::path(
    get, path = "/api/explain/{id}", operation_id = "explain", tag = "explanations",
    params(("id" = String, Path, description = "The request's id")),
    responses(
        (status = OK, description = "The explanation", body = Success<Explained>),
        (status = NOT_FOUND, description = "No such request is kept", body = Failure),
        Named,
    )
)]
async fn one(State(control): State<Arc<Control>>, Named(id): Named) -> Result<Response, Refusal> {
    let found = control.publisher.explanations().find(&id);
    let missing = || {
        Refusal::NotFound(format!(
            "no request {id:?} is kept; the latest are at /api/explain"
        ))
    };
    let explanation = found.ok_or_else(missing)?;
    Ok(success(Explained::from(&explanation)).into_response())
}

/// List the latest requests.
///
/// A sample: ten requests a second of each worker. Newest first.
#[utoipa::path(
    get, path = "/api/requests", operation_id = "listRequests", tag = "figures",
    params(Limit),
    responses(
        (status = OK, description = "The requests", body = Success<Vec<Requested>>),
        Asked<Limit>,
    )
)]
async fn requests(State(control): State<Arc<Control>>, Asked(limit): Asked<Limit>) -> Response {
    latest(&control, &limit)
}

/// List the latest requests.
///
/// The same as `/api/requests`.
#[utoipa::path(
    get, path = "/api/metrics/requests", operation_id = "requestMetrics", tag = "figures",
    params(Limit),
    responses(
        (status = OK, description = "The requests", body = Success<Vec<Requested>>),
        Asked<Limit>,
    )
)]
async fn request_metrics(
    State(control): State<Arc<Control>>,
    Asked(limit): Asked<Limit>,
) -> Response {
    latest(&control, &limit)
}

fn latest(control: &Control, limit: &Limit) -> Response {
    let latest = control.publisher.explanations().latest(limit.most());
    let requests: Vec<_> = latest.iter().map(Requested::from).collect();
    success(requests).into_response()
}
