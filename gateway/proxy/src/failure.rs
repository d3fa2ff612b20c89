//! Why an attempt brought no response, and what that says of the server.

use std::io;

use gatewright_host::Ending;

use crate::upstream::{ConnectionError, is_refused, is_unprocessed};

/// Why an attempt brought no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("cannot connect to the server: {0}")]
    Connect(io::Error),
    #[error("connecting to the server took too long")]
    ConnectTimeout,
    #[error("{0}")]
    Broken(ConnectionError),
    /// It has broken off under a client that stood still: it may have tired of that
    /// client, or died.
    #[error("{0}")]
    Tired(ConnectionError),
    /// It has gone without having done anything with the request.
    #[error("the server did not take the request: {0}")]
    Unprocessed(h2::Error),
    /// It stays, and has done nothing with the request.
    #[error("the server refused the request: {0}")]
    Refused(h2::Error),
    #[error("the server did not answer in time")]
    Timeout,
    /// The time that the client itself has set is over.
    #[error("the server did not answer in the time that the call has")]
    CallerTimeout,
    #[error("the client left before its request was whole")]
    ClientLeft,
    #[error("the request's body came too slowly")]
    ClientStalled,
    #[error("the request's body is larger than allowed")]
    BodyTooLarge,
    #[error("the request cannot be told in HTTP/2")]
    Unsendable,
}

impl From<ConnectionError> for Failure {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::Stream(error) if is_unprocessed(&error) => Self::Unprocessed(error),
            ConnectionError::Stream(error) if is_refused(&error) => Self::Refused(error),
            error => Self::Broken(error),
        }
    }
}

impl Failure {
    /// What plugins are told of it. What comes of the request or of its client
    /// says nothing of the server, and what may come of it blames none.
    pub(crate) fn ending(&self) -> Ending {
        match self {
            Self::Connect(_) | Self::ConnectTimeout => Ending::ConnectFailed,
            Self::Broken(_) | Self::Unprocessed(_) | Self::Refused(_) => Ending::Broken,
            Self::Timeout => Ending::TimedOut,
            Self::Tired(_)
            | Self::CallerTimeout
            | Self::ClientLeft
            | Self::ClientStalled
            | Self::BodyTooLarge
            | Self::Unsendable => Ending::Abandoned,
        }
    }
}
