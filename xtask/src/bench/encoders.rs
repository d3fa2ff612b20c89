//! `cargo xtask bench encoders`: bodies that are compressed and come no further. How
//! much memory of the gateway does each hold, by coding, level and length?

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde::Serialize;

use super::common::Common;
use super::footprint::memory;
use crate::process::Started;

/// The codings, and the levels that the configuration allows.
const CODINGS: [(&str, RangeInclusive<u8>); 3] = [("zstd", 1..=12), ("br", 0..=9), ("gzip", 1..=9)];

/// How much of each body has come when the memory is looked at, in bytes.
const LENGTHS: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];

/// What a server writes at once.
const PIECE: usize = 16 << 10;

/// How long no client hears anything before all that has come counts as compressed.
const QUIET: Duration = Duration::from_millis(500);

/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The longest request head that a gateway sends here, in bytes.
const LONGEST_HEAD: usize = 8192;

/// What a server answers before the body, which never ends.
const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1073741824\r\n\r\n";

/// What `cargo xtask bench encoders` takes.
#[derive(Parser)]
pub(super) struct Arguments {
    /// How many bodies are compressed at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(8..=128))]
    bodies: u16,
    #[command(flatten)]
    common: Common,
}

/// Measure and print.
///
/// # Errors
///
/// When the gateway does not start, or does not compress.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let gatewright = arguments.common.program()?;
    let folder = tempfile::tempdir()?;
    let place = Place {
        gatewright: &gatewright,
        folder: folder.path(),
        bodies: arguments.bodies,
    };
    // The first start fills the gateway's cache of compiled plugins.
    let _ = place.hold(None)?;
    let plain = place.hold(None)?;
    println!(
        "KiB of memory that each of {} bodies holds, beyond one that is not compressed",
        arguments.bodies
    );
    println!("{:8} {:>10} {:>10} {:>10}", "", "4 KiB", "64 KiB", "1 MiB");
    let mut found = Vec::new();
    for (coding, levels) in CODINGS {
        for level in levels {
            let held = place.hold(Some((coding, level)))?;
            let mut kib = [0.0; LENGTHS.len()];
            for (kib, (held, plain)) in kib.iter_mut().zip(held.iter().zip(plain)) {
                *kib = held - plain;
            }
            let name = format!("{coding} {level}");
            println!(
                "{name:8} {:>10.0} {:>10.0} {:>10.0}",
                kib[0], kib[1], kib[2]
            );
            found.push(Found { coding, level, kib });
        }
    }
    arguments.common.tell(&found)
}

/// What each body holds, by how much of it has come.
#[derive(Serialize)]
struct Found {
    coding: &'static str,
    level: u8,
    kib: [f64; LENGTHS.len()],
}

/// What each run has in common.
struct Place<'a> {
    gatewright: &'a Path,
    folder: &'a Path,
    bodies: u16,
}

impl Place<'_> {
    /// What each body holds in a gateway of its own, in KiB.
    fn hold(&self, coding: Option<(&str, u8)>) -> Result<[f64; LENGTHS.len()]> {
        let server = TcpListener::bind(("127.0.0.1", 0))?;
        let text = configuration(&server.local_addr()?.to_string(), coding);
        fs::write(self.folder.join("gatewright.toml"), text)?;
        let (program, mark) = (self.gatewright, Started::LISTENER);
        let gateway = Started::new(program, "run", &[], self.folder, mark)?;
        let before = memory(gateway.id())?;
        let heard = Arc::new(AtomicU64::new(0));
        let mut bodies = Vec::new();
        for _ in 0..self.bodies {
            bodies.push(begin(&gateway.address, &server, coding, &heard)?);
        }
        let page = page(LENGTHS[LENGTHS.len() - 1]);
        // The first byte has come with the head.
        let mut written = 1;
        let mut kib = [0.0; LENGTHS.len()];
        for (kib, length) in kib.iter_mut().zip(LENGTHS) {
            for piece in page[written..length].chunks(PIECE) {
                for body in &mut bodies {
                    body.write_all(piece)?;
                }
            }
            written = length;
            settle(&heard)?;
            *kib = (memory(gateway.id())? - before) / f64::from(self.bodies);
        }
        Ok(kib)
    }
}

/// A gateway that compresses so, or does not.
fn configuration(server: &str, coding: Option<(&str, u8)>) -> String {
    let compression = coding.map_or_else(String::new, |(coding, level)| {
        format!(
            "compression = {{ algorithms = [\"{coding}\"], levels = {{ {coding} = {level} }} }}\n"
        )
    });
    format!(
        "default_pool = \"web\"\n\n[admin]\nlisten = \"127.0.0.1:0\"\n\n[workers]\ncount = 1\n\n\
         [timeouts]\nbody_idle = \"10m\"\n\n[[listener]]\nlisten = \"127.0.0.1:0\"\n\n\
         [pools.web]\nhealth = false\nservers = [\"{server}\"]\n{compression}"
    )
}

/// Ask for a body: where it is written. What the client hears of it is counted.
fn begin(
    address: &str,
    server: &TcpListener,
    coding: Option<(&str, u8)>,
    heard: &Arc<AtomicU64>,
) -> Result<TcpStream> {
    let mut client = TcpStream::connect(address)?;
    let accepted = coding.map_or("identity", |(coding, _)| coding);
    write!(
        client,
        "GET / HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {accepted}\r\n\r\n"
    )?;
    let (mut body, _) = server.accept()?;
    body.set_nodelay(true)?;
    skip_head(&mut body).context("the gateway asks for nothing")?;
    body.write_all(HEAD)?;
    body.write_all(&page(1))?;
    let head = skip_head(&mut client).context("the gateway does not answer")?;
    let encoding = coding.map(|(coding, _)| format!("content-encoding: {coding}\r\n"));
    ensure!(
        encoding.is_none_or(|encoding| head.contains(&encoding)),
        "the gateway does not compress: {head}"
    );
    let heard = Arc::clone(heard);
    thread::spawn(move || {
        let mut chunk = [0; 16 << 10];
        while let Ok(read @ 1..) = client.read(&mut chunk) {
            heard.fetch_add(read as u64, Ordering::Relaxed);
        }
    });
    Ok(body)
}

/// Read a head byte by byte, so that nothing is taken of what follows it.
fn skip_head(stream: &mut impl Read) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(head.len() < LONGEST_HEAD, "the head is too long");
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(String::from_utf8_lossy(&head).to_ascii_lowercase())
}

/// Wait until no client hears anything more.
fn settle(heard: &AtomicU64) -> Result<()> {
    let began = Instant::now();
    let mut last = heard.load(Ordering::Relaxed);
    loop {
        thread::sleep(QUIET);
        let now = heard.load(Ordering::Relaxed);
        if now == last {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "it compresses on and on");
        last = now;
    }
}

/// The beginning of a page, so many bytes long: rows of a table, none like another.
fn page(length: usize) -> Vec<u8> {
    let mut page = b"<!doctype html><title>Orders</title><table>\n".to_vec();
    let mut number = 1_u32;
    while page.len() < length {
        // A linear congruential generator (Numerical Recipes, 2nd ed., §7.1).
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (order, price) = (number >> 8, number >> 20);
        page.extend_from_slice(
            format!("<tr><td><a href=\"/orders/{order}\">{order}</a><td>{price} EUR</tr>\n")
                .as_bytes(),
        );
    }
    page.truncate(length);
    page
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gatewright_model::config::{Environment, parse};

    use super::{CODINGS, configuration, page, skip_head};

    #[test]
    fn every_level_that_may_be_configured_is_measured() {
        let is_allowed = |coding, level| {
            let text = configuration("127.0.0.1:9", Some((coding, level)));
            parse(&text, Path::new("."), &Environment::empty()).is_ok()
        };
        for (coding, levels) in CODINGS {
            for level in 0..=20 {
                assert_eq!(
                    is_allowed(coding, level),
                    levels.contains(&level),
                    "{coding} {level}"
                );
            }
        }
    }

    #[test]
    fn a_page_is_as_long_as_it_is_to_be() {
        for length in [1, 4 << 10, 100_000] {
            assert_eq!(page(length).len(), length);
        }
        assert!(page(100_000).starts_with(&page(1000)));
    }

    #[test]
    fn a_head_is_read_and_no_more() {
        let mut stream = &b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nbody"[..];
        let head = skip_head(&mut stream).unwrap();
        assert!(head.contains("content-encoding: br\r\n"), "{head}");
        assert_eq!(stream, b"body");
        assert!(skip_head(&mut &b"HTTP/1.1 200 OK\r\n"[..]).is_err());
    }
}
