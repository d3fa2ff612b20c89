//! What operators call sessions.
//!
//! What a plugin knows a session by may be a secret of the application. So it is
//! shown as HMAC-SHA256 (RFC 2104) with a key of this gateway's, or its cluster's, own: whoever finds
//! a list of sessions can neither read the secrets from it nor try guesses against
//! it. The key is in the store, so the names stay the same over restarts.

use std::sync::Arc;

use arc_swap::ArcSwap;
use data_encoding::HEXLOWER;
use gatewright_model::id::PoolName;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::store::{Store, StoreError};

/// Bytes that name a session: among a million sessions two have the same name
/// once in 37 million times.
const NAME_BYTES: usize = 8;

/// Gives sessions their names.
#[derive(Debug)]
pub(crate) struct SessionNames(ArcSwap<Hmac<Sha256>>);

impl SessionNames {
    /// Those of the gateway that has this store.
    ///
    /// # Errors
    ///
    /// When the store cannot be used.
    pub(crate) fn of(store: &Store) -> Result<Self, StoreError> {
        Ok(Self(ArcSwap::from_pointee(keyed(store.session_key()?))))
    }

    /// Name them with this key from now on: that of a cluster is the same on all its
    /// gateways.
    pub(crate) fn put(&self, key: [u8; 32]) {
        self.0.store(Arc::new(keyed(key)));
    }

    /// The name of a pool's session.
    pub(crate) fn name(&self, pool: &PoolName, key: &str) -> String {
        let keyed = Hmac::clone(&self.0.load()).chain_update(pool.as_str());
        let digest = keyed.chain_update([0]).chain_update(key).finalize();
        HEXLOWER.encode(&digest.into_bytes()[..NAME_BYTES])
    }
}

fn keyed(key: [u8; 32]) -> Hmac<Sha256> {
    match Hmac::new_from_slice(&key) {
        Ok(keyed) => keyed,
        Err(never) => unreachable!("HMAC takes keys of any length: {never}"),
    }
}

#[cfg(test)]
mod tests {
    use super::SessionNames;
    use crate::store::Store;

    #[test]
    fn a_name_outlives_a_restart_and_is_another_on_another_gateway() {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let name = |of: usize, pool: &str| {
            let store = Store::open(folders[of].path()).unwrap();
            SessionNames::of(&store)
                .unwrap()
                .name(&pool.into(), "secret")
        };
        let first = name(0, "web");
        assert_eq!(first.len(), 16);
        assert_eq!(name(0, "web"), first);
        assert_ne!(name(0, "api"), first);
        assert_ne!(name(1, "web"), first);
    }
}
