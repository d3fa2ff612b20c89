//! What a pool does when there is more to do than its servers can.

use std::num::NonZeroU32;

use super::super::report::Report;
use crate::config::defaults;
use crate::config::key_path::KeyPath;
use crate::config::meant::{Overload, Queue};
use crate::config::written;

/// The limits of a whole pool, its queue and its second attempts.
pub(super) fn overload(
    written: &written::Pool,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Overload {
    let queue = written.queue.clone().into_table();
    let hedge = written.hedge.as_ref();
    if hedge.is_some() && written.retries.attempts < 2 {
        let message = "retries.attempts allows no second attempt; write 2 or more there, or leave \
                       this out";
        report.fail(&path.key("hedge"), message);
    }
    let hedge_after = hedge.map(|hedge| {
        let key = path.key("hedge").key("after");
        report.within(&key, hedge.after, &defaults::HEDGE_AFTER).0
    });
    let limit = |report: &mut Report<'_>, written, key| max_active(written, &path.key(key), report);
    Overload {
        max_active_per_server: limit(
            report,
            written.max_active_per_server,
            "max_active_per_server",
        ),
        max_active: limit(report, written.max_active, "max_active"),
        queue: queue.and_then(|queue| self::queue(&queue, &path.key("queue"), report)),
        hedge_after,
    }
}

/// A limit of requests in flight, if there is one.
pub(super) fn max_active(
    written: Option<u32>,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Option<NonZeroU32> {
    let limit = written.map(|limit| report.within(path, limit, &defaults::MAX_ACTIVE));
    limit.and_then(NonZeroU32::new)
}

/// Who waits; a queue that has room for nobody is none.
fn queue(written: &written::Queue, path: &KeyPath, report: &mut Report<'_>) -> Option<Queue> {
    let size = report.within(&path.key("size"), written.size, &defaults::QUEUE_SIZE);
    let timeout = path.key("timeout");
    let timeout = report.within(&timeout, written.timeout, &defaults::QUEUE_TIMEOUT);
    (size > 0).then_some(Queue {
        size: size as usize,
        timeout: timeout.0,
    })
}

/// The statuses after which another server is asked.
pub(super) fn statuses(written: &[u16], path: &KeyPath, report: &mut Report<'_>) -> Vec<u16> {
    let statuses = written.iter().enumerate();
    let statuses = statuses
        .map(|(index, status)| report.within(&path.index(index), *status, &defaults::RETRY_STATUS));
    statuses.collect()
}
