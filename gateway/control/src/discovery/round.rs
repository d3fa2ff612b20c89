//! One look-up of everything that a pool names.

use std::net::IpAddr;
use std::sync::Arc;

use gatewright_model::config::Dns;
use tokio::task::JoinSet;

use super::answers::{Answers, Notes};
use super::asker::{Asker, Family, Outcome};

/// Hosts that are asked for at once: a bound on the sockets of a pool's look-up.
const MOST_AT_ONCE: usize = 32;

/// Ask for all that a pool names, and take what is answered into what was known.
pub(super) async fn look_up(dns: &Dns, answers: &mut Answers) -> Notes {
    let mut notes = Notes::default();
    let asker = match Asker::new(dns) {
        Ok(asker) => asker,
        Err(reason) => {
            notes.failed("resolv.conf", &reason);
            return notes;
        }
    };
    if let Some(name) = &dns.srv {
        let outcome = asker.targets(name).await;
        answers.take_targets(name, outcome, &mut notes);
    }
    let mut asked = JoinSet::new();
    for host in answers.hosts(dns) {
        if asked.len() == MOST_AT_ONCE {
            take(asked.join_next().await, answers, &mut notes);
        }
        asked.spawn(addresses(asker.clone(), host));
    }
    while !asked.is_empty() {
        take(asked.join_next().await, answers, &mut notes);
    }
    answers.keep(dns);
    // In one order, so that the same failures read the same.
    notes.failures.sort_unstable();
    notes
}

/// A host and what its addresses were found to be in either version.
type Host = (Arc<str>, (Outcome<IpAddr>, Outcome<IpAddr>));

async fn addresses(asker: Asker, host: Arc<str>) -> Host {
    let outcomes = tokio::join!(
        asker.addresses(&host, Family::V4),
        asker.addresses(&host, Family::V6)
    );
    (host, outcomes)
}

fn take(
    joined: Option<Result<Host, tokio::task::JoinError>>,
    answers: &mut Answers,
    notes: &mut Notes,
) {
    match joined {
        Some(Ok((host, outcomes))) => answers.take_addresses(&host, outcomes, notes),
        Some(Err(error)) => notes.failed("a look-up", &error.to_string()),
        None => {}
    }
}
