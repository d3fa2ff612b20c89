//! What a worker keeps of the servers: for each endpoint its connections, what is
//! said on them, and the guard that counts what is in flight.

pub(crate) mod connection;
mod conversation;
mod dial;
mod endpoint;
mod http2;
mod in_flight;
mod manner;
mod response_body;
mod switched;
mod transport;

pub(crate) use connection::{Connection, ConnectionError, LANDING, Landing};
pub(crate) use conversation::{Conversation, OnConnection};
pub(crate) use dial::H2;
pub(crate) use endpoint::{By, ConnectError, Line, Upstream};
pub(crate) use http2::{OnStream, Session, StreamBody, is_unprocessed};
pub(crate) use in_flight::{InFlight, Observers};
pub(crate) use manner::Manner;
pub(crate) use response_body::{Begun, CutShort, UpstreamBody};
pub(crate) use switched::Switched;
pub(crate) use transport::Transport;
