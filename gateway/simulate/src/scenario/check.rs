//! What serde does not see: ranges, references, and what cannot be simulated.

use std::ops::Range;

use gatewright_model::config::{ConfigError, ConfigErrors, Period, Places, written};

use super::Scenario;
use super::parts::{Arrivals, Clients, Failure, Policy, Servers, Work};

/// The most servers of a scenario.
const MOST_SERVERS: usize = 100_000;

/// The most clients, gateways, workers, and requests that a server works on.
const MOST_CLIENTS: u32 = 1_000_000;
const MOST_GATEWAYS: u32 = 64;
const MOST_CONCURRENT: u32 = 1_000_000;

/// The shortest time from one change to the next, so that a mistyped unit does
/// not make a simulation of nothing else.
const SHORTEST: Period = Period::ms(1);

/// Check a scenario; what is wrong comes with the places of its file.
pub(super) fn check(scenario: &Scenario, places: &Places) -> Result<(), ConfigErrors> {
    let mut report = Report {
        places,
        first: None,
    };
    extent(scenario, &mut report);
    arrivals(&scenario.arrivals, &mut report);
    work(&scenario.work, &mut report);
    files(scenario, &mut report);
    clients(&scenario.clients, &mut report);
    servers(&scenario.servers, &mut report);
    // What is said of servers is looked at where there are any.
    if report.first.is_none() {
        events(scenario, &mut report);
    }
    for (index, failure) in scenario.failures.iter().enumerate() {
        let key = format!("failures[{index}]");
        suffered(failure, &key, &mut report);
    }
    policies(&scenario.policies, &mut report);
    report.first.map_or(Ok(()), |error| Err(error.into()))
}

/// Where what is wrong is noted, the first of it.
struct Report<'a> {
    places: &'a Places,
    first: Option<ConfigError>,
}

impl Report<'_> {
    fn unless(&mut self, holds: bool, key: &str, message: impl Into<String>) {
        if !holds && self.first.is_none() {
            self.first = Some(self.places.error(key, "", message));
        }
    }

    fn rate(&mut self, rate: f64, key: &str) {
        let message = format!("{rate} does not fit; write 0.001 to 10000000 a second");
        self.unless((1e-3..=1e7).contains(&rate), key, message);
    }

    fn factor(&mut self, factor: f64, key: &str) {
        let message = format!("{factor} does not fit; write a number from 0.000001 to 1000000");
        self.unless((1e-6..=1e6).contains(&factor), key, message);
    }

    fn share(&mut self, number: f64, key: &str) {
        let fits = (0.0..=1.0).contains(&number);
        self.unless(
            fits,
            key,
            format!("{number} does not fit; write a number from 0 to 1"),
        );
    }

    fn long_enough(&mut self, period: Period, key: &str) {
        let message = format!("{period} is too short; write {SHORTEST} or more");
        self.unless(period >= SHORTEST, key, message);
    }
}

fn extent(scenario: &Scenario, report: &mut Report<'_>) {
    let ends = scenario.duration.is_some() || scenario.requests.is_some();
    let recorded = scenario.arrivals.mean_rate().is_none();
    let message = "it has no end; write duration = \"60s\" or requests = 100000";
    report.unless(ends || recorded, "duration", message);
    if let Some(duration) = scenario.duration {
        let message = format!("nothing is left after {}; write less", scenario.warm_up);
        report.unless(scenario.warm_up < duration, "warm_up", message);
    }
    let gateways = &scenario.gateways;
    let range = format!("write 1 to {MOST_GATEWAYS}");
    for (count, key) in [(gateways.count, "count"), (gateways.workers, "workers")] {
        let fits = (1..=MOST_GATEWAYS).contains(&count);
        report.unless(fits, &format!("gateways.{key}"), range.clone());
    }
    let pool = &scenario.pool;
    let message = "servers are described by [[servers]]; leave it out";
    let no_servers = pool.servers.is_empty() && pool.servers_file.is_none() && pool.dns.is_none();
    report.unless(no_servers, "pool.servers", message);
    let usual = written::Pool::default();
    for (is_usual, key, what) in [
        (pool.affinity.is_none(), "affinity", "sessions are"),
        (
            pool.hash_key == usual.hash_key,
            "hash_key",
            "keys but the client's address are",
        ),
        (
            pool.hedge.is_none(),
            "hedge",
            "second servers asked too are",
        ),
        (
            pool.max_active.is_none(),
            "max_active",
            "a limit of all servers together is",
        ),
        (!pool.maintenance, "maintenance", "maintenance is"),
        (pool.mirror.is_none(), "mirror", "copies of requests are"),
        (
            pool.forward_auth.is_none(),
            "forward_auth",
            "asking another pool first is",
        ),
        (
            pool.faults.is_none(),
            "faults",
            "faults of the gateway's own making are",
        ),
    ] {
        let message = format!("{what} not simulated; leave it out");
        report.unless(is_usual, &format!("pool.{key}"), message);
    }
}

fn arrivals(arrivals: &Arrivals, report: &mut Report<'_>) {
    match arrivals {
        Arrivals::Poisson { rate } => report.rate(*rate, "arrivals.poisson.rate"),
        Arrivals::Constant { rate } => report.rate(*rate, "arrivals.constant.rate"),
        Arrivals::Ramp { from, to, over } => {
            report.rate(*from, "arrivals.ramp.from");
            report.rate(*to, "arrivals.ramp.to");
            report.long_enough(*over, "arrivals.ramp.over");
        }
        Arrivals::Bursts {
            rate,
            rest,
            on,
            off,
        } => {
            report.rate(*rate, "arrivals.bursts.rate");
            let fits = (0.0..=1e7).contains(rest);
            report.unless(fits, "arrivals.bursts.rest", "write 0 to 10000000");
            report.long_enough(*on, "arrivals.bursts.on");
            report.long_enough(*off, "arrivals.bursts.off");
        }
        Arrivals::Diurnal {
            rate,
            swing,
            period,
        } => {
            report.rate(*rate, "arrivals.diurnal.rate");
            report.share(*swing, "arrivals.diurnal.swing");
            report.long_enough(*period, "arrivals.diurnal.period");
        }
        Arrivals::Trace { speed, .. } => report.factor(*speed, "arrivals.trace.speed"),
        Arrivals::Recording { speed, .. } => report.factor(*speed, "arrivals.recording.speed"),
    }
}

fn work(work: &Work, report: &mut Report<'_>) {
    let zero = Period::s(0);
    match work {
        Work::Constant { time } => report.unless(*time > zero, "work.constant.time", "write more"),
        Work::Exponential { mean } => {
            report.unless(*mean > zero, "work.exponential.mean", "write more than 0s");
        }
        Work::Pareto { least, most, shape } => {
            report.unless(*least > zero, "work.pareto.least", "write more than 0s");
            let message = format!("write more than the least, which is {least}");
            report.unless(most > least, "work.pareto.most", message);
            report.factor(*shape, "work.pareto.shape");
        }
        Work::LogNormal { median, sigma } => {
            report.unless(
                *median > zero,
                "work.log-normal.median",
                "write more than 0s",
            );
            report.factor(*sigma, "work.log-normal.sigma");
        }
        Work::Empirical { .. } => {}
    }
}

/// The files that say when requests come and how much they are.
fn files(scenario: &Scenario, report: &mut Report<'_>) {
    let arrivals = match &scenario.arrivals {
        Arrivals::Trace { file, .. } => Some((file, "arrivals.trace.file")),
        Arrivals::Recording { file, .. } => Some((file, "arrivals.recording.file")),
        _ => None,
    };
    let work = match &scenario.work {
        Work::Empirical { file } => Some((file, "work.empirical.file")),
        _ => None,
    };
    for (file, key) in arrivals.into_iter().chain(work) {
        let file = scenario.folder.join(file);
        let message = format!("there is no file {}; correct the path", file.display());
        report.unless(file.exists(), key, message);
    }
}

fn policies(policies: &[Policy], report: &mut Report<'_>) {
    for (index, policy) in policies.iter().enumerate() {
        let mut before = policies[..index].iter();
        let other = before.find(|other| other.is_called_as(policy));
        let message = format!(
            "{:?} and {:?} would have the same rows and plots; give one of them another `name`",
            other.map_or("", Policy::title),
            policy.title(),
        );
        report.unless(other.is_none(), &format!("policies[{index}].name"), message);
    }
}

fn clients(clients: &Clients, report: &mut Report<'_>) {
    let fits = (1..=MOST_CLIENTS).contains(&clients.count);
    report.unless(fits, "clients.count", format!("write 1 to {MOST_CLIENTS}"));
    let fits = (0.0..=10.0).contains(&clients.zipf);
    report.unless(fits, "clients.zipf", "write a number from 0 to 10");
}

fn servers(groups: &[Servers], report: &mut Report<'_>) {
    let count: usize = groups.iter().map(|group| group.count as usize).sum();
    let fits = (1..=MOST_SERVERS).contains(&count);
    report.unless(
        fits,
        "servers",
        format!("{count} in all; write 1 to {MOST_SERVERS}"),
    );
    for (index, group) in groups.iter().enumerate() {
        let key = |key: &str| format!("servers[{index}].{key}");
        report.factor(group.speed, &key("speed"));
        let fits = (1..=MOST_CONCURRENT).contains(&group.concurrency);
        let range = format!("write 1 to {MOST_CONCURRENT}");
        report.unless(fits, &key("concurrency"), range);
        let is_name = !group.name.is_empty() && !group.name.contains(['[', ']']);
        report.unless(is_name, &key("name"), "write a name without brackets");
        let twice = groups[..index].iter().any(|other| other.name == group.name);
        report.unless(
            !twice,
            &key("name"),
            "another group has the name; write another",
        );
        if let Some(leaves) = group.leaves {
            let message = format!("they come at {}; write more", group.joins);
            report.unless(leaves > group.joins, &key("leaves"), message);
        }
    }
}

fn events(scenario: &Scenario, report: &mut Report<'_>) {
    let mut named = Vec::new();
    let failures = scenario.failures.iter().map(|one| &one.servers);
    named.extend(failures.enumerate().map(|one| ("failures", one)));
    let antagonists = scenario.antagonists.iter().map(|one| &one.servers);
    named.extend(antagonists.enumerate().map(|one| ("antagonists", one)));
    let churn = scenario.churn.iter().map(|one| &one.servers);
    named.extend(churn.enumerate().map(|one| ("churn", one)));
    for (list, (index, servers)) in named {
        let message = format!(
            "there are no servers {servers:?}; write a group's name, such as {:?}, or some of it, such as \"{}[0..2]\"",
            scenario.servers[0].name, scenario.servers[0].name
        );
        let key = format!("{list}[{index}].servers");
        report.unless(members(&scenario.servers, servers).is_some(), &key, message);
    }
    for (index, one) in scenario.antagonists.iter().enumerate() {
        let key = |key: &str| format!("antagonists[{index}].{key}");
        let fits = one.share > 0.0 && one.share < 1.0;
        report.unless(fits, &key("share"), "write a number above 0 and below 1");
        report.long_enough(one.every, &key("every"));
        report.long_enough(one.lasts, &key("lasts"));
    }
    for (index, one) in scenario.churn.iter().enumerate() {
        let key = |key: &str| format!("churn[{index}].{key}");
        report.long_enough(one.every, &key("every"));
        report.long_enough(one.away, &key("away"));
    }
}

fn suffered(failure: &Failure, key: &str, report: &mut Report<'_>) {
    report.share(failure.errors, &format!("{key}.errors"));
    report.factor(failure.slow, &format!("{key}.slow"));
    if let Some(to) = failure.to {
        let message = format!("it begins at {}; write more", failure.from);
        report.unless(to > failure.from, &format!("{key}.to"), message);
    }
}

/// The servers that a name means, by their numbers over all groups: `web`,
/// `web[2]` or `web[0..3]`.
pub(crate) fn members(groups: &[Servers], named: &str) -> Option<Range<u32>> {
    let (name, part) = match named.split_once('[') {
        Some((name, part)) => (name, Some(part.strip_suffix(']')?)),
        None => (named, None),
    };
    let place = groups.iter().position(|group| group.name == name)?;
    let before: u32 = groups[..place].iter().map(|group| group.count).sum();
    let count = groups[place].count;
    let part = match part {
        None => 0..count,
        Some(part) => match part.split_once("..") {
            Some((from, to)) => from.parse().ok()?..to.parse().ok()?,
            None => {
                let one: u32 = part.parse().ok()?;
                one..one.checked_add(1)?
            }
        },
    };
    let fits = part.start < part.end && part.end <= count;
    fits.then(|| before + part.start..before + part.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, count: u32) -> Servers {
        let text = format!(r#"{{ "name": "{name}", "count": {count} }}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn servers_are_named_by_group_and_number() {
        let groups = [group("a", 3), group("b", 2)];
        for (named, meant) in [
            ("a", Some(0..3)),
            ("b", Some(3..5)),
            ("a[1]", Some(1..2)),
            ("b[0..2]", Some(3..5)),
            ("b[2]", None),
            ("b[1..1]", None),
            ("c", None),
            ("a[", None),
            ("a[x]", None),
            ("a[4294967295]", None),
        ] {
            assert_eq!(members(&groups, named), meant, "{named}");
        }
    }
}
