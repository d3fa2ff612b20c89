//! What a stream says of each event.

use gatewright_host::{Happening, HostEvent, Place};
use gatewright_model::id::Digest;
use gatewright_proxy::{CircuitChange, HealthChange, PanicChange};
use serde_json::{Value, json};

use crate::acme::{CertificateNews, CertificateTurn};
use crate::admin::metrics::rounded;
use crate::admin::words::Status;
use crate::burden::{Burdened, Turn};
use crate::discovery::{LookUpTurn, LookedUp};
use crate::events::{Event, Happened};
use crate::publisher::Reloaded;
use crate::seats::SeatName;

/// An event's name on the stream, and its data. `message` is for people.
pub(super) fn told(event: &Event) -> (&'static str, Value) {
    let (name, mut data) = match &event.happened {
        // The entry has a moment of its own.
        Happened::Audited(numbered) => return ("audit", json!(**numbered)),
        Happened::Health(change) => ("health", health(change)),
        Happened::Circuit(change) => ("circuit", circuit(change)),
        Happened::Panic(change) => ("panic", panic(change)),
        Happened::Plugin(event) => ("plugin", plugin(event)),
        Happened::Certificate(news) => ("certificate", certificate(news)),
        Happened::Burdened(burdened) => ("plugin", burden(burdened)),
        Happened::LookedUp(turn) => ("dns", looked_up(turn)),
        Happened::Cluster(problem) => ("cluster", json!({ "problem": problem })),
        Happened::Reloaded(reloaded) => ("change", reload(*reloaded)),
        Happened::Refused(reason) => ("change", json!({ "outcome": "refused", "reason": reason })),
        Happened::Yielded(key) => {
            let key = key.to_string();
            ("change", json!({ "outcome": "yielded", "key": key }))
        }
        Happened::Uncertified(why) => {
            ("change", json!({ "outcome": "uncertified", "reason": why }))
        }
        Happened::LeftOut(left) => {
            let key = left.key.to_string();
            let data = json!({ "outcome": "leftOut", "key": key, "reason": left.reason });
            ("change", data)
        }
    };
    data["at"] = json!(event.at);
    data["message"] = event.to_string().into();
    (name, data)
}

fn health(change: &HealthChange) -> Value {
    json!({
        "serverId": change.endpoint.to_string(),
        "pool": change.pool.to_string(),
        "status": Status::from(change.health),
        "reason": change.reason,
    })
}

fn circuit(change: &CircuitChange) -> Value {
    json!({
        "serverId": change.endpoint.to_string(),
        "pool": change.pool.to_string(),
        "circuit": change.phase.name(),
        "reason": change.reason,
    })
}

fn panic(change: &PanicChange) -> Value {
    json!({
        "pool": change.pool.to_string(),
        "panicking": change.panicking,
        "well": change.well,
        "of": change.of,
    })
}

fn plugin(event: &HostEvent) -> Value {
    let mut data = seated(&event.place, event.version);
    match &event.happening {
        Happening::Faulted { fault, detail } => {
            data["happening"] = "faulted".into();
            data["fault"] = fault.to_string().into();
            data["detail"] = detail.as_str().into();
        }
        Happening::Quarantined => data["happening"] = "quarantined".into(),
    }
    data
}

fn burden(burdened: &Burdened) -> Value {
    let Burdened {
        place,
        version,
        turn,
    } = burdened;
    let mut data = seated(place, *version);
    data["happening"] = match turn {
        Turn::Heavy { .. } => "heavy",
        Turn::Eased { .. } => "eased",
        Turn::Capped => "capped",
        Turn::Uncapped => "uncapped",
    }
    .into();
    if let Turn::Heavy { percent, alarm } | Turn::Eased { percent, alarm } = turn {
        data["cpuPercentBusiest"] = rounded(*percent).into();
        data["cpuAlarm"] = (*alarm).into();
    }
    data
}

fn looked_up(looked_up: &LookedUp) -> Value {
    let pool = looked_up.pool.to_string();
    match &looked_up.turn {
        LookUpTurn::Failing { reason, kept } => {
            json!({ "pool": pool, "happening": "failing", "reason": reason, "kept": kept })
        }
        LookUpTurn::Recovered { failed } => {
            json!({ "pool": pool, "happening": "recovered", "failed": failed })
        }
    }
}

/// A plugin's version in its seat.
fn seated(place: &Place, version: Digest) -> Value {
    json!({
        "plugin": place.plugin.to_string(),
        "version": version.to_string(),
        "role": place.role.to_string(),
        "part": place.part.to_string(),
        "pool": place.pool.as_ref().map(ToString::to_string),
        "binding": SeatName::of_place(place).to_string(),
    })
}

fn certificate(news: &CertificateNews) -> Value {
    let mut data = match &news.turn {
        CertificateTurn::Issued { until } => json!({ "outcome": "issued", "notAfter": until }),
        CertificateTurn::Renewed { until } => json!({ "outcome": "renewed", "notAfter": until }),
        CertificateTurn::Failed { reason, again } => {
            json!({ "outcome": "failed", "reason": reason, "again": again })
        }
    };
    let names: Vec<&str> = news.names.iter().map(|name| &**name).collect();
    data["names"] = json!(names);
    data
}

fn reload(reloaded: Reloaded) -> Value {
    match reloaded {
        Reloaded::Unchanged { generation } => {
            json!({ "outcome": "unchanged", "generation": generation.0 })
        }
        Reloaded::Published {
            generation,
            workers,
            of,
        } => json!({
            "outcome": "applied",
            "generation": generation.0,
            "applied": { "workers": workers, "of": of },
        }),
    }
}
