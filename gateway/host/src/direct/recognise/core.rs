//! What a core module is to its component: the main module, the shims that
//! stand in for imports which need the main module's memory, or the fixup that
//! connects them.

use wasmparser::{
    ConstExpr, ElementItems, ElementKind, Export, ExternalKind, FunctionBody, Import, MemoryType,
    Operator, Parser, Payload, TableType, TypeRef,
};

/// The name of an import: module and field.
pub(super) type Imported<'a> = (&'a str, &'a str);

/// What a core module is made of.
#[derive(Default)]
pub(super) struct CoreModule<'a> {
    /// Imported functions.
    pub(super) imports: Vec<Imported<'a>>,
    /// Imported tables.
    imported_tables: Vec<Imported<'a>>,
    /// How many parameters each type has.
    parameters: Vec<usize>,
    /// The type of each function that is not imported.
    functions: Vec<u32>,
    tables: Vec<TableType>,
    memories: Vec<MemoryType>,
    pub(super) exports: Vec<Export<'a>>,
    start: Option<u32>,
    elements: Vec<wasmparser::Element<'a>>,
    bodies: Vec<FunctionBody<'a>>,
    /// Globals, tags or data: shims and fixups have none.
    has_more: bool,
}

/// Functions that pass their arguments on to an entry of the module's table.
pub(super) struct Shims<'a> {
    /// The exported functions, each with its entry.
    pub(super) entries: Vec<(&'a str, usize)>,
    /// The name that the table is exported under.
    pub(super) table: &'a str,
    /// Entries of the table.
    pub(super) size: usize,
}

/// A module that is instantiated for what that does: fill a table, call a
/// function, or both.
pub(super) struct Fixup<'a> {
    /// The table and what to fill it with from its first entry on.
    pub(super) fill: Option<(Imported<'a>, Vec<Imported<'a>>)>,
    /// The function to call.
    pub(super) start: Option<Imported<'a>>,
}

impl<'a> CoreModule<'a> {
    /// Read a module's sections; none when there is anything very unusual.
    pub(super) fn read(module: &'a [u8]) -> Option<Self> {
        let mut read = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            read.take(payload.ok()?)?;
        }
        Some(read)
    }

    fn take(&mut self, payload: Payload<'a>) -> Option<()> {
        match payload {
            Payload::TypeSection(types) => {
                for function in types.into_iter_err_on_gc_types() {
                    self.parameters.push(function.ok()?.params().len());
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let Import { module, name, ty } = import.ok()?;
                    match ty {
                        TypeRef::Func(_) => self.imports.push((module, name)),
                        TypeRef::Table(_) => self.imported_tables.push((module, name)),
                        _ => return None,
                    }
                }
            }
            Payload::FunctionSection(types) => {
                self.functions = types.into_iter().collect::<Result<_, _>>().ok()?;
            }
            Payload::TableSection(tables) => {
                for table in tables {
                    self.tables.push(table.ok()?.ty);
                }
            }
            Payload::MemorySection(memories) => {
                self.memories = memories.into_iter().collect::<Result<_, _>>().ok()?;
            }
            Payload::ExportSection(exports) => {
                self.exports = exports.into_iter().collect::<Result<_, _>>().ok()?;
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(elements) => {
                self.elements = elements.into_iter().collect::<Result<_, _>>().ok()?;
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::GlobalSection(_) | Payload::TagSection(_) | Payload::DataSection(_) => {
                self.has_more = true;
            }
            Payload::Version { .. }
            | Payload::CustomSection(_)
            | Payload::CodeSectionStart { .. }
            | Payload::DataCountSection { .. }
            | Payload::End(_) => {}
            _ => return None,
        }
        Some(())
    }

    /// Whether it can be the main module: it imports nothing but functions,
    /// has one plain memory by the name of `memory`, and does nothing while it
    /// is instantiated.
    pub(super) fn is_main(&self) -> bool {
        let [memory] = &self.memories[..] else {
            return false;
        };
        let is_plain = !memory.memory64 && !memory.shared && memory.page_size_log2.is_none();
        let is_memory = |export: &Export<'_>| {
            export.name == "memory" && export.kind == ExternalKind::Memory && export.index == 0
        };
        is_plain
            && self.imported_tables.is_empty()
            && self.start.is_none()
            && self.exports.iter().any(is_memory)
    }

    /// Whether it exports a function of that name.
    pub(super) fn exports_function(&self, name: &str) -> bool {
        let is_it = |export: &Export<'_>| export.name == name && export.kind == ExternalKind::Func;
        self.exports.iter().any(is_it)
    }

    /// The module as one of shims, if it is nothing else.
    pub(super) fn as_shims(&self) -> Option<Shims<'a>> {
        let [table] = &self.tables[..] else {
            return None;
        };
        let nothing_else = self.imports.is_empty()
            && self.imported_tables.is_empty()
            && self.memories.is_empty()
            && self.elements.is_empty()
            && self.start.is_none()
            && !self.has_more
            && self.bodies.len() == self.functions.len();
        nothing_else.then_some(())?;
        let size = usize::try_from(table.initial).ok()?;
        let (mut entries, mut exported_table) = (Vec::new(), None);
        for export in &self.exports {
            match export.kind {
                ExternalKind::Func => {
                    let entry = self.entry(export.index as usize)?;
                    (entry < size).then_some(())?;
                    entries.push((export.name, entry));
                }
                ExternalKind::Table if exported_table.is_none() => {
                    exported_table = Some(export.name);
                }
                _ => return None,
            }
        }
        Some(Shims {
            entries,
            table: exported_table?,
            size,
        })
    }

    /// The table's entry that a function does nothing but call with its own
    /// arguments.
    fn entry(&self, function: usize) -> Option<usize> {
        let own_type = *self.functions.get(function)?;
        let parameters = *self.parameters.get(own_type as usize)?;
        let body = self.bodies.get(function)?;
        if body.get_locals_reader().ok()?.get_count() != 0 {
            return None;
        }
        let mut operators = body.get_operators_reader().ok()?;
        for parameter in 0..parameters {
            let operator = operators.read().ok()?;
            let is_next = |local: u32| local as usize == parameter;
            matches!(operator, Operator::LocalGet { local_index } if is_next(local_index))
                .then_some(())?;
        }
        let Operator::I32Const { value } = operators.read().ok()? else {
            return None;
        };
        let Operator::CallIndirect {
            type_index,
            table_index: 0,
        } = operators.read().ok()?
        else {
            return None;
        };
        let ends = matches!(operators.read().ok()?, Operator::End) && operators.eof();
        (ends && type_index == own_type).then_some(())?;
        usize::try_from(value).ok()
    }

    /// The module as a fixup, if it is nothing else.
    pub(super) fn as_fixup(&self) -> Option<Fixup<'a>> {
        let nothing_else = self.tables.is_empty()
            && self.memories.is_empty()
            && self.exports.is_empty()
            && self.functions.is_empty()
            && !self.has_more;
        nothing_else.then_some(())?;
        let imported = |index: u32| self.imports.get(index as usize).copied();
        let start = match self.start {
            Some(function) => Some(imported(function)?),
            None => None,
        };
        let fill = match (&self.imported_tables[..], &self.elements[..]) {
            ([], []) => None,
            ([table], [element]) => {
                let ElementKind::Active {
                    table_index: None | Some(0),
                    offset_expr,
                } = &element.kind
                else {
                    return None;
                };
                is_zero(offset_expr)?;
                let ElementItems::Functions(functions) = &element.items else {
                    return None;
                };
                let functions = functions.clone().into_iter();
                let functions = functions.map(|function| imported(function.ok()?));
                Some((*table, functions.collect::<Option<Vec<_>>>()?))
            }
            _ => return None,
        };
        Some(Fixup { fill, start })
    }
}

fn is_zero(expression: &ConstExpr<'_>) -> Option<()> {
    let mut operators = expression.get_operators_reader();
    let is_zero = matches!(operators.read().ok()?, Operator::I32Const { value: 0 })
        && matches!(operators.read().ok()?, Operator::End);
    is_zero.then_some(())
}
