//! Who runs where: the proxy has a core of its own, everything else another.

use std::fs;
use std::io;
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::thread::{CpuSet, sched_setaffinity};

/// The two cores of a measurement; none where any will do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cores {
    /// The proxy's.
    pub(super) proxy: Option<usize>,
    /// The load generator's and the backends'.
    pub(super) load: Option<usize>,
}

impl Cores {
    /// The first two cores that this process may use.
    ///
    /// # Errors
    ///
    /// When there are fewer.
    pub(super) fn choose() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status").context("this needs Linux's /proc")?;
        let list = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
            .context("the kernel does not tell which cores may be used")?;
        match allowed(list.trim()).as_slice() {
            [proxy, load, ..] => Ok(Self {
                proxy: Some(*proxy),
                load: Some(*load),
            }),
            _ => bail!("a comparison needs two cores: one for the proxy, one for the load"),
        }
    }
}

/// `0-2,5` as the numbers it means.
fn allowed(list: &str) -> Vec<usize> {
    list.split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(first.parse().ok()?..=last.parse().ok()?)
        })
        .flatten()
        .collect()
}

/// A command that runs a program on one core, or on any.
pub(super) fn on(core: Option<usize>, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let Some(core) = core else {
        return Command::new(program);
    };
    let mut command = Command::new("taskset");
    command.arg("--cpu-list").arg(core.to_string()).arg(program);
    command
}

/// Keep the calling thread on one core.
pub(super) fn pin_this_thread(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn a_list_of_cores_is_read() {
        assert_eq!(allowed("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(allowed("7"), [7]);
    }
}
