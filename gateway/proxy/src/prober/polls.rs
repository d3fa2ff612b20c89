//! How busy servers say that they are: where a pool has a `probe`, each of its
//! servers is asked at short intervals, with one task for each, and what it
//! answers is for the balancers to read.

use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use gatewright_model::config::Probe;
use gatewright_model::endpoint::{Endpoint, EndpointState};
use gatewright_model::reported::LoadReport;
use gatewright_wire::HeadLimits;
use http::HeaderMap;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;

use super::ask;
use crate::data_plane::InForce;
use crate::upstream::Manner;

/// The header in which a server says how many requests it has in flight.
const IN_FLIGHT: &str = "x-load-in-flight";

/// The header in which it says how long it takes to answer one, in microseconds.
const LATENCY_US: &str = "x-load-latency-us";

/// Questions under way at once.
const MOST_AT_ONCE: usize = 64;

/// All servers that are asked.
pub(super) struct Polls {
    polls: HashMap<*const EndpointState, Poll>,
    permits: Rc<Semaphore>,
}

/// One server's task.
struct Poll {
    endpoint: Arc<Endpoint>,
    manner: Rc<Manner>,
    plan: Probe,
    task: AbortHandle,
}

impl Drop for Poll {
    fn drop(&mut self) {
        self.task.abort();
        // What it said last must not count for ever.
        self.endpoint.state.reported.forget();
    }
}

impl Default for Polls {
    fn default() -> Self {
        Self {
            polls: HashMap::new(),
            permits: Rc::new(Semaphore::new(MOST_AT_ONCE)),
        }
    }
}

impl Polls {
    /// Ask exactly the servers of this snapshot whose pools want it; those that
    /// stay as they are keep their task.
    pub(super) fn follow(&mut self, in_force: &InForce) {
        let mut before = std::mem::take(&mut self.polls);
        for pool in &in_force.snapshot.pools {
            let Some(plan) = &pool.config.probe else {
                continue;
            };
            let tls = in_force.tls.pool(&pool.name);
            let manner = Rc::new(Manner::of(&pool.config, HeadLimits::DEFAULT, tls));
            for endpoint in pool.endpoints() {
                let key = Arc::as_ptr(&endpoint.state);
                let known = before.remove(&key).filter(|poll| {
                    poll.plan == *plan
                        && poll.endpoint.id == endpoint.id
                        && poll.manner.connects_like(&manner)
                });
                let poll = known.unwrap_or_else(|| self.begin(endpoint, &manner, plan));
                self.polls.insert(key, poll);
            }
        }
    }

    fn begin(&self, endpoint: &Arc<Endpoint>, manner: &Rc<Manner>, plan: &Probe) -> Poll {
        let task = tokio::task::spawn_local(poll(
            Arc::clone(endpoint),
            Rc::clone(manner),
            plan.clone(),
            Rc::clone(&self.permits),
        ));
        Poll {
            endpoint: Arc::clone(endpoint),
            manner: Rc::clone(manner),
            plan: plan.clone(),
            task: task.abort_handle(),
        }
    }
}

/// Ask for ever, and tell the log when a server begins to say nothing.
async fn poll(endpoint: Arc<Endpoint>, manner: Rc<Manner>, plan: Probe, permits: Rc<Semaphore>) {
    // Servers that were added together are not asked together for ever.
    tokio::time::sleep(plan.interval.mul_f64(fastrand::f64())).await;
    let mut ticks = tokio::time::interval(plan.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_silent = false;
    loop {
        ticks.tick().await;
        let permit = permits.acquire().await;
        let asked = tokio::time::timeout(plan.interval, ask_load(&endpoint, &plan, &manner));
        let asked = asked.await.unwrap_or_else(|late| Err(late.into()));
        drop(permit);
        match asked {
            Ok(report) => endpoint.state.reported.note(report),
            Err(error) if !is_silent => {
                tracing::warn!(endpoint = %endpoint.id, path = %plan.path, %error, "a server does not say how busy it is");
                is_silent = true;
                continue;
            }
            Err(_) => continue,
        }
        is_silent = false;
    }
}

async fn ask_load(endpoint: &Endpoint, plan: &Probe, manner: &Manner) -> io::Result<LoadReport> {
    let answer = ask::get(endpoint, &plan.path, manner).await?;
    if !answer.status.is_success() {
        return Err(io::Error::other(format!("it answered {}", answer.status)));
    }
    Ok(LoadReport {
        in_flight: figure(&answer.headers, IN_FLIGHT)?,
        latency_us: figure(&answer.headers, LATENCY_US)?,
    })
}

/// A header that is a whole number.
fn figure(headers: &HeaderMap, name: &str) -> io::Result<u32> {
    let text = headers.get(name).and_then(|value| value.to_str().ok());
    let text = text.ok_or_else(|| io::Error::other(format!("its answer has no {name}")))?;
    let number = text.trim().parse();
    number.map_err(|_| io::Error::other(format!("its {name} is no whole number")))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{IN_FLIGHT, figure};

    fn read(value: &'static str) -> Result<u32, String> {
        let mut headers = HeaderMap::new();
        headers.insert(IN_FLIGHT, HeaderValue::from_static(value));
        figure(&headers, IN_FLIGHT).map_err(|error| error.to_string())
    }

    #[test]
    fn a_figure_is_a_whole_number_and_nothing_else() {
        assert_eq!(read("17"), Ok(17));
        for wrong in ["", "-1", "1.5", "many", "4294967296"] {
            assert!(
                read(wrong).unwrap_err().contains("no whole number"),
                "{wrong}"
            );
        }
        let missing = figure(&HeaderMap::new(), IN_FLIGHT).unwrap_err();
        assert!(missing.to_string().contains("has no x-load-in-flight"));
    }
}
