//! Errors of the other crates as errors of the configuration, with the file,
//! the line and the key that are to blame.

use std::io;

use gatewright_host::{Part, PrepareError, Refusal};
use gatewright_model::config::{ConfigError, ConfigErrors, Listener};
use gatewright_model::snapshot::SnapshotError;
use gatewright_proxy::{BindError, TlsError, TlsRefusal};

use crate::desired::Wanted;
use crate::seats::SeatName;

impl Wanted {
    /// The error about a key, such as `router.config`, and a key within what it
    /// holds, such as `routes[2].path`, or none.
    pub(crate) fn error(&self, key: &str, inner: &str, message: String) -> ConfigErrors {
        let error = match &self.places {
            Some(places) => places.error(key, inner, message),
            None => ConfigError {
                place: None,
                key: match inner {
                    "" => key.to_owned(),
                    inner => format!("{key}.{inner}"),
                },
                message,
            },
        };
        ConfigErrors::from(error)
    }

    /// A listener that cannot be had.
    pub(crate) fn bind_error(&self, error: &BindError) -> ConfigErrors {
        let named = |listener: &Listener| listener.name == error.name;
        let index = self.config.listeners.iter().position(named).unwrap_or(0);
        self.error(&format!("listener[{index}]"), "listen", error.to_string())
    }

    /// Certificates, keys or authorities that cannot be used.
    pub(crate) fn tls_error(&self, refusal: &TlsRefusal) -> ConfigErrors {
        self.error(&refusal.key, "", refusal.to_string())
    }

    /// An admin address that cannot be had.
    pub(crate) fn admin_error(&self, error: &io::Error) -> ConfigErrors {
        let address = self.config.admin.listen;
        let message = match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "cannot listen on {address}: the port is taken, perhaps by another gateway; \
                 stop it or choose another port"
            ),
            _ => format!("cannot listen on {address}: {error}"),
        };
        self.error("admin.listen", "", message)
    }

    /// Certificates of the admin listener that cannot be used.
    pub(crate) fn admin_tls_error(&self, error: &TlsError) -> ConfigErrors {
        self.error("admin.tls", "", error.to_string())
    }

    /// A plugin that cannot be seated.
    pub(crate) fn prepare_error(&self, error: &PrepareError) -> ConfigErrors {
        let PrepareError { place, refusal } = error;
        let seat = SeatName::of_place(place).key();
        let plugin = &place.plugin;
        let (key, whose) = match place.part {
            Part::Active => (seat.clone(), format!("plugin \"{plugin}\"")),
            part => (
                seat.clone().then(&part.to_string()),
                format!("plugin \"{plugin}\" ({part})"),
            ),
        };
        match refusal {
            // A canary and a shadow are configured as the one that they stand beside.
            Refusal::Config { key: inner, reason } => self.error(
                &seat.then("config").to_string(),
                inner,
                format!("{whose}: {reason}"),
            ),
            refusal => self.error(&key.to_string(), "", format!("{whose}: {refusal}")),
        }
    }

    /// A configuration that no snapshot can hold.
    pub(crate) fn snapshot_error(&self, error: &SnapshotError) -> ConfigErrors {
        match error {
            SnapshotError::PoolFull { pool } => {
                let key = format!("pools.{pool}.servers");
                self.error(&key, "", error.to_string())
            }
        }
    }
}
