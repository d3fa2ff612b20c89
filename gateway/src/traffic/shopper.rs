//! One shopper: visit after visit, request after request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};

use super::TrafficOptions;
use super::connection::{Connection, Connector};
use super::cookies::Jar;
use super::failure::{Failure, chain};
use super::journey::{Plan, Step};
use super::tally::Tally;

/// What a shopper waits at least after a failure: a gateway that is away
/// should be missed, not hammered.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);

/// A shopper and what it holds in its hands.
pub(super) struct Shopper {
    connector: Arc<Connector>,
    plan: Arc<Plan>,
    tally: Arc<Mutex<Tally>>,
    connection: Option<Connection>,
    jar: Jar,
    rng: Rng,
}

/// A response that came to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
}

impl Shopper {
    pub(super) fn new(
        connector: Arc<Connector>,
        plan: Arc<Plan>,
        tally: Arc<Mutex<Tally>>,
    ) -> Self {
        Self {
            connector,
            plan,
            tally,
            connection: None,
            jar: Jar::default(),
            rng: Rng::new(),
        }
    }

    /// Shop until told to stop; the request that is under way is finished.
    pub(super) async fn shop(mut self, mut pace: Pace, mut stopped: watch::Receiver<bool>) {
        loop {
            for step in self.plan.visit(&mut self.rng) {
                tokio::select! {
                    () = pace.wait(&mut self.rng) => {}
                    _ = stopped.wait_for(|stop| *stop) => return,
                }
                if self.take(&step).await.is_err() {
                    tokio::select! {
                        () = tokio::time::sleep(FAILURE_PAUSE) => {}
                        _ = stopped.wait_for(|stop| *stop) => return,
                    }
                }
            }
            if !self.plan.keep_cookies {
                self.jar.clear();
            }
        }
    }

    /// Take a step and count it.
    async fn take(&mut self, step: &Step) -> Result<(), Failure> {
        let begun = Instant::now();
        let timeout = self.connector.timeout;
        let outcome = tokio::time::timeout(timeout, self.ask(step))
            .await
            .unwrap_or(Err(Failure::TimedOut));
        let answer = match outcome {
            Ok(answer) => answer,
            Err(failure) => {
                // It may be in the middle of a response: of no further use.
                self.connection = None;
                self.tally().fail(&failure);
                return Err(failure);
            }
        };
        self.jar.keep(&answer.headers, &step.path, Instant::now());
        let server = answer.headers.get("x-backend");
        let mut tally = self.tally();
        tally.answer(answer.status, server, begun.elapsed());
        if answer.status.is_server_error() {
            let failure = Failure::Status(answer.status);
            tally.blame(&failure);
            return Err(failure);
        }
        Ok(())
    }

    /// Ask for a page, once more if a kept connection was just being closed.
    async fn ask(&mut self, step: &Step) -> Result<Answer, Failure> {
        let response = self.respond(step).await?;
        let (head, body) = response.into_parts();
        read_to_end(body).await?;
        Ok(Answer {
            status: head.status,
            headers: head.headers,
        })
    }

    async fn respond(&mut self, step: &Step) -> Result<Response<Incoming>, Failure> {
        loop {
            let cookies = self
                .jar
                .header(&step.path, self.connector.is_secure(), Instant::now());
            let request = self
                .connector
                .request(step, cookies)
                .map_err(|error| Failure::NoResponse(chain(&error)))?;
            let connection = self.connected().await?;
            let again = connection.is_used();
            match connection.send(request).await {
                Ok(response) => return Ok(response),
                Err(error) if again && was_closed(&error) => {
                    // The next connection is new, so this happens only once.
                    self.connection = None;
                    self.tally().retry();
                }
                Err(error) => return Err(Failure::NoResponse(chain(&error))),
            }
        }
    }

    /// The kept connection if it is still good, or a new one.
    async fn connected(&mut self) -> Result<&mut Connection, Failure> {
        let mut kept = self.connection.take();
        if let Some(connection) = &mut kept
            && !connection.is_usable().await
        {
            kept = None;
        }
        let connection = match kept {
            Some(connection) => connection,
            None => {
                let connection = self.connector.connect().await?;
                self.tally().connect();
                connection
            }
        };
        Ok(self.connection.insert(connection))
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        // A tally is whole after every call, so a panic elsewhere spoils nothing.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a request went unanswered because the connection had been closed.
fn was_closed(error: &hyper::Error) -> bool {
    error.is_canceled() || error.is_closed() || error.is_incomplete_message() || was_reset(error)
}

fn was_reset(error: &hyper::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
    let source = std::error::Error::source(error);
    source
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .is_some_and(|error| matches!(error.kind(), BrokenPipe | ConnectionReset))
}

async fn read_to_end(mut body: Incoming) -> Result<(), Failure> {
    while let Some(frame) = body.frame().await {
        frame.map_err(|error| Failure::Incomplete(chain(&error)))?;
    }
    Ok(())
}

/// How a shopper's requests follow each other.
pub(super) enum Pace {
    /// After a pause of about this length.
    Pause(Duration),
    /// At these moments, or as soon after as the response before is there.
    Beat(Interval),
}

impl Pace {
    /// The pace of shopper `number`: with a rate, the shoppers take turns.
    pub(super) fn new(options: &TrafficOptions, number: u32) -> Self {
        let Some(rate) = options.rate else {
            return Self::Pause(options.pause);
        };
        let turn = Duration::from_secs_f64(1.0 / rate);
        let first = tokio::time::Instant::now() + turn * number;
        let mut interval = tokio::time::interval_at(first, turn * options.shoppers);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self::Beat(interval)
    }

    async fn wait(&mut self, rng: &mut Rng) {
        match self {
            Self::Pause(Duration::ZERO) => {}
            // Spread, so that the shoppers do not fall into step.
            Self::Pause(pause) => {
                let rest = pause.mul_f64(rng.f64());
                tokio::time::sleep((*pause / 2).saturating_add(rest)).await;
            }
            Self::Beat(interval) => drop(interval.tick().await),
        }
    }
}
