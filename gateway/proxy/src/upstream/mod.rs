//! What a worker keeps of the servers: for each endpoint its idle connections
//! and the guard that counts what is in flight.

pub(crate) mod connection;
mod endpoint;
mod in_flight;
mod response_body;
mod switched;

pub(crate) use connection::{Connection, ConnectionError, LANDING, Landing};
pub(crate) use endpoint::{ConnectError, Upstream};
pub(crate) use in_flight::{InFlight, Observers};
pub(crate) use response_body::{Begun, CutShort, UpstreamBody};
pub(crate) use switched::Switched;
