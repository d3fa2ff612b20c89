//! A configuration that makes no sense is refused at its key.

use serde_json::{Value, json};

use super::configure;

fn refused_key(config: &Value) -> String {
    configure(config).unwrap_err().key
}

fn refused_route(route: &Value) -> String {
    refused_key(&json!({"routes": [{"pool": "web"}, route]}))
}

#[test]
fn a_refusal_names_the_route_and_the_key() {
    for (route, key) in [
        (json!({"path": "api", "pool": "web"}), "routes[1].path"),
        (json!({"path": "~(", "pool": "web"}), "routes[1].path"),
        (json!({"pool": "none"}), "routes[1].pool"),
        (json!({"host": "a:1", "pool": "web"}), "routes[1].host"),
        (json!({"method": "get", "pool": "web"}), "routes[1].method"),
        (
            json!({"headers": {"x": "~("}, "pool": "web"}),
            "routes[1].headers.x",
        ),
        (
            json!({"query": {"q": "~("}, "pool": "web"}),
            "routes[1].query.q",
        ),
        (
            json!({"split": [{"pool": "none", "weight": 1}]}),
            "routes[1].split[0].pool",
        ),
        (
            json!({"split": [{"pool": "web", "weight": 0}]}),
            "routes[1].split",
        ),
        (
            json!({"redirect": {"to": "/a", "status": 200}}),
            "routes[1].redirect.status",
        ),
        (json!({"redirect": {}}), "routes[1].redirect"),
        (
            json!({"redirect": {"to": "/b/*"}, "path": "/a"}),
            "routes[1].redirect.to",
        ),
        (json!({"answer": {"status": 99}}), "routes[1].answer.status"),
        (json!({"pool": "web", "rewrite": "a"}), "routes[1].rewrite"),
        (
            json!({"answer": {"status": 404}, "rewrite": "/a"}),
            "routes[1].rewrite",
        ),
        (
            json!({"pool": "web", "strip_prefix": "/"}),
            "routes[1].strip_prefix",
        ),
        (
            json!({"pool": "web", "rewrite": "/", "strip_prefix": "/a"}),
            "routes[1].strip_prefix",
        ),
        (
            json!({"pool": "web", "answer": {"status": 404}}),
            "routes[1]",
        ),
        (json!({"path": "/a"}), "routes[1]"),
        (json!({"pool": "web", "colour": 1}), "routes[1].colour"),
        (json!({"pool": 7}), "routes[1].pool"),
    ] {
        assert_eq!(refused_route(&route), key, "{route}");
    }
    assert_eq!(refused_key(&json!({"default": "none"})), "default");
    assert_eq!(refused_key(&json!({"route": []})), "route");
}
