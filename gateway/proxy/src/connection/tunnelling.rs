//! Counting a connection that has become a tunnel, or a stream that has.

use std::rc::Rc;

use super::Client;

/// The guard of one tunnel.
pub(crate) struct Tunnelling(Rc<Client>);

impl Tunnelling {
    /// Begin one.
    pub(crate) fn begin(client: &Rc<Client>) -> Self {
        client.busy();
        client.worker.counters().tunnels.add(1);
        Self(Rc::clone(client))
    }

    /// Whose it is.
    pub(crate) fn client(&self) -> &Client {
        &self.0
    }
}

impl Drop for Tunnelling {
    fn drop(&mut self) {
        self.0.worker.counters().tunnels.sub(1);
        self.0.rested();
    }
}
