//! `gatewright plugin push`: a component goes to the gateway, once or at each
//! change of its file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use gatewright_host::{COMPONENT_BYTES, Refusal};
use gatewright_model::config::DEFAULT_PLUGINS;
use gatewright_model::signature::signature_file;
use http::Method;
use indicatif::ProgressBar;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecursiveMode, Watcher as _};
use serde_json::{Map, Value, json};

use super::naming::name_of;
use super::{binding, object, path_of, tables::short};
use crate::cli::api::{ApiOptions, Call, escaped};
use crate::ending::{in_words, usage};

/// What a component that is in a registry begins with.
const OCI: &str = "oci://";

/// How long a file must have been left alone: what is written bit by bit is not
/// sent half-way.
const QUIET: Duration = Duration::from_millis(50);

/// How often the sign of life on the terminal moves.
const TICK: Duration = Duration::from_millis(100);

/// What `gatewright plugin push` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  gatewright plugin push target/near.wasm
  gatewright plugin push near.wasm --activate web/balancer --config '{\"zone\":\"a\"}'
  gatewright plugin push near.wasm --grant store --memory 16MiB
  gatewright plugin push oci://registry.example/plugins/near:1.2 --name near
  gatewright plugin push near.wasm --activate web/balancer --watch")]
pub(super) struct PushOptions {
    /// The component: a file, or oci://HOST/REPOSITORY:TAG for the gateway to
    /// fetch.
    #[arg(value_name = "FILE|REFERENCE")]
    file: PathBuf,
    /// The plugin; if not given, the file's name with dashes, or the
    /// repository's, or where neither can be one, what the component calls
    /// itself.
    #[arg(long)]
    name: Option<String>,
    /// What it may import beside what needs no grant; repeat it for each.
    #[arg(long, value_name = "GRANT")]
    grant: Vec<String>,
    /// The most memory of an instance, such as 16MiB.
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Have the new version decide in this seat, such as web/balancer.
    #[arg(long, value_name = "POOL/ROLE", allow_hyphen_values = true)]
    activate: Option<String>,
    /// The plugin's own configuration there, as a JSON object; the one that is
    /// there if not given.
    #[arg(long, requires = "activate", value_parser = object, value_name = "JSON")]
    config: Option<Map<String, Value>>,
    /// Do it again at each change of the file or of its signature, until it is
    /// interrupted.
    #[arg(long)]
    watch: bool,
}

impl PushOptions {
    /// The plugin; none where the gateway is to take the name that the
    /// component carries.
    fn name(&self) -> anyhow::Result<Option<String>> {
        if self.name.is_some() {
            return Ok(self.name.clone());
        }
        let name = name_of(&self.file);
        if let Some(name) = &name {
            ensure!(
                !DEFAULT_PLUGINS.contains(&&**name),
                usage(anyhow!(
                    "{name} is a plugin of the default set; write --name {name} if it is to have \
                     this version, or --name with another one"
                ))
            );
        }
        Ok(name)
    }

    /// Where it is sent.
    fn path(&self, name: Option<&str>) -> String {
        let name = name.map(|name| format!("&name={}", escaped(name)));
        let mut path = name.unwrap_or_default();
        if !self.grant.is_empty() {
            path += &format!("&grants={}", escaped(&self.grant.join(",")));
        }
        if let Some(memory) = &self.memory {
            path += &format!("&memory={}", escaped(memory));
        }
        format!("/api/plugins?{}", path.trim_start_matches('&'))
    }

    /// What the gateway is to fetch.
    fn reference(&self) -> Option<&str> {
        self.file.to_str()?.strip_prefix(OCI)
    }
}

pub(super) fn run(api: &ApiOptions, options: &PushOptions) -> anyhow::Result<()> {
    if let Some(seat) = &options.activate {
        path_of(seat)?;
    }
    if let Some(reference) = options.reference() {
        ensure!(
            !options.watch,
            usage(anyhow!("a registry cannot be watched"))
        );
        return fetch(api, options, reference);
    }
    let build = Build::read(&options.file).map_err(usage)?;
    match options.watch {
        true => push_each(api, options, build),
        false => push(api, options, build),
    }
}

/// Push a build, and every one after it.
fn push_each(api: &ApiOptions, options: &PushOptions, first: Build) -> anyhow::Result<()> {
    let (_watcher, changes) = watch(&options.file)?;
    let (mut next, mut last) = (Some(first), None);
    loop {
        if let Some(build) = next.take()
            && last.as_ref() != Some(&build)
        {
            last = Some(build.clone());
            match build.awaits_signature {
                true => eprintln!(
                    "{} is older than its component; it is pushed once that is signed, or \
                     without a signature once the file is removed",
                    signature_file(&options.file).display()
                ),
                false => report(push(api, options, build)),
            }
        }
        settle(&changes)?;
        // A build begins by removing what it made before.
        next = Build::read(&options.file).ok();
    }
}

/// A component with its signature, as they are in their files.
#[derive(Clone, PartialEq)]
struct Build {
    component: Vec<u8>,
    signature: Option<String>,
    /// Whether the signature was there before the component, so that it is of
    /// another.
    awaits_signature: bool,
}

impl Build {
    fn read(file: &Path) -> anyhow::Result<Self> {
        let component = fs::read(file);
        let component = component.with_context(|| format!("cannot read {}", file.display()))?;
        let signature = signature(file)?;
        let written = |file: &Path| fs::metadata(file).and_then(|file| file.modified());
        let signed = written(&signature_file(file));
        Ok(Self {
            component,
            awaits_signature: signature.is_some() && signed.ok() < written(file).ok(),
            signature,
        })
    }
}

/// While a file is watched, what fails now may be right after the next change.
fn report(pushed: anyhow::Result<()>) {
    if let Err(error) = pushed {
        eprintln!("{}", in_words(&error));
    }
}

/// What the file of the component's signature holds, where there is one.
fn signature(component: &Path) -> anyhow::Result<Option<String>> {
    let file = signature_file(component);
    match fs::read_to_string(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => {
            let read = read.with_context(|| format!("cannot read {}", file.display()));
            read.map(Some)
        }
    }
}

/// Send a component.
fn push(api: &ApiOptions, options: &PushOptions, build: Build) -> anyhow::Result<()> {
    // A gateway that refuses it may not read so far that one could hear it.
    let is_too_large = build.component.len() as u64 > COMPONENT_BYTES;
    ensure!(!is_too_large, Refusal::TooLarge);
    let name = options.name()?;
    let call = Call::new(Method::POST, options.path(name.as_deref()));
    let busy = match name {
        Some(name) => format!("{name} is compiled and tried"),
        None => "it is compiled and tried".to_owned(),
    };
    bring(
        api,
        options,
        call.carrying(build.component, build.signature),
        busy,
    )
}

/// Have the gateway fetch a component.
fn fetch(api: &ApiOptions, options: &PushOptions, reference: &str) -> anyhow::Result<()> {
    let call = Call::new(Method::POST, options.path(options.name.as_deref()));
    let call = call.with(json!({ "reference": reference }));
    let busy = format!("{reference} is fetched, compiled and tried");
    bring(api, options, call, busy)
}

/// Have a component taken in, have it decide if that is wanted, and say how long
/// it took.
fn bring(
    api: &ApiOptions,
    options: &PushOptions,
    call: Call,
    message: String,
) -> anyhow::Result<()> {
    let began = Instant::now();
    // It hides itself where there is no terminal.
    let busy = ProgressBar::new_spinner().with_message(message);
    busy.enable_steady_tick(TICK);
    let pushed = api.ask(call).and_then(|pushed| {
        let name = pushed["name"].as_str().unwrap_or_default();
        let activated = activate(api, options, name, &pushed)?;
        Ok((pushed, activated))
    });
    busy.finish_and_clear();
    let (mut pushed, activated) = pushed?;
    pushed["activated"] = activated;
    api.print(&pushed, |pushed| {
        let name = pushed["name"].as_str().unwrap_or_default();
        words(name, pushed, began.elapsed())
    })
}

/// Bind what was sent where that is wanted; null where it is not.
fn activate(
    api: &ApiOptions,
    options: &PushOptions,
    name: &str,
    pushed: &Value,
) -> anyhow::Result<Value> {
    let Some(seat) = &options.activate else {
        return Ok(Value::Null);
    };
    let binding = binding(name, pushed["version"].as_str(), options.config.as_ref());
    let call = Call::new(Method::PUT, path_of(seat)?).with(binding);
    let activated = api.ask(call.judging());
    activated.map_err(|error| {
        let version = short(pushed["version"].as_str().unwrap_or_default());
        error.context(format!(
            "{name} {version} is uploaded and not activated (`gatewright plugin activate {seat} \
             {name} {version}` tries again, `gatewright plugin delete {name} {version}` removes it)"
        ))
    })
}

fn words(name: &str, pushed: &Value, took: Duration) -> String {
    let version = short(pushed["version"].as_str().unwrap_or_default());
    let compiled = pushed["compileMs"].as_f64().unwrap_or_default();
    let took = took.as_millis();
    let activated = &pushed["activated"];
    match activated["binding"].as_str() {
        Some(seat) => {
            let (workers, of) = (
                &activated["applied"]["workers"],
                &activated["applied"]["of"],
            );
            format!(
                "{name} {version} decides at {seat} on {workers} of {of} workers after {took} ms \
                 ({compiled:.0} ms of them to compile and try it)\n"
            )
        }
        None => format!("{name} {version} is there after {took} ms; it decides nothing yet\n"),
    }
}

/// A watcher of a file's folder, since builds replace files, and its hints.
fn watch(file: &Path) -> anyhow::Result<(notify::RecommendedWatcher, Receiver<()>)> {
    let (hint, hints) = channel();
    let mut watcher = notify::recommended_watcher(move |event| {
        if is_change(&event) {
            // The receiver lives as long as the watcher is used.
            let _ = hint.send(());
        }
    })?;
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok((watcher, hints))
}

/// Whether an event may mean other content. To read the file is one too.
fn is_change(event: &notify::Result<notify::Event>) -> bool {
    match event.as_ref().map(|event| event.kind) {
        Ok(EventKind::Access(access)) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// Wait for a hint, and until there was none for a moment.
fn settle(hints: &Receiver<()>) -> anyhow::Result<()> {
    hints.recv()?;
    while hints.recv_timeout(QUIET).is_ok() {}
    Ok(())
}
