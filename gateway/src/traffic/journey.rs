//! What a shopper asks for, in which order.

use fastrand::Rng;
use http::Method;
use http::uri::PathAndQuery;

use super::{Target, TrafficOptions};

/// The shop's products are numbered from 1 to at least this.
const PRODUCTS: u32 = 12;

/// One request of a visit. The method is safe, so that it may be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) method: Method,
    pub(super) path: String,
}

/// What the shoppers are told to do.
#[derive(Debug)]
pub(super) struct Plan {
    target: Target,
    paths: Vec<String>,
    /// Whether a shopper's next visit is the same customer's.
    pub(super) keep_cookies: bool,
}

impl Plan {
    pub(super) fn new(options: &TrafficOptions) -> Self {
        Self {
            target: options.target.clone(),
            paths: options.paths.clone(),
            keep_cookies: options.keep_cookies,
        }
    }

    /// The requests of one visit, never none: the paths that were asked for,
    /// or a walk through the shop.
    pub(super) fn visit(&self, rng: &mut Rng) -> Vec<Step> {
        let mut steps = if self.paths.is_empty() {
            walk(rng)
        } else {
            self.paths.iter().map(|path| get(path)).collect()
        };
        for step in &mut steps {
            step.path = self.target.path(&step.path);
        }
        steps
    }
}

/// Look around, look at a few products, think about buying one.
fn walk(rng: &mut Rng) -> Vec<Step> {
    let mut steps = vec![get("/"), get("/products"), get("/api/products")];
    for _ in 0..rng.u32(2..=5) {
        let product = rng.u32(1..=PRODUCTS);
        if rng.u32(..4) == 0 {
            steps.push(head(&format!("/products/{product}")));
        }
        steps.push(get(&format!("/products/{product}")));
        steps.push(get(&format!("/api/products/{product}")));
    }
    steps.extend([get("/cart"), get("/api/cart")]);
    if rng.u32(..3) == 0 {
        steps.extend([get("/checkout"), get("/api/checkout")]);
    }
    steps
}

fn get(path: &str) -> Step {
    Step {
        method: Method::GET,
        path: path.to_owned(),
    }
}

fn head(path: &str) -> Step {
    Step {
        method: Method::HEAD,
        path: path.to_owned(),
    }
}

/// A path to ask for, perhaps with a query.
pub(super) fn parse_path(text: &str) -> Result<String, String> {
    match text.parse::<PathAndQuery>() {
        Ok(_) if text.starts_with('/') => Ok(text.to_owned()),
        Ok(_) => Err(format!("a path begins with a slash: /{text}")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(target: &str, paths: &[&str]) -> Plan {
        Plan::new(&TrafficOptions {
            paths: paths.iter().map(ToString::to_string).collect(),
            ..TrafficOptions::to(target.parse().expect("a good target"))
        })
    }

    #[test]
    fn a_walk_begins_at_the_front_page_and_reaches_the_cart() {
        let plan = plan("http://a", &[]);
        for seed in 0..200 {
            let visit = plan.visit(&mut Rng::with_seed(seed));
            assert_eq!(visit[0], get("/"));
            assert!(visit.contains(&get("/cart")));
            assert!((9..=22).contains(&visit.len()), "{} steps", visit.len());
        }
    }

    #[test]
    fn every_request_of_a_walk_may_be_sent_again() {
        let plan = plan("http://a", &[]);
        let methods: Vec<_> = (0..200)
            .flat_map(|seed| plan.visit(&mut Rng::with_seed(seed)))
            .map(|step| step.method)
            .collect();
        assert!(methods.iter().all(Method::is_safe));
        assert!(methods.contains(&Method::HEAD));
    }

    #[test]
    fn the_same_seed_walks_the_same_way() {
        let plan = plan("http://a", &[]);
        let walk = |seed| plan.visit(&mut Rng::with_seed(seed));
        assert_eq!(walk(7), walk(7));
        assert!((0..20).any(|seed| walk(seed) != walk(7)));
    }

    #[test]
    fn given_paths_replace_the_walk_below_the_targets_path() {
        let visit = plan("http://a/shop", &["/x?y=1", "/z"]).visit(&mut Rng::with_seed(1));
        assert_eq!(visit, [get("/shop/x?y=1"), get("/shop/z")]);
    }

    #[test]
    fn a_path_begins_with_a_slash_and_has_no_spaces() {
        assert!(parse_path("/a?b=c").is_ok());
        for text in ["", "a", "/a b", "http://a/"] {
            assert!(parse_path(text).is_err(), "{text} was accepted");
        }
    }
}
