//! The load generator for HTTP/2, nghttp2's h2load: how it is called and what
//! it says.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Load;
use super::suite::{self, CipherSuite};
use super::talk::Pace;
use crate::bench::cores;
use crate::cargo::output;

/// Requests at a time on each connection.
const STREAMS: u32 = 4;

/// How long a connection may be open beyond a run.
const SPARE_SECONDS: u64 = 5;

/// How to call the load generator.
pub(in crate::bench) struct H2load<'a> {
    pub(super) core: Option<usize>,
    /// Connections that it holds open.
    pub(super) connections: u32,
    pub(super) headers: &'a [String],
    /// For the list of response times.
    pub(super) folder: &'a Path,
    pub(super) suites: Vec<CipherSuite>,
    pub(super) url: String,
}

impl H2load<'_> {
    /// Ask as fast as the answers come.
    ///
    /// # Errors
    ///
    /// When h2load cannot be run or understood, or is to keep a pace.
    pub(super) fn run(&self, pace: Pace) -> Result<Load> {
        let mut extent = Vec::new();
        match pace {
            Pace::Count(requests) => extent.push(format!("--requests={requests}")),
            Pace::Closed(duration) => {
                let seconds = duration.as_secs().max(1);
                extent.push(format!("--duration={seconds}"));
                // It forgets to end a connection that came to be after that, as may be
                // where the machine is busy.
                let latest = seconds + SPARE_SECONDS;
                extent.push(format!("--connection-active-timeout={latest}"));
            }
            Pace::Even { .. } => bail!("requests over HTTP/2 cannot be paced"),
        }
        let times = self.folder.join("h2load.times");
        // It adds to the file.
        if times.exists() {
            fs::remove_file(&times)?;
        }
        let mut command = cores::on(self.core, "h2load");
        command
            .args(["--threads", "1", "--npn-list", "h2"])
            .args(["--clients", &self.connections.to_string()])
            .args(["--max-concurrent-streams", &STREAMS.to_string()])
            .args(["--tls13-ciphers", &suite::list(&self.suites)])
            .args(extent)
            .arg(format!("--log-file={}", times.display()));
        for header in self.headers {
            command.args(["--header", header]);
        }
        let text = output(command.arg(&self.url))?;
        let told = read(&text).with_context(|| format!("cannot understand h2load:\n{text}"))?;
        let list = fs::read_to_string(&times).context("h2load wrote no response times")?;
        let times = list.lines().filter_map(time).collect();
        Ok(Load {
            requests: told.succeeded,
            requests_per_second: told.per_second,
            // How long it took is told by that.
            ..Load::of(times, told.failed, Duration::ZERO)
        })
    }
}

struct Told {
    per_second: f64,
    succeeded: u64,
    failed: u64,
}

fn read(text: &str) -> Option<Told> {
    let finished = text.lines().find(|line| line.starts_with("finished in "))?;
    let rate = finished
        .split(", ")
        .find_map(|part| part.strip_suffix(" req/s"))?;
    let requests = text
        .lines()
        .find_map(|line| line.strip_prefix("requests: "))?;
    let statuses = text
        .lines()
        .find_map(|line| line.strip_prefix("status codes: "))?;
    let count = |line: &str, what: &str| {
        let part = line.split(", ").find_map(|part| part.strip_suffix(what))?;
        part.trim().parse::<u64>().ok()
    };
    let refused = count(statuses, " 4xx")? + count(statuses, " 5xx")?;
    Some(Told {
        per_second: rate.parse().ok()?,
        succeeded: count(requests, " succeeded")?,
        failed: count(requests, " failed")?.max(refused) + count(requests, " timeout")?,
    })
}

/// When it began, its status, and what it took in microseconds.
fn time(line: &str) -> Option<f64> {
    line.split('\t').nth(2)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{read, time};

    #[test]
    fn what_h2load_says_is_understood() {
        let text = "\
finished in 2.00s, 12345.50 req/s, 3.45MB/s
requests: 24691 total, 24723 started, 24691 done, 24688 succeeded, 3 failed, 0 errored, 0 timeout
status codes: 24688 2xx, 0 3xx, 0 4xx, 3 5xx
traffic: 6.90MB (7234463) total
";
        let told = read(text).unwrap();
        assert_eq!(told.per_second, 12_345.5);
        assert_eq!((told.succeeded, told.failed), (24_688, 3));
        assert!(read("unable to connect").is_none());
        assert_eq!(time("1400000000000000\t200\t517"), Some(517.0));
    }
}
