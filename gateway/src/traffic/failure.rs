//! Why a shopper's request failed, in words that can be counted.

use std::error::Error;
use std::fmt;
use std::io;

use http::StatusCode;

/// A request that did not get a good response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection could be made.
    Connect(String),
    /// The server's certificate is not trusted.
    Certificate(String),
    /// Nothing that answers speaks TLS.
    NotTls,
    /// TLS or HTTP could not be agreed on.
    Handshake(String),
    /// The connection ended or broke before a response.
    NoResponse(String),
    /// The response broke off.
    Incomplete(String),
    /// The response did not end in time.
    TimedOut,
    /// The response says that the server or the gateway failed.
    Status(StatusCode),
}

impl Failure {
    /// What a failed TLS handshake means.
    pub(super) fn of_tls(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner {
            Some(rustls::Error::InvalidCertificate(why)) => Self::Certificate(why.to_string()),
            Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)) => {
                Self::NotTls
            }
            _ => Self::Handshake(chain(error)),
        }
    }

    /// What to do about it when it is the first thing that happens, beginning
    /// with a line break; empty when the failure says all.
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            Self::Connect(_) => {
                "\nstart a gateway there (`gatewright demo` starts one with servers), \
                 or name another with --target"
            }
            Self::Certificate(_) => {
                "\nadd --insecure if the certificate is the gateway's own self-signed one, \
                 or name whom to trust with --ca FILE"
            }
            Self::NotTls => "\nbegin the target with http:// instead of https://",
            _ => "",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(why) => write!(formatter, "no connection: {why}"),
            Self::Certificate(why) => write!(formatter, "the certificate is not trusted: {why}"),
            Self::NotTls => formatter.write_str("what answers does not speak TLS"),
            Self::Handshake(why) => write!(formatter, "handshake: {why}"),
            Self::NoResponse(why) => write!(formatter, "no response: {why}"),
            Self::Incomplete(why) => write!(formatter, "the response broke off: {why}"),
            Self::TimedOut => formatter.write_str("the response did not end in time"),
            Self::Status(status) => write!(formatter, "status {status}"),
        }
    }
}

/// An error with its causes, each said once.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_untrusted_certificate_is_told_from_other_tls_trouble() {
        let why = rustls::CertificateError::UnknownIssuer;
        let error = io::Error::other(rustls::Error::InvalidCertificate(why));
        let failure = Failure::of_tls(&error);
        assert_eq!(failure, Failure::Certificate("UnknownIssuer".to_owned()));
        assert!(failure.remedy().contains("--insecure"));
        let error = io::Error::from(io::ErrorKind::ConnectionReset);
        assert!(matches!(Failure::of_tls(&error), Failure::Handshake(_)));
    }

    #[test]
    fn a_chain_of_causes_does_not_repeat_itself() {
        let inner = io::Error::other("the cable is cut");
        assert_eq!(chain(&io::Error::other(inner)), "the cable is cut");
    }
}
