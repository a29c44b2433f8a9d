//! Every kind of event causes the work that it should, and no other.

use local_cloud::{
    aws::ec2::{CreateInterface, LaunchInterface, ModifySession, RunInstances, State},
    lambda::Answer,
};
use serde_json::{Value, json};

use crate::stage::{
    count, load_balancer, machine, said, stage, steps, summary, tagged, user, whole_log,
};

fn event(detail_type: &str, detail: &Value) -> Value {
    let source = match detail_type {
        "Tag Change on Resource" => "aws.tag",
        "Config Rules Compliance Change" => "aws.config",
        "Scheduled Event" => "aws.events",
        _ => "aws.ec2",
    };
    json!({
        "version": "0", "id": "e-1", "detail-type": detail_type, "source": source,
        "account": "111122223333", "time": "2026-01-01T00:00:00Z", "region": "us-east-1",
        "resources": [], "detail": detail,
    })
}

#[tokio::test]
async fn a_tagged_instance_is_mirrored_when_it_is_launched() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    let deliveries = stage.settle().await;
    let session = stage.session(&instance);
    assert_eq!((session.number, &session.target), (1, &stage.target));
    assert_eq!(session.filter, stage.filter);
    assert_eq!(
        session.description.as_deref(),
        Some("automirror: mirrors an instance that is to be watched")
    );
    let first = deliveries[0].batches[0].outcome.as_ref().unwrap();
    let expected = [
        ("Invocation", first.request_id.as_str()),
        ("ManagedBy", "automirror"),
        ("Name", &instance),
    ];
    assert_eq!(session.tags, crate::stage::tags(&expected));
    let log = whole_log(&deliveries);
    let step = |action: &str, reason: &str| (action.to_owned(), reason.to_owned());
    // The second event, `running`, finds it as it should be, and says so of what somebody tagged.
    assert_eq!(steps(&log), [step("create", "not-mirrored"), step("keep", "as-wanted")]);
    assert_eq!(stage.instance(&instance).state, State::Running);
}

#[tokio::test]
async fn a_tag_that_comes_or_goes_on_a_running_instance_is_followed() {
    let mut stage = stage().await;
    let instance = stage.launch(&machine(&[]));
    stage.settle().await;
    assert_eq!(stage.sessions(&instance), []);
    stage.tag(&instance, &[("mirror", "true")]);
    stage.settle().await;
    stage.session(&instance);
    stage.untag(&instance, "mirror");
    stage.settle().await;
    assert_eq!(stage.sessions(&instance), []);
    // Again within the minute in which EC2 may answer a client token with an earlier session.
    stage.tag(&instance, &[("Mirror", "True")]);
    stage.settle().await;
    stage.session(&instance);
    stage.untag(&instance, "Mirror");
    stage.settle().await;
    assert_eq!(stage.sessions(&instance), []);
}

#[tokio::test]
async fn a_stopped_instance_loses_its_session_and_gets_one_when_it_starts_again() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    let ids = [instance.clone()];
    stage.world().stop_instances(&user(), &ids).unwrap();
    stage.settle().await;
    assert_eq!(stage.sessions(&instance), []);
    stage.world().start_instances(&user(), &ids).unwrap();
    stage.settle().await;
    stage.session(&instance);
}

#[tokio::test]
async fn a_terminated_instance_leaves_no_session_on_an_interface_that_was_kept() {
    let mut stage = stage().await;
    let interface = LaunchInterface { delete_on_termination: Some(false), ..Default::default() };
    let instance = stage.launch(&RunInstances { interfaces: vec![interface], ..tagged() });
    stage.settle().await;
    let interface = stage.interface(&instance);
    stage.session(&instance);
    stage.world().terminate_instances(&user(), &[instance]).unwrap();
    // The shutting-down event is lost: only the last one arrives, when the interface has left.
    stage.lose_events();
    stage.settle().await;
    assert!(stage.world().interface(&interface).is_some());
    assert_eq!(stage.sessions_on(&interface), []);
}

#[tokio::test]
async fn an_interface_is_mirrored_when_it_is_attached_and_not_when_it_is_detached() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    let interface = stage.world().create_interface(&user(), &CreateInterface::default()).unwrap();
    let attachment = stage.world().attach_interface(&user(), &interface, &instance, 1).unwrap();
    stage.settle().await;
    assert_eq!(stage.sessions_on(&interface).len(), 1);
    stage.world().detach_interface(&user(), &attachment).unwrap();
    stage.settle().await;
    assert_eq!(stage.sessions_on(&interface), []);
    stage.session(&instance);
}

#[tokio::test]
async fn a_session_that_a_person_modifies_is_modified_back() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    let session = stage.session(&instance);
    let elsewhere = load_balancer(&mut stage.world(), &crate::stage::other_account());
    stage.world().share_target(&elsewhere, "111122223333");
    let request = ModifySession {
        session: session.id.clone(),
        target: Some(elsewhere),
        ..Default::default()
    };
    stage.world().modify_session(&user(), &request).unwrap();
    let log = whole_log(&stage.settle().await);
    assert_eq!(stage.session(&instance), session);
    assert_eq!(steps(&log), [("modify".to_owned(), "drifted".to_owned())]);
}

#[tokio::test]
async fn a_session_that_a_person_deletes_is_recreated_at_once() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    let session = stage.session(&instance);
    stage.world().delete_session(&user(), &session.id).unwrap();
    stage.settle().await;
    assert_ne!(stage.session(&instance).id, session.id);
}

#[tokio::test]
async fn a_foreign_session_in_front_of_an_owned_one_is_logged_when_it_is_created() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let interface = stage.interface(&instance);
    let theirs = load_balancer(&mut stage.world(), &crate::stage::other_account());
    stage.world().share_target(&theirs, "111122223333");
    let foreign = stage.foreign(&interface, 1, &theirs);
    let log = whole_log(&stage.settle().await);
    let warned = said(&log, "WARN");
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains(&foreign.id) && warned[0].contains("999999999999"), "{warned:?}");
    let sessions = stage.sessions(&instance);
    assert_eq!(sessions.iter().map(|session| session.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(sessions[0], foreign);
}

#[tokio::test]
async fn a_non_compliant_instance_or_session_is_reconciled() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let change = |kind: &str, id: &str, verdict: &str| {
        event(
            "Config Rules Compliance Change",
            &json!({
                "resourceId": id, "resourceType": kind, "configRuleName": "mirrored",
                "messageType": "ComplianceChangeNotification",
                "newEvaluationResult": {"complianceType": verdict},
            }),
        )
    };
    stage.invoke(&change("AWS::EC2::Instance", &instance, "COMPLIANT")).await;
    assert_eq!(stage.sessions(&instance), []);
    stage.invoke(&change("AWS::EC2::Instance", &instance, "NON_COMPLIANT")).await;
    let session = stage.session(&instance);
    stage.untag(&instance, "Mirror");
    let kind = "AWS::EC2::TrafficMirrorSession";
    stage.invoke(&change(kind, &session.id, "NON_COMPLIANT")).await;
    assert_eq!(stage.sessions(&instance), []);
}

#[tokio::test]
async fn the_schedule_and_a_direct_call_sweep_everything() {
    for payload in [event("Scheduled Event", &json!({})), json!({"sweep": true})] {
        let stage = stage().await;
        let instances = [stage.launch(&tagged()), stage.launch(&tagged())];
        let untagged = stage.launch(&machine(&[]));
        stage.let_run();
        let invocation = stage.invoke(&payload).await;
        assert_eq!(summary(&invocation)["created"], 2);
        for instance in &instances {
            stage.session(instance);
        }
        assert_eq!(stage.sessions(&untagged), []);
    }
}

#[tokio::test]
async fn a_direct_call_reads_the_named_instances_only() {
    let stage = stage().await;
    let (named, other) = (stage.launch(&tagged()), stage.launch(&tagged()));
    stage.let_run();
    let unknown = "i-0123456789abcdef0";
    let invocation = stage.invoke(&json!({"instances": [named, unknown]})).await;
    assert_eq!(summary(&invocation)["created"], 1);
    assert_eq!(summary(&invocation)["not_shown"], json!([unknown]));
    assert_eq!(said(&invocation.log, "WARN"), [format!("EC2 does not show {unknown}")]);
    stage.session(&named);
    assert_eq!(stage.sessions(&other), []);
}

#[tokio::test]
async fn an_event_may_come_without_a_queue() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    let events = stage.world().take_events();
    stage.invoke(&events[0]).await;
    stage.session(&instance);
}

#[tokio::test]
async fn events_about_other_things_cost_no_call() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    stage.take_calls();
    stage.tag(&instance, &[("Team", "blue")]);
    let log = whole_log(&stage.settle().await);
    assert_eq!(
        said(&log, "INFO")[0],
        "ignored an event: automirror does not read the changed tags"
    );
    let others = [
        event("EBS Volume Notification", &json!({"event": "createVolume"})),
        event("Tag Change on Resource", &json!({"service": "s3", "resource-type": "bucket"})),
        event("AWS API Call via CloudTrail", &json!({"eventName": "RunInstances"})),
        event(
            "AWS API Call via CloudTrail",
            &json!({"eventName": "DeleteTrafficMirrorSession", "errorCode": "Client.AuthFailure"}),
        ),
    ];
    for other in others {
        let invocation = stage.invoke(&other).await;
        assert_eq!(summary(&invocation)["steps"], 0, "{other}");
        let said = said(&invocation.log, "INFO");
        assert!(said[0].starts_with("ignored an event: "), "{said:?}");
    }
    assert_eq!(stage.take_calls().len(), 0);
}

#[tokio::test]
async fn events_about_automirrors_own_calls_cause_no_call() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.world().tick();
    stage.deployment.deliver().await;
    stage.session(&instance);
    stage.take_calls();
    let told = stage.world().take_events();
    assert_eq!(told.len(), 1, "there is an event about automirror's create call");
    let invocation = stage.invoke(&told[0]).await;
    assert!(matches!(invocation.answer, Answer::Response(_)));
    assert_eq!(stage.take_calls().len(), 0);
    // The same call by another caller is not ignored.
    let mut theirs = told[0].clone();
    theirs["detail"]["userIdentity"]["arn"] = json!("arn:aws:iam::111122223333:user/automirror");
    stage.invoke(&theirs).await;
    assert_eq!(count(&stage.take_calls(), "DescribeInstances"), 1);
}
