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
    // Ten pages of instances; targets, filters, sessions and the interfaces of services once each. The decision looks
    // once more at so many interfaces that seem to have no session: for that, sessions and interfaces once.
    assert!(ec2 <= 16, "{ec2} calls");
    let answer = stage.mirrorctl(&["status"]);
    assert!(answer.out.lines().count() <= 24, "{}", answer.out);
}
