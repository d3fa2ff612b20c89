//! Both lanes side by side: which components take the direct one, and that
//! nobody can tell.

use std::cell::RefCell;
use std::collections::HashMap;

use gatewright_host::{Effects, ExchangeView, Fault, Lanes, Lent, LogEntry, Verdict};
use gatewright_model::id::Slot;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::everything::{CALLS, GRANTS, everything};
use crate::support::{FRAME, MINE, Request, Rig, balancer, component, config, picking};

#[test]
fn a_component_of_one_module_takes_the_direct_lane() {
    let component = picking("(i32.const 2)");
    let mut rig = Rig::balanced_by(&component);
    assert!(rig.balancer().binding().is_direct());
    let mut other = Rig::on(Lanes::ComponentOnly);
    other.place("mine", &component);
    other.take(&config(MINE, 3)).unwrap();
    assert!(!other.balancer().binding().is_direct());
    assert_eq!(rig.pick(1), other.pick(1));
}

#[test]
fn the_default_plugins_take_the_direct_lane() {
    let mut rig = Rig::new();
    let pool = "balancer = \"least-connections\"\naffinity = \"sticky-cookie\"";
    rig.take(&config(pool, 3)).unwrap();
    let chain = &rig.chains[0];
    assert!(chain.router.binding().is_direct());
    assert!(chain.pools[0].balancer.binding().is_direct());
    let affinity = chain.pools[0].affinity.as_ref().unwrap();
    assert!(affinity.binding().is_direct());
}

/// What is to be decided about.
#[derive(Clone, Debug)]
struct Asked {
    path: String,
    cookie: Option<&'static str>,
    tried: Vec<Slot>,
    key: u64,
}

fn asked() -> impl Strategy<Value = Asked> {
    // Three names and options behind each call.
    let calls = prop::collection::vec(0..CALLS, 0..24);
    let path = calls.prop_map(|calls| calls.into_iter().map(char::from).collect());
    let cookie = prop::sample::select(vec![None, Some(""), Some("a1"), Some("größer")]);
    let tried = prop::collection::vec((0..3u32).prop_map(Slot), 0..3);
    (path, cookie, tried, any::<u64>()).prop_map(|(path, cookie, tried, key)| Asked {
        path,
        cookie,
        tried,
        key,
    })
}

/// What came of it.
#[derive(Debug, PartialEq)]
struct Came {
    verdict: Result<Verdict, Fault>,
    picked: Result<Option<Slot>, Fault>,
    effects: String,
}

fn rig(lanes: Lanes) -> Rig {
    let mut rig = Rig::on(lanes);
    rig.place("mine", &everything());
    let granted = format!("mine.wasm\"\ngrants = {GRANTS}");
    let config = config(MINE, 3).replace("mine.wasm\"", &granted);
    let policy = "[[policy]]\nplugin = \"mine\"\ndeadline = \"300ms\"\n";
    rig.take(&format!("{config}{policy}")).unwrap();
    rig
}

fn decide(rig: &mut Rig, asked: &Asked) -> Came {
    let mut lent: Lent = Some(Box::new(Request {
        path: asked.path.clone(),
        cookies: asked
            .cookie
            .map(|value| ("session_", value))
            .into_iter()
            .collect::<HashMap<_, _>>(),
        tried: asked.tried.clone(),
        effects: Effects::default(),
    }));
    let chain = &mut rig.chains[0];
    let policy = &mut chain.policies[0].seat;
    let verdict = policy.check(&mut lent);
    let balancer = &mut chain.pools[0].balancer;
    let picked = balancer.pick(asked.key, &mut lent);
    let view: &mut Box<dyn ExchangeView> = lent.as_mut().unwrap();
    Came {
        verdict,
        picked,
        effects: format!("{:?}", view.effects()),
    }
}

#[test]
fn both_lanes_give_the_same_answers_and_effects() {
    let direct = RefCell::new(rig(Lanes::Both));
    let component = RefCell::new(rig(Lanes::ComponentOnly));
    assert!(direct.borrow_mut().balancer().binding().is_direct());
    assert!(!component.borrow_mut().balancer().binding().is_direct());
    let config = Config {
        cases: 512,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&asked(), |asked| {
        let came = decide(&mut direct.borrow_mut(), &asked);
        prop_assert!(came.verdict.is_ok() && came.picked.is_ok(), "{came:?}");
        prop_assert_eq!(came, decide(&mut component.borrow_mut(), &asked));
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// What the policy has logged. A log takes only so many entries a second, so
/// it can be compared only after a few requests.
fn log(rig: &Rig) -> Vec<String> {
    let journal = rig.chains[0].policies[0].seat.binding().journal();
    let entries = journal.entries().into_iter();
    entries.map(|entry| entry.message).collect()
}

#[test]
fn both_lanes_log_the_same() {
    let (mut direct, mut component) = (rig(Lanes::Both), rig(Lanes::ComponentOnly));
    // Each call with two of the names.
    for call in 0..2 * CALLS {
        let asked = Asked {
            path: char::from(call).to_string(),
            cookie: None,
            tried: Vec::new(),
            key: 0,
        };
        assert_eq!(decide(&mut direct, &asked), decide(&mut component, &asked));
    }
    let logged = log(&direct);
    assert!(logged.len() >= 5, "{logged:?}");
    assert_eq!(logged, log(&component));
}

/// Bytes that a plugin may hand over in one call.
const MOST: u64 = 1 << 20;

/// Two lengths, and whether they are taken together.
const LENGTHS: [(u64, u64, bool); 6] = [
    (MOST, 0, true),
    (MOST + 1, 0, false),
    (0, MOST, true),
    (0, MOST + 1, false),
    (MOST / 2, MOST / 2, true),
    (MOST / 2, MOST / 2 + 1, false),
];

/// [`FRAME`] with memory for more than is taken: zeros from 1 MiB on.
fn roomy() -> String {
    FRAME.replace(
        "(memory (export \"memory\") 16)",
        "(memory (export \"memory\") 64)",
    )
}

/// A host whose balancer is this, with a grant to remember; or why it has none.
fn seated(lanes: Lanes, component: &[u8]) -> Result<Rig, String> {
    let mut rig = Rig::on(lanes);
    rig.place("mine", component);
    let granted = config(MINE, 3).replace("mine.wasm\"", "mine.wasm\"\ngrants = [\"store\"]");
    rig.take(&granted).map_err(|error| error.to_string())?;
    let is_direct = rig.balancer().binding().is_direct();
    assert_eq!(is_direct, lanes == Lanes::Both);
    Ok(rig)
}

#[test]
fn what_an_import_is_given_at_once_has_an_end_in_both_lanes() {
    // Twice a name and a value, as long as the halves of the key say, if they
    // are not the trial's.
    let import = r#"(import "gatewright:plugin/store@0.1.0" "set"
        (func $set (param i32 i32 i32 i32 i32)))"#;
    let set = "(call $set (i32.const 0x100000) (i32.wrap_i64 (local.get $key))
        (i32.const 0x100000) (i32.wrap_i64 (i64.shr_u (local.get $key) (i64.const 32)))
        (i32.const 0))";
    let pick = format!(
        "(if (i64.eqz (i64.and (local.get $key) (i64.const 0xff800000ff800000)))
            (then {set} {set}))
        (i32.const 1)"
    );
    let core = format!("(module {import} {} {})", roomy(), balancer(&pick));
    let giving = component(&["store"], &["balancing"], &core);
    for lanes in [Lanes::Both, Lanes::ComponentOnly] {
        for (name, value, is_taken) in LENGTHS {
            let mut rig = seated(lanes, &giving).unwrap();
            let expected = match is_taken {
                true => Ok(Some(Slot(1))),
                false => Err(Fault::Trapped),
            };
            let picked = rig.pick(value << 32 | name);
            assert_eq!(picked, expected, "{lanes:?}: {name} and {value}");
            let log = rig.balancer().binding().journal().entries();
            let is_told = |entry: &LogEntry| {
                entry.message.contains("too much data") && entry.message.lines().count() == 1
            };
            assert_eq!(log.iter().any(is_told), !is_taken, "{log:?}");
        }
    }
}

#[test]
fn what_comes_with_an_answer_has_an_end_in_both_lanes() {
    for (key, reason, is_taken) in LENGTHS {
        // A configuration error: both of its texts are zeros.
        let answer = format!(
            "(i32.store8 (i32.const 200) (i32.const 1))
            (i32.store (i32.const 204) (i32.const 0x100000))
            (i32.store (i32.const 208) (i32.const {key}))
            (i32.store (i32.const 212) (i32.const 0x100000))
            (i32.store (i32.const 216) (i32.const {reason}))
            (i32.const 200))"
        );
        let functions = balancer("(i32.const 0)").replacen("(i32.const 64))", &answer, 1);
        let core = format!("(module {} {functions})", roomy());
        let answering = component(&[], &["balancing"], &core);
        for lanes in [Lanes::Both, Lanes::ComponentOnly] {
            let refusal = seated(lanes, &answering).err().unwrap();
            let (is_config, is_fault) = (refusal.contains("config."), refusal.contains("trapped"));
            let lengths = format!("{lanes:?}: {key} and {reason}");
            let is_config = is_config || refusal.contains("config: ");
            assert_eq!((is_config, is_fault), (is_taken, !is_taken), "{lengths}");
            assert_eq!(refusal.contains("too much data"), !is_taken, "{lengths}");
        }
    }
}
