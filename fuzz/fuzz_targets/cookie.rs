//! A cookie's value: always a part of the header it was found in.
#![no_main]

use gatewright_wire::cookie::find;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], &str)| {
    let (header, name) = input;
    if let Some(value) = find(header, name) {
        assert!(!value.contains(';'));
        assert!(header.as_ptr_range().contains(&value.as_ptr()) || value.is_empty());
    }
});
