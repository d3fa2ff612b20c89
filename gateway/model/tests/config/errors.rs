//! Bad configurations and the exact text that each is refused with.

use std::fmt::Write;
use std::path::Path;

use gatewright_model::config::{Environment, parse};

const SERVERS: &str = r#"servers = ["127.0.0.1:3001"]"#;

/// What is wrong, and a file that has it wrong; `@` stands for servers.
const BAD: &[(&str, &str)] = &[
    ("an empty file", ""),
    ("no TOML", "[pools.web\n@"),
    (
        "a string without an end",
        "[pools.web]\n@\nhash_key = \"path",
    ),
    (
        "a key twice",
        "[pools.web]\n@\nretries = { attempts = 1 }\nretries = { attempts = 2 }",
    ),
    ("an unknown table", "[pool.web]\n@"),
    (
        "an unknown key near a known one",
        "[pools.web]\n@\n\nhelth = { path = \"/\" }",
    ),
    ("an unknown key near none", "[pools.web]\n@\nzzz = 1"),
    (
        "an unknown key in a table that may be a switch",
        "[pools.web]\n@\nbreaker = { threshold = 3 }",
    ),
    (
        "an unknown key inside a server",
        "[pools.web]\nservers = [\n  { host = \"a\", port = 1 },\n  { host = \"b\", port = 2, wieght = 3 },\n]",
    ),
    (
        "an unknown key inside a binding",
        "[pools.web]\n@\nbalancer = { plugin = \"weighted\", dedline = \"1ms\" }",
    ),
    (
        "a text for a number",
        "[pools.web]\n@\nidle_connections = \"many\"",
    ),
    ("a number for a text", "[pools.web]\n@\nhash_key = 5"),
    (
        "a number for a binding",
        "[router]\nplugin = \"path-router\"\n[pools.web]\n@\nbalancer = 5",
    ),
    ("a table for an array", "[pools.web.servers]\nhost = \"a\""),
    ("a text for a table", "limits = \"none\"\n[pools.web]\n@"),
    (
        "origins with a path and without a scheme",
        "[admin]\norigins = [\n  \"https://ops.example\",\n  \"https://ops.example/page\",\n  \"*\",\n]\n[pools.web]\n@",
    ),
    ("a date", "[pools.web]\n@\nhash_key = 2026-01-01"),
    (
        "a number beyond all numbers",
        "[pools.web]\n@\nidle_connections = 99999999999999999999",
    ),
    (
        "no finite number",
        "[pools.web]\n@\nretries = { budget = nan }",
    ),
    (
        "a duration without unit",
        "[pools.web]\n@\n[pools.web.health]\ninterval = \"5\"",
    ),
    (
        "a duration as a number",
        "[pools.web]\n@\n[pools.web.health]\ninterval = 5",
    ),
    (
        "a duration that is none",
        "[timeouts]\nidle = \"soon\"\n[pools.web]\n@",
    ),
    (
        "a size that is none",
        "[limits]\nrequest_head = \"64 apples\"\n[pools.web]\n@",
    ),
    (
        "a negative size",
        "[limits]\nrequest_head = -1\n[pools.web]\n@",
    ),
    (
        "several out of range",
        "[limits]\nrequest_head = \"1KiB\"\nconnections = 0\n\n[timeouts]\ndrain = \"2h\"\n\n[pools.web]\n@\nconnect_timeout = \"1ms\"\nretries = { attempts = 0, budget = 1.5 }\nhealth = { rise = 0, fall = 101 }",
    ),
    ("workers out of range", "workers.count = 0\n[pools.web]\n@"),
    (
        "workers that are no number",
        "workers.count = \"many\"\n[pools.web]\n@",
    ),
    (
        "an unknown plugin near a known one",
        "[pools.web]\n@\nbalancer = \"least-conections\"",
    ),
    (
        "an unknown plugin near none",
        "[pools.web]\n@\naffinity = { plugin = \"zzz\" }",
    ),
    (
        "a plugin of another role",
        "[pools.web]\n@\nbalancer = \"auth\"",
    ),
    (
        "an unknown policy",
        "[pools.web]\n@\n[[policy]]\nplugin = \"zzz\"\n",
    ),
    (
        "two policies of a name",
        "[pools.web]\n@\n[[policy]]\nplugin = \"headers\"\n[[policy]]\nplugin = \"headers\"\n",
    ),
    (
        "a policy's name that is none",
        "[pools.web]\n@\n[[policy]]\nplugin = \"headers\"\nname = \"a b\"\n",
    ),
    (
        "a wrong word for on_fault",
        "[pools.web]\n@\n[[policy]]\nplugin = \"mine\"\non_fault = \"alow\"\n",
    ),
    (
        "a plugin without a file",
        "[plugins.mine]\nmemory = \"1MiB\"\n[pools.web]\n@",
    ),
    (
        "a plugin file that is missing",
        "[plugins.mine]\nfile = \"plugins/mine.wasm\"\n[pools.web]\n@",
    ),
    (
        "an unknown grant",
        "[plugins.mine]\ngrants = [\"stor\"]\n[pools.web]\n@",
    ),
    (
        "a plugin with too much memory",
        "[plugins.ip-hash]\nmemory = \"1GiB\"\n[pools.web]\n@",
    ),
    (
        "a deadline out of range",
        "[router]\nplugin = \"path-router\"\ndeadline = \"5s\"\n[pools.web]\n@",
    ),
    (
        "an unknown default pool",
        "default_pool = \"wbe\"\n[pools.web]\n@\n[pools.api]\n@",
    ),
    (
        "routes to unknown pools",
        "[router]\nplugin = \"path-router\"\n[router.config]\ndefault = \"ap\"\nroutes = [\n  { pool = \"web\" },\n  { pool = \"wep\" },\n  { split = [{ pool = \"web\" }, { pool = \"zzz\" }] },\n]\n[pools.web]\n@",
    ),
    (
        "several pools and no router",
        "[pools.web]\n@\n[pools.api]\n@",
    ),
    (
        "one header in two spellings",
        "default_pool = \"web\"\n[pools.auth]\n@\n[pools.web]\n@\n\
         forward_auth = { pool = \"auth\", path = \"/\", headers = [\"X-User\", \"a b\", \"x_user\"] }",
    ),
    (
        "protocols that are never switched to",
        "[pools.web]\n@\nupgrades = [\"websocket\", \"h2c\", \"TLS/1.3\", \"web socket\"]",
    ),
    (
        "a pool without servers",
        "[pools.web]\nbalancer = \"weighted\"",
    ),
    (
        "a pool with a name that will not do",
        "[pools.\"my pool\"]\n@",
    ),
    (
        "servers that are none",
        "[pools.web]\nservers = [\"http://a:80\", \"a\", \"::1:80\", { host = \"a b\", port = 80 }, { host = \"a\", port = 0 }]",
    ),
    (
        "a port beyond all ports",
        "[pools.web]\nservers = [{ host = \"a\", port = 70000 }]",
    ),
    (
        "a server without a port",
        "[pools.web]\nservers = [{ host = \"a\" }]",
    ),
    (
        "sockets that are none, and one with a port",
        "[pools.web]\nservers = [\"unix:app.sock\", \"unix:/run/../a\", { host = \"unix:/run/a\", port = 80 }]",
    ),
    (
        "a socket whose server cannot prove a name",
        "[pools.web]\nservers = [\"unix:/run/a\"]\ntls = true",
    ),
    (
        "the same server twice",
        "[pools.web]\nservers = [\n  \"[::1]:80\",\n  { host = \"0:0::1\", port = 80 },\n]",
    ),
    (
        "a hash key that is none",
        "[pools.web]\n@\nhash_key = \"header:\"",
    ),
    (
        "a health path that is none",
        "[pools.web]\n@\nhealth = { path = \"health\" }",
    ),
    (
        "statuses that are none",
        "[pools.web]\n@\nhealth = { status = \"2xx\" }",
    ),
    (
        "statuses from high to low, and a server's own that no server answers with",
        "[pools.web]\nhealth = { status = \"299-200\" }\nservers = [{ host = \"a\", port = 1, health = { status = \"200, 99\", jitter = 51, rise = 0 } }]",
    ),
    (
        "a check by gRPC of servers that speak HTTP/1.1",
        "[pools.web]\n@\nhealth = { type = \"grpc\" }",
    ),
    (
        "a check of an unknown type",
        "[pools.web]\n@\nhealth = { type = \"ping\" }",
    ),
    (
        "a breaker out of range",
        "[pools.web]\n@\nslow_start = \"2h\"\npanic_threshold = 101\nbreaker = { fail_threshold = 0, error_threshold = 1001, max_ejected = 0, open_time = \"1m\", max_open_time = \"30s\" }",
    ),
    (
        "a listener that is no address",
        "[[listener]]\nlisten = \"localhost:8080\"\n[pools.web]\n@",
    ),
    (
        "two listeners on one socket, and modes and proxies that are none",
        "[[listener]]\nlisten = \"unix:/run/a\"\nsocket_mode = \"rw\"\nproxy_protocol = [\"::1\"]\n[[listener]]\nname = \"b\"\nlisten = \"unix:/run/a\"\nsocket_mode = \"1777\"\n[[listener]]\nlisten = \":80\"\nsocket_mode = \"0660\"\nproxy_protocol = [\"unix\"]\n[pools.web]\n@",
    ),
    (
        "listeners that share name and address",
        "[[listener]]\nname = \"a\"\nlisten = \":80\"\n[[listener]]\nname = \"a\"\nlisten = \"[::]:80\"\n[pools.web]\n@",
    ),
    (
        "a listener on the admin's address",
        "[[listener]]\nlisten = \"127.0.0.1:9000\"\n[pools.web]\n@",
    ),
    ("no listener", "listener = []\n[pools.web]\n@"),
    (
        "TLS with nothing",
        "[[listener]]\nlisten = \":443\"\ntls = {}\n[pools.web]\n@",
    ),
    (
        "TLS with both",
        "[[listener]]\nlisten = \":443\"\ntls = { self_signed = true, certificates = [{ cert = \"a\", key = \"b\" }] }\n[pools.web]\n@",
    ),
    (
        "TLS that nobody speaks any more",
        "[[listener]]\nlisten = \":443\"\ntls = { self_signed = true, min_version = \"1.1\" }\n[pools.web]\n@",
    ),
    (
        "TLS without a protocol in it",
        "[[listener]]\nlisten = \":443\"\ntls = { self_signed = true, protocols = [] }\n[pools.web]\n@",
    ),
    (
        "client certificates that nobody vouches for",
        "[[listener]]\nlisten = \":443\"\ntls = { self_signed = true, client_auth = \"optional\" }\n[pools.web]\n@",
    ),
    (
        "a listener that sends its clients nowhere",
        "[[listener]]\nlisten = \":80\"\nredirect = \"https:+443\"\n[pools.web]\n@",
    ),
    (
        "a listener that sends its clients from HTTPS to HTTPS",
        "[[listener]]\nlisten = \":443\"\ntls = { self_signed = true }\nredirect = \"https\"\n[pools.web]\n@",
    ),
    (
        "HTTPS for a time without a unit",
        "[[listener]]\nlisten = \":443\"\ntls = { self_signed = true, hsts = \"3600\" }\n[pools.web]\n@",
    ),
    (
        "HTTPS in the lists of browsers for a day",
        "[[listener]]\nlisten = \":443\"\n[listener.tls]\nself_signed = true\nhsts = { max_age = \"1 day\", preload = true }\n[pools.web]\n@",
    ),
    (
        "HTTP/3 in the clear",
        "[[listener]]\nlisten = \":80\"\nhttp3 = true\n[pools.web]\n@",
    ),
    (
        "HTTP/3 where there is no UDP",
        "[[listener]]\nlisten = \"unix:/run/web.sock\"\nhttp3 = true\nproxy_protocol = [\"unix\"]\ntls = { self_signed = true }\n[pools.web]\n@",
    ),
    (
        "HTTP/3 at no port, for years",
        "[[listener]]\nlisten = \":443\"\nhttp3 = { advertise = 0, max_age = \"400 days\" }\ntls = { self_signed = true }\n[pools.web]\n@",
    ),
    (
        "a proxy that is no network",
        "[[listener]]\nlisten = \":80\"\nproxy_protocol = [\"lb.internal\"]\n[pools.web]\n@",
    ),
    (
        "nothing to look up",
        "[pools.web]\ndns = { nameservers = [\"10.0.0.2\"] }",
    ),
    (
        "names that are none, asked of nobody, for times that are none",
        "[pools.web.dns]\nnames = [\"app.internal\", \"10.0.0.1:80\"]\nsrv = \"_http._tcp.a b\"\nnameservers = [\"dns.internal\"]\nmin_ttl = \"10ms\"\nmax_ttl = \"2 days\"",
    ),
    (
        "look-ups that are to be rarer than they may be",
        "[pools.web.dns]\nnames = [\"app.internal:80\"]\nmin_ttl = \"1m\"\nmax_ttl = \"30s\"",
    ),
    (
        "servers without names that have to prove theirs",
        "[pools.web]\ntls = true\ndns = { names = [\"app.internal:443\"] }",
    ),
    (
        "one client's address on a connection for many",
        "[pools.web]\nprotocol = \"http2\"\nproxy_protocol = \"v1\"\n@",
    ),
    (
        "TLS that is spoken and passed on, to a pool that is not there and one that speaks it too",
        "[[listener]]\nlisten = \":443\"\ntls = { self_signed = true }\npassthrough = [\n  { sni = \"a\", pool = \"wbe\" },\n  { sni = \"*\", pool = \"web\" },\n  { sni = \"a.*\", pool = \"web\" },\n]\n[pools.web]\ntls = true\n@",
    ),
    (
        "a name that is passed on twice",
        "[[listener]]\nlisten = \":443\"\npassthrough = [\n  { sni = \"a\", pool = \"web\" },\n  { sni = \"A\", pool = \"web\" },\n]\n[pools.web]\n@",
    ),
    (
        "a certificate that nobody is to be asked for",
        "[[listener]]\nlisten = \":443\"\ntls = { acme = [\"a.example\"] }\n[pools.web]\n@",
    ),
    (
        "an order without a yes to its terms, for nobody plain, and names that nobody can prove",
        "[acme]\ndirectory = \"http://ca.example\"\nemail = \"ops\"\nexternal_account = { key_id = \"1\", hmac_key = \"!\" }\n[[listener]]\nlisten = \":443\"\n[listener.tls]\nacme = [\n  \"*.a.example\",\n  \"10.0.0.1\",\n  \"a.example\",\n  \"A.example\",\n]\n[pools.web]\n@",
    ),
    (
        "a cluster with a server that is none, names that are none, and half of a certificate",
        "[cluster]\nurl = \"http://secret.example\"\npassword = \"\"\nprefix = \"a b\"\nname = \"\"\ntls = { cert = \"a.pem\" }\n[pools.web]\n@",
    ),
    (
        "certificate files that are missing",
        "[[listener]]\nlisten = \":443\"\n[[listener.tls.certificates]]\ncert = \"a.pem\"\nkey = \"a.key\"\n[pools.web]\n@",
    ),
    (
        "a network that is none",
        "trusted_proxies = [\"10.0.0.0/8\", \"10.0.0.0/33\"]\n[pools.web]\n@",
    ),
    (
        "limits of nothing, or of no sense",
        "[limits]\nrequests = 0\n[pools.web]\n@\nmax_active = 0\nmax_active_per_server = 2000000\nqueue = { size = 200000, timeout = \"0s\" }",
    ),
    (
        "a status after which nothing is tried again",
        "[pools.web]\n@\nretries = { statuses = [503, 200] }",
    ),
    (
        "a second server where there is one attempt",
        "[pools.web]\n@\nretries = { attempts = 1 }\nhedge = { after = \"0s\" }",
    ),
    (
        "a probe that asks for nothing, too often",
        "[pools.web]\n@\nprobe = { path = \"load\", interval = \"1ms\" }",
    ),
    (
        "a variable that is not set",
        "[pools.web]\nservers = [\n  \"${BACKEND}:80\",\n]",
    ),
    (
        "a variable without a name",
        "[pools.web]\n@\n[router]\nplugin = \"path-router\"\nconfig = { rewrite = \"/${1}\" }",
    ),
    (
        "a variable without an end",
        "[pools.web]\nservers = [\"${BACKEND:80\"]",
    ),
    (
        "a file to put in that is missing",
        "[pools.web]\nservers = [\"${file:backend.txt}\"]",
    ),
    (
        "an included file that is missing",
        "include = [\"pools.toml\"]\n[pools.web]\n@",
    ),
    (
        "an include that is no pattern",
        "include = [\"conf.d/[.toml\"]\n[pools.web]\n@",
    ),
    (
        "an include that is no array",
        "include = \"conf.d/*.toml\"\n[pools.web]\n@",
    ),
];

#[test]
fn each_mistake_is_told_with_line_key_reason_and_remedy() {
    let mut told = String::new();
    for (mistake, text) in BAD {
        let text = text.replace('@', SERVERS);
        let errors = parse(&text, Path::new(""), &Environment::empty());
        let errors = errors.expect_err(mistake);
        writeln!(told, "# {mistake}\n{errors}\n").unwrap();
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("missing.toml");
    let errors = gatewright_model::config::load(&file, &Environment::empty()).unwrap_err();
    let text = errors.to_string();
    assert_eq!(text.matches("missing.toml").count(), 1, "{text}");
    assert!(
        text.contains("missing.toml: cannot be read: No such file"),
        "{text}"
    );
}

#[test]
fn a_file_of_other_bytes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("binary.toml");
    std::fs::write(&file, [0xff, 0xfe, 0]).unwrap();
    let errors = gatewright_model::config::load(&file, &Environment::empty()).unwrap_err();
    assert!(errors.to_string().contains("save it as UTF-8"), "{errors}");
}
