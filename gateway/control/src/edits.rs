//! What a change comes to: the overlay after it, and what is kept of it.

use gatewright_model::config::Overlay;
use gatewright_model::id::Digest;

use crate::change::{Edit, Recorded};
use crate::desired::{Desired, Draft};
use crate::store::{Edited, Entry, Record};
use crate::timestamp::Timestamp;

/// The components that a change brings, or that may be no versions after it.
pub(crate) fn component_digests(recorded: &Recorded) -> impl Iterator<Item = Digest> {
    let brought = recorded.component.iter().map(|arrival| arrival.digest);
    let gone = recorded.records.iter().filter_map(|record| match record {
        Record::Version(_, digest, None) => Some(*digest),
        _ => None,
    });
    brought.chain(gone)
}

/// The overlay in force after some edits.
pub(crate) fn edit(desired: &Desired, edits: &[Edit]) -> Overlay {
    let mut overlay = desired.overlay.clone();
    for edit in edits {
        match edit {
            Edit::Set(key, value) => overlay.set(&desired.declared, key, value.clone()),
            Edit::Remove(key) => overlay.remove(&desired.declared, key),
            Edit::Reset(key) => overlay.reset(key),
        }
    }
    overlay
}

/// A draft as it is kept.
pub(crate) fn edited(
    desired: &Desired,
    draft: &Draft,
    records: Vec<Record>,
    entry: Entry,
) -> Edited {
    Edited {
        before: desired.overlay.clone(),
        after: draft.overlay.clone(),
        records,
        entry,
    }
}

/// What is noted of a change that files made.
pub(crate) fn entry_of_files(action: &str, target: String) -> Entry {
    Entry {
        at: Timestamp::now(),
        who: "file".to_owned(),
        from: None,
        action: action.to_owned(),
        target,
        generation: None,
    }
}
