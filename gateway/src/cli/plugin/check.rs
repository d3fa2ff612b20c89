//! `gatewright plugin check`: what a gateway would say of a component, and what
//! it costs, before any gateway has it.

mod dry_run;
mod report;

use anyhow::{anyhow, bail};
use gatewright_host::{About, CONTRACT_VERSION, Component, Fault, PACKAGE, Refusal};
use gatewright_model::config::{MEMORY, Size, USUAL_MEMORY};
use gatewright_model::role::Grant;
use serde_json::{Value, json};

use self::dry_run::Tried;
use super::workbench::{Setting, Workbench};
use crate::cli::api::ApiOptions;

/// What `gatewright plugin check` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The component is admitted, compiled, tried and seated by the very code of a
gateway. What passes here is taken by one that gives it the grants, the memory
and the deadline that are printed. The exit code is 1 with the reason when it
would be refused, with the configuration that is given, or when it faults in a
thousand decisions on made-up servers. A plugin that needs a configuration and is
given none is not asked, which is said.

Examples:
  gatewright plugin check near.wasm
  gatewright plugin check zone.wasm --config '{\"zone\":\"a\"}' --deadline 500us
  gatewright plugin check by-cookie.wasm --pools web,next --json")]
pub(super) struct CheckOptions {
    #[command(flatten)]
    setting: Setting,
}

pub(super) fn run(api: &ApiOptions, options: &CheckOptions) -> anyhow::Result<()> {
    let setting = &options.setting;
    let bench = Workbench::open()?;
    let bytes = setting.read()?;
    let (component, memory) = admitted(&bench, setting, &bytes)?;
    setting.role_of(&component)?;
    let roles = component.roles.iter().filter(|role| {
        let wanted = setting.role;
        wanted.is_none_or(|wanted| wanted == **role)
    });
    let tried = roles.map(|role| dry_run::hold(&bench, setting, &component, (*role, memory)));
    let tried = tried.collect::<anyhow::Result<Vec<_>>>()?;
    let data = told(setting, &component, (bytes.len(), memory), &tried);
    api.print(&data, report::words)
}

/// Take it in, with as much memory as it needs where nobody says how much.
fn admitted(
    bench: &Workbench,
    setting: &Setting,
    bytes: &[u8],
) -> anyhow::Result<(Component, Size)> {
    let mut memory = setting.memory.unwrap_or(USUAL_MEMORY);
    // With more memory, one who wants all there is fails in other ways.
    let mut first = None;
    loop {
        let refusal = match bench.take_in(setting, bytes, memory)? {
            Ok(component) => return Ok((component, memory)),
            Err(refusal) => refusal,
        };
        let may_have_more = setting.memory.is_none() && memory < *MEMORY.end();
        let goes_on = may_have_more && is_short_of_memory(&refusal);
        let refusal = first.get_or_insert(refusal);
        if !goes_on {
            return Err(refused(setting, refusal));
        }
        memory = Size(memory.0 * 2);
    }
}

fn is_short_of_memory(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Unprepared {
            fault: Fault::OutOfMemory,
            ..
        } | Refusal::Trial {
            fault: Fault::OutOfMemory,
            ..
        }
    )
}

/// Why a gateway would not take it, and what was tried in vain.
fn refused(setting: &Setting, refusal: &Refusal) -> anyhow::Error {
    let tried = match is_short_of_memory(refusal) && setting.memory.is_none() {
        true => format!(
            "; {}, the most that can be given, did not help",
            MEMORY.end()
        ),
        false => String::new(),
    };
    anyhow!(
        "a gateway would refuse {}: {refusal}{tried}",
        setting.file.display()
    )
}

/// Everything that was found out.
fn told(
    setting: &Setting,
    component: &Component,
    (size, memory): (usize, Size),
    tried: &[Tried],
) -> Value {
    let imports = short_names(&component.imports).into_iter().map(|name| {
        let grant = Grant::ALL.into_iter().find(|grant| grant.name() == name);
        json!({ "name": name, "grant": grant.map(Grant::name) })
    });
    let imports: Vec<_> = imports.collect();
    json!({
        "file": setting.file,
        "name": setting.pushed_as(&component.about).as_str(),
        "about": told_about(&component.about),
        "version": component.digest.to_string(),
        "contract": contract_of(component),
        "roles": component.roles,
        "exports": short_names(&component.exports),
        "imports": imports,
        "direct": component.is_direct,
        "size": size,
        "compileMs": component.took.as_secs_f64() * 1e3,
        "memory": memory.0,
        "tried": tried,
    })
}

/// What it says of itself.
fn told_about(about: &About) -> Value {
    let About {
        name,
        version,
        description,
        homepage,
        authors,
        licenses,
    } = about;
    json!({
        "name": name,
        "version": version,
        "description": description,
        "homepage": homepage,
        "authors": authors,
        "licenses": licenses,
    })
}

fn short_names(names: &[String]) -> Vec<&str> {
    names.iter().map(|name| short(name)).collect()
}

/// The version of the contract that a component was built for, as the names of
/// its exports have it.
fn contract_of(component: &Component) -> &str {
    let mut names = component.exports.iter();
    let built_for = names.find_map(|name| name.strip_prefix(PACKAGE)?.split_once('@'));
    built_for.map_or(CONTRACT_VERSION, |(_, version)| version)
}

/// An interface's name without the contract's package and version.
fn short(name: &str) -> &str {
    let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
    name.split_once('@').map_or(name, |(name, _)| name)
}

/// End with what the plugin did wrong in a dry run.
fn faulted(setting: &Setting, decision: u64, fault: Fault, log: &[String]) -> anyhow::Result<()> {
    let remedy = fault.remedy(log.last().map_or("", String::as_str));
    let log = match log {
        [] => String::new(),
        log => format!("\nits log says:\n{}", log.join("\n")),
    };
    bail!(
        "{} faults in decision {decision} on made-up servers: {fault}{remedy}{log}",
        setting.file.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_told_by_its_own_name() {
        assert_eq!(short("gatewright:plugin/random@0.1.0"), "random");
        assert_eq!(short("random"), "random");
    }
}
