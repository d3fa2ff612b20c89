//! The one place that turns a failure into a response: a status, a JSON body
//! that says why, and what the client should do about it.

use std::sync::Arc;

use bytes::Bytes;
use gatewright_model::config::ErrorPages;
use gatewright_wire::grpc;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};

use crate::body::Content;
use crate::facts::Refusal;
use crate::failure::Failure;
use crate::upstream::ConnectionError;

/// What errors are told in, where there is no page for them.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What gRPC's clients expect to read.
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// Why the gateway answers in a server's place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Denial {
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("no route matches this request")]
    NoRoute,
    #[error("no server of the pool can take this request")]
    NoServer,
    #[error("every server has as many requests as it may have, and as many wait as may")]
    Full,
    #[error("no server has had room for the request in time")]
    Overdue,
    #[error("the gateway has as many requests as it may have")]
    Shed,
    #[error("a policy could not decide, and so denies")]
    PolicyFault,
    #[error("there is no room for one more tunnel")]
    Crowded,
    #[error("the gateway is ending, and no answer has come in the time that is left")]
    Ending,
    #[error("the service is being worked on")]
    Maintenance,
    #[error("the gateway was told to fail this request")]
    Injected(StatusCode),
    #[error("the server did not switch to the protocol that was asked for")]
    NotSwitched,
    #[error("a plugin has answered, and opens no tunnel")]
    NoTunnel,
    #[error("{0}")]
    Failed(#[from] Failure),
}

impl Denial {
    /// What it is in HTTP, which is what is counted too.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Refused(Refusal::Connect) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Refused(Refusal::Protocol | Refusal::Coding) => StatusCode::NOT_IMPLEMENTED,
            Self::Refused(Refusal::TooManyHeaders) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Refused(_) => StatusCode::BAD_REQUEST,
            Self::Injected(status) => *status,
            Self::NotSwitched => StatusCode::BAD_GATEWAY,
            Self::NoTunnel => StatusCode::FORBIDDEN,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::NoServer
            | Self::Full
            | Self::Overdue
            | Self::Shed
            | Self::PolicyFault
            | Self::Crowded
            | Self::Ending
            | Self::Maintenance => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(failure) => match failure {
                Failure::Connect(_)
                | Failure::Broken(_)
                | Failure::Unprocessed(_)
                | Failure::Refused(_) => StatusCode::BAD_GATEWAY,
                Failure::ConnectTimeout | Failure::Timeout | Failure::CallerTimeout => {
                    StatusCode::GATEWAY_TIMEOUT
                }
                Failure::ClientLeft | Failure::Unsendable => StatusCode::BAD_REQUEST,
                Failure::ClientStalled => StatusCode::REQUEST_TIMEOUT,
                Failure::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            },
        }
    }

    /// What the client reads: the kind of trouble, without a server's address
    /// or the system's words, which are for the log.
    fn outer(&self) -> String {
        match self {
            Self::Failed(Failure::Connect(_)) => "the server cannot be reached".into(),
            Self::Failed(Failure::Unprocessed(_)) => "the server did not take the request".into(),
            Self::Failed(Failure::Refused(_)) => "the server refused the request".into(),
            Self::Failed(Failure::Broken(ConnectionError::Io(_) | ConnectionError::Stream(_))) => {
                "the connection to the server broke".into()
            }
            Self::Failed(Failure::Broken(ConnectionError::Head(_))) => {
                "the server's response is malformed".into()
            }
            shown => shown.to_string(),
        }
    }

    /// The response to a call of gRPC, whose clients look at nothing else.
    pub(crate) fn into_grpc_response(self) -> Response<Content> {
        let status = self.told_status();
        let mut response = Response::new(Content::empty());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, GRPC);
        // Whatever it is about, it is a 200 of HTTP.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert("grpc-status", u16::from(grpc::status_of(status)).into());
        if let Ok(message) = HeaderValue::try_from(grpc::message(&self.outer())) {
            headers.insert("grpc-message", message);
        }
        response
    }

    /// The status, after a word about it in the log.
    fn told_status(&self) -> StatusCode {
        let status = self.status();
        if status.is_server_error() {
            tracing::debug!(%status, reason = %self, "the gateway answers itself");
        }
        status
    }

    /// The response: the page for its status, or `{"error": …}` in JSON, and where it
    /// makes sense, that the client may come back in so many seconds.
    pub(crate) fn into_response(self, pages: &ErrorPages, come_back: u8) -> Response<Content> {
        let status = self.told_status();
        let (kind, body) = match pages.of(status.as_u16()) {
            Some(page) => {
                let bytes = Bytes::from_owner(Arc::clone(&page.contents));
                (HeaderValue::from_static(page.kind), bytes)
            }
            None => (JSON, json_error(&self.outer())),
        };
        let mut response = Response::new(Content::Whole(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, kind);
        if self.passes() {
            headers.insert(header::RETRY_AFTER, u16::from(come_back).into());
        }
        if matches!(
            self,
            Self::Failed(Failure::BodyTooLarge | Failure::ClientLeft | Failure::ClientStalled)
        ) {
            // The rest of the body is not wanted.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn json_error(reason: &str) -> Bytes {
    let text: String = reason
        .chars()
        .flat_map(|char| match char {
            '"' | '\\' => vec!['\\', char],
            control if control.is_control() => vec![' '],
            other => vec![other],
        })
        .collect();
    Bytes::from(format!("{{\"error\": \"{text}\"}}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::come_back::SOON;

    #[test]
    fn a_servers_address_stays_in_the_log() {
        let inner = std::io::Error::other("connect to 10.0.0.7:80 refused");
        let denial = Denial::Failed(Failure::Connect(inner));
        assert!(!denial.outer().contains("10.0.0.7"));
        let response = denial.into_response(&ErrorPages::default(), SOON);
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }

    #[test]
    fn unavailable_says_when_to_come_back() {
        let response = Denial::NoServer.into_response(&ErrorPages::default(), 12);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "12");
        let response = Denial::NoRoute.into_response(&ErrorPages::default(), 12);
        assert!(!response.headers().contains_key(header::RETRY_AFTER));
    }

    #[test]
    fn reasons_are_valid_json() {
        assert_eq!(
            json_error("a \"b\" \\ c\n"),
            Bytes::from("{\"error\": \"a \\\"b\\\" \\\\ c \"}\n")
        );
    }
}
