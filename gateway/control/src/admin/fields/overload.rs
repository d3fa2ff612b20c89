//! The limits of requests in flight, and who waits while they are reached.

use gatewright_model::config::{Key, PoolConfig};
use serde_json::{Value, json};

use super::{Settings, period};
use crate::change::{Edit, Refusal};

impl Settings {
    /// The edits of limits and queue; `key` is the pool's, which is as it is in
    /// force.
    pub(super) fn overload(&self, key: &Key, pool: &PoolConfig) -> Result<Vec<Edit>, Refusal> {
        let mut edits = Vec::new();
        let now = &pool.overload;
        for (limit, now, step) in [
            (
                self.max_active_per_server,
                now.max_active_per_server,
                "max_active_per_server",
            ),
            (self.max_active, now.max_active, "max_active"),
        ] {
            let key = key.clone().then(step);
            match limit {
                Some(0) => edits.extend(now.map(|_| Edit::Remove(key))),
                limit => edits.extend(limit.map(|limit| Edit::Set(key, json!(limit)))),
            }
        }
        let key = key.clone().then("queue");
        let timeout = self.queue_timeout;
        let timeout = timeout.map(|seconds| period("queueTimeout", seconds));
        let timeout = timeout.transpose()?;
        let size = self.queue_size;
        // None is what it has already where nobody may wait.
        let size = size.filter(|size| *size > 0 || now.queue.is_some());
        let size = size.map(|size| json!(size));
        let parts = [("size", size), ("timeout", timeout)];
        let parts: Vec<_> = parts
            .into_iter()
            .filter_map(|(step, value)| Some((step, value?)))
            .collect();
        if now.queue.is_some() {
            let set = |(step, value): (&str, _)| Edit::Set(key.clone().then(step), value);
            edits.extend(parts.into_iter().map(set));
        } else if !parts.is_empty() {
            // What is off may be so by a plain `false`.
            let named = parts
                .into_iter()
                .map(|(step, value)| (step.to_owned(), value));
            edits.push(Edit::Set(key, Value::Object(named.collect())));
        }
        Ok(edits)
    }
}
