//! What was changed at run time, over what files say.

use std::path::Path;

use gatewright_model::config::{Config, Declared, Environment, Fitted, Key, Overlay, written};
use proptest::prelude::*;
use serde_json::{Value, json};

const TWO: &str =
    "[pools.web]\nservers = [\"127.0.0.1:1\", { host = \"Two\", port = 2, weight = 5 }]\n";

fn declared(text: &str) -> Declared {
    Declared::parse(text, Path::new(""), &Environment::empty()).expect("a good file")
}

fn fit(declared: &Declared, overlay: &Overlay) -> Fitted {
    let fitted = declared.fit(overlay, &Environment::empty());
    fitted.expect("no overlay keeps a good file from being read")
}

/// What both together mean, all of which must fit.
fn meant(declared: &Declared, overlay: &Overlay) -> Config {
    let fitted = fit(declared, overlay);
    assert_eq!(fitted.left_out, []);
    fitted.config
}

/// The servers of the first pool with their weights.
fn servers(config: &Config) -> Vec<(String, u16)> {
    let servers = config.pools[0].servers.iter();
    servers
        .map(|server| (server.id.to_string(), server.weight))
        .collect()
}

fn server(port: u16, weight: u16) -> Value {
    json!({ "host": "127.0.0.1", "port": port, "weight": weight })
}

fn key(id: &str) -> Key {
    Key::server("web", id)
}

#[test]
fn servers_come_go_and_are_reweighed() {
    let file = declared(TWO);
    let mut overlay = Overlay::default();
    overlay.set(&file, &key("127.0.0.1:3"), server(3, 7));
    overlay.set(&file, &key("127.0.0.1:1").then("weight"), json!(9));
    overlay.remove(&file, &key("two:2"));
    let config = meant(&file, &overlay);
    let expected = [("127.0.0.1:1".to_owned(), 9), ("127.0.0.1:3".to_owned(), 7)];
    assert_eq!(servers(&config), expected);
}

#[test]
fn what_is_undone_leaves_nothing() {
    let file = declared(TWO);
    let mut overlay = Overlay::default();
    overlay.set(&file, &key("127.0.0.1:3"), server(3, 7));
    overlay.set(&file, &key("127.0.0.1:3").then("weight"), json!(8));
    overlay.set(&file, &key("two:2").then("weight"), json!(9));
    overlay.remove(&file, &key("127.0.0.1:1"));
    assert_eq!(overlay.iter().count(), 3);
    overlay.remove(&file, &key("127.0.0.1:3"));
    overlay.set(&file, &key("two:2").then("weight"), json!(5));
    let first = json!({ "host": "127.0.0.1", "port": 1 });
    overlay.set(&file, &key("127.0.0.1:1"), first);
    assert!(overlay.is_empty(), "{overlay:?}");
}

#[test]
fn removing_an_object_forgets_what_was_changed_within_it() {
    let file = declared(TWO);
    let mut overlay = Overlay::default();
    overlay.set(&file, &key("two:2").then("weight"), json!(9));
    overlay.remove(&file, &key("two:2"));
    assert_eq!(overlay.iter().count(), 1);
    assert_eq!(
        servers(&meant(&file, &overlay)),
        [("127.0.0.1:1".to_owned(), 1)]
    );
}

#[test]
fn a_pool_that_was_added_is_changed_as_one_object() {
    let file = declared(TWO);
    let mut overlay = Overlay::default();
    overlay.set(&file, &Key::top("default_pool"), json!("web"));
    overlay.set(
        &file,
        &Key::pool("api"),
        json!({ "servers": [server(1, 1)] }),
    );
    overlay.set(&file, &Key::server("api", "127.0.0.1:2"), server(2, 2));
    overlay.set(
        &file,
        &Key::pool("api").then("health").then("path"),
        json!("/up"),
    );
    overlay.remove(&file, &Key::server("api", "127.0.0.1:1"));
    assert_eq!(overlay.iter().count(), 2);
    let config = meant(&file, &overlay);
    assert_eq!(servers(&config), [("127.0.0.1:2".to_owned(), 2)]);
    let health = config.pools[0].health.as_ref().expect("it is checked");
    assert_eq!(&*health.path, "/up");
}

#[test]
fn a_later_edit_of_the_same_key_in_the_file_wins() {
    let file = declared(TWO);
    let mut overlay = Overlay::default();
    let weight = key("two:2").then("weight");
    overlay.set(&file, &weight, json!(9));
    overlay.set(&file, &key("127.0.0.1:1").then("weight"), json!(4));
    assert_eq!(overlay.settle(&file), []);
    let edited = declared(&TWO.replace("weight = 5", "weight = 6"));
    assert_eq!(overlay.settle(&edited), [weight]);
    let expected = [("127.0.0.1:1".to_owned(), 4), ("two:2".to_owned(), 6)];
    assert_eq!(servers(&meant(&edited, &overlay)), expected);
}

#[test]
fn a_file_that_comes_to_say_the_same_needs_no_override() {
    let file = declared(TWO);
    let mut overlay = Overlay::default();
    overlay.set(&file, &key("two:2").then("weight"), json!(9));
    let edited = declared(&TWO.replace("weight = 5", "weight = 9"));
    assert_eq!(overlay.settle(&edited), []);
    assert!(overlay.is_empty());
}

#[test]
fn a_server_that_both_add_is_one_with_the_files_fields_winning() {
    let file = declared(TWO);
    let mut overlay = Overlay::default();
    let mut added = server(3, 7);
    added["labels"] = json!({ "zone": "a" });
    overlay.set(&file, &key("127.0.0.1:3"), added);
    let third = "{ host = \"127.0.0.1\", port = 3, weight = 2 }";
    let edited = declared(&TWO.replace("\"127.0.0.1:1\"", third));
    let weight = key("127.0.0.1:3").then("weight");
    assert_eq!(overlay.settle(&edited), [weight]);
    let config = meant(&edited, &overlay);
    let server = &config.pools[0].servers[0];
    assert_eq!(server.weight, 2);
    assert_eq!(server.labels["zone"], "a");
    assert_eq!(config.pools[0].servers.len(), 2);
}

#[test]
fn a_binding_that_both_add_is_the_files_alone() {
    let before = declared(TWO);
    let balancer = Key::pool("web").then("balancer");
    let policy = Key::policy("guard");
    let mut overlay = Overlay::default();
    let near = json!({ "plugin": "ip-hash", "deadline": "1ms" });
    overlay.set(&before, &balancer, near);
    let guard = json!({ "plugin": "headers", "name": "guard", "on_fault": "allow" });
    overlay.set(&before, &policy, guard);
    let after = declared(&format!(
        "{TWO}[pools.web.balancer]\nplugin = \"weighted\"\n\
         [[policy]]\nplugin = \"headers\"\nname = \"guard\"\n"
    ));
    assert_eq!(overlay.settle(&after), [policy, balancer]);
    let config = meant(&after, &overlay);
    let balancer = &config.pools[0].balancer;
    assert_eq!(balancer.plugin.as_str(), "weighted");
    assert_eq!(balancer.deadline, std::time::Duration::from_millis(2));
    assert_eq!(config.policies[0].on_fault.to_string(), "deny");
}

#[test]
fn what_was_added_is_in_the_order_in_which_it_came() {
    let file = declared(TWO);
    let mut overlay = Overlay::default();
    let policy =
        |name: &str, n: u16| json!({ "plugin": "headers", "name": name, "config": { "n": n } });
    for name in ["z", "a", "m"] {
        overlay.set(&file, &Key::policy(name), policy(name, 1));
    }
    overlay.set(&file, &Key::policy("z"), policy("z", 2));
    let names = meant(&file, &overlay).policies;
    let names: Vec<_> = names.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["z", "a", "m"]);
}

#[test]
fn a_pool_that_both_add_has_the_servers_of_both() {
    let file = declared(TWO);
    let mut overlay = Overlay::default();
    overlay.set(&file, &Key::top("default_pool"), json!("web"));
    let servers = json!([server(1, 1), server(2, 1)]);
    let pool = json!({ "balancer": "weighted", "servers": servers });
    overlay.set(&file, &Key::pool("api"), pool);
    let theirs =
        "[pools.api]\nbalancer = \"round-robin\"\nservers = [\"127.0.0.1:2\", \"127.0.0.1:3\"]\n";
    let edited = declared(&format!("{TWO}{theirs}"));
    assert_eq!(overlay.settle(&edited), [Key::pool("api").then("balancer")]);
    let config = meant(&edited, &overlay);
    assert_eq!(config.pools[0].balancer.plugin.as_str(), "round-robin");
    assert_eq!(config.pools[0].servers.len(), 3);
}

#[test]
fn what_no_longer_fits_is_left_out_and_the_rest_stays() {
    let file = declared(TWO);
    let mut overlay = Overlay::default();
    let gone = key("127.0.0.1:1").then("weight");
    overlay.set(&file, &gone, json!(4));
    overlay.set(&file, &key("127.0.0.1:3"), server(3, 7));
    overlay.set(&file, &key("127.0.0.1:4"), json!({ "host": "", "port": 4 }));
    let edited = declared("[pools.web]\nservers = [\"two:2\"]\n");
    let fitted = fit(&edited, &overlay);
    let left_out: Vec<_> = fitted.left_out.iter().map(|left| &left.key).collect();
    assert_eq!(left_out, [&gone, &key("127.0.0.1:4")]);
    assert!(fitted.left_out[0].reason.contains("not there any more"));
    assert_eq!(fitted.config.pools[0].servers.len(), 2);
}

#[test]
fn a_pools_last_server_may_be_replaced() {
    let file = declared("[pools.web]\nservers = [\"a:1\"]\n");
    let mut overlay = Overlay::default();
    overlay.set(&file, &key("b:2"), json!({ "host": "b", "port": 2 }));
    overlay.remove(&file, &key("a:1"));
    // One that never fits makes the others be tried one by one.
    overlay.set(&file, &key("c:3"), json!({ "host": "c", "port": 0 }));
    let fitted = fit(&file, &overlay);
    assert_eq!(fitted.left_out.len(), 1);
    assert_eq!(servers(&fitted.config), [("b:2".to_owned(), 1)]);
}

#[test]
fn what_the_file_has_wrong_is_said_as_without_an_overlay() {
    let file = declared(TWO);
    let mut overlay = Overlay::default();
    overlay.set(&file, &key("127.0.0.1:3"), server(3, 7));
    let wrong = declared(&TWO.replace("weight = 5", "wieght = 5"));
    let with = wrong.fit(&overlay, &Environment::empty()).unwrap_err();
    let without = wrong.mean(&Overlay::default(), &Environment::empty());
    assert_eq!(with, without.unwrap_err());
}

#[test]
fn a_server_may_be_checked_in_its_own_way() {
    let text = "[pools.web]\nservers = [{ host = \"a\", port = 1, health = { path = \"/own\" } }, \"b:2\"]\n";
    let config = meant(&declared(text), &Overlay::default());
    let paths = config.pools[0].servers.iter().map(|server| {
        let health = server.health.as_ref().expect("it is checked");
        (health.path.to_string(), health.interval.as_secs())
    });
    let expected = [("/own".to_owned(), 5), ("/health".to_owned(), 5)];
    assert_eq!(paths.collect::<Vec<_>>(), expected);
}

#[test]
fn policies_come_go_and_change_by_name() {
    let policies =
        "[[policy]]\nplugin = \"headers\"\n[[policy]]\nplugin = \"headers\"\nname = \"late\"\n";
    let file = declared(&format!("{policies}{TWO}"));
    let names = |overlay: &Overlay| -> Vec<_> {
        let config = meant(&file, overlay);
        let policies = config.policies.iter();
        policies
            .map(|policy| (policy.name.to_string(), policy.on_fault.to_string()))
            .collect()
    };
    let of = |name: &str, on_fault: &str| (name.to_owned(), on_fault.to_owned());
    let mut overlay = Overlay::default();
    let added = json!({ "plugin": "headers", "name": "new", "on_fault": "allow" });
    overlay.set(&file, &Key::policy("new"), added);
    overlay.set(&file, &Key::policy("late").then("on_fault"), json!("allow"));
    let all = [
        of("headers", "deny"),
        of("late", "allow"),
        of("new", "allow"),
    ];
    assert_eq!(names(&overlay), all);
    overlay.remove(&file, &Key::policy("headers"));
    overlay.remove(&file, &Key::policy("new"));
    assert_eq!(names(&overlay), [of("late", "allow")]);
    overlay.reset(&Key::policy("headers"));
    overlay.reset(&Key::policy("late"));
    assert!(overlay.is_empty());
}

#[test]
fn the_first_policy_may_come_at_run_time() {
    let file = declared(TWO);
    let mut overlay = Overlay::default();
    let policy = json!({ "plugin": "headers", "name": "first" });
    overlay.set(&file, &Key::policy("first"), policy);
    assert_eq!(meant(&file, &overlay).policies[0].name.as_str(), "first");
}

#[test]
fn a_configuration_made_in_code_takes_overrides_too() {
    let text = "[pools.web]\nservers = [\"a:1\", { host = \"b\", port = 2 }]\n[limits]\nrequest_body = \"1MiB\"\n";
    let written: written::Config = toml::from_str(text).expect("it reads");
    let given = Declared::given(&written).expect("it is a document");
    assert_eq!(
        meant(&given, &Overlay::default()),
        meant(&declared(text), &Overlay::default()).without_files()
    );
    let mut overlay = Overlay::default();
    overlay.remove(&given, &key("a:1"));
    assert_eq!(servers(&meant(&given, &overlay)), [("b:2".to_owned(), 1)]);
}

trait WithoutFiles {
    fn without_files(self) -> Self;
}

impl WithoutFiles for Config {
    fn without_files(mut self) -> Self {
        self.files.clear();
        self.admin.data = std::path::PathBuf::from("data");
        self
    }
}

/// An edit of a server, in the file or over it.
#[derive(Clone, Debug)]
enum Edit {
    Add(u16, u16),
    Weigh(u16, u16),
    Remove(u16),
    RemovePool,
    Pool(u16),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (1..6_u16, 0..9_u16).prop_map(|(port, weight)| Edit::Add(port, weight)),
        (1..6_u16, 0..9_u16).prop_map(|(port, weight)| Edit::Weigh(port, weight)),
        (1..6_u16).prop_map(Edit::Remove),
        Just(Edit::RemovePool),
        (1..6_u16).prop_map(Edit::Pool),
    ]
}

fn make(overlay: &mut Overlay, file: &Declared, edit: &Edit) {
    let at = |port: &u16| key(&format!("127.0.0.1:{port}"));
    match edit {
        Edit::Add(port, weight) => overlay.set(file, &at(port), server(*port, *weight)),
        Edit::Weigh(port, weight) => overlay.set(file, &at(port).then("weight"), json!(weight)),
        Edit::Remove(port) => overlay.remove(file, &at(port)),
        Edit::RemovePool => overlay.remove(file, &Key::pool("web")),
        Edit::Pool(port) => {
            let pool = json!({ "servers": [server(*port, 1)] });
            overlay.set(file, &Key::pool("web"), pool);
        }
    }
}

fn file() -> impl Strategy<Value = Declared> {
    let servers = proptest::collection::btree_map(1..6_u16, 0..9_u16, 1..5);
    servers.prop_map(|servers| {
        let server = |(port, weight)| match weight {
            0 => format!("\"127.0.0.1:{port}\""),
            weight => format!("{{ host = \"127.0.0.1\", port = {port}, weight = {weight} }}"),
        };
        let servers: Vec<_> = servers.into_iter().map(server).collect();
        declared(&format!(
            "[pools.web]\nservers = [{}]\n",
            servers.join(", ")
        ))
    })
}

proptest! {
    #[test]
    fn no_overlay_keeps_any_good_file_from_being_read(
        before in file(), after in file(), edits in proptest::collection::vec(edit(), 0..12),
    ) {
        let mut overlay = Overlay::default();
        for edit in &edits {
            make(&mut overlay, &before, edit);
        }
        fit(&before, &overlay);
        overlay.settle(&after);
        fit(&after, &overlay);
        let settled = overlay.clone();
        prop_assert_eq!(overlay.settle(&after), []);
        prop_assert_eq!(overlay, settled);
    }

    #[test]
    fn what_was_set_last_is_in_force(
        file in file(), edits in proptest::collection::vec(edit(), 0..12), weight in 0..9_u16,
    ) {
        let mut overlay = Overlay::default();
        for edit in edits.iter().filter(|edit| !matches!(edit, Edit::RemovePool)) {
            make(&mut overlay, &file, edit);
        }
        overlay.set(&file, &key("127.0.0.1:5"), server(5, weight));
        let config = fit(&file, &overlay).config;
        prop_assert!(servers(&config).contains(&("127.0.0.1:5".to_owned(), weight)));
    }
}
