//! What a worker keeps of the servers: for each endpoint its connections, what is
//! said on them, and the guard that counts what is in flight.

mod connect;
pub(crate) mod connection;
mod connection_body;
mod conversation;
mod dial;
mod discard;
mod endpoint;
mod http2;
mod idle;
mod in_flight;
mod manner;
mod response_body;
mod switched;
mod transport;

pub(crate) use connect::{By, ConnectError, Line};
pub(crate) use connection::{Connection, ConnectionError, Landing};
pub(crate) use connection_body::ConnectionBody;
pub(crate) use conversation::{Conversation, OnConnection};
pub(crate) use dial::H2;
pub(crate) use discard::{discard, discard_aside, read_aside};
pub(crate) use endpoint::Upstream;
pub(crate) use http2::{OnStream, Sent, Session, StreamBody, Unsent, is_refused, is_unprocessed};
pub(crate) use in_flight::{InFlight, Observers};
pub(crate) use manner::Manner;
pub(crate) use response_body::{Arriving, Begun, CutShort, ResponseBody};
pub(crate) use switched::Switched;
pub(crate) use transport::Transport;
