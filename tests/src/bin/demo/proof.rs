//! What the story has proved, at its end.

use anyhow::{Context, ensure};

use crate::label::count;
use crate::screen::{BOLD, DIM, PLAIN};
use crate::stage::Stage;

impl Stage {
    /// Checks what is true of the story as a whole, and says it.
    pub(crate) fn show_proof(&mut self) -> anyhow::Result<()> {
        let made = self.siphon.clone().context("nobody else has a session")?;
        let found = self.sessions().into_iter().find(|session| session.id == made.id);
        ensure!(found.as_ref() == Some(&made), "{} was touched: {found:?}", made.id);
        let refused = self.totals.automirror.refused + self.totals.rule.refused;
        ensure!(refused == 0, "{} refused", count(refused, "call"));

        self.screen.line(PLAIN, "")?;
        self.screen.detail((DIM, "total"), &self.totals.text())?;
        let text = format!(
            "Proved in {}: what should be mirrored is, or the reason is given; {} that mallory \
             deleted or changed are as they should be; mallory's own session was never touched; \
             all {} of automirror's were allowed by its role.",
            count(self.scenes, "scene"),
            count(self.attacked, "session"),
            count(self.totals.automirror.writes, "change"),
        );
        self.screen.paragraph(BOLD, &text)?;
        Ok(())
    }
}
