//! What the default router keeps to, whatever happens to the pools: asked through
//! its component, while pools come, go and change places.

use std::collections::BTreeSet;

use gatewright_host::Route;
use proptest::prelude::*;

use crate::exchange::Exchange;
use crate::support::{Rig, WORKERS};
use crate::turns::{SIZES, pool, turns};

/// What the router is told, with a deadline that a busy machine does not break.
const SETTINGS: &str = r#"
deadline = "300ms"
[router.config]
default = "web"
routes = [
  { path = "/api/*", pool = "api" },
  { path = "/api/web/*", pool = "web" },
  { path = "/api/gone", answer = { status = 410 } },
  { path = "/both/*", split = [{ pool = "web", weight = 2 }, { pool = "api", weight = 1 }] },
]
"#;

/// A router's configuration, with another pool before the others, or without.
fn config(router: &str, ports: &BTreeSet<u16>, has_aside: bool) -> String {
    let other = |name: &str, port: u16| {
        let server = format!("{{ host = \"192.0.2.7\", port = {port} }}");
        format!("[pools.{name}]\nhealth = false\nservers = [{server}]\n")
    };
    let aside = match has_aside {
        true => other("aside", 81),
        false => String::new(),
    };
    let (web, api) = (pool("", ports), other("api", 82));
    format!("{aside}{api}{web}[router]\nplugin = \"{router}\"{SETTINGS}")
}

/// A request: the segments of its path, and the client's address.
type Asked = (Vec<&'static str>, u32);

fn asked() -> impl Strategy<Value = Asked> {
    let segment = prop::sample::select(vec!["api", "web", "both", "gone", "x"]);
    (prop::collection::vec(segment, 0..4), any::<u32>())
}

/// Where a request may go: pools by their names, or a status.
fn expected(segments: &[&str]) -> &'static [&'static str] {
    match segments {
        ["api", "gone"] => &["410"],
        ["api", "web", ..] => &["web"],
        ["api", ..] => &["api"],
        ["both", ..] => &["web", "api"],
        _ => &["web"],
    }
}

/// Where a request goes, in the same words.
fn routed(rig: &mut Rig, worker: usize, (segments, client): &Asked) -> String {
    let path = format!("/{}", segments.join("/"));
    let mut lent = Exchange::new(*client, &path).lent();
    match rig.chains[worker].router.route(&mut lent).unwrap() {
        Route::Forward(index) => {
            let snapshot = rig.snapshot.as_ref().unwrap();
            snapshot.pool(index).unwrap().name.to_string()
        }
        Route::Answer(status) => status.to_string(),
        Route::Unmatched => "unmatched".to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]

    #[test]
    fn the_default_router_names_a_pool_that_exists_and_the_same_for_the_same_request(
        turns in turns(),
        requests in prop::collection::vec(asked(), 40),
    ) {
        let mut first: Vec<Option<String>> = vec![None; requests.len()];
        for size in SIZES {
            let mut rig = Rig::new();
            for (number, turn) in turns.iter().enumerate() {
                let has_aside = number % 2 == 1;
                turn.happen(&mut rig, size, |ports| config("path-router", ports, has_aside));
                for (request, first) in requests.iter().zip(&mut first) {
                    for worker in 0..WORKERS {
                        let found = routed(&mut rig, worker, request);
                        let may_be = expected(&request.0);
                        prop_assert!(may_be.contains(&found.as_str()), "{request:?}: {found}");
                        // Of a split, whichever pool it was.
                        let first = first.get_or_insert_with(|| found.clone());
                        prop_assert_eq!(&found, &*first, "{:?}", request);
                    }
                }
            }
        }
    }
}
