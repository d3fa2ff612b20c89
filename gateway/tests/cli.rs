//! The command line as a user has it: the real program in a fresh folder.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long to wait for a line that must come, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Nothing of the caller's environment decides, and every cache is the test's.
fn gatewright(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatewright"));
    for variable in [
        "GATEWRIGHT_LOG",
        "PORT",
        "WORKER_COUNT",
        "HEALTH_CHECK_INTERVAL",
    ] {
        command.env_remove(variable);
    }
    command
        .args(arguments)
        .current_dir(folder.path())
        .env("XDG_CACHE_HOME", folder.path().join("cache"));
    command
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn output(folder: &TempDir, arguments: &[&str]) -> Output {
    gatewright(folder, arguments).output().unwrap()
}

/// The error output of a command that must end with this code.
#[track_caller]
fn fails(folder: &TempDir, arguments: &[&str], code: i32) -> String {
    let output = output(folder, arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{errors}");
    errors
}

/// The standard output of a command that must succeed.
#[track_caller]
fn prints(folder: &TempDir, arguments: &[&str]) -> String {
    let output = output(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

fn write(folder: &TempDir, name: &str, text: impl AsRef<[u8]>) {
    std::fs::write(folder.path().join(name), text).unwrap();
}

/// A configuration on free ports, for a server that need not be there.
fn configuration(more: &str) -> String {
    format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\n[workers]\ncount = 1\n\
         [[listener]]\nlisten = \"127.0.0.1:0\"\n{more}\n\
         [pools.web]\nservers = [\"127.0.0.1:9\"]\n"
    )
}

/// A program that runs until it is told to end; it never outlives the test.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let other = sender.clone();
        std::thread::spawn(move || {
            stdout
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        std::thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| other.send(line))
        });
        Self { child, lines }
    }

    /// The first line, from here on, that has this in it.
    #[track_caller]
    fn line_with(&self, part: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("no line with {part:?} ({error}): {seen:#?}"),
            }
        }
    }

    fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([name, &process])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    fn code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What follows `name=` or `http://` in a line.
fn value_after<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, rest) = line.split_once(name).unwrap();
    rest.split_whitespace().next().unwrap()
}

#[test]
fn help_teaches_by_examples() {
    let folder = folder();
    says(
        &prints(&folder, &["--help"]),
        &["Examples:", "gatewright demo", "Exit codes"],
    );
    says(
        &prints(&folder, &["proxy", "--help"]),
        &["Examples:", "--to", "least-connections"],
    );
}

#[test]
fn wrong_usage_ends_with_two() {
    let folder = folder();
    for arguments in [
        &[][..],
        &["fly"],
        &["proxy"],
        &["proxy", "--to", "nowhere"],
        &["proxy", "--to", "127.0.0.1:1", "--listen", "8080"],
        &["proxy", "--to", "127.0.0.1:1", "--policy", "best"],
        &["demo", "--duration", "15"],
        &["demo", "--backends", "3001,3001"],
    ] {
        assert_eq!(
            output(&folder, arguments).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
}

#[test]
fn without_a_configuration_it_is_said_how_to_get_one() {
    let errors = fails(&folder(), &["run"], 2);
    says(
        &errors,
        &["gatewright.toml", "gatewright init", "gatewright proxy"],
    );
}

#[test]
fn the_file_that_init_writes_is_right_and_is_not_overwritten() {
    let folder = folder();
    says(
        &prints(&folder, &["init"]),
        &["wrote gatewright.toml", "gatewright check"],
    );
    says(
        &prints(&folder, &["check"]),
        &[
            "gatewright.toml is right",
            "pool web",
            "least-connections",
            "127.0.0.1:3003",
        ],
    );
    write(&folder, "gatewright.toml", "mine");
    says(
        &fails(&folder, &["init"], 2),
        &["is there already", "--force"],
    );
    prints(&folder, &["init", "--force"]);
    prints(&folder, &["check"]);
}

#[test]
fn check_leaves_nothing_behind() {
    let folder = folder();
    prints(&folder, &["init"]);
    prints(&folder, &["check"]);
    let files = std::fs::read_dir(folder.path()).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["gatewright.toml"]);
}

#[test]
fn check_names_file_line_and_key() {
    let folder = folder();
    write(
        &folder,
        "gatewright.toml",
        configuration("[router]\nplugn = \"mine\""),
    );
    says(
        &fails(&folder, &["check"], 2),
        &["gatewright.toml:8", "plugn", "plugin"],
    );
}

#[test]
fn check_tries_the_plugins() {
    let folder = folder();
    let plugin = "[router]\nplugin = \"mine\"\n[plugins.mine]\nfile = \"mine.wasm\"";
    write(&folder, "gatewright.toml", configuration(plugin));
    write(&folder, "mine.wasm", wat::parse_str("(module)").unwrap());
    says(
        &fails(&folder, &["check"], 2),
        &["gatewright.toml", "mine", "core module"],
    );

    let route = "[router]\nplugin = \"path-router\"\nconfig = { routes = [{ path = \"/\", pool = \"wbe\" }] }";
    write(&folder, "gatewright.toml", configuration(route));
    says(
        &fails(&folder, &["check"], 2),
        &["gatewright.toml:9", "routes", "wbe"],
    );
}

#[test]
fn check_loads_the_certificates() {
    let folder = folder();
    let tls = "tls = { certificates = [{ cert = \"cert.pem\", key = \"key.pem\" }] }";
    write(&folder, "gatewright.toml", configuration(tls));
    let certificate = || rcgen::generate_simple_self_signed(["shop.test".to_owned()]).unwrap();
    let (one, other) = (certificate(), certificate());
    write(&folder, "cert.pem", one.cert.pem());
    write(&folder, "key.pem", other.signing_key.serialize_pem());
    says(
        &fails(&folder, &["check"], 2),
        &["gatewright.toml:7", "key.pem"],
    );

    write(&folder, "key.pem", one.signing_key.serialize_pem());
    says(&prints(&folder, &["check"]), &["https with", "cert.pem"]);
}

#[test]
fn the_schema_is_json() {
    let schema: Value = serde_json::from_str(&prints(&folder(), &["check", "--schema"])).unwrap();
    assert!(schema["properties"]["pools"].is_object());
}

#[test]
fn completions_know_the_commands() {
    says(
        &prints(&folder(), &["completions", "bash"]),
        &["_gatewright", "proxy"],
    );
}

#[test]
fn a_log_level_that_is_none_is_refused() {
    let folder = folder();
    prints(&folder, &["init"]);
    let mut command = gatewright(&folder, &["check"]);
    let output = command.env("GATEWRIGHT_LOG", "a=b=c").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    says(
        &String::from_utf8_lossy(&output.stderr),
        &["GATEWRIGHT_LOG"],
    );
}

#[test]
fn the_compiler_says_why_it_refuses() {
    let folder = folder();
    let mut command = gatewright(&folder, &["compile"]);
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"no component")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty() && !output.stderr.is_empty());
}

#[test]
fn a_taken_port_is_named() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let port = taken.local_addr().unwrap().port().to_string();
    let proxy = [
        "proxy",
        "--to=127.0.0.1:9",
        "--admin=127.0.0.1:0",
        "--listen",
        &address,
    ];
    says(&fails(&folder, &proxy, 2), &[&port, "taken"]);
    for flag in ["--http", "--https", "--admin-port", "--backends"] {
        let mut demo = vec!["demo", "--json"];
        for other in ["--http", "--https", "--admin-port", "--backends"] {
            demo.extend([other, if other == flag { &port } else { "0" }]);
        }
        says(&fails(&folder, &demo, 2), &[&port, "taken", flag]);
    }
}

#[test]
fn a_gateway_reloads_on_hangup_and_ends_well_on_terminate() {
    let folder = folder();
    write(&folder, "gatewright.toml", configuration(""));
    let mut gateway = Running::start(gatewright(&folder, &["run"]));
    let listening = gateway.line_with("listening");
    assert!(
        !value_after(&listening, "address=").ends_with(":0"),
        "{listening}"
    );
    gateway.line_with("least-connections");
    gateway.line_with("ready");
    gateway.signal("-HUP");
    gateway.line_with("load");
    gateway.signal("-TERM");
    assert_eq!(gateway.code(), Some(0));
}

#[test]
fn shoppers_reach_the_servers_through_a_proxy_that_flags_describe() {
    let folder = folder();
    let server = |name| {
        Running::start(gatewright(
            &folder,
            &["backend", "--port=0", "--name", name],
        ))
    };
    let servers = ["one", "two"].map(server);
    let addresses = servers.each_ref().map(|server| {
        let line = server.line_with("listens on");
        value_after(&line, "http://").to_owned()
    });
    let mut arguments = vec![
        "proxy",
        "--listen=127.0.0.1:0",
        "--admin=127.0.0.1:0",
        "--tls",
    ];
    arguments.extend(
        addresses
            .iter()
            .flat_map(|address| ["--to", address.as_str()]),
    );
    let proxy = Running::start(gatewright(&folder, &arguments));
    let listening = proxy.line_with("listening");
    proxy.line_with("ready");
    let target = format!("https://{}", value_after(&listening, "address="));
    let traffic = [
        "traffic",
        "-k",
        "--duration=1s",
        "--json",
        "--target",
        &target,
    ];
    let summary: Value = serde_json::from_str(&prints(&folder, &traffic)).unwrap();
    assert_eq!(summary["failed"], 0, "{summary}");
    for name in ["one", "two"] {
        assert!(summary["backends"][name].as_u64() > Some(0), "{summary}");
    }
}

#[test]
fn traffic_that_reaches_nobody_has_failed() {
    let folder = folder();
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let target = format!("http://{nobody}");
    says(
        &fails(&folder, &["traffic", "--target", &target], 1),
        &[&target],
    );
}

#[test]
fn the_demo_ends_with_its_totals_as_json() {
    let folder = folder();
    let demo = [
        "demo",
        "--json",
        "--duration=1s",
        "--workers=1",
        "--http=0",
        "--https=0",
        "--admin-port=0",
        "--backends=0,0,0",
        "--data",
        "kept",
    ];
    let printed = prints(&folder, &demo);
    let report: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    assert!(report["requests"].as_u64() > Some(0), "{report}");
    assert_eq!(report["failed"], 0, "{report}");
    let servers = report["servers"].as_array().unwrap();
    assert_eq!(servers.len(), 3);
    assert!(
        servers
            .iter()
            .all(|server| server["requests"].as_u64() > Some(0)),
        "{report}"
    );
    let plugins = report["plugins"].as_array().unwrap();
    for name in ["path-router", "sticky-cookie", "least-connections"] {
        let plugin = plugins.iter().find(|plugin| plugin["name"] == name);
        let plugin = plugin.unwrap_or_else(|| panic!("{name} is not in {report}"));
        assert!(plugin["decisions"].as_u64() > Some(0), "{report}");
        assert_eq!(plugin["faults"], 0, "{report}");
    }
    assert!(Path::new(&folder.path().join("kept/demo.toml")).is_file());
}
