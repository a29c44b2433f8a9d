//! Looks for input that fails `fuzz::capture::check`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::capture::check(input));
