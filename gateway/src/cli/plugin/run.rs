//! `gatewright plugin run`: decisions of a component about a request and servers
//! that are made up on the command line.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;

use anyhow::bail;
use gatewright_host::{Answer, Edit, Fault, Lent, Route, Step, Verdict, plainly};
use gatewright_proxy::key_of_client;
use serde_json::{Value, json};

use super::workbench::{Asked, Seated, Server, Setting, Workbench};
use crate::cli::api::ApiOptions;
use crate::ending::usage;

/// What `gatewright plugin run` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A server is HOST:PORT with what is known of it behind: +active=3 for requests
under way, +weight=2, and any other word for a label. Nobody is connected to.

Examples:
  gatewright plugin run near.wasm --endpoints a:1,b:2
  gatewright plugin run zone.wasm --config '{\"zone\":\"a\"}' \\
      --endpoints 10.0.0.1:80+zone=a+active=3,10.0.1.1:80+zone=b --times 3
  gatewright plugin run by-cookie.wasm --request 'GET /x HTTP/1.1' -H 'cookie: beta=1' \\
      --pools web,next --config '{\"cookie\":\"beta\",\"with\":\"next\",\"without\":\"web\"}'")]
pub(super) struct RunOptions {
    #[command(flatten)]
    setting: Setting,
    /// The request's first line, with or without lines of its head.
    #[arg(long, default_value = "GET / HTTP/1.1", value_name = "REQUEST")]
    request: String,
    /// A line of the request's head; repeat it for each.
    #[arg(short = 'H', long = "header", value_name = "LINE")]
    headers: Vec<String>,
    /// The client's address.
    #[arg(long, default_value = "203.0.113.9", value_name = "ADDRESS")]
    client: IpAddr,
    /// The servers of every pool.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "192.0.2.1:80,192.0.2.2:80,192.0.2.3:80",
        value_name = "SERVERS"
    )]
    endpoints: Vec<Server>,
    /// The response's status, for a response policy.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..=599))]
    status: u16,
    /// How often it is asked.
    #[arg(short = 'n', long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    times: u16,
}

pub(super) fn run(api: &ApiOptions, options: &RunOptions) -> anyhow::Result<()> {
    let asked = Asked::new(
        &options.request,
        &options.headers,
        options.client,
        options.status,
    );
    let asked = asked.map_err(usage)?;
    let bench = Workbench::open()?;
    let mut seated = bench.set_up(&options.setting, &options.endpoints)?;
    let key = key_of_client(options.client);
    let mut decisions = Vec::new();
    let mut ended = Ok(());
    for _ in 0..options.times {
        let mut lent = asked.lent(true);
        let answer = seated.decide(key, &mut lent)?;
        decisions.push(told(answer, lent));
        if let Err(fault) = answer {
            ended = Err(fault);
            break;
        }
    }
    let data = json!({
        "plugin": options.setting.name().as_str(),
        "role": seated.role(),
        "decisions": decisions,
        "log": log(&mut seated)?,
    });
    api.print(&data, words)?;
    match ended {
        Ok(()) => Ok(()),
        Err(fault) => bail!("it has no answer: {fault}"),
    }
}

fn log(seated: &mut Seated) -> anyhow::Result<Value> {
    let entries = seated.seat()?.binding().journal().entries().into_iter();
    let entries = entries.map(|entry| {
        json!({ "level": format!("{:?}", entry.level).to_lowercase(), "message": entry.message })
    });
    Ok(entries.collect())
}

/// A decision, and what it asked for beside its answer.
fn told(answer: Result<Answer, Fault>, mut lent: Lent) -> Value {
    let effects = lent.as_mut().map(|view| std::mem::take(view.effects()));
    let effects = effects.unwrap_or_default();
    let steps = effects.trace.map(|trace| trace.steps).unwrap_or_default();
    let ns: u128 = steps.iter().map(|step| step.duration.as_nanos()).sum();
    let step = steps.first();
    let candidates = step.map_or(&[] as &[_], |step| &step.candidates).iter();
    json!({
        "answer": match answer {
            Ok(answer) => in_words(answer, step),
            Err(fault) => format!("none: {fault}"),
        },
        "chosen": step.and_then(|step| step.chosen.clone()),
        "candidates": candidates.map(ToString::to_string).collect::<Vec<_>>(),
        "reason": steps.iter().find_map(|step| step.reason.clone()),
        "ns": ns as u64,
        "timeoutMs": effects.timeout.map(|timeout| timeout.as_millis() as u64),
        "retries": effects.retries,
        "hedgeAfterMs": effects.hedge_after.map(|after| after.as_millis() as u64),
        "secondChoice": effects.second_choice.map(|slot| slot.0),
        "edits": effects.edits.iter().map(edit).collect::<Vec<_>>(),
    })
}

fn in_words(answer: Answer, step: Option<&Step>) -> String {
    let chosen = step.and_then(|step| step.chosen.as_deref());
    match (answer, chosen) {
        (Answer::Endpoint(Some(_)) | Answer::Route(Route::Forward(_)), Some(name)) => {
            name.to_owned()
        }
        (Answer::Endpoint(Some(slot)), None) => format!("slot {}, which nobody has", slot.0),
        (Answer::Endpoint(None), _) => "no opinion".to_owned(),
        (Answer::Route(Route::Forward(pool)), None) => format!("pool {}", pool.0),
        (Answer::Route(Route::Answer(status)) | Answer::Verdict(Verdict::Answer(status)), _) => {
            format!("answer with {status}")
        }
        (Answer::Route(Route::Unmatched), _) => "no route".to_owned(),
        (Answer::Verdict(Verdict::Proceed), _) => "let it pass".to_owned(),
        (Answer::Done, _) => "done".to_owned(),
    }
}

/// A change of the request or the response, in the words of `curl -v`.
fn edit(edit: &Edit) -> String {
    match edit {
        Edit::Path(path) => format!("> path {path}"),
        Edit::Query(query) => format!("> query {}", query.as_deref().unwrap_or("removed")),
        Edit::Authority(host) => format!("> host {host}"),
        Edit::SetRequestHeader { name, value } => format!("> {name}: {value}"),
        Edit::AppendRequestHeader { name, value } => format!("> one more {name}: {value}"),
        Edit::RemoveRequestHeader(name) => format!("> {name} removed"),
        Edit::SetResponseHeader { name, value } => format!("< {name}: {value}"),
        Edit::AppendResponseHeader { name, value } => format!("< one more {name}: {value}"),
        Edit::RemoveResponseHeader(name) => format!("< {name} removed"),
        Edit::SetCookie(cookie) => format!("< set-cookie: {}", cookie.as_str()),
        Edit::Body { content_type, body } => {
            format!("< {} bytes of {content_type}", body.len())
        }
    }
}

fn words(data: &Value) -> String {
    let mut text = String::new();
    for decision in data["decisions"].as_array().into_iter().flatten() {
        let ns = &decision["ns"];
        let _ = write!(text, "{} ({ns} ns)", shown(&decision["answer"]));
        if decision["reason"].is_string() {
            let _ = write!(text, ": {}", shown(&decision["reason"]));
        }
        text.push('\n');
        for edit in decision["edits"].as_array().into_iter().flatten() {
            let _ = writeln!(text, "  {}", shown(edit));
        }
    }
    for entry in data["log"].as_array().into_iter().flatten() {
        let (level, message) = (shown(&entry["level"]), shown(&entry["message"]));
        let _ = writeln!(text, "log: {level}: {message}");
    }
    text
}

/// A text of the plugin's, or with something of it.
fn shown(text: &Value) -> Cow<'_, str> {
    plainly(text.as_str().unwrap_or_default())
}
