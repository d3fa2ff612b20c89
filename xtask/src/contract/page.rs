//! The reference's page: worlds, imports with their grants, then every
//! interface with its types and functions.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use wit_bindgen_core::wit_parser::{
    InterfaceId, PackageId, Resolve, Type, TypeDefKind, World, WorldItem, WorldKey,
};

use super::item::Contract;

/// The world of the imports that need no grant.
const BASE: &str = "base";

/// The world of all imports.
const EVERYTHING: &str = "everything";

/// The interface of the types that all others use.
const TYPES: &str = "types";

/// The imports of a contract that need a grant, which has the import's name.
///
/// # Errors
///
/// When a world is missing that says so.
pub(super) fn granted(resolve: &Resolve, package: PackageId) -> Result<Vec<InterfaceId>> {
    let of = |name| Ok::<_, anyhow::Error>(imports(world(resolve, package, name)?));
    let base: BTreeSet<_> = of(BASE)?.into_iter().collect();
    let all = of(EVERYTHING)?.into_iter();
    Ok(all.filter(|id| !base.contains(id)).collect())
}

/// The whole page.
///
/// # Errors
///
/// When an item has no documentation, or is of a kind that cannot be shown.
pub(super) fn of(resolve: &Resolve, package: PackageId) -> Result<String> {
    let contract = Contract { resolve };
    let base = imports(world(resolve, package, BASE)?);
    let granted = granted(resolve, package)?;
    let exported = exports(resolve, package);
    // What needs no grant comes first, and the types come before all.
    let all: Vec<_> = base.into_iter().chain(granted.iter().copied()).collect();
    let mut types = Vec::new();
    let mut imported = Vec::new();
    for id in all {
        match contract.name(id)? {
            TYPES => types.push(id),
            _ => imported.push(id),
        }
    }
    let name = &resolve.packages[package].name;
    let mut page = format!(
        "<!-- Generated from wit/ by `cargo xtask contract`. -->\n\n\
         # Reference of `{name}`\n\n\
         Every item of the contract, in the words of [wit/](../../wit). How they go together is \
         in [the guides](README.md).\n\n\
         - [Worlds](#worlds)\n- [Imports and their grants](#imports-and-their-grants)\n"
    );
    for (heading, interfaces) in [
        ("Shared types", &types),
        ("What a plugin exports", &exported),
        ("What a plugin imports", &imported),
    ] {
        let names = interfaces
            .iter()
            .map(|id| contract.name(*id))
            .map(|name| name.map(|name| format!("[`{name}`](#{name})")));
        let names = names.collect::<Result<Vec<_>>>()?.join(", ");
        let _ = writeln!(page, "- {heading}: {names}");
    }
    page += &worlds(&contract, package)?;
    page += &table_of_imports(&contract, &imported, &granted)?;
    for (heading, interfaces) in [
        ("Shared types", types),
        ("What a plugin exports", exported),
        ("What a plugin imports", imported),
    ] {
        let _ = write!(page, "\n## {heading}\n");
        for id in interfaces {
            page += &interface(&contract, id)?;
        }
    }
    Ok(page)
}

fn world<'a>(resolve: &'a Resolve, package: PackageId, name: &str) -> Result<&'a World> {
    let id = resolve.packages[package].worlds.get(name);
    let id = id.with_context(|| format!("the contract has no world `{name}`"))?;
    Ok(&resolve.worlds[*id])
}

fn imports(world: &World) -> Vec<InterfaceId> {
    interfaces(world.imports.iter())
}

fn interfaces<'a>(items: impl Iterator<Item = (&'a WorldKey, &'a WorldItem)>) -> Vec<InterfaceId> {
    let interfaces = items.filter_map(|(_, item)| match item {
        WorldItem::Interface { id, .. } => Some(*id),
        _ => None,
    });
    interfaces.collect()
}

/// What the worlds export, in their order.
fn exports(resolve: &Resolve, package: PackageId) -> Vec<InterfaceId> {
    let worlds = resolve.packages[package].worlds.values();
    let exports = worlds.map(|id| interfaces(resolve.worlds[*id].exports.iter()));
    exports.flatten().collect()
}

fn worlds(contract: &Contract<'_>, package: PackageId) -> Result<String> {
    let resolve = contract.resolve;
    let mut text = "\n## Worlds\n\n| world | exports | |\n|---|---|---|\n".to_owned();
    for (name, id) in &resolve.packages[package].worlds {
        let world = &resolve.worlds[*id];
        let exports = interfaces(world.exports.iter());
        let exports = exports.into_iter().map(|id| {
            let name = contract.name(id)?;
            Ok(format!("[`{name}`](#{name})"))
        });
        let exports = exports.collect::<Result<Vec<_>>>()?.join(", ");
        let docs = contract.docs(&world.docs, name)?.replace('\n', " ");
        let _ = writeln!(text, "| `{name}` | {exports} | {docs} |");
    }
    Ok(text)
}

fn table_of_imports(
    contract: &Contract<'_>,
    imported: &[InterfaceId],
    granted: &[InterfaceId],
) -> Result<String> {
    let mut text = "\n## Imports and their grants\n\n\
        A plugin's grants are the list `grants` of its `[plugins.NAME]`.\n\n\
        | import | grant | |\n|---|---|---|\n"
        .to_owned();
    for id in imported {
        let name = contract.name(*id)?;
        let grant = match granted.contains(id) {
            true => format!("`\"{name}\"`"),
            false => "none needed".to_owned(),
        };
        let docs = contract.summary(&contract.resolve.interfaces[*id].docs, name)?;
        let _ = writeln!(text, "| [`{name}`](#{name}) | {grant} | {docs} |");
    }
    Ok(text)
}

fn interface(contract: &Contract<'_>, id: InterfaceId) -> Result<String> {
    let interface = &contract.resolve.interfaces[id];
    let name = contract.name(id)?;
    let docs = contract.docs(&interface.docs, name)?;
    let mut text = format!("\n### {name}\n\n{docs}\n");
    for (item, id) in &interface.types {
        let definition = &contract.resolve.types[*id];
        // What it uses of another interface is explained there.
        if !matches!(definition.kind, TypeDefKind::Type(Type::Id(_))) {
            let of = format!("{name}.{item}");
            let definition = contract.definition(&of, definition)?;
            let _ = write!(text, "\n#### {of}\n\n{definition}");
        }
    }
    for (item, function) in &interface.functions {
        let of = format!("{name}.{item}");
        let docs = contract.docs(&function.docs, &of)?;
        let signature = contract.signature(function)?;
        let _ = write!(text, "\n#### {of}\n\n{signature}\n\n{docs}\n");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use gatewright_model::role::Grant;
    use wit_bindgen_core::wit_parser::Resolve;

    use super::granted;
    use crate::workspace;

    #[test]
    fn the_grants_of_the_reference_are_those_that_the_gateway_knows() {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(workspace::root().join("wit")).unwrap();
        let granted = granted(&resolve, package).unwrap();
        let mut granted: Vec<_> = granted
            .iter()
            .map(|id| resolve.interfaces[*id].name.as_deref().unwrap())
            .collect();
        let mut known = Grant::ALL.map(Grant::name);
        granted.sort_unstable();
        known.sort_unstable();
        assert_eq!(granted, known);
    }
}
