//! The demo from its start to its end: everything that runs in it, and what the
//! viewer's keys do to it.

use std::io::{self, IsTerminal as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::bail;
use gatewright_control::{Gateway, Keep, Source};
use gatewright_model::config::Environment;
use gatewright_proxy::Inheritance;
use indicatif::ProgressBar;

use super::folder::Folder;
use super::gather::Gathering;
use super::notes::Notes;
use super::servers::Servers;
use super::table::{Figures, Key, Report, Table};
use super::{DemoOptions, configuration, ports, servers};
use crate::cli::{self, BALANCERS};
use crate::signals::Signals;
use crate::traffic::{Traffic, TrafficOptions};

/// How often keys are looked at and figures are drawn.
const PERIOD: Duration = Duration::from_millis(200);

/// A demo that runs.
pub(super) struct Show {
    options: DemoOptions,
    signals: Signals,
    notes: Notes,
    folder: Folder,
    servers: Servers,
    gateway: Gateway,
    traffic: Option<Traffic>,
    gathering: Gathering,
    /// The balancer of both pools, as the configuration was last written.
    policy: String,
    about: Vec<String>,
}

impl Show {
    /// Start everything: the servers, the gateway, the shoppers.
    ///
    /// # Errors
    ///
    /// When a port is taken, or something cannot be started.
    pub(super) async fn prepare(options: DemoOptions, notes: Notes) -> anyhow::Result<Self> {
        servers::check_ports(&options.backends)?;
        ports::check(&options)?;
        let mut signals = Signals::listen()?;
        let servers = Servers::start(Ipv4Addr::LOCALHOST.into(), &options.backends).await?;
        let folder = Folder::open(options.data.as_deref())?;
        folder.write(&configuration::text(
            &options,
            &servers.addresses(),
            &options.policy,
        ))?;
        let gateway = tokio::select! {
            started = start_gateway(&folder) => started?,
            () = signals.stop() => bail!("ended before the gateway had started"),
        };
        let traffic = match options.no_traffic {
            true => None,
            false => Some(Traffic::start(&shoppers(&options, &gateway)?)?),
        };
        Ok(Self {
            about: about(&options, &gateway, &folder),
            policy: options.policy.clone(),
            gathering: Gathering::default(),
            options,
            signals,
            notes,
            folder,
            servers,
            gateway,
            traffic,
        })
    }

    /// Show the figures until the time is over or the viewer has seen enough,
    /// and end everything; what it came to.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub(super) async fn run(mut self) -> anyhow::Result<Report> {
        let shown = self.show().await;
        let figures = self.end().await;
        shown?;
        Ok(Report::from(&figures))
    }

    async fn show(&mut self) -> anyhow::Result<()> {
        let mut table = match self.options.json {
            true => None,
            false => Some(Table::new()?),
        };
        let duration = self.options.duration;
        let end = async {
            match duration {
                Some(duration) => tokio::time::sleep(duration).await,
                None => std::future::pending().await,
            }
        };
        let mut end = std::pin::pin!(end);
        let mut tick = tokio::time::interval(PERIOD);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = &mut end => return Ok(()),
                () = self.signals.stop() => return Ok(()),
            }
            let Some(table) = &mut table else { continue };
            for key in table.pressed()? {
                match key {
                    Key::Quit => return Ok(()),
                    Key::Server(index) => self.kill_or_start(index).await,
                    Key::NextPolicy => self.change_policy().await,
                }
            }
            table.draw(&self.figures())?;
        }
    }

    fn figures(&mut self) -> Figures {
        let shoppers = self.traffic.as_ref().map(Traffic::snapshot);
        let overview = self.gateway.overview();
        let mut figures = self.gathering.figures(&overview, shoppers.as_ref());
        for change in self.gathering.changes(&figures) {
            self.notes.add(change);
        }
        figures.about.clone_from(&self.about);
        figures.notes = self.notes.all();
        figures
    }

    async fn kill_or_start(&mut self, index: usize) {
        if let Some(done) = self.servers.kill_or_start(index).await {
            self.notes.add(done);
        }
    }

    /// Write the configuration with the next balancer, and have it read.
    async fn change_policy(&mut self) {
        let next = next_policy(&self.policy);
        let text = configuration::text(&self.options, &self.servers.addresses(), next);
        if let Err(error) = self.folder.write(&text) {
            return self.notes.add(error.to_string());
        }
        next.clone_into(&mut self.policy);
        match self.gateway.reload().await {
            Ok(_) => self.notes.add(format!("{next} decides now")),
            Err(error) => self.notes.add(format!("{next} does not decide: {error}")),
        }
    }

    /// End the shoppers first, so that nothing fails for them, then the rest.
    async fn end(mut self) -> Figures {
        let shopped = match self.traffic.take() {
            Some(traffic) => Some(traffic.stop().await),
            None => None,
        };
        let figures = self
            .gathering
            .figures(&self.gateway.overview(), shopped.as_ref());
        tokio::select! {
            () = self.gateway.stop() => {}
            // Whoever asks twice does not want to wait for open connections.
            () = self.signals.stop() => {}
        }
        self.servers.stop().await;
        figures
    }
}

/// Start the gateway, with a sign of life while it compiles its plugins.
async fn start_gateway(folder: &Folder) -> anyhow::Result<Gateway> {
    const MESSAGE: &str = "preparing plugins";
    let progress = ProgressBar::new_spinner().with_message(MESSAGE);
    match io::stderr().is_terminal() {
        true => progress.enable_steady_tick(PERIOD),
        false => eprintln!("{MESSAGE}"),
    }
    // What the environment says is for gateways that are not a demo.
    let source = Source::File(folder.file().to_owned());
    let (keep, inheritance) = (Keep::InDataFolder, Inheritance::default());
    let started = cli::start(source, Environment::empty(), keep, inheritance).await;
    progress.finish_and_clear();
    started
}

fn shoppers(options: &DemoOptions, gateway: &Gateway) -> anyhow::Result<TrafficOptions> {
    let host = match options.host.is_unspecified() {
        true => Ipv4Addr::LOCALHOST.into(),
        false => options.host,
    };
    let address = SocketAddr::new(host, https(gateway));
    let target = format!("https://{address}")
        .parse()
        .map_err(anyhow::Error::msg)?;
    Ok(TrafficOptions {
        shoppers: options.shoppers,
        // The certificate is the gateway's own, made when it started.
        insecure: true,
        ..TrafficOptions::to(target)
    })
}

fn about(options: &DemoOptions, gateway: &Gateway, folder: &Folder) -> Vec<String> {
    let name = |host: IpAddr| match host.is_loopback() || host.is_unspecified() {
        true => "localhost".to_owned(),
        false => SocketAddr::new(host, 0)
            .to_string()
            .trim_end_matches(":0")
            .to_owned(),
    };
    let host = name(options.host);
    let (http, https) = (http(gateway), https(gateway));
    let shoppers = match (options.no_traffic, options.shoppers) {
        (true, _) => "no shoppers".to_owned(),
        (false, 1) => "1 shopper by HTTPS".to_owned(),
        (false, count) => format!("{count} shoppers by HTTPS"),
    };
    vec![
        format!(
            "https://{host}:{https}  http://{host}:{http}  admin http://{}",
            gateway.admin()
        ),
        format!("try: curl -k https://{host}:{https}/   {shoppers}"),
        format!("configuration: {}", folder.file().display()),
    ]
}

/// The listeners are in the order of the configuration: HTTP, then HTTPS.
fn http(gateway: &Gateway) -> u16 {
    port(gateway, 0)
}

fn https(gateway: &Gateway) -> u16 {
    port(gateway, 1)
}

/// The port of a listener; a demo has none without.
fn port(gateway: &Gateway, index: usize) -> u16 {
    let address = gateway.listeners()[index].ip();
    address.map_or(0, |address| address.port())
}

fn next_policy(policy: &str) -> &'static str {
    let here = BALANCERS.iter().position(|balancer| *balancer == policy);
    BALANCERS[here.map_or(0, |here| (here + 1) % BALANCERS.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_go_round() {
        let mut policy = BALANCERS[0];
        for _ in BALANCERS {
            policy = next_policy(policy);
        }
        assert_eq!(policy, BALANCERS[0]);
    }
}
