//! What ten thousand instances cost, and how little is printed.

use local_cloud::aws::ec2::RunInstances;

use crate::stage::{stage, tagged};

#[tokio::test]
async fn ten_thousand_changes_are_forty_lines_and_one_read() {
    let stage = stage().await;
    stage.launch_many(&RunInstances { count: 10_000, ..tagged() });
    stage.let_run();
    stage.deployment.cloud.clear_calls();
    let answer = stage.mirrorctl(&["plan"]);
    assert_eq!(answer.code, 2, "{}", answer.err);
    assert!(answer.out.contains("10000 to create"), "{}", answer.out);
    assert!(answer.out.lines().count() <= 40, "{}", answer.out);
    let calls = stage.deployment.cloud.calls();
    let ec2 = calls.iter().filter(|call| call.action.starts_with("Describe")).count();
    // Fifty pages of instances; a second look at the 10,000 interfaces that seem to have no session is the
    // decision's, one page; and targets, filters, sessions and interfaces once each.
    assert!(ec2 <= 57, "{ec2} calls");
    let answer = stage.mirrorctl(&["status"]);
    assert!(answer.out.lines().count() <= 24, "{}", answer.out);
}
