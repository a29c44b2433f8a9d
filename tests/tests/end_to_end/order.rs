//! What is done first, and what does not hold up the rest: in a batch, among changes, and in the log.

use std::time::Duration;

use local_cloud::{
    aws::ec2::{CreateInterface, CreateSession, Managed, RunInstances, Tags},
    cloud::{
        call::Call,
        fault::{Fault, Kind},
    },
    deployment::worker,
    lambda::{InvokeError, LogLine},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::stage::{
    Stage, count, load_balancer, machine, running, said, schedule, stage, state, summary_line,
    tagged, tags, target_full, user,
};

const CREATE: &str = "CreateTrafficMirrorSession";

#[tokio::test]
async fn a_sweep_that_cannot_read_takes_no_event_of_its_batch_with_it() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    // The first read of sessions is the event's.
    stage.fault(Fault { skip: 1, ..Fault::new("DescribeTrafficMirrorSessions", Kind::Throttle) });
    let (again, _) = stage.batch(&[schedule().to_string(), running(&instance)]).await;
    assert_eq!(again, ["m-0"]);
    stage.session(&instance);
}

#[tokio::test]
async fn what_is_attached_to_nothing_takes_no_instance_with_it() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.fault(Fault::new("DescribeNetworkInterfaces", Kind::Throttle));
    let detached = json!({
        "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2",
        "detail": {"eventName": "DetachNetworkInterface", "requestParameters": {}},
    });
    let (again, _) = stage.batch(&[detached.to_string(), running(&instance)]).await;
    assert_eq!(again, ["m-0"]);
    stage.session(&instance);
}

#[tokio::test]
async fn an_item_that_cannot_be_read_fails_its_own_record_only() {
    let stage = stage().await;
    let instances = stage.launch_many(&RunInstances { count: 8, ..tagged() });
    stage.let_run();
    // Whatever else is asked about with it, the answer is garbage.
    let about = Some(instances[5].clone());
    stage.fault(Fault { about, ..Fault::new("DescribeInstances", Kind::Garbage) });
    let bodies: Vec<_> = instances.iter().map(|instance| running(instance)).collect();
    let (again, _) = stage.batch(&bodies).await;
    assert_eq!(again, ["m-5"]);
    for (number, instance) in instances.iter().enumerate() {
        assert_eq!(stage.sessions(instance).len(), usize::from(number != 5), "{number}");
    }
}

#[tokio::test]
async fn a_launch_goes_before_all_that_a_sweep_of_its_batch_changes() {
    let stage = Stage::new(&[("MIRROR_DELETION_LIMIT", "100")]).await;
    let old = stage.launch_many(&RunInstances { count: 20, ..tagged() });
    stage.let_run();
    stage.sweep().await;
    for instance in &old {
        stage.untag(instance, "Mirror");
    }
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.take_calls();
    stage.batch(&[schedule().to_string(), running(&instance)]).await;
    let calls = stage.take_calls();
    let changes: Vec<&Call> =
        calls.iter().filter(|it| !it.action.starts_with("Describe")).collect();
    assert_eq!(changes[0].action, CREATE);
    assert_eq!(changes[0].parameters["NetworkInterfaceId"], stage.interface(&instance));
    assert_eq!(changes.len(), 21);
}

#[tokio::test]
async fn nobody_waits_for_a_call_that_is_not_answered() {
    let stage = stage().await;
    let instances = stage.launch_many(&RunInstances { count: 40, ..tagged() });
    stage.let_run();
    stage.fault(Fault { skip: 11, hits: Some(1), ..Fault::new(CREATE, Kind::Hold) });
    let bodies: Vec<_> = instances.iter().map(|instance| running(instance)).collect();
    let watch = async {
        stage.deployment.cloud.faults().held(1).await;
        let mirrored = || instances.iter().filter(|it| !stage.sessions(it).is_empty()).count();
        while mirrored() < 39 {
            sleep(Duration::from_millis(20)).await;
        }
        // Where the others wait, the held call is cancelled first and tried again.
        let tried = stage.take_calls().iter().filter(|call| call.action == CREATE).count();
        stage.deployment.cloud.faults().release();
        tried
    };
    let ((again, _), tried) = tokio::join!(stage.batch(&bodies), watch);
    assert_eq!(again, [""; 0]);
    assert!(tried <= 40, "{tried} calls");
}

#[tokio::test]
async fn what_was_done_is_in_the_log_though_the_process_is_killed() {
    let stage = stage().await;
    let instances = stage.launch_many(&RunInstances { count: 20, ..tagged() });
    stage.let_run();
    stage.fault(Fault { skip: 12, ..Fault::new(CREATE, Kind::Hold) });
    let records: Vec<_> = instances
        .iter()
        .map(|instance| json!({"messageId": instance, "body": running(instance)}))
        .collect();
    let function = &stage.deployment.workers[0];
    let payload = json!({ "Records": records }).to_string();
    let kill = async {
        stage.deployment.cloud.faults().held(8).await;
        function.kill().await;
    };
    let (outcome, ()) = tokio::join!(function.invoke(payload.as_bytes()), kill);
    let Err(InvokeError::Crashed { log, .. }) = outcome else { panic!("{outcome:?}") };
    let done = said(&log, "INFO").into_iter().filter(|line| line.starts_with("done: ")).count();
    let mirrored = instances.iter().filter(|it| !stage.sessions(it).is_empty()).count();
    assert_eq!((done, mirrored), (12, 12));
}

#[tokio::test]
async fn a_full_target_is_found_out_once() {
    let stage = stage().await;
    stage.fault(Fault::new(CREATE, target_full()));
    stage.launch_many(&RunInstances { count: 50, ..tagged() });
    stage.let_run();
    stage.take_calls();
    let invocation = stage.sweep().await;
    let tried = stage.take_calls().iter().filter(|call| call.action == CREATE).count();
    assert!(tried <= 8, "as many as are under way at once, not {tried}");
    assert_eq!(summary_line(&invocation)["must_act"], 50);
    // It is left alone for a while: what comes next asks nothing of EC2 that was just refused.
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.batch(&[running(&instance)]).await;
    assert_eq!(count(&stage.take_calls(), CREATE), 0);
    // Not so the others.
    stage.recover();
    let other = load_balancer(&mut stage.world(), &user());
    stage.sweep().await;
    assert_eq!(stage.session(&instance).target, other);
}

#[tokio::test]
async fn a_full_target_is_used_again_when_a_session_leaves_it() {
    let mut stage = stage().await;
    let leaving = stage.launch(&tagged());
    stage.settle().await;
    stage.fault(Fault::once(CREATE, target_full()));
    let waiting = stage.launch(&tagged());
    stage.settle().await;
    assert_eq!(stage.sessions(&waiting), []);
    stage.untag(&leaving, "Mirror");
    stage.settle().await;
    stage.sweep().await;
    stage.session(&waiting);
}

#[tokio::test]
async fn a_second_look_ends_though_somebody_makes_again_what_is_deleted() {
    let stage = stage().await;
    let instance = stage.launch(&machine(&[]));
    let interface = stage.interface(&instance);
    stage.let_run();
    let request = CreateSession {
        interface: interface.clone(),
        target: stage.target.clone(),
        filter: stage.filter.clone(),
        number: Some(1),
        tags: tags(&[("ManagedBy", "automirror")]),
        ..CreateSession::default()
    };
    let make = || stage.world().create_session(&user(), &request).is_ok();
    assert!(make());
    // Each look waits until the session is there again, so each of them finds one.
    stage.fault(Fault { skip: 1, ..Fault::new("DescribeTrafficMirrorSessions", Kind::Hold) });
    let work = stage.sweep();
    tokio::pin!(work);
    let invocation = loop {
        tokio::select! {
            invocation = &mut work => break invocation,
            () = sleep(Duration::from_millis(1)) => {
                make();
                stage.deployment.cloud.faults().release();
            }
        }
    };
    assert_eq!(summary_line(&invocation)["deleted"], 4, "{:?}", invocation.log);
}

#[tokio::test]
async fn a_session_that_a_stranger_deletes_is_looked_for_where_it_was() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.launch_many(&RunInstances { count: 10, ..tagged() });
    stage.settle().await;
    let session = stage.session(&instance).id;
    stage.world().delete_session(&user(), &session).unwrap();
    stage.take_calls();
    stage.settle().await;
    assert_ne!(stage.session(&instance).id, session);
    let calls = stage.take_calls();
    assert!(calls.len() <= 6, "{calls:#?}");
    assert_eq!(count(&calls, CREATE), 1);
}

#[tokio::test]
async fn deletions_of_sessions_that_nobody_has_seen_start_one_sweep() {
    let stage = stage().await;
    let deleted = |n: usize| {
        json!({
            "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2",
            "detail": {
                "eventName": "DeleteTrafficMirrorSession",
                "requestParameters": {"DeleteTrafficMirrorSessionRequest": {
                    "TrafficMirrorSessionId": format!("tms-{n:017x}"),
                }},
            },
        })
        .to_string()
    };
    let (again, invocation) = stage.batch(&[deleted(1), deleted(2)]).await;
    assert_eq!(again, [""; 0]);
    assert_eq!(summary_line(&invocation)["complete"], true);
    stage.take_calls();
    for n in 3..23 {
        let (again, invocation) = stage.batch(&[deleted(n)]).await;
        assert_eq!(again, ["m-0"], "it comes again when the next sweep is due");
        assert_eq!(summary_line(&invocation)["complete"], false);
    }
    assert_eq!(stage.take_calls().len(), 0);
}

#[tokio::test]
async fn an_ec2_that_does_not_know_managed_resources_is_asked_without() {
    let stage = stage().await;
    stage.world().managed = Managed::NoParameter;
    let interface = stage.world().create_interface(&user(), &CreateInterface::default()).unwrap();
    assert!(stage.world().interface(&interface).is_some());
    for _ in 0..2 {
        let instance = stage.launch(&tagged());
        stage.let_run();
        stage.sweep().await;
        stage.session(&instance);
    }
    let (again, _) = stage.batch(&[running(&stage.launch(&tagged()))]).await;
    assert_eq!(again, [""; 0]);
    let refused = |call: &Call| call.parameters.contains_key("IncludeManagedResources");
    let calls = stage.take_calls();
    let refused = calls.iter().filter(|call| refused(call)).count();
    assert!(refused <= 2, "it is found out once, not {refused} times");
}

#[tokio::test]
async fn an_instance_that_somebody_tagged_almost_right_has_a_line_that_says_so() {
    let stage = stage().await;
    let almost = stage.launch(&machine(&[("mirror", "Yes")]));
    let untagged = stage.launch(&machine(&[("Name", "web")]));
    stage.let_run();
    let (_, invocation) = stage.batch(&[running(&almost), running(&untagged)]).await;
    let lines = said(&invocation.log, "INFO");
    let about = |id: &str| lines.iter().filter(|line| line.contains(id)).count();
    assert_eq!((about(&almost), about(&untagged)), (1, 0), "{lines:#?}");
    assert!(lines[0].contains("no tag `Mirror` with the value `True`"), "{lines:#?}");
}

#[tokio::test]
async fn a_change_says_who_caused_it_and_what_differed() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    let session = stage.session(&instance);
    let request = local_cloud::aws::ec2::ModifySession {
        session: session.id.clone(),
        packet_length: Some(99),
        ..Default::default()
    };
    stage.world().modify_session(&user(), &request).unwrap();
    let deliveries = stage.settle().await;
    let log = crate::stage::whole_log(&deliveries);
    let done: Vec<_> =
        said(&log, "INFO").into_iter().filter(|line| line.starts_with("done: ")).collect();
    assert_eq!(done.len(), 1);
    assert!(done[0].contains("ModifyTrafficMirrorSession by arn:aws:iam::111122223333:user/"));
    assert!(done[0].contains("99"), "{done:?}");
}

#[tokio::test]
async fn a_target_that_is_nearly_full_is_said_once_a_day() {
    let stage = stage().await;
    let sensor = stage.sensor("us-east-1a");
    stage.drop_load_balancer();
    stage.launch_many(&RunInstances { count: 8, ..tagged() });
    stage.let_run();
    // The sweep that fills it says so.
    let warned = said(&stage.sweep().await.log, "WARN");
    assert_eq!(warned, [format!("target {sensor} is nearly full: 8 of 10 sources")]);
    assert_eq!(said(&stage.sweep().await.log, "WARN"), Vec::<String>::new());
}

#[tokio::test]
async fn the_start_is_logged_with_version_and_settings_and_every_line_has_a_time() {
    let stage = stage().await;
    let settings = [("MIRROR_SCOPE", "all"), ("AWS_LAMBDA_LOG_FORMAT", "JSON")];
    let function = worker(&stage.deployment.cloud, &settings).await.unwrap();
    function.invoke(br#"{"sweep":true}"#).await.unwrap();
    let log = function.log();
    let lines: Vec<&Value> = log
        .iter()
        .map(|line| match line {
            LogLine::Json(line) => line,
            LogLine::Text(text) => panic!("{text}"),
        })
        .collect();
    assert_eq!(lines[0]["fields"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(lines[0]["fields"]["settings"], "MIRROR_SCOPE=all");
    for line in lines {
        let time = line["timestamp"].as_str().unwrap();
        assert!(time.len() >= 20 && time.ends_with('Z') && time.contains('T'), "{line}");
        let names = line["fields"].as_object().unwrap().keys();
        assert!(names.clone().all(|name| !name.contains('.')), "{line}");
    }
}

#[tokio::test]
async fn the_longest_tags_fit_into_the_memory() {
    let stage = stage().await;
    // Letters of four bytes, as many as EC2 takes.
    let key = |n: usize| format!("{n:03}{}", "\u{20000}".repeat(125));
    let tags: Vec<(String, String)> = (0..49).map(|n| (key(n), "\u{20001}".repeat(256))).collect();
    let tags: Tags = tags.into_iter().chain([("Mirror".into(), "False".into())]).collect();
    let request = RunInstances { count: 500, tags: tags.clone(), ..machine(&[]) };
    stage.launch_many(&request);
    for _ in 0..500 {
        let request = CreateInterface { tags: tags.clone(), ..CreateInterface::default() };
        stage.world().create_interface(&user(), &request).unwrap();
    }
    let gone = stage.launch(&tagged());
    stage.let_run();
    stage.sweep().await;
    let (again, _) = stage.batch(&[state(&gone, "terminated")]).await;
    assert_eq!(again, [""; 0]);
    // Of 128 MB. How many lists are in the memory at once depends on which answer comes first.
    let peak = stage.deployment.workers[0].peak_memory().unwrap();
    assert!(peak < 96 << 20, "{peak} bytes");
}

#[tokio::test]
async fn six_megabytes_of_empty_records_take_little_memory_and_few_lines() {
    let stage = stage().await;
    let payload = format!("{{\"Records\":[{}]}}", vec!["{}"; 2_000_000].join(","));
    let invocation = stage.deployment.workers[0].invoke(payload.as_bytes()).await.unwrap();
    assert!(invocation.log.len() < 10, "{:#?}", invocation.log);
    let peak = stage.deployment.workers[0].peak_memory().unwrap();
    assert!(peak < 64 << 20, "{peak} bytes");
    // SQS may hand over ten thousand.
    let records = vec![json!({}); 10_000];
    let invocation = stage.invoke(&json!({ "Records": records })).await;
    assert!(invocation.log.len() < 20, "{:#?}", invocation.log);
    let instance = stage.launch(&tagged());
    let invocation = stage.invoke(&serde_json::from_str(&running(&instance)).unwrap()).await;
    assert!(!format!("{:?}", invocation.answer).contains("Error"), "{invocation:?}");
}
