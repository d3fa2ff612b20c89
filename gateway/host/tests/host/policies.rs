//! What every default policy keeps to, asked through its component while the
//! servers behind it come and go: it never faults, and its verdict follows from
//! its configuration and the request. Those that go by networks are apart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use data_encoding::HEXLOWER;
use gatewright_host::{Edit, Host, Simulated, Verdict};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::exchange::{Exchange, edits, given};
use crate::support::{Rig, WORKERS};
use crate::turns::{SIZES, Turn, pool, turns};

/// A plugin bound as a request policy, with a deadline that a busy machine does
/// not break.
pub(crate) fn bound(plugin: &str, config: &str) -> String {
    format!("[[policy]]\nplugin = \"{plugin}\"\ndeadline = \"300ms\"\n[policy.config]\n{config}\n")
}

/// Change the pool in front of which a policy stands.
fn change(rig: &mut Rig, turn: &Turn, size: u16, policy: &str) {
    turn.happen(rig, size, |ports| pool("", ports) + policy);
}

/// Let each worker decide after each change, among so many servers as there are
/// sizes.
pub(crate) fn throughout(turns: &[Turn], policy: &str, mut decide: impl FnMut(&mut Rig, usize)) {
    for size in SIZES {
        let mut rig = Rig::new();
        for turn in turns {
            change(&mut rig, turn, size, policy);
            for worker in 0..WORKERS {
                decide(&mut rig, worker);
            }
        }
    }
}

/// What the request policy says, and what it wants changed.
pub(crate) fn check(rig: &mut Rig, worker: usize, request: Exchange) -> (Verdict, Vec<Edit>) {
    let mut lent = request.lent();
    let policy = &mut rig.chains[worker].policies[0].seat;
    let verdict = policy.check(&mut lent).unwrap();
    (verdict, edits(&mut lent))
}

/// Headers by their names.
type Named = BTreeMap<String, String>;

/// Headers whose names begin so that no others' do.
fn named(beginning: &'static str) -> impl Strategy<Value = Named> {
    let name = "[a-f]{1,4}".prop_map(move |end| format!("{beginning}-{end}"));
    prop::collection::btree_map(name, "[a-zA-Z0-9;=/-]{1,20}", 1..4)
}

/// Headers as a table of the configuration.
fn table(headers: &Named) -> String {
    let written = headers
        .iter()
        .map(|(name, value)| format!("{name} = \"{value}\""));
    let written: Vec<String> = written.collect();
    format!("{{ {} }}", written.join(", "))
}

/// The names of headers as a list of the configuration.
fn list(headers: &Named) -> String {
    let written: Vec<String> = headers.keys().map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", written.join(", "))
}

/// A client's variant and the cookie that it was given.
type Variant = (String, Option<(String, String)>);

/// What a client of an experiment is told.
fn variant(rig: &mut Rig, worker: usize, request: Exchange) -> Variant {
    let (verdict, edits) = check(rig, worker, request);
    assert_eq!(verdict, Verdict::Proceed);
    let told = edits.iter().find_map(|edit| match edit {
        Edit::SetRequestHeader { name, value } if **name == *"x-variant" => Some(value.clone()),
        _ => None,
    });
    (told.unwrap(), given(&edits))
}

/// Clients of an experiment.
const CLIENTS: u32 = 3_000;

/// What a share may be off: six standard deviations of so many draws.
const MOST_OFF: f64 = 0.06;

/// What `validate` is told, and so what a request may be.
#[derive(Clone, Copy, Debug)]
struct Limits {
    body_max: u64,
    length_required: bool,
}

/// A request as far as `validate` looks at it.
#[derive(Clone, Copy, Debug)]
struct Sent {
    path: &'static str,
    method: &'static str,
    has_key: bool,
    has_body: bool,
    length: Option<u64>,
    media_type: Option<&'static str>,
}

fn limits() -> impl Strategy<Value = Limits> {
    (0..2_000_u64, any::<bool>()).prop_map(|(body_max, length_required)| Limits {
        body_max,
        length_required,
    })
}

/// Requests, most of which have one thing wrong at the most.
fn sent() -> impl Strategy<Value = Sent> {
    let path = prop::sample::select(vec!["/api", "/api/a", "/api/b", "/open"]);
    let method = prop::sample::select(vec!["POST", "PUT", "POST", "GET"]);
    let length = prop::option::weighted(0.8, 0..2_500_u64);
    let types = vec![
        None,
        Some("application/json"),
        Some("Application/JSON; charset=utf-8"),
        Some("text/plain"),
    ];
    let media_type = prop::sample::select(types);
    let (has_key, has_body) = (prop::bool::weighted(0.8), any::<bool>());
    (path, method, has_key, has_body, length, media_type).prop_map(
        |(path, method, has_key, has_body, length, media_type)| Sent {
            path,
            method,
            has_key,
            has_body,
            length,
            media_type,
        },
    )
}

impl Limits {
    fn written(self) -> String {
        let Self {
            body_max,
            length_required,
        } = self;
        format!(
            "rules = [{{ path = \"/api/*\", methods = [\"POST\", \"PUT\"], \
             headers = {{ x-key = \"*\" }}, content_types = \"application/json\", \
             body_max = {body_max}, length_required = {length_required} }}]"
        )
    }

    /// The verdict, in the order of RFC 9110's statuses that the plugin has.
    fn expected(self, sent: Sent) -> Verdict {
        let media_type = sent.media_type.map(str::to_ascii_lowercase);
        let is_json = media_type.is_some_and(|given| given.starts_with("application/json"));
        if sent.path == "/open" {
            Verdict::Proceed
        } else if sent.method == "GET" {
            Verdict::Answer(405)
        } else if !sent.has_key {
            Verdict::Answer(400)
        } else if self.length_required && sent.has_body && sent.length.is_none() {
            Verdict::Answer(411)
        } else if sent.length.is_some_and(|length| length > self.body_max) {
            Verdict::Answer(413)
        } else if sent.has_body && !is_json {
            Verdict::Answer(415)
        } else {
            Verdict::Proceed
        }
    }
}

impl Sent {
    fn request(self) -> Exchange {
        let mut request = Exchange::new(1, self.path).sent_by(self.method, self.has_body);
        if self.has_key {
            request = request.with("x-key", "k");
        }
        if let Some(length) = self.length {
            request = request.with("content-length", &length.to_string());
        }
        match self.media_type {
            Some(given) => request.with("content-type", given),
            None => request,
        }
    }
}

/// What somebody may try who knows all tokens nearly, and some texts.
fn guesses(tokens: &BTreeSet<String>, texts: Vec<String>) -> Vec<String> {
    let near = tokens.iter().flat_map(|token| {
        let shorter = token[..token.len() - 1].to_owned();
        let digest = HEXLOWER.encode(&Sha256::digest(token));
        [shorter, format!("{token}0"), format!("{token},"), digest]
    });
    let guesses = near.chain(texts);
    let is_wrong = |guess: &String| !tokens.contains(guess.trim());
    guesses.filter(is_wrong).collect()
}

fn authorised(credentials: &str) -> Exchange {
    Exchange::new(1, "/").with("authorization", credentials)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]

    #[test]
    fn headers_edits_a_request_as_it_is_told_and_not_otherwise(
        turns in turns(),
        remove in named("r"),
        set in named("s"),
        add in named("a"),
    ) {
        let policy = bound("headers", &format!(
            "request = {{ remove = {}, set = {}, add = {} }}",
            list(&remove), table(&set), table(&add)
        ));
        let removed = remove.keys().map(|name| Edit::RemoveRequestHeader(name.as_str().into()));
        let written = |(name, value): (&String, String)| Edit::SetRequestHeader {
            name: name.as_str().into(),
            value,
        };
        let set_anew = set.iter().map(|(name, value)| written((name, value.clone())));
        // Beside what the client has sent, which is one value of each.
        let added = add.iter().map(|(name, value)| written((name, format!("sent, {value}"))));
        let expected: Vec<Edit> = removed.chain(set_anew).chain(added).collect();
        throughout(&turns, &policy, |rig, worker| {
            let mut request = Exchange::new(1, "/");
            for name in remove.keys().chain(set.keys()).chain(add.keys()) {
                request = request.with(name, "sent");
            }
            let answer = check(rig, worker, request);
            assert_eq!(answer, (Verdict::Proceed, expected.clone()));
        });
    }

    #[test]
    fn headers_edits_a_response_as_it_is_told_and_not_otherwise(
        turns in turns(),
        remove in named("r"),
        set in named("s"),
        usual in named("d"),
        add in named("a"),
    ) {
        let config = format!(
            "response = {{ remove = {}, set = {}, default = {}, add = {} }}",
            list(&remove), table(&set), table(&usual), table(&add)
        );
        let policy = bound("headers", &config)
            .replace("[policy.config]", "role = \"response-policy\"\n[policy.config]");
        // The server itself sends the first of what is set where there is none.
        let sent = usual.keys().next().unwrap();
        let removed = remove.keys().map(|name| Edit::RemoveResponseHeader(name.as_str().into()));
        let missing = usual.iter().filter(|(name, _)| *name != sent);
        let written = set.iter().chain(missing).map(|(name, value)| Edit::SetResponseHeader {
            name: name.as_str().into(),
            value: value.clone(),
        });
        let added = add.iter().map(|(name, value)| Edit::AppendResponseHeader {
            name: name.as_str().into(),
            value: value.clone(),
        });
        let expected: Vec<Edit> = removed.chain(written).chain(added).collect();
        throughout(&turns, &policy, |rig, worker| {
            let answered = Exchange::new(1, "/").answered(200);
            let mut lent = answered.answered_with(sent, "sent").lent();
            rig.chains[worker].finishers[0].finish(200, &mut lent).unwrap();
            assert_eq!(edits(&mut lent), expected);
        });
    }

    #[test]
    fn rate_limit_admits_exactly_its_burst_while_the_clock_stands(
        turns in turns(),
        burst in 1_u32..12,
        gained in 0_u32..15,
        clients in prop::collection::btree_set(any::<u32>(), 3),
    ) {
        let policy = bound("rate-limit", &format!("rate = \"1/s\"\nburst = {burst}"));
        // More often than is admitted, and each worker in turn.
        let ask = |rig: &mut Rig, client: u32| {
            let mut admitted = 0_u32;
            for number in 0..12 {
                let request = Exchange::new(client, "/");
                match check(rig, number % WORKERS, request).0 {
                    Verdict::Proceed => admitted += 1,
                    refusal => assert_eq!(refusal, Verdict::Answer(429)),
                }
            }
            admitted
        };
        for size in SIZES {
            let clock = Arc::new(Simulated::new(1));
            let mut rig = Rig::started(|options| Host::start_simulated(options, clock.clone()));
            let mut admitted: BTreeMap<u32, u32> = BTreeMap::new();
            for turn in &turns {
                change(&mut rig, turn, size, &policy);
                for client in &clients {
                    *admitted.entry(*client).or_default() += ask(&mut rig, *client);
                }
            }
            assert!(admitted.values().all(|count| *count == burst), "{admitted:?} of {burst}");
            // Each second gives one more, up to the burst.
            clock.advance(u64::from(gained) * 1_000_000_000);
            for client in &clients {
                assert_eq!(ask(&mut rig, *client), gained.min(burst));
            }
        }
    }

    #[test]
    fn ab_split_keeps_each_client_where_it_is_and_its_shares(
        turns in turns(),
        weights in prop::collection::vec(1_u32..10, 3),
        salt in any::<u32>(),
    ) {
        let sum = f64::from(weights.iter().sum::<u32>());
        for by in ["cookie", "client-address"] {
            let policy = bound("ab-split", &format!(
                "name = \"n{salt}\"\nby = \"{by}\"\n\
                 variants = {{ v0 = {}, v1 = {}, v2 = {}, ended = 0 }}",
                weights[0], weights[1], weights[2]
            ));
            let address = |client: u32| (salt ^ client).wrapping_mul(2_654_435_761);
            let request = |client: u32| Exchange::new(address(client), "/");
            for size in SIZES {
                let mut rig = Rig::new();
                let mut known: Vec<Variant> = Vec::new();
                for turn in &turns {
                    change(&mut rig, turn, size, &policy);
                    if known.is_empty() {
                        // What has ended cannot be chosen.
                        let ended = (format!("gw_split_n{salt}"), "ended".to_owned());
                        let meets = |client| request(client).with_cookie(Some(&ended));
                        known = (0..CLIENTS)
                            .map(|client| variant(&mut rig, 0, meets(client)))
                            .collect();
                    }
                    for (client, (told, cookie)) in (0..).zip(&known).step_by(37) {
                        assert_eq!(cookie.is_some(), by == "cookie");
                        for worker in 0..WORKERS {
                            let again = request(client).with_cookie(cookie.as_ref());
                            let again = variant(&mut rig, worker, again);
                            assert_eq!(again, (told.clone(), None), "by {by}");
                        }
                    }
                }
                for (number, weight) in weights.iter().enumerate() {
                    let name = format!("v{number}");
                    let share = known.iter().filter(|(told, _)| *told == name).count();
                    let share = share as f64 / f64::from(CLIENTS);
                    let off = (share - f64::from(*weight) / sum).abs();
                    assert!(off < MOST_OFF, "{share} of {name} by {by}: {weights:?}");
                }
                assert!(known.iter().all(|(told, _)| told != "ended"));
            }
        }
    }

    #[test]
    fn validate_refuses_what_is_beyond_its_limits_and_nothing_else(
        turns in turns(),
        limits in limits(),
        sent in prop::collection::vec(sent(), 60),
    ) {
        throughout(&turns, &bound("validate", &limits.written()), |rig, worker| {
            for sent in &sent {
                let (verdict, _) = check(rig, worker, sent.request());
                assert_eq!(verdict, limits.expected(*sent), "{sent:?} of {limits:?}");
            }
        });
    }

    #[test]
    fn auth_lets_the_right_tokens_in_and_no_others(
        turns in turns(),
        tokens in prop::collection::btree_set("[a-zA-Z0-9]{12,40}", 1..5),
        texts in prop::collection::vec("[ -~]{0,40}", 8),
    ) {
        let written = tokens.iter().enumerate().map(|(number, token)| {
            format!("t{number} = \"{}\"", HEXLOWER.encode(&Sha256::digest(token)))
        });
        let written: Vec<String> = written.collect();
        let policy = bound("auth", &format!(
            "user_header = \"x-user\"\nbearer = {{ tokens = {{ {} }} }}",
            written.join(", ")
        ));
        let guesses = guesses(&tokens, texts);
        let refused = Verdict::Answer(401);
        throughout(&turns, &policy, |rig, worker| {
            // Twice: what has been proved once is remembered.
            for (number, token) in tokens.iter().enumerate().chain(tokens.iter().enumerate()) {
                let right = format!("Bearer {token}");
                let told = Edit::SetRequestHeader {
                    name: "x-user".into(),
                    value: format!("t{number}"),
                };
                let request = authorised(&right).with("x-user", "root");
                assert_eq!(check(rig, worker, request), (Verdict::Proceed, vec![told]));
                for wrong in [token.clone(), format!("Basic {token}"), format!("Bearer{token}")] {
                    assert_eq!(check(rig, worker, authorised(&wrong)).0, refused, "{wrong}");
                }
                let twice = authorised(&right).with("authorization", &right);
                assert_eq!(check(rig, worker, twice).0, refused);
            }
            for guess in &guesses {
                let request = authorised(&format!("Bearer {guess}"));
                assert_eq!(check(rig, worker, request).0, refused, "{guess}");
            }
            assert_eq!(check(rig, worker, Exchange::new(1, "/")).0, refused);
        });
    }
}
