//! Why a request is refused before anyone decides on it.

use gatewright_wire::path;

/// What of a request is wrong, or not offered here.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Refusal {
    #[error("the request needs exactly one Host header with a valid host")]
    Host,
    #[error("the path is malformed: {0}")]
    Path(#[from] path::PathError),
    #[error("the target cannot be told to whoever decides on it")]
    Target,
    #[error("this gateway opens no tunnels")]
    Connect,
    #[error("this protocol cannot be switched to here")]
    Protocol,
    #[error("the request has too many headers")]
    TooManyHeaders,
    #[error("a header's value begins or ends with a space")]
    Padded,
    #[error("the body is coded in a way that is not understood; only chunked is")]
    Coding,
}
