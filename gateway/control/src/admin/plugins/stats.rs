//! `GET /api/plugins/{name}/stats`: what each of a plugin's bindings counts, and
//! how a canary and a shadow do beside the version that decides.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use gatewright_host::{Binding, Choices, Figure, Part, SeatCounters};
use gatewright_model::config::Config;
use gatewright_model::counters::Counter;
use gatewright_model::histogram::Reading;
use gatewright_model::id::Digest;
use serde::Serialize;
use utoipa::ToSchema;

use super::{find, plain};
use crate::admin::asked::Named;
use crate::admin::burden::Taken;
use crate::admin::envelope::{Failure, Success};
use crate::burden::Burdens;
use crate::change::Refusal;
use crate::control::Control;
use crate::overview::{self, PluginFigures};
use crate::seats::SeatName;

/// The figures of one version in one seat, over all workers. Counts are since
/// it took the seat.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BindingFigures)]
struct Figures {
    /// The seat, such as `web/balancer`.
    binding: String,
    /// `active`, `canary` or `shadow`.
    part: String,
    #[schema(value_type = String)]
    version: Digest,
    /// `active`, `standing in` or `quarantined`.
    state: &'static str,
    decisions: u64,
    faults: Faults,
    /// Decisions that somebody else had to make.
    fallbacks: u64,
    /// Those of them that its limit of a worker's time gave away.
    capped: u64,
    /// Answers that could not be used.
    overruled: u64,
    restarts: u64,
    /// Nanoseconds of a decision; null before the first that was timed.
    ns_mean: Option<f64>,
    ns_p50: Option<f64>,
    ns_p99: Option<f64>,
    /// The decisions that were timed, one in 64, by how long they took.
    histogram: Vec<Rung>,
    /// Bytes in the linear memories of its instances now.
    memory_bytes: u64,
    #[serde(flatten)]
    burden: Taken,
    /// Of a canary: the share of the requests that it decides for.
    #[schema(value_type = u8, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
    /// Of a shadow.
    #[schema(value_type = Comparison, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<Comparison>,
}

/// How many decisions took so long.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DecisionTimes)]
struct Rung {
    /// Fewer nanoseconds than this power of two, and not fewer than half.
    up_to: u64,
    count: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FaultCounts)]
struct Faults {
    trapped: u64,
    overran: u64,
    out_of_memory: u64,
    impossible: u64,
}

/// A shadow beside the version that decides.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Comparison {
    /// The share of decisions that it is asked for too, in percent.
    sample: u8,
    compared: u64,
    agreed: u64,
    /// From 0 to 1; null before anything was compared.
    agreement: Option<f64>,
    /// Decisions of the sample that it was not asked for, since it had taken
    /// its share of the time.
    skipped: u64,
    /// The total variation distance between what both chose, from 0 (alike) to
    /// 1; null before both chose a server. Two that take turns never agree and
    /// are alike.
    distance: Option<f64>,
    /// Nanoseconds of a decision more than the version that decides.
    ns_difference: Option<f64>,
}

/// What a plugin's bindings count.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginStats)]
struct Stats {
    name: String,
    bindings: Vec<Figures>,
    /// The plugin's own figures, by seat and name.
    own: BTreeMap<String, BTreeMap<String, f64>>,
}

/// Show what a plugin's bindings count.
#[utoipa::path(
    get, path = "/api/plugins/{name}/stats", operation_id = "showPluginStats", tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name")),
    responses(
        (status = OK, description = "The figures", body = Success<Stats>),
        (status = NOT_FOUND, description = "There is no such plugin", body = Failure),
        Named,
    )
)]
pub(super) async fn stats(
    State(control): State<Arc<Control>>,
    Named(name): Named,
) -> Result<Response, Refusal> {
    let snapshot = control.publisher.snapshot();
    let name = find(&control, &snapshot.config, &name)?;
    let plan = control.publisher.plan();
    let bindings = plan.bindings().iter();
    let bindings: Vec<_> = bindings.filter(|one| *one.plugin() == name).collect();
    let figures = bindings.iter().map(|binding| {
        let mut active = bindings.iter();
        let active = active.find(|one| one.part() == Part::Active && same_seat(one, binding));
        let control = (&*snapshot.config, &control.burdens);
        Figures::of(control, binding, active.map(|active| &***active))
    });
    Ok(plain(Stats {
        name: name.to_string(),
        bindings: figures.collect(),
        own: own_figures(&bindings),
    }))
}

fn same_seat(one: &Binding, other: &Binding) -> bool {
    let [one, other] = [one, other].map(Binding::place);
    (one.role, &one.pool, &one.policy) == (other.role, &other.pool, &other.policy)
}

fn own_figures(bindings: &[&Arc<Binding>]) -> BTreeMap<String, BTreeMap<String, f64>> {
    let active = bindings.iter().filter(|one| one.part() == Part::Active);
    let seats = active.map(|binding| {
        let own = binding.figures().all().into_iter();
        let own = own.map(|(name, figure)| {
            let value = match figure {
                Figure::Counter(sum) => sum as f64,
                Figure::Gauge(last) => last,
            };
            (String::from(name), value)
        });
        (seat_of(binding), own.collect())
    });
    seats.collect()
}

impl Figures {
    fn of(
        (config, burdens): (&Config, &Burdens),
        binding: &Binding,
        active: Option<&Binding>,
    ) -> Self {
        let PluginFigures {
            version,
            decisions,
            faults,
            fallbacks,
            capped,
            overruled,
            restarts,
            time_ns,
            ns_per_decision,
            burden,
            memory,
            state,
            ..
        } = overview::plugin(burdens, binding);
        let seat = SeatName::of_place(binding.place());
        let bound = seat.binding(config);
        let canary = bound.and_then(|bound| bound.canary);
        let is_canary = binding.part() == Part::Canary;
        let shadow = bound.and_then(|bound| bound.shadow);
        let shadow = shadow.filter(|_| binding.part() == Part::Shadow);
        let beside = active.and_then(|active| overview::plugin(burdens, active).ns_per_decision);
        Self {
            binding: seat.to_string(),
            part: binding.part().to_string(),
            version,
            state: state.name(),
            decisions,
            faults: Faults {
                trapped: faults.trapped,
                overran: faults.overran,
                out_of_memory: faults.out_of_memory,
                impossible: faults.impossible,
            },
            fallbacks,
            capped,
            overruled,
            restarts,
            ns_mean: ns_per_decision,
            ns_p50: time_ns.quantile(0.5),
            ns_p99: time_ns.quantile(0.99),
            histogram: histogram(&time_ns),
            memory_bytes: memory,
            burden: Taken::of(burden),
            percent: canary.filter(|_| is_canary).map(|canary| canary.percent),
            comparison: shadow.map(|shadow| {
                let difference = ns_per_decision.zip(beside).map(|(own, other)| own - other);
                Comparison::of(binding, shadow.sample, difference)
            }),
        }
    }
}

impl Comparison {
    fn of(binding: &Binding, sample: u8, ns_difference: Option<f64>) -> Self {
        let sum = |counter: fn(&SeatCounters) -> &Counter| {
            let workers = binding.counters().iter();
            workers.map(|worker| counter(worker).get()).sum::<u64>()
        };
        let (compared, agreed) = (sum(|worker| &worker.compared), sum(|worker| &worker.agreed));
        Self {
            sample,
            compared,
            agreed,
            agreement: (compared > 0).then(|| agreed as f64 / compared as f64),
            skipped: sum(|worker| &worker.skipped),
            distance: distance(&binding.choices()),
            ns_difference,
        }
    }
}

/// Counts by powers of two, where there are any: the reading's own buckets end
/// at those too.
fn histogram(reading: &Reading) -> Vec<Rung> {
    let mut counts = BTreeMap::new();
    for (longest, count) in reading.buckets() {
        let up_to = (u64::from(longest) + 1).next_power_of_two();
        *counts.entry(up_to).or_default() += u64::from(count);
    }
    let rungs = counts.into_iter();
    rungs.map(|(up_to, count)| Rung { up_to, count }).collect()
}

/// Half the sum of the differences between two distributions' shares.
fn distance(choices: &Choices) -> Option<f64> {
    let decided: u64 = choices.values().map(|(decided, _)| decided).sum();
    let shadow: u64 = choices.values().map(|(_, shadow)| shadow).sum();
    if decided == 0 || shadow == 0 {
        return None;
    }
    let share = |count: u64, of: u64| count as f64 / of as f64;
    let differences = choices
        .values()
        .map(|(one, other)| (share(*one, decided) - share(*other, shadow)).abs());
    Some(differences.sum::<f64>() / 2.0)
}

/// What a binding's seat is called.
pub(super) fn seat_of(binding: &Binding) -> String {
    SeatName::of_place(binding.place()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_model::id::Slot;

    #[test]
    fn times_are_counted_between_powers_of_two() {
        let histogram_of = gatewright_model::histogram::Histogram::default();
        for one in [255, 256, 511, 70_000] {
            histogram_of.record(one);
        }
        let mut reading = Reading::default();
        histogram_of.add_to(&mut reading);
        let rungs = histogram(&reading).into_iter();
        let rungs: Vec<_> = rungs.map(|rung| (rung.up_to, rung.count)).collect();
        assert_eq!(rungs, [(256, 1), (512, 2), (131_072, 1)]);
    }

    #[test]
    fn distance_tells_shares_apart_and_not_turns() {
        let choices = |counts: &[(u64, u64)]| {
            let slots = (0..).map(Slot);
            distance(&slots.zip(counts.iter().copied()).collect())
        };
        assert_eq!(choices(&[]), None);
        assert_eq!(choices(&[(3, 0)]), None);
        assert_eq!(choices(&[(5, 50), (5, 50)]), Some(0.0));
        assert_eq!(choices(&[(4, 0), (0, 9)]), Some(1.0));
        assert_eq!(choices(&[(3, 1), (1, 3)]), Some(0.5));
    }
}
