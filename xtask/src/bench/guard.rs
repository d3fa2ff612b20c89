//! `cargo xtask bench guard`: whether a request takes more instructions than it did.
//! They are counted on one connection, in the worker's thread alone, and held against
//! the numbers that are kept in `benches/instructions.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde::{Deserialize, Serialize};

use super::callgrind::{self, Counted, Function};
use super::certificate;
use super::cores::Cores;
use super::figures::grouped;
use super::instructions::{self, TOOLS};
use super::load::Exact;
use super::load::line::Way;
use super::load::talk::{Kind, Talk};
use super::peer::{Peer, Setting, Started};
use super::peers;
use super::programs::Programs;
use super::scenario::Scenario;
use crate::cargo::{output, program};
use crate::{tools, workspace};

/// Where numbers are kept, from the workspace's root.
const FILE: &str = "benches/instructions.toml";

/// What the file begins with.
const HEADING: &str = "\
# Instructions of user space for a request of the default chain, by build.
# `cargo xtask bench guard` fails when more are counted, and with `--bless` writes this
# file; benches/README.md says what each is.

";

/// How much more is still the same: single counts differ by half a percent.
const TOLERANCE: f64 = 0.03;

/// The same, where another compiler made the program whose numbers are kept.
const TOLERANCE_OF_ANOTHER: f64 = 0.10;

/// Instructions that a thousand servers may add to a request.
const FOR_MANY: u64 = 6_000;

/// Requests that warm caches and pools, and again as many once instructions are
/// counted, for what then runs first.
const FIRST: u64 = 400;

/// Requests that count.
const REQUESTS: u64 = 1_000;

/// The whole of a request: all that the worker did for one.
const EXCHANGE: &str = "exchange";

/// The same with a thousand servers.
const MANY: &str = "exchange with 1,000 servers";

/// Parts of a request, by the functions that do them, with all that those call. They
/// are found in a debug build, where nothing is inlined and symbols are left.
const PARTS: [(&str, &[&str]); 2] = [
    (
        "codec",
        &[
            "gatewright_wire::request::encode_head",
            "gatewright_wire::response::HeadParser::parse_with",
        ],
    ),
    (
        "decisions",
        &[
            "gatewright_proxy::decide::route",
            "gatewright_proxy::decide::session",
            "gatewright_proxy::decide::endpoint",
            "gatewright_proxy::decide::bind",
        ],
    ),
];

/// What `cargo xtask bench guard` takes.
#[derive(Parser)]
pub(super) struct Arguments {
    /// Count a release build, and with 1,000 servers too, instead of a debug build
    #[arg(long)]
    release: bool,
    /// Keep what is counted from now on
    #[arg(long)]
    bless: bool,
}

/// Instructions for each request, by what takes them.
type Counts = BTreeMap<String, u64>;

/// What is kept, by the build.
type Kept = BTreeMap<String, Build>;

/// What is kept of a build.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    /// The compiler's version, and the machine that it compiled for.
    compiler: [String; 2],
    instructions: Counts,
}

/// What the worker did for [`REQUESTS`].
struct Worker {
    instructions: u64,
    /// Each with all that it called.
    functions: Vec<Function>,
}

/// Count, and judge or keep it.
///
/// # Errors
///
/// When more is counted than is kept, or nothing is kept yet; when a program is
/// missing or the gateway does not answer.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    tools::need_programs(&TOOLS)?;
    tools::need_programs(&[("openssl", "openssl")])?;
    let (name, counts) = if arguments.release {
        ("release", of_release()?)
    } else {
        ("debug", of_debug()?)
    };
    let compiler = compiler()?;
    let file = workspace::root().join(FILE);
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {FILE}"))?;
    let mut kept: Kept =
        toml::from_str(&text).with_context(|| format!("cannot understand {FILE}"))?;
    if arguments.bless {
        for (what, count) in &counts {
            println!("{what}: {}", grouped(*count as f64));
        }
        let build = Build {
            compiler,
            instructions: counts,
        };
        kept.insert(name.to_owned(), build);
        fs::write(&file, HEADING.to_owned() + &toml::to_string(&kept)?)?;
        println!("kept in {FILE}");
        return Ok(());
    }
    let none = Build {
        compiler: compiler.clone(),
        instructions: Counts::new(),
    };
    let grown = judge(kept.get(name).unwrap_or(&none), &counts, &compiler);
    let flag = if arguments.release { "--release " } else { "" };
    ensure!(
        grown.is_empty(),
        "a request takes more instructions in a {name} build:\n{}\n\
         Make it cheaper; or, where it is worth that, say why in the commit and keep the \
         new numbers: `cargo xtask bench guard {flag}--bless`",
        grown.join("\n")
    );
    Ok(())
}

/// A request whole and by its parts, of the program that the tests are run with.
fn of_debug() -> Result<Counts> {
    let worker = count(Scenario::Plain, &program()?)?;
    let mut counts = Counts::from([(EXCHANGE.to_owned(), worker.instructions / REQUESTS)]);
    for (part, functions) in PARTS {
        let mut instructions = 0;
        for function in functions {
            instructions += callgrind::of(&worker.functions, function)
                .with_context(|| format!("no `{function}` ran: name what does its work now"))?;
        }
        counts.insert(part.to_owned(), instructions / REQUESTS);
    }
    Ok(counts)
}

/// A request with few servers and with many, of what is shipped.
fn of_release() -> Result<Counts> {
    let program = super::gatewright(None)?;
    let mut counts = Counts::new();
    for (what, scenario) in [(EXCHANGE, Scenario::Plain), (MANY, Scenario::Endpoints1000)] {
        let worker = count(scenario, &program)?;
        counts.insert(what.to_owned(), worker.instructions / REQUESTS);
    }
    Ok(counts)
}

/// Count, and once more if that fails: valgrind does not carry everything.
fn count(scenario: Scenario, program: &Path) -> Result<Worker> {
    let programs = Programs::only(std::path::absolute(program)?);
    println!(
        "counting {}: callgrind takes most of a minute",
        scenario.name()
    );
    count_once(scenario, &programs).or_else(|error| {
        println!("counting once more: {error:#}");
        count_once(scenario, &programs)
    })
}

/// What the worker does for [`REQUESTS`] of a client without a cookie.
fn count_once(scenario: Scenario, programs: &Programs) -> Result<Worker> {
    let traffic = scenario.traffic();
    let folder = tempfile::tempdir()?;
    certificate::make(folder.path())?;
    let backends = peers::backends(traffic, Cores::default())?;
    let under = callgrind::words(folder.path());
    let setting = Setting {
        sessions: true,
        under: &under,
        ..Setting::new(
            programs,
            folder.path(),
            Cores::default(),
            &backends.ports,
            traffic,
        )
    };
    let mut started = Started::start(Peer::Gatewright, &setting)?;
    instructions::settle(&mut started)?;
    // On more connections it would depend on the machine how many requests a round of
    // the worker has.
    let way = Way::plain(started.plain_port);
    let mut clients = Exact::Talk(Talk::open(&way, 1, Kind::Get, &[])?);
    // Each server has been asked by then, so that no connection to one is counted.
    clients.ask(FIRST.max(4 * traffic.endpoints as u64))?;
    let counted = Counted::begin(started.process.id(), folder.path(), |thread| {
        Peer::Gatewright.is_worker(thread)
    })?;
    clients.ask(FIRST)?;
    counted.done(1)?;
    clients.ask(REQUESTS)?;
    let done = counted.done(2)?;
    Ok(Worker {
        instructions: done.instructions,
        functions: done.with_called()?,
    })
}

/// What compiles here: its version, and the machine that it compiles for.
fn compiler() -> Result<[String; 2]> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = output(Command::new(rustc).arg("-vV"))?;
    let line = |key: &str| said.lines().find_map(|line| line.strip_prefix(key));
    let [version, host] =
        ["rustc ", "host: "].map(|key| line(key).context("rustc does not say what it is"));
    Ok([version?.to_owned(), host?.to_owned()])
}

/// How much more may be counted than was with another compiler, if the two can be
/// compared at all.
fn tolerance(kept: &[String; 2], here: &[String; 2]) -> Option<f64> {
    if kept == here {
        Some(TOLERANCE)
    } else if kept[1] == here[1] {
        Some(TOLERANCE_OF_ANOTHER)
    } else {
        None
    }
}

/// Print what was counted beside what is kept. Returns what has grown, a line each.
fn judge(kept: &Build, counts: &Counts, here: &[String; 2]) -> Vec<String> {
    let tolerance = tolerance(&kept.compiler, here);
    match tolerance {
        Some(tolerance) => println!("\nfails beyond {:.0} % more", tolerance * 100.0),
        None => println!(
            "\nnumbers are kept of {} and not of {}: nothing is held against them",
            kept.compiler[1], here[1]
        ),
    }
    let mut grown = Vec::new();
    for (what, count) in counts {
        let now = *count as f64;
        let Some(before) = kept.instructions.get(what).map(|before| *before as f64) else {
            grown.push(format!(
                "{what}: {}, and no number is kept yet",
                grouped(now)
            ));
            continue;
        };
        let change = now / before - 1.0;
        let line = format!(
            "{what}: {} instructions a request instead of {} ({:+.1} %)",
            grouped(now),
            grouped(before),
            change * 100.0
        );
        println!("{line}");
        match tolerance {
            Some(tolerance) if change > tolerance => grown.push(line),
            Some(tolerance) if change < -tolerance => {
                println!("that is a gain: `--bless` it, so that it is not lost again");
            }
            _ => {}
        }
    }
    grown.extend(for_many(counts));
    grown
}

/// What many servers cost, if that is too much.
fn for_many(counts: &Counts) -> Option<String> {
    let more = counts.get(MANY)?.saturating_sub(*counts.get(EXCHANGE)?);
    println!("1,000 servers instead of 3: {} more", grouped(more as f64));
    (more > FOR_MANY).then(|| {
        format!(
            "1,000 servers take {} instructions a request more than 3; {} may be",
            grouped(more as f64),
            grouped(FOR_MANY as f64)
        )
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Build, Counts, EXCHANGE, FILE, HEADING, Kept, MANY, judge, workspace};

    fn compiler(version: &str, host: &str) -> [String; 2] {
        [version.to_owned(), host.to_owned()]
    }

    fn counts(found: &[(&str, u64)]) -> Counts {
        let owned = |(what, count): &(&str, u64)| ((*what).to_owned(), *count);
        found.iter().map(owned).collect()
    }

    fn grown(kept: &[(&str, u64)], found: &[(&str, u64)], here: &[String; 2]) -> Vec<String> {
        let build = Build {
            compiler: compiler("1.95.0", "x86_64"),
            instructions: counts(kept),
        };
        judge(&build, &counts(found), here)
    }

    #[test]
    fn growth_is_told_with_both_numbers() {
        let here = compiler("1.95.0", "x86_64");
        let kept = [("codec", 20_000), (EXCHANGE, 140_000)];
        let found = [("codec", 20_500), (EXCHANGE, 145_600)];
        assert_eq!(
            grown(&kept, &found, &here),
            ["exchange: 145,600 instructions a request instead of 140,000 (+4.0 %)"]
        );
        assert!(grown(&kept, &[(EXCHANGE, 100_000)], &here).is_empty());
    }

    #[test]
    fn what_has_no_number_yet_is_no_success() {
        let here = compiler("1.95.0", "x86_64");
        let told = grown(&[], &[("codec", 20_000)], &here);
        assert_eq!(told, ["codec: 20,000, and no number is kept yet"]);
    }

    #[test]
    fn another_compiler_has_more_room_and_another_machine_all() {
        let (kept, found) = ([(EXCHANGE, 100_000)], [(EXCHANGE, 109_000)]);
        assert_eq!(grown(&kept, &found, &compiler("1.95.0", "x86_64")).len(), 1);
        assert!(grown(&kept, &found, &compiler("1.96.0", "x86_64")).is_empty());
        let far = [(EXCHANGE, 300_000)];
        assert_eq!(grown(&kept, &far, &compiler("1.96.0", "x86_64")).len(), 1);
        assert!(grown(&kept, &far, &compiler("1.95.0", "aarch64")).is_empty());
    }

    #[test]
    fn a_thousand_servers_have_a_budget() {
        let here = compiler("1.95.0", "x86_64");
        let kept = [(EXCHANGE, 21_000), (MANY, 30_000)];
        let within = [(EXCHANGE, 21_000), (MANY, 27_000)];
        assert!(grown(&kept, &within, &here).is_empty());
        let over = [(EXCHANGE, 21_000), (MANY, 27_001)];
        assert_eq!(
            grown(&kept, &over, &here),
            ["1,000 servers take 6,001 instructions a request more than 3; 6,000 may be"]
        );
    }

    #[test]
    fn what_is_kept_can_be_read() {
        let text = fs::read_to_string(workspace::root().join(FILE)).unwrap();
        assert!(text.starts_with(HEADING));
        let kept: Kept = toml::from_str(&text).unwrap();
        assert!(kept["debug"].instructions.contains_key(EXCHANGE));
    }
}
