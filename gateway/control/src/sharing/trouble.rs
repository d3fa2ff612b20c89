//! What keeps a gateway from sharing although the server is there: a problem once it
//! lasts, until it is over.

use gatewright_cluster::Failure;

/// So many exchanges in a row have to fail: a server that goes away fails one before that
/// is known.
const LASTS: u32 = 2;

/// How it stands with it.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    failed: u32,
    /// The keys that were told to be in the way, none of them where there is another reason.
    told: Option<Vec<String>>,
}

impl Trouble {
    /// An exchange has succeeded. Returns whether that ends what was told.
    pub(super) fn ends(&mut self) -> bool {
        std::mem::take(self).told.is_some()
    }

    /// The server is away. What was told may be so when it is back.
    pub(super) fn pauses(&mut self) {
        self.failed = 0;
    }

    /// An exchange has failed, with these keys in its way. Returns what is to be told, which
    /// names the key by which gateways know that they have to tell all anew.
    pub(super) fn goes_on(
        &mut self,
        failure: &Failure,
        misused: Vec<String>,
        meta: &str,
    ) -> Option<String> {
        self.failed = self.failed.saturating_add(1);
        // What has one cause may be worded otherwise each time.
        if self.failed < LASTS || self.told.as_ref() == Some(&misused) {
            return None;
        }
        let why = match misused.is_empty() {
            true => failure.to_string(),
            false => in_the_way(&misused, meta),
        };
        self.told = Some(misused);
        Some(format!(
            "what plugins keep is not shared with other gateways, and each goes by what it has: \
             {why}"
        ))
    }
}

fn in_the_way(misused: &[String], meta: &str) -> String {
    let mut gone: Vec<&str> = misused.iter().map(String::as_str).collect();
    if !gone.contains(&meta) {
        gone.push(meta);
    }
    format!(
        "in the cluster's server, something else has written {}, as another type than gateways \
         do; delete it there (DEL {}), and the gateways give back what they have",
        misused.join(" and "),
        gone.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::{Failure, Trouble};

    #[test]
    fn what_lasts_is_told_once_with_its_remedy_until_it_is_over() {
        let failure = Failure::Refused("no".to_owned());
        let misused = || vec!["p:items".to_owned()];
        let mut trouble = Trouble::default();
        for _ in 0..2 {
            assert!(!trouble.ends());
            assert!(trouble.goes_on(&failure, misused(), "p:meta").is_none());
            let told = trouble.goes_on(&failure, misused(), "p:meta").unwrap();
            assert!(told.contains("DEL p:items p:meta"), "{told}");
            assert!(trouble.goes_on(&failure, misused(), "p:meta").is_none());
            // It has another reason now.
            let told = trouble.goes_on(&failure, Vec::new(), "p:meta").unwrap();
            assert!(told.ends_with(": no"), "{told}");
            assert!(trouble.ends());
        }
    }

    #[test]
    fn a_server_that_goes_away_is_no_problem_of_this_kind() {
        let failure = Failure::Unanswered("late".to_owned());
        let mut trouble = Trouble::default();
        for _ in 0..3 {
            assert!(trouble.goes_on(&failure, Vec::new(), "p:meta").is_none());
            trouble.pauses();
        }
        assert!(!trouble.ends());
    }
}
