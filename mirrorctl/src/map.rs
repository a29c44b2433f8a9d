//! Who sends with which outer address and VNI: what a sensor must know to say whose packets it sees.
//!
//! A VNI is unique within one account at most, and with `MIRROR_VNI` not even there; addresses are unique within one
//! VPC. So the key is both together, and where even that is not unique, nobody is named.

pub(crate) mod format;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use serde::Serialize;

/// What is known of a sender.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct MapRow {
    /// The outer address: the primary private address of the interface.
    pub(crate) address: IpAddr,
    pub(crate) vni: u32,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) interface: String,
    pub(crate) instance: Option<String>,
    /// The tag Name of the instance.
    pub(crate) name: Option<String>,
    pub(crate) vpc: Option<String>,
    pub(crate) zone: Option<String>,
    /// The sessions with this VNI on the interface, and where they lead.
    pub(crate) sessions: Vec<String>,
    pub(crate) targets: Vec<String>,
    /// All addresses of the interface.
    pub(crate) addresses: Vec<IpAddr>,
    /// The tags of the instance that were asked for.
    pub(crate) tags: BTreeMap<String, String>,
}

/// A map, and what it cannot say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SenderMap {
    /// No two of them have the same address and VNI.
    pub(crate) rows: Vec<MapRow>,
    /// Those that have the same, together.
    pub(crate) ambiguous: Vec<Vec<MapRow>>,
}

/// When a map was made, and until when it counts: as a text, and in seconds since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Period {
    pub(crate) made: String,
    pub(crate) expires: String,
    pub(crate) expires_at: i64,
}

impl MapRow {
    /// Which interface it is: ids of two accounts need not differ.
    fn source(&self) -> (&str, &str, &str) {
        (&self.account, &self.region, &self.interface)
    }
}

impl SenderMap {
    /// One row for each session, in any order.
    pub(crate) fn new(mut sessions: Vec<MapRow>) -> Self {
        sessions.sort();
        let mut map = Self::default();
        for same in sessions.chunk_by(|a, b| (a.address, a.vni) == (b.address, b.vni)) {
            let sources: BTreeSet<_> = same.iter().map(MapRow::source).collect();
            match same {
                // Several sessions of one interface may have one VNI: it is still that interface.
                [first, rest @ ..] if sources.len() == 1 => {
                    let mut row = first.clone();
                    for other in rest {
                        row.sessions.extend(other.sessions.iter().cloned());
                        row.targets.extend(other.targets.iter().cloned());
                    }
                    row.targets.sort();
                    row.targets.dedup();
                    map.rows.push(row);
                }
                _ => map.ambiguous.push(same.to_vec()),
            }
        }
        map
    }

    /// By the addresses of the interfaces, for sensors that look at what is within the copies alone. An address that
    /// two interfaces have is nobody's.
    pub(crate) fn by_inner_address(&self) -> InnerMap<'_> {
        let rows = self.rows.iter().chain(self.ambiguous.iter().flatten());
        let mut found: BTreeMap<IpAddr, BTreeMap<_, &MapRow>> = BTreeMap::new();
        for row in rows {
            for address in &row.addresses {
                found.entry(*address).or_default().entry(row.source()).or_insert(row);
            }
        }
        let mut map = InnerMap::default();
        for (address, rows) in found {
            let mut rows = rows.into_values();
            match (rows.next(), rows.next()) {
                (Some(row), None) => map.rows.push((address, row)),
                _ => map.ambiguous.push(address),
            }
        }
        map
    }
}

/// A map by inner addresses.
#[derive(Debug, Default)]
pub(crate) struct InnerMap<'a> {
    pub(crate) rows: Vec<(IpAddr, &'a MapRow)>,
    pub(crate) ambiguous: Vec<IpAddr>,
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn row(account: u32, interface: u32, address: u32, vni: u32) -> MapRow {
        let address = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | address));
        MapRow {
            address,
            vni,
            account: format!("{account:012}"),
            region: "us-east-1".to_owned(),
            interface: format!("eni-{interface:017x}"),
            instance: Some(format!("i-{interface:017x}")),
            name: None,
            vpc: None,
            zone: None,
            sessions: vec![format!("tms-{account}-{interface}")],
            targets: vec!["tmt-1".to_owned()],
            addresses: vec![address],
            tags: BTreeMap::new(),
        }
    }

    /// What a sensor would say of a packet.
    fn whose(map: &SenderMap, address: IpAddr, vni: u32) -> Option<(String, String)> {
        let mut rows = map.rows.iter().filter(|row| (row.address, row.vni) == (address, vni));
        let row = rows.next()?;
        assert_eq!(rows.next(), None, "two rows have one key");
        Some((row.account.clone(), row.interface.clone()))
    }

    /// 100 accounts with 1,000 sessions each, whose VPCs do not overlap, as far as a sensor may see them all.
    fn many(vni: impl Fn(u32, u32) -> u32) -> Vec<MapRow> {
        let of =
            |account, number| row(account, number, account * 1_000 + number, vni(account, number));
        let accounts = (0..100).flat_map(|account| (0..1_000).map(move |number| (account, number)));
        accounts.map(|(account, number)| of(account, number)).collect()
    }

    #[test]
    fn of_a_hundred_accounts_each_sender_is_found_though_vnis_collide_or_are_all_the_same() {
        let ways: [fn(u32, u32) -> u32; 3] = [
            // The same 1,000 in each account; random ones, which collide; `MIRROR_VNI`.
            |_, number| number,
            |account, number| (account * 1_000 + number).wrapping_mul(0x9e37_79b1) % 50_000,
            |_, _| 7,
        ];
        for vni in ways {
            let rows = many(vni);
            let vnis: BTreeSet<_> = rows.iter().map(|row| row.vni).collect();
            assert!(vnis.len() <= rows.len() / 2, "no VNIs collide");
            let map = SenderMap::new(rows.clone());
            assert_eq!((map.rows.len(), map.ambiguous.len()), (100_000, 0));
            for expected in rows.iter().step_by(997) {
                let found = whose(&map, expected.address, expected.vni);
                assert_eq!(found, Some((expected.account.clone(), expected.interface.clone())));
            }
        }
    }

    #[test]
    fn what_has_one_address_and_one_vni_is_left_out_and_named() {
        let (first, second) = (row(1, 1, 5, 7), row(2, 2, 5, 7));
        let clear = row(3, 3, 5, 8);
        let map = SenderMap::new(vec![clear.clone(), second.clone(), first.clone()]);
        assert_eq!(map.rows, std::slice::from_ref(&clear));
        assert_eq!(map.ambiguous, [[first.clone(), second]]);
        // By the inner address alone none of the three can be told.
        let inner = map.by_inner_address();
        assert_eq!((inner.rows.len(), inner.ambiguous), (0, vec![first.address]));
        // The ids of two accounts need not differ.
        let twin = MapRow { account: "000000000009".to_owned(), ..first.clone() };
        assert_eq!(SenderMap::new(vec![first, twin]).rows, []);
    }

    #[test]
    fn several_sessions_of_one_interface_are_one_sender_if_they_have_one_vni() {
        let mut second = row(1, 1, 5, 7);
        second.sessions = vec!["tms-other".to_owned()];
        let map = SenderMap::new(vec![row(1, 1, 5, 7), second, row(1, 1, 5, 8)]);
        let sessions: Vec<_> = map.rows.iter().map(|row| row.sessions.clone()).collect();
        assert_eq!(
            sessions,
            [vec!["tms-1-1".to_owned(), "tms-other".to_owned()], vec!["tms-1-1".to_owned()]]
        );
        assert_eq!(map.by_inner_address().rows.len(), 1);
    }
}
