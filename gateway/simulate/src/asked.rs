//! A request as decisions see it: a client's address and what was tried; there is
//! no HTTP in a simulation.

use std::net::{IpAddr, Ipv4Addr};

use gatewright_host::{Effects, ExchangeView};
use gatewright_model::id::Slot;
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

/// The slots that a request's attempts used.
pub(crate) type Tried = SmallVec<[Slot; 3]>;

/// The first of the clients' addresses, which are private ones: 10.0.0.0.
const CLIENTS: u32 = 10 << 24;

/// The client's address.
pub(crate) fn address(client: u32) -> Ipv4Addr {
    // A million clients at most have room in it.
    Ipv4Addr::from_bits(CLIENTS + (client & 0x00ff_ffff))
}

/// The key of a client's picks, as a gateway makes it of its address.
pub(crate) fn key(client: u32) -> u64 {
    xxh3_64(&address(client).octets())
}

/// A request as decisions see it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) client: Ipv4Addr,
    pub(crate) tried: Tried,
    pub(crate) effects: Effects,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            client: Ipv4Addr::LOCALHOST,
            tried: Tried::new(),
            effects: Effects::default(),
        }
    }
}

impl ExchangeView for Asked {
    fn client_address(&self) -> IpAddr {
        self.client.into()
    }

    fn tried(&self) -> &[Slot] {
        &self.tried
    }

    fn effects(&mut self) -> &mut Effects {
        &mut self.effects
    }

    fn copy(&self) -> Box<dyn ExchangeView> {
        Box::new(self.clone())
    }
}
