//! CloudWatch, as far as metrics are read: `GetMetricData` with single metrics and Metrics Insights queries, and
//! `ListMetrics`.

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
/// The metrics of a page of `ListMetrics`.
const PAGE: usize = 500;

/// The parameters of a request.
type Parameters = BTreeMap<String, String>;

/// Does what a request asks for; the answer is JSON.
pub(crate) fn answer(
    world: &World,
    caller: &Caller,
    action: &str,
    parameters: &Parameters,
) -> Result<String, Refusal> {
    match action {
        "GetMetricData" => data(world, caller, parameters),
        "ListMetrics" => list(world, caller, parameters),
        _ => {
            let message = format!("The operation {action} is not known");
            Err(Refusal::new("UnknownOperationException", message))
        }
    }
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
    let (mut results, mut messages) = (Vec::new(), Vec::new());
    for query in &queries {
        let is_id = |id: &str| id.starts_with(|it: char| it.is_ascii_lowercase());
        if !query["Id"].as_str().is_some_and(is_id) {
            return Err(invalid("The value for parameter MetricDataQueries.Id is not valid"));
        }
        let Some(expression) = query["Expression"].as_str() else {
            results.push(result(
                query,
                "a label",
                single(world, caller, &query["MetricStat"])?,
                end,
            ));
            continue;
        };
        let (series, is_all) = insight(world, caller, expression)?;
        results.extend(series.iter().map(|it| result(query, &it.0, Some(it.1), end)));
        if !is_all {
            let text = "The query looked at 10000 metrics, and more match it.";
            messages.push(json!({"Code": "MaxMetricsExceeded", "Value": text}));
        }
    }
    page(world, "MetricDataResults", &results, METRICS, parameters, &json!(messages))
}

/// A series, in two values: nobody knows how CloudWatch divides the time.
fn result(query: &Value, label: &str, amount: Option<f64>, end: f64) -> Value {
    let values = amount.map_or_else(Vec::new, |amount| vec![amount * 0.5, amount * 0.5]);
    let times = values.iter().zip([0.0, 3_600.0]).map(|(_, ago)| end - ago);
    json!({
        "Id": query["Id"], "Label": label, "StatusCode": "Complete",
        "Timestamps": times.collect::<Vec<_>>(), "Values": values,
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
    let is_all = series.len() <= LOOKED_AT;
    let mut series: Vec<_> = series.into_iter().take(LOOKED_AT).collect();
    series.sort_by(|(_, one), (_, other)| one.partial_cmp(other).unwrap_or(Ordering::Equal));
    if &found[2] == "DESC" {
        series.reverse();
    }
    series.truncate(METRICS.min(limit));
    Ok((series, is_all))
}

fn list(world: &World, caller: &Caller, parameters: &Parameters) -> Result<String, Refusal> {
    let name = parameters.get("MetricName").map(String::as_str).unwrap_or_default();
    let is_recent = parameters.get("RecentlyActive").is_some_and(|it| it == "PT3H");
    if !is_recent || parameters.get("Namespace").is_none_or(|it| it != "AWS/EC2") {
        return Err(Refusal::new("InvalidParameterValue", "this is not known here"));
    }
    let metric = |dimension: &str, value: &str| {
        let dimensions = json!([{"Name": dimension, "Value": value}]);
        json!({"Namespace": "AWS/EC2", "MetricName": name, "Dimensions": dimensions})
    };
    // EC2 counts by type, too.
    let mut metrics = vec![metric("InstanceType", "m5.large")];
    let instances = world.instance_metric(caller, name);
    metrics.extend(instances.keys().map(|instance| metric("InstanceId", instance)));
    page(world, "Metrics", &metrics, PAGE, parameters, &Value::Null)
}

/// Some rows; the token is the number of those before them.
fn page(
    world: &World,
    name: &str,
    rows: &[Value],
    size: usize,
    parameters: &Parameters,
    messages: &Value,
) -> Result<String, Refusal> {
    let start = parameters.get("NextToken").map(|text| text.parse::<usize>()).transpose();
    let start = start.map_err(|_| Refusal::new("InvalidNextToken", "it is not ours"))?;
    let start = start.unwrap_or_default();
    let end = start + world.max_page.map_or(size, |max| max.min(size));
    let shown: Vec<_> = rows.iter().take(end).skip(start).collect();
    let next = (end < rows.len()).then(|| end.to_string());
    Ok(json!({name: shown, "NextToken": next, "Messages": messages}).to_string())
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
        let list = [("MetricName", "NetworkIn"), ("Namespace", "AWS/EC2")];
        assert_eq!(ask("ListMetrics", &list).unwrap_err().code, "InvalidParameterValue");
        assert_eq!(ask("PutMetricData", &[]).unwrap_err().code, "UnknownOperationException");
    }
}
