//! The items of the contract as Markdown: types with links to what they are
//! made of, and documentation with links to what it names.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use wit_bindgen_core::wit_parser::{
    Docs, Function, InterfaceId, Resolve, Type, TypeDef, TypeDefKind, TypeId, TypeOwner,
};

use crate::tidy::anchor;

/// The contract, for looking names up.
pub(super) struct Contract<'a> {
    pub(super) resolve: &'a Resolve,
}

/// Text of which parts are links: between them it is code.
#[derive(Default)]
struct Signature {
    text: String,
    code: String,
}

impl Signature {
    fn code(&mut self, code: &str) {
        self.code += code;
    }

    fn link(&mut self, name: &str, anchor: &str) {
        self.close();
        let _ = write!(self.text, "[`{name}`](#{anchor})");
    }

    fn close(&mut self) {
        if !self.code.is_empty() {
            let _ = write!(self.text, "`{}`", self.code);
            self.code.clear();
        }
    }

    fn end(mut self) -> String {
        self.close();
        self.text
    }
}

impl Contract<'_> {
    /// An interface's name.
    pub(super) fn name(&self, interface: InterfaceId) -> Result<&str> {
        let name = self.resolve.interfaces[interface].name.as_deref();
        name.context("every interface of the contract has a name")
    }

    /// The documentation of an item, with links to the items that it names.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(super) fn docs(&self, docs: &Docs, of: &str) -> Result<String> {
        let Some(text) = &docs.contents else {
            bail!("`{of}` has no documentation in wit/");
        };
        let mut linked = String::new();
        for (number, part) in text.trim().split('`').enumerate() {
            match number % 2 {
                0 => linked += part,
                _ if self.is_item(part) => {
                    let _ = write!(linked, "[`{part}`](#{})", anchor(part));
                }
                _ => {
                    let _ = write!(linked, "`{part}`");
                }
            }
        }
        Ok(linked)
    }

    /// The documentation's first sentence, for a table.
    pub(super) fn summary(&self, docs: &Docs, of: &str) -> Result<String> {
        let text = self.docs(docs, of)?.replace('\n', " ");
        let end = text.find(". ").map_or(text.len(), |end| end + 1);
        Ok(text[..end].to_owned())
    }

    /// Whether a name such as `pools.index` is an item's.
    fn is_item(&self, name: &str) -> bool {
        let Some((interface, item)) = name.split_once('.') else {
            return false;
        };
        let mut interfaces = self.resolve.interfaces.iter().map(|(_, of)| of);
        interfaces.any(|of| {
            let is_own = || of.functions.contains_key(item) || of.types.contains_key(item);
            of.name.as_deref() == Some(interface) && is_own()
        })
    }

    /// A function's signature.
    ///
    /// # Errors
    ///
    /// When it is made of what the contract has had no use for so far.
    pub(super) fn signature(&self, function: &Function) -> Result<String> {
        let mut signature = Signature::default();
        signature.code(&format!("{}: func(", function.name));
        for (number, param) in function.params.iter().enumerate() {
            let between = if number == 0 { "" } else { ", " };
            signature.code(&format!("{between}{}: ", param.name));
            self.write(&mut signature, &param.ty)?;
        }
        signature.code(")");
        if let Some(result) = &function.result {
            signature.code(" -> ");
            self.write(&mut signature, result)?;
        }
        Ok(signature.end())
    }

    /// A named type: what it is, and a table of its parts.
    ///
    /// # Errors
    ///
    /// As [`Self::signature`], and when a part has no documentation.
    pub(super) fn definition(&self, of: &str, definition: &TypeDef) -> Result<String> {
        let mut text = String::new();
        let docs = self.docs(&definition.docs, of)?;
        let kind = definition.kind.as_str();
        match &definition.kind {
            TypeDefKind::Record(record) => {
                text += &format!("A {kind}. {docs}\n\n| field | type | |\n|---|---|---|\n");
                for field in &record.fields {
                    let (name, ty) = (&field.name, self.ty(&field.ty)?);
                    let docs = self.part(&field.docs, of, name)?;
                    let _ = writeln!(text, "| `{name}` | {ty} | {docs} |");
                }
            }
            TypeDefKind::Variant(variant) => {
                text += &format!("A {kind}. {docs}\n\n| case | with | |\n|---|---|---|\n");
                for case in &variant.cases {
                    let name = &case.name;
                    let with = case.ty.map(|ty| self.ty(&ty)).transpose()?;
                    let docs = self.part(&case.docs, of, name)?;
                    let _ = writeln!(text, "| `{name}` | {} | {docs} |", with.unwrap_or_default());
                }
            }
            TypeDefKind::Enum(cases) if cases.cases.iter().all(|case| case.docs.is_empty()) => {
                let names = cases.cases.iter().map(|case| format!("`{}`", case.name));
                let names = names.collect::<Vec<_>>().join(", ");
                let _ = writeln!(text, "An {kind}: {names}. {docs}");
            }
            TypeDefKind::Enum(cases) => {
                text += &format!("An {kind}. {docs}\n\n| case | |\n|---|---|\n");
                for case in &cases.cases {
                    let docs = self.part(&case.docs, of, &case.name)?;
                    let _ = writeln!(text, "| `{}` | {docs} |", case.name);
                }
            }
            TypeDefKind::Type(alias) => {
                let _ = writeln!(text, "A {}. {docs}", self.ty(alias)?);
            }
            _ => bail!("`{of}` is a {kind}, which the reference cannot show yet"),
        }
        Ok(text)
    }

    /// The documentation of a field or case, on one line.
    fn part(&self, docs: &Docs, of: &str, name: &str) -> Result<String> {
        let docs = self.docs(docs, &format!("{of}.{name}"))?;
        Ok(docs.replace('\n', " "))
    }

    fn ty(&self, ty: &Type) -> Result<String> {
        let mut signature = Signature::default();
        self.write(&mut signature, ty)?;
        Ok(signature.end())
    }

    fn write(&self, into: &mut Signature, ty: &Type) -> Result<()> {
        let name = match ty {
            Type::Bool => "bool",
            Type::U8 => "u8",
            Type::U16 => "u16",
            Type::U32 => "u32",
            Type::U64 => "u64",
            Type::S8 => "s8",
            Type::S16 => "s16",
            Type::S32 => "s32",
            Type::S64 => "s64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Char => "char",
            Type::String => "string",
            Type::ErrorContext => "error-context",
            Type::Id(id) => return self.write_defined(into, *id),
        };
        into.code(name);
        Ok(())
    }

    fn write_defined(&self, into: &mut Signature, id: TypeId) -> Result<()> {
        let definition = &self.resolve.types[id];
        if let Some(name) = &definition.name {
            // What an interface uses of another is explained there.
            if let TypeDefKind::Type(Type::Id(used)) = &definition.kind {
                return self.write_defined(into, *used);
            }
            let TypeOwner::Interface(owner) = definition.owner else {
                bail!("the type `{name}` belongs to no interface");
            };
            let heading = format!("{}.{name}", self.name(owner)?);
            into.link(name, &anchor(&heading));
            return Ok(());
        }
        match &definition.kind {
            TypeDefKind::Option(of) => self.write_all(into, "option<", &[Some(*of)]),
            TypeDefKind::List(of) => self.write_all(into, "list<", &[Some(*of)]),
            TypeDefKind::Result(result) => {
                self.write_all(into, "result<", &[result.ok, result.err])
            }
            TypeDefKind::Tuple(tuple) => {
                let of: Vec<_> = tuple.types.iter().copied().map(Some).collect();
                self.write_all(into, "tuple<", &of)
            }
            kind => bail!("the reference cannot show a {} yet", kind.as_str()),
        }
    }

    fn write_all(&self, into: &mut Signature, what: &str, of: &[Option<Type>]) -> Result<()> {
        into.code(what);
        for (number, ty) in of.iter().enumerate() {
            if number > 0 {
                into.code(", ");
            }
            match ty {
                Some(ty) => self.write(into, ty)?,
                None => into.code("_"),
            }
        }
        into.code(">");
        Ok(())
    }
}
