//! How the body of a response is delimited, and what that means for its
//! connection: the rules of RFC 9112 §6.3 and §9.3, in their order.

use http::{Method, StatusCode};

use super::survey::{Coding, Said};
use super::{HeadError, Start};

/// How the body of a response is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseFraming {
    /// There is no body, whatever the headers say.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks, and perhaps trailers.
    Chunked,
    /// All until the server closes the connection.
    UntilClose,
}

/// Whether a status never has a body and may not have a `Content-Length`.
pub(super) fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational() || status == StatusCode::NO_CONTENT
}

/// The framing of the body, unless the head leaves doubt about it.
pub(super) fn framing(start: Start, said: Said, to: &Method) -> Result<ResponseFraming, HeadError> {
    match said.coding {
        Coding::Absent => {}
        _ if said.length.is_some() => return Err(HeadError::LengthAndTransferEncoding),
        Coding::Chunked if start.is_http_11 => {}
        Coding::Chunked | Coding::Unsupported => {
            return Err(HeadError::UnsupportedTransferEncoding);
        }
    }
    if to == Method::HEAD || is_bodiless(start.status) || start.status == StatusCode::NOT_MODIFIED {
        return Ok(ResponseFraming::None);
    }
    Ok(match (said.length, said.coding) {
        (Some(length), _) => ResponseFraming::Length(length),
        (None, Coding::Absent) => ResponseFraming::UntilClose,
        (None, _) => ResponseFraming::Chunked,
    })
}

/// Whether the connection can carry another request after this response.
///
/// A server that announces a body where there can be none may well send it,
/// and its bytes would be read as the next response; that connection ends here.
pub(super) fn is_reusable(start: Start, said: Said, framing: ResponseFraming) -> bool {
    let persists = !said.options.close && (start.is_http_11 || said.options.keep_alive);
    let announces_body =
        said.coding != Coding::Absent || said.length.is_some_and(|length| length > 0);
    persists
        && framing != ResponseFraming::UntilClose
        && !(is_bodiless(start.status) && announces_body)
}
