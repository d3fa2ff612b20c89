//! Putting in force what other gateways have changed, and giving back to the
//! server what it lost.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gatewright_cluster::{CHANGES, Committed, Fields, Head, State};
use gatewright_model::config::LeftOut;
use gatewright_model::id::{Digest, PluginName};
use tokio::time;

use super::components::problem;
use super::join::entry;
use super::problems::About;
use super::{Attempts, Cluster, ClusterError, Course, ahead, components, contents, members};
use crate::control::Control;
use crate::desired::{Desired, Draft};
use crate::error::ReloadError;
use crate::events::Happened;
use crate::keeper::{Followed, Kept};
use crate::publisher::{PublishError, Reloaded};
use crate::store::versions_of;

/// How often the version is asked for: a message that was lost is a delay only.
pub(super) const POLL_EVERY: Duration = Duration::from_secs(1);

/// How long a change takes until it is in force on every gateway, at most.
const PROMISED: Duration = Duration::from_secs(1);

/// Keep up the connection, follow the state and say that this gateway is there, for
/// ever; nothing in a gateway that is alone.
pub(crate) async fn follow(control: Arc<Control>) {
    let Some(cluster) = control.keeper.cluster.clone() else {
        return;
    };
    let mut messages = cluster.connection.listen(CHANGES);
    let mut standings = cluster.connection.standings();
    let following = async {
        let mut polls = time::interval(POLL_EVERY);
        polls.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // What was missed is in the state.
                _ = messages.recv() => {}
                _ = standings.changed() => {}
                _ = polls.tick() => {}
            }
            if !cluster.connection.standing().is_connected() {
                continue;
            }
            let behind = control.catch_up(&cluster).await.err();
            if cluster.connection.standing().is_connected() {
                let why = |error| format!("the cluster's state cannot be followed: {error}");
                cluster.tell(&control, About::Following, behind.map(why));
            }
        }
    };
    let keeping = cluster.connection.clone().keep();
    let announcing = members::announce(&control, &cluster);
    let tending = components::tend(&control, &cluster);
    let compiling = ahead::compile(&control, &cluster);
    tokio::join!(keeping, following, announcing, tending, compiling);
}

impl Control {
    /// Go along with the cluster, if there is anything to.
    async fn catch_up(self: &Arc<Self>, cluster: &Arc<Cluster>) -> Result<(), ReloadError> {
        if self.store.is_handed_over() {
            return Ok(());
        }
        let there = cluster.ledger.revision().await;
        let there = there.map_err(ClusterError::from)?;
        if there.is_none() || there != cluster.revision() || cluster.is_to_follow() {
            let _turn = self.turn.lock().await;
            if !self.store.is_handed_over() {
                self.catch_up_in_turn().await?;
            }
        }
        if cluster.revision().is_some() && cluster.has_missed.swap(false, Ordering::Relaxed) {
            // What comes of it is logged where it happens.
            let _ = self.reload().await;
            self.retreat().await;
        }
        Ok(())
    }

    /// Have what the cluster has, as of now; done at once in a gateway that is
    /// alone. Only who has the turn may call it.
    pub(crate) async fn catch_up_in_turn(&self) -> Result<(), ReloadError> {
        let Some(cluster) = &self.keeper.cluster else {
            return Ok(());
        };
        let mut attempts = Attempts::default();
        while attempts.another().await {
            let theirs = cluster.ledger.head().await;
            let theirs = theirs.map_err(ClusterError::from)?;
            let ours = cluster.replica();
            let course = Course::of(ours.head.as_ref(), theirs.as_ref());
            let action = match course {
                Course::Stay if !cluster.is_to_follow() => return Ok(()),
                Course::Stay | Course::Follow { .. } => {
                    let state = cluster.ledger.read().await.map_err(ClusterError::from)?;
                    let Some(state) = state else {
                        continue;
                    };
                    // It may be another by now.
                    let sets_aside = match Course::of(ours.head.as_ref(), Some(&state.head)) {
                        Course::Stay => false,
                        Course::Follow { sets_aside } => sets_aside,
                        Course::Restore | Course::Seed => continue,
                    };
                    // What comes meanwhile is for the next time.
                    cluster.follows_anew.store(false, Ordering::Relaxed);
                    let gone_along = self.go_along(cluster, state, sets_aside).await;
                    if gone_along.is_err() {
                        cluster.follow_anew();
                    }
                    return gone_along;
                }
                Course::Restore => "cluster.restore",
                Course::Seed => {
                    if !cluster.may_begin(self).await? {
                        return Ok(());
                    }
                    "cluster.begin"
                }
            };
            let name = cluster.connection.name();
            let head = ours.head.unwrap_or_else(|| Head::first(name));
            let fields = ours.fields;
            let state = State { head, fields };
            if cluster.give_back(theirs.as_ref(), &state).await? == Committed::Done {
                let version = state.head.revision.version;
                let followed = Followed {
                    contents: contents(&state)?,
                    state,
                    entry: entry(action, format!("version {version}")),
                };
                let kept = Kept::Followed(Box::new(followed));
                return Ok(self.keeper.keep(kept).await?);
            }
        }
        Err(ClusterError::Moved.into())
    }

    /// Whether a reload came to nothing because of the cluster, and is to be done
    /// again on what that has now. Where its server is away, it is done once that is
    /// there. Only who has the turn may call it.
    pub(crate) async fn was_overtaken<T>(&self, outcome: &Result<T, ReloadError>) -> bool {
        let (Err(ReloadError::Cluster(error)), Some(cluster)) = (outcome, &self.keeper.cluster)
        else {
            return false;
        };
        let is_there = *error == ClusterError::Moved && self.catch_up_in_turn().await.is_ok();
        if !is_there {
            cluster.has_missed.store(true, Ordering::Relaxed);
        }
        is_there
    }

    /// Put in force what the cluster has, without what this gateway's files do not
    /// go with.
    async fn go_along(
        &self,
        cluster: &Arc<Cluster>,
        state: State,
        sets_aside: bool,
    ) -> Result<(), ReloadError> {
        let before = cluster.replica();
        let contents = contents(&state)?;
        let missing = cluster.fetch(&state.fields).await?;
        cluster.tell(self, About::Components, problem(&missing));
        let came = cluster.came().clone();
        let mut entry = cluster.entry_of(&state, sets_aside).await?;
        if before.is(&state) && !came.is_empty() {
            // The version itself was noted when this gateway had it first.
            let came: Vec<_> = came.iter().map(in_words).collect();
            entry.target = format!("{}, now with {}", entry.target, came.join(", "));
        }
        let followed = Followed {
            entry,
            state,
            contents,
        };
        let desired = self.desired();
        let origin = desired.origin.clone();
        let declared = Arc::clone(&desired.declared);
        let overlay = followed.contents.overlay.clone();
        let mut draft = origin.found(declared, overlay, &self.discovery).await?;
        let kept = || Kept::Followed(Box::new(followed.clone()));
        let reloaded = loop {
            match self.publish_telling(cluster, &draft, kept()).await {
                Err(PublishError::Plugin { key, errors }) => {
                    let without = origin.without(&draft, &key, &errors.to_string()).await?;
                    draft = without.ok_or(errors)?;
                }
                Err(PublishError::Other(error)) => return Err(error),
                Ok(reloaded) => break reloaded,
            }
        };
        let is_known = before.is(&followed.state) && !cluster.has_doubts();
        let has_changed = !matches!(reloaded, Reloaded::Unchanged { .. });
        match (has_changed, is_known) {
            // It was kept when it was published.
            (true, _) => {}
            (false, true) => cluster.has(&followed.state),
            (false, false) => self.keeper.keep(kept()).await?,
        }
        let is_new = |left: &&LeftOut| !desired.left_out.contains(left);
        for left in draft.left_out.iter().filter(is_new) {
            self.events.push(Happened::LeftOut(left.clone()));
        }
        self.put(Desired::of(origin, draft));
        cluster
            .came()
            .retain(|digest, _| !came.contains_key(digest));
        if has_changed || !is_known {
            self.note(&Ok(reloaded));
        }
        let fields = &followed.state.fields;
        cluster.ahead.add(ahead::news(&before.fields, fields));
        let gone = gone(&before.fields, fields);
        self.forget_components(gone).await;
        Ok(())
    }

    /// Put a draft in force, and tell what compiler is waited for where that takes
    /// longer than is promised.
    async fn publish_telling(
        &self,
        cluster: &Arc<Cluster>,
        draft: &Draft,
        kept: Kept,
    ) -> Result<Reloaded, PublishError> {
        let mut publishing = pin!(self.publish_kept(draft, kept));
        if let Ok(outcome) = time::timeout(PROMISED, &mut publishing).await {
            return outcome;
        }
        let problem = ahead::problem(self.publisher.host(), &draft.wanted.config);
        cluster.tell(self, About::Compiling, problem);
        let outcome = publishing.await;
        cluster.tell(self, About::Compiling, None);
        outcome
    }
}

/// A component that has come.
fn in_words((digest, plugin): (&Digest, &PluginName)) -> String {
    format!("the component {} of plugin {plugin}", digest.short())
}

/// The components that are named no more.
fn gone(before: &Fields, after: &Fields) -> Vec<Digest> {
    let digests = |fields: &Fields| -> BTreeSet<Digest> {
        versions_of(fields).map(|(_, digest)| digest).collect()
    };
    let after = digests(after);
    let gone = digests(before).into_iter();
    gone.filter(|digest| !after.contains(digest)).collect()
}
