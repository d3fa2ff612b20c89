//! A server that has switched to the protocol that it was asked for.

use super::{Connection, InFlight};
use crate::connection::Place;

/// A connection that speaks another protocol from here on. It stays counted in
/// flight until it closes.
pub(crate) struct Switched {
    pub(crate) connection: Box<Connection>,
    pub(crate) in_flight: InFlight,
    /// Where a tunnel of HTTP/2 has one among the clients' connections.
    pub(crate) place: Option<Place>,
}
