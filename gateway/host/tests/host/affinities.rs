//! What every default affinity keeps to, whatever happens to its pool: asked
//! through its component, among one, three and a thousand servers.

use std::collections::BTreeSet;

use gatewright_host::Seat;
use proptest::prelude::*;

use crate::exchange::{Exchange, edits, given};
use crate::support::{Rig, WORKERS};
use crate::turns::{SIZES, Turn, pool, turns, web};

/// The affinities and their settings.
pub(crate) const AFFINITIES: [(&str, &str); 4] = [
    ("sticky-cookie", ""),
    ("sticky-cookie", "secret = \"0123456789abcdef\""),
    ("sticky-ip", ""),
    ("sticky-learn", ""),
];

/// New clients in each turn.
const NEW_CLIENTS: u32 = 20;

/// The first address of clients: 10.0.0.0.
const CLIENTS: u32 = 0x0a00_0000;

/// The first address of strangers: 203.0.113.0.
const STRANGERS: u32 = 0xcb00_7100;

fn config(plugin: &str, settings: &str, ports: &BTreeSet<u16>) -> String {
    let affinity = format!(
        "affinity = {{ plugin = \"{plugin}\", deadline = \"300ms\", config = {{ {settings} }} }}"
    );
    pool(&affinity, ports)
}

/// A client to which a server has answered.
struct Client {
    number: u32,
    cookie: Option<(String, String)>,
    /// The server's.
    port: u16,
    /// Whether the server has been on the list ever since.
    stayed: bool,
}

impl Client {
    fn request(&self) -> Exchange {
        Exchange::new(CLIENTS + self.number, "/").with_cookie(self.cookie.as_ref())
    }

    /// What the application calls its session: nothing that can be guessed.
    fn session(&self) -> String {
        let name = u64::from(self.number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{name:016x}")
    }
}

fn seat(rig: &mut Rig, worker: usize) -> &mut Seat {
    rig.chains[worker].pools[0].affinity.as_mut().unwrap()
}

/// The port of the server that is named for a request.
fn looked_up(rig: &mut Rig, worker: usize, request: Exchange) -> Option<u16> {
    let slot = seat(rig, worker).lookup(&mut request.lent()).unwrap()?;
    let present = web(rig);
    let endpoint = present.endpoint(slot);
    let endpoint = endpoint.unwrap_or_else(|| panic!("{slot:?} is nobody's"));
    Some(endpoint.port)
}

/// One of the present servers, by chance, answers a client, which keeps what it
/// is given.
fn answer(rig: &mut Rig, client: &mut Client, chance: u64) {
    let present = web(rig);
    let chance = chance.wrapping_mul(u64::from(client.number) | 1) >> 24;
    let place = chance as usize % present.endpoints().count();
    let server = present.endpoints().nth(place).unwrap();
    let named = format!("sessionId={}; Path=/", client.session());
    let answered = client.request().answered(200);
    let mut lent = answered.answered_with("set-cookie", &named).lent();
    let worker = client.number as usize % WORKERS;
    seat(rig, worker).bind(server.slot(), &mut lent).unwrap();
    let cookie = given(&edits(&mut lent));
    let cookie = cookie.unwrap_or_else(|| ("sessionId".to_owned(), client.session()));
    client.cookie = Some(cookie);
    client.port = server.port;
    client.stayed = true;
}

/// A server that drains keeps its sessions, and one that is ill may come back.
fn drain_some(rig: &Rig, turn: &Turn) {
    for endpoint in web(rig).endpoints() {
        let drains = endpoint.port.is_multiple_of(turn.absent);
        endpoint.state.set_draining(drains);
    }
}

/// Each client is led to its server or nowhere, whichever worker it asks.
fn return_all(rig: &mut Rig, plugin: &str, clients: &mut [Client], chance: u64) {
    let present: BTreeSet<u16> = web(rig).endpoints().map(|server| server.port).collect();
    for client in clients {
        // A cookie is good again when its server is back; who keeps a table has
        // forgotten.
        let is_led = match plugin {
            "sticky-cookie" => present.contains(&client.port),
            _ => client.stayed,
        };
        let mut is_lost = false;
        for worker in 0..WORKERS {
            let found = looked_up(rig, worker, client.request());
            let own = found.map(|_| client.port);
            assert_eq!(found, own, "{plugin}: another server");
            assert!(found.is_some() || !is_led, "{plugin}: {}", client.port);
            is_lost = found.is_none();
        }
        if is_lost {
            answer(rig, client, chance);
        }
    }
}

/// New clients are answered, and led back at once.
fn welcome(rig: &mut Rig, plugin: &str, clients: &mut Vec<Client>, chance: u64) {
    let first = clients.len() as u32;
    for number in first..first + NEW_CLIENTS {
        let mut client = Client {
            number,
            cookie: None,
            port: 0,
            stayed: true,
        };
        let before = looked_up(rig, 0, client.request());
        assert_eq!(before, None, "{plugin}: a session of nobody");
        answer(rig, &mut client, chance);
        for worker in 0..WORKERS {
            let found = looked_up(rig, worker, client.request());
            assert_eq!(found, Some(client.port), "{plugin}");
        }
        clients.push(client);
    }
}

/// What was made of the values that clients were given.
fn forgeries(clients: &[Client], chance: u64) -> Vec<(String, String)> {
    let mut forged = Vec::new();
    for pair in clients.windows(2) {
        let (Some((name, value)), Some((_, other))) = (&pair[0].cookie, &pair[1].cookie) else {
            continue;
        };
        let mut add = |value: String| forged.push((name.clone(), value));
        let mut altered = value.clone().into_bytes();
        let place = chance as usize % altered.len();
        altered[place] ^= 1;
        add(String::from_utf8(altered).unwrap());
        add(value[..value.len() - 1].to_owned());
        add(format!("{value}0"));
        // A signed value names a server and has a signature of that name.
        if let (Some((server, _)), Some((_, signature))) =
            (value.split_once('.'), other.split_once('.'))
        {
            add(server.to_owned());
            if pair[0].port != pair[1].port {
                add(format!("{server}.{signature}"));
            }
        }
    }
    forged
}

/// A stranger with a cookie, who claims to be somebody else, is led nowhere.
fn deceive(rig: &mut Rig, plugin: &str, cookie: &(String, String), number: u32) {
    let stranger = Exchange::new(STRANGERS + number % 256, "/")
        .with_cookie(Some(cookie))
        .with("x-forwarded-for", "10.0.0.0")
        .with("forwarded", "for=10.0.0.0");
    let found = looked_up(rig, 0, stranger.clone());
    assert_eq!(found, None, "{plugin}: {cookie:?}");
    if plugin == "sticky-learn" {
        // An error is no word for a name that somebody has invented.
        let server = web(rig).endpoints().next().unwrap().slot();
        let mut lent = stranger.clone().answered(404).lent();
        seat(rig, 0).bind(server, &mut lent).unwrap();
        assert_eq!(looked_up(rig, 0, stranger), None, "{cookie:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]

    #[test]
    fn every_default_affinity_leads_a_client_to_its_server_or_nowhere(turns in turns()) {
        for (plugin, settings) in AFFINITIES {
            for size in SIZES {
                let (mut rig, mut clients) = (Rig::new(), Vec::<Client>::new());
                for turn in &turns {
                    turn.happen(&mut rig, size, |ports| config(plugin, settings, ports));
                    drain_some(&rig, turn);
                    // A newcomer of the turn before has left.
                    let stay = turn.ports(size);
                    for client in &mut clients {
                        client.stayed &= stay.contains(&client.port);
                    }
                    return_all(&mut rig, plugin, &mut clients, turn.key);
                    welcome(&mut rig, plugin, &mut clients, turn.key);
                }
            }
        }
    }

    #[test]
    fn what_a_stranger_forges_leads_nowhere_by_any_default_affinity(
        turns in turns(),
        texts in prop::collection::vec(".{0,80}", 8),
    ) {
        for (plugin, settings) in AFFINITIES {
            for size in SIZES {
                let (mut rig, mut clients) = (Rig::new(), Vec::new());
                for turn in &turns {
                    turn.happen(&mut rig, size, |ports| config(plugin, settings, ports));
                    welcome(&mut rig, plugin, &mut clients, turn.key);
                    let mut forged = forgeries(&clients, turn.key);
                    for text in &texts {
                        forged.push(("gw_session".to_owned(), text.clone()));
                        forged.push(("sessionId".to_owned(), text.clone()));
                    }
                    for (number, cookie) in (0..).zip(&forged) {
                        deceive(&mut rig, plugin, cookie, number);
                    }
                }
            }
        }
    }
}
