//! Why the server did not do what it was asked for, and whether it may have done it.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why a command came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no connection: it was not asked.
    #[error("{0}")]
    Away(String),
    /// It was asked and has not answered: whether it was done is not known.
    #[error("{0}")]
    Unanswered(String),
    /// It answered that it does not do it.
    #[error("{0}")]
    Refused(String),
}

impl Failure {
    /// What an error of the client means.
    pub(crate) fn of(error: &RedisError) -> Self {
        match error.kind() {
            // Nothing is sent on a connection that is known to be closed, but it may
            // have closed while the answer was on its way.
            ErrorKind::Io => Self::Unanswered(reason(error)),
            _ => Self::Refused(reason(error)),
        }
    }
}

/// Whether another connection may fare better: this one is broken, or leads to a
/// server that cannot be written to at the moment.
pub(crate) fn ends_connection(error: &RedisError) -> bool {
    let is_elsewhere = matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::ReadOnly | ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown
        )
    );
    is_elsewhere || error.is_unrecoverable_error() || error.is_timeout()
}

/// The reason in one line, with the remedy where one is known.
pub(crate) fn reason(error: &RedisError) -> String {
    let text = error.to_string().replace(['\r', '\n'], " ");
    let remedy = match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
            "; write its user and password into cluster.url, or the password into cluster.password"
        }
        (ErrorKind::RESP3NotSupported, _) => "; it takes Redis 6 or newer, or Valkey",
        (_, Some("OOM")) => {
            "; give the server more memory (maxmemory), or take from it what others keep there"
        }
        (_, Some("NOPERM")) => {
            "; let its user run all commands on keys and channels of cluster.prefix (ACL SETUSER)"
        }
        (_, Some("READONLY")) => "; let cluster.url lead to the primary",
        _ if error.is_timeout() => "; it does not answer in time",
        _ => "",
    };
    format!("{text}{remedy}")
}

/// What else may be the reason where a server that was never spoken to ends the connection,
/// or says nothing in time (none): one of both sides speaks TLS.
pub(crate) fn scheme_hint(address: &str, error: Option<&RedisError>) -> &'static str {
    let is_late = error.is_none_or(RedisError::is_timeout);
    let is_ended =
        error.is_some_and(|error| error.is_connection_dropped() && !error.is_connection_refusal());
    if address.starts_with("rediss://") && (is_late || is_ended) {
        "; if it speaks no TLS there, let cluster.url begin with redis://"
    } else if address.starts_with("redis://") && is_ended {
        "; if it speaks TLS there, let cluster.url begin with rediss://"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use redis::{ErrorKind, RedisError};

    use super::{Failure, ends_connection, scheme_hint};

    #[test]
    fn a_scheme_that_may_be_wrong_is_named() {
        let (plain, tls) = ("redis://h:1", "rediss://h:1");
        let hint = |address, kind: io::ErrorKind| {
            let error = RedisError::from(io::Error::from(kind));
            scheme_hint(address, Some(&error))
        };
        assert!(hint(plain, io::ErrorKind::ConnectionReset).contains("rediss://"));
        assert!(hint(tls, io::ErrorKind::TimedOut).contains(" redis://"));
        assert!(scheme_hint(tls, None).contains(" redis://"));
        // Nobody is there, whatever they speak.
        assert_eq!(scheme_hint(plain, None), "");
        for address in [plain, tls] {
            assert_eq!(hint(address, io::ErrorKind::ConnectionRefused), "");
        }
        let unix = hint("redis+unix:///s", io::ErrorKind::ConnectionReset);
        assert_eq!(unix, "");
    }

    #[test]
    fn an_answer_that_is_missing_is_no_refusal() {
        let lost = RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert!(matches!(Failure::of(&lost), Failure::Unanswered(_)));
        assert!(ends_connection(&lost));
        let wrong = RedisError::from((ErrorKind::AuthenticationFailed, "no"));
        let Failure::Refused(reason) = Failure::of(&wrong) else {
            panic!("{wrong} was answered");
        };
        assert!(reason.contains("cluster.password"), "{reason}");
    }
}
