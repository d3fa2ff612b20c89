//! A component's parts and how they are connected, as its sections say. Every
//! reference is to what came before it; anything unusual ends the reading.

use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, ExternalKind, Instance, Parser, Payload,
};

use super::reexports::Reexports;

/// An export of a core instance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct CoreExport<'a> {
    pub(super) instance: u32,
    pub(super) name: &'a str,
}

/// A core function.
pub(super) enum CoreFunction<'a> {
    Of(CoreExport<'a>),
    Lowered {
        function: u32,
        options: Box<[CanonicalOption]>,
    },
}

/// A core instance.
pub(super) enum CoreInstance<'a> {
    /// Of a module, with a core instance for each name that it imports from.
    Of {
        module: usize,
        arguments: Vec<(&'a str, u32)>,
    },
    /// Made of what there is: name, kind and index.
    Bundle(Vec<(&'a str, ExternalKind, u32)>),
}

/// An instance on the level of components.
pub(super) enum ComponentPart<'a> {
    Imported(&'a str),
    /// Of a nested component, with functions by the names that it imports.
    Reexporting {
        component: u32,
        functions: Vec<(&'a str, u32)>,
    },
    /// Made of functions that there are.
    Bundle(Vec<(&'a str, u32)>),
    /// Another name for an instance.
    Same(u32),
}

/// A function on the level of components.
pub(super) enum Function<'a> {
    Of {
        instance: u32,
        name: &'a str,
    },
    Lifted {
        function: u32,
        options: Box<[CanonicalOption]>,
    },
}

/// What a component says of its parts; each list is an index space.
#[derive(Default)]
pub(super) struct Wiring<'a> {
    pub(super) modules: Vec<&'a [u8]>,
    pub(super) core_instances: Vec<CoreInstance<'a>>,
    pub(super) core_functions: Vec<CoreFunction<'a>>,
    pub(super) memories: Vec<CoreExport<'a>>,
    pub(super) tables: Vec<CoreExport<'a>>,
    pub(super) components: Vec<Reexports<'a>>,
    pub(super) instances: Vec<ComponentPart<'a>>,
    pub(super) functions: Vec<Function<'a>>,
    /// Exported instances by name.
    pub(super) exports: Vec<(&'a str, u32)>,
}

impl<'a> Wiring<'a> {
    /// Read a component's sections; none when there is anything in them that
    /// a component of one module has no need of.
    pub(super) fn read(component: &'a [u8]) -> Option<Self> {
        let mut wiring = Self::default();
        let mut parser = Parser::new(0);
        let mut rest = component;
        loop {
            let (payload, nested) = next(&mut parser, component, &mut rest)?;
            match payload {
                Payload::ModuleSection { .. } => wiring.modules.push(nested?),
                Payload::ComponentSection { .. } => {
                    wiring.components.push(Reexports::read(nested?)?);
                }
                Payload::End(_) => return Some(wiring),
                payload => wiring.take(payload)?,
            }
        }
    }

    fn take(&mut self, payload: Payload<'a>) -> Option<()> {
        match payload {
            // Types are the business of whoever compiles the component.
            Payload::Version { .. }
            | Payload::CustomSection(_)
            | Payload::CoreTypeSection(_)
            | Payload::ComponentTypeSection(_) => Some(()),
            Payload::ComponentImportSection(imports) => {
                imports.into_iter().try_for_each(|import| {
                    let import = import.ok()?;
                    matches!(import.ty, ComponentTypeRef::Instance(_)).then_some(())?;
                    self.instances
                        .push(ComponentPart::Imported(import.name.name));
                    Some(())
                })
            }
            Payload::ComponentAliasSection(aliases) => aliases
                .into_iter()
                .try_for_each(|alias| self.alias(&alias.ok()?)),
            Payload::InstanceSection(instances) => instances
                .into_iter()
                .try_for_each(|instance| self.core_instance(&instance.ok()?)),
            Payload::ComponentInstanceSection(instances) => instances
                .into_iter()
                .try_for_each(|instance| self.instance(&instance.ok()?)),
            Payload::ComponentCanonicalSection(functions) => functions
                .into_iter()
                .try_for_each(|function| self.canonical(function.ok()?)),
            Payload::ComponentExportSection(exports) => {
                exports.into_iter().try_for_each(|export| {
                    let export = export.ok()?;
                    matches!(export.kind, ComponentExternalKind::Instance).then_some(())?;
                    is_known(export.index, &self.instances)?;
                    self.exports.push((export.name.name, export.index));
                    self.instances.push(ComponentPart::Same(export.index));
                    Some(())
                })
            }
            _ => None,
        }
    }

    fn alias(&mut self, alias: &ComponentAlias<'a>) -> Option<()> {
        match *alias {
            ComponentAlias::InstanceExport {
                kind: ComponentExternalKind::Func,
                instance_index: instance,
                name,
            } => {
                is_known(instance, &self.instances)?;
                self.functions.push(Function::Of { instance, name });
            }
            ComponentAlias::InstanceExport {
                kind: ComponentExternalKind::Type,
                ..
            }
            | ComponentAlias::Outer {
                kind: ComponentOuterAliasKind::Type | ComponentOuterAliasKind::CoreType,
                ..
            } => {}
            ComponentAlias::CoreInstanceExport {
                kind,
                instance_index: instance,
                name,
            } => {
                is_known(instance, &self.core_instances)?;
                let export = CoreExport { instance, name };
                match kind {
                    ExternalKind::Func => self.core_functions.push(CoreFunction::Of(export)),
                    ExternalKind::Memory => self.memories.push(export),
                    ExternalKind::Table => self.tables.push(export),
                    _ => return None,
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn core_instance(&mut self, instance: &Instance<'a>) -> Option<()> {
        let made = match instance {
            Instance::Instantiate { module_index, args } => {
                is_known(*module_index, &self.modules)?;
                let arguments = args.iter().map(|argument| {
                    is_known(argument.index, &self.core_instances)?;
                    Some((argument.name, argument.index))
                });
                CoreInstance::Of {
                    module: *module_index as usize,
                    arguments: arguments.collect::<Option<_>>()?,
                }
            }
            Instance::FromExports(exports) => {
                let exports = exports.iter().map(|export| {
                    match export.kind {
                        ExternalKind::Func => is_known(export.index, &self.core_functions)?,
                        ExternalKind::Memory => is_known(export.index, &self.memories)?,
                        ExternalKind::Table => is_known(export.index, &self.tables)?,
                        _ => return None,
                    }
                    Some((export.name, export.kind, export.index))
                });
                CoreInstance::Bundle(exports.collect::<Option<_>>()?)
            }
        };
        self.core_instances.push(made);
        Some(())
    }

    fn instance(&mut self, instance: &ComponentInstance<'a>) -> Option<()> {
        let made = match instance {
            ComponentInstance::Instantiate {
                component_index: component,
                args,
            } => {
                is_known(*component, &self.components)?;
                let items = args.iter().map(|it| (it.name, it.kind, it.index));
                ComponentPart::Reexporting {
                    component: *component,
                    functions: self.functions_among(items)?,
                }
            }
            ComponentInstance::FromExports(exports) => {
                let items = exports.iter().map(|it| (it.name.name, it.kind, it.index));
                ComponentPart::Bundle(self.functions_among(items)?)
            }
        };
        self.instances.push(made);
        Some(())
    }

    /// The functions among items that may be types beside them.
    fn functions_among(
        &self,
        items: impl Iterator<Item = (&'a str, ComponentExternalKind, u32)>,
    ) -> Option<Vec<(&'a str, u32)>> {
        let mut functions = Vec::new();
        for (name, kind, index) in items {
            match kind {
                ComponentExternalKind::Type => {}
                ComponentExternalKind::Func => {
                    is_known(index, &self.functions)?;
                    functions.push((name, index));
                }
                _ => return None,
            }
        }
        Some(functions)
    }

    fn canonical(&mut self, function: CanonicalFunction) -> Option<()> {
        match function {
            CanonicalFunction::Lift {
                core_func_index: function,
                options,
                ..
            } => {
                is_known(function, &self.core_functions)?;
                self.functions.push(Function::Lifted { function, options });
            }
            CanonicalFunction::Lower {
                func_index: function,
                options,
            } => {
                is_known(function, &self.functions)?;
                self.core_functions
                    .push(CoreFunction::Lowered { function, options });
            }
            _ => return None,
        }
        Some(())
    }
}

/// The next payload, with a nested module's or component's bytes, which are
/// stepped over.
pub(super) fn next<'a>(
    parser: &mut Parser,
    whole: &'a [u8],
    rest: &mut &'a [u8],
) -> Option<(Payload<'a>, Option<&'a [u8]>)> {
    let wasmparser::Chunk::Parsed { payload, consumed } = parser.parse(rest, true).ok()? else {
        return None;
    };
    *rest = rest.get(consumed..)?;
    let range = match &payload {
        Payload::ModuleSection {
            unchecked_range, ..
        }
        | Payload::ComponentSection {
            unchecked_range, ..
        } => unchecked_range.clone(),
        _ => return Some((payload, None)),
    };
    let nested = whole.get(range)?;
    *rest = rest.get(nested.len()..)?;
    Some((payload, Some(nested)))
}

fn is_known<T>(index: u32, space: &[T]) -> Option<()> {
    ((index as usize) < space.len()).then_some(())
}
