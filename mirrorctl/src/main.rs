//! The command line as a program: arguments, environment, and the exit code.

use std::{collections::BTreeMap, process::ExitCode, time::SystemTime};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    mirrorctl::run(std::env::args_os().collect(), settings(), now).await
}

#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
fn now() -> SystemTime {
    SystemTime::now()
}

fn is_setting(name: &str) -> bool {
    name.starts_with("MIRROR_") || name.starts_with("AWS_ENDPOINT_URL")
}

/// The settings of the environment, by name, and where it says that AWS is.
#[expect(clippy::disallowed_methods, reason = "this is where settings are read")]
fn settings() -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
    };
    std::env::vars_os().map(text).filter(|(name, _)| is_setting(name)).collect()
}
