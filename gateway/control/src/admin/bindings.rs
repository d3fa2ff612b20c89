//! `/api/bindings`: which version decides in which seat, and what stands beside
//! it.

mod change;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use gatewright_host::{Binding as Seated, Part};
use gatewright_model::config::Binding;
use gatewright_model::id::Digest;
use gatewright_model::role::Role;
use gatewright_model::snapshot::Snapshot;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::NamedWithin;
use super::burden::Taken;
use super::envelope::{Failure, Success};
use super::precondition::tagged;
use crate::change::Refusal;
use crate::control::Control;
use crate::history::is_overridden;
use crate::overview;
use crate::seats::{SeatName, policy};

pub(super) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one, change::put, change::remove))
        .routes(routes!(change::back))
}

/// What is bound in a seat. The plugin's configuration may be secret and is not
/// shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Binding)]
struct Described {
    /// The seat, such as `web/balancer`.
    binding: String,
    pool: Option<String>,
    role: String,
    plugin: Option<String>,
    /// The version that is to decide.
    #[schema(value_type = Option<String>)]
    version: Option<Digest>,
    /// Whether the binding names it; otherwise it is what the plugin has.
    pinned: bool,
    /// `active`, `standing in` or `quarantined`; none when nothing is bound.
    state: Option<&'static str>,
    /// The version that decides in place of one that was quarantined.
    #[schema(value_type = Option<String>)]
    stand_in: Option<Digest>,
    /// In seconds.
    deadline: Option<f64>,
    /// The most of a worker's time, in percent; none for no limit.
    cpu_share: Option<u8>,
    /// The share of a worker's time, in percent, beyond which it is heavy; 100
    /// for never.
    cpu_alarm: Option<u8>,
    /// Of the version that decides.
    #[serde(flatten)]
    burden: Taken,
    /// What becomes of a request when a policy faults: `deny` or `allow`.
    on_fault: Option<String>,
    canary: Option<Beside>,
    shadow: Option<Beside>,
    /// `file`, which code stands for where there is none, or `api`.
    source: &'static str,
    /// What a rollback leads to, the next step first.
    history: Vec<Earlier>,
}

/// A version beside the one that decides.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BesideBinding)]
struct Beside {
    #[schema(value_type = String)]
    version: Digest,
    /// Of the requests that a canary decides for.
    #[schema(value_type = u8, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
    /// Of the decisions that a shadow is asked for too, in percent.
    #[schema(value_type = u8, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<u8>,
    state: &'static str,
}

/// What was bound before.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EarlierBinding)]
struct Earlier {
    plugin: Option<String>,
    #[schema(value_type = Option<String>)]
    version: Option<Digest>,
}

impl Described {
    fn of(control: &Control, snapshot: &Snapshot, seat: &SeatName) -> Self {
        let bound = seat.binding(&snapshot.config);
        let plan = control.publisher.plan();
        let seated = |part: Part| {
            let mut bindings = plan.bindings().iter();
            bindings.find(|binding| {
                binding.part() == part && SeatName::of_place(binding.place()) == *seat
            })
        };
        let active = seated(Part::Active);
        let canary = bound.and_then(|bound| bound.canary);
        let shadow = bound.and_then(|bound| bound.shadow);
        let steps = control.catalog.history(seat).into_iter().rev();
        Self {
            binding: seat.to_string(),
            pool: seat.pool().map(str::to_owned),
            role: role(seat, bound),
            plugin: bound.map(|bound| bound.plugin.to_string()),
            version: active.map(|active| active.stands_in_for().unwrap_or(active.version())),
            pinned: bound.is_some_and(|bound| bound.version.is_some()),
            state: active.map(|active| overview::state(active).name()),
            stand_in: active
                .filter(|active| active.stands_in_for().is_some())
                .map(|it| it.version()),
            deadline: bound.map(|bound: &Binding| bound.deadline.as_secs_f64()),
            cpu_share: bound.and_then(|bound| bound.cpu_share),
            cpu_alarm: bound.map(|bound| bound.cpu_alarm),
            burden: Taken::of(active.and_then(|active| control.burdens.of(active))),
            on_fault: match seat {
                SeatName::Policy(name) => policy(&snapshot.config, name),
                _ => None,
            }
            .map(|policy| policy.on_fault.to_string()),
            canary: canary.map(|canary| Beside {
                version: canary.version,
                percent: Some(canary.percent),
                sample: None,
                state: state_of(seated(Part::Canary).map(|one| &**one)),
            }),
            shadow: shadow.map(|shadow| Beside {
                version: shadow.version,
                percent: None,
                sample: Some(shadow.sample),
                state: state_of(seated(Part::Shadow).map(|one| &**one)),
            }),
            source: match is_overridden(&control.desired(), &seat.key()) {
                true => "api",
                false => "file",
            },
            history: steps
                .map(|step| Earlier {
                    plugin: step.plugin,
                    version: step.version,
                })
                .collect(),
        }
    }
}

/// The role of who sits there, or would: a policy's is its own affair.
fn role(seat: &SeatName, bound: Option<&Binding>) -> String {
    let role = match (seat, bound) {
        (_, Some(bound)) => bound.role,
        (SeatName::Policy(_), None) => Role::RequestPolicy,
        (SeatName::Router, None) => Role::Router,
        (SeatName::Affinity(_), None) => Role::Affinity,
        (SeatName::Balancer(_), None) => Role::Balancer,
    };
    role.to_string()
}

/// A version that was quarantined beside another is left out of its seat.
fn state_of(seated: Option<&Seated>) -> &'static str {
    let state = seated.map_or(overview::PluginState::Quarantined, overview::state);
    state.name()
}

/// List the seats that are filled.
#[utoipa::path(
    get, path = "/api/bindings", operation_id = "listBindings", tag = "bindings",
    responses(
        (status = OK, description = "The seats", body = Success<Vec<Described>>, headers(("ETag"))),
    )
)]
async fn list(State(control): State<Arc<Control>>) -> Response {
    let snapshot = control.publisher.snapshot();
    let seats = SeatName::all(&snapshot.config).into_iter();
    let filled = seats.filter(|seat| seat.binding(&snapshot.config).is_some());
    let seats = filled.map(|seat| Described::of(&control, &snapshot, &seat));
    let seats: Vec<_> = seats.collect();
    tagged(&control, snapshot.generation, StatusCode::OK, seats)
}

/// Show what is bound in a seat.
#[utoipa::path(
    get, path = "/api/bindings/{pool}/{role}", operation_id = "showBinding", tag = "bindings",
    params(
        ("pool" = String, Path, description = "The pool; `-` for the router and policies", example = "web"),
        ("role" = String, Path, description = "`balancer`, `affinity`, `router` or `policy.NAME`", example = "balancer"),
    ),
    responses(
        (status = OK, description = "What is bound", body = Success<Described>, headers(("ETag"))),
        (status = NOT_FOUND, description = "There is no such seat", body = Failure),
        NamedWithin,
    )
)]
async fn one(
    State(control): State<Arc<Control>>,
    NamedWithin(pool, role): NamedWithin,
) -> Result<Response, Refusal> {
    let seat = SeatName::of_path(&pool, &role)?;
    let snapshot = control.publisher.snapshot();
    seat.shown(&snapshot.config)?;
    let described = Described::of(&control, &snapshot, &seat);
    Ok(tagged(
        &control,
        snapshot.generation,
        StatusCode::OK,
        described,
    ))
}
