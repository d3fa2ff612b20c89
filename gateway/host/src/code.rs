//! Compiled code of a component: as a whole, and of its main module alone
//! where that can be run directly.

use std::io::Write;

use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use crate::compile::CompileError;
use crate::direct::recognise;

/// What laid-out code begins with. The number counts layouts: code of another
/// one is compiled again.
const LAYOUT: &[u8; 8] = b"gwcode-1";

/// Bytes of the length of the first part.
const LENGTH_BYTES: usize = 8;

/// Bytes before the first part.
const HEAD_BYTES: usize = LAYOUT.len() + LENGTH_BYTES;

/// Code of any component, and for each byte of it, in bytes: compilers of today
/// make twice to ten times of it, the small ones' tables more.
const ANY_CODE_BYTES: u64 = 16 << 20;
const CODE_FOR_A_BYTE: u64 = 16;

/// The most bytes of code. A whole language runtime has 40 MiB.
const MOST_CODE_BYTES: u64 = 256 << 20;

/// The most bytes of code that a component of so many may become: what is
/// compiled is in memory for as long as it is bound, and on the disk for longer.
pub(crate) fn most_code(component: usize) -> u64 {
    let most = (component as u64).saturating_mul(CODE_FOR_A_BYTE);
    most.saturating_add(ANY_CODE_BYTES).min(MOST_CODE_BYTES)
}

/// Compiled code, ready to be run.
pub(crate) struct Loaded {
    /// The component.
    pub(crate) component: Component,
    /// Its main module, if it can be run directly.
    pub(crate) main: Option<Module>,
}

/// Compile a component into `out`, and behind it its main module, if that is
/// all that matters. Where this fails, or ends with its process, [`settle`]
/// says what the code in `out` is good for.
pub(crate) fn compile(
    engine: &Engine,
    component: &[u8],
    mut out: impl Write,
) -> Result<(), CompileError> {
    let whole = engine
        .precompile_component(component)
        .map_err(|error| refused(&error))?;
    let head = head(&whole);
    let most = most_code(component.len());
    let mut handed_on = (head.len() + whole.len()) as u64;
    within(most, handed_on)?;
    hand_on(&mut out, &[&head, &whole])?;
    // The component is out of danger: for its main module there is what it has
    // left of time and memory.
    drop(whole);
    // Only now is it known to be valid.
    let Some(main) = recognise::main_module(component) else {
        return Ok(());
    };
    let main = engine.precompile_module(main);
    let main = main.map_err(|error| refused(&error))?;
    handed_on += main.len() as u64;
    within(most, handed_on)?;
    hand_on(&mut out, &[&main])
}

fn within(most: u64, bytes: u64) -> Result<(), CompileError> {
    match bytes > most {
        true => Err(CompileError::TooMuch { most }),
        false => Ok(()),
    }
}

/// Write and flush, or a buffer would hold some of it back.
fn hand_on(out: &mut impl Write, parts: &[&[u8]]) -> Result<(), CompileError> {
    let mut parts = parts.iter();
    let written = parts.try_for_each(|part| out.write_all(part));
    let written = written.and_then(|()| out.flush());
    written.map_err(CompileError::Unwritten)
}

/// The code that a compilation has brought, by how it ended: a component that
/// came out whole is as good as any, and takes the other lane when its main
/// module did not.
pub(crate) fn settle(
    ended: Result<(), CompileError>,
    mut code: Vec<u8>,
) -> Result<Vec<u8>, CompileError> {
    let Err(error) = ended else {
        return Ok(code);
    };
    let Some((whole, _)) = parts(&code) else {
        return Err(error);
    };
    tracing::info!(%error, "a component has no direct lane: its main module was not compiled");
    let length = HEAD_BYTES + whole.len();
    code.truncate(length);
    Ok(code)
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

/// What stands before the component's code; behind that is its main module's,
/// where there is any.
fn head(whole: &[u8]) -> Vec<u8> {
    let length = (whole.len() as u64).to_le_bytes();
    [&LAYOUT[..], &length].concat()
}

fn parts(code: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = code.strip_prefix(LAYOUT)?;
    let (length, rest) = rest.split_first_chunk::<LENGTH_BYTES>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    rest.split_at_checked(length)
}

/// Code as [`compile`] lays it out.
#[cfg(test)]
pub(crate) fn lay_out(whole: &[u8], main: &[u8]) -> Vec<u8> {
    [&head(whole), whole, main].concat()
}

#[cfg(test)]
mod tests {
    use std::io;

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

    /// Takes what it is given until the first flush, and fails from then on.
    #[derive(Default)]
    struct UntilFlushed {
        taken: Vec<u8>,
        flushed: bool,
    }

    impl Write for UntilFlushed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.flushed {
                false => self.taken.write(bytes),
                true => Err(io::ErrorKind::BrokenPipe.into()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            self.flushed = true;
            Ok(())
        }
    }

    /// A component that can be run directly.
    const PLAIN: &str = r#"(component
        (core module $main (memory (export "memory") 1))
        (core instance (instantiate $main)))"#;

    #[test]
    fn a_component_is_handed_on_before_its_main_module() {
        let engine = crate::engine::engine().unwrap();
        let component = wat::parse_str(PLAIN).unwrap();
        let mut code = Vec::new();
        compile(&engine, &component, &mut code).unwrap();
        assert!(load(&engine, &code).unwrap().main.is_some());
        let mut out = UntilFlushed::default();
        let ended = compile(&engine, &component, &mut out);
        assert!(matches!(ended, Err(CompileError::Unwritten(_))));
        let code = settle(ended, out.taken).unwrap();
        assert!(load(&engine, &code).unwrap().main.is_none());
    }

    /// A component with so many modules that hold a byte at both ends of some
    /// megabytes.
    fn sparse(modules: usize) -> Vec<u8> {
        let module = r#"(core module (memory 256)
            (data (i32.const 0) "a") (data (i32.const 0xfffff0) "z"))"#;
        let text = format!("(component {})", module.repeat(modules));
        wat::parse_str(text).unwrap()
    }

    #[test]
    fn a_small_component_becomes_little_code() {
        let engine = crate::engine::engine().unwrap();
        let component = sparse(20);
        let mut code = Vec::new();
        compile(&engine, &component, &mut code).unwrap();
        assert!(component.len() < 4096, "{}", component.len());
        assert!(code.len() < 1 << 20, "{}", code.len());
    }

    #[test]
    fn a_component_that_becomes_too_much_code_is_refused() {
        // A table is laid out whole, and each of these has four megabytes.
        let module = "(core module (table 1000000 funcref) (func $f)
            (elem (i32.const 999999) func $f))";
        let text = format!("(component {})", module.repeat(6));
        let engine = crate::engine::engine().unwrap();
        let mut code = Vec::new();
        let ended = compile(&engine, &wat::parse_str(text).unwrap(), &mut code);
        assert!(matches!(ended, Err(CompileError::TooMuch { .. })));
        assert!(code.is_empty());
    }

    #[test]
    fn a_whole_language_runtime_may_have_its_code() {
        assert!(most_code(18 << 20) > 64 << 20);
        assert_eq!(most_code(64 << 20), MOST_CODE_BYTES);
        assert_eq!(most_code(usize::MAX), MOST_CODE_BYTES);
    }

    #[test]
    fn without_the_whole_component_a_failure_is_one() {
        let failure = || Err(CompileError::TooLaborious("was stopped".to_owned()));
        let code = lay_out(b"whole", b"half of the ma");
        assert_eq!(
            settle(failure(), code.clone()).unwrap(),
            lay_out(b"whole", b"")
        );
        assert_eq!(settle(Ok(()), code.clone()).unwrap(), code);
        let half = code[..HEAD_BYTES + 2].to_vec();
        assert!(settle(failure(), half).is_err());
    }
}
