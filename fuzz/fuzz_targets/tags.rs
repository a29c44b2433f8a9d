//! Looks for input that fails `fuzz::tags::check`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::tags::check(input));
