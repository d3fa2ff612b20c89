//! From a core module with the contract's custom sections to a component, and
//! back to what the component imports.

use anyhow::{Context, Result, bail};
use wit_bindgen_core::wit_parser::WorldItem;
use wit_component::{ComponentEncoder, DecodedWasm};

/// Interfaces that carry types alone, and so ask nothing of the host.
const TYPES: &str = "types";

/// Make a component of a module. Only the imports that the module calls go into it.
///
/// # Errors
///
/// When the module's exports are not those of the worlds named in it.
pub(crate) fn encode(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .module(module)?
        .validate(true)
        .encode()
        .context("the module does not fit the contract")
}

/// The contract's interfaces that a component calls, by name, sorted.
///
/// # Errors
///
/// When the bytes are no component, or it imports something else.
pub(crate) fn imports(component: &[u8]) -> Result<Vec<String>> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        bail!("this is a WIT package and no component");
    };
    let mut names = Vec::new();
    for (key, item) in &resolve.worlds[world].imports {
        let WorldItem::Interface { id, .. } = item else {
            bail!(
                "it imports {} outside of any interface",
                resolve.name_world_key(key)
            );
        };
        match &resolve.interfaces[*id].name {
            Some(name) if name == TYPES => {}
            Some(name) => names.push(name.clone()),
            None => bail!("it imports an interface without a name"),
        }
    }
    names.sort();
    Ok(names)
}
