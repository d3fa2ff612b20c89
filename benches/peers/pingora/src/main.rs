//! A minimal proxy on Pingora, to compare with: the same headers, health checks
//! and retries as the others, its own round robin, for it has no least
//! connections, and no session cookie.
//!
//! `pingora-peer FILE`, where each line of the file is a setting and its value;
//! `pingora-peer --version`.

use std::env;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::http::RequestHeader;
use pingora::lb::LoadBalancer;
use pingora::lb::health_check::HttpHealthCheck;
use pingora::lb::selection::RoundRobin;
use pingora::listeners::tls::TlsSettings;
use pingora::prelude::{
    Error, ErrorType, HttpPeer, Result, background_service, http_proxy_service,
};
use pingora::proxy::{ProxyHttp, Session};
use pingora::server::Server;
use pingora::server::configuration::ServerConf;
use uuid::Uuid;

/// How long a health check may take: a program that counts instructions is slow, and the
/// first check of a server decides.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connections to servers that are kept.
const KEPT: usize = 4096;

/// Servers that are tried for one request.
const TRIES: usize = 3;

/// Health checks may go on while it serves, but hold no request up.
const MOST_LOOKED_AT: usize = 256;

struct Peer {
    servers: Arc<LoadBalancer<RoundRobin>>,
}

/// How often a request was sent.
#[derive(Default)]
struct Sent(usize);

#[async_trait]
impl ProxyHttp for Peer {
    type CTX = Sent;

    fn new_ctx(&self) -> Sent {
        Sent::default()
    }

    async fn upstream_peer(&self, _: &mut Session, _: &mut Sent) -> Result<Box<HttpPeer>> {
        let server = self.servers.select(b"", MOST_LOOKED_AT);
        let server = server.ok_or_else(|| Error::new(ErrorType::ConnectNoRoute))?;
        Ok(Box::new(HttpPeer::new(server, false, String::new())))
    }

    fn fail_to_connect(
        &self,
        _: &mut Session,
        _: &HttpPeer,
        sent: &mut Sent,
        mut error: Box<Error>,
    ) -> Box<Error> {
        sent.0 += 1;
        error.set_retry(sent.0 < TRIES);
        error
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        _: &mut Sent,
    ) -> Result<()> {
        if let Some(address) = session.client_addr().and_then(|address| address.as_inet()) {
            let address = address.ip().to_string();
            request.insert_header("X-Real-IP", &address)?;
            request.append_header("X-Forwarded-For", address)?;
        }
        let is_tls = session
            .digest()
            .is_some_and(|digest| digest.ssl_digest.is_some());
        request.insert_header("X-Forwarded-Proto", if is_tls { "https" } else { "http" })?;
        if let Some(host) = request.headers.get("host").cloned() {
            request.insert_header("X-Forwarded-Host", host)?;
        }
        request.insert_header("X-Request-Id", Uuid::new_v4().to_string())?;
        request.append_header("Via", "1.1 pingora")?;
        Ok(())
    }
}

/// The settings of a name, in the order of the file.
fn all<'a>(settings: &'a str, name: &str) -> Vec<&'a str> {
    let lines = settings.lines().filter_map(|line| line.split_once(' '));
    let named = lines.filter(|(key, _)| *key == name);
    named.map(|(_, value)| value).collect()
}

fn one<'a>(settings: &'a str, name: &str) -> &'a str {
    let values = all(settings, name);
    values
        .first()
        .unwrap_or_else(|| panic!("the file does not say `{name}`"))
}

/// The version that the lock file fixes.
fn version() -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let (_, after) = lock
        .split_once("name = \"pingora\"\nversion = \"")
        .expect("it is in use");
    after.split('"').next().expect("a version ends")
}

fn main() {
    let argument = env::args().nth(1).expect("the file's name");
    if argument == "--version" {
        println!("pingora {}", version());
        return;
    }
    let settings = fs::read_to_string(&argument).expect("the file can be read");
    let configuration = ServerConf {
        threads: one(&settings, "threads").parse().expect("a number"),
        upstream_keepalive_pool_size: KEPT,
        max_retries: TRIES,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, configuration);
    server.bootstrap();

    let servers = LoadBalancer::try_from_iter(all(&settings, "server"));
    let mut servers: LoadBalancer<RoundRobin> = servers.expect("addresses of servers");
    let mut check = HttpHealthCheck::new("localhost", false);
    check.req.set_uri("/health".parse().expect("a path"));
    check.peer_template.options.connection_timeout = Some(PATIENCE);
    check.peer_template.options.read_timeout = Some(PATIENCE);
    servers.set_health_check(Box::new(check));
    let seconds = one(&settings, "check_seconds").parse().expect("a number");
    servers.health_check_frequency = Some(Duration::from_secs(seconds));
    servers.parallel_health_check = true;
    let checks = background_service("checks", servers);

    let servers = checks.task();
    let mut proxy = http_proxy_service(&server.configuration, Peer { servers });
    proxy.add_tcp(one(&settings, "plain"));
    let certificate = (one(&settings, "certificate"), one(&settings, "key"));
    let mut tls = TlsSettings::intermediate(certificate.0, certificate.1).expect("a certificate");
    tls.enable_h2();
    proxy.add_tls_with_settings(one(&settings, "tls"), None, tls);
    server.add_service(proxy);
    server.add_service(checks);
    server.run_forever();
}
