//! How the body of a response is delimited, and what that means for its
//! connection: the rules of RFC 9112 §6.3 and §9.3, in their order.

use http::{Method, StatusCode};

use super::survey::{Coding, Survey};
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
pub(super) fn framing(
    start: Start,
    survey: &Survey,
    to: &Method,
) -> Result<ResponseFraming, HeadError> {
    match survey.coding {
        Coding::Absent => {}
        _ if survey.length.is_some() => return Err(HeadError::LengthAndTransferEncoding),
        Coding::Chunked if start.is_http_11 => {}
        Coding::Chunked | Coding::Unsupported => {
            return Err(HeadError::UnsupportedTransferEncoding);
        }
    }
    if to == Method::HEAD || is_bodiless(start.status) || start.status == StatusCode::NOT_MODIFIED {
        return Ok(ResponseFraming::None);
    }
    Ok(match (&survey.length, survey.coding) {
        (Some(length), _) => ResponseFraming::Length(length.bytes),
        (None, Coding::Absent) => ResponseFraming::UntilClose,
        (None, _) => ResponseFraming::Chunked,
    })
}

/// Whether the connection can carry another request after this response.
///
/// A server that announces a body where there can be none may well send it,
/// and its bytes would be read as the next response; that connection ends here.
pub(super) fn is_reusable(start: Start, survey: &Survey, framing: ResponseFraming) -> bool {
    let persists = !survey.options.close && (start.is_http_11 || survey.options.keep_alive);
    let announces_body = survey.coding != Coding::Absent
        || survey
            .length
            .as_ref()
            .is_some_and(|length| length.bytes > 0);
    persists
        && framing != ResponseFraming::UntilClose
        && !(is_bodiless(start.status) && announces_body)
}
