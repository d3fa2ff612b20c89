//! The admin listener: its address, its TLS, and whose pages may ask.

use std::sync::Arc;

use super::address::{listen_address, server_address};
use super::origin::origin;
use super::report::Report;
use crate::config::key_path::KeyPath;
use crate::config::meant::{Admin, AdminTls, CertificateFiles, Registries};
use crate::config::written;
use crate::signature::PluginKey;

pub(super) fn admin(written: &written::Admin, report: &mut Report<'_>) -> Option<Admin> {
    let path = KeyPath::default().key("admin");
    let listen = report.value(&path.key("listen"), listen_address(&written.listen));
    let data = report.resolve(&path.key("data"), &written.data);
    let origins = written.origins.iter().enumerate();
    let origins = origins.filter_map(|(index, text)| {
        let path = path.key("origins").index(index);
        report.value(&path, origin(text))
    });
    let origins = origins.collect();
    let keys = written.plugin_keys.as_deref();
    let plugin_keys = keys.map(|keys| plugin_keys(keys, &path.key("plugin_keys"), report));
    let registries = registries(&written.registries, &path.key("registries"), report);
    let tls = written.tls.as_ref();
    let tls = tls.map(|written| tls_of(written, &path.key("tls"), report));
    Some(Admin {
        listen: listen?,
        data,
        origins,
        plugin_keys: plugin_keys.unwrap_or_default(),
        certify_balancers: written.certify_balancers,
        registries,
        tls,
    })
}

fn plugin_keys(written: &[String], path: &KeyPath, report: &mut Report<'_>) -> Vec<PluginKey> {
    // Who takes the last key out means that nothing is to be let in; to let
    // everything in is to be said in so many words.
    if written.is_empty() {
        let message = "no key is in it, so nobody could sign a plugin; name a key, or leave \
                       plugin_keys out to let plugins in that nobody has signed";
        report.fail(path, message);
    }
    let keys = written.iter().enumerate();
    let keys =
        keys.filter_map(|(index, text)| report.value(&path.index(index), PluginKey::parse(text)));
    keys.collect()
}

fn registries(
    written: &written::Registries,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Registries {
    let auth = written.auth.as_ref();
    let auth = auth.map(|file| report.file(&path.key("auth"), file));
    let plain = written.plain_http.iter().enumerate();
    let plain = plain.filter_map(|(index, text)| {
        let path = path.key("plain_http").index(index);
        report.value(&path, server_address(text))?;
        Some(Arc::from(text.as_str()))
    });
    Registries {
        plain_http: plain.collect(),
        auth,
    }
}

fn tls_of(written: &written::AdminTls, path: &KeyPath, report: &mut Report<'_>) -> AdminTls {
    let client_ca = written.client_ca.as_ref();
    AdminTls {
        certificate: CertificateFiles {
            certificate: report.pem(&path.key("cert"), &written.cert),
            key: report.pem(&path.key("key"), &written.key),
        },
        client_ca: client_ca.map(|file| report.pem(&path.key("client_ca"), file)),
    }
}
