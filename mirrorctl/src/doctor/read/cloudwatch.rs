//! What CloudWatch shows of copies: one Metrics Insights query for each of four metrics, however many sources there
//! are; the copies of those that a query does not show; and the traffic of those that send none.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::{
    Client,
    primitives::DateTime,
    types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, StatusCode},
};

use shared::id::InstanceId;

use super::super::{
    flow::{Flow, Others, Ranking, silent},
    network::Fact,
};
use crate::problem::{AWS_REFUSED, Problem};

/// How far back is looked, in seconds. CloudWatch bills by metric and not by time.
const WINDOW: u64 = 3 * 60 * 60;
/// EC2 writes its metrics every five minutes ("basic monitoring"), so that no value is of a time that is cut off.
const GRAIN: u16 = 300;
/// The series that a Metrics Insights query returns at most ("Metrics Insights quotas").
const SERIES: usize = 500;
/// The metrics that a Metrics Insights query looks at most.
const LOOKED_AT: usize = 10_000;
/// The metrics of one `GetMetricData`.
const METRICS: usize = 500;
/// What CloudWatch asks for a metric, in USD ("CloudWatch pricing", `GetMetricData` and Metrics Insights queries).
const PRICE: f64 = 0.000_01;

const GET: &str = "cloudwatch:GetMetricData";

/// What reading the flow of so many instances and load balancers costs at most, in USD.
pub(crate) fn most(instances: usize, balancers: usize) -> f64 {
    let queries = LOOKED_AT.saturating_mul(4);
    // Each may have to be asked about alone: its copies and its traffic, in and out.
    let rest = instances.saturating_mul(4).saturating_add(balancers);
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
        watch.copied(senders),
        watch.dropped(),
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
        let end = SystemTime::UNIX_EPOCH
            + Duration::from_secs(since.saturating_sub(since % u64::from(GRAIN)));
        let start = end - Duration::from_secs(WINDOW);
        Self { client: Client::new(config), start: start.into(), end: end.into() }
    }

    async fn copied(&self, senders: &BTreeSet<String>) -> Fact<Vec<Ranking>> {
        let of = |metric| self.copied_of(metric, senders);
        let (first, second) = tokio::join!(of("NetworkMirrorIn"), of("NetworkMirrorOut"));
        Ok(vec![first?, second?])
    }

    /// What a query does not show of the senders is asked alone. Nothing else says how much it is: `ListMetrics` may
    /// name a metric 50 minutes after its last value of the window, and need not name a new one for 15.
    async fn copied_of(&self, metric: &str, senders: &BTreeSet<String>) -> Fact<Ranking> {
        let mut ranking = self.query(metric, Order::Least).await?;
        if !matches!(ranking.others, Others::None) {
            let hidden = senders.iter().filter(|id| !ranking.shown.contains_key(*id)).cloned();
            let hidden: Vec<_> = hidden.collect();
            ranking.shown.extend(self.sums("AWS/EC2", "InstanceId", &[metric], hidden).await?);
            ranking.others = Others::None;
        }
        Ok(ranking)
    }

    async fn dropped(&self) -> Fact<Vec<Ranking>> {
        let of = |metric| self.query(metric, Order::Most);
        let (first, second) = tokio::join!(of("NetworkSkipMirrorIn"), of("NetworkSkipMirrorOut"));
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
        let query = MetricDataQuery::builder().id("q").expression(query).period(GRAIN.into());
        let (results, is_all_looked_at) = self.get(vec![query.build()]).await?;
        let mut shown = BTreeMap::new();
        // Where there is nothing to show, an answer may have a series of nothing.
        for result in results.iter().filter(|it| !it.values().is_empty()) {
            *shown.entry(labelled(result)?.to_string()).or_default() += sum(result);
        }
        let others = match order {
            _ if !is_all_looked_at => Others::Unknown,
            _ if results.len() < SERIES => Others::None,
            Order::Most => Others::AtMost(shown.values().copied().fold(f64::INFINITY, f64::min)),
            Order::Least => Others::Unknown,
        };
        Ok(Ranking { shown, others })
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
                    let stat =
                        MetricStat::builder().metric(metric).period(GRAIN.into()).stat("Sum");
                    let id = format!("m{}", queries.len());
                    let query = MetricDataQuery::builder().id(&id).metric_stat(stat.build());
                    queries.push(query.build());
                    names.insert(id, name.clone());
                }
            }
            let (results, is_all) = self.get(queries).await?;
            // A metric without values has a result, too: what has none was not looked at.
            let answered: BTreeSet<_> = results.iter().filter_map(MetricDataResult::id).collect();
            if !is_all || names.keys().any(|id| !answered.contains(id.as_str())) {
                let detail = format!("{GET}: not all of {namespace} was looked at");
                return Err(Problem::new(&AWS_REFUSED, detail));
            }
            for result in &results {
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
            let shown = page.metric_data_results.take().unwrap_or_default();
            // What is left out is said of the whole, or of what it concerns (`GetMetricDataOutput`).
            is_all &= page.messages().is_empty();
            is_all &= shown.iter().all(|result| result.messages().is_empty());
            results.extend(shown);
        }
        // A series has a value for each five minutes at most, so none needs a second page.
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

/// The instance that a series is of.
fn labelled(result: &MetricDataResult) -> Fact<InstanceId> {
    let label = result.label().unwrap_or_default();
    let instance = label.split_whitespace().find_map(|word| word.parse::<InstanceId>().ok());
    instance.ok_or_else(|| {
        let label = shared::text::quote(label);
        Problem::new(&AWS_REFUSED, format!("{GET}: series {label} names no instance"))
    })
}

fn sum(result: &MetricDataResult) -> f64 {
    result.values().iter().sum()
}
