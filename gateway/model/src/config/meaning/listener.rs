//! Listeners and their certificates.

use std::collections::HashMap;
use std::sync::Arc;

use super::acme::ordered;
use super::address::listener_address;
use super::passthrough::passthrough;
use super::peers;
use super::report::Report;
use crate::address::Address;
use crate::config::defaults;
use crate::config::key_path::KeyPath;
use crate::config::meant::{
    Acme, Admin, CertificateFiles, Certificates, ClientAuth, Hsts, Http3, Listener, Peers,
    PoolConfig, Tls,
};
use crate::config::quantity::Period;
use crate::config::written;

/// What listeners refer to: pools, and how certificates are ordered.
type Around<'a> = (&'a [PoolConfig], Option<&'a Acme>);

/// All listeners; at least one, with names of their own.
pub(super) fn listeners(
    written: &[written::Listener],
    around: Around<'_>,
    report: &mut Report<'_>,
) -> Vec<Listener> {
    let path = KeyPath::default().key("listener");
    if written.is_empty() {
        report.fail(
            &path,
            "there is no listener; write one, or leave the key out for port 8080",
        );
    }
    let mut named = HashMap::new();
    let mut listeners = Vec::with_capacity(written.len());
    for (index, written) in written.iter().enumerate() {
        let path = path.index(index);
        let name = written.name.as_ref().unwrap_or(&written.listen);
        if written.name.is_some() {
            report.name(&path.key("name"), name);
        }
        if let Some(other) = named.insert(name.clone(), index) {
            let message = format!("listener[{other}] is named {name:?} too; choose another name");
            report.fail(&path.key("name"), message);
        }
        listeners.extend(listener(written, name, around, &path, report));
    }
    listeners
}

fn listener(
    written: &written::Listener,
    name: &str,
    (pools, acme): Around<'_>,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Option<Listener> {
    let listen = report.value(&path.key("listen"), listener_address(&written.listen));
    let tls = written
        .tls
        .as_ref()
        .map(|written| tls(written, acme, &path.key("tls"), report));
    let redirect = written.redirect.as_ref();
    let redirect = redirect.and_then(|target| {
        let path = path.key("redirect");
        if tls.is_some() {
            let message = "its clients speak HTTPS already; leave redirect or tls out";
            report.fail(&path, message);
        }
        report.value(&path, redirect_port(target))
    });
    let proxies = peers(&written.proxy_protocol, &path.key("proxy_protocol"), report);
    if let Some(listen) = &listen {
        refuse_nobody(listen, &proxies, path, report);
    }
    let http3 = http3(written, listen.as_ref(), &path.key("http3"), report);
    Some(Listener {
        name: Arc::from(name),
        passthrough: passthrough(written, pools, &path.key("passthrough"), report),
        proxy_protocol: proxies,
        socket_mode: socket_mode(written, listen.as_ref(), &path.key("socket_mode"), report),
        listen: listen?,
        tls,
        http3,
        redirect,
    })
}

/// What clients are told of HTTP/3, where it is spoken.
fn http3(
    written: &written::Listener,
    listen: Option<&Address>,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Option<Http3> {
    let told = written.http3.clone()?.into_table()?;
    let is_unix = matches!(listen, Some(Address::Unix(_)));
    let obstacles = [
        (
            written.tls.is_none(),
            "HTTP/3 is always encrypted; write tls = { … } too, or leave http3 out",
        ),
        (
            is_unix,
            "HTTP/3 comes over UDP, which a Unix socket has not; listen on a port, or leave \
             http3 out",
        ),
        (
            !written.proxy_protocol.is_empty(),
            "proxies that speak the PROXY protocol pass on TCP alone; leave http3 or \
             proxy_protocol out",
        ),
        (
            !written.passthrough.is_empty(),
            "what is passed on as it comes is TCP alone; leave http3 or passthrough out",
        ),
    ];
    for (_, message) in obstacles.iter().filter(|(applies, _)| *applies) {
        report.fail(path, *message);
    }
    if told.advertise == Some(0) {
        report.fail(
            &path.key("advertise"),
            "no client can come to port 0; write a port from 1 to 65535",
        );
    }
    let max_age = &path.key("max_age");
    Some(Http3 {
        advertise: told.advertise,
        max_age: report
            .within(max_age, told.max_age, &defaults::HTTP3_MAX_AGE)
            .0,
    })
}

/// Notes an error where none of the proxies that alone are served can connect.
fn refuse_nobody(listen: &Address, proxies: &Peers, path: &KeyPath, report: &mut Report<'_>) {
    let has_some = match listen {
        Address::Ip(_) => !proxies.networks.is_empty(),
        Address::Unix(_) => proxies.unix,
    };
    if !proxies.is_empty() && !has_some {
        let message = "none of these can connect to this listener; name \"unix\" for a Unix \
                       socket, and addresses for others";
        report.fail(&path.key("proxy_protocol"), message);
    }
}

/// The mode of a Unix socket's file.
fn socket_mode(
    written: &written::Listener,
    listen: Option<&Address>,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> u32 {
    let Some(text) = &written.socket_mode else {
        return defaults::SOCKET_MODE;
    };
    if let Some(Address::Ip(_)) = listen {
        report.fail(path, "only a Unix socket has a file; leave it out");
    }
    let is_octal = text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let mode = u32::from_str_radix(text, 8).ok();
    let mode = mode.filter(|mode| is_octal && *mode <= 0o777);
    let mode = mode.ok_or_else(|| {
        format!("{text:?} is no mode of a file; write it in octal, such as \"0660\"")
    });
    report.value(path, mode).unwrap_or(defaults::SOCKET_MODE)
}

/// The port of HTTPS that a `redirect` names.
fn redirect_port(target: &str) -> Result<u16, String> {
    let port = match target.strip_prefix("https") {
        Some("") => Some(443),
        Some(port) => port
            .strip_prefix(':')
            .filter(|port| port.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|port| port.parse().ok())
            .filter(|port| *port > 0),
        None => None,
    };
    port.ok_or_else(|| {
        format!(
            "{target:?} is nowhere to send clients; write \"https\", or \"https:8443\" for \
             another port than 443"
        )
    })
}

fn tls(
    written: &written::Tls,
    acme: Option<&Acme>,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Tls {
    let has_own = !written.certificates.is_empty() || !written.acme.is_empty();
    if written.self_signed == has_own {
        let message = "this takes either self_signed = true, or certificates = [{ cert = \"…\", \
                       key = \"…\" }], or acme = [\"NAME\"]; write one of them";
        report.fail(path, message);
    }
    if written.protocols.is_empty() {
        let message =
            "clients are offered no protocol; write [\"h2\", \"http/1.1\"] or one of them";
        report.fail(&path.key("protocols"), message);
    }
    Tls {
        certificates: match written.self_signed {
            true => Certificates::SelfSigned,
            false => certificates(&written.certificates, &path.key("certificates"), report),
        },
        ordered: ordered(&written.acme, acme, &path.key("acme"), report),
        strict_sni: written.strict_sni,
        min_version: written.min_version,
        protocols: written.protocols.clone(),
        client_auth: client_auth(written, path, report),
        hsts: hsts(written.hsts.as_ref(), &path.key("hsts"), report),
    }
}

fn hsts(
    written: Option<&written::TextOr<written::Hsts>>,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Option<Hsts> {
    let (max_age, include_subdomains, preload) = match written? {
        written::TextOr::Text(text) => {
            let max_age = text.parse::<Period>().map_err(|error| error.to_string());
            (report.value(path, max_age)?, false, false)
        }
        written::TextOr::Table(hsts) => (hsts.max_age, hsts.include_subdomains, hsts.preload),
    };
    report.within(path, max_age, &defaults::HSTS);
    if preload && (!include_subdomains || max_age < defaults::HSTS_PRELOAD) {
        let message = "browsers list no name without include_subdomains = true and a max_age of \
                       \"365 days\"; write both, or leave preload out";
        report.fail(&path.key("preload"), message);
    }
    Some(Hsts {
        max_age: max_age.0,
        include_subdomains,
        preload,
    })
}

fn client_auth(
    written: &written::Tls,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Option<ClientAuth> {
    let is_required = written.client_auth == written::ClientAuth::Required;
    if written.client_ca.is_none() && !is_required {
        let message = "nobody says whose certificates are good; write client_ca = \"FILE\" too";
        report.fail(&path.key("client_auth"), message);
    }
    let authorities = written.client_ca.as_ref()?;
    Some(ClientAuth {
        authorities: report.pem(&path.key("client_ca"), authorities),
        is_required,
    })
}

fn certificates(
    written: &[written::Certificate],
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Certificates {
    let mut certificates = Vec::with_capacity(written.len());
    for (index, written) in written.iter().enumerate() {
        let path = path.index(index);
        certificates.push(CertificateFiles {
            certificate: report.pem(&path.key("cert"), &written.cert),
            key: report.pem(&path.key("key"), &written.key),
        });
    }
    Certificates::Files(certificates)
}

/// Notes an error for each address that two would listen on.
pub(super) fn refuse_sharing(
    listeners: &[Listener],
    admin: Option<&Admin>,
    report: &mut Report<'_>,
) {
    let mut taken = HashMap::new();
    if let Some(admin) = admin {
        taken.insert(Address::Ip(admin.listen), "admin".to_owned());
    }
    for (index, listener) in listeners.iter().enumerate() {
        // Port 0 is a free one each time.
        if listener.listen.is_any_port() {
            continue;
        }
        let name = format!("listener[{index}]");
        if let Some(other) = taken.insert(listener.listen.clone(), name) {
            let path = KeyPath::default()
                .key("listener")
                .index(index)
                .key("listen");
            let address = &listener.listen;
            let remedy = match address {
                Address::Ip(_) => "choose another port",
                Address::Unix(_) => "choose another path",
            };
            report.fail(&path, format!("{other} listens on {address} too; {remedy}"));
        }
    }
}
