//! What is said of each answer's way, in `Cache-Status` (RFC 9211), and counted.

use std::fmt::Write as _;

use gatewright_model::cache::Way;
use http::header::{HeaderMap, HeaderName, HeaderValue};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Why a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Requests like this are not answered from what is kept.
    Bypass,
    /// By its method.
    Method,
    /// Nothing is kept for the URL.
    UriMiss,
    /// What is kept does not fit.
    VaryMiss,
    /// The client wants it so.
    Request,
    /// It is not fresh.
    Stale,
    /// A part is wanted, and the whole is not there.
    Partial,
}

impl Why {
    fn token(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }

    /// What a request is counted as that a server has answered.
    pub(super) fn way(self) -> Way {
        match self {
            Self::Bypass | Self::Method => Way::Bypass,
            _ => Way::Miss,
        }
    }
}

/// What there is to say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Status {
    /// None: it was a hit.
    pub(super) why: Option<Why>,
    /// The status with which the server has answered, where it is not the client's.
    pub(super) forwarded: Option<u16>,
    pub(super) stored: bool,
    /// Another request has brought it.
    pub(super) collapsed: bool,
    /// Seconds for which it is fresh; below nought: for which it has not been.
    pub(super) ttl: Option<i64>,
    pub(super) detail: Option<&'static str>,
}

impl Status {
    /// Say it.
    pub(super) fn tell(self, headers: &mut HeaderMap) {
        let mut text = String::from("gatewright");
        // To write to a text cannot fail.
        let _ = match self.why {
            None => write!(text, "; hit"),
            Some(why) => write!(text, "; fwd={}", why.token()),
        };
        if let Some(status) = self.forwarded {
            let _ = write!(text, "; fwd-status={status}");
        }
        if self.stored {
            text.push_str("; stored");
        }
        if self.collapsed {
            text.push_str("; collapsed");
        }
        if let Some(ttl) = self.ttl {
            let _ = write!(text, "; ttl={ttl}");
        }
        if let Some(detail) = self.detail {
            let _ = write!(text, "; detail={detail}");
        }
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.append(CACHE_STATUS, value);
        }
    }
}
