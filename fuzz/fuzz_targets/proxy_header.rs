//! A header of the PROXY protocol: what is read of it is bounded, and written
//! anew it says the same.
#![no_main]

use gatewright_wire::proxy_header::{Behalf, Ends, Next, ProxyVersion, encode, next};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut taken = 0;
    let told = loop {
        let more = match next(&bytes[..taken]) {
            Err(_) => return,
            Ok(Next::Whole(told)) => break told,
            Ok(Next::Read(count)) => count,
            Ok(Next::ReadLine(most)) => {
                let ahead = &bytes[taken..bytes.len().min(taken + most)];
                let end = ahead.iter().position(|&byte| byte == b'\n');
                end.map_or(ahead.len().max(1), |end| end + 1)
            }
        };
        assert!((1..=4096).contains(&more));
        taken += more;
        if taken > bytes.len() {
            return;
        }
    };
    let Behalf::Client(ends) = told else {
        return;
    };
    let plain = |ends: Ends| {
        [ends.source, ends.destination].map(|end| (end.ip().to_canonical(), end.port()))
    };
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let mut written = Vec::new();
        encode(&mut written, version, Behalf::Client(ends));
        let Ok(Next::Whole(Behalf::Client(again))) = next(&written) else {
            panic!("{}", written.escape_ascii());
        };
        assert_eq!(plain(again), plain(ends));
    }
});
