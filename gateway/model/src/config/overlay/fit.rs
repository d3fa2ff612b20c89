//! Reading a document with as much of an overlay as fits.

use super::{Key, Overlay, Override};
use crate::config::declared::Declared;
use crate::config::environment::Environment;
use crate::config::error::ConfigErrors;
use crate::config::meant::Config;
use crate::config::places::Places;

/// An override that is not in force, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its key.
    pub key: Key,
    /// What is wrong with it.
    pub reason: String,
}

/// What files declare and an overlay changes, as far as it fits.
#[derive(Debug)]
pub struct Fitted {
    /// What both together mean.
    pub config: Config,
    /// Where the keys stand.
    pub places: Places,
    /// The overrides that do not fit.
    pub left_out: Vec<LeftOut>,
}

impl Declared {
    /// What the files mean with as many of an overlay's overrides as fit.
    ///
    /// # Errors
    /// What is wrong with the files themselves.
    pub fn fit(
        &self,
        overlay: &Overlay,
        environment: &Environment,
    ) -> Result<Fitted, ConfigErrors> {
        if let Ok((config, places)) = self.mean(overlay, environment) {
            return Ok(Fitted {
                config,
                places,
                left_out: Vec::new(),
            });
        }
        // What is wrong without any override is the files' own.
        self.mean(&Overlay::default(), environment)?;
        let mut fitting = Fitting {
            declared: self,
            environment,
            kept: Overlay::default(),
            left_out: Vec::new(),
        };
        let all = overlay
            .iter()
            .map(|(key, held)| (key.clone(), held.clone()));
        fitting.run(all.collect());
        let (config, places) = self.mean(&fitting.kept, environment)?;
        Ok(Fitted {
            config,
            places,
            left_out: fitting.left_out,
        })
    }
}

/// What has been found to fit so far, and what has not.
struct Fitting<'a> {
    declared: &'a Declared,
    environment: &'a Environment,
    kept: Overlay,
    left_out: Vec<LeftOut>,
}

impl Fitting<'_> {
    /// Try until nothing more fits: an override may need another one that comes
    /// after it, as the removal of a pool's last server needs a new server.
    fn run(&mut self, mut candidates: Vec<(Key, Override)>) {
        loop {
            self.left_out.clear();
            let before = self.kept.0.len();
            self.add(&candidates);
            if self.left_out.is_empty() || self.kept.0.len() == before {
                return;
            }
            candidates.retain(|(key, _)| self.left_out.iter().any(|left| left.key == *key));
        }
    }

    /// Keep what fits of some overrides, halving them where not all do.
    fn add(&mut self, candidates: &[(Key, Override)]) {
        let mut together = self.kept.clone();
        together.0.extend(candidates.iter().cloned());
        match self.declared.mean(&together, self.environment) {
            Ok(_) => self.kept = together,
            Err(errors) => match candidates {
                [] => {}
                [(key, _)] => self.left_out.push(LeftOut {
                    key: key.clone(),
                    reason: errors.to_string(),
                }),
                _ => {
                    let (first, second) = candidates.split_at(candidates.len() / 2);
                    self.add(first);
                    self.add(second);
                }
            },
        }
    }
}
