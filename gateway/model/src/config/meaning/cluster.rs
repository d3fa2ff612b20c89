//! `[cluster]`: the gateways that have one desired state together.

use std::sync::Arc;

use super::report::Report;
use crate::config::key_path::KeyPath;
use crate::config::meant::{CertificateFiles, Cluster};
use crate::config::written;

/// Ways to reach the server; the last two say the same.
const SCHEMES: [&str; 4] = ["redis", "rediss", "redis+unix", "unix"];

/// Which cluster the gateway is in, where that is written.
pub(super) fn cluster(written: &written::Config, report: &mut Report<'_>) -> Option<Cluster> {
    let path = KeyPath::default().key("cluster");
    let keys = written.cluster.as_ref()?;
    let url = report.value(&path.key("url"), url(&keys.url));
    let is_tls = keys.url.starts_with("rediss:");
    report.name(&path.key("prefix"), &keys.prefix);
    if let Some(name) = &keys.name {
        report.name(&path.key("name"), name);
    }
    if keys.password.as_deref() == Some("") {
        let message = "it is empty; write the server's password, or leave the key out";
        report.fail(&path.key("password"), message);
    }
    let mut cluster = Cluster {
        // What is wrong has been noted.
        url: url.unwrap_or_default().into(),
        password: keys.password.as_deref().map(Arc::from),
        prefix: keys.prefix.as_str().into(),
        name: keys.name.as_deref().map(Arc::from),
        authorities: None,
        certificate: None,
    };
    if let Some(tls) = &keys.tls {
        let path = path.key("tls");
        if !is_tls {
            let message = "the server is spoken to in the clear; write rediss:// in cluster.url, \
                           or leave tls out";
            report.fail(&path, message);
        }
        let ca = tls.ca.as_ref();
        cluster.authorities = ca.map(|file| report.pem(&path.key("ca"), file));
        cluster.certificate = certificate(tls, &path, report);
    }
    Some(cluster)
}

fn certificate(
    tls: &written::ClusterTls,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Option<CertificateFiles> {
    match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => Some(CertificateFiles {
            certificate: report.pem(&path.key("cert"), cert),
            key: report.pem(&path.key("key"), key),
        }),
        (None, None) => None,
        (cert, _) => {
            let (there, missing) = match cert {
                Some(_) => ("cert", "key"),
                None => ("key", "cert"),
            };
            let message = format!("{there} stands alone; write {missing} beside it");
            report.fail(&path.key(there), message);
            None
        }
    }
}

/// The address as it stands, if it leads somewhere. It may hold a password, so that
/// no error tells it.
fn url(text: &str) -> Result<String, String> {
    let wrong = || {
        "it is no address of a Redis server; write redis://HOST:PORT/DATABASE, rediss:// for TLS, \
         or redis+unix:///PATH for a Unix socket, and %XX for what is no letter, digit or one of \
         -_.~ in a user or password"
            .to_owned()
    };
    let parsed = url::Url::parse(text).map_err(|_| wrong())?;
    let has_place = match parsed.scheme() {
        "redis" | "rediss" => parsed.host_str().is_some_and(|host| !host.is_empty()),
        _ => parsed.path().len() > 1,
    };
    let database = parsed.path().trim_matches('/');
    let has_database =
        parsed.scheme().contains("unix") || database.is_empty() || database.parse::<u32>().is_ok();
    match SCHEMES.contains(&parsed.scheme()) && has_place && has_database {
        true => Ok(text.to_owned()),
        false => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn an_address_leads_to_a_server_and_an_error_does_not_tell_it() {
        for text in [
            "redis://127.0.0.1",
            "redis://127.0.0.1:6379/0",
            "rediss://user:s%40cret@redis.example:6380/2",
            "redis+unix:///run/redis.sock?db=1",
            "unix:///run/redis.sock",
        ] {
            assert_eq!(url(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            "127.0.0.1:6379",
            "http://secret.example",
            "redis://",
            "redis://secret.example/secret",
            "redis://:secret@:99999",
            "unix://",
        ] {
            let refused = url(text).unwrap_err();
            assert!(!refused.contains("secret"), "{text}");
        }
    }
}
