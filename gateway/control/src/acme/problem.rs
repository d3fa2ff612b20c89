//! Why there is no certificate, and what to do about it.

use std::fmt;
use std::io;
use std::time::Duration;

use gatewright_host::plainly;

/// What an authority's problem types begin with (RFC 8555 §6.7).
const KINDS: &str = "urn:ietf:params:acme:error:";

/// The most refusals of one order that are told.
const MOST_TOLD: usize = 8;

/// The most characters of an authority's words that are told.
const MOST_SAID: usize = 300;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// The authority cannot be spoken to.
    #[error(
        "{host} cannot be asked: {reason}; see that it is the right address and can be reached"
    )]
    Unreachable { host: String, reason: String },
    /// The authority has refused.
    #[error("{}", in_words(refusals))]
    Refused {
        refusals: Vec<Refusal>,
        /// When the authority wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The authority proves names otherwise.
    #[error("the authority does not offer {wanted} for {name}; write challenge = \"{other}\"")]
    NotOffered {
        name: String,
        wanted: &'static str,
        other: &'static str,
    },
    /// It takes the authority long.
    #[error("the authority has not finished in time")]
    Slow,
    /// It takes the authority long to give what it has agreed to.
    #[error("the authority has taken the order, and not given the certificate in time")]
    Late,
    /// The authority does not keep to the protocol.
    #[error("the authority gave an answer that cannot be used: {0}")]
    Odd(String),
    /// What is to be kept cannot be.
    #[error("the data folder cannot be written: {0}; see to its disk and its permissions")]
    Folder(io::Error),
}

/// What an authority has against an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The name that it is about, if it is about one.
    pub(super) name: Option<String>,
    /// Its type, without what all types begin with.
    pub(super) kind: String,
    /// As the authority says it.
    pub(super) detail: String,
}

impl Problem {
    /// Whether the authority has refused, and may count how often. A number that
    /// was used up, or that it has forgotten, is nobody's fault.
    pub(super) fn is_refusal(&self) -> bool {
        let counts = matches!(
            self,
            Self::Refused { .. } | Self::NotOffered { .. } | Self::Late
        );
        counts && !self.is("badNonce")
    }

    /// How long the authority wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the authority has refused for this reason.
    pub(super) fn is(&self, kind: &str) -> bool {
        match self {
            Self::Refused { refusals, .. } => refusals.iter().any(|refusal| refusal.kind == kind),
            _ => false,
        }
    }

    /// One refusal.
    pub(super) fn refused(problem: &instant_acme::Problem) -> Self {
        Self::Refused {
            refusals: Refusal::all_of(None, problem),
            retry_after: None,
        }
    }
}

impl From<instant_acme::Error> for Problem {
    fn from(error: instant_acme::Error) -> Self {
        match error {
            instant_acme::Error::Api(problem) => Self::refused(&problem),
            instant_acme::Error::Timeout(_) => Self::Slow,
            // What our own connection says comes back as it was.
            instant_acme::Error::Other(inner) => match inner.downcast::<Self>() {
                Ok(problem) => *problem,
                Err(inner) => Self::Odd(inner.to_string()),
            },
            error => Self::Odd(error.to_string()),
        }
    }
}

impl Refusal {
    /// What a problem document says, about each name that it names.
    pub(super) fn all_of(name: Option<&str>, problem: &instant_acme::Problem) -> Vec<Self> {
        if problem.subproblems.is_empty() {
            return vec![Self::of(
                name,
                problem.r#type.as_deref(),
                problem.detail.as_deref(),
            )];
        }
        let subproblems = problem.subproblems.iter().map(|one| {
            let of = one
                .identifier
                .as_ref()
                .map(|of| of.authorized(false).to_string());
            Self::of(
                of.as_deref().or(name),
                one.r#type.as_deref(),
                one.detail.as_deref(),
            )
        });
        subproblems.collect()
    }

    fn of(name: Option<&str>, kind: Option<&str>, detail: Option<&str>) -> Self {
        let kind = kind.unwrap_or("no type");
        let kind = kind.strip_prefix(KINDS).unwrap_or(kind);
        let detail = detail.unwrap_or("the authority does not say why");
        Self {
            name: name.map(told),
            kind: told(kind),
            detail: told(detail),
        }
    }

    /// What to do about it, where that is known.
    fn remedy(&self) -> Option<&'static str> {
        Some(match &*self.kind {
            "dns" => "see that the name's DNS records lead here",
            "connection" | "unauthorized" | "incorrectResponse" | "tls" => {
                "see that the name leads here and that the authority's way is not barred: to a \
                 listener by port 80 for http-01, by port 443 for tls-alpn-01"
            }
            "caa" => "let the name's CAA record allow this authority",
            "rejectedIdentifier" | "unsupportedIdentifier" => {
                "leave the name out, or order from another authority"
            }
            "rateLimited" => "wait, and see that no other machine orders for the same names",
            "externalAccountRequired" => "write acme.external_account",
            "invalidContact" | "unsupportedContact" => "write another acme.email",
            "userActionRequired" => "do what the authority asks for",
            "badSignatureAlgorithm" | "badPublicKey" => "order from another authority",
            _ => return None,
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}: ")?;
        }
        write!(f, "{} ({})", self.detail.trim_end_matches('.'), self.kind)?;
        match self.remedy() {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

fn in_words(refusals: &[Refusal]) -> String {
    let told = refusals.iter().take(MOST_TOLD).map(ToString::to_string);
    let told: Vec<_> = told.collect();
    let more = match refusals.len().saturating_sub(MOST_TOLD) {
        0 => String::new(),
        more => format!(". And {more} more"),
    };
    format!("the authority refuses: {}{more}", told.join(". "))
}

/// A stranger's words, as they can be shown: not many, on one line.
fn told(words: &str) -> String {
    let short: String = words.chars().take(MOST_SAID).collect();
    plainly(&short.replace(['\n', '\r', '\t'], " ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(json: &str) -> Problem {
        Problem::refused(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_refusal_is_told_with_name_detail_type_and_remedy() {
        let one = problem(
            r#"{ "type": "urn:ietf:params:acme:error:rejectedIdentifier", "detail": "Not ours." }"#,
        );
        assert_eq!(
            one.to_string(),
            "the authority refuses: Not ours (rejectedIdentifier); leave the name out, or order \
             from another authority"
        );
        assert!(one.is("rejectedIdentifier") && one.is_refusal());
        let several = problem(
            r#"{ "detail": "Some", "subproblems": [
                { "type": "urn:ietf:params:acme:error:caa", "detail": "No.",
                  "identifier": { "type": "dns", "value": "a.example" } },
                { "type": "about:blank", "detail": "Never" } ] }"#,
        );
        assert_eq!(
            several.to_string(),
            "the authority refuses: a.example: No (caa); let the name's CAA record allow this \
             authority. Never (about:blank)"
        );
    }

    #[test]
    fn an_authority_s_words_are_bounded_and_plain() {
        let long = "x".repeat(100_000);
        let subproblem = format!(r#"{{ "type": "caa", "detail": "\u001b[31m{long}" }}"#);
        let subproblems = vec![subproblem; 1000].join(",");
        let many = problem(&format!(r#"{{ "subproblems": [{subproblems}] }}"#)).to_string();
        assert!(many.len() < 5_000, "{}", many.len());
        assert!(many.ends_with("And 992 more"), "{many}");
        assert!(!many.contains('\u{1b}'));
    }

    #[test]
    fn what_the_connection_says_comes_through_the_library_as_it_was() {
        let own = Problem::Unreachable {
            host: "ca.example".to_owned(),
            reason: "refused".to_owned(),
        };
        let through = Problem::from(instant_acme::Error::Other(Box::new(own)));
        assert!(matches!(&through, Problem::Unreachable { host, .. } if host == "ca.example"));
        assert!(!through.is_refusal());
    }
}
