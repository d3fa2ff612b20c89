//! What several gateways share by a Redis (or Valkey) server.
//!
//! Reading order: [`Connection`] is the one connection to the server, kept up by a
//! task of the control plane; what is asked of it fails within a second when the
//! server does not answer, so that nobody waits for a server that is away.
//! [`Ledger`] is the desired state there, [`Shelf`] the components that it names, and
//! [`Members`] the gateways that are there.
//!
//! [`Exchange`] is how gateways tell each other what plugins keep.
//!
//! What is absent on purpose: workers. Nothing here is called on the way of a
//! request.

mod components;
mod connection;
mod failure;
mod members;
mod revision;
mod settings;
mod shared;
mod state;

pub use components::{Kept, Shelf};
pub use connection::{Connection, Message, Standing};
pub use failure::Failure;
pub use members::{ANNOUNCE_EVERY, Heard, Member, Members, Present};
pub use revision::{Head, Lineage, Revision};
pub use settings::SettingsError;
pub use shared::{Exchange, News};
pub use state::{CHANGES, Committed, Components, Delta, Fields, Ledger, State};
