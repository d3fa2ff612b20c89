//! `response` and `rewrite`: imports that change the exchange.

use wasmtime::{Caller, Linker};

use super::super::lift::{no_such_case, utf8};
use super::{Interface, enter};
use crate::contract::imports::{response, rewrite};
use crate::guest::Guest;
use crate::imports::response as asked;
use crate::view::Edit;

type Call<'a> = Caller<'a, Guest>;

pub(super) fn define(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    response(&mut Interface::new(linker, "response"))?;
    rewrite(&mut Interface::new(linker, "rewrite"))
}

/// A function of one text.
macro_rules! text {
    ($function:path) => {
        |mut caller: Call<'_>, text: u32, length: u32| {
            let mut call = enter(&mut caller)?;
            let text = call.text(text, length)?;
            $function(call.guest(), text);
            Ok(())
        }
    };
}

/// A function of a header's name.
macro_rules! name {
    ($function:path) => {
        |mut caller: Call<'_>, name: u32, length: u32| {
            let mut call = enter(&mut caller)?;
            let (name, guest) = call.text_beside(name, length)?;
            $function(guest, name);
            Ok(())
        }
    };
}

/// A function of a header's name and value.
macro_rules! header {
    ($function:path) => {
        |mut caller: Call<'_>, name: u32, name_length: u32, value: u32, value_length: u32| {
            let mut call = enter(&mut caller)?;
            let value = call.text(value, value_length)?;
            let (name, guest) = call.text_beside(name, name_length)?;
            $function(guest, name, value);
            Ok(())
        }
    };
}

fn response(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    use response::Host;
    interface
        .define("status", |mut caller: Call<'_>| {
            Ok(u32::from(Host::status(enter(&mut caller)?.guest())))
        })?
        .define(
            "header",
            |mut caller: Call<'_>, name: u32, length: u32, out: u32| {
                enter(&mut caller)?.lending(|call, view| {
                    let (name, _) = call.text_beside(name, length)?;
                    let value = asked::header(view, name);
                    call.leave(out, &value)
                })
            },
        )?
        .define(
            "header-bytes",
            |mut caller: Call<'_>, name: u32, length: u32, index: u32, out: u32| {
                enter(&mut caller)?.lending(|call, view| {
                    let (name, _) = call.text_beside(name, length)?;
                    let value = asked::header_bytes(view, (name, index));
                    call.leave(out, &value)
                })
            },
        )?
        .define("set-header", header!(Guest::set_response_header))?
        .define("append-header", header!(Guest::append_response_header))?
        .define("remove-header", name!(Guest::remove_response_header))?
        .define("set-cookie", set_cookie)?
        .define(
            "body",
            |mut caller: Call<'_>, of: u32, of_length: u32, body: u32, length: u32| {
                let mut call = enter(&mut caller)?;
                let content_type = call.text(of, of_length)?;
                let body = call.bytes(body, length)?;
                Host::body(call.guest(), content_type, body);
                Ok(())
            },
        )?;
    Ok(())
}

/// `text!`, unless it is the cookie that it was the last time.
fn set_cookie(mut caller: Call<'_>, text: u32, length: u32) -> wasmtime::Result<()> {
    let mut call = enter(&mut caller)?;
    let (text, guest) = call.bytes_beside(text, length)?;
    match guest.cookies.again(text) {
        Some(cookie) => guest.edit(Edit::SetCookie(cookie)),
        None => response::Host::set_cookie(guest, utf8(text)?.to_owned()),
    }
    Ok(())
}

fn rewrite(interface: &mut Interface<'_>) -> wasmtime::Result<()> {
    use rewrite::Host;
    interface
        .define("path", text!(Host::path))?
        .define(
            "query",
            |mut caller: Call<'_>, is_some: u32, query: u32, length: u32| {
                let mut call = enter(&mut caller)?;
                let query = match is_some {
                    0 => None,
                    1 => Some(call.text(query, length)?),
                    _ => return Err(no_such_case()),
                };
                Host::query(call.guest(), query);
                Ok(())
            },
        )?
        .define("authority", text!(Host::authority))?
        .define("set-header", header!(Guest::set_request_header))?
        .define("append-header", header!(Guest::append_request_header))?
        .define("remove-header", name!(Guest::remove_request_header))?;
    Ok(())
}
