//! The load generators: which one asks, how it is called and what it found.

mod h2load;
mod handshakes;
pub(super) mod talk;
pub(super) mod wrk;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use self::h2load::H2load;
use self::talk::{Pace, Talk};
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
    /// For what a load generator writes.
    pub(super) folder: &'a Path,
}

impl Target<'_> {
    /// Ask as fast as the answers come.
    ///
    /// # Errors
    ///
    /// When the load generator cannot be run or understood.
    pub(super) fn load(&self, duration: Duration) -> Result<Load> {
        let client = self.traffic.client;
        match client {
            Client::Keep | Client::KeepTls => self.wrk(&[], duration),
            Client::Connect | Client::ConnectTls => {
                self.wrk(&["Connection: close".to_owned()], duration)
            }
            Client::Http2 => {
                let h2load = H2load {
                    core: self.core,
                    connections: self.connections,
                    headers: self.headers,
                    folder: self.folder,
                };
                h2load.run(&self.url(), duration)
            }
            Client::ResumeTls => handshakes::resume(self.core, self.tls_port, duration),
            Client::Post | Client::Websocket => self.talk(Pace::Closed(duration)),
        }
    }

    /// Ask at an even pace, whether or not there are answers: times are from
    /// when a request was due.
    ///
    /// # Errors
    ///
    /// When requests come over TLS or each on a connection of its own, or a
    /// connection fails.
    pub(super) fn paced(&self, per_second: f64, duration: Duration) -> Result<Load> {
        self.talk(Pace::Even {
            per_second,
            duration,
        })
    }

    fn wrk(&self, more: &[String], duration: Duration) -> Result<Load> {
        let wrk = Wrk {
            core: self.core,
            connections: self.connections,
            headers: &[self.headers, more].concat(),
            script: None,
        };
        wrk.run(&self.url(), duration)
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

    /// Connections to ask on by this process itself.
    ///
    /// # Errors
    ///
    /// When this client is none that it can be, or nobody listens.
    pub(super) fn conversation(&self) -> Result<Talk> {
        let kind = match self.traffic.client {
            Client::Keep => talk::Kind::Get,
            Client::Post => talk::Kind::Post,
            Client::Websocket => talk::Kind::Messages(self.traffic.body_bytes),
            _ => bail!("choose a scenario over connections that are kept, without TLS"),
        };
        Talk::open(self.plain_port, self.connections, kind, self.headers)
    }

    fn url(&self) -> String {
        if self.traffic.client.is_over_tls() {
            format!("https://127.0.0.1:{}/", self.tls_port)
        } else {
            format!("http://127.0.0.1:{}/", self.plain_port)
        }
    }
}
