//! Plugins: which are there, and which seat each is bound to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::report::Report;
use crate::config::defaults::{self, DEFAULT_PLUGINS, default_plugins, default_roles};
use crate::config::key_path::KeyPath;
use crate::config::meant::{Binding, Canary, OnFault, PluginSource, Policy, PoolConfig, Shadow};
use crate::config::quantity::Period;
use crate::config::written::{self, TextOr};
use crate::id::{PluginName, PolicyName};
use crate::role::{Grant, Role};

/// The names that a binding may use: those of the default set, and these, which the
/// configuration declares.
pub(super) struct PluginNames<'a>(BTreeSet<&'a str>);

impl<'a> PluginNames<'a> {
    /// The default set, and what the configuration declares.
    pub(super) fn of(written: &'a written::Config) -> Self {
        Self(written.plugins.keys().map(String::as_str).collect())
    }

    /// Those that a seat of this role may have, as far as that is known.
    fn fit_for(&self, role: Role) -> BTreeSet<&'a str> {
        let default = default_plugins(role).map(|name| -> &'a str { name });
        default.chain(self.0.iter().copied()).collect()
    }
}

/// A seat: where it stands in the document, and its role.
pub(super) struct Seat {
    pub(super) path: KeyPath,
    pub(super) role: Role,
}

/// The plugin in a seat.
pub(super) fn binding(
    seat: &Seat,
    written: &TextOr<written::Binding>,
    names: &PluginNames<'_>,
    report: &mut Report<'_>,
) -> Binding {
    match written {
        TextOr::Text(name) => {
            check_name((&seat.path, seat.role), name, names, report);
            bind(seat.role, name, &Map::new(), defaults::deadline())
        }
        TextOr::Table(table) => {
            let path = seat.path.key("plugin");
            let is_of_defaults = DEFAULT_PLUGINS.contains(&table.plugin.as_str());
            // Another version that was uploaded of one may have another role.
            if !(is_of_defaults && table.version.is_some()) {
                check_name((&path, seat.role), &table.plugin, names, report);
            }
            let path = seat.path.key("deadline");
            let deadline = report.within(&path, table.deadline, &defaults::DEADLINE);
            let path = seat.path.key("cpu_share");
            let cpu_share = table.cpu_share;
            Binding {
                cpu_share: cpu_share.map(|share| report.within(&path, share, &defaults::SHARE)),
                cpu_alarm: alarm(&seat.path, table.cpu_alarm, report),
                version: table.version,
                canary: canary(&seat.path, table.canary, report),
                shadow: shadow(&seat.path, table.shadow, report),
                ..bind(seat.role, &table.plugin, &table.config, deadline)
            }
        }
    }
}

/// Notes an error about a plugin that is not there, or that has another role. What
/// the configuration declares shows its role when it is loaded.
fn check_name(
    (path, role): (&KeyPath, Role),
    name: &str,
    names: &PluginNames<'_>,
    report: &mut Report<'_>,
) {
    let fit = names.fit_for(role);
    if fit.contains(name) {
        return;
    }
    let roles = default_roles(name).iter();
    let roles: Vec<_> = roles.map(|role| role.with_article()).collect();
    if roles.is_empty() {
        report.unknown(path, "plugin", name, fit);
        return;
    }
    let fit: Vec<_> = fit.into_iter().collect();
    let message = format!(
        "{name:?} is {} and no {role}; write one of: {}",
        roles.join(" and "),
        fit.join(", ")
    );
    report.fail(path, message);
}

fn alarm(seat: &KeyPath, percent: u8, report: &mut Report<'_>) -> u8 {
    report.within(&seat.key("cpu_alarm"), percent, &defaults::SHARE)
}

fn canary(
    seat: &KeyPath,
    written: Option<written::Canary>,
    report: &mut Report<'_>,
) -> Option<Canary> {
    let written::Canary { version, percent } = written?;
    let path = seat.key("canary").key("percent");
    let percent = report.within(&path, percent, &defaults::SHARE);
    Some(Canary { version, percent })
}

fn shadow(
    seat: &KeyPath,
    written: Option<written::Shadow>,
    report: &mut Report<'_>,
) -> Option<Shadow> {
    let written::Shadow { version, sample } = written?;
    let path = seat.key("shadow").key("sample");
    let sample = report.within(&path, sample, &defaults::SHARE);
    Some(Shadow { version, sample })
}

/// A binding of checked parts, to the version that the plugin has.
pub(super) fn bind(
    role: Role,
    plugin: &str,
    config: &Map<String, Value>,
    deadline: Period,
) -> Binding {
    Binding {
        role,
        plugin: PluginName::from(plugin),
        config: Arc::from(json!(config).to_string()),
        deadline: deadline.0,
        cpu_share: None,
        cpu_alarm: defaults::cpu_alarm(),
        version: None,
        canary: None,
        shadow: None,
    }
}

/// The policies: request policies in their order, then response policies.
pub(super) fn policies(
    written: &[written::Policy],
    names: &PluginNames<'_>,
    report: &mut Report<'_>,
) -> Vec<Policy> {
    let all = KeyPath::default().key("policy");
    let mut policies: Vec<Policy> = Vec::with_capacity(written.len());
    for (index, written) in written.iter().enumerate() {
        let name = written.name.as_ref().unwrap_or(&written.plugin);
        let is_taken = policies.iter().any(|other| other.name.as_str() == name);
        let path = match is_taken {
            true => all.index(index),
            false => all.key(name),
        };
        if is_taken {
            let message =
                format!("another policy is called {name:?}; give one of them a `name` of its own");
            report.fail(&path, message);
        }
        if written.name.is_some() {
            report.name(&path.key("name"), name);
        }
        let role = match written.role {
            written::PolicyRole::RequestPolicy => Role::RequestPolicy,
            written::PolicyRole::ResponsePolicy => Role::ResponsePolicy,
        };
        check_name((&path.key("plugin"), role), &written.plugin, names, report);
        let key = path.key("deadline");
        let deadline = report.within(&key, written.deadline, &defaults::DEADLINE);
        policies.push(Policy {
            name: PolicyName::from(name.as_str()),
            binding: Binding {
                cpu_alarm: alarm(&path, written.cpu_alarm, report),
                version: written.version,
                canary: canary(&path, written.canary, report),
                shadow: shadow(&path, written.shadow, report),
                ..bind(role, &written.plugin, &written.config, deadline)
            },
            on_fault: match written.on_fault {
                written::OnFault::Deny => OnFault::Deny,
                written::OnFault::Allow => OnFault::Allow,
            },
        });
    }
    policies.sort_by_key(|policy| policy.binding.role);
    policies
}

/// The plugins that the configuration declares.
pub(super) fn declared(
    written: &BTreeMap<String, written::Plugin>,
    report: &mut Report<'_>,
) -> BTreeMap<PluginName, PluginSource> {
    let path = KeyPath::default().key("plugins");
    let mut plugins = BTreeMap::new();
    for (name, written) in written {
        let path = path.key(name);
        report.name(&path, name);
        plugins.insert(
            PluginName::from(name.as_str()),
            source(name, written, &path, report),
        );
    }
    plugins
}

fn source(
    name: &str,
    written: &written::Plugin,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> PluginSource {
    let is_default = DEFAULT_PLUGINS.contains(&name);
    let file = written
        .file
        .as_ref()
        .map(|file| report.file(&path.key("file"), file));
    if file.is_none() && written.version.is_none() && !is_default {
        report.fail(
            path,
            "the key \"file\" is missing; add the component's file",
        );
    }
    let grants = match &written.grants {
        Some(grants) => grants
            .iter()
            .copied()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        None if is_default => Grant::ALL.to_vec(),
        None => Vec::new(),
    };
    let memory = report.within(&path.key("memory"), written.memory, &defaults::MEMORY);
    PluginSource {
        file,
        version: written.version,
        grants,
        memory: memory.0,
    }
}

/// What is declared, and what is bound of the default set beside it.
pub(super) fn bound(
    mut plugins: BTreeMap<PluginName, PluginSource>,
    router: &Binding,
    policies: &[Policy],
    pools: &[PoolConfig],
) -> BTreeMap<PluginName, PluginSource> {
    let in_policies = policies.iter().map(|policy| &policy.binding);
    let in_pools = pools
        .iter()
        .flat_map(|pool| pool.affinity.iter().chain([&pool.balancer]));
    for binding in in_policies.chain(in_pools).chain([router]) {
        plugins
            .entry(binding.plugin.clone())
            .or_insert_with(PluginSource::usual);
    }
    plugins
}
