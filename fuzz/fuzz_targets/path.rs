//! A path's normal form: stable, printable, and without a way up.
#![no_main]

use gatewright_wire::path::normalise;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|path: &str| {
    let Ok(normal) = normalise(path) else {
        return;
    };
    assert_eq!(normalise(&normal).as_deref(), Ok(&*normal));
    assert!(normal.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!normal.contains("//"));
    let decoded = normal.replace("%2F", "/").replace("%5C", "/");
    assert!(decoded.split('/').all(|segment| segment != ".."));
});
