//! Who judges balancers for a running gateway: this program in a child process of
//! limited means, which ends with the gateway, whatever the component does.

use std::io::Write as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use gatewright_control::Candidate;
use gatewright_host::Means;
use serde::Deserialize;
use serde_json::Value;

use crate::{program, temporary};

/// How long the battery may take.
pub(crate) const WITHIN: Duration = Duration::from_secs(300);

/// What the battery may take. The memory is four instances' of the most that a
/// plugin may have, and the program's own. The compiler's child takes less of
/// both.
pub(crate) const MEANS: Means = Means {
    cpu_seconds: WITHIN.as_secs(),
    memory: 4 << 30,
};

/// How often it is asked whether the child has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What `gatewright plugin certify --json` tells, as far as it counts here.
#[derive(Deserialize)]
struct Told {
    verdicts: Vec<Verdict>,
}

#[derive(Deserialize)]
struct Verdict {
    case: String,
    passed: bool,
    required: bool,
    figures: String,
}

/// Judge a balancer: the required verdicts that it does not pass.
///
/// # Errors
///
/// Why there is no verdict.
pub(crate) fn judge(candidate: &Candidate) -> Result<Vec<String>, String> {
    run(candidate).map_err(|error| format!("{error:#}"))
}

fn run(candidate: &Candidate) -> anyhow::Result<Vec<String>> {
    let folder = temporary::folder("certify")?;
    let file = folder.path().join("candidate.wasm");
    std::fs::write(&file, &candidate.component).context("it cannot be written")?;
    let config = Value::from(candidate.config.clone()).to_string();
    let mut child = Command::new(program::RUNNING)
        // Not its configuration: everybody on the machine sees arguments.
        .args(["plugin", "certify", "--json", "--config", "-", "--bounded"])
        .args(["--memory", &candidate.memory.to_string()])
        .arg(&file)
        // It needs none of it; and a service's user may have no home.
        .env_clear()
        .env("XDG_CACHE_HOME", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("this program cannot be started")?;
    let stdin = child.stdin.take();
    // A child that gave up does not read to the end; what it says tells.
    thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(config.as_bytes())));
    let said = read(child.stdout.take());
    let complaint = read(child.stderr.take());
    let ended = ends(&mut child)?;
    let said = said.join().unwrap_or_default();
    let complaint = complaint.join().unwrap_or_default();
    let Some(ended) = ended else {
        bail!("the battery took longer than {WITHIN:?}");
    };
    failed(&said, ended).with_context(|| format!("there is no verdict: {}", complaint.trim()))
}

/// The required verdicts that are not passed, in words. What is told and how the
/// child ended have to say the same: who says nothing has passed nothing.
fn failed(said: &str, ended: ExitStatus) -> anyhow::Result<Vec<String>> {
    let told: Told = serde_json::from_str(said)?;
    let mut required = told.verdicts.iter().filter(|one| one.required).peekable();
    ensure!(required.peek().is_some(), "nothing required was judged");
    let failed = required.filter(|one| !one.passed);
    let failed: Vec<_> = failed
        .map(|one| format!("{} ({})", one.case, one.figures))
        .collect();
    let fitting = i32::from(!failed.is_empty());
    ensure!(
        ended.code() == Some(fitting),
        "its verdicts go with exit status {fitting}, and it ended with {ended}"
    );
    Ok(failed)
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

/// How the child ended; none where it did not in time and was stopped.
fn ends(child: &mut Child) -> anyhow::Result<Option<ExitStatus>> {
    let until = Instant::now() + WITHIN;
    loop {
        if let Some(ended) = child.try_wait()? {
            return Ok(Some(ended));
        }
        if Instant::now() >= until {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::os::unix::process::ExitStatusExt as _;

    fn verdict(case: &str, passed: bool, required: bool) -> Value {
        json!({ "case": case, "passed": passed, "required": required, "figures": "1" })
    }

    /// What counts when these verdicts are told and the child ends with a code.
    fn told(verdicts: &[Value], code: i32) -> anyhow::Result<Vec<String>> {
        let said = json!({ "plugin": "mine", "grants": [], "verdicts": verdicts });
        // As the system gives it: the code above a byte for the signal.
        failed(&said.to_string(), ExitStatus::from_raw(code << 8))
    }

    #[test]
    fn only_what_is_required_and_not_passed_counts() {
        let passed = [verdict("a", true, true), verdict("c", false, false)];
        assert!(told(&passed, 0).unwrap().is_empty());
        let with_failure = [passed.as_slice(), &[verdict("b", false, true)]].concat();
        assert_eq!(told(&with_failure, 1).unwrap(), ["b (1)"]);
    }

    #[test]
    fn who_says_nothing_has_passed_nothing() {
        let exited = ExitStatus::from_raw(0);
        for said in [
            "",
            "{}",
            "[]",
            r#"{"verdicts":null}"#,
            r#"{"verdicts":[{}]}"#,
        ] {
            assert!(failed(said, exited).is_err(), "{said}");
        }
        assert!(told(&[], 0).is_err());
        assert!(told(&[verdict("c", true, false)], 0).is_err());
    }

    #[test]
    fn an_end_that_does_not_go_with_the_verdicts_is_none() {
        let (passed, failure) = (verdict("a", true, true), verdict("b", false, true));
        for code in [1, 2, 101] {
            assert!(told(std::slice::from_ref(&passed), code).is_err(), "{code}");
        }
        for code in [0, 2] {
            assert!(
                told(std::slice::from_ref(&failure), code).is_err(),
                "{code}"
            );
        }
        let said = json!({ "verdicts": [passed] }).to_string();
        let killed = ExitStatus::from_raw(9);
        assert!(failed(&said, killed).is_err());
    }
}
