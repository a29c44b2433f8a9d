//! What CloudWatch shows of copies: one Metrics Insights query for each of four metrics, however many sources there
//! are, and the traffic of those that send none.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::{
    Client,
    primitives::DateTime,
    types::{
        Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, RecentlyActive,
        StatusCode,
    },
};

use shared::id::InstanceId;

use super::super::{
    flow::{Flow, Others, Ranking, silent},
    network::Fact,
};
use crate::problem::{AWS_REFUSED, Problem};

/// How far back is looked, in seconds: what `RecentlyActive` covers, so that a metric that it lists has values.
const WINDOW: u32 = 3 * 60 * 60;
/// EC2 writes its metrics every five minutes ("basic monitoring").
const GRAIN: u64 = 300;
/// The series that a Metrics Insights query returns at most ("Metrics Insights quotas").
const SERIES: usize = 500;
/// The metrics that a Metrics Insights query looks at most.
const LOOKED_AT: usize = 10_000;
/// The metrics of one `GetMetricData`.
const METRICS: usize = 500;
/// The metrics of a page of `ListMetrics`.
const LISTED: usize = 500;
/// What CloudWatch asks for a metric, in USD ("CloudWatch pricing", `GetMetricData` and Metrics Insights queries), and
/// for a call of `ListMetrics`.
const PRICE: f64 = 0.000_01;

const GET: &str = "cloudwatch:GetMetricData";

/// What reading the flow of so many instances and load balancers costs at most, in USD.
pub(crate) fn most(instances: usize, balancers: usize) -> f64 {
    let queries = LOOKED_AT.saturating_mul(4);
    let pages = LOOKED_AT.div_ceil(LISTED).saturating_mul(2);
    let rest = instances.saturating_mul(2).saturating_add(balancers).saturating_add(pages);
    let all = u32::try_from(queries.saturating_add(rest)).unwrap_or(u32::MAX);
    f64::from(all) * PRICE
}

/// Reads the flow of these instances, and of these load balancers by the end of their ARN.
pub(crate) async fn flow(
    config: &SdkConfig,
    senders: &BTreeSet<String>,
    balancers: BTreeSet<String>,
    now: SystemTime,
) -> Flow {
    let watch = Watch::new(config, now);
    let (copied, dropped, balancers) = tokio::join!(
        watch.rank(["NetworkMirrorIn", "NetworkMirrorOut"], Order::Least),
        watch.rank(["NetworkSkipMirrorIn", "NetworkSkipMirrorOut"], Order::Most),
        watch.sums("AWS/NetworkELB", "LoadBalancer", &["ProcessedBytes_UDP"], balancers),
    );
    let silent = copied.as_ref().map(|copied| silent(copied, senders)).unwrap_or_default();
    let metrics = ["NetworkIn", "NetworkOut"];
    let traffic = watch.sums("AWS/EC2", "InstanceId", &metrics, silent).await;
    Flow { copied, dropped, traffic, balancers }
}

/// Which series a query shows where it cannot show all.
#[derive(Clone, Copy)]
enum Order {
    Least,
    Most,
}

/// CloudWatch, over the time that is looked at.
struct Watch {
    client: Client,
    start: DateTime,
    end: DateTime,
}

impl Watch {
    fn new(config: &SdkConfig, now: SystemTime) -> Self {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(since.saturating_sub(since % GRAIN));
        let start = end - Duration::from_secs(WINDOW.into());
        Self { client: Client::new(config), start: start.into(), end: end.into() }
    }

    async fn rank(&self, metrics: [&str; 2], order: Order) -> Fact<Vec<Ranking>> {
        let [first, second] = metrics;
        let (first, second) = tokio::join!(self.query(first, order), self.query(second, order));
        Ok(vec![first?, second?])
    }

    /// One query: the series of a metric, the least or the greatest first.
    async fn query(&self, metric: &str, order: Order) -> Fact<Ranking> {
        let order_by = match order {
            Order::Least => "ASC",
            Order::Most => "DESC",
        };
        let query = format!(
            "SELECT SUM({metric}) FROM SCHEMA(\"AWS/EC2\", InstanceId) GROUP BY InstanceId \
             ORDER BY SUM() {order_by} LIMIT {SERIES}"
        );
        let query = MetricDataQuery::builder().id("q").expression(query).period(period()).build();
        let (results, is_all_looked_at) = self.get(vec![query]).await?;
        let mut shown = BTreeMap::new();
        for result in &results {
            let label = result.label().unwrap_or_default();
            let instance =
                label.split_whitespace().find_map(|word| word.parse::<InstanceId>().ok());
            let instance = instance.ok_or_else(|| {
                let label = shared::text::quote(label);
                Problem::new(&AWS_REFUSED, format!("{GET}: series {label} names no instance"))
            })?;
            *shown.entry(instance.to_string()).or_default() += sum(result);
        }
        let others = if !is_all_looked_at {
            Others::Unknown
        } else if shown.len() < SERIES {
            Others::None
        } else {
            match order {
                Order::Most => {
                    Others::AtMost(shown.values().copied().fold(f64::INFINITY, f64::min))
                }
                Order::Least => {
                    let least = shown.values().copied().fold(0.0, f64::max);
                    Others::AtLeast(least, self.active(metric).await?)
                }
            }
        };
        Ok(Ranking { shown, others })
    }

    /// The instances that have had this metric since the start.
    async fn active(&self, metric: &str) -> Fact<BTreeSet<String>> {
        let request = self
            .client
            .list_metrics()
            .namespace("AWS/EC2")
            .metric_name(metric)
            .recently_active(RecentlyActive::Pt3H);
        let mut pages = request.into_paginator().send();
        let mut active = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Problem::refused("cloudwatch:ListMetrics", &error))?;
            active.extend(page.metrics().iter().filter_map(instance));
        }
        Ok(active)
    }

    /// The sum of some metrics of each of these.
    async fn sums(
        &self,
        namespace: &str,
        dimension: &str,
        metrics: &[&str],
        of: impl IntoIterator<Item = String>,
    ) -> Fact<BTreeMap<String, f64>> {
        let of: Vec<String> = of.into_iter().collect();
        let mut sums = BTreeMap::new();
        for some in of.chunks(METRICS.div_euclid(metrics.len().max(1))) {
            let mut names = BTreeMap::new();
            let mut queries = Vec::new();
            for name in some {
                let dimension = Dimension::builder().name(dimension).value(name).build();
                for metric in metrics {
                    let metric = Metric::builder()
                        .namespace(namespace)
                        .metric_name(*metric)
                        .dimensions(dimension.clone())
                        .build();
                    let stat = MetricStat::builder().metric(metric).period(period()).stat("Sum");
                    let id = format!("m{}", queries.len());
                    let query = MetricDataQuery::builder().id(&id).metric_stat(stat.build());
                    queries.push(query.build());
                    names.insert(id, name.clone());
                }
            }
            for result in &self.get(queries).await?.0 {
                if let Some(name) = result.id().and_then(|id| names.get(id)) {
                    *sums.entry(name.clone()).or_default() += sum(result);
                }
            }
        }
        Ok(sums)
    }

    /// The results, and whether all that they are about was looked at.
    async fn get(&self, queries: Vec<MetricDataQuery>) -> Fact<(Vec<MetricDataResult>, bool)> {
        let request = self.client.get_metric_data().start_time(self.start).end_time(self.end);
        let mut pages = request.set_metric_data_queries(Some(queries)).into_paginator().send();
        let (mut results, mut is_all) = (Vec::new(), true);
        while let Some(page) = pages.next().await {
            let mut page = page.map_err(|error| Problem::refused(GET, &error))?;
            is_all &= page.messages().is_empty();
            results.extend(page.metric_data_results.take().unwrap_or_default());
        }
        // A series has two values at most, so none needs a second page.
        let is_whole = |it: &MetricDataResult| it.status_code() == Some(&StatusCode::Complete);
        match results.iter().find(|it| !is_whole(it)) {
            Some(partial) => {
                let status = partial.status_code().map_or("no status", StatusCode::as_str);
                Err(Problem::new(&AWS_REFUSED, format!("{GET}: {status}")))
            }
            None => Ok((results, is_all)),
        }
    }
}

/// The whole time is one value, or two where CloudWatch divides it otherwise.
fn period() -> i32 {
    i32::try_from(WINDOW).unwrap_or(i32::MAX)
}

fn sum(result: &MetricDataResult) -> f64 {
    result.values().iter().sum()
}

/// The instance that a metric is of; there are others of types, images and groups.
fn instance(metric: &Metric) -> Option<String> {
    let [dimension] = metric.dimensions() else { return None };
    let is_instance = dimension.name() == Some("InstanceId");
    dimension.value().filter(|_| is_instance).map(str::to_owned)
}
