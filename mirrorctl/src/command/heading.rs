//! What stands above every answer about a place: where, and by whose settings.

use serde_json::{Value, json};
use shared::{policy::run::Mode, text::sanitize};

use crate::{
    output::Document,
    settings::{Origin, Setting, short},
    world::Decided,
};

/// The longest value that is printed whole: a list of 40 targets.
const MAX_VALUE: usize = 1_000;

impl Decided {
    /// The account and region.
    pub(crate) fn name(&self) -> String {
        self.world.name()
    }

    /// The place and the settings, for machines: what more is told of it is added.
    pub(crate) fn place(&self) -> Value {
        let (account, region) = (self.world.account.as_str(), &self.world.region);
        json!({"account": account, "region": region, "settings": self.world.settings})
    }

    /// Writes the place and the settings.
    pub(crate) fn head(&self, document: &mut Document) {
        document.title(self.name());
        if self.world.is_saved {
            document.line(format!("from a file: as it was {}", self.world.as_of()));
        }
        document.line(self.settings_line());
        if self.parsed.run.mode == Mode::Detect {
            document.line("mode detect: automirror changes nothing, whatever the plan says");
        }
        for warning in self.parsed.policy.warnings() {
            document.line(format!("warning: {warning}"));
        }
    }

    fn settings_line(&self) -> String {
        let settings = &self.world.settings;
        let listed = |is_listed: &dyn Fn(&Setting) -> bool| {
            let listed = settings.values.iter().filter(|it| is_listed(it));
            let listed: Vec<_> = listed
                .map(|it| format!("{}={}", short(&it.name), sanitize(&it.value, MAX_VALUE)))
                .collect();
            listed.join(" ")
        };
        let base = listed(&|it| it.origin != Origin::Flag);
        let base = if base.is_empty() { "all as by default".to_owned() } else { base };
        let flags = listed(&|it| it.origin == Origin::Flag);
        let flags = if flags.is_empty() { flags } else { format!("; --set {flags}") };
        format!("settings of {}: {base}{flags}", settings.base)
    }
}
