//! Streams over a worker's connection, and what is asked of it beneath them.

use tokio_rustls::server::TlsStream;

use super::Posted;
use crate::early::Early;

/// A stream with a worker's connection beneath it.
pub(crate) trait Layered {
    /// That connection.
    fn connection(&self) -> &Posted;

    /// The same, where nothing lies over it.
    fn bare(&self) -> Option<&Posted> {
        None
    }
}

impl Layered for Posted {
    fn connection(&self) -> &Posted {
        self
    }

    fn bare(&self) -> Option<&Posted> {
        Some(self)
    }
}

impl Layered for TlsStream<Posted> {
    fn connection(&self) -> &Posted {
        self.get_ref().0
    }
}

impl<S: Layered> Layered for Early<S> {
    fn connection(&self) -> &Posted {
        self.stream().connection()
    }
}
