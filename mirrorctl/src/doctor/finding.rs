//! What was found, with all the sources that have it in common.

use std::collections::{BTreeMap, BTreeSet};

use shared::id::{InstanceId, SessionId, TargetId};

use super::{
    link::Link,
    links::{Checked, Pair},
    trouble::Trouble,
};

/// A fault, and whom it concerns.
#[derive(Debug)]
pub(crate) struct Finding<'a> {
    pub(crate) trouble: &'a Trouble,
    /// The links that have it.
    pub(crate) links: BTreeSet<Link>,
    pub(crate) targets: BTreeSet<&'a str>,
    pub(crate) pairs: Vec<&'a Pair>,
}

/// Something that the caller accepts: a code, and what it lies in or whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) code: String,
    pub(crate) id: String,
}

/// What stands for everything.
const ANY: &str = "*";

impl Accepted {
    /// Whether it is this code, at what is named or where the trouble lies.
    pub(crate) fn covers(&self, trouble: &Trouble, names: &[&str]) -> bool {
        let is_named = self.id == ANY || self.id == trouble.at || names.contains(&&*self.id);
        self.code == trouble.code && is_named
    }

    fn covers_pair(&self, trouble: &Trouble, pair: &Pair) -> bool {
        let names = [
            Some(pair.source.as_str()),
            pair.instance.as_ref().map(InstanceId::as_str),
            pair.target.as_ref().map(TargetId::as_str),
            pair.session.as_ref().map(SessionId::as_str),
        ];
        let names: Vec<_> = names.into_iter().flatten().collect();
        self.covers(trouble, &names)
    }
}

/// Leaves out what the caller accepts, and counts it. Such a link is neither fine nor anything else.
pub(crate) fn leave_out(checked: &mut [Checked], accepted: &[Accepted]) -> usize {
    let mut count = 0_usize;
    for Checked { pair, links } in checked {
        links.retain(|_, judgement| {
            let Err(trouble) = judgement else { return true };
            let is_accepted = accepted.iter().any(|it| it.covers_pair(trouble, pair));
            count = count.saturating_add(usize::from(is_accepted));
            !is_accepted
        });
    }
    count
}

/// The faults, the worst and most common first.
pub(crate) fn findings(checked: &[Checked]) -> Vec<Finding<'_>> {
    let mut found: BTreeMap<&Trouble, Finding<'_>> = BTreeMap::new();
    for Checked { pair, links } in checked {
        for (link, judgement) in links {
            let Err(trouble) = judgement else { continue };
            let finding = found.entry(trouble).or_insert_with(|| Finding {
                trouble,
                links: BTreeSet::new(),
                targets: BTreeSet::new(),
                pairs: Vec::new(),
            });
            finding.links.insert(*link);
            finding.targets.extend(pair.target.as_ref().map(TargetId::as_str));
            // One pair may have it at several links, which come one after the other.
            if finding.pairs.last() != Some(&pair) {
                finding.pairs.push(pair);
            }
        }
    }
    let mut found: Vec<_> = found.into_values().collect();
    found
        .sort_by_key(|it| (std::cmp::Reverse(it.trouble.grade), std::cmp::Reverse(it.pairs.len())));
    found
}
