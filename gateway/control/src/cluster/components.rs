//! The components that the state names: they go to the server before the version that
//! names them, and each gateway has them all. What the server loses is put back by
//! those who have it, and what a gateway cannot get is left out there until it can.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gatewright_cluster::{Committed, Components, Fields, Head, Kept, Revision, State};
use gatewright_host::{Brought, Host};
use gatewright_model::id::{Digest, PluginName};
use gatewright_model::signature::PluginSignature;
use tokio::time;

use super::problems::About;
use super::{Cluster, ClusterError};
use crate::control::Control;
use crate::store::versions_of;

/// How often it is looked whether all are here and there, more or less by half, so that
/// of several gateways one puts back what is gone.
const TEND_EVERY: Duration = Duration::from_secs(8);

/// For how long one that cannot be kept is not got again, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Why this gateway cannot have a component.
#[derive(Clone, Debug)]
pub(super) struct Missing {
    plugin: PluginName,
    why: String,
    since: Instant,
    /// For how long it is not got again.
    pause: Duration,
}

impl Missing {
    fn gone(plugin: PluginName) -> Self {
        Self {
            plugin,
            why: "is neither here nor on the cluster's server".to_owned(),
            since: Instant::now(),
            pause: Duration::ZERO,
        }
    }

    fn unkept(plugin: PluginName, why: &str, before: Option<&Self>) -> Self {
        let pause = before.map_or(Duration::ZERO, |before| before.pause * 2);
        Self {
            plugin,
            why: format!("cannot be kept here ({why})"),
            since: Instant::now(),
            pause: pause.clamp(TEND_EVERY, LONGEST_PAUSE),
        }
    }

    fn waits(&self) -> bool {
        self.since.elapsed() < self.pause
    }
}

/// What came of looking after a component.
enum Tended {
    /// It is here, as before.
    Fine,
    /// It was not here, or not whole, and is now.
    Came,
    /// It cannot be had.
    Missing(Missing),
    /// It could not be had, and is not got again yet.
    Wait,
}

/// What is wrong when these are missing; nothing when none is.
pub(super) fn problem(missing: &BTreeMap<Digest, Missing>) -> Option<String> {
    let of_each = |(digest, one): (&Digest, &Missing)| {
        let (plugin, digest) = (&one.plugin, digest.short());
        format!("the component {digest} of plugin {plugin} {}", one.why)
    };
    let all: Vec<_> = missing.iter().map(of_each).collect();
    (!all.is_empty()).then(|| {
        format!(
            "{}: what is bound to it is left out on this gateway; start a gateway that has it, \
             or upload it again",
            all.join("; ")
        )
    })
}

/// The components that fields name, each with a plugin that has it.
fn named(fields: &Fields) -> BTreeMap<Digest, PluginName> {
    let versions = versions_of(fields);
    versions.map(|(plugin, digest)| (digest, plugin)).collect()
}

impl Cluster {
    /// Have every component in the server that comes to be named; those that are
    /// named no more go with the change.
    pub(super) async fn components(
        &self,
        before: &Fields,
        after: &Fields,
    ) -> Result<Components, ClusterError> {
        let digests = |fields: &Fields| -> Vec<Digest> {
            versions_of(fields).map(|(_, digest)| digest).collect()
        };
        let (old, new) = (digests(before), digests(after));
        let mut components = Components::default();
        for (plugin, digest) in versions_of(after) {
            if old.contains(&digest) {
                continue;
            }
            let kept = self.load(plugin, digest).await.map_err(|error| {
                ClusterError::Refused(format!("the component {digest} cannot be read: {error}"))
            })?;
            self.put(digest, &kept).await?;
            components.stay.extend(self.shelf.keys(digest));
        }
        let gone = old.into_iter().filter(|digest| !new.contains(digest));
        components.go = gone.flat_map(|digest| self.shelf.keys(digest)).collect();
        Ok(components)
    }

    /// Put a whole state into the server, with the components that it names. What is
    /// missing here, another gateway may have.
    pub(super) async fn give_back(
        &self,
        theirs: Option<&Head>,
        state: &State,
    ) -> Result<Committed, ClusterError> {
        let mut components = Components::default();
        for (plugin, digest) in versions_of(&state.fields) {
            if let Ok(kept) = self.load(plugin, digest).await {
                self.put(digest, &kept).await?;
                components.stay.extend(self.shelf.keys(digest));
            }
        }
        let given = self.ledger.replace(theirs, state, &components).await;
        // Where it has not answered, the next comparison tells.
        given.map_err(ClusterError::from)
    }

    /// A component that may or may not be there then harms nobody: nothing names it.
    async fn put(&self, digest: Digest, kept: &Kept) -> Result<(), ClusterError> {
        let put = self.shelf.put(digest, kept).await;
        put.map_err(|failure| ClusterError::Refused(failure.to_string()))
    }

    /// A component of this gateway's.
    async fn load(&self, plugin: PluginName, digest: Digest) -> io::Result<Kept> {
        let host = self.host.get().cloned();
        let loading = tokio::task::spawn_blocking(move || {
            let host = host.ok_or_else(|| io::Error::other("the host does not run yet"))?;
            Ok::<_, io::Error>(Kept {
                component: host.component(&plugin, digest)?,
                signature: host.signature(digest),
            })
        });
        loading.await.map_err(io::Error::other).flatten()
    }

    /// Have this gateway's host keep every component that a state names; those that
    /// cannot be had.
    pub(super) async fn fetch(
        &self,
        fields: &Fields,
    ) -> Result<BTreeMap<Digest, Missing>, ClusterError> {
        let Some(host) = self.host.get() else {
            return Ok(BTreeMap::new());
        };
        let here = self.here(host).await?;
        let named = named(fields);
        for (&digest, plugin) in &named {
            let is_here = here.contains(&digest);
            let looking = self.look_after(host, (plugin, digest), is_here, None);
            self.take_in(plugin, digest, looking.await?);
        }
        let mut missing = self.lacked();
        missing.retain(|digest, _| named.contains_key(digest));
        Ok(missing)
    }

    /// Have a component here, and there too where the server has `lost` what this
    /// revision names.
    async fn look_after(
        &self,
        host: &Arc<Host>,
        (plugin, digest): (&PluginName, Digest),
        is_here: bool,
        lost: Option<&Revision>,
    ) -> Result<Tended, ClusterError> {
        let before = self.lacked().remove(&digest);
        let is_whole = match (is_here, lost, &before) {
            (false, ..) => false,
            (true, Some(revision), _) => self.put_back(plugin, digest, revision).await?,
            (true, None, None) => true,
            // It may have been uploaded here since.
            (true, None, Some(_)) => self.load(plugin.clone(), digest).await.is_ok(),
        };
        match (is_whole, before) {
            (true, None) => Ok(Tended::Fine),
            (true, Some(_)) => Ok(Tended::Came),
            (false, Some(before)) if before.waits() => Ok(Tended::Wait),
            (false, before) => self.take(host, plugin, digest, before.as_ref()).await,
        }
    }

    /// Have this gateway's host keep a component that the server has.
    async fn take(
        &self,
        host: &Arc<Host>,
        plugin: &PluginName,
        digest: Digest,
        before: Option<&Missing>,
    ) -> Result<Tended, ClusterError> {
        let Some(there) = self.shelf.get(digest).await? else {
            return Ok(Tended::Missing(Missing::gone(plugin.clone())));
        };
        Ok(match keep(host, digest, there).await {
            Ok(()) => Tended::Came,
            Err(why) => Tended::Missing(Missing::unkept(plugin.clone(), &why, before)),
        })
    }

    /// Note what came of looking after a component; whether it has come.
    fn take_in(&self, plugin: &PluginName, digest: Digest, tended: Tended) -> bool {
        let mut lacked = self.lacked.lock().unwrap_or_else(PoisonError::into_inner);
        match tended {
            Tended::Fine | Tended::Wait => false,
            Tended::Missing(why) => {
                lacked.insert(digest, why);
                false
            }
            Tended::Came => {
                lacked.remove(&digest);
                self.came().insert(digest, plugin.clone());
                true
            }
        }
    }

    /// The components that have come, until what they are for is in force.
    pub(super) fn came(&self) -> MutexGuard<'_, BTreeMap<Digest, PluginName>> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The components that this gateway's host keeps.
    async fn here(&self, host: &Arc<Host>) -> Result<BTreeSet<Digest>, ClusterError> {
        let host = Arc::clone(host);
        let listed = tokio::task::spawn_blocking(move || host.kept()).await;
        let listed = listed.map_err(io::Error::other).flatten();
        let listed = listed.map_err(|error| ClusterError::Refused(error.to_string()))?;
        Ok(listed.into_iter().collect())
    }

    /// Those of which the server has not all to stay.
    async fn lost(
        &self,
        host: &Host,
        named: &BTreeMap<Digest, PluginName>,
        here: &BTreeSet<Digest>,
    ) -> Result<BTreeSet<Digest>, ClusterError> {
        let mut wanted = Vec::new();
        for &digest in named.keys() {
            let [component, signature] = self.shelf.keys(digest);
            wanted.push(component);
            let is_signed = here.contains(&digest) && host.signature(digest).is_some();
            wanted.extend(is_signed.then_some(signature));
        }
        let lost = self.shelf.lacks(&wanted).await?;
        let is_lost = |digest: &Digest| {
            let keys = self.shelf.keys(*digest);
            keys.iter().any(|key| lost.contains(key))
        };
        Ok(named.keys().copied().filter(is_lost).collect())
    }

    /// Put back what the server has lost and this gateway has, get what it lacks, and have
    /// it follow anew where something has come.
    async fn tend(&self, control: &Control) -> Result<(), ClusterError> {
        let (Some(host), replica) = (self.host.get(), self.replica()) else {
            return Ok(());
        };
        let Some(head) = replica.head else {
            return Ok(());
        };
        let wanted = named(&replica.fields);
        let here = self.here(host).await?;
        let lost = self.lost(host, &wanted, &here).await?;
        for (&digest, plugin) in &wanted {
            let is_here = here.contains(&digest);
            let lost = lost.contains(&digest).then_some(&head.revision);
            let looking = self.look_after(host, (plugin, digest), is_here, lost);
            match looking.await {
                Ok(tended) => {
                    if self.take_in(plugin, digest, tended) {
                        self.follow_anew();
                        self.ahead.add([(plugin.clone(), digest)]);
                    }
                }
                // The others fare no worse for it, unless the server is away for all.
                Err(why) if self.connection.standing().is_connected() => {
                    tracing::warn!(%digest, "a component of {plugin} is not looked after: {why}");
                }
                Err(why) => return Err(why),
            }
        }
        // That took a while: what is named may be other components by now.
        let named = named(&self.replica().fields);
        let problem = {
            let mut lacked = self.lacked.lock().unwrap_or_else(PoisonError::into_inner);
            lacked.retain(|digest, _| named.contains_key(digest));
            problem(&lacked)
        };
        self.tell(control, About::Components, problem);
        Ok(())
    }

    /// The components that cannot be had, and why.
    fn lacked(&self) -> BTreeMap<Digest, Missing> {
        let lacked = self.lacked.lock().unwrap_or_else(PoisonError::into_inner);
        lacked.clone()
    }

    /// Put a component back, to stay while this is the state; whether it is whole here.
    async fn put_back(
        &self,
        plugin: &PluginName,
        digest: Digest,
        revision: &Revision,
    ) -> Result<bool, ClusterError> {
        let kept = match self.load(plugin.clone(), digest).await {
            Ok(kept) => kept,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
                return Ok(false);
            }
            Err(error) => return Err(ClusterError::Refused(error.to_string())),
        };
        self.put(digest, &kept).await?;
        let keys = self.shelf.keys(digest);
        // Where the state is another by now, it is looked at again.
        self.ledger.keep(revision, &keys).await?;
        Ok(true)
    }
}

/// Have a host keep a component that was fetched.
async fn keep(host: &Arc<Host>, digest: Digest, there: Kept) -> Result<(), String> {
    let host = Arc::clone(host);
    let keeping = tokio::task::spawn_blocking(move || {
        let signature = there.signature.as_deref();
        let signature = signature.and_then(|text| PluginSignature::parse(text).ok());
        let brought = Brought {
            component: &there.component,
            signature: signature.as_ref(),
        };
        host.keep(digest, &brought)
    });
    let kept = keeping.await.map_err(|error| error.to_string())?;
    kept.map_err(|error| error.to_string())
}

/// Look after them, for ever.
pub(super) async fn tend(control: &Arc<Control>, cluster: &Arc<Cluster>) {
    loop {
        time::sleep(TEND_EVERY.mul_f64(0.5 + fastrand::f64())).await;
        let is_there = cluster.connection.standing().is_connected();
        if !is_there || control.store.is_handed_over() {
            continue;
        }
        if let Err(error) = cluster.tend(control).await {
            tracing::warn!("the components of the cluster are not looked after: {error}");
        }
    }
}
