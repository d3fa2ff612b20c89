//! Both lanes side by side: which components take the direct one, and that
//! nobody can tell.

use std::cell::RefCell;
use std::collections::HashMap;

use gatewright_host::{Effects, ExchangeView, Fault, Lanes, Lent, Verdict};
use gatewright_model::id::Slot;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::everything::{CALLS, GRANTS, everything};
use crate::support::{MINE, Request, Rig, config, picking};

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
