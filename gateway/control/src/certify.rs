//! The battery before a promotion: a balancer's version is judged by simulation
//! before it decides for all, where the operator wants that.
//!
//! Who judges is handed in at the start, since simulation is no business of the
//! control plane. It runs aside, while nothing waits but who asked. What was judged
//! once with a configuration is not judged again.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use gatewright_model::config::{Certify, Config};
use gatewright_model::id::{Digest, PluginName};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::change::{Edit, Refusal};
use crate::control::{Control, edit};
use crate::events::Happened;

/// Verdicts that are remembered; the oldest is forgotten for one more.
const REMEMBERED: usize = 64;

/// A version that is to be judged.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The component.
    pub component: Vec<u8>,
    /// What it is to be configured with.
    pub config: Map<String, Value>,
    /// The most memory that an instance may have, in bytes.
    pub memory: u64,
}

/// What would decide for all: a version, and what it decides by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Contender {
    pub(crate) plugin: PluginName,
    pub(crate) version: Digest,
    /// The plugin's own configuration.
    pub(crate) config: Map<String, Value>,
    /// The most memory that an instance may have, in bytes.
    pub(crate) memory: u64,
}

/// The required verdicts that are not passed, each as one line; an error is why
/// there is no verdict. It may take minutes, on a thread that may wait.
pub type Judge = dyn Fn(&Candidate) -> Result<Vec<String>, String> + Send + Sync;

/// What a verdict is on: a version, with its configuration as text and its memory.
type Case = (Digest, String, u64);

/// Who judges, and what was judged.
#[derive(Default)]
pub(crate) struct Battery {
    judge: Option<Arc<Judge>>,
    /// One at a time: each takes a core.
    turn: Arc<Mutex<()>>,
    /// The oldest first.
    judged: StdMutex<VecDeque<(Case, Vec<String>)>>,
}

impl fmt::Debug for Battery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Battery").finish_non_exhaustive()
    }
}

impl Battery {
    pub(crate) fn of(judge: Option<Arc<Judge>>) -> Self {
        Self {
            judge,
            ..Self::default()
        }
    }

    fn known(&self, case: &Case) -> Option<Vec<String>> {
        let judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        let mut judged = judged.iter();
        judged.find_map(|(of, failed)| (of == case).then(|| failed.clone()))
    }

    fn remember(&self, case: Case, failed: &[String]) {
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        if judged.len() == REMEMBERED {
            judged.pop_front();
        }
        judged.push_back((case, failed.to_vec()));
    }
}

impl Control {
    /// What becomes of a balancer that does not pass, by a configuration: nobody
    /// looks where there is nobody who could.
    pub(crate) fn certifies(&self, config: &Config) -> Certify {
        match self.battery.judge {
            Some(_) => config.admin.certify_balancers,
            None => Certify::Off,
        }
    }

    /// Judge a balancer's version that is to decide by an edit, if the operator
    /// wants that: what speaks against it, where it may decide all the same.
    ///
    /// # Errors
    ///
    /// When it cannot be had as it is configured, or has to pass and does not.
    pub(crate) async fn certify(
        self: &Arc<Self>,
        wanted: Certify,
        contender: &Contender,
        change: Edit,
    ) -> Result<Option<String>, Refusal> {
        let (plugin, version) = (&contender.plugin, contender.version);
        if wanted == Certify::Off || is_default(plugin, version) {
            return Ok(None);
        }
        let Some(judge) = self.battery.judge.clone() else {
            return Ok(None);
        };
        // A mistake in its configuration is told as that, and at once.
        self.rehearse(change).await?;
        let outcome = self.judged(judge, contender).await;
        let why = match outcome {
            Ok(failed) if failed.is_empty() => return Ok(None),
            Ok(failed) => format!(
                "{plugin} {} fails the battery: {}",
                version.short(),
                failed.join("; ")
            ),
            Err(why) => format!("{plugin} {} could not be certified: {why}", version.short()),
        };
        match wanted {
            Certify::Require => {
                let why = format!(
                    "{why}; see `gatewright plugin certify`, or set admin.certify_balancers"
                );
                self.note_refused(why.clone());
                Err(Refusal::Conflict(why))
            }
            Certify::Warn | Certify::Off => {
                self.events.push(Happened::Uncertified(why.clone()));
                Ok(Some(why))
            }
        }
    }

    /// Find out whether a change could be put in force, and note that it was refused
    /// if it could not.
    async fn rehearse(&self, change: Edit) -> Result<(), Refusal> {
        let (desired, edits) = (self.desired(), [change]);
        let draft = desired.with(edit(&desired, &edits), &edits).await?;
        let outcome = self.publisher.rehearse(&draft.wanted).await;
        outcome.map_err(|error| {
            let error = error.without_places();
            self.note_refused(error.to_string());
            Refusal::from(error)
        })
    }

    /// Who waits for the turn may give up; what has begun goes on to its end without
    /// who asked, and is remembered, so that no second one runs beside it.
    async fn judged(
        self: &Arc<Self>,
        judge: Arc<Judge>,
        contender: &Contender,
    ) -> Result<Vec<String>, String> {
        let turn = Arc::clone(&self.battery.turn).lock_owned().await;
        let version = contender.version;
        let config = Value::from(contender.config.clone()).to_string();
        let case = (version, config, contender.memory);
        if let Some(known) = self.battery.known(&case) {
            return Ok(known);
        }
        let host = Arc::clone(self.publisher.host());
        let (control, contender) = (Arc::clone(self), contender.clone());
        let judging = tokio::spawn(async move {
            let _turn = turn;
            let judging = tokio::task::spawn_blocking(move || {
                let component = host.component(&contender.plugin, version);
                judge(&Candidate {
                    component: component.map_err(|error| error.to_string())?,
                    config: contender.config,
                    memory: contender.memory,
                })
            });
            let failed = judging.await.map_err(|error| error.to_string())??;
            control.battery.remember(case, &failed);
            Ok::<_, String>(failed)
        });
        judging.await.map_err(|error| error.to_string())?
    }
}

/// The default set has nothing to prove.
fn is_default(plugin: &PluginName, version: Digest) -> bool {
    let mut defaults = gatewright_host::defaults().iter();
    defaults.any(|one| one.name == plugin.as_str() && one.digest() == version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_counts_for_what_was_judged_alone() {
        let battery = Battery::default();
        let case = (Digest([1; 32]), "{}".to_owned(), 1 << 20);
        battery.remember(case.clone(), &[]);
        assert_eq!(battery.known(&case), Some(Vec::new()));
        let (version, config, memory) = case;
        for other in [
            (Digest([2; 32]), config.clone(), memory),
            (version, r#"{"zone":"a"}"#.to_owned(), memory),
            (version, config, memory / 2),
        ] {
            assert_eq!(battery.known(&other), None);
        }
    }

    #[test]
    fn the_oldest_verdict_is_forgotten_first() {
        let battery = Battery::default();
        let case = |memory: usize| (Digest([1; 32]), "{}".to_owned(), memory as u64);
        for memory in 0..=REMEMBERED {
            battery.remember(case(memory), &[]);
        }
        assert_eq!(battery.known(&case(0)), None);
        for memory in 1..=REMEMBERED {
            assert!(battery.known(&case(memory)).is_some(), "{memory}");
        }
    }
}
