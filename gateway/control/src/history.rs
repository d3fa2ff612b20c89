//! What was bound in each seat before: noted with every change that somebody
//! asks for, and restored by a rollback.

use gatewright_model::config::{Config, DEFAULT_PLUGINS, Key, Override};
use gatewright_model::id::PluginName;

use crate::catalog::built_in;
use crate::change::{Change, Edit, Recorded, Refusal};
use crate::control::Control;
use crate::desired::{Desired, Draft};
use crate::seats::{SeatName, decide_alike};
use crate::store::{Record, Restore, Step};

/// Steps that are kept of each seat; the oldest go first.
const KEPT: usize = 16;

impl Control {
    /// What is kept together with a change: what it says itself, and what was
    /// bound until now in the seats that it changes.
    pub(crate) fn records(
        &self,
        desired: &Desired,
        draft: &Draft,
        in_force: &Config,
        recorded: &Recorded,
    ) -> Vec<Record> {
        let wanted = &draft.wanted.config;
        let edits = &recorded.change.edits;
        let is_edited = |seat: &SeatName| {
            let key = seat.key();
            edits.iter().any(|edit| edit.key().touches(&key))
        };
        let edited = seats(in_force, wanted).into_iter().filter(is_edited);
        let histories = edited.filter_map(|seat| {
            let before = self.catalog.history(&seat);
            let back = recorded.back.as_ref().filter(|(back, _)| *back == seat);
            let (was, is) = (seat.binding(in_force), seat.binding(wanted));
            let steps = match back {
                // A pool that comes again has no past.
                _ if seat.found(wanted).is_err() => Vec::new(),
                Some((_, rest)) => rest.clone(),
                None if decide_alike(was, is) => return None,
                None => {
                    let mut steps = before.clone();
                    steps.push(step(desired, in_force, &seat));
                    steps.drain(..steps.len().saturating_sub(KEPT));
                    steps
                }
            };
            (steps != before).then(|| Record::History(seat.to_string(), steps))
        });
        let histories: Vec<_> = histories.collect();
        recorded.records.iter().cloned().chain(histories).collect()
    }

    /// Going back to what was bound in a seat before.
    /// What is not there any more is passed over.
    pub(crate) fn rollback(
        &self,
        config: &Config,
        seat: &SeatName,
        target: String,
    ) -> Result<Recorded, Refusal> {
        let mut steps = self.catalog.history(seat);
        let step = std::iter::from_fn(|| steps.pop()).find(|step| self.can_be_had(config, step));
        let step = step.ok_or_else(|| {
            let message = format!("{seat} has had nothing else that it could go back to");
            Refusal::Conflict(message)
        })?;
        let key = seat.key();
        let edit = match step.restore {
            Restore::Declared => Edit::Reset(key),
            Restore::Nothing => Edit::Remove(key),
            Restore::Binding(binding) => Edit::Set(key, binding),
        };
        Ok(Recorded {
            change: Change {
                action: "binding.rollback",
                target,
                edits: vec![edit],
            },
            records: Vec::new(),
            component: None,
            back: Some((seat.clone(), steps)),
        })
    }

    /// Whether there still are the plugin and the version of a step. What the
    /// file declares is the file's to have.
    fn can_be_had(&self, config: &Config, step: &Step) -> bool {
        let Some(plugin) = step.plugin.as_deref().map(PluginName::from) else {
            return true;
        };
        let is_there = |version| {
            self.catalog.version(&plugin, version).is_some() || built_in(&plugin) == Some(version)
        };
        let is_declared = config.plugins.contains_key(&plugin);
        match step.restore {
            Restore::Declared | Restore::Nothing => true,
            Restore::Binding(_) => {
                (is_declared || DEFAULT_PLUGINS.contains(&plugin.as_str()))
                    && step.version.is_none_or(is_there)
            }
        }
    }
}

/// The seats that are in force, and of those that are wanted the policies':
/// a pool's come with the pool and have no past before it.
fn seats(in_force: &Config, wanted: &Config) -> Vec<SeatName> {
    let mut seats = SeatName::all(in_force);
    for seat in SeatName::all(wanted) {
        if matches!(seat, SeatName::Policy(_)) && !seats.contains(&seat) {
            seats.push(seat);
        }
    }
    seats
}

/// What is bound in a seat now. What stands beside it is not restored with it.
fn step(desired: &Desired, in_force: &Config, seat: &SeatName) -> Step {
    let bound = seat.binding(in_force);
    let restore = match bound {
        _ if !is_overridden(desired, &seat.key()) => Restore::Declared,
        None => Restore::Nothing,
        Some(bound) => {
            let mut alone = bound.clone();
            (alone.canary, alone.shadow) = (None, None);
            Restore::Binding(seat.written_as(&alone, in_force))
        }
    };
    Step {
        plugin: bound.map(|bound| bound.plugin.to_string()),
        version: bound.and_then(|bound| bound.version),
        restore,
    }
}

/// Whether what was changed at run time says anything of a key.
pub(crate) fn is_overridden(desired: &Desired, key: &Key) -> bool {
    let touches = |(held, _): (&Key, &Override)| held.touches(key);
    desired.overlay.iter().any(touches)
}
