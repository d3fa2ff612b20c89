//! The control plane's own thread: the admin listener, the watcher, the sampler,
//! the look-ups of names and whoever orders certificates live there, apart from
//! the workers and from whoever started the gateway.

use std::io;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use gatewright_host::{Happening, Host, HostEvent};
use gatewright_proxy::Queued;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::admin::AdminListener;
use crate::control::Control;
use crate::events::{Events, Happened};
use crate::watcher::Sight;
use crate::{acme, admin, cluster, discovery, remembered, sampler, sharing, traces, watcher};

/// How long the thread waits at its end for what it left on other threads.
const LAST_WAIT: Duration = Duration::from_millis(100);

/// Quarantined versions that are seen to at once.
const BATCH: usize = 64;

/// How long the last spans may take to be exported.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// How long answers under way may take when another gateway has taken over: the
/// one to whoever asked for that is among them.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// The running thread. It ends when this is dropped.
pub(crate) struct ControlThread {
    phase: watch::Sender<Phase>,
    thread: JoinHandle<()>,
}

/// What the thread is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Everything.
    Running,
    /// Another gateway has taken over: what is under way is finished.
    Leaving,
    /// Nothing but the last answers.
    Left,
    /// Nothing.
    Over,
}

impl ControlThread {
    /// Start it: serve `admin`, follow the host's events, and watch the files if
    /// they have been looked at.
    pub(crate) fn start(
        control: &Arc<Control>,
        (admin, recorded): (AdminListener, Receiver<Queued>),
        host: &Host,
        sight: Option<Sight>,
    ) -> io::Result<Self> {
        let (tell, quarantined) = channel(BATCH);
        let events = Arc::clone(&control.events);
        follow(host.events(), events, tell)?;
        let (phase, phases) = watch::channel(Phase::Running);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let control = Arc::clone(control);
        let thread = std::thread::Builder::new().name("control".into());
        let thread = thread.spawn(move || {
            runtime.block_on(async move {
                let mut changing = JoinSet::new();
                changing.spawn(acme::keep(Arc::clone(&control)));
                changing.spawn(replace(Arc::clone(&control), quarantined));
                changing.spawn(cluster::follow(Arc::clone(&control)));
                changing.spawn(discovery::follow(Arc::clone(&control)));
                changing.spawn(remembered::keep(Arc::clone(&control)));
                if let Some(sight) = sight {
                    changing.spawn(watcher::watch(Arc::clone(&control), sight));
                }
                tokio::spawn(sampler::sample(Arc::clone(&control)));
                // As long as requests are finished here.
                tokio::spawn(sharing::follow(Arc::clone(&control)));
                let (end, ending) = watch::channel(false);
                let exporting =
                    tokio::spawn(traces::export(Arc::clone(&control), recorded, ending));
                let (close, closing) = watch::channel(false);
                tokio::spawn(admin::serve(Arc::clone(&control), admin, closing));
                run(phases, &control, changing, close).await;
                end.send_replace(true);
                // Spans that no collector takes by then are lost.
                let _ = tokio::time::timeout(LAST_SPANS, exporting).await;
            });
            runtime.shutdown_timeout(LAST_WAIT);
        })?;
        Ok(Self { phase, thread })
    }

    /// Another gateway has taken over: change nothing any more, and serve no new
    /// connections of operators.
    pub(crate) fn leave(&self) {
        self.phase.send_replace(Phase::Leaving);
    }

    /// End the thread and wait for it.
    pub(crate) async fn stop(self) {
        self.phase.send_modify(|phase| {
            *phase = match phase {
                // The thread may not have seen that yet.
                Phase::Leaving | Phase::Left => Phase::Left,
                Phase::Running | Phase::Over => Phase::Over,
            };
        });
        let ended = tokio::task::spawn_blocking(move || self.thread.join());
        if !matches!(ended.await, Ok(Ok(()))) {
            tracing::error!("the control thread ended in a panic");
        }
    }
}

/// Wait for the end, through all phases.
async fn run(
    mut phases: watch::Receiver<Phase>,
    control: &Control,
    changing: JoinSet<()>,
    close: watch::Sender<bool>,
) {
    // An error is the sender's drop, which means the end.
    let _ = phases.wait_for(|phase| *phase != Phase::Running).await;
    let is_leaving = matches!(*phases.borrow(), Phase::Leaving | Phase::Left);
    if is_leaving {
        drop(changing);
        sharing::stay_connected(control);
        close.send_replace(true);
        control.live.end(LAST_WAIT).await;
        let _ = phases.wait_for(|phase| *phase != Phase::Leaving).await;
        // Those who are slower are cut.
        let _ = tokio::time::timeout(LAST_ANSWERS, close.closed()).await;
    } else {
        control.live.end(LAST_WAIT).await;
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
