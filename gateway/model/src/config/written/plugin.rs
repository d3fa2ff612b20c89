//! The keys of plugins: where a component comes from, and where it is bound.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::defaults;
use crate::config::quantity::{Period, Size};
use crate::id::Digest;
use crate::role::Grant;

/// A plugin in a seat of the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// Its name: of the default set, or a key of `[plugins]`.
    pub plugin: String,
    /// The plugin's own configuration; it checks it itself.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// How long a decision may take before the fallback decides: 100 µs to 1 s.
    #[serde(default = "defaults::deadline")]
    pub deadline: Period,
    /// The most of a worker's time that its decisions may take, in percent: 1 to
    /// 100. While it is over that, the fallback decides. Default: no limit.
    #[serde(default)]
    pub cpu_share: Option<u8>,
    /// The share of a worker's time, in percent, beyond which the plugin is
    /// reported as heavy: 1 to 100, where 100 is never. It goes on deciding.
    #[serde(default = "defaults::cpu_alarm")]
    #[schemars(range(min = 1, max = 100))]
    pub cpu_alarm: u8,
    /// The version that decides, by its digest. Default: what the plugin's file
    /// or the default set has now.
    #[serde(default)]
    pub version: Option<Digest>,
    /// Another version that decides for a share of the requests.
    #[serde(default)]
    pub canary: Option<Canary>,
    /// Another version that is asked too and never obeyed, to be compared.
    #[serde(default)]
    pub shadow: Option<Shadow>,
}

/// A version that decides for a share of the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// Its digest.
    pub version: Digest,
    /// The share of requests that it decides for, in percent: 1 to 100.
    pub percent: u8,
}

/// A version whose decisions are compared with those that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shadow {
    /// Its digest.
    pub version: Digest,
    /// The share of decisions that it is asked for too, in percent: 1 to 100.
    #[serde(default = "defaults::sample")]
    pub sample: u8,
}

/// A policy: a plugin that may answer a request before it is routed, or edit
/// response heads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name: of the default set, or a key of `[plugins]`.
    pub plugin: String,
    /// What this policy is called, as no other is. Default: the plugin's name.
    #[serde(default)]
    pub name: Option<String>,
    /// The plugin's own configuration; it checks it itself.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// How long a decision may take: 100 µs to 1 s. A longer one is a fault.
    #[serde(default = "defaults::deadline")]
    pub deadline: Period,
    /// The share of a worker's time, in percent, beyond which the plugin is
    /// reported as heavy: 1 to 100, where 100 is never. It goes on deciding.
    #[serde(default = "defaults::cpu_alarm")]
    #[schemars(range(min = 1, max = 100))]
    pub cpu_alarm: u8,
    /// What becomes of the request when the plugin faults.
    #[serde(default)]
    pub on_fault: OnFault,
    /// When it is asked.
    #[serde(default)]
    pub role: PolicyRole,
    /// The version that decides, by its digest. Default: what the plugin's file
    /// or the default set has now.
    #[serde(default)]
    pub version: Option<Digest>,
    /// Another version that decides for a share of the requests.
    #[serde(default)]
    pub canary: Option<Canary>,
    /// Another version that is asked too and never obeyed, to be compared.
    #[serde(default)]
    pub shadow: Option<Shadow>,
}

/// What becomes of the request when a policy faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFault {
    /// It is answered with status 503.
    #[default]
    Deny,
    /// It goes on as if the policy were not there.
    Allow,
}

/// When a policy is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyRole {
    /// Before the request is routed.
    #[default]
    RequestPolicy,
    /// On the response's head.
    ResponsePolicy,
}

/// Where a plugin's component comes from and what it may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Plugin {
    /// The component's file, relative to the file that names it; it is watched.
    /// Only a plugin of the default set, or one with a `version`, may go without.
    pub file: Option<String>,
    /// The uploaded version that bindings have that name none, by its digest;
    /// an upload writes it.
    pub version: Option<Digest>,
    /// The imports that it may use beside those that need no grant. Default:
    /// none; all for the default set.
    pub grants: Option<Vec<Grant>>,
    /// The most memory that one instance may have: 64 KiB to 256 MiB. There is
    /// an instance for each worker and binding.
    pub memory: Size,
}
