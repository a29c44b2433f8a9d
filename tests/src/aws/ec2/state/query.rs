//! The ids, filters and pages of `Describe…` calls, the same for every type of resource.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;

use super::{Caller, Managed, Refusal, Resource, World};

const VALUES_PER_REQUEST: usize = 200;
const PAGE: usize = 1000;

/// What to read. The default is everything the caller may see.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pub ids: Vec<String>,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
    pub max_results: Option<i64>,
    pub next_token: Option<String>,
    /// Whether to include what an operator manages, where that is hidden.
    pub include_managed: bool,
}

/// What AWS calls a filter of a describe call: it holds if one of the values fits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Condition {
    pub name: String,
    /// Case-sensitive, with the wildcards `*` and `?`.
    pub values: Vec<String>,
}

/// Some rows in the order of their ids, and how to get the next.
#[derive(Debug)]
pub struct Page<'a, T> {
    pub rows: Vec<&'a T>,
    pub next_token: Option<String>,
}

impl Query {
    pub fn ids(ids: &[&str]) -> Self {
        Self { ids: ids.iter().map(|&id| id.to_owned()).collect(), ..Self::default() }
    }

    /// One condition more.
    #[must_use]
    pub fn with(mut self, name: &str, values: &[&str]) -> Self {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        self.conditions.push(Condition { name: name.to_owned(), values });
        self
    }

    fn check<T: Resource>(&self) -> Result<(), Refusal> {
        self.check_conditions(|name| {
            let of_tags = T::TAG_FILTERS && (name == "tag-key" || name.starts_with("tag:"));
            of_tags || T::COLUMNS.iter().any(|(column, _)| *column == name)
        })?;
        self.check_page(T::PAGED_WITH_IDS, T::LARGEST_PAGE)
    }

    pub(super) fn check_conditions(&self, is_filter: impl Fn(&str) -> bool) -> Result<(), Refusal> {
        if let Some(other) = self.conditions.iter().find(|c| !is_filter(&c.name)) {
            return Err(Refusal::value(format!("The filter '{}' is invalid", other.name)));
        }
        if self.conditions.iter().map(|c| c.values.len()).sum::<usize>() > VALUES_PER_REQUEST {
            return Err(Refusal::new(
                "FilterLimitExceeded",
                format!("The maximum number of filter values is {VALUES_PER_REQUEST}"),
            ));
        }
        Ok(())
    }

    pub(super) fn check_page(&self, paged_with_ids: bool, largest: i64) -> Result<(), Refusal> {
        let Some(max) = self.max_results else { return Ok(()) };
        if !(5..=largest).contains(&max) {
            return Err(Refusal::value(format!(
                "Value ( {max} ) for parameter maxResults is invalid. Expecting a value from 5 to {largest}."
            )));
        }
        if !self.ids.is_empty() && !paged_with_ids {
            let message = "The parameter maxResults cannot be used with ids in the same request";
            return Err(Refusal::new("InvalidParameterCombination", message));
        }
        Ok(())
    }

    /// A token is good for the query it was given for, in any page size.
    pub(super) fn fingerprint(&self, kind: &str, caller: &Caller) -> String {
        let mut hasher = DefaultHasher::new();
        (kind, &caller.account, &self.ids, &self.conditions).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// The id after which to go on.
    pub(super) fn resume(&self, kind: &str, caller: &Caller) -> Result<Option<String>, Refusal> {
        let Some(token) = &self.next_token else { return Ok(None) };
        let id = token.strip_prefix(&self.fingerprint(kind, caller)).map(str::to_owned);
        let refusal = || Refusal::new("InvalidNextToken", "The specified NextToken is not valid.");
        id.map(Some).ok_or_else(refusal)
    }
}

impl World {
    /// Reads a page of resources.
    pub fn describe<T: Resource>(
        &self,
        caller: &Caller,
        query: &Query,
    ) -> Result<Page<'_, T>, Refusal> {
        query.check::<T>()?;
        let after = query.resume(T::TYPE, caller)?;
        let rows = T::rows(self);
        let visible = |row: &T| row.is_visible(self, caller) && self.shows(row, query);
        for id in &query.ids {
            rows.get(id).filter(|row| visible(row)).ok_or_else(|| T::missing(id))?;
        }
        let limit = self.page_size::<T>(query);
        let wanted =
            |row: &&T| visible(row) && query.conditions.iter().all(|c| c.holds(self, *row));
        let range = match &after {
            Some(id) => (Bound::Excluded(id.as_str()), Bound::Unbounded),
            None => (Bound::Unbounded, Bound::Unbounded),
        };
        // One row more than the page tells whether there is a next page.
        let mut found: Vec<&T> = match self.candidates::<T>(query) {
            Some(ids) => ids
                .range::<str, _>(range)
                .filter_map(|id| rows.get(*id))
                .filter(wanted)
                .take(limit.saturating_add(1))
                .collect(),
            None => rows
                .range::<str, _>(range)
                .map(|(_, row)| row)
                .filter(wanted)
                .take(limit.saturating_add(1))
                .collect(),
        };
        let mut next_token = None;
        if found.len() > limit {
            found.truncate(limit);
            let last = found.last().map_or("", |row| row.id());
            next_token = Some(query.fingerprint(T::TYPE, caller) + last);
        }
        Ok(Page { rows: found, next_token })
    }

    /// Whether the resource is in sight, as far as its operator goes.
    pub(crate) fn shows<T: Resource>(&self, row: &T, query: &Query) -> bool {
        self.managed != Managed::Hidden || query.include_managed || !row.is_managed()
    }

    fn page_size<T: Resource>(&self, query: &Query) -> usize {
        if !query.ids.is_empty() && !T::PAGED_WITH_IDS {
            return usize::MAX;
        }
        self.rows_of_page(query)
    }

    /// How many rows fit on a page, whatever they are.
    pub(super) fn rows_of_page(&self, query: &Query) -> usize {
        let asked = query.max_results.and_then(|max| usize::try_from(max).ok()).unwrap_or(PAGE);
        self.max_page.map_or(asked, |max| max.min(asked))
    }

    /// The only ids that can be in the answer, where that is known without looking at every row.
    fn candidates<'a, T: Resource>(&'a self, query: &'a Query) -> Option<BTreeSet<&'a str>> {
        if !query.ids.is_empty() {
            return Some(query.ids.iter().map(String::as_str).collect());
        }
        query.conditions.iter().find_map(|condition| {
            let exact = condition.exact()?;
            if condition.name == T::COLUMNS[0].0 {
                return Some(exact);
            }
            let mut ids = BTreeSet::new();
            for value in &condition.values {
                ids.extend(T::indexed(self, &condition.name, value)?);
            }
            Some(ids)
        })
    }
}

impl Condition {
    /// The only values that fit, if there are no wildcards in it.
    pub(super) fn exact(&self) -> Option<BTreeSet<&str>> {
        let has_wildcards = self.values.iter().any(|value| value.contains(['*', '?']));
        (!has_wildcards).then(|| self.values.iter().map(String::as_str).collect())
    }

    pub(super) fn fits(&self, found: &str) -> bool {
        let is_pattern = |value: &String| value.contains(['*', '?']);
        self.values
            .iter()
            .any(|value| value == found || (is_pattern(value) && matches(value, found)))
    }

    fn holds<T: Resource>(&self, world: &World, row: &T) -> bool {
        if let Some((_, column)) = T::COLUMNS.iter().find(|(name, _)| *name == self.name) {
            return column(world, row).iter().any(|found| self.fits(found));
        }
        match self.name.strip_prefix("tag:") {
            Some(key) => row.tags().get(key).is_some_and(|value| self.fits(value)),
            None => row.tags().keys().any(|key| self.fits(key)),
        }
    }
}

/// Whether a value fits a pattern in which `*` is any text and `?` any character.
fn matches(pattern: &str, value: &str) -> bool {
    let Some(symbol) = pattern.chars().next() else { return value.is_empty() };
    let rest = &pattern[symbol.len_utf8()..];
    if symbol == '*' {
        let mut ends = value.char_indices().map(|(at, _)| at).chain([value.len()]);
        return ends.any(|at| matches(rest, &value[at..]));
    }
    let Some(first) = value.chars().next() else { return false };
    (symbol == '?' || symbol == first) && matches(rest, &value[first.len_utf8()..])
}

#[cfg(test)]
mod tests {
    use super::super::{Instance, RunInstances, Tags};
    use super::*;

    fn with_instances(count: usize) -> (World, Caller) {
        let (mut world, alice) = (World::default(), Caller::default());
        let request = RunInstances { count, ..RunInstances::default() };
        world.run_instances(&alice, &request).unwrap();
        (world, alice)
    }

    #[test]
    fn values_of_a_filter_are_alternatives_and_filters_are_joined() {
        let (mut world, alice) = with_instances(3);
        let tag = |value: &str| Tags::from([("Mirror".to_owned(), value.to_owned())]);
        let ids: Vec<_> = world.instances.keys().cloned().collect();
        world.create_tags(&alice, &ids[..1], &tag("True")).unwrap();
        world.create_tags(&alice, &ids[1..], &tag("true")).unwrap();
        let found = |query: &Query| world.describe::<Instance>(&alice, query).unwrap().rows.len();
        assert_eq!(found(&Query::default().with("tag:Mirror", &["True"])), 1);
        let either = Query::default().with("tag:Mirror", &["?rue"]);
        assert_eq!(found(&either), 3);
        assert_eq!(found(&Query::default().with("tag:Mirror", &["True", "true"])), 3);
        assert_eq!(found(&either.with("instance-id", &[&ids[1]])), 1);
        assert_eq!(found(&Query::default().with("tag-key", &["mirror"])), 0);
    }

    #[test]
    fn wildcards_match_any_text_and_any_character() {
        assert!(matches("i-*7", "i-07") && matches("*", "") && matches("a?c", "abc"));
        assert!(!matches("a?c", "ac") && !matches("i-*7", "i-08") && !matches("", "a"));
    }
}
