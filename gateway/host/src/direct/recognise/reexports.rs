//! A nested component that does nothing but export under a function's name
//! what it imports: the usual wrapping of an exported interface.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind, ComponentTypeRef, Parser,
    Payload,
};

use super::wiring::next;

/// A component that only re-exports.
#[derive(Default)]
pub(super) struct Reexports<'a> {
    /// Functions by the names that they are imported under.
    functions: Vec<&'a str>,
    /// Exported functions: name, and the name that it is imported under.
    pub(super) exports: Vec<(&'a str, &'a str)>,
}

impl<'a> Reexports<'a> {
    /// Read a component; none when it does anything else.
    pub(super) fn read(component: &'a [u8]) -> Option<Self> {
        let mut reexports = Self::default();
        let mut parser = Parser::new(0);
        let mut rest = component;
        loop {
            match next(&mut parser, component, &mut rest)?.0 {
                Payload::End(_) => return Some(reexports),
                payload => reexports.take(payload)?,
            }
        }
    }

    fn take(&mut self, payload: Payload<'a>) -> Option<()> {
        match payload {
            Payload::Version { .. }
            | Payload::CustomSection(_)
            | Payload::ComponentTypeSection(_) => Some(()),
            Payload::ComponentAliasSection(aliases) => {
                aliases.into_iter().try_for_each(|alias| match alias.ok()? {
                    ComponentAlias::Outer {
                        kind: ComponentOuterAliasKind::Type,
                        ..
                    } => Some(()),
                    _ => None,
                })
            }
            Payload::ComponentImportSection(imports) => {
                imports.into_iter().try_for_each(|import| {
                    let import = import.ok()?;
                    match import.ty {
                        ComponentTypeRef::Type(_) => {}
                        ComponentTypeRef::Func(_) => self.functions.push(import.name.name),
                        _ => return None,
                    }
                    Some(())
                })
            }
            Payload::ComponentExportSection(exports) => {
                exports.into_iter().try_for_each(|export| {
                    let export = export.ok()?;
                    match export.kind {
                        ComponentExternalKind::Type => {}
                        ComponentExternalKind::Func => {
                            let imported = *self.functions.get(export.index as usize)?;
                            self.exports.push((export.name.name, imported));
                            // What is exported has a new index as well.
                            self.functions.push(imported);
                        }
                        _ => return None,
                    }
                    Some(())
                })
            }
            _ => None,
        }
    }
}
