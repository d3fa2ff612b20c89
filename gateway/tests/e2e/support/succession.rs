//! Gateways that take over from each other: they write one log, and end with the test.

use serde_json::Value;

use super::eventually::within;
use super::gateway::{Gateway, STARTING};
use super::run;

/// What a gateway logs, before the process that has taken over from it.
const HANDED_OVER: &str = " handed over: what is under way may finish process=";

/// The last process that a log says to have taken over.
fn successor(log: &str) -> Option<u32> {
    log.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once(HANDED_OVER)?;
        rest.split(' ').next()?.parse().ok()
    })
}

impl Gateway {
    /// Have another process take over, as its operator does: its id.
    pub(crate) async fn upgrade(&mut self) -> u32 {
        let answer = self.change("POST", "/api/upgrade", Value::Null).await;
        let process = answer["process"].as_u64().expect("a process id");
        self.succeeded_by(u32::try_from(process).expect("a process id"));
        self.id()
    }

    /// Have another process take over by a signal: its id.
    pub(crate) async fn upgrade_by_signal(&mut self) -> u32 {
        let before = self.id();
        run::signal(before, libc::SIGUSR2);
        let mut next = None;
        within(STARTING, "another process serves", async || {
            next = successor(&self.log()).filter(|process| *process != before);
            next.is_some()
        })
        .await;
        self.succeeded_by(next.expect("it was found"));
        self.id()
    }

    /// Ask for an upgrade that must fail: the reason.
    pub(crate) async fn upgrade_fails(&self) -> String {
        let error = self.call("POST", "/api/upgrade").refused(409).await;
        assert_eq!(error["code"], "not_upgraded", "{error}");
        error["message"].as_str().expect("a reason").to_owned()
    }

    /// Everybody who connects is served by a server `a`, on however many sockets.
    pub(crate) async fn serves_everybody(&self) {
        for _ in 0..40 {
            assert_eq!(self.get("/").await.text(), "a");
        }
    }

    /// Wait until a process that it was has ended.
    pub(crate) async fn has_left(&self, process: u32) {
        within(STARTING, "the old process ends", async || {
            !run::runs(process)
        })
        .await;
    }
}
