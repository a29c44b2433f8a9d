//! What a link can lack, as a catalogue: a code for machines that never changes, what it means, why it matters
//! and how to mend it. `explain CODE` prints an entry. What the plan itself says has the plan's own codes, and what
//! could not be read has those of `problem`.

use serde::Serialize;
use shared::plan::{advice::advice, reason::REASONS};

use crate::problem::{KINDS, Problem};

/// How bad it is; the worse one is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Grade {
    /// Part of what should arrive does, or it does later.
    Limited,
    /// Nobody can tell.
    CannotTell,
    /// Nothing arrives, or would.
    Broken,
}

impl Grade {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Limited => "limited",
            Self::CannotTell => "cannot-tell",
            Self::Broken => "broken",
        }
    }
}

/// What there is to know of a fault.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) grade: Grade,
    pub(crate) sentence: &'static str,
    pub(crate) why: &'static str,
    pub(crate) mend: &'static str,
    /// Where AWS says so.
    pub(crate) source: &'static str,
}

/// A fault that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Trouble {
    pub(crate) grade: Grade,
    pub(crate) code: &'static str,
    /// What it lies in: an id, a name, or a permission.
    pub(crate) at: String,
    /// What is the matter there.
    pub(crate) detail: String,
}

/// What is found out about a link: it is fine, or not.
pub(crate) type Judgement = Result<(), Trouble>;

impl Trouble {
    pub(crate) fn new(fault: &Fault, at: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { grade: fault.grade, code: fault.code, at: at.into(), detail: detail.into() }
    }

    /// What could not be read is neither fine nor broken.
    pub(crate) fn unread(problem: &Problem) -> Self {
        let at = problem.detail.split_once(": ").map_or(problem.detail.as_str(), |(at, _)| at);
        Self {
            grade: Grade::CannotTell,
            code: problem.kind.code,
            at: at.to_owned(),
            detail: format!("{}: {}", problem.kind.sentence, problem.detail),
        }
    }

    /// Why it matters, and how to mend it.
    pub(crate) fn advice(&self) -> [&'static str; 2] {
        if let Some(fault) = FAULTS.iter().find(|fault| fault.code == self.code) {
            return [fault.why, fault.mend];
        }
        if let Some(advice) = advice(self.code) {
            return [advice.why, advice.mend];
        }
        let kind = KINDS.iter().find(|kind| kind.code == self.code);
        kind.map_or_else(Default::default, |kind| [kind.why, kind.mend])
    }
}

/// Of two judgements about one link the worse one.
pub(crate) fn worse(one: Judgement, other: Judgement) -> Judgement {
    match (one, other) {
        (Ok(()), other) | (other, Ok(())) => other,
        (Err(one), Err(other)) => Err(if one.grade < other.grade { other } else { one }),
    }
}

/// Whether there is such a code, of whatever catalogue.
pub(crate) fn is_code(code: &str) -> bool {
    FAULTS.iter().any(|fault| fault.code == code)
        || REASONS.iter().any(|entry| entry.code == code)
        || KINDS.iter().any(|kind| kind.code == code)
}

const TARGETS: &str = "Traffic Mirroring guide, Targets";
const SESSIONS: &str = "Traffic Mirroring guide, Sessions";
const LIMITATIONS: &str = "Traffic Mirroring guide, Limitations";
const CONNECTIONS: &str = "Traffic Mirroring guide, Connectivity options";
const CONSIDERATIONS: &str = "Traffic Mirroring guide, Routing and security group rules evaluation";
const GROUP_RULES: &str = "VPC guide, Security group rules";
const ACLS: &str = "VPC guide, Network ACL rules";
const BALANCERS: &str = "Network Load Balancers guide, Cross-zone load balancing for target groups";
const HEALTH: &str = "Network Load Balancers guide, Health checks for target groups";
const METRICS: &str = "Traffic Mirroring guide, CloudWatch metrics";
const NOTHING: &str = "Packets are copied and billed, and reach no sensor.";
const LOST: &str = "Packets are copied and billed, and are dropped on the way.";
const RECORDER: &str = "AWS Config guide, Working with the configuration recorder";
const TRAILS: &str = "EventBridge guide, AWS service events delivered via AWS CloudTrail";
const MANAGEMENT_EVENTS: &str = "CloudTrail guide, Logging management events";
const QUOTAS: &str = "Traffic Mirroring guide, Quotas";
const UNEVALUATED: &str = "AWS Config does not evaluate its rule when something changes, so nothing but the alarms and \
                           the log reports what is not mirrored.";
const SWEPT: &str = "What others do to sessions is seen only by the next sweep: EventBridge gets calls through a trail.";
const ANYTHING: &str =
    "What was not seen may be anything, so this link is neither fine nor broken.";
const UNSEEN: &str = "What was not seen may be anything, so this check is neither fine nor broken.";

macro_rules! faults {
    ($($name:ident: $code:literal, $grade:ident, $sentence:literal, $why:expr, $mend:literal, $source:expr;)*) => {
        $(pub(crate) static $name: Fault = Fault {
            code: $code, grade: Grade::$grade, sentence: $sentence, why: $why, mend: $mend,
            source: $source,
        };)*
        /// Every fault.
        pub(crate) static FAULTS: &[&Fault] = &[$(&$name,)*];
    };
}

faults! {
    SHARE_WITHDRAWN: "share-withdrawn", Broken,
        "EC2 does not find the target of a session: it is no longer shared with this account", NOTHING,
        "Have the owner share the target again (AWS RAM), or choose another target in MIRROR_TARGET_IDS.",
        TARGETS;
    SESSION_IDLE: "session-idle", Broken,
        "the session is on an instance that does not run", "The session is billed and mirrors nothing.",
        "Start the instance, or set MIRROR_KEEP_STOPPED to false: then automirror deletes the session.", SESSIONS;
    BALANCER_GONE: "balancer-gone", Broken,
        "the load balancer behind the target does not exist", NOTHING,
        "Create a load balancer and a target for it, name that target in MIRROR_TARGET_IDS, and delete this one.",
        TARGETS;
    BALANCER_NOT_ACTIVE: "balancer-not-active", Broken,
        "the load balancer behind the target is not active", NOTHING,
        "Wait if it is being provisioned; a load balancer that has failed must be created again.", HEALTH;
    ENDPOINT_GONE: "endpoint-gone", Broken,
        "the Gateway Load Balancer endpoint behind the target does not exist", NOTHING,
        "Create an endpoint and a target for it, name that target in MIRROR_TARGET_IDS, and delete this one.",
        TARGETS;
    ENDPOINT_NOT_AVAILABLE: "endpoint-not-available", Broken,
        "the Gateway Load Balancer endpoint behind the target is not available", NOTHING,
        "Have the owner of its endpoint service accept the endpoint; where the service is gone, create another \
         endpoint.", "AWS PrivateLink guide, Gateway Load Balancer endpoints";
    NO_LISTENER: "no-listener", Broken,
        "the load balancer has no UDP listener on port 4789", "AWS reports nothing when the listener goes: the \
         packets are copied and billed, and dropped.",
        "Add one: aws elbv2 create-listener --protocol UDP --port 4789", TARGETS;
    NO_HEALTHY_SENSOR: "no-healthy-sensor", Broken,
        "no sensor behind the load balancer is healthy", NOTHING,
        "Start the sensors, register them with the target group, and see why their health check fails: aws elbv2 \
         describe-target-health", HEALTH;
    NO_HEALTHY_SENSOR_IN_ZONE: "no-healthy-sensor-in-zone", Broken,
        "no sensor in the source's zone is healthy, and cross-zone load balancing is off",
        "The load balancer's node in that zone has nobody to hand the packets to.",
        "Turn on load_balancing.cross_zone.enabled of the load balancer, or run a sensor in each zone.", BALANCERS;
    ZONE_WITHOUT_NODE: "zone-without-node", Broken,
        "the load balancer has no node in the source's zone, and cross-zone load balancing is off", NOTHING,
        "Add a subnet of that zone to the load balancer (aws elbv2 set-subnets), or turn on \
         load_balancing.cross_zone.enabled.", BALANCERS;
    SECURITY_GROUP_IN: "security-group-in", Broken,
        "the security groups let no UDP in from the source on the port", LOST,
        "Add an inbound rule for UDP on the port that is named, from the addresses of the sources: aws ec2 \
         authorize-security-group-ingress", CONSIDERATIONS;
    SECURITY_GROUP_OUT: "security-group-out", Broken,
        "the security groups of the load balancer let no UDP out to the sensor", LOST,
        "Add an outbound rule for UDP on the port that is named, to the sensors: aws ec2 \
         authorize-security-group-egress", GROUP_RULES;
    NETWORK_ACL_IN: "network-acl-in", Broken,
        "the network ACL lets no UDP into the subnet on the port", LOST,
        "Add an inbound rule that allows UDP on the port that is named, before the rule that denies it: aws ec2 \
         create-network-acl-entry", ACLS;
    NETWORK_ACL_OUT: "network-acl-out", Broken,
        "the network ACL lets no UDP out of the subnet on the port", LOST,
        "Add an outbound rule that allows UDP on the port that is named, before the rule that denies it: aws ec2 \
         create-network-acl-entry", ACLS;
    NO_ROUTE: "no-route", Broken,
        "the route table of the source's subnet leads no packet to the target", LOST,
        "Add a route to the target's addresses, through a peering connection or a transit gateway: aws ec2 \
         create-route", CONNECTIONS;
    PACKETS_CUT: "packets-cut", Limited,
        "long packets are cut off at their end", "A sensor cannot check what it has only the beginning of.",
        "Set the MTU of the sources to what is named, or give their MTU with --source-mtu if it is lower already.",
        LIMITATIONS;
    NOT_SHOWN: "not-shown", CannotTell,
        "AWS does not show something that the packets pass", ANYTHING,
        "Run doctor as the account that owns it: the owner of a shared VPC alone sees its subnets' rules.",
        LIMITATIONS;
    OTHER_ACCOUNT: "other-account", CannotTell,
        "the target belongs to another account, and what is behind it cannot be seen from here", ANYTHING,
        "Run doctor in that account, or accept it with --ignore other-account=TARGET.", TARGETS;
    TARGET_STATE_UNKNOWN: "target-state-unknown", CannotTell,
        "nothing that EC2 shows says whether the target receives", ANYTHING,
        "Look again in a few minutes; `mirrorctl explain TARGET` says what is known of it.", TARGETS;
    TARGET_KIND_UNKNOWN: "target-kind-unknown", CannotTell,
        "this version does not know the kind of the target", ANYTHING,
        "Use a newer mirrorctl, or accept it with --ignore target-kind-unknown=TARGET.", TARGETS;
    NO_COPIES: "no-copies", Broken,
        "the source sends and receives packets, and no copy of any", "The session is there and mirrors nothing.",
        "See whether the filter takes what the source sends and receives (`mirrorctl explain INTERFACE`), and whether \
         EC2 mirrors it at all: it never does DHCP, ARP, NTP and instance metadata. Of a session that is new, ask again \
         in ten minutes: CloudWatch gets to know of its copies later.", METRICS;
    IDLE: "idle", CannotTell,
        "the source sends and receives nothing", "Without packets there are no copies, so nobody knows whether it \
         would send any.",
        "Have the source send something and ask again, or accept it with --ignore idle=INSTANCE.", METRICS;
    COUNTED_TOGETHER: "counted-together", CannotTell,
        "CloudWatch counts all sessions and interfaces of an instance together, and all UDP of a load balancer",
        "What was counted may be that of others.",
        "Look at a capture (--seen), or accept it with --ignore counted-together=ID.", METRICS;
    NOT_RANKED: "not-ranked", CannotTell,
        "the source is not among those that CloudWatch shows", ANYTHING,
        "CloudWatch shows the 500 instances with the most losses: mend these first, and ask again.",
        "CloudWatch guide, Metrics Insights quotas";
    COPIES_DROPPED: "copies-dropped", Limited,
        "copies are lost under load, before they leave the source",
        "The source's own packets go first: what is lost, no sensor can see.",
        "Use an instance type with more bandwidth, or have the filter take less.", METRICS;
    BALANCER_GETS_NOTHING: "balancer-gets-nothing", Broken,
        "copies leave the sources, and the load balancer has processed none", LOST,
        "Look at the links before this one. Where all are fine, capture on a sensor and use --seen.",
        "Network Load Balancers guide, CloudWatch metrics";
    LOST_ON_THE_WAY: "lost-on-the-way", Broken,
        "copies leave the source, and no sensor has captured one", LOST,
        "Capture on every sensor behind the target for longer. If the source is still not among it, see whether the \
         sensor's interface gets UDP on port 4789, and look at what AWS shows nothing of: the target's other account, \
         an appliance, a firewall on the sensor.", TARGETS;
    NOT_SEEN: "not-seen", CannotTell,
        "no sensor has captured a copy from the source", "The source may have sent nothing, or what it sends is \
         lost where AWS shows nothing: under load, or in the sensor.",
        "Capture on every sensor behind the target while the source sends something. If the source is still not \
         among it, look at the sensor's socket (UDP port 4789), and ask with --flow whether copies leave the source.", SESSIONS;
    SAME_SENDER: "same-sender", CannotTell,
        "copies were captured that several sessions may have sent: they have one address and one VNI",
        "Nobody knows whether the copies that arrive are those of this session.",
        "Let EC2 give each session its own VNI: leave MIRROR_VNI empty, and capture again.", SESSIONS;
    BEHIND_ENDPOINT: "behind-endpoint", CannotTell,
        "nobody looks behind the service of a Gateway Load Balancer endpoint", ANYTHING,
        "Look at the target groups of the Gateway Load Balancer, and accept it with --ignore \
         behind-endpoint=ENDPOINT.", TARGETS;
    HEALTH_UNKNOWN: "health-unknown", CannotTell,
        "the load balancer does not say whether its sensors are healthy", ANYTHING,
        "Turn on the health checks of the target group, or wait for the first one to end.", HEALTH;
    PREFIX_LIST: "prefix-list", CannotTell,
        "a rule or a route names a prefix list, whose addresses are not read", ANYTHING,
        "See what the list holds (aws ec2 get-managed-prefix-list-entries), and accept it with --ignore \
         prefix-list=LIST.", GROUP_RULES;
    ROUTE_NOT_FOLLOWED: "route-not-followed", CannotTell,
        "the route leads through something that is not followed further", ANYTHING,
        "Check what the message assumes, and accept it with --ignore route-not-followed=ID.", CONNECTIONS;
    NO_RECORDER: "no-recorder", Broken, "AWS Config has no recorder in the region", UNEVALUATED,
        "Turn AWS Config on in the region: aws configservice put-configuration-recorder. Or deploy \
         without the rule (CreateConfigRule=false), and accept it with --ignore no-recorder=*.", RECORDER;
    RECORDER_STOPPED: "recorder-stopped", Broken, "the recorder of AWS Config is stopped", UNEVALUATED,
        "Start it: aws configservice start-configuration-recorder. Or deploy without the rule \
         (CreateConfigRule=false), and accept it with --ignore recorder-stopped=*.", RECORDER;
    RECORDER_FAILING: "recorder-failing", Broken, "the recorder of AWS Config fails", UNEVALUATED,
        "AWS's code says why: mend the recorder's role and its delivery channel (aws configservice \
         describe-delivery-channels).", RECORDER;
    TYPE_NOT_RECORDED: "type-not-recorded", Limited,
        "the recorder of AWS Config leaves out a type that the rule evaluates",
        "Resources of this type are evaluated on schedule only.",
        "Let the recorder record the type: aws configservice put-configuration-recorder", RECORDER;
    RECORDED_DAILY: "recorded-daily", Limited,
        "the recorder of AWS Config records a type that the rule evaluates once a day",
        "A change is evaluated up to a day late.",
        "Let the recorder record the type continuously: aws configservice put-configuration-recorder with a \
         recordingMode", RECORDER;
    NO_TRAIL: "no-trail", Limited, "no CloudTrail trail is for the region", SWEPT,
        "Create one, for all regions: aws cloudtrail create-trail --is-multi-region-trail, and start-logging", TRAILS;
    TRAIL_STOPPED: "trail-stopped", Limited, "no CloudTrail trail that is for the region logs", SWEPT,
        "Start it: aws cloudtrail start-logging", TRAILS;
    TRAIL_WITHOUT_CHANGES: "trail-without-changes", Limited,
        "no CloudTrail trail logs the calls that change something in EC2", SWEPT,
        "Let a trail log management events that write: aws cloudtrail put-event-selectors", MANAGEMENT_EVENTS;
    TRAIL_UNKNOWN: "trail-unknown", CannotTell,
        "this version does not know a field by which the trail selects events", UNSEEN,
        "See what it selects (aws cloudtrail get-event-selectors), and accept it with --ignore trail-unknown=TRAIL.",
        MANAGEMENT_EVENTS;
    QUOTA_REACHED: "quota-reached", Broken, "as many are there as the account may have, and one more is needed",
        "AWS does not raise this quota, and refuses every further one.",
        "Delete those that nobody uses: aws ec2 delete-traffic-mirror-session, -filter or -target", QUOTAS;
    QUOTA_SHORT: "quota-short", Limited, "the account may have fewer sessions than the settings ask for",
        "AWS does not raise this quota: the sources that come last are not mirrored.",
        "Select fewer sources (MIRROR_SCOPE, MIRROR_VPC_IDS, MIRROR_INTERFACES), or delete sessions that nobody uses: \
         aws ec2 delete-traffic-mirror-session", QUOTAS;
    ROOM_SHORT: "room-short", Limited, "the allowed targets take fewer sources than the settings select",
        "The sources that come last are not mirrored.",
        "Create more targets, or one of a Network Load Balancer, which takes any number: aws ec2 \
         create-traffic-mirror-target", QUOTAS;
    ROOM_UNKNOWN: "room-unknown", CannotTell,
        "nothing that EC2 shows says how many sources the allowed targets take", UNSEEN,
        "See which instance type stands behind them: it takes 10 sources or 100. Then accept it with --ignore \
         room-unknown=*.", QUOTAS;
    NOTHING_SELECTED: "nothing-selected", Limited, "the settings select no instance that runs",
        "Nothing is mirrored until they do.",
        "Tag instances with what MIRROR_TAG_KEY and MIRROR_TAG_VALUE say, or see that MIRROR_SCOPE and MIRROR_VPC_IDS \
         are as they should be.", SESSIONS;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_fault_has_the_code_of_another_or_of_a_reason_or_a_problem() {
        let kinds = KINDS.iter().map(|kind| kind.code);
        let reasons = REASONS.iter().map(|entry| entry.code);
        let codes: Vec<_> =
            kinds.chain(reasons).chain(FAULTS.iter().map(|fault| fault.code)).collect();
        let distinct: BTreeSet<_> = codes.iter().collect();
        assert_eq!(distinct.len(), codes.len());
        for fault in FAULTS {
            assert!(is_code(fault.code));
            assert!(fault.why.ends_with('.') && !fault.mend.is_empty(), "{}", fault.code);
            assert!(!fault.source.is_empty(), "{}", fault.code);
        }
    }

    #[test]
    fn of_two_judgements_the_worse_one_counts() {
        let trouble = |fault| Err(Trouble::new(fault, "x", "y"));
        let (cut, hidden, shut) = (trouble(&PACKETS_CUT), trouble(&NOT_SHOWN), trouble(&NO_ROUTE));
        for (one, other) in [(&Ok(()), &cut), (&cut, &hidden), (&hidden, &shut)] {
            assert_eq!(&worse(one.clone(), other.clone()), other);
            assert_eq!(&worse(other.clone(), one.clone()), other);
        }
    }
}
