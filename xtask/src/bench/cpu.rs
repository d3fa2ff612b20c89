//! CPU time, as the kernel accounts it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// CPU time by mode.
#[derive(Clone, Copy, Debug)]
pub(super) struct CpuTime {
    pub(super) user: Duration,
    pub(super) kernel: Duration,
}

impl CpuTime {
    /// In both modes.
    pub(super) fn total(self) -> Duration {
        self.user + self.kernel
    }
}

/// CPU time that a process and all its descendants, the ended ones too, have
/// used so far, over all their threads.
///
/// # Errors
///
/// When the process is no more.
pub(super) fn of_tree(root: u32) -> Result<CpuTime> {
    let tree = tree(root)?;
    let sum = |ticks: fn(&Stat) -> u64| duration(tree.values().map(ticks).sum());
    Ok(CpuTime {
        user: sum(|stat| stat.user_ticks),
        kernel: sum(|stat| stat.kernel_ticks),
    })
}

/// A process and all its descendants that have not ended.
///
/// # Errors
///
/// When the process is no more.
pub(super) fn processes(root: u32) -> Result<Vec<u32>> {
    Ok(tree(root)?.into_keys().collect())
}

fn tree(root: u32) -> Result<BTreeMap<u32, Stat>> {
    let mut processes = BTreeMap::new();
    for entry in fs::read_dir("/proc").context("this needs Linux's /proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // A process may end while we look.
        if let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat"))
            && let Some(stat) = Stat::parse(&stat)
        {
            processes.insert(pid, stat);
        }
    }
    let is_below = |pid: u32| {
        let mut at = pid;
        while at != root {
            match processes.get(&at) {
                Some(stat) if stat.parent != 0 => at = stat.parent,
                _ => return false,
            }
        }
        processes.contains_key(&root)
    };
    let below: Vec<u32> = processes
        .keys()
        .copied()
        .filter(|pid| is_below(*pid))
        .collect();
    ensure!(
        below.contains(&root),
        "a process that is measured has ended"
    );
    processes.retain(|pid, _| below.contains(pid));
    Ok(processes)
}

/// CPU time of each thread of a process so far, by the thread's name, which the
/// kernel cuts to 15 letters.
///
/// # Errors
///
/// When the process is no more.
pub(super) fn of_threads(process: u32) -> Result<Vec<(String, CpuTime)>> {
    let threads = fs::read_dir(format!("/proc/{process}/task"));
    let threads = threads.context("a process that is measured has ended")?;
    let mut times = Vec::new();
    for thread in threads {
        // A thread may end while we look.
        let Ok(stat) = fs::read_to_string(thread?.path().join("stat")) else {
            continue;
        };
        if let Some(name) = name(&stat)
            && let Some(ticks) = Stat::parse(&stat)
        {
            let time = CpuTime {
                user: duration(ticks.user_ticks),
                kernel: duration(ticks.kernel_ticks),
            };
            times.push((name.to_owned(), time));
        }
    }
    Ok(times)
}

/// CPU time that the whole machine has spent on anything so far, over all cores.
///
/// # Errors
///
/// When the kernel does not tell.
pub(super) fn of_machine() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat").context("this needs Linux's /proc")?;
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .map_while(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal
    let [user, nice, system, _, _, irq, softirq, ..] = fields.as_slice() else {
        anyhow::bail!("cannot understand /proc/stat");
    };
    Ok(duration(user + nice + system + irq + softirq))
}

fn duration(ticks: u64) -> Duration {
    let per_second = rustix::param::clock_ticks_per_second();
    Duration::from_secs_f64(ticks as f64 / per_second as f64)
}

/// The name in a `stat`, which may itself hold parentheses.
fn name(stat: &str) -> Option<&str> {
    stat.get(stat.find('(')? + 1..stat.rfind(')')?)
}

/// What is read of a process's `stat`: its own time and that of children that
/// have ended.
struct Stat {
    parent: u32,
    user_ticks: u64,
    kernel_ticks: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name, in parentheses, may itself hold spaces and parentheses.
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let field = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            user_ticks: field(11)? + field(13)?,
            kernel_ticks: field(12)? + field(14)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Stat, name, of_threads, of_tree};

    #[test]
    fn a_process_with_a_strange_name_is_read() {
        let text = "42 (a) b) S 7 42 42 0 -1 4194560 1 2 3 4 50 25 4 1 20 0 1 0 9";
        let stat = Stat::parse(text).unwrap();
        assert_eq!(name(text), Some("a) b"));
        assert_eq!(
            (stat.parent, stat.user_ticks, stat.kernel_ticks),
            (7, 54, 26)
        );
    }

    #[test]
    fn threads_are_told_by_name() {
        let (tell, told) = std::sync::mpsc::channel();
        let look = std::thread::Builder::new().name("looker".to_owned());
        let look = look.spawn(move || tell.send(of_threads(std::process::id()).unwrap()));
        let threads = told.recv().unwrap();
        assert!(threads.iter().any(|(name, _)| name == "looker"));
        look.unwrap().join().unwrap().unwrap();
    }

    #[test]
    fn the_time_of_a_tree_is_there_while_it_lives() {
        assert!(of_tree(std::process::id()).is_ok());
        assert!(of_tree(u32::MAX).is_err());
    }
}
