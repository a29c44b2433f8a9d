//! CloudWatch, as far as metrics are read: `GetMetricData` with single metrics and Metrics Insights queries.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::{Value, json};

use crate::aws::ec2::{Caller, Refusal, World};

/// Before the action in the path of a request.
pub(crate) const PATH: &str = "/service/GraniteServiceVersion20100801/operation/";

/// The metrics of one request, and the series that a query returns ("Metrics Insights quotas").
const METRICS: usize = 500;
/// The metrics that a query looks at.
const LOOKED_AT: usize = 10_000;
/// How far back a query may look, in seconds.
const RECENT: f64 = 3.0 * 3_600.0;
/// How far apart the values are that EC2 writes, in seconds ("basic monitoring").
const GRAIN: f64 = 300.0;

/// The parameters of a request.
type Parameters = BTreeMap<String, String>;

/// Does what a request asks for; the answer is JSON.
pub(crate) fn answer(
    world: &World,
    caller: &Caller,
    action: &str,
    parameters: &Parameters,
) -> Result<String, Refusal> {
    if action != "GetMetricData" {
        let message = format!("The operation {action} is not known");
        return Err(Refusal::new("UnknownOperationException", message));
    }
    data(world, caller, parameters)
}

fn invalid(message: &str) -> Refusal {
    Refusal::new("ValidationError", message)
}

fn data(world: &World, caller: &Caller, parameters: &Parameters) -> Result<String, Refusal> {
    let text = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
    let time = |name: &str| text(name).parse::<f64>().map_err(|_| invalid("a time is missing"));
    let (start, end) = (time("StartTime")?, time("EndTime")?);
    if start >= end {
        return Err(invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    let queries: Vec<Value> = serde_json::from_str(text("MetricDataQueries"))
        .map_err(|_| invalid("The parameter MetricDataQueries is required."))?;
    let insights = queries.iter().filter(|query| query["Expression"].is_string()).count();
    if queries.len() > METRICS || insights > 1 {
        return Err(invalid("The maximum number of queries is exceeded."));
    }
    if insights == 1 && end - start > RECENT {
        return Err(invalid("Metrics Insights queries can query only the most recent three hours"));
    }
    let mut results = Vec::new();
    for query in &queries {
        let is_id = |id: &str| id.starts_with(|it: char| it.is_ascii_lowercase());
        if !query["Id"].as_str().is_some_and(is_id) {
            return Err(invalid("The value for parameter MetricDataQueries.Id is not valid"));
        }
        let Some(expression) = query["Expression"].as_str() else {
            let name = query["MetricStat"]["Metric"]["MetricName"].as_str().unwrap_or_default();
            let amount = single(world, caller, &query["MetricStat"])?;
            if !world.traffic.left_out.contains(name) {
                results.push(result(query, "a label", amount, (start, end)));
            }
            continue;
        };
        results.extend(series(world, caller, query, expression, (start, end))?);
    }
    page(world, &results, parameters)
}

/// What a query shows. Where nothing is to be shown, it is a series of nothing, and what is left out is said of the
/// results ("Any message about a specific metric returned by the operation appears in the `MetricDataResult`").
fn series(
    world: &World,
    caller: &Caller,
    query: &Value,
    expression: &str,
    time: (f64, f64),
) -> Result<Vec<Value>, Refusal> {
    let (series, is_all) = insight(world, caller, expression)?;
    let shown = series.iter().map(|it| result(query, &it.0, Some(it.1), time));
    let mut shown: Vec<_> = shown.collect();
    if shown.is_empty() {
        shown.push(result(query, "a label", None, time));
    }
    if !is_all {
        let text = "The query did not look at all metrics that match it.";
        shown[0]["Messages"] = json!([{"Code": "MaxMetricsExceeded", "Value": text}]);
    }
    Ok(shown)
}

/// A series. Nobody knows how CloudWatch divides the time: here at multiples of the period, and what begins before the
/// time that is asked for is not shown.
fn result(query: &Value, label: &str, amount: Option<f64>, (start, end): (f64, f64)) -> Value {
    let period = query["Period"].as_f64().or(query["MetricStat"]["Period"].as_f64());
    let period = period.unwrap_or(GRAIN).max(GRAIN);
    let (mut times, mut values) = (Vec::new(), Vec::new());
    let mut time = (start / period).ceil() * period;
    while let Some(amount) = amount.filter(|_| time < end) {
        times.push(time);
        values.push(amount * (end - time).min(period) / (end - start));
        time += period;
    }
    json!({
        "Id": query["Id"], "Label": label, "StatusCode": "Complete",
        "Timestamps": times, "Values": values,
    })
}

/// The sum of one metric, if there is one.
fn single(world: &World, caller: &Caller, wanted: &Value) -> Result<Option<f64>, Refusal> {
    if wanted["Stat"] != "Sum" || wanted["Period"].as_i64().is_none_or(|it| it % 60 != 0) {
        return Err(invalid("The value for parameter Stat or Period is not valid"));
    }
    let metric = &wanted["Metric"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let [namespace, name] = ["Namespace", "MetricName"].map(|member| text(&metric[member]));
    let dimensions = metric["Dimensions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [dimension] = dimensions else { return Ok(None) };
    let [dimension, value] = ["Name", "Value"].map(|member| text(&dimension[member]));
    Ok(match [&namespace, &dimension, &name].map(String::as_str) {
        ["AWS/EC2", "InstanceId", _] => world.metric_of(caller, &name, &value),
        ["AWS/NetworkELB", "LoadBalancer", "ProcessedBytes_UDP"] => {
            world.processed_bytes(caller, &value)
        }
        _ => None,
    })
}

/// The series of a query, and whether it has looked at all that match it.
fn insight(
    world: &World,
    caller: &Caller,
    expression: &str,
) -> Result<(Vec<(String, f64)>, bool), Refusal> {
    let form = r#"^SELECT SUM\((\w+)\) FROM SCHEMA\("AWS/EC2", InstanceId\) GROUP BY InstanceId ORDER BY SUM\(\) (ASC|DESC) LIMIT (\d+)$"#;
    let form = Regex::new(form).expect("it is a regular expression");
    let not_valid = || invalid("Error in expression: it is no Metrics Insights query");
    let found = form.captures(expression).ok_or_else(not_valid)?;
    let limit = found[3].parse().map_err(|_| not_valid())?;
    let series = world.instance_metric(caller, &found[1]);
    let looked_at = world.traffic.looked_at.unwrap_or(LOOKED_AT);
    let is_all = series.len() <= looked_at;
    let mut series: Vec<_> = series.into_iter().take(looked_at).collect();
    series.sort_by(|(_, one), (_, other)| one.partial_cmp(other).unwrap_or(Ordering::Equal));
    if &found[2] == "DESC" {
        series.reverse();
    }
    series.truncate(METRICS.min(limit));
    Ok((series, is_all))
}

/// Some results; the token is the number of those before them.
fn page(world: &World, results: &[Value], parameters: &Parameters) -> Result<String, Refusal> {
    let start = parameters.get("NextToken").map(|text| text.parse::<usize>()).transpose();
    let start = start.map_err(|_| Refusal::new("InvalidNextToken", "it is not ours"))?;
    let start = start.unwrap_or_default();
    let end = start + world.max_page.map_or(METRICS, |max| max.min(METRICS));
    let shown: Vec<_> = results.iter().take(end).skip(start).collect();
    let next = (end < results.len()).then(|| end.to_string());
    Ok(json!({"MetricDataResults": shown, "NextToken": next}).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(action: &str, parameters: &[(&str, &str)]) -> Result<String, Refusal> {
        let given = parameters.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        answer(&World::default(), &Caller::default(), action, &given.collect())
    }

    #[test]
    fn what_cloudwatch_refuses_is_refused() {
        let query = |text: &str| format!("[{{\"Id\": \"q\", \"Expression\": \"{text}\"}}]");
        let sql = query("SELECT 1");
        let two = format!("[{0}, {0}]", sql.trim_matches(['[', ']']));
        for (start, end, queries) in [
            ("7", "7", "[]"),
            ("0", "10801", sql.as_str()),
            ("0", "10800", &sql),
            ("0", "10800", &two),
            ("0", "10800", "{}"),
            ("0", "10800", r#"[{"Id": "Q", "MetricStat": {"Stat": "Sum", "Period": 60}}]"#),
            ("0", "10800", r#"[{"Id": "q", "MetricStat": {"Stat": "Sum", "Period": 61}}]"#),
        ] {
            let given = [("StartTime", start), ("EndTime", end), ("MetricDataQueries", queries)];
            let refusal = ask("GetMetricData", &given).unwrap_err();
            assert_eq!(refusal.code, "ValidationError", "{start} {end} {queries}");
        }
        assert_eq!(ask("PutMetricData", &[]).unwrap_err().code, "UnknownOperationException");
    }
}
