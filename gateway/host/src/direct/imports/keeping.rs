//! `sessions` and `store`: imports that remember.

use wasmtime::{Caller, Linker};

use super::super::lift::no_such_case;
use super::{Interface, enter};
use crate::contract::imports::{sessions, store};
use crate::guest::Guest;

type Call<'a> = Caller<'a, Guest>;

pub(super) fn define(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    sessions(&mut Interface::new(linker, "sessions"))?;
    values(&mut Interface::new(linker, "store"))?;
    counts(&mut Interface::new(linker, "store"))
}

fn sessions(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    use sessions::Host;
    interface
        .define(
            "get",
            |mut caller: Call<'_>, key: u32, length: u32, out: u32| {
                let mut call = enter(&mut caller)?;
                let (key, guest) = call.text_beside(key, length)?;
                let slot = guest.session(key);
                call.leave(out, &slot)
            },
        )?
        .define(
            "set",
            |mut caller: Call<'_>, key: u32, length: u32, slot: u32, idle_seconds: u32| {
                let mut call = enter(&mut caller)?;
                let (key, guest) = call.text_beside(key, length)?;
                guest.set_session(key, slot, idle_seconds);
                Ok(())
            },
        )?
        .define("remove", |mut caller: Call<'_>, key: u32, length: u32| {
            let mut call = enter(&mut caller)?;
            let key = call.text(key, length)?;
            Host::remove(call.guest(), key);
            Ok(())
        })?;
    Ok(())
}

/// The functions of `store` that are about bytes.
fn values(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    use store::Host;
    interface
        .define(
            "get",
            |mut caller: Call<'_>, key: u32, length: u32, out: u32| {
                let mut call = enter(&mut caller)?;
                let key = call.text(key, length)?;
                let value = Host::get(call.guest(), key);
                call.leave(out, &value)
            },
        )?
        .define(
            "set",
            |mut caller: Call<'_>, key: u32, of_key: u32, value: u32, of_value: u32, ttl: u32| {
                let mut call = enter(&mut caller)?;
                let key = call.text(key, of_key)?;
                let value = call.bytes(value, of_value)?;
                Host::set(call.guest(), key, value, ttl);
                Ok(())
            },
        )?
        .define("remove", |mut caller: Call<'_>, key: u32, length: u32| {
            let mut call = enter(&mut caller)?;
            let key = call.text(key, length)?;
            Host::remove(call.guest(), key);
            Ok(())
        })?
        .define("compare-and-swap", compare_and_swap)?;
    Ok(())
}

#[expect(
    clippy::too_many_arguments,
    reason = "the contract's function, as core WebAssembly flattens it"
)]
fn compare_and_swap(
    mut caller: Call<'_>,
    key: u32,
    of_key: u32,
    is_some: u32,
    expected: u32,
    of_expected: u32,
    value: u32,
    of_value: u32,
    ttl: u32,
) -> wasmtime::Result<u32> {
    let mut call = enter(&mut caller)?;
    let key = call.text(key, of_key)?;
    let expected = match is_some {
        0 => None,
        1 => Some(call.bytes(expected, of_expected)?),
        _ => return Err(no_such_case()),
    };
    let value = call.bytes(value, of_value)?;
    let swapped = store::Host::compare_and_swap(call.guest(), key, expected, value, ttl);
    Ok(swapped.into())
}

/// The functions of `store` that are about numbers.
fn counts(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    use store::Host;
    interface
        .define(
            "add",
            |mut caller: Call<'_>, key: u32, length: u32, delta: i64, ttl: u32| {
                let mut call = enter(&mut caller)?;
                let key = call.text(key, length)?;
                Ok(Host::add(call.guest(), key, delta, ttl))
            },
        )?
        .define(
            "take",
            |mut caller: Call<'_>,
             key: u32,
             length: u32,
             count: u32,
             rate: f64,
             burst: u32,
             out: u32| {
                let mut call = enter(&mut caller)?;
                let (key, guest) = call.text_beside(key, length)?;
                let taken = guest.taken(key, count, (rate, burst));
                call.leave(out, &taken)
            },
        )?;
    Ok(())
}
