//! Looks for input that fails `fuzz::rule::check`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::rule::check(input));
