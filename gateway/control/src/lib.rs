//! The control plane: it reads what is wanted, prepares it whole, and hands it
//! to the data plane; it shows what the data plane counts.
//!
//! Everything flows one way: change → validate → prepare → publish. Reading
//! order: [`Gateway`] starts and stops the whole; `desired` is what is wanted
//! and where that comes from; `publisher` is the one path of every change, and
//! `restart` what cannot go that way; `watcher` notices changed files; `events`
//! remembers what happened; `overview` gathers the figures; `admin` answers
//! operators.
//!
//! What is absent on purpose: nothing here is on the way of a request. Were all
//! of this to hang, traffic would flow on.

mod admin;
mod control;
mod desired;
mod error;
mod events;
mod gateway;
mod locate;
mod overview;
mod publisher;
mod readiness;
mod resolving;
mod restart;
mod roster;
mod sampler;
mod thread;
mod timestamp;
mod watcher;

pub use error::{ReloadError, StartError};
pub use events::{Event, Happened};
pub use gateway::{Gateway, Options, Source};
pub use overview::{Faults, Overview, PluginFigures, PluginState, ServerFigures, Totals};
pub use publisher::Reloaded;
pub use timestamp::Timestamp;
