//! The load generator, wrk: how it is called and what it says.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::Load;
use crate::bench::cores;
use crate::cargo::output;

/// Has it tell what it does not by itself, once it is done; how it asks is left alone.
const DONE: &str = "\
function done(_, latency)
    io.write(string.format(\"99.9%% %.2fus\\n\", latency:percentile(99.9)))
end
";

/// How to call the load generator.
pub(in crate::bench) struct Wrk<'a> {
    /// The core that it stays on, if on one.
    pub(in crate::bench) core: Option<usize>,
    /// Connections that it holds open at a time.
    pub(in crate::bench) connections: u32,
    /// Header lines that it adds to every request.
    pub(in crate::bench) headers: &'a [String],
    /// For the script that it runs.
    pub(in crate::bench) folder: &'a Path,
    /// A configuration of OpenSSL other than the machine's.
    pub(in crate::bench) openssl: Option<PathBuf>,
}

impl Wrk<'_> {
    /// Ask for a URL as fast as the answers come.
    ///
    /// # Errors
    ///
    /// When wrk cannot be run or understood.
    pub(in crate::bench) fn run(&self, url: &str, duration: Duration) -> Result<Load> {
        let script = self.folder.join("done.lua");
        fs::write(&script, DONE)?;
        let mut command = cores::on(self.core, "wrk");
        command
            .args(["--threads", "1", "--latency"])
            .args(["--connections", &self.connections.to_string()])
            .args(["--duration", &format!("{}s", duration.as_secs().max(1))]);
        for header in self.headers {
            command.args(["--header", header]);
        }
        if let Some(file) = &self.openssl {
            command.env("OPENSSL_CONF", file);
        }
        command.arg("--script").arg(&script).arg(url);
        let text = output(&mut command)?;
        read(&text).with_context(|| format!("cannot understand wrk:\n{text}"))
    }
}

fn read(text: &str) -> Option<Load> {
    let mut load = Load {
        requests: 0,
        requests_per_second: 0.0,
        failed: 0,
        p50_us: 0.0,
        p99_us: 0.0,
        p999_us: f64::NAN,
    };
    for line in text.lines().map(str::trim) {
        if let Some((requests, _)) = line.split_once(" requests in ") {
            load.requests = requests.parse().ok()?;
        } else if let Some(rate) = line.strip_prefix("Requests/sec:") {
            load.requests_per_second = rate.trim().parse().ok()?;
        } else if let Some(time) = line.strip_prefix("50% ") {
            load.p50_us = microseconds(time.trim())?;
        } else if let Some(time) = line.strip_prefix("99% ") {
            load.p99_us = microseconds(time.trim())?;
        } else if let Some(time) = line.strip_prefix("99.9% ") {
            load.p999_us = microseconds(time.trim())?;
        } else if let Some(responses) = line.strip_prefix("Non-2xx or 3xx responses:") {
            load.failed += responses.trim().parse::<u64>().ok()?;
        } else if let Some(errors) = line.strip_prefix("Socket errors:") {
            load.failed += errors
                .split(|letter: char| !letter.is_ascii_digit())
                .filter_map(|number| number.parse::<u64>().ok())
                .sum::<u64>();
        }
    }
    (load.requests_per_second > 0.0).then_some(load)
}

/// `635.91us`, `1.20ms` or `2.00s`.
fn microseconds(text: &str) -> Option<f64> {
    let unit = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit);
    let factor = match unit {
        "us" => 1.0,
        "ms" => 1_000.0,
        "s" => 1_000_000.0,
        "m" => 60_000_000.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::bench::load::Load;

    #[test]
    fn what_wrk_says_is_understood() {
        let text = "\
Running 2s test @ http://127.0.0.1:1/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   611.04us  250.11us   9.24ms   93.11%
    Req/Sec    52.33k     4.12k   60.01k    75.00%
  Latency Distribution
     50%  580.00us
     75%  650.00us
     90%  780.00us
     99%    1.61ms
  104412 requests in 2.00s, 26.19MB read
  Socket errors: connect 0, read 3, write 1, timeout 0
  Non-2xx or 3xx responses: 7
Requests/sec:  52201.33
Transfer/sec:     13.09MB
99.9% 2540.00us
";
        let load = Load {
            requests: 104_412,
            requests_per_second: 52_201.33,
            failed: 11,
            p50_us: 580.0,
            p99_us: 1_610.0,
            p999_us: 2_540.0,
        };
        assert_eq!(read(text), Some(load));
        assert!(read("unable to connect").is_none());
    }
}
