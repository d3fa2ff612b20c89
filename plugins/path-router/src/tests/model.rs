//! The table against a model that knows no table: try every route on the
//! request, and of those that match take the first by the documented order.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use gatewright_plugin_sdk::testing;
use gatewright_plugin_sdk::{Decision, Router};
use proptest::prelude::*;
use regex_lite::Regex;

use crate::{Config, Listed, PathRouter, Route};

#[derive(Clone, Debug)]
struct Drawn {
    path: String,
    host: Option<&'static str>,
    method: Option<&'static str>,
    header: bool,
    query: bool,
}

#[derive(Clone, Debug)]
struct Asked {
    host: &'static str,
    path: String,
    method: &'static str,
    header: bool,
    query: bool,
}

fn segments(choices: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(choices), 0..5)
        .prop_map(|parts| format!("/{}", parts.join("/")))
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let path = prop_oneof![
        6 => segments(&["a", "b", "ab", "*", "a*", "*b"]),
        2 => segments(&["a", "b", "ab"]).prop_map(|path| path.trim_end_matches('/').to_owned() + "/*"),
        1 => prop::sample::select(&["~^/a", "~b$", "~/(a|b)/"][..]).prop_map(Into::into),
    ];
    let host = prop::sample::select(&[None, Some("a.x"), Some("*.x"), Some("*.a.x")][..]);
    let method = prop::sample::select(&[None, None, Some("GET"), Some("PUT")][..]);
    (path, host, method, any::<bool>(), any::<bool>()).prop_map(
        |(path, host, method, header, query)| Drawn {
            path,
            host,
            method,
            header,
            query,
        },
    )
}

fn asked() -> impl Strategy<Value = Asked> {
    let host = prop::sample::select(&["x", "a.x", "b.x", "b.a.x", "other"][..]);
    let method = prop::sample::select(&["GET", "PUT"][..]);
    (
        host,
        segments(&["a", "b", "ab", "abb"]),
        method,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(host, path, method, header, query)| Asked {
            host,
            path,
            method,
            header,
            query,
        })
}

/// The routes as configured: route `i` goes to pool `i`.
fn config(routes: &[Drawn]) -> Config {
    let only = |is: bool| is.then(|| ("k".to_owned(), "1".to_owned()));
    let written = routes.iter().enumerate().map(|(number, drawn)| Route {
        path: Some(drawn.path.clone()),
        host: drawn
            .host
            .map_or_else(Listed::default, |host| Listed::One(host.into())),
        method: drawn
            .method
            .map_or_else(Listed::default, |method| Listed::One(method.into())),
        headers: only(drawn.header).into_iter().collect::<BTreeMap<_, _>>(),
        query: only(drawn.query).into_iter().collect(),
        pool: Some(number.to_string()),
        ..Route::default()
    });
    Config {
        routes: written.collect(),
        default: None,
    }
}

/// The model's answer: the number of the route.
fn expected(routes: &[Drawn], asked: &Asked) -> Option<usize> {
    let matching = routes.iter().enumerate().filter(|(_, route)| {
        host_matches(route.host, asked.host)
            && path_matches(&route.path, &asked.path)
            && route.method.is_none_or(|method| method == asked.method)
            && (asked.header || !route.header)
            && (asked.query || !route.query)
    });
    let first = matching.min_by_key(|(number, route)| {
        let host = route.host.map_or((2, Reverse(0)), |host| {
            (i32::from(host.starts_with('*')), Reverse(host.len()))
        });
        let conditions = [route.method.is_some(), route.header, route.query];
        let count = conditions.iter().filter(|is| **is).count();
        (host, path_rank(&route.path), Reverse(count), *number)
    })?;
    Some(first.0)
}

fn host_matches(written: Option<&str>, host: &str) -> bool {
    written.is_none_or(|written| match written.strip_prefix('*') {
        Some(suffix) => host.ends_with(suffix),
        None => host == written,
    })
}

fn path_matches(written: &str, path: &str) -> bool {
    let expression = match (written.strip_prefix('~'), written.strip_suffix("/*")) {
        (Some(expression), _) => expression.to_owned(),
        (None, Some(folder)) => format!("^{}(/.*)?$", folder.replace('*', "[^/]*")),
        (None, None) => format!("^{}$", written.replace('*', "[^/]*")),
    };
    Regex::new(&expression).unwrap().is_match(path)
}

fn path_rank(written: &str) -> (u8, Reverse<usize>, Reverse<usize>) {
    let lead = written.find('*').unwrap_or(written.len());
    let literal = written.len() - written.matches('*').count();
    match written {
        "/*" => (3, Reverse(0), Reverse(0)),
        _ if written.starts_with('~') => (2, Reverse(0), Reverse(0)),
        _ if lead < written.len() => (1, Reverse(lead), Reverse(literal)),
        _ => (0, Reverse(lead), Reverse(literal)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_table_answers_as_the_model_does(
        routes in prop::collection::vec(drawn(), 0..25),
        requests in prop::collection::vec(asked(), 1..40),
    ) {
        testing::reset();
        testing::host(|host| {
            for number in 0..routes.len() {
                host.pool(&number.to_string(), 1);
            }
        });
        let mut router = PathRouter::configure(config(&routes)).unwrap();
        for asked in requests {
            testing::host(|host| {
                host.request.headers.clear();
                if asked.header {
                    host.header("k", "1");
                }
                host.request.query = asked.query.then(|| "k=1".into());
            });
            let decision = router.route(asked.method, asked.host, &asked.path);
            let model = match expected(&routes, &asked) {
                Some(number) => Decision::Forward(number as u32),
                None => Decision::Unmatched,
            };
            prop_assert_eq!(decision, model, "{:?} of {:?}", asked, routes);
        }
    }
}
