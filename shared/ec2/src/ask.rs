//! What to ask EC2 for: everything, what filters match, or ids; one request asks for many.

use aws_sdk_ec2::types as ec2;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::error::ObserveError;

/// The largest page that EC2 gives (EC2 API, `MaxResults`).
pub(crate) const PAGE_SIZE: i32 = 1000;
/// The most values one request may carry in its filters (EC2 API, "Filtering").
const MAX_FILTER_VALUES: usize = 200;
/// Concurrent requests of one kind: enough to hide the latency, far below the burst of 100.
const MAX_CONCURRENT: usize = 4;

/// What one request asks for.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    All,
    Matching(Vec<ec2::Filter>),
    /// By the parameter for ids: the request fails as a whole where one does not exist.
    Ids(Vec<String>),
}

impl Ask {
    /// Of what it asks for, only what matches this filter as well.
    pub(crate) fn and(self, more: ec2::Filter) -> Self {
        match self {
            Self::All => Self::Matching(vec![more]),
            Self::Matching(filters) => Self::Matching(filters.into_iter().chain([more]).collect()),
            // Whoever asks by ids wants to hear about each.
            Self::Ids(ids) => Self::Ids(ids),
        }
    }

    pub(crate) fn filters(&self) -> Option<Vec<ec2::Filter>> {
        match self {
            Self::Matching(filters) => Some(filters.clone()),
            Self::All | Self::Ids(_) => None,
        }
    }

    pub(crate) fn ids(&self) -> Option<Vec<String>> {
        match self {
            Self::Ids(ids) => Some(ids.clone()),
            Self::All | Self::Matching(_) => None,
        }
    }

    /// EC2 takes no page size with ids.
    pub(crate) fn page_size(&self) -> Option<i32> {
        match self {
            Self::Ids(_) => None,
            Self::All | Self::Matching(_) => Some(PAGE_SIZE),
        }
    }
}

/// Which items of a list to read.
pub(crate) enum Query {
    All,
    /// Those that match one of the values of the filter with this name. An id that EC2 does not know
    /// is absent from the answer, where the parameter for ids would fail the whole call.
    Filtered(&'static str, Vec<String>),
}

impl Query {
    pub(crate) fn by<'a>(name: &'static str, values: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Filtered(name, values.into_iter().map(str::to_owned).collect())
    }

    /// Reads all of it in as few requests as possible, several at a time; without values, in none. One part
    /// for each request.
    pub(crate) async fn read<C, F>(&self, read: impl Fn(Ask) -> F) -> Result<Vec<C>, ObserveError>
    where
        F: Future<Output = Result<C, ObserveError>>,
    {
        self.read_by(MAX_CONCURRENT, read).await
    }

    /// The same one after the other: of instances and interfaces one page at a time fits into the memory.
    pub(crate) async fn read_in_turn<C, F>(
        &self,
        read: impl Fn(Ask) -> F,
    ) -> Result<Vec<C>, ObserveError>
    where
        F: Future<Output = Result<C, ObserveError>>,
    {
        self.read_by(1, read).await
    }

    async fn read_by<C, F>(
        &self,
        concurrent: usize,
        read: impl Fn(Ask) -> F,
    ) -> Result<Vec<C>, ObserveError>
    where
        F: Future<Output = Result<C, ObserveError>>,
    {
        match self {
            Self::All => Ok(vec![read(Ask::All).await?]),
            Self::Filtered(name, values) => {
                let requests = values.chunks(MAX_FILTER_VALUES).map(|values| {
                    read(Ask::Matching(vec![filter(name, values.iter().map(String::as_str))]))
                });
                stream::iter(requests).buffered(concurrent).try_collect().await
            }
        }
    }
}

pub(crate) fn filter<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> ec2::Filter {
    let values = values.into_iter().map(str::to_owned).collect();
    ec2::Filter::builder().name(name).set_values(Some(values)).build()
}
