//! EC2 or the function fails: no instance is forgotten, and the others are mirrored all the same.

use std::time::Duration;

use local_cloud::{
    aws::ec2::RunInstances,
    cloud::call::Outcome,
    cloud::fault::{Fault, Kind},
    lambda::binary::binary,
    lambda::{Answer, Function, FunctionOptions},
};
use serde_json::json;

use crate::stage::{
    Stage, load_balancer, returned, running, said, stage, steps, summary, tagged, user, whole_log,
};

const CREATE: &str = "CreateTrafficMirrorSession";

fn refuse(code: &str) -> Kind {
    Kind::Refuse { code: code.to_owned(), message: "because".to_owned(), status: 400 }
}

#[tokio::test]
async fn throttling_and_failures_of_ec2_lose_nothing() {
    let (mut first, mut second, mut third) = (stage().await, stage().await, stage().await);
    let scenes = [
        (&mut first, "DescribeInstances", Kind::Throttle),
        (&mut second, "DescribeTrafficMirrorSessions", Kind::ServerError),
        (&mut third, CREATE, Kind::Unavailable),
    ];
    let scenes = scenes.map(|(stage, action, kind)| async move {
        stage.fault(Fault::new(action, kind));
        let instances = stage.launch_many(&RunInstances { count: 3, ..tagged() });
        let delivery = stage.deployment.deliver().await;
        let answer = delivery.batches[0].outcome.as_ref().unwrap();
        assert_eq!(returned(answer).len(), 3, "{action}");
        assert!(instances.iter().all(|instance| stage.sessions(instance).is_empty()));
        stage.recover();
        stage.settle().await;
        for instance in &instances {
            stage.session(instance);
        }
        assert!(stage.deployment.queue.dead_letters().is_empty());
    });
    futures_util::future::join_all(scenes).await;
}

#[tokio::test]
async fn a_single_failed_call_is_retried_within_the_invocation() {
    for kind in [Kind::Throttle, Kind::ServerError, Kind::ResetBefore, Kind::ResetAfter] {
        let stage = stage().await;
        stage.fault(Fault::once(CREATE, kind.clone()));
        stage.fault(Fault::once("DescribeTrafficMirrorTargets", kind));
        let instance = stage.launch(&tagged());
        let bodies: Vec<_> = stage.world().take_events().iter().map(ToString::to_string).collect();
        let (again, _) = stage.batch(&bodies).await;
        assert_eq!(again, Vec::<String>::new());
        stage.session(&instance);
    }
}

#[tokio::test]
async fn a_call_whose_answer_cannot_be_read_is_retried_and_creates_no_second_session() {
    let mut stage = stage().await;
    stage.fault(Fault::once(CREATE, Kind::Garbage));
    stage.fault(Fault::once("DescribeTrafficMirrorFilters", Kind::Garbage));
    let instance = stage.launch(&tagged());
    stage.settle().await;
    stage.session(&instance);
}

#[tokio::test]
async fn a_call_that_is_never_answered_times_out_and_is_retried() {
    let mut stage = stage().await;
    stage.fault(Fault::once(CREATE, Kind::HangAfter));
    let instance = stage.launch(&tagged());
    stage.settle().await;
    stage.session(&instance);
    let tokens: Vec<_> = stage
        .take_calls()
        .into_iter()
        .filter(|call| call.action == CREATE)
        .map(|call| call.parameters["ClientToken"].clone())
        .collect();
    assert_eq!(tokens.len(), 2);
    assert_eq!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn the_next_delivery_completes_what_a_crash_left_undone() {
    let mut stage = stage().await;
    let instances = stage.launch_many(&RunInstances { count: 20, ..tagged() });
    stage.fault(Fault { skip: 5, ..Fault::new(CREATE, Kind::Hold) });
    {
        let cloud = &stage.deployment.cloud;
        let function = &stage.deployment.workers[0];
        let (events, mut queue) =
            (stage.world().take_events(), local_cloud::aws::sqs::Queue::default());
        for event in &events {
            queue.push_event(event);
        }
        let batch = queue.take_batch(100);
        let payload = batch.event().to_string();
        let work = function.invoke(payload.as_bytes());
        let crash = async {
            cloud.faults().held(1).await;
            function.kill().await;
        };
        let (outcome, ()) = tokio::join!(work, crash);
        queue.settle(batch, outcome.as_ref().map(|invocation| &invocation.answer));
        queue.next_round();
        stage.recover();
        stage.deployment.cloud.faults().release();
        stage.deployment.queue = queue;
    }
    stage.settle().await;
    for instance in &instances {
        stage.session(instance);
    }
}

#[tokio::test]
async fn what_ec2_refuses_permanently_is_logged_with_its_code_and_not_retried() {
    let stage = stage().await;
    stage.fault(Fault::new(CREATE, refuse("SomethingNew")));
    let instance = stage.launch(&tagged());
    stage.let_run();
    let (again, invocation) = stage.batch(&[running(&instance)]).await;
    assert_eq!(again, Vec::<String>::new());
    let errors = said(&invocation.log, "ERROR");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("SomethingNew"), "{errors:?}");
    assert!(errors[0].len() < 400, "{errors:?}");
    // The next sweep tries again, and does not log it again.
    assert_eq!(said(&stage.sweep().await.log, "ERROR"), Vec::<String>::new());
    stage.recover();
    stage.sweep().await;
    stage.session(&instance);
}

#[tokio::test]
async fn access_denied_just_after_the_start_is_tried_again() {
    let stage = stage().await;
    // IAM tells EC2 of a new role after a while.
    stage.fault(Fault::once(CREATE, refuse("UnauthorizedOperation")));
    let instance = stage.launch(&tagged());
    stage.let_run();
    let (again, _) = stage.batch(&[running(&instance)]).await;
    assert_eq!(again, Vec::<String>::new());
    stage.session(&instance);
    // While it lasts, in these first minutes, the event is kept.
    stage.fault(Fault::new(CREATE, refuse("UnauthorizedOperation")));
    let refused = stage.launch(&tagged());
    stage.let_run();
    let (again, _) = stage.batch(&[running(&refused)]).await;
    assert_eq!(again, ["m-0"]);
}

#[tokio::test]
async fn a_role_that_may_not_read_keeps_its_messages() {
    let stage = stage().await;
    stage.fault(Fault::new("DescribeInstances", refuse("UnauthorizedOperation")));
    let instance = stage.launch(&tagged());
    let bodies: Vec<_> = stage.world().take_events().iter().map(ToString::to_string).collect();
    let (again, invocation) = stage.batch(&bodies).await;
    assert_eq!(again, ["m-0"]);
    let errors = said(&invocation.log, "ERROR");
    assert!(errors[0].contains("could not describe instances"), "{errors:?}");
    let by_hand = stage.invoke(&json!({"instances": [instance]})).await;
    let Answer::Error(error) = &by_hand.answer else { panic!("{by_hand:?}") };
    assert_eq!(error.error_type, "ReadFailed");
    assert!(error.error_message.contains("UnauthorizedOperation"), "{error:?}");
}

#[tokio::test]
async fn one_instance_that_is_refused_does_not_stop_the_others() {
    // The operator says t2 can be mirrored, and EC2 knows better.
    let mut stage = Stage::new(&[("MIRROR_SUPPORTED_TYPES", "t2")]).await;
    let odd = stage.launch(&RunInstances { instance_type: "t2.micro".to_owned(), ..tagged() });
    let others = stage.launch_many(&RunInstances { count: 9, ..tagged() });
    let pending = stage.deployment.deliver().await;
    let outcome = pending.batches[0].outcome.as_ref().unwrap();
    assert_eq!(returned(outcome), Vec::<String>::new());
    for instance in &others {
        stage.session(instance);
    }
    assert_eq!(stage.sessions(&odd), []);
    let refusals = said(pending.batches[0].log(), "ERROR");
    assert!(
        refusals[0].contains("the instance is pending, so its next event follows"),
        "{refusals:?}"
    );
    let log = whole_log(&stage.settle().await);
    assert!(said(&log, "ERROR")[0].contains("is left to the next sweep"), "{log:?}");
    assert!(stage.deployment.queue.dead_letters().is_empty());
}

#[tokio::test]
async fn a_create_whose_number_was_just_taken_is_retried_with_another() {
    let mut stage = stage().await;
    let second = load_balancer(&mut stage.world(), &user());
    let instance =
        stage.launch(&crate::stage::machine(&[("Mirror", "True"), ("Mirror-Target", &second)]));
    stage.fault(Fault::once(CREATE, Kind::Hold));
    {
        let bodies: Vec<_> = stage.world().take_events().iter().map(ToString::to_string).collect();
        let foreigner = async {
            stage.deployment.cloud.faults().held(1).await;
            let foreign = stage.foreign(&stage.interface(&instance), 1, &stage.target);
            stage.deployment.cloud.faults().release();
            foreign
        };
        let ((again, _), foreign) = tokio::join!(stage.batch(&bodies), foreigner);
        assert_eq!(again, [""; 0]);
        let sessions = stage.sessions(&instance);
        assert_eq!(sessions[0], foreign);
        assert_eq!((sessions.len(), sessions[1].number), (2, 2));
    }
    stage.settle().await;
    assert_eq!(stage.sessions(&instance).len(), 2);
}

#[tokio::test]
async fn an_instance_that_ec2_does_not_show_yet_is_waited_for() {
    let mut stage = stage().await;
    stage.world().freeze();
    stage.fault(Fault::new("DescribeInstances", Kind::StaleRead));
    let instance = stage.launch(&tagged());
    let delivery = stage.deployment.deliver().await;
    assert_eq!(returned(delivery.batches[0].outcome.as_ref().unwrap()).len(), 1);
    stage.recover();
    stage.settle().await;
    stage.session(&instance);
}

#[tokio::test]
async fn a_stale_list_of_sessions_causes_no_second_session() {
    let mut stage = stage().await;
    stage.world().freeze();
    let instance = stage.launch(&tagged());
    stage.settle().await;
    let session = stage.session(&instance);
    stage.fault(Fault::new("DescribeTrafficMirrorSessions", Kind::StaleRead));
    let second = stage.deployment.add_worker(&[]).await;
    second.unwrap();
    for worker in &stage.deployment.workers {
        worker.invoke(br#"{"sweep":true}"#).await.unwrap();
    }
    assert_eq!(stage.session(&instance), session);
}

#[tokio::test]
async fn an_earlier_answer_to_a_client_token_is_not_taken_for_a_new_session() {
    // EC2 may refuse the token because the request differs from the earlier one, or ignore the difference.
    for looks_closely in [true, false] {
        let stage = stage().await;
        let instance = stage.launch(&tagged());
        stage.let_run();
        stage.sweep().await;
        let session = stage.session(&instance);
        stage.world().delete_session(&user(), &session.id).unwrap();
        if looks_closely {
            stage.fault(Fault::new(CREATE, refuse("IdempotentParameterMismatch")));
        } else {
            stage.world().remembered_answer = Some(session);
        }
        let summary_before = summary(&stage.sweep().await);
        assert_eq!(summary_before["created"], 0);
        assert_eq!(summary_before["unfinished"], 1);
        assert_eq!(stage.sessions(&instance), []);
        // A minute later there is another token.
        stage.recover();
        stage.world().remembered_answer = None;
        stage.world().token_outlives_session = false;
        assert_eq!(summary(&stage.sweep().await)["created"], 1);
        stage.session(&instance);
    }
}

#[tokio::test]
async fn a_session_that_ec2_remembers_and_that_is_gone_is_created_anew_in_the_same_invocation() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.sweep().await;
    let session = stage.session(&instance);
    stage.world().token_outlives_session = true;
    stage.world().delete_session(&user(), &session.id).unwrap();
    // Nobody told of it.
    stage.lose_events();
    stage.sweep().await;
    assert_ne!(stage.session(&instance).id, session.id);
}

#[tokio::test]
async fn two_workers_on_the_same_events_create_one_session_for_each_interface() {
    // Also where EC2 accepts equal numbers: the client token prevents a second session.
    for duplicate_number in [Some("InvalidParameterValue".to_owned()), None] {
        let mut stage = stage().await;
        stage.world().duplicate_number = duplicate_number;
        stage.deployment.add_worker(&[]).await.unwrap();
        let instances = stage.launch_many(&RunInstances { count: 60, ..tagged() });
        let bodies: Vec<_> = stage.world().take_events().iter().map(ToString::to_string).collect();
        let records: Vec<_> = bodies
            .iter()
            .enumerate()
            .map(|(index, body)| json!({"messageId": format!("m-{index}"), "body": body}))
            .collect();
        let payload = json!({"Records": records}).to_string();
        let [first, second] = &stage.deployment.workers[..] else { unreachable!() };
        let both =
            tokio::join!(first.invoke(payload.as_bytes()), second.invoke(payload.as_bytes()));
        both.0.unwrap();
        both.1.unwrap();
        stage.settle().await;
        stage.sweep().await;
        for instance in &instances {
            stage.session(instance);
        }
    }
}

#[tokio::test]
async fn work_that_does_not_fit_before_the_deadline_is_retried() {
    let mut stage = stage().await;
    let mut options = FunctionOptions::new(binary("automirror"));
    options.timeout = Duration::from_secs(4);
    options.env = vec![("AWS_ENDPOINT_URL_EC2".to_owned(), stage.deployment.cloud.endpoint())];
    stage.deployment.workers = vec![Function::start(options).await.unwrap()];
    let instances = stage.launch_many(&RunInstances { count: 40, ..tagged() });
    stage.fault(Fault { skip: 10, ..Fault::new(CREATE, Kind::HangBefore) });
    let delivery = stage.deployment.deliver().await;
    let outcome = delivery.batches[0].outcome.as_ref().unwrap();
    assert_eq!(returned(outcome).len(), 30);
    let mirrored = instances.iter().filter(|id| !stage.sessions(id).is_empty()).count();
    assert_eq!(mirrored, 10);
    stage.recover();
    stage.settle().await;
    for instance in &instances {
        stage.session(instance);
    }
}

#[tokio::test]
async fn a_sweep_that_cannot_finish_says_so_and_the_next_one_goes_on() {
    let stage = stage().await;
    let instances = stage.launch_many(&RunInstances { count: 4, ..tagged() });
    stage.let_run();
    stage.fault(Fault { skip: 2, ..Fault::new(CREATE, Kind::ServerError) });
    let invocation = stage.sweep().await;
    let Answer::Error(error) = &invocation.answer else { panic!("{invocation:?}") };
    assert_eq!(error.error_type, "Unfinished");
    assert!(error.error_message.starts_with("2 steps must be retried"), "{error:?}");
    stage.recover();
    assert_eq!(summary(&stage.sweep().await)["created"], 2);
    for instance in &instances {
        stage.session(instance);
    }
}

#[tokio::test]
async fn deleting_a_session_that_is_already_gone_succeeds() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    let session = stage.session(&instance);
    stage.untag(&instance, "Mirror");
    stage.fault(Fault::once("DeleteTrafficMirrorSession", Kind::Hold));
    let bodies: Vec<_> = stage.world().take_events().iter().map(ToString::to_string).collect();
    let faster = async {
        stage.deployment.cloud.faults().held(1).await;
        stage.world().delete_session(&user(), &session.id).unwrap();
        stage.deployment.cloud.faults().release();
    };
    let ((again, invocation), ()) = tokio::join!(stage.batch(&bodies), faster);
    assert_eq!(again, Vec::<String>::new());
    assert_eq!(steps(&invocation.log), [("delete".to_owned(), "not-selected".to_owned())]);
}

#[tokio::test]
async fn the_accounts_quota_is_logged_once_and_left_to_the_next_sweep() {
    let stage = stage().await;
    stage.world().session_limit = 2;
    let instances = stage.launch_many(&RunInstances { count: 30, ..tagged() });
    stage.let_run();
    let invocation = stage.sweep().await;
    let answer = summary(&invocation);
    assert_eq!((&answer["created"], &answer["refused"]), (&2.into(), &28.into()));
    let refused = stage.take_calls();
    let code = Outcome::Refused("TrafficMirrorSessionLimitExceeded".to_owned());
    let refused = refused.iter().filter(|call| call.outcome == code).count();
    // EC2 also refused creations that ran beside the first refused one; automirror did not try the others.
    assert!((1..=8).contains(&refused), "{refused}");
    let warnings = said(&invocation.log, "WARN");
    let untried = format!("the account has reached its quota of sessions: {} more", 28 - refused);
    let said = warnings.iter().filter(|line| line.starts_with(&untried)).count();
    assert_eq!(said, 1, "{warnings:?}");

    stage.world().session_limit = 30;
    stage.sweep().await;
    for instance in &instances {
        stage.session(instance);
    }
}

#[tokio::test]
async fn a_quota_error_just_after_a_deletion_does_not_stop_further_creations() {
    let stage = stage().await;
    let leaving = stage.launch(&tagged());
    stage.let_run();
    stage.sweep().await;
    stage.untag(&leaving, "Mirror");
    let instances = stage.launch_many(&RunInstances { count: 12, ..tagged() });
    stage.let_run();
    stage.fault(Fault::once(CREATE, refuse("TrafficMirrorSessionLimitExceeded")));
    let answer = summary(&stage.sweep().await);
    assert_eq!((&answer["created"], &answer["refused"]), (&11.into(), &1.into()));
    let mirrored = instances.iter().filter(|id| !stage.sessions(id).is_empty()).count();
    assert_eq!(mirrored, 11);
}
