//! The configuration items of a resource, as AWS Config gives them back.

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
