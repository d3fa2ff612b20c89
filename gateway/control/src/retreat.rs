//! Taking back what the host has quarantined, so that a restart does not try it
//! again: a canary or a shadow that was set through the API, and a version that
//! was activated there. The host has taken it out of its seat already.
//!
//! What is to be taken back is read off the seats, not off the events that told
//! of it: an event may come late, when somebody has mended the binding, or not
//! at all.

use std::sync::Arc;

use gatewright_host::Part;
use gatewright_model::config::{Binding, Config};
use gatewright_model::id::Digest;
use serde_json::Value;

use crate::change::{Author, Change, Edit, Recorded, Refusal};
use crate::control::Control;
use crate::history::is_overridden;
use crate::seats::SeatName;

/// A version that was quarantined in a seat.
#[derive(Clone, Debug, PartialEq)]
struct Lost {
    seat: SeatName,
    part: Part,
    version: Digest,
}

impl Control {
    /// Take back whatever is quarantined and was set by the API.
    pub(crate) async fn retreat(self: &Arc<Self>) {
        let in_force = Arc::clone(&self.publisher.snapshot().config);
        for lost in self.lost(&in_force) {
            if self.step_back(&in_force, &lost).is_none() {
                continue;
            }
            let (control, about) = (Arc::clone(self), lost.clone());
            let make = move |config: &Config| {
                let is_lost = control.lost(config).contains(&about);
                let back = is_lost.then(|| control.step_back(config, &about)).flatten();
                // Somebody else was quicker.
                back.unwrap_or_else(|| Err(Refusal::NotFound("it is bound no more".to_owned())))
            };
            match self.change_recorded(Author::gateway(), None, make).await {
                Ok(_) | Err(Refusal::NotFound(_)) => {}
                Err(refusal) => {
                    let (seat, version) = (&lost.seat, lost.version.short());
                    tracing::error!(%seat, version, "it cannot be rolled back: {refusal}");
                }
            }
        }
    }

    /// What the configuration wants and the host has taken out of its seat.
    fn lost(&self, config: &Config) -> Vec<Lost> {
        let plan = self.publisher.plan();
        let seated = |seat: &SeatName, part: Part| {
            let mut bindings = plan.bindings().iter();
            bindings.find(|one| one.part() == part && SeatName::of_place(one.place()) == *seat)
        };
        let mut lost = Vec::new();
        for seat in SeatName::all(config) {
            let Some(binding) = seat.binding(config) else {
                continue;
            };
            let active = seated(&seat, Part::Active).and_then(|active| {
                let own = active.is_quarantined().then(|| active.version());
                active.stands_in_for().or(own)
            });
            // One that was quarantined beside another is left out.
            let gone = |part, version: Option<Digest>| {
                let is_there = seated(&seat, part).is_some_and(|one| !one.is_quarantined());
                version.filter(|_| !is_there)
            };
            let canary = gone(Part::Canary, binding.canary.map(|canary| canary.version));
            let shadow = gone(Part::Shadow, binding.shadow.map(|shadow| shadow.version));
            let all = [
                (Part::Active, active),
                (Part::Canary, canary),
                (Part::Shadow, shadow),
            ];
            for (part, version) in all {
                lost.extend(version.map(|version| Lost {
                    seat: seat.clone(),
                    part,
                    version,
                }));
            }
        }
        lost
    }

    /// The change that takes it back; none when there is nothing to take back.
    fn step_back(&self, config: &Config, lost: &Lost) -> Option<Result<Recorded, Refusal>> {
        let Lost {
            seat,
            part,
            version,
        } = lost;
        let binding = seat.binding(config)?;
        if !is_overridden(&self.desired(), &seat.key()) {
            return None;
        }
        let target = format!(
            "{}: {part} {} of {} was quarantined",
            seat.key(),
            version.short(),
            binding.plugin
        );
        let mut rest = binding.clone();
        match part {
            Part::Canary => rest.canary = None,
            Part::Shadow => rest.shadow = None,
            Part::Active if own_version(config, binding) == Some(*version) => {
                let has_past = !self.catalog.history(seat).is_empty();
                return has_past.then(|| self.rollback(config, seat, target));
            }
            Part::Active => return None,
        }
        Some(Ok(without(seat, target, seat.written_as(&rest, config))))
    }
}

fn without(seat: &SeatName, target: String, rest: Value) -> Recorded {
    Recorded::from(Change {
        action: "binding.rollback",
        target,
        edits: vec![Edit::Set(seat.key(), rest)],
    })
}

/// The version that a binding names, or that an upload has given its plugin.
fn own_version(config: &Config, binding: &Binding) -> Option<Digest> {
    let source = config.plugins.get(&binding.plugin);
    binding.version.or(source?.version)
}
