//! How servers are checked, and when one that fails requests gets no more.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::config::defaults;
use crate::config::key_path::KeyPath;
use crate::config::meaning::report::Report;
use crate::config::meant::{Breaker, HealthCheck, Probe, Statuses};
use crate::config::written::{self, CheckKind, Protocol};

/// What the checks of a pool's servers depend on beside their own keys.
#[derive(Clone, Copy)]
pub(super) struct Checks {
    pub(super) protocol: Protocol,
}

impl Checks {
    /// How a pool's servers are checked.
    pub(super) fn of_pool(
        self,
        written: &written::Health,
        path: &KeyPath,
        report: &mut Report<'_>,
    ) -> HealthCheck {
        self.check_kind(written.kind, path, report);
        check_path(&written.path, &path.key("path"), report);
        let (interval, timeout) = (written.interval, written.timeout);
        let interval = report.within(&path.key("interval"), interval, &defaults::HEALTH_INTERVAL);
        let timeout = report.within(&path.key("timeout"), timeout, &defaults::HEALTH_TIMEOUT);
        HealthCheck {
            kind: written.kind,
            path: Arc::from(written.path.as_str()),
            statuses: statuses(&written.status, &path.key("status"), report),
            service: Arc::from(written.service.as_str()),
            interval: interval.0,
            timeout: timeout.0,
            rise: report.within(&path.key("rise"), written.rise, &defaults::HEALTH_COUNT),
            fall: report.within(&path.key("fall"), written.fall, &defaults::HEALTH_COUNT),
            jitter: report.within(
                &path.key("jitter"),
                written.jitter,
                &defaults::HEALTH_JITTER,
            ),
        }
    }

    /// What a server says itself of how it is checked, over what its pool says.
    pub(super) fn of_server(
        self,
        pool: &HealthCheck,
        written: &written::ServerHealth,
        path: &KeyPath,
        report: &mut Report<'_>,
    ) -> HealthCheck {
        let mut health = pool.clone();
        if let Some(own) = written.kind {
            self.check_kind(own, path, report);
            health.kind = own;
        }
        if let Some(own) = &written.path {
            check_path(own, &path.key("path"), report);
            health.path = Arc::from(own.as_str());
        }
        if let Some(own) = &written.status {
            health.statuses = statuses(own, &path.key("status"), report);
        }
        if let Some(own) = &written.service {
            health.service = Arc::from(own.as_str());
        }
        if let Some(own) = written.interval {
            let key = path.key("interval");
            health.interval = report.within(&key, own, &defaults::HEALTH_INTERVAL).0;
        }
        if let Some(own) = written.timeout {
            let key = path.key("timeout");
            health.timeout = report.within(&key, own, &defaults::HEALTH_TIMEOUT).0;
        }
        if let Some(own) = written.rise {
            health.rise = report.within(&path.key("rise"), own, &defaults::HEALTH_COUNT);
        }
        if let Some(own) = written.fall {
            health.fall = report.within(&path.key("fall"), own, &defaults::HEALTH_COUNT);
        }
        if let Some(own) = written.jitter {
            health.jitter = report.within(&path.key("jitter"), own, &defaults::HEALTH_JITTER);
        }
        health
    }

    /// Notes an error for a check that the pool's protocol does not carry.
    fn check_kind(self, kind: CheckKind, path: &KeyPath, report: &mut Report<'_>) {
        if kind == CheckKind::Grpc && self.protocol == Protocol::Http1 {
            let message = "gRPC goes over HTTP/2, and the pool's servers speak HTTP/1.1; write \
                           protocol = \"http2\" in the pool, or another type";
            report.fail(&path.key("type"), message);
        }
    }
}

/// How a pool's servers are asked how busy they are.
pub(super) fn probe(written: &written::Probe, path: &KeyPath, report: &mut Report<'_>) -> Probe {
    check_path(&written.path, &path.key("path"), report);
    let key = path.key("interval");
    let interval = report.within(&key, written.interval, &defaults::PROBE_INTERVAL);
    Probe {
        path: Arc::from(written.path.as_str()),
        interval: interval.0,
    }
}

/// Notes an error for a path that cannot be asked for.
pub(super) fn check_path(text: &str, key: &KeyPath, report: &mut Report<'_>) {
    if !text.starts_with('/') || !text.bytes().all(|b| b.is_ascii_graphic()) {
        let message = format!(
            "{text:?} is no path; write one that begins with \"/\" and has no spaces, such as \"/health\""
        );
        report.fail(key, message);
    }
}

fn statuses(text: &str, key: &KeyPath, report: &mut Report<'_>) -> Statuses {
    let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
    let ranges = ranges.ok_or_else(|| {
        format!("{text:?} are no statuses; write some from 200 to 599, such as \"200-299\" or \"200, 204\"")
    });
    Statuses(report.value(key, ranges).unwrap_or_default().into())
}

/// `200` or `200-299`.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
    let known = &defaults::HEALTH_STATUS;
    (known.contains(&from) && known.contains(&to) && from <= to).then_some(from..=to)
}

/// When a server that fails requests gets no more.
pub(super) fn breaker(
    written: &written::Breaker,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Breaker {
    let count = |report: &mut Report<'_>, key, count| {
        report.within(&path.key(key), count, &defaults::BREAKER_COUNT)
    };
    let (open_time, longest) = (written.open_time, written.max_open_time);
    let key = path.key("max_open_time");
    report.within(&key, longest, &defaults::MAX_OPEN_TIME);
    if longest < open_time {
        let message = format!(
            "{longest} is shorter than open_time, which is {open_time}; write that at least"
        );
        report.fail(&key, message);
    }
    Breaker {
        fail_threshold: count(report, "fail_threshold", written.fail_threshold),
        error_threshold: count(report, "error_threshold", written.error_threshold),
        open_time: report
            .within(&path.key("open_time"), open_time, &defaults::OPEN_TIME)
            .0,
        max_open_time: longest.0,
        max_ejected: report.within(
            &path.key("max_ejected"),
            written.max_ejected,
            &defaults::SHARE,
        ),
    }
}
