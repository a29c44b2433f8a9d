//! What ten thousand instances cost, and how little is printed.

use local_cloud::aws::ec2::{CreateSession, RunInstances};

use crate::stage::{machine, stage, tagged, user};

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

/// EC2 takes 200 values in the filters of a request, whichever filter they are in.
#[tokio::test]
async fn a_map_of_more_sources_than_a_request_names_is_whole() {
    let stage = stage().await;
    let many = RunInstances { count: 401, ..machine(&[("Mirror", "True"), ("Name", "web")]) };
    let instances = stage.launch_many(&many);
    stage.let_run();
    for instance in &instances {
        let request = CreateSession {
            interface: stage.interface(instance),
            target: stage.target.clone(),
            filter: stage.filter.clone(),
            number: Some(1),
            ..CreateSession::default()
        };
        stage.world().create_session(&user(), &request).unwrap();
    }
    let answer = stage.mirrorctl(&["map", "--tag", "Team", "--output", "json"]);
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    let senders = answer.json()["places"][0]["senders"].as_array().unwrap().clone();
    assert_eq!(senders.iter().filter(|row| row["name"] == "web").count(), 401);
}
