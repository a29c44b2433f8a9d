//! What people ask about a reason once they have read it: which rule of the decision gave it, why it
//! matters, and how to mend it. The functions never read this; the command line and the documentation do.

/// The rules of the decision, in the order in which they are asked. The first that does not pass ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Is what was read enough, and can the settings be right?
    Evidence,
    /// Do tags, scope, VPC and state select it?
    Selected,
    /// Can EC2 mirror it?
    Possible,
    /// Is there a target that is allowed and has room?
    Target,
    /// Is there a filter, and does it accept packets?
    Filter,
    /// Is there a free session number?
    Number,
    /// Does a foreign session cover it, or take its packets?
    Foreign,
    /// Is the session that is there the right one?
    Compare,
}

/// Every rule, in its order, with its question.
pub const RULES: [(Rule, &str); 8] = [
    (Rule::Evidence, "Is what was read enough, and can the settings be right?"),
    (Rule::Selected, "Do tags, scope, VPC and state select it?"),
    (Rule::Possible, "Can EC2 mirror it?"),
    (Rule::Target, "Is there a target that is allowed and has room?"),
    (Rule::Filter, "Is there a filter, and does it accept packets?"),
    (Rule::Number, "Is there a free session number?"),
    (Rule::Foreign, "Does a foreign session cover it, or take its packets?"),
    (Rule::Compare, "Is the session that is there the right one?"),
];

/// What there is to say about a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The code of the reason.
    pub code: &'static str,
    /// The rule that gives it.
    pub rule: Rule,
    /// Why it matters.
    pub why: &'static str,
    /// How to mend it.
    pub mend: &'static str,
    /// Where AWS says so; empty where it follows from the settings alone.
    pub source: &'static str,
}

/// What there is to say about the reason with this code.
#[must_use]
pub fn advice(code: &str) -> Option<&'static Advice> {
    ADVICE.iter().find(|advice| advice.code == code)
}

const LIMITATIONS: &str = "Traffic Mirroring guide, Limitations";
const QUOTAS: &str = "Traffic Mirroring guide, Quotas";
const SESSIONS: &str = "Traffic Mirroring guide, Sessions";
const FILTERS: &str = "Traffic Mirroring guide, Filters";
const TARGETS: &str = "Traffic Mirroring guide, Targets";
const TYPES: &str = "Traffic Mirroring guide, Supported instance types";

macro_rules! advice {
    ($($code:literal, $rule:ident, $why:literal, $mend:literal, $source:expr;)*) => {
        /// What there is to say about each reason.
        pub const ADVICE: &[Advice] = &[
            $(Advice { code: $code, rule: Rule::$rule, why: $why, mend: $mend, source: $source },)*
        ];
    };
}

advice! {
    "as-wanted", Compare, "The packets of the interface reach an allowed target.", "Nothing to do.", SESSIONS;
    "covered", Foreign,
        "Somebody else's session sends the packets to an allowed target, so a second one would cost twice.",
        "Nothing to do. If that session goes, automirror creates one.", SESSIONS;
    "not-mirrored", Compare, "The packets of the interface reach no sensor.",
        "automirror creates the session at the next event or sweep. If it stays, look at MIRROR_MODE and the \
         function's log.", SESSIONS;
    "drifted", Compare, "The session sends other packets, or to another place, than the settings say.",
        "automirror modifies the session at the next event or sweep.", SESSIONS;
    "draining", Target, "The target is about to be taken away, so its sessions must leave it first.",
        "Wait: each sweep moves 50 sessions. Remove the tag Mirror-Drain to stop it.", TARGETS;
    "duplicate", Compare, "EC2 mirrors each packet once, so the second session costs money and mirrors nothing.",
        "automirror deletes it at the next event or sweep.", SESSIONS;
    "not-selected", Selected, "Nobody asked for this instance to be mirrored.",
        "Tag the instance, or set MIRROR_SCOPE to all.", "";
    "opted-out", Selected, "Whoever may tag the instance keeps it from being mirrored.",
        "Remove the tag or its value False. A tag policy or an SCP on ec2:CreateTags limits who may set it.", "";
    "not-running", Selected, "A stopped instance sends no packets, and AWS bills its sessions.",
        "Nothing to do: the session comes when the instance starts. MIRROR_KEEP_STOPPED keeps it.", SESSIONS;
    "leaving", Selected, "Packets may still flow until it has stopped.",
        "Nothing to do: its sessions end with it.", SESSIONS;
    "not-primary", Selected, "Packets of the other interfaces reach no sensor.",
        "Set MIRROR_INTERFACES to all, or remove the tag Mirror-Interfaces.", "";
    "is-sensor", Selected, "Mirroring a sensor copies the copies, without an end.",
        "Nothing to do. Tag the instance with the selecting tag if it should be mirrored all the same.", TARGETS;
    "other-vpc", Selected, "The settings limit mirroring to other VPCs.", "Add the VPC to MIRROR_VPC_IDS.", "";
    "detached", Selected, "An interface that is attached to nothing has no packets.", "Nothing to do.", SESSIONS;
    "interface-gone", Selected, "EC2 deletes the sessions on an interface with it.", "Nothing to do.", SESSIONS;
    "instance-not-visible", Selected, "Nothing that EC2 shows says whether it should be mirrored.",
        "Nothing to do for an interface of an AWS service. Otherwise look again in a few minutes.",
        "EC2 API, Eventual consistency";
    "interface-type", Possible, "The packets of this interface reach no sensor.",
        "Use an interface of type `interface`, or accept it with MIRROR_ACCEPTED_REASONS.", LIMITATIONS;
    "requester-managed", Possible, "The packets of this interface reach no sensor.",
        "Accept it with MIRROR_ACCEPTED_REASONS; the service may have logs of its own.", LIMITATIONS;
    "is-target", Possible, "The interface receives mirrored packets, so EC2 refuses it as a source.",
        "Accept it with MIRROR_ACCEPTED_REASONS, or opt the instance out.", TARGETS;
    "ipv6-only", Possible, "The packets of this interface reach no sensor.",
        "Give the subnet IPv4 addresses, or accept it with MIRROR_ACCEPTED_REASONS.", LIMITATIONS;
    "instance-type", Possible, "The packets of this instance reach no sensor.",
        "Change the instance to a type that EC2 can mirror, or accept it with MIRROR_ACCEPTED_REASONS.", TYPES;
    "instance-type-unknown", Possible, "Nobody knows whether the packets of this instance can be mirrored.",
        "Add the type to MIRROR_SUPPORTED_TYPES or MIRROR_UNSUPPORTED_TYPES.", TYPES;
    "made-a-target", Possible,
        "Whoever created that target keeps EC2 from mirroring this interface: its packets reach no sensor.",
        "Find in CloudTrail who called CreateTrafficMirrorTarget, and delete the target: \
         aws ec2 delete-traffic-mirror-target --traffic-mirror-target-id ID", TARGETS;
    "setting-broken", Evidence, "Nothing is created, modified or deleted until the setting is right.",
        "Correct the parameter of the stack or module: it names something that does not exist. (A VPC without any network interface cannot be told from one that does not exist.)", "";
    "tags-unconfirmed", Evidence, "EC2's lists leave tags out now and then: a deletion could be a mistake.",
        "Wait for the next sweep. If it stays, compare describe-instances with describe-tags.",
        "EC2 API, Eventual consistency";
    "interface-unknown", Evidence, "Nothing is known about the packets of this interface.",
        "Wait for the next sweep: EC2 deletes a session with its interface.", "EC2 API, Eventual consistency";
    "tag-unreadable", Target, "Nobody knows which sessions the instance should have, so those that are there stay.",
        "Correct the tag of the instance; the message says what is accepted.", "";
    "tag-conflict", Target, "Nobody knows which of the two tags counts, so the sessions that are there stay.",
        "Remove one of the two spellings of the tag.", "";
    "too-many-targets", Target, "An interface has at most 3 sessions, whoever owns them.",
        "Name at most 3 targets in the tag Mirror-Target.", QUOTAS;
    "filter-count", Filter, "Nobody knows which filter belongs to which target.",
        "Name one filter for each target, in the same order.", "";
    "same-filter-twice", Filter, "The second session would mirror nothing.",
        "Give each target a filter of its own in the tag Mirror-Filter.", SESSIONS;
    "target-not-allowed", Target, "Packets would go, or go, to a place that nobody agreed to.",
        "Correct the tag Mirror-Target, or add the target to MIRROR_TARGET_IDS or its owner to \
         MIRROR_TARGET_OWNERS.", TARGETS;
    "target-unknown", Target, "The packets reach nobody, or nobody knows whom.",
        "Correct the id, or have the owner share the target with this account (AWS RAM).", TARGETS;
    "target-unseen", Target, "The sessions may lead nowhere: the load balancer or endpoint may have been deleted.",
        "Check the load balancer or endpoint behind the target, and delete the target if it is gone.", TARGETS;
    "target-gone", Target, "The sessions lead nowhere: the packets are lost.",
        "Create a target for another sensor, and delete this one.", TARGETS;
    "target-stopped", Target, "The sessions lead nowhere until the sensor runs again.",
        "Start the instance behind the target, or create another target.", TARGETS;
    "target-unhealthy", Target,
        "The session is there and billed, and no sensor gets its packets: the load balancer has no UDP listener on port \
         4789, nothing healthy behind it, or is not active, or a security group lets no UDP in on that port.",
        "`mirrorctl doctor` names the link that is broken, and the command that mends it. The AWS Config rule says this \
         only with its parameter targetHealth, once the target has been so for the minutes that are set there.",
        TARGETS;
    "target-draining", Target, "There is nowhere else to go, so new sources reach no sensor.",
        "Create another target, or remove the tag Mirror-Drain.", TARGETS;
    "no-target", Target, "Nothing can be mirrored.",
        "Create a target in this account, or set MIRROR_TARGET_IDS or MIRROR_TARGET_OWNERS.", TARGETS;
    "target-full", Target, "The packets of the interface reach no sensor.",
        "Name another target in the tag Mirror-Target, or put a Network Load Balancer in front of the sensors: \
         it has no limit.", QUOTAS;
    "targets-full", Target, "The packets of the interface reach no sensor.",
        "Create another target. A Network Load Balancer or a Gateway Load Balancer endpoint has no limit.", QUOTAS;
    "no-filter", Filter, "Without a filter no session can be created.",
        "Set MIRROR_FILTER_ID, or tag one filter with ManagedBy and the owner.", FILTERS;
    "filter-unknown", Filter, "Without its filter the session cannot be created.",
        "Correct the id in the tag Mirror-Filter or in MIRROR_FILTER_ID.", FILTERS;
    "filter-empty", Filter, "The session costs money and mirrors nothing.",
        "Add rules: aws ec2 create-traffic-mirror-filter-rule", FILTERS;
    "filter-partial", Filter, "What the filter leaves out reaches no sensor.",
        "Add rules for what is missing, or accept it with MIRROR_ACCEPTED_REASONS.", FILTERS;
    "no-free-slot", Number, "The packets of the interface reach no sensor of yours.",
        "Delete a foreign session on the interface, or agree with its owner.", QUOTAS;
    "no-free-number", Number, "The packets of the interface reach no sensor of yours.",
        "Have the owner of the foreign session choose another number, or change MIRROR_PRECEDENCE.", SESSIONS;
    "removed", Compare,
        "The packets of these interfaces are no longer mirrored.",
        "If that was not meant, start a sweep: aws lambda invoke with the payload {\"sweep\":true}.", "";
    "other-installation", Foreign,
        "Two installations that want different things would undo each other's changes without end.",
        "Give each stack or module a MIRROR_OWNER of its own, or remove one of them. A session of an \
         installation that is gone becomes this one's when its tag Installation is removed.", "";
    "shadowed", Foreign,
        "Somebody else gets the packets, and your sensor does not: that is how traffic is stolen.",
        "Find in CloudTrail who called CreateTrafficMirrorSession, and delete the session: \
         aws ec2 delete-traffic-mirror-session --traffic-mirror-session-id ID. A target that is meant goes \
         into MIRROR_TRUSTED_TARGETS.", SESSIONS;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::reason::REASONS;

    #[test]
    fn every_reason_has_advice_and_nothing_else_does() {
        let mut codes: Vec<_> = REASONS.iter().map(|entry| entry.code).collect();
        let mut advised: Vec<_> = ADVICE.iter().map(|advice| advice.code).collect();
        codes.sort_unstable();
        advised.sort_unstable();
        assert_eq!(advised, codes);
        for Advice { code, why, mend, .. } in ADVICE {
            assert!(why.ends_with('.') && !mend.is_empty(), "{code}");
            assert_eq!(advice(code).map(|advice| advice.code), Some(*code));
        }
    }

    #[test]
    fn the_rules_are_in_their_order() {
        assert!(RULES.is_sorted_by_key(|(rule, _)| *rule));
    }
}
