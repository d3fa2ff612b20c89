//! Listeners that pass TLS on to servers as it comes.

use std::sync::Arc;

use super::address::server_host;
use super::report::Report;
use crate::config::key_path::KeyPath;
use crate::config::meant::{Passthrough, PoolConfig, Protocol};
use crate::config::written;

/// Which servers get whose connections.
pub(super) fn passthrough(
    written: &written::Listener,
    pools: &[PoolConfig],
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Vec<Passthrough> {
    let speaks = written.tls.is_some() || written.redirect.is_some();
    if speaks && !written.passthrough.is_empty() {
        let message =
            "what is passed on is not spoken with here; leave it out, or tls and redirect";
        report.fail(path, message);
    }
    let mut meant: Vec<Passthrough> = Vec::new();
    for (index, one) in written.passthrough.iter().enumerate() {
        let path = path.index(index);
        let name = report.value(&path.key("sni"), name(&one.sni));
        let pool = pool(&one.pool, pools, &path.key("pool"), report);
        let Some((name, pool)) = name.zip(pool) else {
            continue;
        };
        if let Some(first) = meant.iter().position(|other| *other.name == *name) {
            let message = format!("{name:?} is passthrough[{first}] already; keep one of the two");
            report.fail(&path.key("sni"), message);
        }
        meant.push(Passthrough {
            name: Arc::from(name),
            pool: pool.name.clone(),
        });
    }
    meant
}

/// A name that clients ask for, in lower case.
fn name(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    match text == "*" || server_host(name).is_ok() {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(format!(
            "{text:?} is no name that clients ask for; write one such as \"db.example\" or \
             \"*.example\", or \"*\" for all others"
        )),
    }
}

/// The pool of that name, whose servers speak TLS with the clients themselves.
fn pool<'a>(
    name: &str,
    pools: &'a [PoolConfig],
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Option<&'a PoolConfig> {
    let Some(pool) = pools.iter().find(|pool| pool.name.as_str() == name) else {
        let known = pools.iter().map(|pool| pool.name.as_str());
        report.unknown(path, "pool", name, known);
        return None;
    };
    if pool.tls.is_some() || pool.protocol != Protocol::Http1 {
        let message = "its servers get what the clients send and nothing else; leave tls and \
                       protocol out of the pool";
        report.fail(path, message);
    }
    Some(pool)
}
