//! What becomes of a pool's requests beside being served: copies of them for
//! another pool, questions to another about them, and faults on purpose.

use std::collections::BTreeMap;

use super::super::report::Report;
use super::health::check_path;
use crate::config::defaults;
use crate::config::key_path::KeyPath;
use crate::config::meant::{Abort, Delay, Faults, ForwardAuth, Mirror};
use crate::config::written::{self, TextOr};
use crate::id::PoolName;
use crate::token::is_token;

/// The pools beside the one that something is said of.
pub(super) struct Others<'a> {
    /// The one that it is said of.
    pub(super) own: &'a str,
    /// All of them.
    pub(super) known: &'a BTreeMap<String, written::Pool>,
}

impl Others<'_> {
    /// The one of that name; an error is noted if it is none of the others.
    fn named(&self, name: &str, key: &KeyPath, report: &mut Report<'_>) -> PoolName {
        if name == self.own {
            let message = "this is the pool itself; write another pool's name";
            report.fail(key, message);
        } else if !self.known.contains_key(name) {
            let known = self.known.keys().map(String::as_str);
            report.unknown(key, "pool", name, known);
        }
        PoolName::from(name)
    }
}

/// Who gets copies.
pub(super) fn mirror(
    written: &TextOr<written::Mirror>,
    others: &Others<'_>,
    pool: &KeyPath,
    report: &mut Report<'_>,
) -> Mirror {
    let path = pool.key("mirror");
    let (pool, percent, key) = match written {
        TextOr::Text(pool) => (pool, defaults::everything(), path.clone()),
        TextOr::Table(table) => (&table.pool, table.percent, path.key("pool")),
    };
    report.within(&path.key("percent"), percent, &defaults::SHARE);
    Mirror {
        pool: others.named(pool, &key, report),
        percent,
    }
}

/// Who is asked whether requests may go on.
pub(super) fn forward_auth(
    written: &written::ForwardAuth,
    others: &Others<'_>,
    pool: &KeyPath,
    report: &mut Report<'_>,
) -> ForwardAuth {
    let path = pool.key("forward_auth");
    check_path(&written.path, &path.key("path"), report);
    for (index, name) in written.headers.iter().enumerate() {
        let key = path.key("headers").index(index);
        if !is_token(name) {
            let message = format!("{name:?} is no header; write its name, such as \"x-user\"");
            report.fail(&key, message);
        }
        let mut before = written.headers[..index].iter();
        if let Some(first) = before.position(|before| is_same_header(before, name)) {
            let message = format!(
                "to servers that read headers as variables {name:?} is headers[{first}]; keep one \
                 of the two"
            );
            report.fail(&key, message);
        }
    }
    ForwardAuth {
        pool: others.named(&written.pool, &path.key("pool"), report),
        path: written.path.clone(),
        headers: written
            .headers
            .iter()
            .map(|name| name.to_ascii_lowercase())
            .collect(),
    }
}

/// Whether a server that passes headers on as environment variables (CGI, WSGI)
/// takes two names for one.
fn is_same_header(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.to_ascii_lowercase().replace('_', "-");
    plain(one) == plain(other)
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
