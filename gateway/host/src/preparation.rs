//! The making of a plan: who sits where, who stays, who is new.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gatewright_model::config;
use gatewright_model::id::{Digest, PluginName, PolicyName, PoolName};
use gatewright_model::pool::Pool;
use gatewright_model::role::{Grant, Role};
use gatewright_model::snapshot::Snapshot;

use crate::admission::Refusal;
use crate::binding::{Binding, Estate, Part, Place, Terms};
use crate::drafts::{Draft, Drafts, SeatDraft};
use crate::host::Host;
use crate::instance::{Assignment, Budget, Instance};
use crate::library::is_default;
use crate::plan::{Plan, PrepareError, Prepared};
use crate::remembered::Remembered;
use crate::sessions::Sessions;
use crate::trial;
use crate::version::Version;

/// A kept instance that took longer than this to be prepared is replaced,
/// rather than updated between two requests, when its pool's table changed.
const LONG: Duration = Duration::from_millis(1);

/// One preparation.
pub(crate) struct Preparation<'a> {
    host: &'a Host,
    snapshot: &'a Arc<Snapshot>,
    previous: Option<&'a Plan>,
    versions: HashMap<(PluginName, Option<Digest>), Arc<Version>>,
    plan: Plan,
    /// Whether nothing of it is to be put in force: then what is new gets sessions
    /// and values that are thrown away, and those that are there stay as they are.
    is_rehearsal: bool,
}

impl<'a> Preparation<'a> {
    pub(crate) fn new(
        host: &'a Host,
        snapshot: &'a Arc<Snapshot>,
        previous: Option<&'a Plan>,
    ) -> Self {
        Self {
            host,
            snapshot,
            previous,
            versions: HashMap::new(),
            plan: Plan::default(),
            is_rehearsal: false,
        }
    }

    pub(crate) fn run(mut self) -> Result<Prepared, PrepareError> {
        let drafts = self.drafts()?;
        let active = self.plan.bindings.iter();
        let active = active.filter(|binding| binding.part() == Part::Active);
        self.host.library.seated(active);
        Ok(Prepared {
            plan: self.plan,
            chains: drafts.chains(self.host.workers),
        })
    }

    /// Do all of it and keep nothing.
    pub(crate) fn rehearse(mut self) -> Result<(), PrepareError> {
        self.is_rehearsal = true;
        self.drafts().map(drop)
    }

    fn drafts(&mut self) -> Result<Drafts, PrepareError> {
        let config = Arc::clone(&self.snapshot.config);
        let (mut policies, mut finishers) = (Vec::new(), Vec::new());
        for policy in &config.policies {
            let draft = self.draft(&policy.binding, None, Some(&policy.name))?;
            match draft.active.binding.role() {
                Role::ResponsePolicy => finishers.push(draft),
                _ => policies.push((draft, policy.on_fault)),
            }
        }
        let router = self.draft(&config.router, None, None)?;
        let mut pools = Vec::new();
        for pool in &Arc::clone(self.snapshot).pools {
            self.enter_pool(pool);
            let affinity = pool.config.affinity.as_ref();
            let affinity = affinity
                .map(|binding| self.draft(binding, Some(pool), None))
                .transpose()?;
            let balancer = self.draft(&pool.config.balancer, Some(pool), None)?;
            pools.push((affinity, balancer));
        }
        Ok(Drafts {
            policies,
            finishers,
            router,
            pools,
        })
    }

    fn enter_pool(&mut self, pool: &Pool) {
        let name = &pool.name;
        let sessions = match self.is_rehearsal {
            true => Arc::default(),
            false => self.sessions(pool),
        };
        self.plan.sessions.insert(name.clone(), sessions);
        self.plan.tables.insert(name.clone(), pool.table_version);
    }

    /// A pool's sessions, of the servers that it has now.
    fn sessions(&self, pool: &Pool) -> Arc<Sessions> {
        let kept = self.previous.and_then(|plan| plan.sessions(&pool.name));
        let sessions = kept.map_or_else(|| self.remembered_sessions(pool), Arc::clone);
        let now = self.host.now();
        sessions.sweep(pool, now);
        sessions.seat_waiting(pool, now);
        sessions
    }

    /// A pool's sessions as they outlived the process before this one.
    fn remembered_sessions(&self, pool: &Pool) -> Arc<Sessions> {
        let sessions = Sessions::new(&self.host.shared.spread());
        let sessions = sessions.sharing(self.host.shared.replica());
        if let Some(remembered) = self.remembered() {
            remembered.give_sessions(&sessions, pool, self.host.now());
        }
        Arc::new(sessions)
    }

    /// What outlived the process before this one, for the first plan of all.
    fn remembered(&self) -> Option<Arc<Remembered>> {
        match self.previous {
            Some(_) => None,
            None => self.host.remembered(),
        }
    }

    /// All versions that the configuration wants in a seat.
    fn draft(
        &mut self,
        binding: &config::Binding,
        pool: Option<&Arc<Pool>>,
        policy: Option<&PolicyName>,
    ) -> Result<SeatDraft, PrepareError> {
        let mut place = Place {
            role: binding.role,
            pool: pool.map(|pool| pool.name.clone()),
            plugin: binding.plugin.clone(),
            policy: policy.cloned(),
            part: Part::Active,
        };
        let active = self.active(&mut place, binding, pool);
        let active = active.map_err(|refusal| PrepareError {
            place: place.clone(),
            refusal,
        })?;
        let mut beside = |part, version: Option<Digest>| match version {
            None => Ok(None),
            Some(version) => {
                let place = Place {
                    part,
                    ..place.clone()
                };
                let draft = self.beside(&place, binding, version, pool);
                draft.map_err(|refusal| PrepareError { place, refusal })
            }
        };
        let canary = beside(Part::Canary, binding.canary.map(|canary| canary.version))?;
        let shadow = beside(Part::Shadow, binding.shadow.map(|shadow| shadow.version))?;
        Ok(SeatDraft {
            active,
            canary: canary.zip(binding.canary.map(|canary| canary.percent)),
            shadow: shadow.zip(binding.shadow.map(|shadow| shadow.sample)),
        })
    }

    /// Seat the version that is to decide, or what stands in for it.
    fn active(
        &mut self,
        place: &mut Place,
        binding: &config::Binding,
        pool: Option<&Arc<Pool>>,
    ) -> Result<Draft, Refusal> {
        let version = self.version(&binding.plugin, binding.version)?;
        place.role = version.role_as(binding.role);
        let terms = self.terms(place.clone(), binding, &version);
        let draft = match self.host.shared.is_quarantined(&terms) {
            true => self.stand_in(terms, version, pool),
            false => self.seat(terms, version, pool, None)?,
        };
        self.plan.bindings.push(Arc::clone(&draft.binding));
        Ok(draft)
    }

    /// Seat a version beside the one that decides; one that was quarantined
    /// there is left out.
    fn beside(
        &mut self,
        place: &Place,
        binding: &config::Binding,
        version: Digest,
        pool: Option<&Arc<Pool>>,
    ) -> Result<Option<Draft>, Refusal> {
        let version = self.version(&binding.plugin, Some(version))?;
        let terms = self.terms(place.clone(), binding, &version);
        if self.host.shared.is_quarantined(&terms) {
            return Ok(None);
        }
        let draft = self.seat(terms, version, pool, None)?;
        self.plan.bindings.push(Arc::clone(&draft.binding));
        Ok(Some(draft))
    }

    /// Each file is read once in a preparation, so that all its seats get the
    /// same version.
    fn version(
        &mut self,
        plugin: &PluginName,
        digest: Option<Digest>,
    ) -> Result<Arc<Version>, Refusal> {
        let wanted = (plugin.clone(), digest);
        if let Some(version) = self.versions.get(&wanted) {
            return Ok(Arc::clone(version));
        }
        let source = self.snapshot.config.plugins.get(plugin);
        let keys = &self.snapshot.config.admin.plugin_keys;
        let library = &self.host.library;
        let version = library.version(plugin, source, digest, keys)?;
        self.versions.insert(wanted, Arc::clone(&version));
        Ok(version)
    }

    fn terms(&self, place: Place, binding: &config::Binding, version: &Version) -> Terms {
        let source = self.snapshot.config.plugins.get(&binding.plugin);
        let grants = match source {
            // The default set is ours, and may do what there is to do.
            _ if is_default(&binding.plugin, version.digest) => Grant::ALL.to_vec(),
            None => Vec::new(),
            Some(source) => source.grants.clone(),
        };
        Terms {
            version: version.digest,
            config: Arc::clone(&binding.config),
            deadline: binding.deadline,
            cpu_share: binding.cpu_share,
            grants,
            memory: source.map_or(config::USUAL_MEMORY.0, |source| source.memory),
            pools: self.pools_for(version),
            place,
        }
    }

    fn pools_for(&self, version: &Version) -> Vec<PoolName> {
        match version.imports.pools {
            true => self
                .snapshot
                .pools
                .iter()
                .map(|pool| pool.name.clone())
                .collect(),
            false => Vec::new(),
        }
    }

    /// The latest other version that works here; if there is none, the
    /// quarantined one keeps the seat and is never asked.
    fn stand_in(&self, terms: Terms, version: Arc<Version>, pool: Option<&Arc<Pool>>) -> Draft {
        let others = self.host.library.others(&terms.place, version.digest);
        for other in others {
            let other_terms = Terms {
                version: other.digest,
                pools: self.pools_for(&other),
                ..terms.clone()
            };
            if self.host.shared.is_quarantined(&other_terms) {
                continue;
            }
            match self.seat(other_terms, other, pool, Some(version.digest)) {
                Ok(draft) => return draft,
                Err(refusal) => {
                    tracing::warn!(place = %terms.place, %refusal, "an earlier version does not fit");
                }
            }
        }
        let binding = self.kept(&terms, None).unwrap_or_else(|| {
            let binding = self.binding(terms, version, None);
            binding.quarantine();
            Arc::new(binding)
        });
        Draft {
            binding,
            pool: pool.cloned(),
            instances: Vec::new(),
        }
    }

    fn seat(
        &self,
        terms: Terms,
        version: Arc<Version>,
        pool: Option<&Arc<Pool>>,
        stands_in_for: Option<Digest>,
    ) -> Result<Draft, Refusal> {
        let kept = self.kept(&terms, stands_in_for);
        let goes_on = kept
            .as_ref()
            .is_some_and(|kept| !self.needs_fresh(kept, pool));
        let binding = match kept {
            // Its instances would be told of what is not in force.
            Some(_) if self.is_rehearsal && !goes_on => {
                Arc::new(self.binding(terms, version, stands_in_for))
            }
            Some(kept) => kept,
            None => {
                admit(&terms, &version)?;
                self.trust(&terms)?;
                let tried = self.binding(terms.clone(), Arc::clone(&version), None);
                trial::hold(tried, self.snapshot, pool)?;
                Arc::new(self.binding(terms, version, stands_in_for))
            }
        };
        let workers = if goes_on { 0 } else { self.host.workers };
        let instances = (0..workers).map(|worker| {
            let assignment = Assignment {
                binding: Arc::clone(&binding),
                worker,
                snapshot: Arc::clone(self.snapshot),
                pool: pool.cloned(),
                recording: None,
            };
            Instance::prepare(&assignment, Budget::PREPARATION)
        });
        Ok(Draft {
            instances: instances.collect::<Result<_, _>>()?,
            pool: pool.cloned(),
            binding,
        })
    }

    /// Refuse what nobody has signed who is trusted. What is in its seat already
    /// may go on there in other terms: keys are for what comes.
    fn trust(&self, terms: &Terms) -> Result<(), Refusal> {
        let keys = &self.snapshot.config.admin.plugin_keys;
        let before = self.previous.and_then(|plan| plan.at(&terms.place));
        let goes_on = before.is_some_and(|before| before.version() == terms.version);
        if keys.is_empty() || goes_on || is_default(&terms.place.plugin, terms.version) {
            return Ok(());
        }
        let signed = self.host.library.signer(terms.version, keys);
        signed.map(drop).map_err(|why| Refusal::unsigned(why, keys))
    }

    /// The binding of the plan before that is the very same.
    fn kept(&self, terms: &Terms, stands_in_for: Option<Digest>) -> Option<Arc<Binding>> {
        let binding = self.previous?.at(&terms.place)?;
        let same = binding.terms == *terms && binding.stands_in_for == stands_in_for;
        same.then(|| Arc::clone(binding))
    }

    /// Whether a kept binding's instances would take long to learn what is new.
    fn needs_fresh(&self, binding: &Binding, pool: Option<&Arc<Pool>>) -> bool {
        let Some(pool) = pool else {
            return false;
        };
        let told = self.previous.and_then(|plan| plan.tables.get(&pool.name));
        told != Some(&pool.table_version)
            && binding.preparation().is_none_or(|duration| duration > LONG)
    }

    fn binding(
        &self,
        terms: Terms,
        version: Arc<Version>,
        stands_in_for: Option<Digest>,
    ) -> Binding {
        let estate = self.estate(&terms.place);
        let sessions = terms.place.pool.as_ref();
        let sessions: Option<Arc<Sessions>> = sessions
            .and_then(|pool| self.plan.sessions.get(pool))
            .cloned();
        let shared = Arc::clone(&self.host.shared);
        let estate = (estate, sessions);
        let mut binding = Binding::new(terms, version, estate, shared, self.host.workers);
        binding.stands_in_for = stands_in_for;
        binding.on_trial = self.is_rehearsal;
        binding
    }
}

impl Preparation<'_> {
    /// What a place keeps: a canary shares with the one that it stands beside,
    /// a shadow only sees what that one has.
    fn estate(&self, place: &Place) -> Arc<Estate> {
        if self.is_rehearsal {
            return Arc::default();
        }
        let before = self.previous.and_then(|plan| plan.at(place));
        if let Some(before) = before {
            return Arc::clone(&before.estate);
        }
        let active = Place {
            part: Part::Active,
            ..place.clone()
        };
        match (place.part, self.plan.at(&active)) {
            (Part::Canary, Some(active)) => Arc::clone(&active.estate),
            (Part::Shadow, Some(active)) => Arc::new(Estate::over(&active.estate)),
            (Part::Active, _) => {
                let estate = Estate::new(self.host.shared.spread());
                let estate = estate.sharing(self.host.shared.replica());
                if let Some(remembered) = self.remembered() {
                    remembered.give_values(&estate.space, place, self.host.now());
                }
                Arc::new(estate)
            }
            _ => Arc::new(Estate::new(self.host.shared.spread())),
        }
    }
}

fn admit(terms: &Terms, version: &Version) -> Result<(), Refusal> {
    version.within(&terms.grants, &terms.place.plugin)?;
    match version.has_role(terms.place.role) {
        true => Ok(()),
        false => Err(Refusal::wrong_role(terms.place.role, &version.exports())),
    }
}
