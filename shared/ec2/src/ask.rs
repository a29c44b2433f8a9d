//! What to ask EC2 for: everything, what filters match, or ids; one request asks for many.

use aws_sdk_ec2::types as ec2;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    client::{Ec2, LARGEST_PAGE},
    error::ObserveError,
};

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
            Self::All | Self::Matching(_) => Some(LARGEST_PAGE),
        }
    }

    /// The same for instances and interfaces.
    pub(crate) fn wide_page_size(&self, ec2: &Ec2) -> Option<i32> {
        self.page_size().map(|_| ec2.wide_page_size)
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
        self.read_by(MAX_CONCURRENT, None, read).await
    }

    /// The same of what matches this filter as well. Its values count, too.
    pub(crate) async fn read_matching<C, F>(
        &self,
        filter: &ec2::Filter,
        read: impl Fn(Ask) -> F,
    ) -> Result<Vec<C>, ObserveError>
    where
        F: Future<Output = Result<C, ObserveError>>,
    {
        self.read_by(MAX_CONCURRENT, Some(filter), read).await
    }

    /// The same one after the other: of instances and interfaces one page at a time fits into the memory.
    pub(crate) async fn read_in_turn<C, F>(
        &self,
        read: impl Fn(Ask) -> F,
    ) -> Result<Vec<C>, ObserveError>
    where
        F: Future<Output = Result<C, ObserveError>>,
    {
        self.read_by(1, None, read).await
    }

    async fn read_by<C, F>(
        &self,
        concurrent: usize,
        more: Option<&ec2::Filter>,
        read: impl Fn(Ask) -> F,
    ) -> Result<Vec<C>, ObserveError>
    where
        F: Future<Output = Result<C, ObserveError>>,
    {
        match self {
            Self::All => {
                let ask = more.map_or(Ask::All, |more| Ask::Matching(vec![more.clone()]));
                Ok(vec![read(ask).await?])
            }
            Self::Filtered(name, values) => {
                let taken = more.map_or(0, |more| more.values().len());
                let room = MAX_FILTER_VALUES.saturating_sub(taken).max(1);
                let requests = values.chunks(room).map(|values| {
                    let these = filter(name, values.iter().map(String::as_str));
                    read(Ask::Matching([these].into_iter().chain(more.cloned()).collect()))
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
