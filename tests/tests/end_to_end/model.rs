//! Two events, a sweep and a person, in every order in which EC2 may get their calls.

use local_cloud::model::{everyday, explore_all};

#[test]
fn in_every_order_of_calls_the_instance_ends_mirrored_as_its_tag_says() {
    let explored = explore_all(everyday(), |_| {});
    let failed = explored.iter().filter(|explored| !explored.failures.is_empty());
    let failed: Vec<String> = failed.map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
