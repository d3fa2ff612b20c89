//! Starting, refusing to start, and stopping.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use gatewright_control::{Gateway, Keep, Options, Source};
use gatewright_host::Compiler;
use gatewright_model::config::{Environment, ProxyOptions, written};
use tokio::sync::Notify;

use crate::support::{Folder, Server, get_path, pool, visit};

async fn refusal(folder: &Folder) -> String {
    match folder.try_start(false).await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn assert_says(error: &str, expected: &[&str]) {
    for part in expected {
        assert!(error.contains(part), "no {part:?} in: {error}");
    }
}

#[tokio::test]
async fn a_gateway_serves_as_soon_as_it_has_started() {
    let server = Server::start("one").await;
    let folder = Folder::new();
    folder.configure(&pool(&[&server], ""));
    let gateway = folder.start(false).await;
    assert_eq!(visit(&gateway).await, "one");
    gateway.stop().await;
}

#[tokio::test]
async fn a_configuration_made_in_code_serves_and_reloads_to_itself() {
    let server = Server::start("one").await;
    let folder = Folder::new();
    let mut written = written::Config::for_proxy(&ProxyOptions {
        listen: vec!["127.0.0.1:0".to_owned()],
        to: vec![server.address.to_string()],
        admin: Some("127.0.0.1:0".to_owned()),
        ..ProxyOptions::default()
    });
    written.admin.data = folder.data().to_string_lossy().into_owned();
    let options = Options {
        environment: Environment::empty(),
        compiler: Compiler::InProcess,
        keep: Keep::InMemory,
        watch: true,
        inheritance: Default::default(),
        judge: None,
    };
    let gateway = Gateway::start(Source::Given(written), options)
        .await
        .unwrap();
    assert_eq!(visit(&gateway).await, "one");
    let reloaded = gateway.reload().await.unwrap();
    assert_eq!(
        reloaded.to_string(),
        "nothing to change; generation 1 stays"
    );
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_key_and_its_line() {
    let server = Server::start("one").await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = Folder::new();
    folder.write(
        "gatewright.toml",
        format!(
            "[[listener]]\nlisten = \"{address}\"\n{}",
            pool(&[&server], "")
        ),
    );
    let error = refusal(&folder).await;
    assert_says(
        &error,
        &[
            "gatewright.toml:2: listener[0].listen: ",
            "the port is taken",
        ],
    );
}

#[tokio::test]
async fn a_taken_admin_port_is_named_too() {
    let server = Server::start("one").await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = Folder::new();
    folder.write(
        "gatewright.toml",
        format!(
            "[admin]\nlisten = \"{address}\"\n[[listener]]\nlisten = \"127.0.0.1:0\"\n{}",
            pool(&[&server], "")
        ),
    );
    let error = refusal(&folder).await;
    assert_says(
        &error,
        &["gatewright.toml:2: admin.listen: ", "the port is taken"],
    );
}

#[tokio::test]
async fn an_admin_address_that_others_can_reach_is_refused() {
    let folder = Folder::new();
    folder.write(
        "gatewright.toml",
        "[admin]\nlisten = \"0.0.0.0:9000\"\n[pools.web]\nservers = [\"127.0.0.1:1\"]\n",
    );
    let error = refusal(&folder).await;
    assert_says(
        &error,
        &[
            "gatewright.toml:2: admin.listen: ",
            "token create",
            "127.0.0.1:9000",
        ],
    );
}

#[tokio::test]
async fn an_error_of_a_plugin_about_its_configuration_has_file_line_and_key() {
    let server = Server::start("one").await;
    let folder = Folder::new();
    let routes = "[router]\nplugin = \"path-router\"\n[router.config]\nroutes = [\n  { path = \"/*\", pool = \"shop\" },\n]\n";
    folder.configure(&format!("{}{routes}", pool(&[&server], "")));
    let text = std::fs::read_to_string(folder.path("gatewright.toml")).unwrap();
    let line = text
        .lines()
        .position(|line| line.contains("\"shop\""))
        .unwrap()
        + 1;
    let error = refusal(&folder).await;
    let place = format!("gatewright.toml:{line}: router.config.routes[0]");
    assert_says(&error, &[&place, "shop"]);
}

#[tokio::test]
async fn a_file_that_is_no_component_is_refused_by_name() {
    let server = Server::start("one").await;
    let folder = Folder::new();
    folder.write("mine.wasm", "(module)");
    let plugin = "[plugins.mine]\nfile = \"mine.wasm\"\n";
    folder.configure(&format!(
        "{}{plugin}",
        pool(&[&server], "balancer = \"mine\"")
    ));
    let error = refusal(&folder).await;
    assert_says(&error, &["pools.web.balancer: plugin \"mine\": "]);
}

#[tokio::test]
async fn stopping_lets_a_request_finish_and_frees_the_ports() {
    let (came, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (came, go) = (Arc::clone(&came), Arc::clone(&go));
        get(move || async move {
            came.notify_one();
            go.notified().await;
            "slow"
        })
    };
    let routes = Router::new()
        .route("/health", get(|| async {}))
        .route("/", slow);
    let server = Server::serve(routes).await;
    let folder = Folder::new();
    folder.configure(&pool(&[&server], ""));
    let gateway = folder.start(false).await;
    let (web, admin) = (gateway.listeners()[0].ip().unwrap(), gateway.admin());
    let request = tokio::spawn(async move { get_path(web, "/").await });
    came.notified().await;
    let stopping = tokio::spawn(gateway.stop());
    // It says so while it drains.
    crate::support::eventually("not ready", async || {
        (get_path(admin, "/readyz").await.status == 503).then_some(())
    })
    .await;
    assert!(!stopping.is_finished());
    go.notify_one();
    assert_eq!(request.await.unwrap().body, "slow");
    tokio::time::timeout(Duration::from_secs(60), stopping)
        .await
        .unwrap()
        .unwrap();
    TcpListener::bind(web).unwrap();
    TcpListener::bind(admin).unwrap();
}
