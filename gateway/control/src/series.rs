//! What was measured lately, of all traffic, of each pool and of each server:
//! 60 points for the last minute, the last five and the last fifteen.
//!
//! A point is a second, five seconds or a quarter of a minute, and percentiles
//! are those of all that was answered in it, not means of percentiles. A server
//! takes about 8 KB, whatever its traffic: 60 points of 24 bytes for each of
//! three spans, what its two longer points have gathered so far (0.8 KB each),
//! and its last reading. Those of a server that leaves go with it.

mod line;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use gatewright_model::endpoint::EndpointState;
use gatewright_model::id::{EndpointId, PoolName};
use tokio::sync::watch;

use self::line::{Amount, Line, Ring};
pub(crate) use self::line::{Point, Span};
use crate::overview::{Overview, ServerFigures, Totals};
use crate::timestamp::Timestamp;

/// All figures at a moment.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) at: Timestamp,
    pub(crate) overview: Overview,
}

/// A server: the same host and port may be in two pools.
type Key = (PoolName, EndpointId);

/// The last quarter of an hour.
#[derive(Debug, Default)]
pub(crate) struct Series {
    kept: Mutex<Kept>,
    newest: watch::Sender<Option<Arc<Look>>>,
}

#[derive(Debug, Default)]
struct Kept {
    last: Option<Last>,
    /// How many seconds have been measured.
    seconds: u32,
    /// When each point of each span ended.
    times: [Ring<Timestamp>; Span::ALL.len()],
    total: Line,
    pools: HashMap<PoolName, Line>,
    servers: HashMap<Key, Member>,
}

/// What the next look is compared with, beside each server's own.
#[derive(Debug)]
struct Last {
    at: Instant,
    totals: Totals,
}

/// A server's line, and what it had counted at the last look.
#[derive(Debug)]
struct Member {
    state: Weak<EndpointState>,
    before: ServerFigures,
    line: Line,
    /// The second that it was looked at last.
    second: u32,
}

/// What somebody wants to look back on.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) span: Span,
    /// A pool and its servers; the pools themselves where none is named.
    pub(crate) pool: Option<String>,
    /// One server, in the pool or in all that have it.
    pub(crate) server: Option<String>,
    /// So many servers at most, those with the most requests first.
    pub(crate) top: Option<usize>,
}

/// Points by whom they are of, oldest first; those of a line that is younger
/// than the span are fewer than there are times.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// When the points ended.
    pub(crate) times: Vec<Timestamp>,
    /// All traffic; none where a pool or a server was named.
    pub(crate) total: Option<Vec<Point>>,
    pub(crate) pools: Vec<(PoolName, Vec<Point>)>,
    pub(crate) servers: Vec<(Key, Vec<Point>)>,
}

impl Series {
    /// Take in the figures as they are now, and show them to who waits.
    pub(crate) fn take_in(&self, mut overview: Overview, now: Instant) {
        let at = Timestamp::now();
        let mut kept = self.kept();
        kept.take_in(&overview, now, at);
        let newest = kept.total.newest();
        drop(kept);
        let rate = newest.map_or(0.0, |point| point.requests_per_second.into());
        overview.totals.requests_per_second = rate;
        self.newest
            .send_replace(Some(Arc::new(Look { at, overview })));
    }

    /// To be shown each look: the last one too, if it is asked for first.
    pub(crate) fn looks(&self) -> watch::Receiver<Option<Arc<Look>>> {
        self.newest.subscribe()
    }

    /// The last second of all traffic; none before there are two looks.
    pub(crate) fn of_all(&self) -> Option<Point> {
        self.kept().total.newest()
    }

    /// A pool's last second.
    pub(crate) fn of_pool(&self, pool: &PoolName) -> Option<Point> {
        self.kept().pools.get(pool)?.newest()
    }

    /// A server's last second.
    pub(crate) fn of_server(&self, pool: &PoolName, server: &EndpointId) -> Option<Point> {
        let key = (pool.clone(), server.clone());
        self.kept().servers.get(&key)?.line.newest()
    }

    /// What was measured in a span.
    pub(crate) fn past(&self, wanted: &Wanted) -> Past {
        self.kept().past(wanted)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn take_in(&mut self, overview: &Overview, now: Instant, at: Timestamp) {
        let totals = overview.totals.clone();
        let last = self.last.replace(Last { at: now, totals });
        let Some(last) = last else {
            for server in &overview.servers {
                self.measure(server, 0.0);
            }
            return;
        };
        let elapsed = now.duration_since(last.at).as_secs_f64();
        self.seconds = self.seconds.wrapping_add(1);
        for (span, times) in Span::ALL.iter().zip(&mut self.times) {
            if span.ends_with(self.seconds) {
                times.push(at);
            }
        }
        let all = Amount::of_all(&last.totals, &overview.totals, elapsed);
        self.total
            .add(&all, overview.totals.in_flight, self.seconds);
        self.measure_pools(overview, elapsed);
    }

    /// Pool by pool, in which order the servers come.
    fn measure_pools(&mut self, overview: &Overview, elapsed: f64) {
        let mut before = std::mem::take(&mut self.pools);
        for servers in overview.servers.chunk_by(|one, next| one.pool == next.pool) {
            let Some(first) = servers.first() else {
                continue;
            };
            let known = before.remove(&first.pool);
            let mut sum = match &known {
                Some(_) => Amount::nothing(elapsed),
                None => Amount::default(),
            };
            let mut active = 0;
            for server in servers {
                active += u64::from(server.active);
                if let Some(amount) = self.measure(server, elapsed) {
                    sum.join(&amount);
                }
            }
            let mut line = known.unwrap_or_default();
            line.add(&sum, active, self.seconds);
            self.pools.insert(first.pool.clone(), line);
        }
        let second = self.seconds;
        self.servers.retain(|_, member| member.second == second);
    }

    /// What a server was given since the last look; none at its first.
    fn measure(&mut self, server: &ServerFigures, elapsed: f64) -> Option<Amount> {
        let key = (server.pool.clone(), server.id.clone());
        let known = self.servers.get_mut(&key);
        let known = known.filter(|member| Weak::ptr_eq(&member.state, &server.state));
        let Some(member) = known else {
            self.servers.insert(key, Member::new(server, self.seconds));
            return None;
        };
        let amount = Amount::of_server(&member.before, server, elapsed);
        member.line.add(&amount, server.active.into(), self.seconds);
        member.before = server.clone();
        member.second = self.seconds;
        Some(amount)
    }

    fn past(&self, wanted: &Wanted) -> Past {
        let Wanted {
            span,
            pool,
            server,
            top,
        } = wanted;
        let index = span.index();
        let is_pool = |name: &PoolName| pool.as_deref().is_none_or(|pool| pool == name.as_str());
        let is_server = |name: &EndpointId| server.as_deref().is_none_or(|id| id == name.as_str());
        let mut past = Past {
            times: self.times[index].iter().copied().collect(),
            ..Past::default()
        };
        if server.is_none() {
            let pools = self.pools.iter().filter(|(name, _)| is_pool(name));
            past.pools = pools
                .map(|(name, line)| (name.clone(), line.points(*span)))
                .collect();
            past.pools.sort_by(|(one, _), (other, _)| one.cmp(other));
            past.total = pool.is_none().then(|| self.total.points(*span));
        }
        if pool.is_some() || server.is_some() {
            let servers = self.servers.iter();
            let servers = servers.filter(|((pool, id), _)| is_pool(pool) && is_server(id));
            let servers = servers.map(|(key, member)| (key.clone(), member.line.points(*span)));
            past.servers = servers.collect();
            past.servers.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        if let Some(top) = top {
            past.servers
                .sort_by(|(_, one), (_, other)| busy(other).total_cmp(&busy(one)));
            past.servers.truncate(*top);
        }
        past
    }
}

impl Member {
    fn new(server: &ServerFigures, second: u32) -> Self {
        Self {
            state: server.state.clone(),
            before: server.clone(),
            line: Line::default(),
            second,
        }
    }
}

/// How much a server was given in a span, to compare it with others.
fn busy(points: &[Point]) -> f32 {
    points.iter().map(|point| point.requests_per_second).sum()
}

#[cfg(test)]
mod tests;
