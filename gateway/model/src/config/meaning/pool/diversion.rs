//! What becomes of a pool's requests beside being served: copies of them for
//! another pool, and faults on purpose.

use super::super::report::Report;
use crate::config::defaults;
use crate::config::key_path::KeyPath;
use crate::config::meant::{Abort, Delay, Faults, Mirror};
use crate::config::written::{self, TextOr};
use crate::id::PoolName;

/// Who gets copies; `own` is the pool that it is said of.
pub(super) fn mirror<'n>(
    written: Option<&TextOr<written::Mirror>>,
    own: &str,
    known: impl Iterator<Item = &'n str> + Clone,
    pool: &KeyPath,
    report: &mut Report<'_>,
) -> Option<Mirror> {
    let path = pool.key("mirror");
    let (pool, percent, key) = match written? {
        TextOr::Text(pool) => (pool, defaults::everything(), path.clone()),
        TextOr::Table(table) => (&table.pool, table.percent, path.key("pool")),
    };
    report.within(&path.key("percent"), percent, &defaults::SHARE);
    if pool == own {
        let message = "a pool cannot mirror to itself; write another pool's name";
        report.fail(&key, message);
    } else if !known.clone().any(|known| known == pool) {
        report.unknown(&key, "pool", pool, known);
    }
    Some(Mirror {
        pool: PoolName::from(pool.as_str()),
        percent,
    })
}

/// Faults on purpose.
pub(super) fn faults(written: &written::Faults, path: &KeyPath, report: &mut Report<'_>) -> Faults {
    let mut percent = |key, percent: u8| report.within(&path.key(key), percent, &defaults::SHARE);
    let delay_percent = percent("delay_percent", written.delay_percent);
    let abort_percent = percent("abort_percent", written.abort_percent);
    let delay = written.delay.map(|by| {
        let key = path.key("delay");
        Delay {
            by: report.within(&key, by, &defaults::FAULT_DELAY).0,
            percent: delay_percent,
        }
    });
    let abort = written.abort.map(|status| Abort {
        status: report.within(&path.key("abort"), status, &defaults::FAULT_STATUS),
        percent: abort_percent,
    });
    Faults { delay, abort }
}
