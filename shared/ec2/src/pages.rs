//! Lists page by page. A list whose pages do not end as they should may lack anything, so it is an error,
//! and nothing is concluded from it.

use std::collections::BTreeSet;

use aws_sdk_ec2::{
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        describe_instances::DescribeInstancesOutput,
        describe_network_interfaces::DescribeNetworkInterfacesOutput,
        describe_security_groups::DescribeSecurityGroupsOutput, describe_tags::DescribeTagsOutput,
        describe_traffic_mirror_filters::DescribeTrafficMirrorFiltersOutput,
        describe_traffic_mirror_sessions::DescribeTrafficMirrorSessionsOutput,
        describe_traffic_mirror_targets::DescribeTrafficMirrorTargetsOutput,
    },
    types as ec2,
};
use aws_smithy_async::future::pagination_stream::PaginationStream;
use tokio::time::{Instant, timeout_at};

use crate::error::{IncompleteList, ObserveError};

/// Ten pages hold as many sessions, targets or filters as an account can have ("Traffic Mirroring
/// quotas"); EC2 may return shorter pages, and empty ones.
const MAX_MIRROR_PAGES: usize = 200;
/// Two million instances or interfaces.
const MAX_PAGES: usize = 10_000;

/// A page of a list.
pub(crate) trait Page {
    /// What the list consists of.
    type Item;
    /// What is done, for an error.
    const OPERATION: &'static str;
    /// A longer list has no end.
    const MAX_PAGES: usize;

    fn items(&self) -> &[Self::Item];
    fn next_token(&self) -> Option<&str>;
}

macro_rules! pages {
    ($($page:ident: $operation:literal, $items:ident, $item:ident, $max:ident;)*) => {$(
        impl Page for $page {
            type Item = ec2::$item;
            const OPERATION: &'static str = $operation;
            const MAX_PAGES: usize = $max;

            fn items(&self) -> &[Self::Item] {
                $page::$items(self)
            }

            fn next_token(&self) -> Option<&str> {
                $page::next_token(self).filter(|token| !token.is_empty())
            }
        }
    )*};
}

pages! {
    DescribeInstancesOutput: "describe instances", reservations, Reservation, MAX_PAGES;
    DescribeNetworkInterfacesOutput:
        "describe network interfaces", network_interfaces, NetworkInterface, MAX_PAGES;
    DescribeSecurityGroupsOutput:
        "describe security groups", security_groups, SecurityGroup, MAX_PAGES;
    DescribeTagsOutput: "describe tags", tags, TagDescription, MAX_PAGES;
    DescribeTrafficMirrorSessionsOutput:
        "describe traffic mirror sessions", traffic_mirror_sessions, TrafficMirrorSession,
        MAX_MIRROR_PAGES;
    DescribeTrafficMirrorTargetsOutput:
        "describe traffic mirror targets", traffic_mirror_targets, TrafficMirrorTarget,
        MAX_MIRROR_PAGES;
    DescribeTrafficMirrorFiltersOutput:
        "describe traffic mirror filters", traffic_mirror_filters, TrafficMirrorFilter,
        MAX_MIRROR_PAGES;
}

/// A list, as far as it was read.
#[derive(Default)]
pub(crate) struct Part<C> {
    pub(crate) found: C,
    /// Why the rest of it was not read.
    pub(crate) cut_short: Option<ObserveError>,
}

/// Reads a list to its end, and converts page by page, so that only our small types stay in memory.
pub(crate) async fn collect<P: Page, E, U, I, C>(
    pages: PaginationStream<Result<P, SdkError<E>>>,
    read: impl FnMut(&P::Item) -> I,
) -> Result<C, ObserveError>
where
    I: IntoIterator<Item = U>,
    C: Default + Extend<U>,
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let mut found = C::default();
    extend(&mut found, pages, read, &mut 0).await?;
    Ok(found)
}

/// Reads a list as far as there is time for: until this moment, or until a page after the first one fails.
pub(crate) async fn collect_until<P: Page, E, U, I, C>(
    pages: PaginationStream<Result<P, SdkError<E>>>,
    read: impl FnMut(&P::Item) -> I,
    until: Instant,
) -> Result<Part<C>, ObserveError>
where
    I: IntoIterator<Item = U>,
    C: Default + Extend<U>,
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let (mut found, mut count) = (C::default(), 0);
    let cut_short = match timeout_at(until, extend(&mut found, pages, read, &mut count)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) if count == 0 => return Err(error),
        Ok(Err(error)) => Some(error),
        Err(_) => Some(ObserveError::incomplete(P::OPERATION, IncompleteList::OutOfTime)),
    };
    Ok(Part { found, cut_short })
}

/// Adds the pages of a list to what was found, and counts them.
async fn extend<P: Page, E, U, I, C>(
    found: &mut C,
    mut pages: PaginationStream<Result<P, SdkError<E>>>,
    mut read: impl FnMut(&P::Item) -> I,
    count: &mut usize,
) -> Result<(), ObserveError>
where
    I: IntoIterator<Item = U>,
    C: Extend<U>,
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let mut tokens = Tokens::default();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| ObserveError::new(P::OPERATION, error))?;
        for item in page.items() {
            found.extend(read(item));
        }
        *count += 1;
        let incomplete = |why| ObserveError::incomplete(P::OPERATION, why);
        tokens.note(page.next_token(), P::MAX_PAGES).map_err(incomplete)?;
    }
    Ok(())
}

/// The page tokens of one list.
#[derive(Default)]
struct Tokens {
    seen: BTreeSet<String>,
}

impl Tokens {
    fn note(&mut self, token: Option<&str>, max_pages: usize) -> Result<(), IncompleteList> {
        let Some(token) = token else { return Ok(()) };
        if !self.seen.insert(token.to_owned()) {
            return Err(IncompleteList::RepeatedToken);
        }
        if self.seen.len() >= max_pages {
            return Err(IncompleteList::TooManyPages(max_pages));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_comes_again_and_a_list_without_an_end_are_errors() {
        let mut tokens = Tokens::default();
        for token in ["a", "b"] {
            tokens.note(Some(token), 5).unwrap();
        }
        tokens.note(None, 5).unwrap();
        assert!(matches!(tokens.note(Some("a"), 5), Err(IncompleteList::RepeatedToken)));
        let mut tokens = Tokens::default();
        let notes: Vec<_> =
            ["a", "b", "c"].map(|token| tokens.note(Some(token), 3).is_ok()).to_vec();
        assert_eq!(notes, [true, true, false]);
    }
}
