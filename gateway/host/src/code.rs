//! Compiled code of a component: as a whole, and of its main module alone
//! where that can be run directly.

use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use crate::compile::CompileError;
use crate::direct::recognise;

/// What laid-out code begins with. The number counts layouts, and ways to
/// tell what can be run directly: code of another one is compiled again.
const LAYOUT: &[u8; 8] = b"gwcode-1";

/// Bytes of the length of the first part.
const LENGTH_BYTES: usize = 8;

/// Compiled code, ready to be run.
pub(crate) struct Loaded {
    /// The component.
    pub(crate) component: Component,
    /// Its main module, if it can be run directly.
    pub(crate) main: Option<Module>,
}

/// Compile a component, and its main module if it is all that matters.
pub(crate) fn compile(engine: &Engine, component: &[u8]) -> Result<Vec<u8>, CompileError> {
    let whole = engine
        .precompile_component(component)
        .map_err(|error| refused(&error))?;
    // Only now is it known to be valid.
    let main = recognise::main_module(component);
    let main = main.and_then(|main| engine.precompile_module(main).ok());
    Ok(lay_out(&whole, &main.unwrap_or_default()))
}

/// Load code that was compiled by this program.
pub(crate) fn load(engine: &Engine, code: &[u8]) -> Result<Loaded, CompileError> {
    let other = || CompileError::Refused("the compiled code has another layout".to_owned());
    let (whole, main) = parts(code).ok_or_else(other)?;
    // SAFETY: the code is what `compile` returned, in this process, in a
    // child that runs this program, or in a file that only this user could
    // write and whose digest is right; wasmtime itself refuses code of
    // another version or for other settings.
    #[expect(unsafe_code, reason = "loading compiled code is running it")]
    let component = unsafe { Component::deserialize(engine, whole) };
    let main = match main {
        [] => None,
        main => {
            // SAFETY: as above.
            #[expect(unsafe_code, reason = "loading compiled code is running it")]
            let module = unsafe { Module::deserialize(engine, main) };
            Some(module.map_err(|error| refused(&error))?)
        }
    };
    let component = component.map_err(|error| refused(&error))?;
    Ok(Loaded { component, main })
}

fn refused(error: &wasmtime::Error) -> CompileError {
    CompileError::Refused(format!("{error:#}"))
}

/// Both parts one behind the other; the second is empty where there is none.
fn lay_out(whole: &[u8], main: &[u8]) -> Vec<u8> {
    let length = (whole.len() as u64).to_le_bytes();
    [&LAYOUT[..], &length, whole, main].concat()
}

fn parts(code: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = code.strip_prefix(LAYOUT)?;
    let (length, rest) = rest.split_first_chunk::<LENGTH_BYTES>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_come_back() {
        let code = lay_out(b"whole", b"main");
        assert_eq!(parts(&code), Some((&b"whole"[..], &b"main"[..])));
        assert_eq!(parts(&lay_out(b"whole", b"")).unwrap().1, b"");
    }

    #[test]
    fn another_layout_has_no_parts() {
        assert_eq!(parts(b"\x7fELF and so on"), None);
        let mut cut = lay_out(b"whole", b"");
        cut.pop();
        assert_eq!(parts(&cut), None);
    }
}
