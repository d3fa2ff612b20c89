//! The load generators: which one asks, how it is called and what it found.

mod h2load;
pub(super) mod line;
pub(super) mod suite;
pub(super) mod talk;
pub(super) mod wrk;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use self::h2load::H2load;
use self::line::Way;
use self::suite::CipherSuite;
use self::talk::{Kind, Pace, Talk};
use self::wrk::Wrk;
use super::cores;
use super::scenario::{Client, Traffic};

/// What a run of a load generator found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    pub(super) requests: u64,
    pub(super) requests_per_second: f64,
    /// Responses that were neither 2xx nor 3xx, and errors of connections.
    pub(super) failed: u64,
    /// Response times in microseconds; not a number where a load generator does
    /// not tell them.
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
}

impl Load {
    /// Of requests that were answered, by what each took in microseconds.
    fn of(mut times: Vec<f64>, failed: u64, duration: Duration) -> Self {
        times.sort_unstable_by(f64::total_cmp);
        let percentile = |share: f64| {
            let place = (times.len() as f64 * share) as usize;
            let time = times.get(place.min(times.len().saturating_sub(1)));
            time.copied().unwrap_or(f64::NAN)
        };
        Self {
            requests: times.len() as u64,
            requests_per_second: times.len() as f64 / duration.as_secs_f64(),
            failed,
            p50_us: percentile(0.5),
            p99_us: percentile(0.99),
            p999_us: percentile(0.999),
        }
    }
}

/// Whom to ask for what.
pub(super) struct Target<'a> {
    pub(super) traffic: Traffic,
    pub(super) plain_port: u16,
    pub(super) tls_port: u16,
    /// Header lines of every request.
    pub(super) headers: &'a [String],
    pub(super) connections: u32,
    /// The core that the load generator stays on, if on one.
    pub(super) core: Option<usize>,
    /// For what a load generator reads and writes.
    pub(super) folder: &'a Path,
    /// The one that clients over TLS offer; else all, in each one's own order.
    pub(super) cipher_suite: Option<CipherSuite>,
}

impl<'a> Target<'a> {
    /// Ask as fast as the answers come.
    ///
    /// # Errors
    ///
    /// When the load generator cannot be run or understood.
    pub(super) fn load(&self, duration: Duration) -> Result<Load> {
        match self.traffic.client {
            Client::Keep | Client::KeepTls => self.wrk(duration),
            Client::Http2 => self.h2load().run(Pace::Closed(duration)),
            _ => self.talk(Pace::Closed(duration)),
        }
    }

    /// Ask at an even pace, whether or not there are answers: times are from
    /// when a request was due.
    ///
    /// # Errors
    ///
    /// When requests come over HTTP/2, or a connection fails.
    pub(super) fn paced(&self, per_second: f64, duration: Duration) -> Result<Load> {
        self.talk(Pace::Even {
            per_second,
            duration,
        })
    }

    fn wrk(&self, duration: Duration) -> Result<Load> {
        let only = self.cipher_suite;
        let openssl = only.map(|suite| suite::configuration(self.folder, suite));
        let wrk = Wrk {
            core: self.core,
            connections: self.connections,
            headers: self.headers,
            folder: self.folder,
            openssl: openssl.transpose()?,
        };
        wrk.run(&self.url(), duration)
    }

    fn h2load(&self) -> H2load<'a> {
        H2load {
            core: self.core,
            connections: self.connections,
            headers: self.headers,
            folder: self.folder,
            suites: suite::offered(Client::Http2, self.cipher_suite),
            url: self.url(),
        }
    }

    fn talk(&self, pace: Pace) -> Result<Load> {
        // On a thread of its own, for it stays on its core.
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                if let Some(core) = self.core {
                    cores::pin_this_thread(core)?;
                }
                self.conversation()?.ask(pace)
            });
            asking
                .join()
                .ok()
                .context("the load generator ended early")?
        })
    }

    /// Clients that ask as often as they are told.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    pub(super) fn exact(&self) -> Result<Exact<'a>> {
        Ok(match self.traffic.client {
            Client::Http2 => Exact::H2load(self.h2load()),
            _ => Exact::Talk(self.conversation()?),
        })
    }

    /// Connections to ask on by this process itself.
    ///
    /// # Errors
    ///
    /// When this client is none that it can be, or nobody listens.
    fn conversation(&self) -> Result<Talk> {
        let client = self.traffic.client;
        let kind = match client {
            Client::Keep | Client::KeepTls => Kind::Get,
            Client::Connect | Client::ConnectTls | Client::ResumeTls => Kind::GetAndClose,
            Client::Post => Kind::Post,
            Client::Websocket => Kind::Messages(self.traffic.body_bytes),
            // benches/README.md says why.
            Client::Http2 => bail!("requests over HTTP/2 cannot be paced"),
        };
        let way = if client.is_over_tls() {
            let suites = suite::offered(client, self.cipher_suite);
            Way::tls(self.tls_port, &suites)?
        } else {
            Way::plain(self.plain_port)
        };
        let way = match client {
            Client::ResumeTls => way.resuming(),
            _ => way,
        };
        Talk::open(&way, self.connections, kind, self.headers)
    }

    fn url(&self) -> String {
        if self.traffic.client.is_over_tls() {
            format!("https://127.0.0.1:{}/", self.tls_port)
        } else {
            format!("http://127.0.0.1:{}/", self.plain_port)
        }
    }
}

/// Clients that ask as often as they are told.
pub(super) enum Exact<'a> {
    /// On the same connections each time.
    Talk(Talk),
    /// On new ones each time.
    H2load(H2load<'a>),
}

impl Exact<'_> {
    /// Ask so often.
    ///
    /// # Errors
    ///
    /// When a request fails.
    pub(super) fn ask(&mut self, requests: u64) -> Result<()> {
        let count = Pace::Count(requests);
        let load = match self {
            Self::Talk(talk) => talk.ask(count)?,
            Self::H2load(h2load) => h2load.run(count)?,
        };
        let failed = requests.saturating_sub(load.requests);
        ensure!(failed == 0, "{failed} of {requests} requests failed");
        Ok(())
    }
}
