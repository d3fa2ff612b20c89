//! Asking DNS: one question, one outcome, in the words that the rest decides on.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gatewright_model::config::Dns;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

/// How long a name server that is written is waited for, each time that it is
/// asked. For the system's own that is the system's to say.
const PATIENCE: Duration = Duration::from_secs(2);

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome<T> {
    /// These records, which hold for so long.
    Found(Vec<T>, Duration),
    /// That there are none, for this reason.
    Nothing(String),
    /// No answer, or none that can be used, for this reason.
    Failed(String),
}

/// One of the servers that a name's SRV records name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: Arc<str>,
    pub(super) port: u16,
    pub(super) priority: u16,
    pub(super) weight: u16,
}

/// A version of IP, whose addresses have records of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    V4,
    V6,
}

/// Who asks. It is made anew for each round of questions, so that it goes by
/// what the system says of name servers now.
#[derive(Clone)]
pub(super) struct Asker(TokioResolver);

impl Asker {
    /// One that asks whom a pool says.
    ///
    /// # Errors
    ///
    /// When the system does not say whom to ask.
    pub(super) fn new(dns: &Dns) -> Result<Self, String> {
        let builder = match dns.nameservers.is_empty() {
            true => TokioResolver::builder_tokio().map_err(|error| reason(&error))?,
            false => {
                let servers = dns.nameservers.iter().map(name_server).collect();
                let config = ResolverConfig::from_parts(None, Vec::new(), servers);
                let provider = TokioRuntimeProvider::default();
                let mut builder = TokioResolver::builder_with_config(config, provider);
                builder.options_mut().timeout = PATIENCE;
                builder.options_mut().use_hosts_file = ResolveHosts::Never;
                builder
            }
        };
        builder.build().map(Self).map_err(|error| reason(&error))
    }

    /// The addresses of a host.
    pub(super) async fn addresses(&self, host: &str, family: Family) -> Outcome<IpAddr> {
        let kind = match family {
            Family::V4 => RecordType::A,
            Family::V6 => RecordType::AAAA,
        };
        self.ask(host, kind, |data| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        })
        .await
    }

    /// The servers that a name's SRV records name. A service that is said not to
    /// be there (a target of `.`) has none.
    pub(super) async fn targets(&self, name: &str) -> Outcome<Target> {
        self.ask(name, RecordType::SRV, |data| match data {
            RData::SRV(srv) if !srv.target.is_root() && srv.port > 0 => Some(Target {
                host: Arc::from(srv.target.to_lowercase().to_ascii()),
                port: srv.port,
                priority: srv.priority,
                weight: srv.weight,
            }),
            _ => None,
        })
        .await
    }

    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        record: impl Fn(&RData) -> Option<T>,
    ) -> Outcome<T> {
        let answer = match self.0.lookup(name, kind).await {
            Ok(answer) => answer,
            Err(error) if error.is_nx_domain() => return Outcome::Nothing(NO_NAME.to_owned()),
            Err(error) if error.is_no_records_found() => return nothing(),
            Err(error) => return Outcome::Failed(reason(&error)),
        };
        let answers = answer.answers();
        let records: Vec<_> = answers.iter().filter_map(|one| record(&one.data)).collect();
        // The names that lead there hold no longer than they say.
        let ttl = answers.iter().map(|one| one.ttl).min().unwrap_or_default();
        match records.is_empty() {
            true => nothing(),
            false => Outcome::Found(records, Duration::from_secs(ttl.into())),
        }
    }
}

const NO_NAME: &str = "there is no such name (NXDOMAIN)";

fn nothing<T>() -> Outcome<T> {
    Outcome::Nothing("it has no such records".to_owned())
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let mut ways = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for way in &mut ways {
        way.port = address.port();
    }
    NameServerConfig::new(address.ip(), true, ways.to_vec())
}

fn reason(error: &NetError) -> String {
    match error {
        NetError::Timeout => "no name server answers".to_owned(),
        error => error.to_string(),
    }
}
