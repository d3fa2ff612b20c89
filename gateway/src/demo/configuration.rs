//! The configuration that the demo runs: a file like any other, so that a
//! viewer can read it, and change it while the demo goes on.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::DemoOptions;

/// The file's text, with this balancer for both pools.
pub(super) fn text(options: &DemoOptions, servers: &[SocketAddr], balancer: &str) -> String {
    let listen = |port| SocketAddr::new(options.host, port);
    let (http, https) = (listen(options.http), listen(options.https));
    let admin = options.admin_port;
    let workers = match options.workers {
        Some(count) => count.to_string(),
        None => "\"auto\"".to_owned(),
    };
    let mut text = format!(
        "\
# What `gatewright demo` runs. Change it while the demo goes on: what is saved
# is taken over between two requests.

default_pool = \"web\"

[admin]
listen = \"127.0.0.1:{admin}\"

[workers]
count = {workers}

[timeouts]
drain = \"2s\"

[[listener]]
name = \"http\"
listen = \"{http}\"

[[listener]]
name = \"https\"
listen = \"{https}\"
tls = {{ self_signed = true }}

[router]
plugin = \"path-router\"
[router.config]
routes = [
    {{ path = \"/api/*\", pool = \"api\" }},
    {{ path = \"/*\", pool = \"web\" }},
]
"
    );
    pool(&mut text, "web", balancer, Some("sticky-cookie"), servers);
    pool(&mut text, "api", balancer, None, servers);
    text
}

fn pool(
    text: &mut String,
    name: &str,
    balancer: &str,
    affinity: Option<&str>,
    servers: &[SocketAddr],
) {
    let affinity = affinity.map(|affinity| format!("affinity = \"{affinity}\"\n"));
    let affinity = affinity.unwrap_or_default();
    let servers: String = servers.iter().fold(String::new(), |mut lines, server| {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "    \"{server}\",");
        lines
    });
    // Checks are frequent, so that one can watch servers leave and come back.
    // As above.
    let _ = write!(
        text,
        "
[pools.{name}]
balancer = \"{balancer}\"
{affinity}health = {{ path = \"/health\", interval = \"1s\", timeout = \"1s\", rise = 2, fall = 2 }}
servers = [
{servers}]
"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::BALANCERS;
    use gatewright_model::config::{self, Certificates, Environment};
    use std::path::Path;

    #[test]
    fn it_means_what_the_options_say() {
        let options = DemoOptions {
            http: 18080,
            workers: Some(2),
            ..DemoOptions::default()
        };
        let servers =
            ["127.0.0.1:3001", "[::1]:3002"].map(|text| text.parse().expect("an address"));
        for balancer in BALANCERS {
            let text = text(&options, &servers, balancer);
            let config = config::parse(&text, Path::new(""), &Environment::empty());
            let config = config.expect("a good configuration");
            assert_eq!(config.listeners[0].listen.ip().unwrap().port(), 18080);
            let tls = config.listeners[1].tls.as_ref().expect("it speaks TLS");
            assert_eq!(tls.certificates, Certificates::SelfSigned);
            assert_eq!(config.workers, 2);
            for pool in &config.pools {
                assert_eq!(pool.balancer.plugin.as_str(), balancer);
                assert_eq!(pool.affinity.is_some(), pool.name.as_str() == "web");
                let ids: Vec<_> = pool
                    .servers
                    .iter()
                    .map(|server| server.id.as_str())
                    .collect();
                assert_eq!(ids, ["127.0.0.1:3001", "[::1]:3002"]);
            }
        }
    }
}
