//! Which space or table a field belongs to, and what goes between it and the
//! exchange.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gatewright_model::endpoint::Endpoint;
use gatewright_model::id::PoolName;
use gatewright_model::pool::Pool;
use gatewright_model::shared::{Leased, Record};
use gatewright_model::snapshot::Snapshot;

use super::{Changes, Kind, Replica};
use crate::binding::{Binding, Part, Place};
use crate::plan::Plan;
use crate::sessions::Sessions;
use crate::space::Space;

/// Between the parts of a field's name: no name of a seat, plugin or pool has it.
const BETWEEN: char = '\u{1f}';

/// What begins the fields of values.
fn values_of(place: &Place) -> String {
    let plugin = &place.plugin;
    format!("value{BETWEEN}{place}{BETWEEN}{plugin}{BETWEEN}")
}

/// What begins the fields of sessions.
fn sessions_of(pool: &PoolName) -> String {
    format!("session{BETWEEN}{pool}{BETWEEN}")
}

/// All that a gateway shares, as it is in force.
pub struct Share<'a> {
    replica: &'a Replica,
    spaces: HashMap<String, &'a Space>,
    tables: HashMap<String, Table<'a>>,
    now: Duration,
}

/// A pool's sessions, and its endpoints by id.
struct Table<'a> {
    sessions: &'a Sessions,
    pool: &'a Pool,
    endpoints: OnceCell<HashMap<&'a str, &'a Endpoint>>,
}

impl<'a> Share<'a> {
    /// Of a plan and its snapshot, at a time of the host's clock,
    /// [`crate::Host::now`].
    pub fn new(
        replica: &'a Replica,
        plan: &'a Plan,
        snapshot: &'a Snapshot,
        now: Duration,
    ) -> Self {
        let active = plan.bindings.iter();
        let active = active.filter(|binding| binding.part() == Part::Active);
        let spaces = active.map(|binding| (values_of(binding.place()), binding.space()));
        let tables = snapshot.pools.iter().filter_map(|pool| {
            let sessions = plan.sessions(&pool.name)?;
            let table = Table {
                sessions,
                pool,
                endpoints: OnceCell::new(),
            };
            Some((sessions_of(&pool.name), table))
        });
        Self {
            replica,
            spaces: spaces.collect(),
            tables: tables.collect(),
            now,
        }
    }

    /// What was changed here, as much as goes in one exchange.
    pub fn changes(&self) -> Changes {
        // The maps are in an order that is another each time, so nobody is always last.
        Changes::of(|kind, changes| match kind {
            Kind::Session => {
                for (scope, table) in &self.tables {
                    table.sessions.changes(scope, self.replica, changes);
                }
            }
            Kind::Sum | Kind::Value | Kind::Limit => {
                for (scope, space) in &self.spaces {
                    space.changes(kind, scope, (self.replica, self.now), changes);
                }
            }
        })
    }

    /// Note all that is here, as if it had changed: the cluster's memory may not have
    /// it.
    pub fn note_all(&self) {
        self.spaces.values().for_each(|space| space.note_all());
        let tables = self.tables.values();
        tables.for_each(|table| table.sessions.note_all());
        self.replica.note();
    }

    /// Hear what is there now. What is of no seat or pool here is left.
    pub fn hear(&self, field: &str, record: Record) {
        let is_over = |expires| self.replica.time(expires) <= self.now;
        if record.expires.is_some_and(is_over) {
            return;
        }
        let (scope, key) = parts(field);
        if let Some(space) = self.spaces.get(scope) {
            space.hear(key, record, self.replica, self.now);
        } else if let Some(table) = self.tables.get(scope) {
            let seat = |id: &str| table.endpoint(id).map(Endpoint::slot);
            table
                .sessions
                .hear(key, record, seat, (self.replica, self.now));
        }
    }

    /// Hear what a bucket has answered to a lease.
    pub fn hear_leased(&self, field: &str, leased: Leased) {
        let (scope, key) = parts(field);
        if let Some(space) = self.spaces.get(scope) {
            let expires = self.replica.time(leased.expires);
            space.hear_leased(key, leased.granted, expires, self.now);
        }
    }

    /// Twice a second: give back what is leased and hardly used.
    pub fn review(&self) {
        self.spaces.values().for_each(|space| space.review());
    }
}

impl<'a> Table<'a> {
    fn endpoint(&self, id: &str) -> Option<&'a Endpoint> {
        let endpoints = self.endpoints.get_or_init(|| {
            let endpoints = self.pool.endpoints();
            endpoints
                .map(|endpoint| (endpoint.id.as_str(), endpoint.as_ref()))
                .collect()
        });
        endpoints.get(id).copied()
    }
}

/// What a field's name begins with, and the key.
fn parts(field: &str) -> (&str, &str) {
    let parts = if field.starts_with("value") { 3 } else { 2 };
    let ends = field.match_indices(BETWEEN).nth(parts - 1);
    let end = ends.map_or(field.len(), |(at, between)| at + between.len());
    field.split_at(end)
}

impl Plan {
    /// What tells whether the same spaces and tables are shared as before: those that
    /// come anew have to hear all that is there.
    pub fn shared(&self) -> Vec<usize> {
        let spaces = self
            .bindings
            .iter()
            .map(|binding: &Arc<Binding>| std::ptr::from_ref(binding.space()).addr());
        let tables = self.sessions.values();
        let mut all: Vec<_> = spaces
            .chain(tables.map(|sessions| Arc::as_ptr(sessions).addr()))
            .collect();
        all.sort_unstable();
        all
    }
}
