//! `gatewright traffic`: simulated shoppers who walk through a shop behind
//! the gateway, each on a connection of its own, and count what fails.

mod connection;
mod cookies;
mod failure;
mod journey;
mod live;
mod shopper;
mod summary;
mod tally;
mod target;
pub(crate) mod tls;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) use summary::Summary;
pub(crate) use target::Target;

use connection::Connector;
use journey::Plan;
use live::LiveLine;
use shopper::{Pace, Shopper};
use tally::Tally;

/// How long requests may take to finish once the traffic is being stopped.
const GRACE: Duration = Duration::from_secs(2);

/// What `gatewright traffic` is asked for.
#[derive(Clone, Debug, PartialEq, clap::Args)]
#[command(after_long_help = "\
A shopper looks at the front page, at products, at the cart, perhaps at the
checkout, with GET and HEAD requests only, so that a gateway may always try
them again elsewhere. It keeps one connection open and keeps cookies as a
browser does; the next visit is a new customer's, without cookies.

A request has failed when there was no connection, no whole response, or a
status of 500 or more. When a server closes a kept connection just as a request
is sent on it, the request is sent once more on a new one, as browsers do; it
is counted as retried. Times are from sending a request to the end of its
response. Ctrl-C ends early, with the summary.

Examples:
  gatewright traffic --target https://127.0.0.1:8443 --insecure
  gatewright traffic --target http://127.0.0.1:8080 --shoppers 50 --duration 2m
  gatewright traffic --target http://127.0.0.1:8080 --rate 200 --path /api/test
  gatewright traffic --target https://shop.test --ca ca.pem --http2 --json")]
pub(crate) struct TrafficOptions {
    /// Where the shoppers go: http:// or https://, with a path if the shop is not at the top.
    #[arg(
        long,
        short,
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    pub(crate) target: Target,

    /// How many shoppers there are at once, each with a connection of its own.
    #[arg(long, short, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "COUNT")]
    pub(crate) shoppers: u32,

    /// For how long, such as 30s or 5m; 0s goes on until Ctrl-C.
    #[arg(long, short, default_value = "30s", value_parser = humantime::parse_duration, value_name = "DURATION")]
    pub(crate) duration: Duration,

    /// How long a shopper looks at a page, such as 20ms; half as long to half as long again, at random.
    #[arg(long, default_value = "20ms", value_parser = humantime::parse_duration, value_name = "DURATION")]
    pub(crate) pause: Duration,

    /// At most this many requests a second, of all shoppers together, evenly spread, instead of pauses.
    #[arg(long, value_parser = parse_rate, conflicts_with = "pause", value_name = "PER_SECOND")]
    pub(crate) rate: Option<f64>,

    /// How long a response may take, to its end, before the request counts as failed.
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration, value_name = "DURATION")]
    pub(crate) timeout: Duration,

    /// Ask for this path instead of walking through the shop; may be given several times.
    #[arg(long = "path", value_parser = journey::parse_path, value_name = "PATH")]
    pub(crate) paths: Vec<String>,

    /// Keep cookies from one visit to the next: the same customers come back.
    #[arg(long)]
    pub(crate) keep_cookies: bool,

    /// Speak HTTP/2, without TLS with prior knowledge; HTTP/1.1 otherwise.
    #[arg(long)]
    pub(crate) http2: bool,

    /// Accept any certificate, such as the gateway's self-signed one.
    #[arg(long, short = 'k')]
    pub(crate) insecure: bool,

    /// Trust the certificates in this PEM file instead of the system's.
    #[arg(long, conflicts_with = "insecure", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// Print the summary as one JSON object, and no live line.
    #[arg(long)]
    pub(crate) json: bool,
}

impl TrafficOptions {
    /// What applies when nothing but the target is given.
    pub(crate) fn to(target: Target) -> Self {
        Self {
            target,
            shoppers: 8,
            duration: Duration::from_secs(30),
            pause: Duration::from_millis(20),
            rate: None,
            timeout: Duration::from_secs(30),
            paths: Vec::new(),
            keep_cookies: false,
            http2: false,
            insecure: false,
            ca: None,
            json: false,
        }
    }
}

/// Shoppers at work on the current tokio runtime, until they are stopped;
/// dropping this ends them in the middle of what they are doing.
pub(crate) struct Traffic {
    target: String,
    tally: Arc<Mutex<Tally>>,
    stopping: watch::Sender<bool>,
    shoppers: JoinSet<()>,
}

impl Traffic {
    /// Send the shoppers off. They go on until [`stop`](Self::stop), whatever
    /// the duration in the options, and nothing that they meet ends them.
    ///
    /// # Errors
    ///
    /// When the certificates to trust cannot be read.
    pub(crate) fn start(options: &TrafficOptions) -> anyhow::Result<Self> {
        Ok(Self::send(options, &Arc::new(Connector::new(options)?)))
    }

    fn send(options: &TrafficOptions, connector: &Arc<Connector>) -> Self {
        let tally = Arc::new(Mutex::new(Tally::new(options.shoppers)));
        let plan = Arc::new(Plan::new(options));
        let (stopping, stopped) = watch::channel(false);
        let mut shoppers = JoinSet::new();
        for number in 0..options.shoppers {
            let shopper =
                Shopper::new(Arc::clone(connector), Arc::clone(&plan), Arc::clone(&tally));
            let pace = Pace::new(options, number);
            shoppers.spawn(shopper.shop(pace, stopped.clone()));
        }
        Self {
            target: options.target.to_string(),
            tally,
            stopping,
            shoppers,
        }
    }

    /// What has been counted until now.
    pub(crate) fn snapshot(&self) -> Summary {
        // A tally is whole after every call, so a panic elsewhere spoils nothing.
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.summary(&self.target)
    }

    /// Let every shopper finish its request, for up to two seconds, and count.
    /// A request that takes longer is not counted at all.
    pub(crate) async fn stop(mut self) -> Summary {
        self.stopping.send_replace(true);
        let summary = self.snapshot();
        let finished = async { while self.shoppers.join_next().await.is_some() {} };
        // What has not finished by then is aborted with the set.
        let _ = tokio::time::timeout(GRACE, finished).await;
        Summary {
            // Waiting for the last responses is not time that was shopped in.
            seconds: summary.seconds,
            ..self.snapshot()
        }
        .with_rate()
    }
}

/// Shop for the time that the options give, or until Ctrl-C, and print the
/// summary: [`Summary::failed`] is for the caller to judge.
///
/// # Errors
///
/// When the target cannot be reached at all to begin with, the certificates
/// to trust cannot be read, or nothing can be printed.
pub(crate) async fn run(options: TrafficOptions) -> anyhow::Result<Summary> {
    let summary = shop(&options).await?;
    let text = match options.json {
        true => serde_json::to_string(&summary)?,
        false => summary.to_string(),
    };
    writeln!(io::stdout(), "{text}")?;
    Ok(summary)
}

async fn shop(options: &TrafficOptions) -> anyhow::Result<Summary> {
    let connector = Arc::new(Connector::new(options)?);
    // One connection first: a wrong address or certificate is told at once
    // and not counted thousands of times.
    if let Err(failure) = connector.connect().await {
        bail!("{}: {failure}{}", options.target, failure.remedy());
    }
    let traffic = Traffic::send(options, &connector);
    watch_until_end(&traffic, options).await?;
    Ok(traffic.stop().await)
}

/// Draw the live line until the time is over or Ctrl-C.
async fn watch_until_end(traffic: &Traffic, options: &TrafficOptions) -> io::Result<()> {
    let mut line = LiveLine::new(options.duration, options.json);
    let mut tick = tokio::time::interval(live::PERIOD);
    let end = async {
        match options.duration {
            Duration::ZERO => std::future::pending().await,
            duration => tokio::time::sleep(duration).await,
        }
    };
    let mut end = std::pin::pin!(end);
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            () = &mut end => return Ok(()),
            interrupted = &mut interrupt => return interrupted,
            _ = tick.tick() => line.draw(&traffic.snapshot()),
        }
    }
}

/// A number of requests a second.
fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=1e6).contains(&rate) => Ok(rate),
        _ => Err("write requests a second, from 0.001 to 1000000, such as 200".to_owned()),
    }
}

#[cfg(test)]
mod tests;
