//! Looks for input that fails `fuzz::settings::check`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::settings::check(input));
