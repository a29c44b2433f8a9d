//! What EC2 can mirror, and how much a target takes: facts about EC2, kept as data.
//!
//! No EC2 call says what it can mirror (no field of `DescribeInstanceTypes` is about mirroring), so the lists are here.
//! An operator can add to them, and EC2's refusal is believed over them.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use super::reason::Reason;
use crate::{
    observed::{Capacity, Interface, Observed},
    policy::Policy,
};

/// Families whose virtualised sizes can be sources ("Supported instance types" of the Traffic
/// Mirroring guide, 2026). It lists what is supported: EC2 refuses other families.
#[rustfmt::skip]
pub(super) const FAMILIES: &[&str] = &[
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

/// Families that EC2 is known to refuse (the same page does not list them); `*` stands for any ending. A
/// family that is in neither list is new, and EC2 is asked.
#[rustfmt::skip]
const REFUSED_FAMILIES: &[&str] = &[
    "c7gn", "c8*", "c9g*", "m8*", "m9g*", "r8*", "r9g*", "x8*", "t8i", "i7ie", "i8g*", "g7", "g7e",
    "p5en", "p6*", "trn2*", "hpc7g", "hpc8a", "u7ib*", "t1", "t2", "m1", "m2", "m3", "c1", "c3", "r3",
    "i2", "g2", "p2",
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

/// Why EC2 cannot mirror such an interface, whatever its instance; nothing where it can.
pub(super) fn obstacle(interface: &Interface) -> Option<Reason> {
    if &*interface.kind != "interface" {
        return Some(Reason::InterfaceType { kind: interface.kind.to_string() });
    }
    if let Some(requester) = &interface.requester
        && !MIRRORABLE_REQUESTERS.contains(&&**requester)
    {
        return Some(Reason::RequesterManaged { requester: requester.to_string() });
    }
    interface.ipv6_only.then_some(Reason::Ipv6Only)
}

/// Whether an instance of some type can be a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It can.
    Can,
    /// EC2 is known to refuse it, or the operator says so.
    Cannot,
    /// Nobody knows before EC2 is asked: no list has its family.
    Unknown,
}

/// Whether an instance of this type can be a source. The operator's lists go before everything else, a
/// full type before its family; a family that is added stands for its virtualised sizes. A session that
/// exists on the same [`kind`] is `proven` and goes before the built-in lists.
#[must_use]
pub fn support(policy: &Policy, proven: &BTreeSet<Arc<str>>, instance_type: &str) -> Support {
    let (family, is_metal) = family(instance_type);
    let can = |can| if can { Support::Can } else { Support::Cannot };
    if policy.unsupported_types.contains(instance_type) {
        return Support::Cannot;
    }
    if policy.supported_types.contains(instance_type) {
        return Support::Can;
    }
    if policy.unsupported_types.contains(family) {
        return Support::Cannot;
    }
    if proven.contains(&*kind(instance_type)) {
        return Support::Can;
    }
    let is_listed = FAMILIES.contains(&family);
    if is_metal && (is_listed || METAL_FAMILIES.contains(&family)) {
        return can(METAL_FAMILIES.contains(&family));
    }
    if is_listed || (!is_metal && policy.supported_types.contains(family)) {
        return Support::Can;
    }
    // Families of bare metal alone, such as mac2.
    let is_refused = is_refused(family) || METAL_FAMILIES.contains(&family);
    if is_refused { Support::Cannot } else { Support::Unknown }
}

/// The instances that EC2 treats alike as sources: a family's virtualised sizes, or its bare-metal ones.
#[must_use]
pub fn kind(instance_type: &str) -> Cow<'_, str> {
    match family(instance_type) {
        (family, true) => Cow::Owned(format!("{family}.metal")),
        (family, false) => Cow::Borrowed(family),
    }
}

/// The kinds of instance that sessions prove to be sources: those that are there, and those that were seen before.
#[must_use]
pub fn proven(observed: &Observed) -> BTreeSet<Arc<str>> {
    let with_session: BTreeSet<_> =
        observed.sessions.iter().map(|session| &session.interface).collect();
    let mirrored = observed.sources.iter().filter(|source| with_session.contains(&source.id));
    let mut proven = observed.types.proven.clone();
    for instance in mirrored.filter_map(|source| source.instance()) {
        let kind = kind(&instance.instance_type);
        if !proven.contains(&*kind) {
            proven.insert(Arc::from(kind));
        }
    }
    proven
}

/// The family, and whether the size is a bare-metal one.
fn family(instance_type: &str) -> (&str, bool) {
    let (family, size) = instance_type.split_once('.').unwrap_or((instance_type, ""));
    (family, size.starts_with("metal"))
}

fn is_refused(family: &str) -> bool {
    REFUSED_FAMILIES.iter().any(|refused| match refused.strip_suffix('*') {
        Some(start) => family.starts_with(start),
        None => family == *refused,
    })
}

/// How many sources a target takes whose interface is on an instance of this type ("Traffic Mirroring
/// quotas").
#[must_use]
pub fn interface_capacity(instance_type: &str) -> Capacity {
    Capacity::Sources(if LARGE_TARGETS.contains(&instance_type) { 100 } else { 10 })
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

    fn of(policy: &Policy, instance_type: &str) -> Support {
        support(policy, &BTreeSet::new(), instance_type)
    }

    #[test]
    fn a_type_can_be_a_source_or_cannot_or_nobody_knows() {
        let policy = policy("", "");
        for instance_type in [
            "m5.large",
            "t3.micro",
            "u-24tb1.112xlarge",
            "m7i-flex.large",
            "m5.metal",
            "mac2.metal",
        ] {
            assert_eq!(of(&policy, instance_type), Support::Can, "{instance_type}");
        }
        for instance_type in [
            "t2.micro",
            "m8g.large",
            "m8azn.large",
            "c7gn.large",
            "m7i.metal-24xl",
            "u-6tb1.metal",
            "u7ib-12tb.224xlarge",
            "mac1.large",
            "m3.large",
            "trn2u.48xlarge",
        ] {
            assert_eq!(of(&policy, instance_type), Support::Cannot, "{instance_type}");
        }
        for instance_type in ["m12x.large", "z9.metal", "t22.micro", "odd", "", ".large"] {
            assert_eq!(of(&policy, instance_type), Support::Unknown, "{instance_type}");
        }
    }

    #[test]
    fn no_family_is_in_two_lists() {
        let listed = FAMILIES.iter().chain(METAL_FAMILIES);
        let twice: Vec<_> = listed.filter(|family| is_refused(family)).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn the_user_can_read_the_lists() {
        let document = include_str!("../../../docs/limits.md");
        let lists = [
            ("can be sources, in their virtualised sizes", FAMILIES),
            ("can be sources, in their bare-metal sizes", METAL_FAMILIES),
            ("cannot be sources", REFUSED_FAMILIES),
            ("take 100 sources as a target; all others take 10", LARGE_TARGETS),
        ];
        for (meaning, names) in lists {
            let row = format!("| {meaning} | `{}` |", names.join("`, `"));
            assert!(document.lines().any(|line| line == row), "docs/limits.md lacks {row}");
        }
    }

    #[test]
    fn the_operators_lists_go_first_and_a_full_type_before_its_family() {
        let policy = policy("m8g,m7i.metal-24xl,t3.nano,m12x", "t3,m5.large,m13x");
        for instance_type in ["m8g.large", "m7i.metal-24xl", "t3.nano", "m5.xlarge", "m12x.large"] {
            assert_eq!(of(&policy, instance_type), Support::Can, "{instance_type}");
        }
        for instance_type in
            ["m8g.metal-24xl", "m7i.metal-48xl", "t3.micro", "m5.large", "m13x.large"]
        {
            assert_eq!(of(&policy, instance_type), Support::Cannot, "{instance_type}");
        }
    }

    #[test]
    fn a_session_on_one_of_its_kind_proves_more_than_a_list_and_less_than_the_operator_says() {
        let proven: BTreeSet<Arc<str>> = ["m8g", "m12x.metal", "c8g"].map(Into::into).into();
        let policy = policy("", "c8g");
        for (instance_type, expected) in [
            ("m8g.large", Support::Can),
            ("m8g.48xlarge", Support::Can),
            ("m8gd.large", Support::Cannot),
            ("m8g.metal-24xl", Support::Cannot),
            ("m12x.metal-48xl", Support::Can),
            ("m12x.large", Support::Unknown),
            ("c8g.large", Support::Cannot),
        ] {
            assert_eq!(support(&policy, &proven, instance_type), expected, "{instance_type}");
        }
    }

    #[test]
    fn an_interface_target_takes_10_sources_or_100() {
        for (instance_type, limit) in [
            ("m7g.16xlarge", 10),
            ("c5.12xlarge", 10),
            ("c5.18xlarge", 100),
            ("u7i-12tb.224xlarge", 100),
        ] {
            let capacity = interface_capacity(instance_type);
            assert_eq!(capacity, Capacity::Sources(limit), "{instance_type:?}");
        }
    }
}
