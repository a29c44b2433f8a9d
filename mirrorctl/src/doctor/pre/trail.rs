//! Whether a CloudTrail trail logs the calls that automirror waits for. EventBridge gets calls only through a trail that
//! logs them ("AWS service events delivered via AWS CloudTrail").

use super::super::{
    network::Fact,
    trouble::{NO_TRAIL, TRAIL_STOPPED, TRAIL_UNKNOWN, TRAIL_WITHOUT_CHANGES, Trouble},
};

/// A trail that CloudTrail shows in the region.
#[derive(Clone, Debug)]
pub(crate) struct Trail {
    pub(super) arn: String,
    pub(super) home: String,
    pub(super) is_multi_region: bool,
    pub(super) is_logging: Fact<bool>,
    pub(super) selection: Fact<Selection>,
}

/// Which events a trail logs.
#[derive(Clone, Debug)]
pub(super) enum Selection {
    /// Every management event, as where nobody has chosen.
    Default,
    /// What one of these takes (`EventSelector`).
    Basic(Vec<Basic>),
    /// What every field of one of these takes (`AdvancedEventSelector`).
    Advanced(Vec<Vec<Field>>),
}

#[derive(Clone, Debug)]
pub(super) struct Basic {
    pub(super) has_management_events: bool,
    pub(super) has_writes: bool,
    pub(super) excluded_sources: Vec<String>,
}

/// A condition on a field of an event. An empty list is no condition.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) equals: Vec<String>,
    pub(super) not_equals: Vec<String>,
    /// It has conditions of another kind, which CloudTrail does not document for these fields.
    pub(super) has_others: bool,
}

/// Whether events are logged; the surer one is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Logged {
    No,
    Unknown,
    Yes,
}

/// The service whose calls automirror waits for.
const SOURCE: &str = "ec2.amazonaws.com";

/// One trail is enough. Where none is, the one that nobody can tell anything about counts for more.
pub(super) fn judge(region: &str, trails: &Fact<Vec<Trail>>) -> Result<String, Trouble> {
    let trails = trails.as_ref().map_err(Trouble::unread)?;
    let detail = format!("no trail is for {region}");
    let mut found = Trouble::new(&NO_TRAIL, region, detail);
    let is_for_region = |it: &&Trail| it.is_multi_region || it.home == region;
    for (index, trail) in trails.iter().filter(is_for_region).enumerate() {
        match trail.logs() {
            Ok(()) => return Ok(format!("{} logs the calls that change something", trail.arn)),
            Err(trouble) if index == 0 || trouble.grade > found.grade => found = trouble,
            Err(_) => {}
        }
    }
    Err(found)
}

impl Trail {
    fn logs(&self) -> Result<(), Trouble> {
        let arn = self.arn.as_str();
        if !*self.is_logging.as_ref().map_err(Trouble::unread)? {
            return Err(Trouble::new(&TRAIL_STOPPED, arn, format!("{arn} does not log")));
        }
        match self.selection.as_ref().map_err(Trouble::unread)?.logs_changes() {
            Logged::Yes => Ok(()),
            Logged::No => {
                let detail = format!("{arn} leaves out EC2's management events that write");
                Err(Trouble::new(&TRAIL_WITHOUT_CHANGES, arn, detail))
            }
            Logged::Unknown => {
                let detail = format!("{arn} selects events by a field that is not known");
                Err(Trouble::new(&TRAIL_UNKNOWN, arn, detail))
            }
        }
    }
}

impl Selection {
    /// Whether it takes calls that change something in EC2.
    fn logs_changes(&self) -> Logged {
        let best = match self {
            Self::Default => Some(Logged::Yes),
            Self::Basic(selectors) => selectors.iter().map(Basic::logs_changes).max(),
            Self::Advanced(selectors) => {
                let all = |fields: &Vec<Field>| fields.iter().map(Field::takes_changes).min();
                selectors.iter().filter_map(all).max()
            }
        };
        best.unwrap_or(Logged::No)
    }
}

impl Basic {
    fn logs_changes(&self) -> Logged {
        let is_excluded = self.excluded_sources.iter().any(|source| source == SOURCE);
        if self.has_management_events && self.has_writes && !is_excluded {
            Logged::Yes
        } else {
            Logged::No
        }
    }
}

impl Field {
    /// These are the fields of management events that a trail can select by (`AdvancedFieldSelector`). One value of a
    /// list is enough.
    fn takes_changes(&self) -> Logged {
        let value = match self.name.as_str() {
            "eventCategory" => "Management",
            "readOnly" => "false",
            "eventSource" => SOURCE,
            _ => return Logged::Unknown,
        };
        let has = |list: &[String]| list.iter().any(|item| item == value);
        let is_left_out = (!self.equals.is_empty() && !has(&self.equals)) || has(&self.not_equals);
        match (is_left_out, self.has_others) {
            (true, _) => Logged::No,
            (false, true) => Logged::Unknown,
            (false, false) => Logged::Yes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{doctor::trouble::Grade, problem::Problem};

    fn refused<T>(action: &str) -> Fact<T> {
        Err(Problem::of_call(action, Some("AccessDeniedException"), &std::fmt::Error))
    }

    fn trail(arn: &str, selection: Selection) -> Trail {
        Trail {
            arn: arn.to_owned(),
            home: "z".to_owned(),
            is_multi_region: false,
            is_logging: Ok(true),
            selection: Ok(selection),
        }
    }

    fn basic(has_management_events: bool, has_writes: bool, excluded: &[&str]) -> Basic {
        let excluded_sources = excluded.iter().map(|it| (*it).to_owned()).collect();
        Basic { has_management_events, has_writes, excluded_sources }
    }

    fn field(name: &str, equals: &[&str], not_equals: &[&str]) -> Field {
        let [equals, not_equals] =
            [equals, not_equals].map(|list| list.iter().map(|it| (*it).to_owned()).collect());
        Field { name: name.to_owned(), equals, not_equals, has_others: false }
    }

    fn management(more: Option<Field>) -> Vec<Field> {
        [field("eventCategory", &["Management"], &[])].into_iter().chain(more).collect()
    }

    #[test]
    fn basic_selectors_log_changes_if_one_of_them_does() {
        for (selectors, expected) in [
            (vec![], Logged::No),
            (vec![basic(true, true, &["kms.amazonaws.com"])], Logged::Yes),
            (vec![basic(false, true, &[])], Logged::No),
            (vec![basic(true, false, &[])], Logged::No),
            (vec![basic(true, true, &["ec2.amazonaws.com"])], Logged::No),
            (vec![basic(false, true, &[]), basic(true, true, &[])], Logged::Yes),
        ] {
            let selection = Selection::Basic(selectors);
            assert_eq!(selection.logs_changes(), expected, "{selection:?}");
        }
    }

    #[test]
    fn advanced_selectors_log_changes_if_every_field_of_one_of_them_does() {
        let reads = field("readOnly", &["true"], &[]);
        let strange = field("userIdentity.arn", &[], &["arn:x"]);
        let vague = Field { has_others: true, ..field("eventSource", &[], &[]) };
        let vague_elsewhere =
            Field { has_others: true, ..field("eventSource", &["s3.amazonaws.com"], &[]) };
        for (fields, expected) in [
            (management(None), Logged::Yes),
            (management(Some(field("readOnly", &["false"], &[]))), Logged::Yes),
            (management(Some(reads.clone())), Logged::No),
            (management(Some(field("eventSource", &[], &["kms.amazonaws.com"]))), Logged::Yes),
            (management(Some(field("eventSource", &[], &["ec2.amazonaws.com"]))), Logged::No),
            (management(Some(strange.clone())), Logged::Unknown),
            (management(Some(vague)), Logged::Unknown),
            (management(Some(vague_elsewhere)), Logged::No),
            (vec![reads, strange.clone()], Logged::No),
            (vec![field("eventCategory", &["Data"], &[]), strange], Logged::No),
            (vec![], Logged::No),
        ] {
            let one = Selection::Advanced(vec![fields.clone()]);
            assert_eq!(one.logs_changes(), expected, "{fields:?}");
            let beside = Selection::Advanced(vec![fields, management(None)]);
            assert_eq!(beside.logs_changes(), Logged::Yes);
        }
    }

    #[test]
    fn one_trail_is_enough_and_one_that_is_not_read_may_be_it() {
        let judged = |trails: &[&Trail]| {
            let trails = trails.iter().copied().cloned().collect();
            judge("z", &Ok(trails)).map_err(|it| (it.code, it.at))
        };
        let good = trail("good", Selection::Default);
        let stopped = Trail { is_logging: Ok(false), ..trail("stopped", Selection::Default) };
        let reads = trail("reads", Selection::Basic(vec![basic(true, false, &[])]));
        let hidden = Trail { selection: refused("a:B"), ..good.clone() };
        let dark = Trail { is_logging: refused("a:C"), ..stopped.clone() };
        let is = |code, at: &str| Err((code, at.to_owned()));
        assert_eq!(judged(&[]), is("no-trail", "z"));
        let elsewhere = Trail { home: "y".to_owned(), ..good.clone() };
        assert_eq!(judged(&[&elsewhere]), is("no-trail", "z"));
        assert!(judged(&[&Trail { is_multi_region: true, ..elsewhere }]).is_ok());
        assert_eq!(judged(&[&stopped, &reads]), is("trail-stopped", "stopped"));
        assert_eq!(judged(&[&reads, &stopped]), is("trail-without-changes", "reads"));
        for (unread, action) in [(&hidden, "a:B"), (&dark, "a:C")] {
            assert_eq!(judged(&[unread]), is("no-permission", action));
            assert_eq!(judged(&[&stopped, unread]), is("no-permission", action));
            assert_eq!(judged(&[unread, &stopped]), is("no-permission", action));
            assert!(judged(&[unread, &stopped, &good]).is_ok());
        }
        // One that is stopped logs nothing, whatever it selects.
        let both = Trail { selection: refused("a:B"), ..stopped };
        assert_eq!(judged(&[&both]), is("trail-stopped", "stopped"));
        assert_eq!(judge("z", &refused("a:D")).unwrap_err().grade, Grade::CannotTell);
    }
}
