//! Taking back what the host has quarantined, so that a restart does not try it
//! again: a canary or a shadow that was set through the API, and a version that
//! was activated there. The host has taken it out of its seat already.

use std::sync::Arc;

use gatewright_host::{HostEvent, Part};
use gatewright_model::config::{Binding, Config};
use gatewright_model::id::Digest;
use serde_json::Value;

use crate::change::{Author, Change, Edit, Recorded, Refusal};
use crate::control::Control;
use crate::history::is_overridden;
use crate::seats::SeatName;

impl Control {
    /// Take back what an event says was quarantined, if the API has set it.
    pub(crate) async fn retreat(self: &Arc<Self>, event: &HostEvent) {
        let seat = SeatName::of_event(event);
        let in_force = Arc::clone(&self.publisher.snapshot().config);
        if self.step_back(&in_force, &seat, event).is_none() {
            return;
        }
        let (control, about) = (Arc::clone(self), event.clone());
        let make = move |config: &Config| {
            let back = control.step_back(config, &seat, &about);
            // Somebody else was quicker.
            back.unwrap_or_else(|| Err(Refusal::NotFound("it is bound no more".to_owned())))
        };
        match self.change_recorded(Author::gateway(), None, make).await {
            Ok(_) | Err(Refusal::NotFound(_)) => {}
            Err(refusal) => {
                let version = event.version.short();
                tracing::error!(plugin = %event.plugin, version, "it cannot be rolled back: {refusal}");
            }
        }
    }

    /// The change that takes it back; none when there is nothing to take back.
    fn step_back(
        &self,
        config: &Config,
        seat: &SeatName,
        event: &HostEvent,
    ) -> Option<Result<Recorded, Refusal>> {
        let binding = seat.binding(config)?;
        let is_ours = is_overridden(&self.desired(), &seat.key());
        if binding.plugin != event.plugin || !is_ours {
            return None;
        }
        let target = format!(
            "{}: {} {} of {} was quarantined",
            seat.key(),
            event.part,
            event.version.short(),
            event.plugin
        );
        let is_it = |version: Option<_>| version == Some(event.version);
        let mut rest = binding.clone();
        match event.part {
            Part::Canary if is_it(binding.canary.map(|canary| canary.version)) => {
                rest.canary = None;
            }
            Part::Shadow if is_it(binding.shadow.map(|shadow| shadow.version)) => {
                rest.shadow = None;
            }
            Part::Active if is_it(own_version(config, binding)) => {
                let has_past = !self.catalog.history(seat).is_empty();
                return has_past.then(|| self.rollback(seat, target));
            }
            _ => return None,
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
