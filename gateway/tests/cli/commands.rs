//! Commands that answer and end.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{configuration, fails, folder, gatewright, output, prints, says, write};

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
fn without_a_temporary_folder_it_is_said_which_and_what_names_another() {
    let folder = folder();
    write(&folder, "gatewright.toml", configuration(""));
    let mut check = gatewright(&folder, &["check"]);
    check.env("TMPDIR", folder.path().join("none"));
    let output = check.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    says(&errors, &["none/gatewright-check-", "TMPDIR"]);
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
            "plugins: signed by anybody or nobody",
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
fn check_names_policies_apart() {
    let folder = folder();
    let policies = "[[policy]]\nname = \"guard\"\nplugin = \"access\"\nconfig = { rules = [], default = \"allow\" }\n\
        [[policy]]\nname = \"inner\"\nplugin = \"access\"\nconfig = { rules = [], default = \"allow\" }";
    write(&folder, "gatewright.toml", configuration(policies));
    let told = prints(&folder, &["check"]);
    says(
        &told,
        &[
            "request-policy guard: access ",
            "request-policy inner: access ",
        ],
    );
}

#[test]
fn check_tells_of_what_is_not_a_pool_s_own_and_of_no_secret() {
    let folder = folder();
    let more = "[cluster]\nurl = \"redis://me:secret@127.0.0.1:6379/0\"\n\
        [access_log]\nfile = \"stdout\"\n\
        [tracing]\notlp = \"http://127.0.0.1:4318\"\nsample = 0.25\nheaders = { x-key = \"secret\" }\n\
        [[listener]]\nname = \"tls\"\nlisten = \"127.0.0.1:0\"\n\
        tls = { self_signed = true }\nhttp3 = true";
    let pool = "[pools.web]\ncache = { max_object = \"2MiB\" }\ncompression = true\n";
    let text = configuration(more).replace("[pools.web]\n", pool);
    write(&folder, "gatewright.toml", text);
    let told = prints(&folder, &["check"]);
    says(
        &told,
        &[
            "cluster: by redis://127.0.0.1:6379/0,",
            "access log: JSON to stdout, for 100 % of the requests",
            "traces: 25 % of the requests, to http://127.0.0.1:4318",
            "https with a self-signed certificate, and HTTP/3",
            "  cache: answers of up to 2MiB",
            "  compression: ",
        ],
    );
    assert!(!told.contains("secret"), "{told}");
}

#[test]
fn check_tells_when_servers_get_no_more_requests() {
    let folder = folder();
    let file = |keys: &str| {
        let text = configuration("");
        let keys = format!("[pools.web]\n{keys}\n");
        write(
            &folder,
            "gatewright.toml",
            text.replace("[pools.web]\n", &keys),
        );
        prints(&folder, &["check"])
    };
    says(
        &file(""),
        &[
            "  breaker: after 3 failures or 5 errors in a row, for 5s to 5m, 50 % of the servers at most\n",
            "  retries: 3 attempts of 10s, for 20 % of the requests\n",
            "  limits: none\n",
            "  server 127.0.0.1:9: weight 1\n",
        ],
    );
    let keys = "breaker = false\nmax_active = 100\nmax_active_per_server = 10\n\
        queue = { size = 50, timeout = \"2s\" }\n\
        retries = { attempts = 2, budget = 0.005, statuses = [502, 503] }\n\
        hedge = { after = \"100ms\" }";
    says(
        &file(keys),
        &[
            "  breaker: off\n",
            "  retries: 2 attempts of 10s, for 0.5 % of the requests, also after 502, 503\n",
            "  limits: 100 in flight, 10 on each server; 50 wait for 2s\n",
            "  hedge: a second server after 100ms\n",
        ],
    );
    let keys = "queue = false\nmax_active_per_server = 10\nretries = { attempts = 1 }";
    says(
        &file(keys),
        &[
            "  retries: none, 10s for the one attempt\n",
            "  limits: 10 on each server; nobody waits\n",
        ],
    );
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
fn every_command_has_a_manual_page() {
    let folder = folder();
    prints(&folder, &["man", "--out", "man/man1"]);
    let page = |name: &str| {
        let file = folder.path().join("man/man1").join(name);
        std::fs::read_to_string(file).unwrap_or_default()
    };
    says(
        &page("gatewright.1"),
        &[".TH gatewright 1", "gatewright\\-run(1)"],
    );
    says(&page("gatewright-run.1"), &["\\-\\-config", "SIGHUP"]);
    says(&page("gatewright-plugin-push.1"), &["\\-\\-activate"]);
    says(
        &page("gatewright-simulate.1"),
        &[
            "gatewright simulate\\fR [OPTIONS] <SCENARIO>",
            "Examples:\n.nf\n  gatewright simulate ",
        ],
    );
    assert_eq!(
        page("gatewright-compile.1"),
        "",
        "it is for the gateway itself"
    );
    write(&folder, "file", "");
    says(&fails(&folder, &["man", "--out", "file"], 1), &["file"]);
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
