//! The control plane's own thread: the admin listener, the watcher, the sampler,
//! the look-ups of names and whoever orders certificates live there, apart from
//! the workers and from whoever started the gateway.

use std::io;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use gatewright_host::{Happening, Host, HostEvent};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

use crate::admin::AdminListener;
use crate::control::Control;
use crate::events::{Events, Happened};
use crate::watcher::Sight;
use crate::{acme, admin, discovery, sampler, watcher};

/// How long the thread waits at its end for what it left on other threads.
const LAST_WAIT: Duration = Duration::from_millis(100);

/// Quarantined versions that are seen to at once.
const BATCH: usize = 64;

/// The running thread. It ends when this is dropped.
pub(crate) struct ControlThread {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl ControlThread {
    /// Start it: serve `admin`, follow the host's events, and watch the files if
    /// they have been looked at.
    pub(crate) fn start(
        control: &Arc<Control>,
        admin: AdminListener,
        host: &Host,
        sight: Option<Sight>,
    ) -> io::Result<Self> {
        let (tell, quarantined) = channel(BATCH);
        let events = Arc::clone(&control.events);
        follow(host.events(), events, tell)?;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let control = Arc::clone(control);
        let thread = std::thread::Builder::new().name("control".into());
        let thread = thread.spawn(move || {
            runtime.block_on(async move {
                tokio::spawn(sampler::sample(Arc::clone(&control)));
                tokio::spawn(acme::keep(Arc::clone(&control)));
                tokio::spawn(replace(Arc::clone(&control), quarantined));
                tokio::spawn(discovery::follow(Arc::clone(&control)));
                if let Some(sight) = sight {
                    tokio::spawn(watcher::watch(Arc::clone(&control), sight));
                }
                tokio::spawn(admin::serve(Arc::clone(&control), admin));
                // An error is the sender's drop, which means the same.
                let _ = stopped.await;
                control.live.end(LAST_WAIT).await;
            });
            runtime.shutdown_timeout(LAST_WAIT);
        })?;
        Ok(Self { stop, thread })
    }

    /// End the thread and wait for it.
    pub(crate) async fn stop(self) {
        // It may have ended already.
        let _ = self.stop.send(());
        let ended = tokio::task::spawn_blocking(move || self.thread.join());
        if !matches!(ended.await, Ok(Ok(()))) {
            tracing::error!("the control thread ended in a panic");
        }
    }
}

/// Keep what the host tells among the events, on a thread of its own, since it
/// waits; it ends with the host's last user.
fn follow(
    told: std_mpsc::Receiver<HostEvent>,
    events: Arc<Events>,
    quarantined: Sender<HostEvent>,
) -> io::Result<()> {
    let thread = std::thread::Builder::new().name("plugin-events".into());
    thread.spawn(move || {
        for event in told {
            events.push(Happened::Plugin(event.clone()));
            if event.happening == Happening::Quarantined {
                // The control thread may have ended before.
                let _ = quarantined.blocking_send(event);
            }
        }
    })?;
    Ok(())
}

/// Have every quarantined version replaced, for ever, and taken back where the
/// API has set it. Several at once are replaced by one change.
async fn replace(control: Arc<Control>, mut quarantined: Receiver<HostEvent>) {
    let mut events = Vec::with_capacity(BATCH);
    while quarantined.recv_many(&mut events, BATCH).await > 0 {
        events.clear();
        control.replace_quarantined().await;
        control.retreat().await;
    }
}
