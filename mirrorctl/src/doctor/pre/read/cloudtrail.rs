//! What CloudTrail shows of the trails in a region: those whose home it is, and copies of those of all regions and of the
//! organization (`DescribeTrails`). The list has one page.

use aws_config::SdkConfig;
use aws_sdk_cloudtrail::{
    Client,
    types::{self as cloudtrail, AdvancedFieldSelector, EventSelector, ReadWriteType},
};
use futures_util::{StreamExt, stream};

use super::super::{
    super::network::Fact,
    trail::{Basic, Field, Selection, Trail},
};
use crate::problem::Problem;

/// Trails that are asked about at a time.
const CONCURRENT: usize = 2;

pub(super) async fn trails(config: &SdkConfig) -> Fact<Vec<Trail>> {
    const ACTION: &str = "cloudtrail:DescribeTrails";
    let client = Client::new(config);
    let answer = client.describe_trails().send().await;
    let answer = answer.map_err(|error| Problem::refused(ACTION, &error))?;
    let trails = answer.trail_list().iter();
    let reads = trails.filter_map(|item| Some(trail(&client, item.trail_arn()?, item)));
    Ok(stream::iter(reads).buffered(CONCURRENT).collect().await)
}

/// A trail of another region or account is known by its ARN only (`GetTrailStatus`).
async fn trail(client: &Client, arn: &str, item: &cloudtrail::Trail) -> Trail {
    let is_default = item.has_custom_event_selectors() == Some(false);
    let (is_logging, selection) = tokio::join!(is_logging(client, arn), async {
        if is_default { Ok(Selection::Default) } else { selection(client, arn).await }
    });
    Trail {
        arn: arn.to_owned(),
        home: item.home_region().unwrap_or_default().to_owned(),
        is_multi_region: item.is_multi_region_trail() == Some(true),
        is_logging,
        selection,
    }
}

async fn is_logging(client: &Client, arn: &str) -> Fact<bool> {
    const ACTION: &str = "cloudtrail:GetTrailStatus";
    let answer = client.get_trail_status().name(arn).send().await;
    let answer = answer.map_err(|error| Problem::refused(ACTION, &error))?;
    Ok(answer.is_logging() == Some(true))
}

async fn selection(client: &Client, arn: &str) -> Fact<Selection> {
    const ACTION: &str = "cloudtrail:GetEventSelectors";
    let answer = client.get_event_selectors().trail_name(arn).send().await;
    let answer = answer.map_err(|error| Problem::refused(ACTION, &error))?;
    let advanced = answer.advanced_event_selectors();
    if advanced.is_empty() {
        return Ok(Selection::Basic(answer.event_selectors().iter().map(basic).collect()));
    }
    let fields = advanced.iter().map(|it| it.field_selectors().iter().map(field).collect());
    Ok(Selection::Advanced(fields.collect()))
}

/// Management events, reads and writes, are the default (`EventSelector`).
fn basic(item: &EventSelector) -> Basic {
    Basic {
        has_management_events: item.include_management_events() != Some(false),
        has_writes: item.read_write_type() != Some(&ReadWriteType::ReadOnly),
        excluded_sources: item.exclude_management_event_sources().to_vec(),
    }
}

fn field(item: &AdvancedFieldSelector) -> Field {
    let others =
        [item.starts_with(), item.ends_with(), item.not_starts_with(), item.not_ends_with()];
    Field {
        name: item.field().to_owned(),
        equals: item.equals().to_vec(),
        not_equals: item.not_equals().to_vec(),
        has_others: others.iter().any(|list| !list.is_empty()),
    }
}
