//! The end of an installation: a plan that deletes every owned session, whatever settings and tags say.

use super::{
    reason::Reason,
    step::{Action, Plan, Step},
};
use crate::{
    observed::{Observed, Session},
    policy::Policy,
};

/// Deletes every owned session that is in `observed`.
pub fn remove(policy: &Policy, observed: &Observed) -> Plan {
    let owned = observed.sessions.iter().filter(|it| it.is_owned(policy, &observed.account));
    let mut steps: Vec<_> = owned.map(delete).collect();
    steps.sort_by(|a, b| a.source.cmp(&b.source));
    Plan { steps, ..Plan::default() }
}

fn delete(session: &Session) -> Step {
    Step {
        // Nobody has to look at instances for this.
        instance: None,
        source: session.interface.clone(),
        before: Some(Box::new(session.clone())),
        action: Action::Delete(session.id.clone()),
        reason: Reason::Removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::test_cloud::*;

    #[test]
    fn every_owned_session_goes_and_no_other_even_with_broken_settings() {
        let mut theirs = owned("tms-4", "eni-9", 2);
        theirs.installation = Some("other".into());
        let mut elsewhere = owned("tms-5", "eni-9", 3);
        elsewhere.account = "999999999999".parse().unwrap();
        let cloud = Cloud::new()
            .set("MIRROR_TARGET_IDS", "tmt-404")
            .set("MIRROR_INSTALLATION", "this")
            .session(owned("tms-1", "eni-1", 1))
            .session(owned("tms-2", "eni-9", 1))
            .session(foreign("tms-3", 2, "tmt-1", "tmf-1"))
            .session(theirs)
            .session(elsewhere);
        let plan = remove(&cloud.policy(), &cloud.observed);
        let deleted: Vec<_> = plan.steps.iter().map(|step| step.action.clone()).collect();
        let expected = ["tms-1", "tms-2"].map(|id| Action::Delete(id.parse().unwrap()));
        assert_eq!(deleted, expected);
        assert!(plan.steps.iter().all(|step| step.reason == Reason::Removed));
    }
}
