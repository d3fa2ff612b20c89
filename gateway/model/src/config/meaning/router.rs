//! The router: as written, or everything to the default pool.

use serde_json::{Map, Value, json};

use super::plugin::{PluginNames, Seat, bind, binding};
use super::report::Report;
use crate::config::defaults;
use crate::config::key_path::KeyPath;
use crate::config::meant::Binding;
use crate::config::written::{self, TextOr};
use crate::id::PoolIndex;
use crate::role::Role;

/// Who routes.
pub(super) fn router(
    written: &written::Config,
    default_pool: Option<PoolIndex>,
    names: &PluginNames<'_>,
    report: &mut Report<'_>,
) -> Option<Binding> {
    let path = KeyPath::default().key("router");
    if let Some(router) = &written.router {
        check_routes(router, written, &path.key("config"), report);
        let role = Role::Router;
        return Some(binding(&Seat { path, role }, router, names, report));
    }
    let default_pool = default_pool.and_then(|pool| written.pools.keys().nth(pool.index()));
    if default_pool.is_none() && written.pools.len() > 1 && written.default_pool.is_none() {
        let message = "there are several pools and nothing that chooses between them; write \
                       [router] with its routes, or default_pool";
        report.fail(&KeyPath::default().key("pools"), message);
    }
    let route = json!({ "path": "/*", "pool": default_pool? });
    let config = Map::from_iter([("routes".to_owned(), json!([route]))]);
    let deadline = defaults::deadline();
    Some(bind(Role::Router, defaults::ROUTER, &config, deadline))
}

/// Notes an error for each pool that the default router's configuration names
/// and that is not there. The plugin checks the same and all the rest; here the
/// names that there are can be told, before anything is compiled.
fn check_routes(
    router: &TextOr<written::Binding>,
    written: &written::Config,
    path: &KeyPath,
    report: &mut Report<'_>,
) {
    let TextOr::Table(router) = router else {
        return;
    };
    // A component in the default router's place has a configuration of its own.
    if router.plugin != defaults::ROUTER || written.plugins.contains_key(defaults::ROUTER) {
        return;
    }
    let mut check = |path: KeyPath, pool: Option<&Value>| {
        let Some(name) = pool.and_then(Value::as_str) else {
            return;
        };
        if !written.pools.contains_key(name) {
            report.unknown(
                &path,
                "pool",
                name,
                written.pools.keys().map(String::as_str),
            );
        }
    };
    check(path.key("default"), router.config.get("default"));
    let path = path.key("routes");
    for (index, route) in elements(router.config.get("routes")).enumerate() {
        let path = path.index(index);
        check(path.key("pool"), route.get("pool"));
        let path = path.key("split");
        for (index, share) in elements(route.get("split")).enumerate() {
            check(path.index(index).key("pool"), share.get("pool"));
        }
    }
}

fn elements(array: Option<&Value>) -> impl Iterator<Item = &Value> {
    array.and_then(Value::as_array).into_iter().flatten()
}
