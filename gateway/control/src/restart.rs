//! What a running gateway cannot take over: whatever it bound or started with.

use std::path::Path;

use gatewright_model::address::Address;
use gatewright_model::config::{AdminTls, Cluster, Config, ConfigErrors};

use crate::desired::Wanted;

/// The first key that differs and cannot be changed in flight, as an error;
/// none when the change can be taken.
pub(crate) fn needed(in_force: &Config, wanted: &Wanted) -> Option<ConfigErrors> {
    let next = &*wanted.config;
    let keys = [
        ("listener", places(in_force) != places(next)),
        ("workers.count", in_force.workers != next.workers),
        ("admin.listen", in_force.admin.listen != next.admin.listen),
        ("admin.tls", admin_files(in_force) != admin_files(next)),
        ("admin.data", in_force.admin.data != next.admin.data),
        ("cluster", cluster(in_force) != cluster(next)),
    ];
    let (key, _) = keys.into_iter().find(|(_, differs)| *differs)?;
    let message = "it cannot change while the gateway runs; restart it, have another process take \
                   over without a client noticing (gatewright upgrade), or undo this change";
    Some(wanted.error(key, "", message.to_owned()))
}

/// The listeners' names, addresses, files' modes, and whether they have sockets for
/// HTTP/3. How they speak TLS is each new
/// connection's.
fn places(config: &Config) -> Vec<(&str, &Address, u32, bool)> {
    let listeners = config.listeners.iter();
    listeners
        .map(|one| {
            (
                &*one.name,
                &one.listen,
                one.socket_mode,
                one.http3.is_some(),
            )
        })
        .collect()
}

/// Which cluster it is and how that is reached. What its files hold is read at the
/// start.
fn cluster(config: &Config) -> Option<(Cluster, Vec<&Path>)> {
    let cluster = config.cluster.as_ref()?;
    let files = cluster.files().map(|file| &*file.path).collect();
    let apart = Cluster {
        authorities: None,
        certificate: None,
        ..cluster.clone()
    };
    Some((apart, files))
}

/// The admin listener's certificates by their files. What these hold is read at
/// the start.
fn admin_files(config: &Config) -> Vec<&Path> {
    let files = config.admin.tls.iter().flat_map(AdminTls::files);
    files.map(|file| &*file.path).collect()
}
