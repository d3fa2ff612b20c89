//! The trial of a version before it is seated: a few decisions on made-up
//! servers, with values and sessions that are thrown away.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use gatewright_model::endpoint::{Endpoint, EndpointState};
use gatewright_model::id::{EndpointId, Slot};
use gatewright_model::pool::{Pool, PoolState};
use gatewright_model::role::Role;
use gatewright_model::snapshot::Snapshot;

use crate::admission::Refusal;
use crate::binding::Binding;
use crate::fault::Fault;
use crate::instance::{Assignment, Budget, Instance};
use crate::journal::Level;
use crate::lanes::Lane;
use crate::occupant::Occupant;
use crate::view::{Effects, ExchangeView, Lent};

/// Made-up servers.
const ENDPOINTS: u16 = 3;

/// Decisions to be made without a fault.
const DECISIONS: u64 = 16;

/// How long each may take: the first ones of a new instance run on cold caches,
/// and the machine may be busy.
pub(crate) const DEADLINE: Duration = Duration::from_millis(250);

/// Try a binding that nobody else has seen.
pub(crate) fn hold(
    mut binding: Binding,
    snapshot: &Arc<Snapshot>,
    pool: Option<&Arc<Pool>>,
) -> Result<(), Refusal> {
    binding.on_trial = true;
    binding.terms.deadline = DEADLINE;
    binding.terms.cpu_share = None;
    binding.estate = Arc::default();
    binding.sessions = binding.sessions.is_some().then(Arc::default);
    let assignment = Assignment {
        binding: Arc::new(binding),
        worker: 0,
        snapshot: Arc::clone(snapshot),
        pool: pool.map(|pool| Arc::new(made_up(pool))),
        recording: None,
    };
    if assignment.binding.version.lane() == Lane::Direct {
        Instance::check(&assignment, Budget::PREPARATION)?;
    }
    let binding = Arc::clone(&assignment.binding);
    let instance = Instance::prepare(&assignment, Budget::PREPARATION);
    let instance = instance.map_err(|refusal| in_its_own_words(refusal, &binding))?;
    let mut tried = Occupant::new(assignment, Some(instance));
    let mut lent: Lent = Some(Box::new(MadeUp::default()));
    for decision in 0..DECISIONS {
        decide(&mut tried, decision, &mut lent).map_err(|fault| refusal(&tried, fault))?;
    }
    Ok(())
}

fn decide(tried: &mut Occupant, decision: u64, lent: &mut Lent) -> Result<(), Fault> {
    match tried.binding().role() {
        Role::RequestPolicy => tried.check(lent).map(drop),
        Role::Router => tried.route(lent).map(drop),
        Role::Affinity => {
            tried.lookup(lent)?;
            let answered = Slot((decision % u64::from(ENDPOINTS)) as u32);
            tried.bind(answered, lent)
        }
        // Keys as far apart as hashes are.
        Role::Balancer => {
            let key = decision.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            tried.pick(key, lent).map(drop)
        }
        Role::ResponsePolicy => tried.finish(200, lent),
    }
}

/// A fault in the trial, as the plugin's log tells it.
fn refusal(tried: &Occupant, fault: Fault) -> Refusal {
    let binding = tried.binding();
    let last = errors(binding).pop().unwrap_or_default();
    let noted = format!("{fault}: ");
    let detail = last.strip_prefix(&noted).unwrap_or(&last).to_owned();
    in_its_own_words(Refusal::Trial { fault, detail }, binding)
}

/// A refusal over a fault, with what the plugin itself said last before it,
/// such as a panic's message: nobody will see the log of a trial.
fn in_its_own_words(mut refusal: Refusal, binding: &Binding) -> Refusal {
    let (Refusal::Trial { fault, detail } | Refusal::Unprepared { fault, detail, .. }) =
        &mut refusal
    else {
        return refusal;
    };
    let noted = format!("{fault}: ");
    let mut said = errors(binding).into_iter().rev();
    if let Some(said) = said.find(|entry| !entry.starts_with(&noted)) {
        *detail = format!("it said {said:?}; {detail}");
    }
    refusal
}

/// The errors in a plugin's log, oldest first.
fn errors(binding: &Binding) -> Vec<String> {
    let entries = binding.journal().entries().into_iter();
    let errors = entries.filter(|entry| entry.level == Level::Error);
    errors.map(|entry| entry.message).collect()
}

fn made_up(pool: &Pool) -> Pool {
    let state = Arc::new(PoolState::default());
    let endpoints = (0..ENDPOINTS).filter_map(|number| endpoint(&state, number));
    let endpoints = endpoints.map(Arc::new).collect();
    let config = Arc::clone(&pool.config);
    Pool::new(pool.index, config, state, 1, endpoints)
}

/// A server at an address that is kept for documentation (RFC 5737).
fn endpoint(pool: &Arc<PoolState>, number: u16) -> Option<Endpoint> {
    let state = EndpointState::claim(pool, 1)?;
    let (host, port) = (format!("192.0.2.{}", number + 1), 80);
    Some(Endpoint {
        id: EndpointId::from(format!("{host}:{port}")),
        host: host.into(),
        port,
        weight: 1,
        labels: Default::default(),
        max_active: None,
        health: None,
        state,
    })
}

/// A plain request without headers, and its plain response.
#[derive(Default)]
struct MadeUp(Effects);

impl ExchangeView for MadeUp {
    fn authority(&self) -> &str {
        "trial.invalid"
    }

    fn client_address(&self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, 200))
    }

    fn response_status(&self) -> u16 {
        200
    }

    fn effects(&mut self) -> &mut Effects {
        &mut self.0
    }

    fn copy(&self) -> Box<dyn ExchangeView> {
        Box::new(Self::default())
    }
}
