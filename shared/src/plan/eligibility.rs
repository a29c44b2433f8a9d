//! What EC2 can mirror, and how much a target takes: facts about EC2, kept as data.
//!
//! No EC2 call says what it can mirror (no field of `DescribeInstanceTypes` is about mirroring), so the lists are here.
//! An operator can add to them, and EC2's refusal is believed over them.

use super::reason::Reason;
use crate::{
    id::TargetId,
    observed::{Capacity, Instance, Interface},
    policy::Policy,
};

/// Families whose virtualised sizes can be sources ("Supported instance types" of the Traffic
/// Mirroring guide, 2026). It lists what is supported: EC2 refuses other families.
#[rustfmt::skip]
const FAMILIES: &[&str] = &[
    // General purpose
    "a1", "m4", "m5", "m5a", "m5ad", "m5d", "m5dn", "m5n", "m5zn", "m6a", "m6g", "m6gd", "m6i",
    "m6id", "m6idn", "m6in", "m7a", "m7g", "m7gd", "m7i", "m7i-flex", "t3", "t3a", "t4g",
    // Compute
    "c4", "c5", "c5a", "c5ad", "c5d", "c5n", "c6a", "c6g", "c6gd", "c6gn", "c6i", "c6id", "c6in",
    "c7a", "c7g", "c7gd", "c7i", "c7i-flex",
    // Memory
    "r4", "r5", "r5a", "r5ad", "r5b", "r5d", "r5dn", "r5n", "r6a", "r6g", "r6gd", "r6i", "r6id",
    "r6idn", "r6in", "r7a", "r7g", "r7gd", "r7i", "r7iz", "u-3tb1", "u-6tb1", "u-9tb1", "u-12tb1",
    "u-18tb1", "u-24tb1", "u7i-6tb", "u7i-8tb", "u7i-12tb", "u7in-16tb", "u7in-24tb", "u7in-32tb",
    "u7inh-32tb", "x1", "x1e", "x2gd", "x2idn", "x2iedn", "x2iezn", "z1d",
    // Storage
    "d2", "d3", "d3en", "h1", "i3", "i3en", "i4g", "i4i", "i7i", "im4gn", "is4gen",
    // Accelerated
    "dl1", "dl2q", "f1", "f2", "g3", "g3s", "g4ad", "g4dn", "g5", "g5g", "g6", "g6e", "g6f", "gr6",
    "gr6f", "inf1", "inf2", "p3", "p3dn", "p4d", "p4de", "p5", "p5e", "trn1", "trn1n", "vt1",
    // HPC
    "hpc6a", "hpc6id", "hpc7a",
];

/// Families whose bare-metal sizes can be sources: those of the second Nitro generation (same page).
const METAL_FAMILIES: &[&str] = &[
    "a1",
    "c5",
    "c5d",
    "c6g",
    "c6gd",
    "g5g",
    "i3",
    "m5",
    "m5d",
    "m6g",
    "m6gd",
    "mac1",
    "mac2",
    "mac2-m1ultra",
    "mac2-m2",
    "mac2-m2pro",
    "r5",
    "r5b",
    "r5d",
    "r6g",
    "r6gd",
    "x2gd",
    "z1d",
];

/// Instance types that take 100 sources as a target; every other takes 10 ("Traffic Mirroring
/// quotas", spring 2026). An entry too many costs one refused call, after which the next target is tried; a missing
/// one leaves 90 places unused.
#[rustfmt::skip]
const LARGE_TARGETS: &[&str] = &[
    "m5.24xlarge", "m5d.24xlarge", "m5dn.24xlarge", "m5n.24xlarge", "m5zn.12xlarge", "m6a.48xlarge",
    "m6g.16xlarge", "m6gd.16xlarge", "m6i.32xlarge", "m6id.32xlarge", "m6idn.32xlarge",
    "m6in.32xlarge", "m7a.48xlarge", "m7i.48xlarge", "m8a.48xlarge", "m8azn.24xlarge",
    "m8g.48xlarge", "m8gb.24xlarge", "m8gb.48xlarge", "m8gd.48xlarge", "m8gn.24xlarge",
    "m8gn.48xlarge", "m8i.96xlarge", "m8id.96xlarge", "c5.18xlarge", "c5.24xlarge", "c5d.18xlarge",
    "c5d.24xlarge", "c5n.18xlarge", "c6a.48xlarge", "c6g.16xlarge", "c6gd.16xlarge",
    "c6gn.16xlarge", "c6i.32xlarge", "c6id.32xlarge", "c6in.32xlarge", "c7a.48xlarge",
    "c7gn.16xlarge", "c7i.48xlarge", "c8a.48xlarge", "c8g.48xlarge", "c8gb.24xlarge",
    "c8gb.48xlarge", "c8gd.48xlarge", "c8gn.24xlarge", "c8gn.48xlarge", "c8i.96xlarge",
    "c8id.96xlarge", "r5.24xlarge", "r5b.24xlarge", "r5d.24xlarge", "r5dn.24xlarge", "r5n.24xlarge",
    "r6a.48xlarge", "r6g.16xlarge", "r6gd.16xlarge", "r6i.32xlarge", "r6id.32xlarge",
    "r6idn.32xlarge", "r6in.32xlarge", "r7a.48xlarge", "r7i.48xlarge", "r7iz.32xlarge",
    "r8a.48xlarge", "r8g.48xlarge", "r8gb.24xlarge", "r8gb.48xlarge", "r8gd.48xlarge",
    "r8gn.24xlarge", "r8gn.48xlarge", "r8i.96xlarge", "r8id.96xlarge", "u-6tb1.56xlarge",
    "u-6tb1.112xlarge", "u-9tb1.112xlarge", "u-12tb1.112xlarge", "u-18tb1.112xlarge",
    "u-24tb1.112xlarge", "u7i-6tb.112xlarge", "u7i-8tb.112xlarge", "u7i-12tb.224xlarge",
    "u7in-16tb.224xlarge", "u7in-24tb.224xlarge", "u7in-32tb.224xlarge", "u7inh-32tb.480xlarge",
    "x2gd.16xlarge", "x2idn.32xlarge", "x2iedn.32xlarge", "x2iezn.12xlarge", "x8g.48xlarge",
    "x8aedz.24xlarge", "x8i.96xlarge", "z1d.12xlarge", "i3en.24xlarge", "i4g.16xlarge",
    "i4i.32xlarge", "i7i.48xlarge", "i7ie.48xlarge", "i8g.48xlarge", "i8ge.48xlarge",
    "im4gn.16xlarge", "dl1.24xlarge", "dl2q.24xlarge", "f2.48xlarge", "g5.48xlarge", "g5g.16xlarge",
    "g6.48xlarge", "g6e.12xlarge", "g6e.24xlarge", "g6e.48xlarge", "g7e.12xlarge", "g7e.24xlarge",
    "g7e.48xlarge", "inf1.24xlarge", "inf2.48xlarge", "p3dn.24xlarge", "p4d.24xlarge",
    "p4de.24xlarge", "p5.4xlarge", "p5.48xlarge", "p5e.48xlarge", "p5en.48xlarge",
    "p6-b200.48xlarge", "p6-b300.48xlarge", "p6e-gb200.36xlarge", "trn1.32xlarge", "trn1n.32xlarge",
    "trn2.3xlarge", "trn2.48xlarge", "trn2u.48xlarge", "vt1.24xlarge", "hpc6a.48xlarge",
    "hpc6id.32xlarge", "hpc7a.12xlarge", "hpc7a.24xlarge", "hpc7a.48xlarge", "hpc7a.96xlarge",
    "hpc7g.4xlarge", "hpc7g.8xlarge", "hpc7g.16xlarge", "hpc8a.96xlarge",
];

/// Services whose requester-managed interfaces may be sources ("Traffic Mirroring limitations").
const MIRRORABLE_REQUESTERS: &[&str] = &["amazon-rds", "amazon-elasticache"];

/// Why EC2 cannot mirror an interface of the instance, or nothing where it can. `behind` is the target
/// that the interface receives the packets of.
pub(super) fn obstacle(
    policy: &Policy,
    instance: &Instance,
    interface: &Interface,
    behind: Option<&TargetId>,
) -> Option<Reason> {
    if &*interface.kind != "interface" {
        return Some(Reason::InterfaceType { kind: interface.kind.to_string() });
    }
    if let Some(requester) = &interface.requester
        && !MIRRORABLE_REQUESTERS.contains(&&**requester)
    {
        return Some(Reason::RequesterManaged { requester: requester.to_string() });
    }
    if let Some(target) = behind {
        return Some(Reason::IsTarget { target: target.clone() });
    }
    if interface.ipv6_only {
        return Some(Reason::Ipv6Only);
    }
    if !supports_source(policy, &instance.instance_type) {
        return Some(Reason::InstanceType { instance_type: instance.instance_type.to_string() });
    }
    None
}

/// Whether an instance of this type can be a source. The operator's lists go before the built-in
/// ones, a full type before its family; a family that is added stands for its virtualised sizes.
#[must_use]
pub fn supports_source(policy: &Policy, instance_type: &str) -> bool {
    let (family, size) = instance_type.split_once('.').unwrap_or((instance_type, ""));
    let metal = size.starts_with("metal");
    if policy.unsupported_types.contains(instance_type) {
        return false;
    }
    if policy.supported_types.contains(instance_type) {
        return true;
    }
    if policy.unsupported_types.contains(family) {
        return false;
    }
    if metal {
        METAL_FAMILIES.contains(&family)
    } else {
        policy.supported_types.contains(family) || FAMILIES.contains(&family)
    }
}

/// How many sources a target takes whose interface is on an instance of this type ("Traffic Mirroring
/// quotas"); where the type is not known, the smaller quota.
#[must_use]
pub fn interface_capacity(instance_type: Option<&str>) -> Capacity {
    let is_large = |instance_type: &str| LARGE_TARGETS.contains(&instance_type);
    Capacity::Sources(if instance_type.is_some_and(is_large) { 100 } else { 10 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(supported: &str, unsupported: &str) -> Policy {
        Policy::parse(|name| match name {
            "MIRROR_SUPPORTED_TYPES" => Some(supported.to_owned()),
            "MIRROR_UNSUPPORTED_TYPES" => Some(unsupported.to_owned()),
            _ => None,
        })
        .unwrap()
    }

    #[test]
    fn the_guides_list_decides_what_can_be_a_source() {
        let policy = policy("", "");
        for instance_type in [
            "m5.large",
            "t3.micro",
            "u-24tb1.112xlarge",
            "m7i-flex.large",
            "m5.metal",
            "mac2.metal",
        ] {
            assert!(supports_source(&policy, instance_type), "{instance_type}");
        }
        for instance_type in [
            "t2.micro",
            "m8g.large",
            "c7gn.large",
            "m7i.metal-24xl",
            "u-6tb1.metal",
            "mac1.large",
            "m3.large",
            "odd",
            "",
            ".large",
        ] {
            assert!(!supports_source(&policy, instance_type), "{instance_type}");
        }
    }

    #[test]
    fn the_operators_lists_go_first_and_a_full_type_before_its_family() {
        let policy = policy("m8g,m7i.metal-24xl,t3.nano", "t3,m5.large");
        for instance_type in ["m8g.large", "m7i.metal-24xl", "t3.nano", "m5.xlarge"] {
            assert!(supports_source(&policy, instance_type), "{instance_type}");
        }
        for instance_type in ["m8g.metal-24xl", "m7i.metal-48xl", "t3.micro", "m5.large"] {
            assert!(!supports_source(&policy, instance_type), "{instance_type}");
        }
    }

    #[test]
    fn an_interface_target_takes_10_sources_or_100() {
        for (instance_type, limit) in [
            (None, 10),
            (Some("m7g.16xlarge"), 10),
            (Some("c5.12xlarge"), 10),
            (Some("c5.18xlarge"), 100),
            (Some("u7i-12tb.224xlarge"), 100),
        ] {
            let capacity = interface_capacity(instance_type);
            assert_eq!(capacity, Capacity::Sources(limit), "{instance_type:?}");
        }
    }
}
