//! The HTTP/1.1 connections to one server on which nothing is under way.

use std::cell::RefCell;

use super::Connection;
use crate::deadlines::TICK;

/// Ticks of the coarse clock after which an idle connection is not used again
/// (30 s): shorter than what servers commonly keep a connection for, so that
/// few are found closed.
pub(super) const IDLE_TICKS: u64 = 30_000 / TICK.as_millis() as u64;

/// Connections that wait for their next request, oldest first.
#[derive(Default)]
pub(super) struct IdleConnections(RefCell<Vec<Idle>>);

struct Idle {
    connection: Box<Connection>,
    since: u64,
}

impl IdleConnections {
    /// The most recently used one that is still good: last in, first out keeps
    /// few connections warm and lets the others age.
    pub(super) fn take(&self, now: u64) -> Option<Box<Connection>> {
        let mut idle = self.0.borrow_mut();
        while let Some(mut newest) = idle.pop() {
            if now.saturating_sub(newest.since) > IDLE_TICKS {
                // All others are older still.
                idle.clear();
                return None;
            }
            if newest.connection.is_quiet() {
                return Some(newest.connection);
            }
        }
        None
    }

    /// Keep one more, of so many at the most.
    pub(super) fn keep(&self, connection: Box<Connection>, limit: usize, now: u64) {
        let mut idle = self.0.borrow_mut();
        if idle.len() >= limit {
            // The oldest make room.
            let surplus = idle.len() + 1 - limit;
            idle.drain(..surplus);
        }
        idle.push(Idle {
            connection,
            since: now,
        });
    }

    /// Close those that have been idle for too long.
    pub(super) fn close_old(&self, now: u64) {
        let mut idle = self.0.borrow_mut();
        idle.retain(|idle| now.saturating_sub(idle.since) <= IDLE_TICKS);
    }

    /// Close all of them: how many that were.
    pub(super) fn close_all(&self) -> usize {
        self.0.borrow_mut().drain(..).count()
    }
}
