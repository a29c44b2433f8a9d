//! Finds the workspace's own binaries, built from the source as it is now.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, ensure};

/// The path of a binary of this workspace, for the profile that the running test has.
///
/// # Panics
/// If the workspace does not build, or has no such binary.
pub fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER
        .get_or_init(|| build().unwrap_or_else(|err| panic!("could not build {name}: {err:#}")));
    let path = folder.join(name);
    assert!(path.is_file(), "the workspace has no binary {name}: no file {}", path.display());
    path
}

/// Builds all binaries, and returns their folder.
fn build() -> anyhow::Result<PathBuf> {
    let running = env::current_exe().context("could not find the running executable")?;
    let folder = profile_folder(&running)
        .with_context(|| format!("{} is not in a target folder", running.display()))?;
    let target = folder.parent().context("a profile's folder has a parent")?;
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        // Cargo's one profile whose folder has another name.
        Some("debug") => "dev",
        Some(name) => name,
        None => anyhow::bail!("the profile of {} has no name", folder.display()),
    };
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()))
        // The whole workspace, because any smaller selection has other features of the shared
        // dependencies, and would build the EC2 SDK anew: four minutes.
        .args(["build", "--workspace", "--bins", "--quiet", "--profile", profile])
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .status()
        .context("could not run cargo")?;
    ensure!(status.success(), "cargo build --workspace --bins: {status}");
    Ok(folder.to_owned())
}

/// `target/PROFILE`, where the binaries are. Tests run in `deps` below it, examples in `examples`.
fn profile_folder(executable: &Path) -> Option<&Path> {
    let folder = executable.parent()?;
    match folder.file_name()?.to_str()? {
        "deps" | "examples" => folder.parent(),
        _ => Some(folder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_is_that_of_the_running_executable() {
        for executable in ["t/debug/deps/end_to_end-1f", "t/debug/examples/demo", "t/debug/demo"] {
            assert_eq!(profile_folder(Path::new(executable)), Some(Path::new("t/debug")));
        }
    }
}
