//! What is wrong with this gateway's part in the cluster while everything answers:
//! told once among the events and in the log, and shown for as long as it is so.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::Cluster;
use crate::control::Control;
use crate::events::Happened;

/// What it may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    /// The state is not followed.
    Following,
    /// Components are missing.
    Components,
    /// A change waits for the compiler.
    Compiling,
    /// Another gateway is called the same.
    Name,
    /// What plugins keep is not shared.
    Sharing,
}

impl About {
    /// How it is when nothing is wrong with it any more.
    fn mended(self) -> &'static str {
        match self {
            Self::Following => "its state is followed",
            Self::Components => "no component is missing",
            Self::Compiling => "no change waits for the compiler",
            Self::Name => "no other gateway is called the same",
            Self::Sharing => "what plugins keep is shared again",
        }
    }
}

/// What is wrong now.
#[derive(Debug, Default)]
pub(super) struct Problems(Mutex<BTreeMap<About, String>>);

impl Problems {
    /// What is wrong with this is that, or nothing any more; whether that is news.
    fn put(&self, about: About, problem: Option<&str>) -> bool {
        let mut problems = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match problem {
            Some(problem) => problems.insert(about, problem.to_owned()),
            None => problems.remove(&about),
        };
        before.as_deref() != problem
    }
}

impl Cluster {
    /// What is wrong now, in sentences.
    pub(crate) fn problems(&self) -> Vec<String> {
        let problems = self.problems.0.lock();
        let problems = problems.unwrap_or_else(PoisonError::into_inner);
        problems.values().cloned().collect()
    }

    /// What is wrong with this is that, or nothing any more.
    pub(crate) fn tell(&self, control: &Control, about: About, problem: Option<String>) {
        if !self.problems.put(about, problem.as_deref()) {
            return;
        }
        match problem {
            Some(problem) => control.events.push(Happened::Cluster(problem)),
            None => {
                let mended = about.mended();
                tracing::info!("what was wrong with the cluster is over: {mended}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{About, Problems};

    #[test]
    fn what_goes_on_is_told_once() {
        let problems = Problems::default();
        assert!(!problems.put(About::Following, None));
        assert!(problems.put(About::Following, Some("a")));
        assert!(!problems.put(About::Following, Some("a")));
        assert!(problems.put(About::Following, Some("b")));
        assert!(problems.put(About::Following, None));
    }
}
