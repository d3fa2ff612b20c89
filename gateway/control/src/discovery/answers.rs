//! What names were found to be, and what servers that makes: pure functions of
//! the answers.
//!
//! Servers never go because nobody answered. A question without a usable answer
//! keeps the last one it had, and a name that has no address any more keeps
//! those that it had.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gatewright_model::config::{Dns, FoundServer};

use super::asker::{Family, Outcome, Target};

/// The most targets of SRV records, and addresses of a host, that are looked at:
/// far more than serve one pool.
const MOST_TARGETS: usize = 256;
const MOST_ADDRESSES: usize = 1024;

/// What the names of a pool were last found to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answers {
    addresses: BTreeMap<Arc<str>, Addresses>,
    /// Those of the lowest priority.
    targets: Vec<Target>,
}

/// The addresses of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Addresses {
    v4: Vec<IpAddr>,
    v6: Vec<IpAddr>,
}

/// What was noted while answers came in.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// How long all that was found holds; none before anything was.
    pub(super) ttl: Option<Duration>,
    /// What was not found, and why.
    pub(super) failures: Vec<String>,
}

impl Notes {
    fn found(&mut self, ttl: Duration) {
        self.ttl = Some(self.ttl.map_or(ttl, |known| known.min(ttl)));
    }

    pub(super) fn failed(&mut self, name: &str, reason: &str) {
        self.failures.push(format!("{name}: {reason}"));
    }
}

impl Answers {
    /// Take in what SRV records were found to be.
    pub(super) fn take_targets(&mut self, name: &str, outcome: Outcome<Target>, notes: &mut Notes) {
        match outcome {
            Outcome::Found(targets, ttl) => {
                notes.found(ttl);
                self.targets = lowest_priority(targets);
                if self.targets.len() > MOST_TARGETS {
                    self.targets.truncate(MOST_TARGETS);
                    notes.failed(
                        name,
                        "it has more than 256 targets, the others are left out",
                    );
                }
            }
            Outcome::Nothing(reason) | Outcome::Failed(reason) => notes.failed(name, &reason),
        }
    }

    /// Take in what a host's addresses were found to be, in either version.
    pub(super) fn take_addresses(
        &mut self,
        host: &Arc<str>,
        (v4, v6): (Outcome<IpAddr>, Outcome<IpAddr>),
        notes: &mut Notes,
    ) {
        if let (Outcome::Nothing(reason), Outcome::Nothing(_)) = (&v4, &v6) {
            return notes.failed(host, reason);
        }
        let known = self.addresses.entry(Arc::clone(host)).or_default();
        for (outcome, known, family) in [
            (v4, &mut known.v4, Family::V4),
            (v6, &mut known.v6, Family::V6),
        ] {
            match outcome {
                Outcome::Found(mut addresses, ttl) => {
                    notes.found(ttl);
                    // The same server, however its address is written.
                    addresses
                        .iter_mut()
                        .for_each(|one| *one = one.to_canonical());
                    // Nobody can be reached by the others.
                    addresses.retain(|one| !one.is_unspecified() && !one.is_multicast());
                    addresses.truncate(MOST_ADDRESSES);
                    *known = addresses;
                }
                // The other version may have some.
                Outcome::Nothing(_) => known.clear(),
                Outcome::Failed(reason) => {
                    notes.failed(host, &format!("{} record: {reason}", family.record()));
                }
            }
        }
    }

    /// The hosts whose addresses are asked for.
    pub(super) fn hosts(&self, dns: &Dns) -> Vec<Arc<str>> {
        let named = dns.names.iter().map(|(host, _)| host);
        let targets = self.targets.iter().map(|target| &target.host);
        let mut hosts: Vec<_> = named.chain(targets).cloned().collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// Forget what is asked for no more.
    pub(super) fn keep(&mut self, dns: &Dns) {
        if dns.srv.is_none() {
            self.targets.clear();
        }
        let hosts = self.hosts(dns);
        self.addresses
            .retain(|host, _| hosts.binary_search(host).is_ok());
    }

    /// The servers that they make, in the order of their addresses, each once.
    pub(super) fn servers(&self, dns: &Dns) -> Vec<FoundServer> {
        let named = dns.names.iter().map(|(host, port)| (host, *port, None));
        let targets = self.targets.iter();
        let targets = targets.map(|target| (&target.host, target.port, Some(target.weight)));
        let all = named.chain(targets).flat_map(|(host, port, weight)| {
            let known = self.addresses.get(host);
            let addresses = known.into_iter().flat_map(|a| a.v4.iter().chain(&a.v6));
            addresses.map(move |address| FoundServer {
                address: SocketAddr::new(*address, port),
                // Of weight 0 is what hardly ever takes work; here it would be
                // what never does.
                weight: weight.map(|weight| weight.max(1)),
            })
        });
        let mut servers: Vec<_> = all.collect();
        // The largest weight comes first, and stays.
        servers.sort_unstable_by(|a, b| (a.address, b.weight).cmp(&(b.address, a.weight)));
        servers.dedup_by_key(|server| server.address);
        servers
    }
}

impl Family {
    fn record(self) -> &'static str {
        match self {
            Self::V4 => "A",
            Self::V6 => "AAAA",
        }
    }
}

/// The targets that are to be tried first (RFC 2782): those of other priorities
/// are for when none of these can be reached, which is the health checks' to
/// find out and no reason to send them work.
fn lowest_priority(mut targets: Vec<Target>) -> Vec<Target> {
    let lowest = targets.iter().map(|target| target.priority).min();
    targets.retain(|target| Some(target.priority) == lowest);
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(30);

    fn dns(names: &[(&str, u16)], srv: Option<&str>) -> Dns {
        let names = names.iter();
        Dns {
            names: names
                .map(|(host, port)| (Arc::from(*host), *port))
                .collect(),
            srv: srv.map(Arc::from),
            nameservers: Vec::new(),
            min_ttl: Duration::from_secs(1),
            max_ttl: Duration::from_secs(300),
        }
    }

    fn found(addresses: &[&str]) -> Outcome<IpAddr> {
        let addresses = addresses.iter().map(|text| text.parse().unwrap());
        Outcome::Found(addresses.collect(), TTL)
    }

    fn nothing<T>() -> Outcome<T> {
        Outcome::Nothing("none".to_owned())
    }

    fn failed<T>() -> Outcome<T> {
        Outcome::Failed("silence".to_owned())
    }

    fn target(host: &str, port: u16, priority: u16, weight: u16) -> Target {
        Target {
            host: Arc::from(host),
            port,
            priority,
            weight,
        }
    }

    fn texts(servers: &[FoundServer]) -> Vec<String> {
        let text = |server: &FoundServer| match server.weight {
            Some(weight) => format!("{} {weight}", server.address),
            None => server.address.to_string(),
        };
        servers.iter().map(text).collect()
    }

    /// What the answers for one host make, and what went wrong.
    fn after(rounds: Vec<(Outcome<IpAddr>, Outcome<IpAddr>)>) -> (Vec<String>, Vec<String>) {
        let dns = dns(&[("app", 80)], None);
        let (mut answers, mut notes) = (Answers::default(), Notes::default());
        for round in rounds {
            notes = Notes::default();
            answers.take_addresses(&Arc::from("app"), round, &mut notes);
        }
        (texts(&answers.servers(&dns)), notes.failures)
    }

    #[test]
    fn every_address_of_either_version_is_a_server() {
        let (servers, failures) = after(vec![(
            found(&["10.0.0.2", "10.0.0.1", "10.0.0.2"]),
            found(&["::1"]),
        )]);
        assert_eq!(servers, ["10.0.0.1:80", "10.0.0.2:80", "[::1]:80"]);
        assert!(failures.is_empty());
    }

    #[test]
    fn a_version_without_records_is_no_failure_while_the_other_has_some() {
        let both = (found(&["10.0.0.1"]), found(&["::1"]));
        let (servers, failures) = after(vec![both, (nothing(), found(&["::2"]))]);
        assert_eq!(servers, ["[::2]:80"]);
        assert!(failures.is_empty());
    }

    #[test]
    fn an_empty_answer_and_none_at_all_keep_what_was_found() {
        for bad in [
            (nothing(), nothing()),
            (failed(), failed()),
            (failed(), nothing()),
        ] {
            let good = (found(&["10.0.0.1"]), nothing());
            let (servers, failures) = after(vec![good, bad]);
            assert_eq!(servers, ["10.0.0.1:80"]);
            assert!(!failures.is_empty());
        }
    }

    #[test]
    fn a_version_that_fails_keeps_its_own_addresses_beside_new_ones() {
        let both = (found(&["10.0.0.1"]), found(&["::1"]));
        let (servers, failures) = after(vec![both, (found(&["10.0.0.9"]), failed())]);
        assert_eq!(servers, ["10.0.0.9:80", "[::1]:80"]);
        assert_eq!(failures, ["app: AAAA record: silence"]);
    }

    #[test]
    fn only_targets_of_the_lowest_priority_are_servers_with_their_weights() {
        let dns = dns(&[], Some("_http._tcp.app"));
        let (mut answers, mut notes) = (Answers::default(), Notes::default());
        let targets = vec![
            target("far", 80, 20, 1),
            target("a", 8001, 10, 3),
            target("b", 8002, 10, 0),
            target("a", 8001, 10, 7),
        ];
        answers.take_targets("_http._tcp.app", Outcome::Found(targets, TTL), &mut notes);
        let hosts = answers.hosts(&dns);
        assert_eq!(hosts, [Arc::from("a"), Arc::from("b")]);
        for (host, address) in hosts.iter().zip(["10.0.0.1", "10.0.0.2"]) {
            answers.take_addresses(host, (found(&[address]), nothing()), &mut notes);
        }
        let servers = texts(&answers.servers(&dns));
        assert_eq!(servers, ["10.0.0.1:8001 7", "10.0.0.2:8002 1"]);
        answers.take_targets("_http._tcp.app", failed(), &mut notes);
        assert_eq!(texts(&answers.servers(&dns)), servers);
        assert_eq!(notes.failures, ["_http._tcp.app: silence"]);
    }

    #[test]
    fn what_is_asked_for_no_more_is_forgotten() {
        let (mut answers, mut notes) = (Answers::default(), Notes::default());
        for host in ["app", "old"] {
            let found = (found(&["10.0.0.1"]), nothing());
            answers.take_addresses(&Arc::from(host), found, &mut notes);
        }
        answers.keep(&dns(&[("app", 80)], None));
        assert_eq!(answers.addresses.len(), 1);
    }

    #[test]
    fn the_shortest_time_to_live_counts() {
        let mut notes = Notes::default();
        for seconds in [30, 5, 60] {
            notes.found(Duration::from_secs(seconds));
        }
        assert_eq!(notes.ttl, Some(Duration::from_secs(5)));
    }
}
