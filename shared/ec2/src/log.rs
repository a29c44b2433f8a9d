//! The log of a function, as Lambda's own settings ask for it (Lambda Developer Guide, "Configuring advanced
//! logging controls").

use std::str::FromStr;

use shared::{policy::setting::NAMES, text::sanitize};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

/// The crates whose detail is logged where that is asked for. That of the SDK would be two hundred lines for
/// two calls.
const OWN: [&str; 4] = ["automirror", "config_rule", "shared", "shared_ec2"];

/// The most characters of the settings in the line about the start.
const MAX_SETTINGS: usize = 4_000;

/// Makes the log that `AWS_LAMBDA_LOG_FORMAT` and `AWS_LAMBDA_LOG_LEVEL` ask for.
///
/// A line of JSON has a time-stamp: without one Lambda's filter takes every line for INFO and, where it keeps
/// only warnings, drops it.
pub fn init(setting: impl Fn(&str) -> Option<String>) {
    // An empty text is a level, too: the parser takes it for ERROR.
    let level = setting("AWS_LAMBDA_LOG_LEVEL").filter(|level| !level.trim().is_empty());
    let level = level.and_then(|level| LevelFilter::from_str(&level).ok());
    let level = level.unwrap_or(LevelFilter::INFO);
    let targets = Targets::new()
        .with_default(level.min(LevelFilter::INFO))
        .with_targets(OWN.map(|name| (name, level)));
    let format = setting("AWS_LAMBDA_LOG_FORMAT").unwrap_or_default();
    let lines = fmt::layer().with_target(false).with_ansi(false);
    let lines = if format.eq_ignore_ascii_case("json") {
        lines.json().with_span_list(false).boxed()
    } else {
        lines.boxed()
    };
    tracing_subscriber::registry().with(lines.with_filter(targets)).init();
}

/// Says which version runs, and with which settings.
pub fn log_start(version: &str, setting: impl Fn(&str) -> Option<String>) {
    let set = NAMES.iter().filter_map(|name| {
        let value = setting(name).filter(|value| !value.trim().is_empty())?;
        Some(format!("{name}={value}"))
    });
    let settings = sanitize(&set.collect::<Vec<_>>().join(" "), MAX_SETTINGS);
    let shown = if settings.is_empty() { "none but the defaults" } else { &settings };
    tracing::info!(version, settings, "started version {version} with the settings {shown}");
}
