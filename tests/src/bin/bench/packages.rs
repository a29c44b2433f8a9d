//! The programs that are measured, as `package.py` leaves them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::table::Table;

/// The folder of one architecture.
pub(crate) struct Packages {
    folder: PathBuf,
}

impl Packages {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.folder.join(name).join("bootstrap")
    }

    /// mirrorctl, as `mirrorctl.py` leaves it; none where nobody has built it.
    pub(crate) fn mirrorctl(&self) -> anyhow::Result<Option<PathBuf>> {
        let architecture = self.architecture()?;
        let path = self.folder.with_file_name(format!("mirrorctl-{architecture}"));
        Ok(path.exists().then_some(path))
    }

    pub(crate) fn sizes(&self) -> anyhow::Result<Table> {
        let mut table = Table::new("Packages", &["binary, MB", "zip, MB"]);
        for function in ["automirror", "config-rule"] {
            let sizes = [size(&self.binary(function))?, size(&self.zip(function)?)?];
            table.row(function, sizes.map(Some));
        }
        table.row("hello", [Some(size(&self.binary("hello"))?), None]);
        Ok(table)
    }

    fn zip(&self, function: &str) -> anyhow::Result<PathBuf> {
        let name = format!("{function}-{}.zip", self.architecture()?);
        Ok(self.folder.with_file_name(name))
    }

    fn architecture(&self) -> anyhow::Result<std::borrow::Cow<'_, str>> {
        let name = self.folder.file_name().context("the packages' folder has no name")?;
        Ok(name.to_string_lossy())
    }
}

#[expect(clippy::cast_precision_loss, reason = "files are small")]
fn size(file: &Path) -> anyhow::Result<f64> {
    let data = fs::metadata(file).with_context(|| format!("no file {}", file.display()))?;
    Ok(data.len() as f64 / 1e6)
}
