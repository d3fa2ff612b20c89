//! What plugins keep, shared with the other gateways of a cluster: one exchange
//! after the other for as long as the gateway runs. Workers wait for none of them.

mod trouble;

use std::sync::Arc;
use std::time::Duration;

use gatewright_cluster::{Connection, Exchange, Failure, News};
use gatewright_host::{Changes, Host, Plan, Replica, Share};
use gatewright_model::snapshot::Snapshot;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep, timeout};

use self::trouble::Trouble;
use crate::cluster::About;
use crate::control::Control;

/// How often others' changes are read while there is nothing to tell: so late is
/// known what they did, and the time that the server takes.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The pause between two exchanges. What is noted in it goes by the next one.
const BREATH: Duration = Duration::from_millis(2);

/// How often leases are reviewed. What is not used goes back within two reviews.
const REVIEW_EVERY: Duration = Duration::from_millis(500);

/// When an exchange is tried again, unless the server is connected earlier.
const RETRY: Duration = Duration::from_millis(500);

/// Exchanges at the end, to tell what is noted by then.
const LAST_EXCHANGES: usize = 64;

/// How long a start waits to hear what others have.
const FIRST_EXCHANGES: Duration = Duration::from_secs(1);

/// What a gateway shares with others, and how.
pub(crate) struct Sharing {
    connection: Connection,
    replica: Arc<Replica>,
    noted: Arc<Notify>,
    /// Who holds it exchanges.
    turn: Mutex<Turn>,
}

struct Turn {
    exchange: Exchange,
    /// Which spaces and tables have heard what is there.
    shared: Vec<usize>,
    /// Whether something was left to be told.
    has_more: bool,
    reviewed: Instant,
    /// Whether it was the last exchange.
    is_over: bool,
    /// What the server does not do although it is there.
    trouble: Trouble,
    /// Whether it was told that the server has what nobody can read: once is enough.
    has_told_unreadable: bool,
}

/// Whose things are shared: those of a plan and its snapshot, at a time of the host's
/// clock.
#[derive(Clone, Copy)]
struct Owners<'a> {
    plan: &'a Plan,
    snapshot: &'a Snapshot,
    now: Duration,
}

/// Where they are found, which may be others from one moment to the next.
trait Find {
    fn find<T>(&self, look: impl FnOnce(Owners<'_>) -> T) -> T;
}

/// Those that are in force.
impl Find for Control {
    fn find<T>(&self, look: impl FnOnce(Owners<'_>) -> T) -> T {
        look(Owners {
            plan: &self.publisher.plan(),
            snapshot: &self.publisher.snapshot(),
            now: self.publisher.host().now(),
        })
    }
}

/// Those that are to be in force.
struct Coming<'a> {
    plan: &'a Plan,
    snapshot: &'a Snapshot,
    host: &'a Host,
}

impl Find for Coming<'_> {
    fn find<T>(&self, look: impl FnOnce(Owners<'_>) -> T) -> T {
        look(Owners {
            plan: self.plan,
            snapshot: self.snapshot,
            now: self.host.now(),
        })
    }
}

impl Sharing {
    /// Of what the plugins of this host keep: to be asked before there is a plan.
    pub(crate) fn new(connection: Connection, host: &Host) -> Self {
        let noted = Arc::new(Notify::new());
        let wake = Arc::clone(&noted);
        Self {
            replica: host.share(Box::new(move || wake.notify_one())),
            noted,
            turn: Mutex::new(Turn {
                exchange: Exchange::new(connection.clone()),
                shared: Vec::new(),
                has_more: false,
                reviewed: Instant::now(),
                is_over: false,
                trouble: Trouble::default(),
                has_told_unreadable: false,
            }),
            connection,
        }
    }

    /// Hear what others have before anybody asks for it, if the server is there: a
    /// client whose session they know must not begin another one here.
    pub(crate) async fn catch_up(&self, (plan, snapshot): (&Plan, &Snapshot), host: &Host) {
        if !self.connection.standing().is_connected() {
            return;
        }
        let coming = Coming {
            plan,
            snapshot,
            host,
        };
        let mut turn = self.turn.lock().await;
        let catching_up = async {
            while self.exchange(&coming, &mut turn).await? {}
            Ok::<_, Failure>(())
        };
        // What is not heard by then, or in this way, is heard once the gateway runs.
        let _ = timeout(FIRST_EXCHANGES, catching_up).await;
    }

    /// Tell what is noted for the last time, and that this gateway is there no more.
    pub(crate) async fn end(&self, control: &Control) {
        let mut turn = self.turn.lock().await;
        turn.is_over = true;
        for _ in 0..LAST_EXCHANGES {
            match self.exchange(control, &mut turn).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => return,
            }
        }
        // Whoever does not hear of it finds out in some seconds.
        let _ = turn.exchange.leave().await;
    }

    /// Tell what was changed here, and take in what others have changed. Returns
    /// whether there is more of either.
    async fn exchange(&self, owners: &impl Find, turn: &mut Turn) -> Result<bool, Failure> {
        let changes = owners.find(|owners| self.changes(owners, turn));
        let news = turn
            .exchange
            .run(changes.changes, !changes.has_more)
            .await?;
        turn.has_more = news.is_behind;
        Ok(owners.find(|owners| self.hear(owners, turn, news)))
    }

    /// Take in what others have changed. Returns whether there is more to be exchanged.
    fn hear(&self, owners: Owners<'_>, turn: &mut Turn, news: News) -> bool {
        self.replica.met(news.met, owners.now);
        let share = self.share(owners);
        if news.is_new {
            // Before anything is heard: what the server has need not be told.
            share.note_all();
        }
        for (field, leased) in news.leased {
            share.hear_leased(&field, leased);
        }
        for (field, record) in news.records {
            share.hear(&field, record);
        }
        if news.unreadable > 0 && !std::mem::replace(&mut turn.has_told_unreadable, true) {
            let (count, key) = (news.unreadable, self.connection.key("shared:items"));
            tracing::warn!(
                "{count} things in {key} of the cluster's server cannot be read, and count as \
                 absent until a gateway writes them again: another program, or another version \
                 of this one, has written there; this is told once"
            );
        }
        news.has_more || turn.has_more || news.is_new
    }

    /// What is to be told now.
    fn changes(&self, owners: Owners<'_>, turn: &mut Turn) -> Changes {
        let share = self.share(owners);
        let shared = owners.plan.shared();
        if turn.shared != shared {
            turn.shared = shared;
            turn.exchange.read_anew();
        }
        if turn.reviewed.elapsed() >= REVIEW_EVERY {
            turn.reviewed = Instant::now();
            share.review();
        }
        if turn.exchange.is_unanswered() || !(self.replica.is_noted() || turn.has_more) {
            return Changes::default();
        }
        share.changes()
    }

    fn share<'a>(&'a self, owners: Owners<'a>) -> Share<'a> {
        Share::new(&self.replica, owners.plan, owners.snapshot, owners.now)
    }

    /// Wait until an exchange may succeed again.
    async fn wait(&self, control: &Control, turn: &mut Turn, failure: &Failure) {
        self.replica.lost();
        let mut standings = self.connection.standings();
        if standings.borrow_and_update().is_connected() {
            self.look_into(control, turn, failure).await;
            return sleep(RETRY).await;
        }
        turn.trouble.pauses();
        // The connection tells of itself, and of its return.
        let _ = timeout(RETRY, standings.changed()).await;
    }

    /// Tell why nothing is shared although the server is there, if that lasts.
    async fn look_into(&self, control: &Control, turn: &mut Turn, failure: &Failure) {
        let misused = match turn.exchange.misused().await {
            Ok(keys) => keys,
            // Whoever may not ask for it knows no more than the failure says.
            Err(Failure::Refused(_)) => Vec::new(),
            Err(_) => return,
        };
        let meta = self.connection.key("shared:meta");
        if let Some(problem) = turn.trouble.goes_on(failure, misused, &meta) {
            tell(control, Some(problem));
        }
    }
}

/// What keeps it from being shared is that, or nothing any more.
fn tell(control: &Control, problem: Option<String>) {
    if let Some(cluster) = &control.keeper.cluster {
        cluster.tell(control, About::Sharing, problem);
    }
}

/// Keep the connection up in the place of whoever has followed the cluster's state, and
/// does no more since another gateway has taken over.
pub(crate) fn stay_connected(control: &Control) {
    if let Some(sharing) = &control.sharing {
        tokio::spawn(sharing.connection.clone().keep());
    }
}

/// Exchange for ever; ends at once where nothing is shared.
pub(crate) async fn follow(control: Arc<Control>) {
    let Some(sharing) = &control.sharing else {
        return;
    };
    loop {
        let mut turn = sharing.turn.lock().await;
        if turn.is_over {
            return;
        }
        let exchanged = sharing.exchange(&*control, &mut turn).await;
        match &exchanged {
            Ok(_) if turn.trouble.ends() => tell(&control, None),
            Ok(_) => {}
            Err(failure) => sharing.wait(&control, &mut turn, failure).await,
        }
        drop(turn);
        sleep(BREATH).await;
        if matches!(exchanged, Ok(false)) {
            let _ = timeout(LOOK_EVERY, sharing.noted.notified()).await;
        }
    }
}
