//! What a service manager such as systemd is told (the protocol of `sd_notify`),
//! if there is one that wants to hear it.

use std::time::Duration;

use gatewright_control::Pulse;
use sd_notify::NotifyState;

/// The gateway serves.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Another process is the service from now on. The one that was says so: a manager
/// need not listen to any other.
pub(crate) fn succeeded_by(process: u32) {
    tell(&[NotifyState::MainPid(process)]);
}

/// The configuration is being read again; [`ready`] follows.
pub(crate) fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// The gateway ends.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Say again and again that the gateway is alive, where that is asked for: while
/// this thread and every worker go round.
pub(crate) async fn keep_alive(pulse: Pulse) {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else {
        return;
    };
    // One that is late is followed by another in time.
    let mut beats = tokio::time::interval(interval(limit));
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        match pulse.beats(limit / 2).await {
            true => tell(&[NotifyState::Watchdog]),
            false => tracing::error!("a worker does not answer"),
        }
    }
}

fn interval(limit: Duration) -> Duration {
    (limit / 3).max(Duration::from_millis(1))
}

fn tell(what: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(what) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}
