//! `DescribeTags`: the tags of all of the caller's resources as one list.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::{
    Caller, Condition, Filter, Instance, Interface, Query, Refusal, Resource, Rule, Session,
    Target, World,
};

const FILTERS: [&str; 4] = ["key", "resource-id", "resource-type", "value"];
const KIND: &str = "tag";

/// A tag, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagRow<'a> {
    pub resource: &'a str,
    pub resource_type: &'static str,
    pub key: &'a str,
    pub value: &'a str,
}

/// Some tags in the order of their resources' ids and their keys, and how to get the next.
#[derive(Debug)]
pub struct TagPage<'a> {
    pub rows: Vec<TagRow<'a>>,
    pub next_token: Option<String>,
}

impl TagRow<'_> {
    fn fits(&self, condition: &Condition) -> bool {
        match condition.name.as_str() {
            "key" => condition.fits(self.key),
            "resource-id" => condition.fits(self.resource),
            "resource-type" => condition.fits(self.resource_type),
            "value" => condition.fits(self.value),
            name => name.strip_prefix("tag:") == Some(self.key) && condition.fits(self.value),
        }
    }

    /// What stands in a token for the last row of a page. The key is in hexadecimal digits, as a token must
    /// survive the way to the client and back, which not every character does; the order stays the same.
    fn cursor(&self) -> String {
        let mut cursor = format!("{}/", self.resource);
        for byte in self.key.bytes() {
            write!(cursor, "{byte:02x}").expect("text can be appended to text");
        }
        cursor
    }
}

impl World {
    /// Reads a page of tags: those of the caller's own resources, whatever is shared with it.
    pub fn describe_tags(&self, caller: &Caller, query: &Query) -> Result<TagPage<'_>, Refusal> {
        query.check_conditions(|name| FILTERS.contains(&name) || name.starts_with("tag:"))?;
        query.check_page(true, 1000)?;
        let after = query.resume(KIND, caller)?;
        let is_next = |row: &TagRow<'_>| after.as_ref().is_none_or(|after| row.cursor() > *after);
        let mut rows = self.tags_of(caller, query);
        rows.retain(|row| query.conditions.iter().all(|it| row.fits(it)) && is_next(row));
        rows.sort_unstable_by_key(|row| (row.resource, row.key));
        let limit = self.rows_of_page(query);
        let is_more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| is_more);
        let next_token = last.map(|row| query.fingerprint(KIND, caller) + &row.cursor());
        Ok(TagPage { rows, next_token })
    }

    fn tags_of(&self, caller: &Caller, query: &Query) -> Vec<TagRow<'_>> {
        // Without looking at every resource, where that can be.
        let named = query.conditions.iter().find(|condition| condition.name == "resource-id");
        let named = named.and_then(Condition::exact);
        let mut tags = Vec::new();
        add::<Instance>(&mut tags, self, caller, named.as_ref());
        add::<Interface>(&mut tags, self, caller, named.as_ref());
        add::<Session>(&mut tags, self, caller, named.as_ref());
        add::<Target>(&mut tags, self, caller, named.as_ref());
        add::<Filter>(&mut tags, self, caller, named.as_ref());
        add::<Rule>(&mut tags, self, caller, named.as_ref());
        tags
    }
}

fn add<'a, T: Resource>(
    tags: &mut Vec<TagRow<'a>>,
    world: &'a World,
    caller: &Caller,
    named: Option<&BTreeSet<&str>>,
) {
    let all = T::rows(world);
    let rows: Vec<&T> = match named {
        Some(ids) => ids.iter().filter_map(|id| all.get(*id)).collect(),
        None => all.values().collect(),
    };
    for row in rows.into_iter().filter(|row| row.owner() == caller.account) {
        let tag = |(key, value): (&'a String, &'a String)| TagRow {
            resource: row.id(),
            resource_type: T::TYPE,
            key,
            value,
        };
        tags.extend(row.tags().iter().map(tag));
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::Stage;
    use super::super::{RunInstances, Tags};
    use super::*;

    fn tag(stage: &mut Stage, id: &str, key: &str, value: &str) {
        let tags = Tags::from([(key.to_owned(), value.to_owned())]);
        stage.world.create_tags(&stage.alice, &[id.to_owned()], &tags).unwrap();
    }

    /// A stage where each kind of resource has a tag, the instance two.
    fn tagged() -> (Stage, [String; 5]) {
        let mut stage = Stage::new();
        let session = stage.create(&stage.request()).id;
        let (instance, interface) = (stage.instance.clone(), stage.source.clone());
        let ids = [instance, interface, session, stage.target.clone(), stage.filter.clone()];
        for id in &ids {
            tag(&mut stage, id, "Name", "it");
        }
        tag(&mut stage, &ids[0], "Mirror", "True");
        (stage, ids)
    }

    #[test]
    fn every_kind_of_resource_shows_its_tags() {
        let (stage, ids) = tagged();
        let types = [
            "instance",
            "network-interface",
            "traffic-mirror-session",
            "traffic-mirror-target",
            "traffic-mirror-filter",
        ];
        for (id, resource_type) in ids.iter().zip(types) {
            let query = Query::default().with("resource-id", &[id]).with("key", &["Name"]);
            let page = stage.world.describe_tags(&stage.alice, &query).unwrap();
            let row = TagRow { resource: id, resource_type, key: "Name", value: "it" };
            assert_eq!(page.rows, [row]);
        }
    }

    #[test]
    fn filters_choose_by_resource_type_key_and_value_with_wildcards() {
        let (stage, ids) = tagged();
        let found = |query: Query| {
            stage.world.describe_tags(&stage.alice, &query).map(|page| page.rows.len())
        };
        let with = |name: &str, value: &str| found(Query::default().with(name, &[value]));
        assert_eq!(found(Query::default()), Ok(6));
        assert_eq!(with("resource-id", &ids[0]), Ok(2));
        assert_eq!(with("resource-id", "i-*"), Ok(2));
        assert_eq!(with("resource-type", "traffic-mirror-*"), Ok(3));
        assert_eq!(with("key", "Mirror"), Ok(1));
        assert_eq!(with("key", "mirror"), Ok(0));
        assert_eq!(with("value", "T?ue"), Ok(1));
        assert_eq!(with("tag:Mirror", "True"), Ok(1));
        assert_eq!(with("tag:Name", "True"), Ok(0));
        let joined = Query::default().with("resource-id", &[&ids[0], &ids[1]]);
        assert_eq!(found(joined.with("key", &["Name"])), Ok(2));
        // A filter of other calls.
        assert_eq!(with("tag-key", "Name").unwrap_err().code, "InvalidParameterValue");
        let many: Vec<_> = (0..201).map(|n| format!("i-{n}")).collect();
        let many = |count| many[..count].iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(found(Query::default().with("resource-id", &many(200))), Ok(0));
        let refusal = found(Query::default().with("resource-id", &many(201))).unwrap_err();
        assert_eq!(refusal.code, "FilterLimitExceeded");
    }

    #[test]
    fn pages_go_on_where_the_last_one_ended_even_within_a_resource() {
        let (mut stage, _) = tagged();
        for key in ["line\r\nbreak", "a", "é", "\u{1f600}"] {
            let id = stage.instance.clone();
            tag(&mut stage, &id, key, "");
        }
        let mut query = Query { max_results: Some(5), ..Query::default() };
        stage.world.max_page = Some(3);
        let world = &stage.world;
        let (mut found, mut sizes) = (Vec::new(), Vec::new());
        loop {
            let page = world.describe_tags(&stage.alice, &query).unwrap();
            sizes.push(page.rows.len());
            found.extend(page.rows);
            query.next_token = page.next_token;
            if query.next_token.is_none() {
                break;
            }
        }
        assert_eq!(sizes, [3, 3, 3, 1]);
        let found: Vec<_> = found.iter().map(|row| (row.resource, row.key)).collect();
        let mut each = found.clone();
        each.sort_unstable();
        each.dedup();
        assert_eq!((each.len(), &found), (10, &each));
        let query = Query { max_results: Some(4), ..Query::default() };
        let refusal = stage.world.describe_tags(&stage.alice, &query).unwrap_err();
        assert_eq!(refusal.code, "InvalidParameterValue");
    }

    #[test]
    fn nobody_sees_the_tags_of_others_not_even_on_what_is_shared() {
        let (mut stage, ids) = tagged();
        let bob = Caller::user("444455556666");
        stage.world.share_target(&stage.target, &bob.account);
        stage.world.run_instances(&bob, &RunInstances::default()).unwrap();
        let query = Query::default().with("resource-id", &[&ids[3]]);
        for query in [Query::default(), query] {
            assert!(stage.world.describe_tags(&bob, &query).unwrap().rows.is_empty());
        }
    }
}
