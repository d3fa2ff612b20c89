//! `request`, `endpoints`, `load`, `pools`, `clock`, `random`: imports that
//! only ask.

use wasmtime::{Caller, Linker};

use super::{Interface, enter};
use crate::contract::imports::{clock, endpoints, load, pools, random, request};
use crate::guest::Guest;

pub(super) fn define(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    request_head(&mut Interface::new(linker, "request"))?;
    request_rest(&mut Interface::new(linker, "request"))?;
    load(&mut Interface::new(linker, "load"))?;
    members(linker)?;
    machine(linker)
}

type Call<'a> = Caller<'a, Guest>;

fn request_head(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    use request::Host;
    interface
        .define("id", |mut caller: Call<'_>, out: u32| {
            let mut call = enter(&mut caller)?;
            let id = Host::id(call.guest());
            call.leave(out, &id)
        })?
        .define("method", |mut caller: Call<'_>, out: u32| {
            let mut call = enter(&mut caller)?;
            let method = Host::method(call.guest());
            call.leave(out, &method)
        })?
        .define("scheme", |mut caller: Call<'_>, out: u32| {
            let mut call = enter(&mut caller)?;
            let scheme = Host::scheme(call.guest());
            call.leave(out, &scheme)
        })?
        .define("authority", |mut caller: Call<'_>, out: u32| {
            let mut call = enter(&mut caller)?;
            let authority = Host::authority(call.guest());
            call.leave(out, &authority)
        })?
        .define("path", |mut caller: Call<'_>, out: u32| {
            let mut call = enter(&mut caller)?;
            let path = Host::path(call.guest());
            call.leave(out, &path)
        })?
        .define("query", |mut caller: Call<'_>, out: u32| {
            let mut call = enter(&mut caller)?;
            let query = Host::query(call.guest());
            call.leave(out, &query)
        })?;
    Ok(())
}

fn request_rest(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    use request::Host;
    interface
        .define(
            "header",
            |mut caller: Call<'_>, name: u32, length: u32, out: u32| {
                let mut call = enter(&mut caller)?;
                let name = call.text(name, length)?;
                let value = Host::header(call.guest(), name);
                call.leave(out, &value)
            },
        )?
        .define(
            "header-bytes",
            |mut caller: Call<'_>, name: u32, length: u32, index: u32, out: u32| {
                let mut call = enter(&mut caller)?;
                let name = call.text(name, length)?;
                let value = Host::header_bytes(call.guest(), name, index);
                call.leave(out, &value)
            },
        )?
        .define("has-body", |mut caller: Call<'_>| {
            Ok(u32::from(Host::has_body(enter(&mut caller)?.guest())))
        })?
        .define(
            "cookie",
            |mut caller: Call<'_>, name: u32, length: u32, out: u32| {
                let mut call = enter(&mut caller)?;
                let name = call.text(name, length)?;
                let value = Host::cookie(call.guest(), name);
                call.leave(out, &value)
            },
        )?
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
