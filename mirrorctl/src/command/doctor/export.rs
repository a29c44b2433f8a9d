//! The findings in a format of others, where one was asked for.

use std::time::SystemTime;

use super::{asff, ocsf, verdict::Verdict};
use crate::{
    arguments::Format,
    doctor::{links::Checked, trouble::Trouble},
    output::{Document, Exported},
    problem::Problem,
    world::Decided,
};

#[derive(Clone, Copy)]
pub(super) struct Export {
    pub(super) format: Format,
    pub(super) now: SystemTime,
}

impl Export {
    /// What was found in a place, which could be read.
    pub(super) fn place(self, document: &mut Document, decided: &Decided, checked: &[Checked]) {
        let (account, region) = (decided.world.account.as_str(), &decided.world.region);
        self.add(document, &Verdict::on_place(account, region, None));
        for verdict in Verdict::on_sources(account, region, checked) {
            self.add(document, &verdict);
        }
    }

    /// What belongs to no account and region is said on standard error only: neither format has a place for it.
    pub(super) fn unread(self, document: &mut Document, place: Option<&str>, problem: &Problem) {
        if let Some((account, region)) = place.and_then(|place| place.split_once(' ')) {
            let trouble = Trouble::unread(problem);
            self.add(document, &Verdict::on_place(account, region, Some(&trouble)));
        }
    }

    fn add(self, document: &mut Document, verdict: &Verdict<'_>) {
        let fields = match self.format {
            Format::Asff => asff::finding(verdict, self.now),
            Format::Ocsf => ocsf::finding(verdict, self.now),
            Format::Text | Format::Json | Format::Ndjson | Format::Csv | Format::Markdown => return,
        };
        document.exported.push(Exported { is_fine: verdict.grade().is_none(), fields });
    }
}
