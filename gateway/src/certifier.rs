//! Who judges balancers for a running gateway: this program in a child process, so
//! that its time and memory are bounded whatever the component does.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use gatewright_control::Candidate;
use serde_json::Value;

use crate::program;

/// How long the battery may take.
const WITHIN: Duration = Duration::from_secs(300);

/// How often it is asked whether the child has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Judge a balancer: the required verdicts that it does not pass.
///
/// # Errors
///
/// Why there is no verdict.
pub(crate) fn judge(candidate: &Candidate) -> Result<Vec<String>, String> {
    run(candidate).map_err(|error| format!("{error:#}"))
}

fn run(candidate: &Candidate) -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir().context("there is no folder for it")?;
    let file = folder.path().join("candidate.wasm");
    std::fs::write(&file, &candidate.component).context("it cannot be written")?;
    let config = Value::from(candidate.config.clone()).to_string();
    let mut child = Command::new(program::RUNNING)
        .args(["plugin", "certify", "--json", "--config", &config])
        .arg(&file)
        // A service's user may have no home.
        .env("XDG_CACHE_HOME", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("this program cannot be started")?;
    let said = read(child.stdout.take());
    let complaint = read(child.stderr.take());
    let in_time = ends(&mut child)?;
    let said = said.join().unwrap_or_default();
    let complaint = complaint.join().unwrap_or_default();
    if !in_time {
        bail!("the battery took longer than {WITHIN:?}");
    }
    let told: Value = serde_json::from_str(&said)
        .with_context(|| format!("there is no verdict: {}", complaint.trim()))?;
    Ok(failed(&told))
}

/// The required verdicts that are not passed, in words.
fn failed(told: &Value) -> Vec<String> {
    let verdicts = told["verdicts"].as_array().into_iter().flatten();
    let failed = verdicts.filter(|one| one["required"] == true && one["passed"] != true);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let failed = failed.map(|one| format!("{} ({})", text(&one["case"]), text(&one["figures"])));
    failed.collect()
}

/// Read in a thread, so that a full pipe holds nobody up.
fn read(stream: Option<impl std::io::Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut stream) = stream {
            // What cannot be read is no verdict.
            let _ = stream.read_to_string(&mut text);
        }
        text
    })
}

/// Whether the child ends in time; it is ended where it does not.
fn ends(child: &mut Child) -> anyhow::Result<bool> {
    let until = Instant::now() + WITHIN;
    while child.try_wait()?.is_none() {
        if Instant::now() >= until {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_required_and_not_passed_counts() {
        let told = json!({ "verdicts": [
            { "case": "a", "passed": true, "required": true, "figures": "1" },
            { "case": "b", "passed": false, "required": true, "figures": "2" },
            { "case": "c", "passed": false, "required": false, "figures": "3" },
        ] });
        assert_eq!(failed(&told), ["b (2)"]);
    }
}
