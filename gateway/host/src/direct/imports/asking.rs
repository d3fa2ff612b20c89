//! `request`, `endpoints`, `load`, `pools`, `clock`, `random`: imports that
//! only ask.

use wasmtime::{Caller, Linker};

use super::{Interface, enter};
use crate::contract::imports::{clock, endpoints, load, pools, random, request};
use crate::guest::Guest;
use crate::imports::request as asked;

pub(super) fn define(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    request_head(&mut Interface::new(linker, "request"))?;
    request_rest(&mut Interface::new(linker, "request"))?;
    load(&mut Interface::new(linker, "load"))?;
    members(linker)?;
    machine(linker)
}

type Call<'a> = Caller<'a, Guest>;

/// A function without arguments that something the request says answers.
macro_rules! said {
    ($function:path) => {
        |mut caller: Call<'_>, out: u32| {
            enter(&mut caller)?.lending(|call, view| {
                let text = $function(call.guest(), view);
                call.leave(out, &text)
            })
        }
    };
}

/// The same of a name.
macro_rules! said_of {
    ($function:path) => {
        |mut caller: Call<'_>, name: u32, length: u32, out: u32| {
            enter(&mut caller)?.lending(|call, view| {
                let (name, guest) = call.text_beside(name, length)?;
                let value = $function(guest, view, name);
                call.leave(out, &value)
            })
        }
    };
}

fn request_head(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    interface
        .define("id", said!(asked::id))?
        .define("method", said!(asked::method))?
        .define("scheme", said!(asked::scheme))?
        .define("authority", said!(asked::authority))?
        .define("path", said!(asked::path))?
        .define("query", said!(asked::query))?;
    Ok(())
}

fn request_rest(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    use request::Host;
    interface
        .define("header", said_of!(asked::header))?
        .define(
            "header-bytes",
            |mut caller: Call<'_>, name: u32, length: u32, index: u32, out: u32| {
                enter(&mut caller)?.lending(|call, view| {
                    let (name, guest) = call.text_beside(name, length)?;
                    let value = asked::header_bytes(guest, view, (name, index));
                    call.leave(out, &value)
                })
            },
        )?
        .define("has-body", |mut caller: Call<'_>| {
            Ok(u32::from(Host::has_body(enter(&mut caller)?.guest())))
        })?
        .define("cookie", said_of!(asked::cookie))?
        .define("client-address", |mut caller: Call<'_>, out: u32| {
            let mut call = enter(&mut caller)?;
            let address = Host::client_address(call.guest());
            call.leave(out, &address)
        })?
        .define("attempt", |mut caller: Call<'_>| {
            Ok(Host::attempt(enter(&mut caller)?.guest()))
        })?
        .define("tried", |mut caller: Call<'_>, out: u32| {
            let mut call = enter(&mut caller)?;
            let tried = Host::tried(call.guest());
            call.leave(out, &tried)
        })?;
    Ok(())
}

fn load(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    use load::Host;
    interface
        .define("active", |mut caller: Call<'_>, slot: u32| {
            Ok(Host::active(enter(&mut caller)?.guest(), slot))
        })?
        .define("all-active", |mut caller: Call<'_>, out: u32| {
            let mut call = enter(&mut caller)?;
            let column = Host::all_active(call.guest());
            call.leave(out, &column)
        })?
        .define("response-time", |mut caller: Call<'_>, slot: u32| {
            Ok(Host::response_time(enter(&mut caller)?.guest(), slot))
        })?
        .define("all-response-times", |mut caller: Call<'_>, out: u32| {
            let mut call = enter(&mut caller)?;
            let column = Host::all_response_times(call.guest());
            call.leave(out, &column)
        })?
        .define("reported", |mut caller: Call<'_>, slot: u32, out: u32| {
            let mut call = enter(&mut caller)?;
            let report = Host::reported(call.guest(), slot);
            call.leave(out, &report)
        })?;
    Ok(())
}

/// `endpoints` and `pools`.
fn members(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    Interface::new(linker, "endpoints").define(
        "label",
        |mut caller: Call<'_>, slot: u32, name: u32, length: u32, out: u32| {
            let mut call = enter(&mut caller)?;
            let name = call.text(name, length)?;
            let label = endpoints::Host::label(call.guest(), slot, name);
            call.leave(out, &label)
        },
    )?;
    Interface::new(linker, "pools")
        .define(
            "index",
            |mut caller: Call<'_>, name: u32, length: u32, out: u32| {
                let mut call = enter(&mut caller)?;
                let name = call.text(name, length)?;
                let index = pools::Host::index(call.guest(), name);
                call.leave(out, &index)
            },
        )?
        .define("available", |mut caller: Call<'_>, pool: u32| {
            Ok(pools::Host::available(enter(&mut caller)?.guest(), pool))
        })?;
    Ok(())
}

/// `clock` and `random`.
fn machine(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    Interface::new(linker, "clock")
        .define("now", |mut caller: Call<'_>| {
            Ok(clock::Host::now(enter(&mut caller)?.guest()))
        })?
        .define("unix-ms", |mut caller: Call<'_>| {
            Ok(clock::Host::unix_ms(enter(&mut caller)?.guest()))
        })?;
    Interface::new(linker, "random").define("next", |mut caller: Call<'_>| {
        Ok(random::Host::next(enter(&mut caller)?.guest()))
    })?;
    Ok(())
}
