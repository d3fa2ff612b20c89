//! The proof that a component's wiring is what its main module's names say.

use wasmparser::{CanonicalOption, ExternalKind};

use super::core::{CoreModule, Fixup, Shims};
use super::wiring::{ComponentPart, CoreExport, CoreFunction, CoreInstance, Function, Wiring};
use crate::contract::interface;
use crate::direct::names::{INITIALIZE, MEMORY, REALLOC, ROLES, function, post_return};

/// Steps from a core function to where it comes from: an alias, a shim, the
/// fixup's bundle, an alias again. Wirings that go in a circle end here.
const STEPS: u32 = 8;

/// Where a core function comes from.
enum Origin<'w, 'a> {
    /// A function on the level of components, lowered.
    Lowered {
        function: u32,
        options: &'w [CanonicalOption],
    },
    /// The main module's export of that name.
    Main(&'a str),
}

/// The main module of a component, if it is all that matters of it.
pub(super) fn main_module<'a>(wiring: &Wiring<'a>) -> Option<&'a [u8]> {
    let proof = Proof::new(wiring)?;
    let holds = proof.initializes_in_order()
        && proof.imports_are_as_named()
        && proof.exports_are_as_named();
    holds.then_some(wiring.modules[proof.module])
}

/// The parts of a component by what they are to it.
struct Proof<'w, 'a> {
    wiring: &'w Wiring<'a>,
    /// The main module, and its instance.
    main: CoreModule<'a>,
    module: usize,
    instance: u32,
    /// What each name that the main module imports from stands for.
    arguments: &'w [(&'a str, u32)],
    /// The instance of the shims.
    shims: Option<(u32, Shims<'a>)>,
    /// Fixups in the order of their instantiation.
    fixups: Vec<(&'w [(&'a str, u32)], Fixup<'a>)>,
}

impl<'w, 'a> Proof<'w, 'a> {
    /// Tell the parts apart: one main module, and at most one of shims. Each
    /// module may be instantiated once.
    fn new(wiring: &'w Wiring<'a>) -> Option<Self> {
        let (mut main, mut shims, mut fixups) = (None, None, Vec::new());
        let mut instantiated = Vec::new();
        for (instance, part) in (0..).zip(&wiring.core_instances) {
            let CoreInstance::Of { module, arguments } = part else {
                continue;
            };
            (!instantiated.contains(module)).then_some(())?;
            instantiated.push(*module);
            let read = CoreModule::read(wiring.modules.get(*module)?)?;
            if let Some(found) = read.as_shims() {
                shims.replace((instance, found)).is_none().then_some(())?;
            } else if let Some(found) = read.as_fixup() {
                fixups.push((&arguments[..], found));
            } else if read.is_main() && main.is_none() {
                main = Some((read, *module, instance, &arguments[..]));
            } else {
                return None;
            }
        }
        let (main, module, instance, arguments) = main?;
        Some(Self {
            wiring,
            main,
            module,
            instance,
            arguments,
            shims,
            fixups,
        })
    }

    /// The shims are filled in at most once and whole, and then the main
    /// module's `_initialize` is called, if it has one.
    fn initializes_in_order(&self) -> bool {
        let (mut fills, mut starts) = (0, 0);
        for (arguments, fixup) in &self.fixups {
            if let Some((table, functions)) = &fixup.fill {
                let is_the_shims = self.fills_the_shims(arguments, *table, functions.len());
                if !is_the_shims || starts > 0 {
                    return false;
                }
                fills += 1;
            }
            if let Some(start) = fixup.start {
                let origin = self.argument(arguments, start, STEPS);
                if !matches!(origin, Some(Origin::Main(INITIALIZE))) {
                    return false;
                }
                starts += 1;
            }
        }
        let has_initialize = self.main.exports_function(INITIALIZE);
        fills == usize::from(self.shims.is_some()) && starts == usize::from(has_initialize)
    }

    fn fills_the_shims(
        &self,
        arguments: &[(&str, u32)],
        (module, name): (&str, &str),
        length: usize,
    ) -> bool {
        let table = find(arguments, module).and_then(|instance| self.table(instance, name));
        match (table, &self.shims) {
            (Some(table), Some((instance, shims))) => {
                table.instance == *instance && table.name == shims.table && length == shims.size
            }
            _ => false,
        }
    }

    /// Every import of the main module is the lowered import of the component
    /// that has the same names.
    fn imports_are_as_named(&self) -> bool {
        let mut imports = self.main.imports.iter();
        imports.all(|&(module, name)| {
            let origin = self.argument(self.arguments, (module, name), STEPS);
            let Some(Origin::Lowered { function, options }) = origin else {
                return false;
            };
            let function = self.wiring.functions.get(function as usize);
            let Some(Function::Of {
                instance,
                name: imported,
            }) = function
            else {
                return false;
            };
            let instance = self.wiring.instances.get(*instance as usize);
            matches!(instance, Some(ComponentPart::Imported(from)) if *from == module)
                && *imported == name
                && self.are_usual(options, None)
        })
    }

    /// Every function that the component exports is the main module's of that
    /// name, lifted.
    fn exports_are_as_named(&self) -> bool {
        let mut exports = self.wiring.exports.iter();
        exports.all(|&(exported, instance)| {
            let is_a_role = ROLES.iter().any(|role| interface(role) == exported);
            let functions = self.functions_of(instance).unwrap_or_default();
            is_a_role
                && !functions.is_empty()
                && functions
                    .iter()
                    .all(|&(name, index)| self.is_as_named(exported, name, index))
        })
    }

    fn is_as_named(&self, exported: &str, name: &str, index: u32) -> bool {
        let lifted = self.wiring.functions.get(index as usize);
        let Some(Function::Lifted {
            function: core,
            options,
        }) = lifted
        else {
            return false;
        };
        let (called, post_return) = (function(exported, name), post_return(exported, name));
        // Whoever calls it will go by the names alone.
        let is_post_return = |option: &_| matches!(option, CanonicalOption::PostReturn(_));
        let has_post_return = options.iter().any(is_post_return);
        self.is_mains(*core, &called)
            && has_post_return == self.main.exports_function(&post_return)
            && self.are_usual(options, Some(&post_return))
    }

    /// The functions of an instance that is exported: name and index.
    fn functions_of(&self, instance: u32) -> Option<Vec<(&'a str, u32)>> {
        match self.wiring.instances.get(instance as usize)? {
            ComponentPart::Imported(_) => None,
            ComponentPart::Same(other) => self.functions_of(*other),
            ComponentPart::Bundle(functions) => Some(functions.clone()),
            ComponentPart::Reexporting {
                component,
                functions,
            } => {
                let component = self.wiring.components.get(*component as usize)?;
                let exports = component.exports.iter();
                exports
                    .map(|&(name, imported)| Some((name, find(functions, imported)?)))
                    .collect()
            }
        }
    }

    /// Whether strings are UTF-8, in the main module's own memory and made by
    /// its own allocator.
    fn are_usual(&self, options: &[CanonicalOption], post_return: Option<&str>) -> bool {
        options.iter().all(|option| match option {
            CanonicalOption::UTF8 => true,
            CanonicalOption::Memory(index) => {
                let (instance, name) = (self.instance, MEMORY);
                self.wiring.memories.get(*index as usize) == Some(&CoreExport { instance, name })
            }
            CanonicalOption::Realloc(function) => self.is_mains(*function, REALLOC),
            CanonicalOption::PostReturn(function) => {
                post_return.is_some_and(|name| self.is_mains(*function, name))
            }
            _ => false,
        })
    }

    fn is_mains(&self, function: u32, name: &str) -> bool {
        matches!(self.origin(function, STEPS), Some(Origin::Main(export)) if export == name)
    }

    /// What an imported function of a module is, by the instance that the
    /// module was given for it.
    fn argument(
        &self,
        arguments: &[(&str, u32)],
        (module, name): (&str, &str),
        steps: u32,
    ) -> Option<Origin<'w, 'a>> {
        self.export(find(arguments, module)?, name, steps)
    }

    fn origin(&self, function: u32, steps: u32) -> Option<Origin<'w, 'a>> {
        match self.wiring.core_functions.get(function as usize)? {
            CoreFunction::Lowered { function, options } => Some(Origin::Lowered {
                function: *function,
                options,
            }),
            CoreFunction::Of(export) => {
                self.export(export.instance, export.name, steps.checked_sub(1)?)
            }
        }
    }

    /// What an instance's exported function is.
    fn export(&self, instance: u32, name: &str, steps: u32) -> Option<Origin<'w, 'a>> {
        if instance == self.instance {
            let mut exports = self.main.exports.iter();
            let export = exports.find(|export| export.name == name)?;
            return (export.kind == ExternalKind::Func).then_some(Origin::Main(export.name));
        }
        match (
            self.wiring.core_instances.get(instance as usize)?,
            &self.shims,
        ) {
            (CoreInstance::Bundle(items), _) => {
                let is_it = |item: &&(&str, _, _)| item.0 == name && item.1 == ExternalKind::Func;
                self.origin(items.iter().find(is_it)?.2, steps)
            }
            (CoreInstance::Of { .. }, Some((shimming, shims))) if *shimming == instance => {
                let entry = find(&shims.entries, name)?;
                let mut fills = self.fixups.iter().filter_map(|(arguments, fixup)| {
                    let (_, functions) = fixup.fill.as_ref()?;
                    Some((arguments, functions))
                });
                let (arguments, functions) = fills.next()?;
                self.argument(arguments, *functions.get(entry)?, steps.checked_sub(1)?)
            }
            _ => None,
        }
    }

    /// What an instance's exported table is: a table of some module's instance.
    fn table(&self, instance: u32, name: &'a str) -> Option<CoreExport<'a>> {
        match self.wiring.core_instances.get(instance as usize)? {
            CoreInstance::Of { .. } => Some(CoreExport { instance, name }),
            CoreInstance::Bundle(items) => {
                let is_it = |item: &&(&str, _, _)| item.0 == name && item.1 == ExternalKind::Table;
                let index = items.iter().find(is_it)?.2;
                self.wiring.tables.get(index as usize).copied()
            }
        }
    }
}

/// What stands under a name.
fn find<T: Copy>(items: &[(&str, T)], name: &str) -> Option<T> {
    let found = items.iter().find(|(known, _)| *known == name);
    found.map(|&(_, item)| item)
}
