//! `cargo xtask examples`: the plugins in `examples/plugins/`, each built from
//! clean by the command that its README names, and then brought into a gateway
//! that runs and serves clients all the while. What it takes to build them goes
//! into a folder under `target/`.

mod client;
mod gateway;
mod language;
mod load;
mod report;
mod template;
mod toolbox;
mod trial;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;
use wit_component::DecodedWasm;

use crate::{bench, workspace};
use gateway::Gateway;
use language::{LANGUAGES, Language};
use load::Load;
use report::Row;
use toolbox::Toolbox;

/// What `cargo xtask examples` takes.
#[derive(Parser)]
pub(crate) struct Arguments {
    /// The gateway's program (default: a release build of these sources)
    #[arg(long)]
    gatewright: Option<PathBuf>,
    /// Only these languages, such as `zig` (default: all)
    languages: Vec<String>,
}

/// Build, try and measure every example, as it is by default.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn all() -> Result<()> {
    run(&Arguments::parse_from(["examples"]))
}

/// Build, try and measure, then print a table.
///
/// # Errors
///
/// When a tool is missing, an example does not build or does not decide as its
/// README says, or a request fails meanwhile.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let languages = chosen(&arguments.languages)?;
    let gatewright = bench::gatewright(arguments.gatewright.as_deref())?;
    let toolbox = Toolbox::open()?;
    let gateway = Gateway::start(&gatewright)?;
    let load = Load::start(gateway.port)?;
    let mut rows = Vec::new();
    for language in languages {
        println!("\n{}", language.name);
        let row = try_out(language, &toolbox, (&gateway, &load))
            .and_then(|row| template::try_out(&gatewright, language, &toolbox).map(|()| row))
            .with_context(|| format!("the example in {}", language.name))?;
        rows.push(row);
    }
    let answered = load.end()?;
    report::print(&rows);
    println!("\n{answered} requests of other clients were answered meanwhile, and none failed.");
    Ok(())
}

fn try_out(
    language: &Language,
    toolbox: &Toolbox,
    (gateway, load): (&Gateway, &Load),
) -> Result<Row> {
    let folder = workspace::root()
        .join("examples/plugins")
        .join(language.name);
    toolbox.build(language, &folder)?;
    if let Some(router) = language.router {
        let name = format!("{}-router", language.name);
        trial::router(gateway, &name, &folder.join(router))?;
    }
    let balancer = folder.join(language.balancer);
    let bytes = std::fs::read(&balancer)?;
    imports_the_contract_alone(&bytes)?;
    let found = trial::balancer((gateway, load), language.name, &balancer)?;
    Ok(Row {
        language: language.name,
        bytes: bytes.len(),
        found,
    })
}

/// Fail when a component imports anything else, such as WASI.
fn imports_the_contract_alone(component: &[u8]) -> Result<()> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        bail!("this is a WIT package and no component");
    };
    for key in resolve.worlds[world].imports.keys() {
        let name = resolve.name_world_key(key);
        if !name.starts_with("gatewright:plugin/") {
            bail!("it imports {name}");
        }
    }
    Ok(())
}

/// The languages named on the command line, or all of them.
fn chosen(names: &[String]) -> Result<Vec<&'static Language>> {
    if let Some(name) = names
        .iter()
        .find(|name| !LANGUAGES.iter().any(|language| language.name == **name))
    {
        bail!("there is no example in `{name}` in examples/plugins/");
    }
    let is_chosen =
        |language: &&Language| names.is_empty() || names.iter().any(|name| name == language.name);
    Ok(LANGUAGES.iter().filter(is_chosen).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::language::LANGUAGES;
    use super::{chosen, imports_the_contract_alone};
    use crate::workspace;

    #[test]
    fn every_folder_of_examples_is_built_and_explains_itself() {
        let folder = workspace::root().join("examples/plugins");
        let folders: BTreeSet<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(Result::unwrap)
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        let built = LANGUAGES.iter().map(|language| language.name.to_owned());
        assert_eq!(folders, built.collect());
        for name in folders {
            assert!(folder.join(&name).join("README.md").is_file(), "{name}");
        }
    }

    #[test]
    fn a_default_plugin_imports_the_contract_alone() {
        let file = workspace::root().join("plugins/dist/round-robin.wasm");
        assert!(imports_the_contract_alone(&std::fs::read(file).unwrap()).is_ok());
        assert!(imports_the_contract_alone(b"text").is_err());
    }

    #[test]
    fn a_language_without_an_example_is_refused() {
        assert!(chosen(&["cobol".to_owned()]).is_err());
        assert_eq!(chosen(&["zig".to_owned()]).unwrap()[0].name, "zig");
        assert_eq!(chosen(&[]).unwrap().len(), LANGUAGES.len());
    }
}
