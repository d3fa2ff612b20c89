//! What clients may switch their connection to.

use crate::token::is_token;

/// Protocols in which a client could speak past the gateway: requests inside
/// them would be judged by nobody.
const NEVER: [&str; 4] = ["h2c", "h2", "http", "tls"];

/// The protocols that clients may switch their connection to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upgrades {
    /// Any.
    Any,
    /// These, in lower case.
    Named(Vec<String>),
}

impl Upgrades {
    /// Whether a name may be that of a protocol to switch to: `name` or
    /// `name/version`, and neither HTTP nor TLS, which the gateway is the one to
    /// speak.
    #[must_use]
    pub fn may_name(protocol: &str) -> bool {
        let (name, version) = protocol.split_once('/').unwrap_or((protocol, "1"));
        let is_never = NEVER.iter().any(|never| name.eq_ignore_ascii_case(never));
        is_token(name) && is_token(version) && !is_never
    }

    /// Whether a client may switch to a protocol that [may be
    /// named](Self::may_name).
    #[must_use]
    pub fn allow(&self, protocol: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Named(names) => names.iter().any(|name| name.eq_ignore_ascii_case(protocol)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Upgrades;

    #[test]
    fn protocols_have_a_name_and_perhaps_a_version() {
        for protocol in ["websocket", "WebSocket", "chat/2", "connect-udp"] {
            assert!(Upgrades::may_name(protocol), "{protocol}");
        }
        for other in ["", "/1", "chat/", "web socket", "websocket, h2c"] {
            assert!(!Upgrades::may_name(other), "{other}");
        }
    }

    #[test]
    fn nobody_switches_to_what_the_gateway_has_to_see() {
        for protocol in ["h2c", "H2C", "h2", "HTTP/2.0", "TLS/1.0", "tls"] {
            assert!(!Upgrades::may_name(protocol), "{protocol}");
        }
    }
}
