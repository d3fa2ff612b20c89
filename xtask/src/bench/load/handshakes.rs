//! TLS connections that resume sessions, by `openssl s_time`: several of them,
//! for each waits for its answer. It tells no response times.

use std::io::Read;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Load;
use crate::bench::cores;

/// How many connect at a time.
const CLIENTS: usize = 8;

/// A client that does not outlive who has it.
struct Client(Child);

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Connect, ask and connect again, each time with the session of before.
///
/// # Errors
///
/// When openssl cannot be run or understood, or a session was not resumed.
pub(super) fn resume(core: Option<usize>, port: u16, duration: Duration) -> Result<Load> {
    let seconds = duration.as_secs().max(1);
    let start = || {
        let mut command = cores::on(core, "openssl");
        command
            .args(["s_time", "-reuse", "-www", "/"])
            .args(["-connect", &format!("127.0.0.1:{port}")])
            .args(["-time", &seconds.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command.spawn().map(Client).context("cannot run openssl")
    };
    let clients: Vec<Client> = (0..CLIENTS).map(|_| start()).collect::<Result<_>>()?;
    let mut requests = 0;
    for mut client in clients {
        let mut text = String::new();
        if let Some(mut out) = client.0.stdout.take() {
            out.read_to_string(&mut text)?;
        }
        let status = client.0.wait()?;
        ensure!(status.success(), "openssl ended with {status}:\n{text}");
        let told = read(&text).with_context(|| format!("cannot understand openssl:\n{text}"))?;
        ensure!(told.resumed > 0, "sessions are not resumed:\n{text}");
        ensure!(told.full <= 1, "{} sessions were not resumed", told.full);
        requests += told.resumed;
    }
    Ok(Load {
        requests,
        requests_per_second: requests as f64 / seconds as f64,
        ..Load::of(Vec::new(), 0, duration)
    })
}

struct Told {
    full: u64,
    resumed: u64,
}

/// It prints a letter for each connection: `r` where the session was resumed,
/// the version of TLS, or a star, where not.
fn read(text: &str) -> Option<Told> {
    let (_, timed) = text.split_once("starting\n")?;
    let letters = timed.lines().next()?;
    let resumed = letters.chars().filter(|letter| *letter == 'r').count() as u64;
    let full = letters.chars().count() as u64 - resumed;
    Some(Told { full, resumed })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn what_openssl_says_is_understood() {
        let text = "starting\nrrrr*rr\n\n7 connections in 0.01s; 700.00 connections/user sec\n";
        let told = read(text).unwrap();
        assert_eq!((told.full, told.resumed), (1, 6));
    }
}
