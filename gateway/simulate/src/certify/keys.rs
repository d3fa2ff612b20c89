//! Whose servers change when one of several leaves: for a policy that sends a
//! client to the same server each time.

use gatewright_host::Lent;

use super::{SEED, Verdict};
use crate::asked::{self, Asked};
use crate::error::SimulationError;
use crate::fleet::Fleet;
use crate::gateway::{Gateway, Seat};
use crate::random::{Purpose, stream};
use crate::scenario::Policy;
use crate::simulation::Workshop;

/// What the case is called.
pub(super) const NAME: &str = "clients keep their servers when another leaves";

/// Ten servers, and nothing to do.
pub(super) const SCENARIO: &str = "requests = 1\narrivals = { constant = { rate = 1 } }\n\
    work = { constant = { time = \"1ms\" } }\n[[servers]]\nname = \"web\"\ncount = 10\n";

/// Clients that are asked for: no multiple of the servers, so that going round
/// does not come out where it began.
const CLIENTS: u32 = 10_007;

/// The server that leaves.
const LEAVER: u32 = 4;

/// The share of clients that have the same server when asked again, from which on
/// a policy is taken to go by the key.
const FAITHFUL: f64 = 0.99;

/// The share of clients of other servers that may lose theirs: what the best
/// tables move beside what they have to.
const MOVED: f64 = 0.1;

/// The verdict; none on a policy that does not go by the key.
pub(super) fn judge(
    policy: &Policy,
    workshop: &Workshop,
) -> Result<Option<Verdict>, SimulationError> {
    let scenario = super::scenario(NAME, SCENARIO)?;
    let (host, clock) = workshop.host(1, SEED)?;
    let mut fleet = Fleet::of(&scenario, policy);
    let random = stream(SEED, Purpose::Gateway);
    let mut gateway = Gateway::start(&host, &fleet, (1, random))?;
    gateway.settle_in();
    let before = ask(&mut gateway);
    let again = ask(&mut gateway);
    let same = share(&before, |place, server| again[place] == server);
    if same < FAITHFUL {
        return Ok(None);
    }
    fleet.is_present[LEAVER as usize] = false;
    gateway.publish(&host, &fleet)?;
    // Eligibility is told at most once in 10 ms.
    clock.advance(1_000_000_000);
    gateway.review(1_000_000_000);
    let after = ask(&mut gateway);
    let stayed = |server: Option<u32>| server != Some(LEAVER);
    let others = share(&before, |_, server| stayed(server));
    let moved = share(&before, |place, server| {
        stayed(server) && after[place] != server
    });
    let moved = moved / others.max(f64::MIN_POSITIVE);
    Ok(Some(Verdict {
        case: NAME,
        passed: moved <= MOVED,
        required: false,
        figures: format!(
            "{:.1} % of the other 9 servers' clients moved; {:.0} % at most",
            moved * 100.0,
            MOVED * 100.0
        ),
    }))
}

/// Who gets each client.
fn ask(gateway: &mut Gateway) -> Vec<Option<u32>> {
    let seat = Seat { worker: 0, pool: 0 };
    let server_of = |client| {
        let mut lent: Lent = Some(Box::new(Asked {
            client: asked::address(client),
            ..Asked::default()
        }));
        let chosen = gateway.choose(seat, (asked::key(client), 0), &mut lent);
        chosen.map(|chosen| chosen.server)
    };
    (0..CLIENTS).map(server_of).collect()
}

fn share(servers: &[Option<u32>], is_counted: impl Fn(usize, Option<u32>) -> bool) -> f64 {
    let counted = servers.iter().enumerate();
    let counted = counted.filter(|(place, server)| is_counted(*place, **server));
    counted.count() as f64 / servers.len() as f64
}
