//! What is done about servers that fail: their checks and their circuits, each of
//! which can be switched off as a whole.

use gatewright_model::config::{Key, PoolConfig};
use serde_json::{Value, json};

use super::{Settings, period};
use crate::change::{Edit, Refusal};
use crate::desired::Desired;

/// A table of a pool that can be switched off as a whole.
struct Switched<'a> {
    key: Key,
    /// Whether it is on.
    is_on: bool,
    /// Whether it is to be.
    wanted: Option<bool>,
    desired: &'a Desired,
}

impl Switched<'_> {
    /// The edits that switch it and set what is within; `off` says why nothing can
    /// be set, where it is off and stays so.
    fn edits(
        self,
        parts: impl IntoIterator<Item = (&'static str, &'static str, Option<Value>)>,
        off: impl Fn(&str) -> Refusal,
    ) -> Result<Vec<Edit>, Refusal> {
        let mut edits = Vec::new();
        match (self.wanted, self.is_on) {
            (Some(false), true) => edits.push(Edit::Set(self.key.clone(), json!(false))),
            (Some(true), false) => {
                edits.push(switched_on(self.key.clone(), self.desired, json!({})));
            }
            _ => {}
        }
        let will_be_on = self.wanted.unwrap_or(self.is_on);
        for (field, step, value) in parts {
            let Some(value) = value else { continue };
            if !will_be_on {
                return Err(off(field));
            }
            edits.push(Edit::Set(self.key.clone().then(step), value));
        }
        Ok(edits)
    }
}

impl Settings {
    /// The edits of the checks; `key` is the pool's, which is as it is in force.
    pub(super) fn health(
        &self,
        key: &Key,
        pool: &PoolConfig,
        desired: &Desired,
    ) -> Result<Vec<Edit>, Refusal> {
        let path = self.health_check_path.as_ref().map(|path| json!(path));
        let interval = seconds("healthCheckInterval", self.health_check_interval)?;
        let timeout = seconds("healthCheckTimeout", self.health_check_timeout)?;
        let checks = Switched {
            key: key.clone().then("health"),
            is_on: pool.health.is_some(),
            wanted: self.health_check_enabled,
            desired,
        };
        let parts = [
            ("healthCheckPath", "path", path),
            ("healthCheckInterval", "interval", interval),
            ("healthCheckTimeout", "timeout", timeout),
        ];
        checks.edits(parts, |field| unchecked(field, pool))
    }

    /// The edits of the circuits, likewise.
    pub(super) fn breaker(
        &self,
        key: &Key,
        pool: &PoolConfig,
        desired: &Desired,
    ) -> Result<Vec<Edit>, Refusal> {
        let threshold = self.fail_threshold.map(|count| json!(count));
        let open_time = seconds("openTime", self.open_time)?;
        let circuits = Switched {
            key: key.clone().then("breaker"),
            is_on: pool.breaker.is_some(),
            wanted: self.circuit_breaker,
            desired,
        };
        let parts = [
            ("failThreshold", "fail_threshold", threshold),
            ("openTime", "open_time", open_time),
        ];
        circuits.edits(parts, |field| {
            let message = format!(
                "pool {0} has no circuit breaker; switch that on first: PUT /api/pools/{0} with \
                 {{\"circuitBreaker\": true}}",
                pool.name
            );
            Refusal::field(field, message)
        })
    }
}

fn seconds(field: &str, seconds: Option<f64>) -> Result<Option<Value>, Refusal> {
    seconds.map(|seconds| period(field, seconds)).transpose()
}

/// Switch on what is off: as the file has it, where it does, and not only as
/// usual.
pub(super) fn switched_on(key: Key, desired: &Desired, usual: Value) -> Edit {
    match desired.declared.value(&key) {
        None | Some(Value::Bool(false)) => Edit::Set(key, usual),
        Some(_) => Edit::Reset(key),
    }
}

/// How a pool is checked that is not checked.
pub(in crate::admin) fn unchecked(field: &str, pool: &PoolConfig) -> Refusal {
    let message = format!(
        "the servers of pool {0} are not checked; switch that on first: PUT /api/pools/{0} with \
         {{\"healthCheckEnabled\": true}}",
        pool.name
    );
    Refusal::field(field, message)
}
