//! The examples for containers: what they name is there, and their parts agree
//! with each other and with the program.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::formats::{document, file, text, texts, toml, yaml};
use crate::support::{folder, prints, write};

/// Check that the program knows a command and every flag that it is given.
#[track_caller]
fn knows(arguments: &[&str]) {
    let commands = arguments.iter().take_while(|word| !word.starts_with('-'));
    let commands: Vec<_> = commands.copied().collect();
    assert!(!commands.is_empty(), "{arguments:?}");
    let help = prints(&folder(), &[&commands[..], &["--help"]].concat());
    let known: Vec<_> = help
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-')
        .collect();
    for flag in arguments.iter().filter(|word| word.starts_with('-')) {
        let (flag, _) = flag.split_once('=').unwrap_or((flag, ""));
        assert!(
            known.contains(&flag),
            "{flag} of {commands:?} is not in {help}"
        );
    }
}

/// The value of a flag, written with `=` or as the next word.
#[track_caller]
fn flag<'a>(arguments: &[&'a str], name: &str) -> &'a str {
    let value = |(at, word): (usize, &&'a str)| match word.strip_prefix(name)? {
        "" => arguments.get(at + 1).copied(),
        rest => rest.strip_prefix('='),
    };
    let found = arguments.iter().enumerate().find_map(value);
    found.unwrap_or_else(|| panic!("no {name} in {arguments:?}"))
}

/// The port of an address.
#[track_caller]
fn port(address: &Value) -> u64 {
    let (_, port) = address.as_str().unwrap().rsplit_once(':').unwrap();
    port.parse().unwrap()
}

/// A duration in whole seconds, as the examples write it.
#[track_caller]
fn seconds(text: &Value) -> u64 {
    let text = text.as_str().unwrap();
    text.strip_suffix('s').unwrap().parse().unwrap()
}

/// The ports that a configuration listens on: of its listeners, with `/udp` behind
/// those of HTTP/3, and at last for operators.
#[track_caller]
fn ports(config: &Value) -> Vec<(u64, &'static str)> {
    let mut ports = Vec::new();
    for listener in config["listener"].as_array().unwrap() {
        let port = port(&listener["listen"]);
        ports.push((port, ""));
        if !matches!(listener["http3"], Value::Null | Value::Bool(false)) {
            ports.push((port, "/udp"));
        }
    }
    ports.push((port(&config["admin"]["listen"]), ""));
    ports
}

/// The only one of a list that has this name.
#[track_caller]
fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let list = list.as_array().unwrap();
    let mut found = list.iter().filter(|one| one["name"] == name);
    let one = found
        .next()
        .unwrap_or_else(|| panic!("no {name} in {list:?}"));
    assert!(found.next().is_none(), "two are called {name}");
    one
}

fn manifest(name: &str) -> Vec<Value> {
    yaml(&text(&format!("examples/kubernetes/{name}.yaml")))
}

/// The pod of the deployment.
fn pod() -> Value {
    let mut deployment = manifest("deployment").remove(0);
    deployment["spec"]["template"]["spec"].take()
}

/// The configuration that the pods have, as it is written.
fn pods_configuration() -> String {
    let map = manifest("configmap").remove(0);
    map["data"]["gatewright.toml"].as_str().unwrap().to_owned()
}

#[test]
fn the_manifests_are_of_their_kinds_and_of_one_application() {
    let kinds = BTreeMap::from([
        ("configmap", vec!["v1 ConfigMap"]),
        ("deployment", vec!["apps/v1 Deployment"]),
        ("poddisruptionbudget", vec!["policy/v1 PodDisruptionBudget"]),
        ("secret", vec!["v1 Secret"]),
        ("service", vec!["v1 Service", "v1 Service"]),
    ]);
    let ours = json!({ "app.kubernetes.io/name": "gatewright" });
    for (name, expected) in kinds {
        let manifests = manifest(name);
        let word = |manifest: &Value, key: &str| manifest[key].as_str().unwrap().to_owned();
        let kind = |one: &Value| format!("{} {}", word(one, "apiVersion"), word(one, "kind"));
        assert_eq!(manifests.iter().map(kind).collect::<Vec<_>>(), expected);
        for manifest in manifests {
            let metadata = &manifest["metadata"];
            assert!(metadata["name"].is_string(), "{manifest}");
            assert_eq!(metadata["namespace"], Value::Null, "{manifest}");
            assert_eq!(metadata["labels"], ours, "{manifest}");
            let selector = &manifest["spec"]["selector"];
            match name {
                "service" => assert_eq!(*selector, ours),
                "deployment" | "poddisruptionbudget" => assert_eq!(selector["matchLabels"], ours),
                _ => assert_eq!(*selector, Value::Null),
            }
        }
    }
    let deployment = manifest("deployment").remove(0);
    assert_eq!(deployment["spec"]["replicas"], 2);
    assert_eq!(deployment["spec"]["template"]["metadata"]["labels"], ours);
}

#[test]
fn what_pods_serve_is_a_right_configuration_on_the_ports_that_are_told() {
    let folder = folder();
    write(&folder, "gatewright.toml", pods_configuration());
    let said = prints(&folder, &["check"]);
    assert!(said.contains("is right"), "{said}");

    let [(web, _), (admin, _)] = ports(&toml(&pods_configuration()))[..] else {
        panic!("the pods listen on other ports than the manifests say");
    };
    let pod = pod();
    let gateway = named(&pod["containers"], "gatewright");
    assert_eq!(named(&gateway["ports"], "web")["containerPort"], web);
    assert_eq!(named(&gateway["ports"], "admin")["containerPort"], admin);
    for (service, target) in manifest("service").iter().zip(["web", "admin"]) {
        let ports = &service["spec"]["ports"];
        assert_eq!(named(ports, target)["targetPort"], target, "{service}");
    }
    let admin_service = &manifest("service")[1]["spec"];
    assert_eq!(admin_service["clusterIP"], "None");
    assert_eq!(admin_service["ports"][0]["port"], admin);
}

#[test]
fn pods_are_probed_where_no_token_is_needed_and_have_the_time_to_drain() {
    let pod = pod();
    let gateway = named(&pod["containers"], "gatewright");
    for (probe, path) in [
        ("startupProbe", "/livez"),
        ("readinessProbe", "/readyz"),
        ("livenessProbe", "/livez"),
    ] {
        let asked = &gateway[probe]["httpGet"];
        assert_eq!(*asked, json!({ "path": path, "port": "admin" }), "{probe}");
    }
    let startup = &gateway["startupProbe"];
    let patience = ["periodSeconds", "failureThreshold"].map(|key| startup[key].as_u64().unwrap());
    assert!(patience[0] * patience[1] >= 180, "a start compiles plugins");
    let sleep = &gateway["lifecycle"]["preStop"]["sleep"]["seconds"];
    let drain = seconds(&toml(&pods_configuration())["timeouts"]["drain"]);
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace > sleep.as_u64().unwrap() + drain, "{grace}");
}

#[test]
fn pods_may_do_nothing_that_a_gateway_need_not() {
    let pod = pod();
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let profile = &pod["securityContext"]["seccompProfile"]["type"];
    assert_eq!(profile, "RuntimeDefault");
    let containers = ["containers", "initContainers"].map(|key| pod[key].as_array().unwrap());
    for container in containers.into_iter().flatten() {
        let expected = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        });
        assert_eq!(container["securityContext"], expected, "{container}");
        let resources = &container["resources"];
        assert!(resources["requests"]["memory"].is_string(), "{container}");
        assert!(resources["limits"]["memory"].is_string(), "{container}");
    }
    let images: Vec<_> = containers.into_iter().flatten().collect();
    assert!(images.iter().all(|one| one["image"] == images[0]["image"]));
}

#[test]
fn pods_get_their_tokens_and_files_from_where_they_look_for_them() {
    let pod = pod();
    let config = toml(&pods_configuration());
    let data = config["admin"]["data"].as_str().unwrap();
    let mounted = |container: &Value, path: &str| {
        let mut mounts = container["volumeMounts"].as_array().unwrap().iter();
        let above = |mount: &&Value| {
            let above = format!("{}/", mount["mountPath"].as_str().unwrap());
            path.starts_with(&above)
        };
        let mount = mounts.find(above);
        let mount = mount.unwrap_or_else(|| panic!("{path} is on no volume of {container}"));
        named(&pod["volumes"], mount["name"].as_str().unwrap()).clone()
    };
    let gateway = named(&pod["containers"], "gatewright");
    let arguments = texts(&gateway["args"]);
    knows(&arguments);
    let volume = mounted(gateway, flag(&arguments, "-c"));
    assert_eq!(
        volume["configMap"]["name"],
        manifest("configmap")[0]["metadata"]["name"]
    );
    assert!(mounted(gateway, data)["emptyDir"].is_object());
    assert!(mounted(gateway, "/tmp/folder")["emptyDir"].is_object());

    let secret = &manifest("secret")[0];
    let mut roles = Vec::new();
    for container in pod["initContainers"].as_array().unwrap() {
        let arguments = texts(&container["args"]);
        knows(&arguments);
        assert_eq!(flag(&arguments, "--data"), data);
        let from = flag(&arguments, "--from");
        let volume = &mounted(container, from)["secret"];
        assert_eq!(volume["secretName"], secret["metadata"]["name"]);
        // 0440
        assert_eq!(volume["defaultMode"], 288);
        let (_, key) = from.rsplit_once('/').unwrap();
        assert!(secret["stringData"][key].is_string(), "{key}");
        roles.push(flag(&arguments, "--role"));
    }
    // Without the first there could be no other.
    assert_eq!(roles, ["deploy", "read"]);
}

#[test]
fn nobody_runs_with_the_tokens_of_the_example() {
    let secret = manifest("secret").remove(0);
    let folder = folder();
    for (name, token) in secret["stringData"].as_object().unwrap() {
        write(&folder, name, token.as_str().unwrap());
        let create = [
            "token",
            "create",
            "--role=deploy",
            "--data=data",
            "--from",
            name,
        ];
        crate::support::fails(&folder, &create, 2);
    }
}

/// The instructions of the Dockerfile's last stage, by their first word.
fn image() -> Vec<(String, String)> {
    let text = text("examples/docker/Dockerfile").replace("\\\n", " ");
    let (_, last) = text.rsplit_once("\nFROM ").unwrap();
    assert!(last.starts_with("scratch\n"), "{last}");
    let lines = last.lines().skip(1).map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let instruction = |line: &str| {
        let (word, rest) = line.split_once(' ').unwrap();
        (word.to_owned(), rest.trim().to_owned())
    };
    lines.map(instruction).collect()
}

#[track_caller]
fn instruction<'a>(image: &'a [(String, String)], word: &str) -> &'a str {
    let found = image.iter().find(|(first, _)| first == word);
    &found.unwrap_or_else(|| panic!("no {word}")).1
}

/// The words of an instruction in its form of JSON.
#[track_caller]
fn list(instruction: &str) -> Vec<String> {
    serde_json::from_str(&instruction[instruction.find('[').unwrap()..]).unwrap()
}

#[test]
fn the_image_runs_and_checks_the_program_that_it_has() {
    let image = image();
    let program = list(instruction(&image, "ENTRYPOINT"));
    let check = list(instruction(&image, "HEALTHCHECK"));
    assert_eq!(check[0], program[0]);
    let built = text("examples/docker/Dockerfile");
    assert!(built.contains(&format!(" /image{}", program[0])), "{built}");
    let words = |list: &[String]| {
        list.iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    };
    for command in [&check[1..], &list(instruction(&image, "CMD"))] {
        knows(&words(command).split(' ').collect::<Vec<_>>());
    }
    let user = instruction(&image, "USER");
    assert!(
        user.split(':').all(|id| id.parse::<u32>().unwrap() > 0),
        "{user}"
    );
    let exposed = instruction(&image, "EXPOSE");
    let ports = ports(&toml(&text("examples/docker/config/gatewright.toml")));
    let ports = ports.iter().map(|(port, over)| format!("{port}{over}"));
    assert_eq!(exposed, ports.collect::<Vec<_>>().join(" "));
    assert_eq!(instruction(&image, "STOPSIGNAL"), "SIGTERM");
}

#[test]
fn the_services_of_compose_agree_with_the_configuration() {
    agree("examples/docker", &[("gateway", "data")]);
}

#[test]
fn the_gateways_of_a_cluster_in_compose_share_a_server_and_no_folder() {
    let gateways = [("gateway-1", "data-1"), ("gateway-2", "data-2")];
    agree("examples/docker/cluster", &gateways);
    let compose = document("examples/docker/cluster/compose.yaml");
    let config = toml(&text("examples/docker/cluster/config/gatewright.toml"));
    assert_eq!(config["cluster"]["url"], "redis://redis:6379/0");
    let services = &compose["services"];
    assert_eq!(services["redis"]["ports"], Value::Null);
    // The first begins the cluster, with the token that the second takes over.
    let healthy = json!({ "condition": "service_healthy" });
    let waits = |name: &str, on: &str| assert_eq!(services[name]["depends_on"][on], healthy);
    waits("gateway-1", "redis");
    waits("gateway-2", "gateway-1");
    // The list of gateways shows them by these.
    for (name, _) in gateways {
        assert_eq!(services[name]["hostname"], name);
    }
}

/// Check a folder's `compose.yaml`: its gateways with their volumes, their servers and
/// the token of the first.
#[track_caller]
fn agree(folder: &str, gateways: &[(&str, &str)]) {
    let compose = document(&format!("{folder}/compose.yaml"));
    let config = toml(&text(&format!("{folder}/config/gatewright.toml")));
    let services = compose["services"].as_object().unwrap();
    // The token is not in what the image is built from.
    let ignored = text("examples/docker/Dockerfile.dockerignore");
    let hidden = format!("{folder}/token");
    assert!(ignored.lines().any(|line| line == hidden), "{hidden}");
    let folder = file(folder);
    for (name, service) in services.iter().filter(|(_, one)| one["build"].is_object()) {
        let build = &service["build"];
        let context = folder.join(build["context"].as_str().unwrap());
        let dockerfile = context.join(build["dockerfile"].as_str().unwrap());
        assert!(dockerfile.is_file(), "{name}");
        assert!(context.join("Cargo.lock").is_file(), "{name}");
        assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(texts(&service["tmpfs"]), ["/tmp"], "{name}");
        if service["command"].is_array() {
            knows(&texts(&service["command"]));
        }
    }

    let image = image();
    let command = list(instruction(&image, "CMD"));
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    let inside = flag(&command, "-c").rsplit_once('/').unwrap();
    assert!(folder.join("config").join(inside.1).is_file());
    let data = config["admin"]["data"].as_str().unwrap();
    for (number, (name, volume)) in gateways.iter().enumerate() {
        let gateway = &services[*name];
        let published = ports(&config).into_iter().map(|(inside, over)| {
            let outside = match gateways.len() {
                1 => inside,
                _ => inside + 1 + number as u64,
            };
            format!("127.0.0.1:{outside}:{inside}{over}")
        });
        let published: Vec<_> = published.collect();
        assert_eq!(texts(&gateway["ports"]), published, "{name}");
        let mounts = texts(&gateway["volumes"]);
        assert_eq!(mounts[0], format!("./config:{}:ro", inside.0), "{name}");
        assert_eq!(mounts[1], format!("{volume}:{data}"), "{name}");
        assert!(
            compose["volumes"]
                .as_object()
                .unwrap()
                .contains_key(*volume)
        );
    }

    let token = texts(&services["token"]["command"]);
    let volume = gateways[0].1;
    assert_eq!(
        texts(&services["token"]["volumes"]),
        [format!("{volume}:{data}")]
    );
    assert_eq!(flag(&token, "--data"), data);
    let secret = flag(&token, "--from")
        .strip_prefix("/run/secrets/")
        .unwrap();
    assert_eq!(texts(&services["token"]["secrets"]), [secret]);
    assert_eq!(compose["secrets"][secret]["file"], format!("./{secret}"));
    // A gateway that runs has the store to itself, so this is not done with `up`.
    assert_eq!(texts(&services["token"]["profiles"]), ["setup"]);

    for pool in ["web", "api"] {
        for server in texts(&config["pools"][pool]["servers"]) {
            let (host, port) = server.split_once(':').unwrap();
            let command = texts(&services[host]["command"]);
            assert_eq!(command[0], "backend", "{server}");
            assert_eq!(flag(&command, "--port"), port, "{server}");
            assert_eq!(flag(&command, "--name"), host, "{server}");
            assert_eq!(flag(&command, "--host"), "0.0.0.0", "{server}");
        }
    }
}
