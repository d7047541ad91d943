#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| orderbox::fuzzing::date(input));
