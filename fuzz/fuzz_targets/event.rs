//! Looks for input that fails `fuzz::event::check`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::event::check(input));
