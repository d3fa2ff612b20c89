//! The programs that a bench needs: found, installed where that may be done, or
//! built, saying so.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::common::Common;
use super::peer::Peer;
use crate::cargo::{cargo, run, target_folder};
use crate::{tools, workspace};

/// What every comparison needs, and the Debian packages that bring it.
const EVERYWHERE: [(&str, &str); 4] = [
    ("h2load", "nghttp2-client"),
    ("openssl", "openssl"),
    ("taskset", "util-linux"),
    ("wrk", "wrk"),
];

/// The proxy on Pingora, in the folder that it is built in.
const PINGORA: &str = "release/pingora-peer";

/// The proxies' programs.
pub(super) struct Programs {
    gatewright: PathBuf,
    haproxy: PathBuf,
    nginx: PathBuf,
    pingora: PathBuf,
}

impl Programs {
    /// Those that these proxies need, and `more`.
    ///
    /// # Errors
    ///
    /// When one is missing and cannot be had.
    pub(super) fn find(peers: &[Peer], common: &Common, more: &[(&str, &str)]) -> Result<Self> {
        let packages = peers.iter().flat_map(|peer| packages(*peer));
        let needed: Vec<_> = EVERYWHERE.iter().chain(more).chain(packages).collect();
        let needed: Vec<_> = needed.into_iter().copied().collect();
        tools::need_programs(&needed)?;
        let mut programs = Self {
            gatewright: PathBuf::new(),
            haproxy: server("haproxy"),
            nginx: server("nginx"),
            pingora: PathBuf::new(),
        };
        if peers.contains(&Peer::Gatewright) {
            let program = common.program()?;
            programs.gatewright = std::path::absolute(program)?;
        }
        if peers.contains(&Peer::Pingora) {
            programs.pingora = pingora()?;
        }
        Ok(programs)
    }

    /// Gatewright's alone, where it is at hand and nothing else is needed.
    pub(super) fn only(gatewright: PathBuf) -> Self {
        Self {
            gatewright,
            haproxy: PathBuf::new(),
            nginx: PathBuf::new(),
            pingora: PathBuf::new(),
        }
    }

    /// A proxy's.
    pub(super) fn of_peer(&self, peer: Peer) -> &Path {
        match peer {
            Peer::Gatewright => &self.gatewright,
            Peer::Haproxy => &self.haproxy,
            Peer::Nginx | Peer::NginxLua => &self.nginx,
            Peer::Pingora => &self.pingora,
        }
    }
}

/// What a proxy needs, and the Debian packages that bring it.
fn packages(peer: Peer) -> &'static [(&'static str, &'static str)] {
    const NGINX: (&str, &str) = ("nginx", "nginx");
    match peer {
        Peer::Gatewright => &[],
        Peer::Haproxy => &[("haproxy", "haproxy")],
        Peer::Nginx => &[NGINX],
        Peer::NginxLua => &[
            NGINX,
            (
                "/usr/lib/nginx/modules/ngx_http_lua_module.so",
                "libnginx-mod-http-lua",
            ),
        ],
        Peer::Pingora => &[
            ("/usr/include/openssl/ssl.h", "libssl-dev"),
            ("cmake", "cmake"),
            ("pkg-config", "pkg-config"),
        ],
    }
}

/// Whether the proxy on Pingora has been built before.
///
/// # Errors
///
/// When cargo does not tell where builds go.
pub(super) fn has_pingora() -> Result<bool> {
    Ok(pingoras_target()?.join(PINGORA).is_file())
}

fn pingoras_target() -> Result<PathBuf> {
    Ok(target_folder()?.join("pingora"))
}

/// The proxy on Pingora, from the workspace of its own.
fn pingora() -> Result<PathBuf> {
    println!("building the proxy on Pingora (the first time takes some minutes)");
    let folder = workspace::root().join("benches/peers/pingora");
    let target = pingoras_target()?;
    run(cargo()
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target))?;
    Ok(target.join(PINGORA))
}

/// Debian puts servers where only root's path leads.
fn server(name: &str) -> PathBuf {
    let place = Path::new("/usr/sbin").join(name);
    if place.is_file() { place } else { name.into() }
}
