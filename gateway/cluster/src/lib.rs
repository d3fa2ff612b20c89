//! What several gateways share by a Redis (or Valkey) server.
//!
//! Reading order: [`Connection`] is the one connection to the server, kept up by a
//! task of the control plane; what is asked of it fails within a second when the
//! server does not answer, so that nobody waits for a server that is away.
//!
//! [`Exchange`] is how gateways tell each other what plugins keep.
//!
//! What is absent on purpose: workers. Nothing here is called on the way of a
//! request.

mod connection;
mod failure;
mod settings;
mod shared;

pub use connection::{Connection, Message, Standing};
pub use failure::Failure;
pub use settings::SettingsError;
pub use shared::{Exchange, News};
