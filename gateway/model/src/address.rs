//! Where connections are made and taken: an IP address with a port, or the path
//! of a Unix socket.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// What stands before the path of a Unix socket wherever an address is written.
pub const UNIX: &str = "unix:";

/// One end of connections.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// TCP.
    Ip(SocketAddr),
    /// A Unix socket, by its path.
    Unix(Arc<Path>),
}

impl Address {
    /// The address of a server that needs no look-up: a literal one, or a Unix
    /// socket. None for a name.
    pub fn literal(host: &str, port: u16) -> Option<Self> {
        match host.strip_prefix(UNIX) {
            Some(path) => Some(Self::Unix(Path::new(path).into())),
            None => {
                let address = host.parse::<IpAddr>().ok()?;
                Some(Self::Ip(SocketAddr::new(address, port)))
            }
        }
    }

    /// The IP address and port, where it has them.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// Whether it is one of TCP of which the system chooses the port.
    pub fn is_any_port(&self) -> bool {
        self.ip().is_some_and(|address| address.port() == 0)
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for Address {
    /// As a configuration writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
