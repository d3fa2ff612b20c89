//! The README's way from nothing to a balancer of one's own, and the way in the
//! README of a new project, walked as they are written there.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::reading::{Block, blocks, shell};
use crate::support::{Running, configuration, folder, gatewright, prints, value_after, write};

/// The section that is walked.
const SECTION: &str = "## Write a balancer\n";

/// How long the demo may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The blocks of the section, in their order.
fn section() -> Vec<Block> {
    let readme = include_str!("../../../README.md");
    let (_, section) = readme.split_once(SECTION).unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    blocks(section)
}

/// Ports that were free a moment ago, all at once.
fn free_ports() -> [String; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port().to_string())
}

/// Run lines in a shell that knows the demo; where it is then.
fn walk(lines: &str, place: &Path, admin: &str) -> PathBuf {
    let mut shell = shell(&format!("{lines}\npwd"), place);
    shell.env("GATEWRIGHT_ADMIN", format!("http://127.0.0.1:{admin}"));
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{lines}\n{said}\n{errors}");
    said.lines().last().unwrap().into()
}

/// The server that answers a request for the API, by the header in which the
/// demo's servers name themselves; none while nobody does.
fn answerer(http: &str) -> Option<String> {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{http}")).ok()?;
    let request = "GET /api/test HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, rest) = answer.split_once("x-backend: ")?;
    Some(rest.lines().next()?.to_owned())
}

fn answerers(http: &str) -> BTreeSet<String> {
    (0..30).filter_map(|_| answerer(http)).collect()
}

#[test]
fn a_balancer_of_one_s_own_decides_on_the_demo_s_traffic_as_the_readme_says() {
    let folder = folder();
    let [http, https, admin] = free_ports();
    let mut demo = gatewright(&folder, &["demo", "--json", "--backends=0,0,0"]);
    demo.args(["--http", &http, "--https", &https, "--admin-port", &admin]);
    let _demo = Running::start(demo);
    let began = Instant::now();
    while answerers(&http).len() < 2 {
        assert!(began.elapsed() < PATIENCE, "the demo does not answer");
    }
    let blocks = section();
    let (last, steps) = blocks.split_last().unwrap();
    let mut place = folder.path().to_owned();
    for block in steps {
        match &*block.language {
            "sh" => place = walk(&block.text, &place, &admin),
            "rust" => fs::write(place.join("src/lib.rs"), &block.text).unwrap(),
            other => panic!("a block in {other:?}, which nobody can follow"),
        }
    }
    let decided = answerers(&http);
    assert_eq!(decided.len(), 1, "all go to one server: {decided:?}");
    walk(&last.text, &place, &admin);
    let before = answerers(&http);
    assert!(before.len() > 1, "it is taken back: {before:?}");
}

/// A new project's README, but for what is to be installed: its commands up to
/// the one that brings the plugin into a gateway, and that one.
fn way(project: &Path) -> (Vec<Block>, Block) {
    let readme = fs::read_to_string(project.join("README.md")).unwrap();
    let (_, readme) = readme.split_once("\nBuild, ").unwrap();
    let mut steps = blocks(readme);
    let last = steps.pop().unwrap();
    (steps, last)
}

#[test]
fn a_new_router_decides_in_a_gateway_as_its_readme_says() {
    let folder = folder();
    write(
        &folder,
        "gatewright.toml",
        configuration(
            "[router]\nplugin = \"path-router\"\n\
             config = { routes = [{ path = \"/*\", pool = \"web\" }] }\n\
             [pools.next]\nservers = [\"127.0.0.1:9\"]",
        ),
    );
    let gateway = Running::start(gatewright(&folder, &["run"]));
    let listening = gateway.line_with("admin listening");
    let admin = format!("http://{}", value_after(&listening, "address="));
    prints(&folder, &["plugin", "new", "--role", "router", "router"]);
    let project = folder.path().join("router");
    let (steps, last) = way(&project);
    for step in steps {
        let output = shell(&step.text, &project).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}\n{errors}", step.text);
    }
    // The shell gives way to the command, which watches until it is ended.
    let mut push = shell(&format!("exec {}", last.text), &project);
    push.env("GATEWRIGHT_ADMIN", &admin);
    let said = Running::start(push).line_with("router");
    assert!(said.contains("decides at -/router"), "{said}");
    let bindings = ["plugin", "bindings", "--admin", &admin];
    let bound = prints(&folder, &bindings);
    let line = bound.lines().find(|line| line.starts_with("-/router "));
    assert!(
        line.is_some_and(|line| line.contains(" router ")),
        "{bound}"
    );
}
