//! Compiling what other gateways have uploaded as soon as this one has it, beside the
//! way of changes: a change that binds it finds its code and holds no other up.
//!
//! Code itself is not shared: whoever writes to the cluster's server could have any run.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use gatewright_cluster::Fields;
use gatewright_host::Host;
use gatewright_model::config::{Binding, Config};
use gatewright_model::id::{Digest, PluginName};
use tokio::sync::Notify;

use super::Cluster;
use crate::catalog::built_in;
use crate::control::Control;
use crate::store::versions_of;

/// Versions that are to be compiled before anything binds them.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    versions: Mutex<BTreeSet<(PluginName, Digest)>>,
    news: Notify,
}

impl Ahead {
    /// These are to be compiled as well.
    pub(super) fn add(&self, versions: impl IntoIterator<Item = (PluginName, Digest)>) {
        let mut held = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        held.extend(versions);
        drop(held);
        self.news.notify_one();
    }

    fn take(&self) -> Option<(PluginName, Digest)> {
        let mut held = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        held.pop_first()
    }
}

/// The versions that are named now and were not before.
pub(super) fn news(before: &Fields, after: &Fields) -> Vec<(PluginName, Digest)> {
    let before: BTreeSet<_> = versions_of(before).collect();
    let after = versions_of(after);
    after.filter(|version| !before.contains(version)).collect()
}

/// Compile them, for ever; first of each plugin the newest, which is the likeliest to be
/// bound of those that came while this gateway was away.
pub(super) async fn compile(control: &Arc<Control>, cluster: &Arc<Cluster>) {
    let plugins = control.catalog.plugins().into_iter();
    cluster.ahead.add(plugins.filter_map(|plugin| {
        let (newest, _) = control.catalog.versions(&plugin).pop()?;
        Some((plugin, newest))
    }));
    loop {
        cluster.ahead.news.notified().await;
        while let Some((plugin, digest)) = cluster.ahead.take() {
            if control.store.is_handed_over() {
                return;
            }
            control.compile_ahead(&plugin, digest).await;
        }
    }
}

/// The versions that a configuration binds and that are not compiled here. What is in a
/// file is not among them: its version is known once it is read.
fn uncompiled(host: &Host, config: &Config) -> BTreeSet<(PluginName, Digest)> {
    let of_pools = config.pools.iter();
    let of_pools = of_pools.flat_map(|pool| pool.affinity.iter().chain([&pool.balancer]));
    let policies = config.policies.iter().map(|policy| &policy.binding);
    let bindings = policies.chain([&config.router]).chain(of_pools);
    let named =
        bindings.flat_map(|binding| of(config, binding).map(move |digest| (binding, digest)));
    let missing = named.filter(|(_, digest)| !host.is_compiled(*digest));
    let missing = missing.map(|(binding, digest)| (binding.plugin.clone(), digest));
    missing.collect()
}

/// The versions that a binding has.
fn of(config: &Config, binding: &Binding) -> impl Iterator<Item = Digest> {
    let source = config.plugins.get(&binding.plugin);
    let own = match source.is_some_and(|source| source.file.is_some()) {
        true => None,
        false => source
            .and_then(|source| source.version)
            .or(built_in(&binding.plugin)),
    };
    let canary = binding.canary.map(|canary| canary.version);
    let shadow = binding.shadow.map(|shadow| shadow.version);
    [binding.version.or(own), canary, shadow]
        .into_iter()
        .flatten()
}

/// What is to be told of a change that takes longer than is promised because of the
/// compiler; nothing where it does not.
pub(super) fn problem(host: &Host, config: &Config) -> Option<String> {
    let missing = uncompiled(host, config).into_iter();
    let missing: Vec<_> = missing
        .map(|(plugin, digest)| format!("version {} of plugin {plugin}", digest.short()))
        .collect();
    (!missing.is_empty()).then(|| {
        format!(
            "this gateway compiles {}, which the cluster's state binds: that and whatever was \
             changed after it comes into force here once it is done; bind a version once every \
             gateway says that it is compiled, and nothing waits",
            missing.join(", ")
        )
    })
}
