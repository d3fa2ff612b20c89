//! `advice`, `log`, `metrics`: imports that say something beside the answer.

use wasmtime::{Caller, Linker};

use super::super::lift::no_such_case;
use super::{Interface, enter};
use crate::contract::imports::log::Level;
use crate::contract::imports::{advice, log, metrics};
use crate::guest::Guest;

type Call<'a> = Caller<'a, Guest>;

pub(super) fn define(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    Interface::new(linker, "advice")
        .define("second-choice", |mut caller: Call<'_>, slot: u32| {
            advice::Host::second_choice(enter(&mut caller)?.guest(), slot);
            Ok(())
        })?
        .define("reason", |mut caller: Call<'_>, text: u32, length: u32| {
            let mut call = enter(&mut caller)?;
            let text = call.text(text, length)?;
            advice::Host::reason(call.guest(), text);
            Ok(())
        })?
        .define("timeout", |mut caller: Call<'_>, milliseconds: u32| {
            advice::Host::timeout(enter(&mut caller)?.guest(), milliseconds);
            Ok(())
        })?
        .define("retries", |mut caller: Call<'_>, most: u32| {
            advice::Host::retries(enter(&mut caller)?.guest(), most);
            Ok(())
        })?
        .define("hedge-after", |mut caller: Call<'_>, milliseconds: u32| {
            advice::Host::hedge_after(enter(&mut caller)?.guest(), milliseconds);
            Ok(())
        })?
        .define("call-bind", |mut caller: Call<'_>| {
            advice::Host::call_bind(enter(&mut caller)?.guest());
            Ok(())
        })?;
    Interface::new(linker, "log").define(
        "write",
        |mut caller: Call<'_>, of: u32, message: u32, length: u32| {
            let mut call = enter(&mut caller)?;
            let level = level(of)?;
            let message = call.text(message, length)?;
            log::Host::write(call.guest(), level, message);
            Ok(())
        },
    )?;
    Interface::new(linker, "metrics")
        .define(
            "count",
            |mut caller: Call<'_>, name: u32, length: u32, by: u64| {
                let mut call = enter(&mut caller)?;
                let name = call.text(name, length)?;
                metrics::Host::count(call.guest(), name, by);
                Ok(())
            },
        )?
        .define(
            "gauge",
            |mut caller: Call<'_>, name: u32, length: u32, value: f64| {
                let mut call = enter(&mut caller)?;
                let name = call.text(name, length)?;
                metrics::Host::gauge(call.guest(), name, value);
                Ok(())
            },
        )?;
    Ok(())
}

fn level(of: u32) -> wasmtime::Result<Level> {
    match of {
        0 => Ok(Level::Error),
        1 => Ok(Level::Warn),
        2 => Ok(Level::Info),
        3 => Ok(Level::Debug),
        _ => Err(no_such_case()),
    }
}
