//! Reading the items of a resource back.

use super::page::{self, Page, Token};
use super::{Config, Item, ResourceKey, Time};
use crate::aws::ec2::Refusal;

/// What to read.
#[derive(Clone, Debug)]
pub struct HistoryQuery {
    pub key: ResourceKey,
    pub earlier: Option<Time>,
    pub later: Option<Time>,
    /// The oldest first, instead of the newest.
    pub forward: bool,
    pub limit: Option<i64>,
    pub next_token: Option<String>,
}

impl HistoryQuery {
    pub fn new(key: ResourceKey) -> Self {
        Self { key, earlier: None, later: None, forward: false, limit: None, next_token: None }
    }
}

impl Config {
    /// A page of a resource's items, from the moment that they are captured: the history does not
    /// wait for the rules. A resource that is gone keeps its history.
    pub fn resource_history(&self, query: &HistoryQuery) -> Result<Page<'_, Item>, Refusal> {
        let size = page::size(query.limit, self.max_page)
            .ok_or_else(|| Refusal::new("InvalidLimitException", "The limit is from 0 to 100"))?;
        if let (Some(earlier), Some(later)) = (query.earlier, query.later)
            && earlier >= later
        {
            let message = "The earlier time must be before the later time";
            return Err(Refusal::new("InvalidTimeRangeException", message));
        }
        let items = self.history.get(&query.key).ok_or_else(|| {
            let ResourceKey { resource_type, id } = &query.key;
            let message = format!("Resource {id} of type {resource_type} is not discovered");
            Refusal::new("ResourceNotDiscoveredException", message)
        })?;
        let token = Token::of(&(
            &query.key,
            query.earlier.map(|it| it.0),
            query.later.map(|it| it.0),
            query.forward,
        ));
        let after = token.read(query.next_token.as_deref())?.and_then(|it| it.parse().ok());
        let in_time = |item: &&Item| {
            query.earlier.is_none_or(|earlier| earlier <= item.captured)
                && query.later.is_none_or(|later| item.captured <= later)
        };
        let is_left = |item: &&Item| match after.map(Time) {
            Some(after) if query.forward => after < item.captured,
            Some(after) => item.captured < after,
            None => true,
        };
        let items = items.iter().filter(in_time).filter(is_left);
        let name = |item: &Item| item.captured.0.to_string();
        Ok(if query.forward {
            token.cut(items, size, name)
        } else {
            token.cut(items.rev(), size, name)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ec2::{Caller, RunInstances, World};

    /// An instance with this many items.
    fn with_items(count: u64) -> (Config, ResourceKey) {
        let (mut world, mut config) = (World::default(), Config::default());
        let alice = Caller::default();
        let id = world.run_instances(&alice, &RunInstances::default()).unwrap().remove(0);
        for second in 1..=count {
            world.now = second;
            world.instance_mut(&id).unwrap().instance_type = format!("m5.{second}xlarge");
            config.record(&world);
        }
        (config, ResourceKey::instance(&id))
    }

    fn seconds(page: &Page<'_, Item>) -> Vec<u64> {
        page.0.iter().map(|item| item.captured.0 / 1000).collect()
    }

    #[test]
    fn the_newest_items_come_first_unless_told_otherwise() {
        let (mut config, key) = with_items(25);
        let mut query = HistoryQuery::new(key);
        let first = config.resource_history(&query).unwrap();
        assert_eq!(seconds(&first), (16..=25).rev().collect::<Vec<_>>());
        query.next_token = first.1;
        let second = config.resource_history(&query).unwrap();
        assert_eq!(seconds(&second), (6..=15).rev().collect::<Vec<_>>());

        query = HistoryQuery { forward: true, limit: Some(20), next_token: None, ..query };
        let first = config.resource_history(&query).unwrap();
        assert_eq!(seconds(&first), (1..=20).collect::<Vec<_>>());
        query.next_token = first.1;
        let second = config.resource_history(&query).unwrap();
        assert_eq!((seconds(&second), second.1), ((21..=25).collect(), None));
        config.max_page = Some(1);
        query.next_token = None;
        assert_eq!(seconds(&config.resource_history(&query).unwrap()), [1]);
    }

    #[test]
    fn both_ends_of_the_time_asked_for_belong_to_it() {
        let (config, key) = with_items(9);
        let (earlier, later) = (Some(Time(3000)), Some(Time(5000)));
        let query = HistoryQuery { earlier, later, ..HistoryQuery::new(key) };
        assert_eq!(seconds(&config.resource_history(&query).unwrap()), [5, 4, 3]);
    }

    #[test]
    fn what_cannot_be_read_is_refused_each_with_its_code() {
        let (config, key) = with_items(1);
        let query = HistoryQuery::new(key);
        let time = Some(Time(1));
        for (query, code) in [
            (HistoryQuery { limit: Some(101), ..query.clone() }, "InvalidLimitException"),
            (
                HistoryQuery { earlier: time, later: time, ..query.clone() },
                "InvalidTimeRangeException",
            ),
            (
                HistoryQuery { next_token: Some("x".to_owned()), ..query },
                "InvalidNextTokenException",
            ),
            (HistoryQuery::new(ResourceKey::instance("i-gone")), "ResourceNotDiscoveredException"),
            (HistoryQuery::new(ResourceKey::session("tms-gone")), "ResourceNotDiscoveredException"),
        ] {
            assert_eq!(config.resource_history(&query).unwrap_err().code, code);
        }
    }
}
