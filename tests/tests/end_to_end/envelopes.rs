//! Events come in envelopes, from elsewhere, or are odd where it does not matter: none is lost, and nobody
//! who may only send messages gives orders.

use local_cloud::lambda::Answer;
use serde_json::{Value, json};

use crate::stage::{Stage, machine, returned, running, said, stage, tagged};

/// The `running` event in each envelope that forwarders put around it, as a payload.
fn wrapped(event: &str) -> Vec<(&'static str, Value)> {
    let inner: Value = serde_json::from_str(event).unwrap();
    let notification = json!({
        "Type": "Notification", "MessageId": "11111111-0000-0000-0000-000000000006",
        "TopicArn": "arn:aws:sns:us-east-1:111122223333:ec2", "Message": event,
        "Timestamp": "2026-03-01T10:00:01.000Z",
    });
    let destination = json!({
        "version": "1.0", "timestamp": "2026-03-01T10:00:00Z",
        "requestContext": {"condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": inner,
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
    });
    let message = |body: &str| {
        json!({
            "messageId": "m-0", "receiptHandle": "r", "body": body, "eventSource": "aws:sqs",
            "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {},
        })
    };
    vec![
        ("SNS to SQS", json!({"Records": [message(&notification.to_string())]})),
        ("a destination to SQS", json!({"Records": [message(&destination.to_string())]})),
        ("Pipes", json!([message(event)])),
        (
            "SNS to Lambda",
            json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": event}}]}),
        ),
        ("a destination to Lambda", destination),
    ]
}

#[tokio::test]
async fn an_event_in_an_envelope_is_an_event() {
    for index in 0..5 {
        let stage = stage().await;
        let instance = stage.launch(&tagged());
        stage.let_run();
        let (name, payload) = wrapped(&running(&instance)).swap_remove(index);
        let invocation = stage.invoke(&payload).await;
        assert!(matches!(invocation.answer, Answer::Response(_)), "{name}: {invocation:?}");
        stage.session(&instance);
    }
}

#[tokio::test]
async fn whoever_may_only_send_messages_gives_no_orders() {
    let stage = stage().await;
    let mirrored = stage.launch(&tagged());
    stage.let_run();
    stage.sweep().await;
    let session = stage.session(&mirrored);
    let waiting = stage.launch(&tagged());
    stage.let_run();
    stage.take_calls();
    for order in [
        json!({"remove": true}),
        json!({"sweep": true}),
        json!({"sweep": true, "unlimited": true}),
        json!({"instances": [waiting]}),
        json!({"detail": {"instance-id": waiting, "state": "running"}}),
    ] {
        let bare = json!({"Records": [{"messageId": "m-0", "body": order.to_string()}]});
        let payloads = wrapped(&order.to_string()).into_iter().chain([("SQS", bare)]);
        for (name, payload) in payloads {
            let invocation = stage.invoke(&payload).await;
            match &invocation.answer {
                Answer::Response(_) => assert_eq!(returned(&invocation), ["m-0"], "{name}"),
                Answer::Error(error) => assert_eq!(error.error_type, "UnreadableEvent", "{name}"),
                Answer::NotJson(_) => panic!("{name}: {invocation:?}"),
            }
            let errors = said(&invocation.log, "ERROR");
            let is_said = |line: &String| line.starts_with("a message cannot be read");
            assert!(errors.iter().any(is_said), "{name}: {errors:?}");
        }
    }
    assert_eq!(stage.take_calls().len(), 0);
    assert_eq!(stage.session(&mirrored), session);
    assert_eq!(stage.sessions(&waiting), []);
}

#[tokio::test]
async fn an_envelope_is_opened_once() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let once = json!({"Type": "Notification", "Message": running(&instance)});
    let twice = json!({"Type": "Notification", "Message": once.to_string()});
    let (again, _) = stage.batch(&[twice.to_string()]).await;
    assert_eq!(again, ["m-0"]);
    assert_eq!(stage.sessions(&instance), []);
}

/// Events of each kind, as they come.
fn of_each_kind(stage: &Stage, instance: &str) -> Vec<Value> {
    let arn = format!("arn:aws:ec2:us-east-1:111122223333:instance/{instance}");
    let event = |source: &str, kind: &str, detail: Value| {
        json!({
            "version": "0", "id": "e-1", "source": source, "detail-type": kind, "detail": detail,
            "account": "111122223333", "region": "us-east-1", "time": "2026-03-01T10:00:00Z",
            "resources": [arn],
        })
    };
    let tags =
        json!({"changed-tag-keys": ["Mirror"], "service": "ec2", "resource-type": "instance"});
    let deleted = json!({
        "eventName": "DeleteTrafficMirrorSession",
        "requestParameters": {
            "DeleteTrafficMirrorSessionRequest": {"TrafficMirrorSessionId": "tms-0fff"},
        },
    });
    let created = json!({
        "eventName": "CreateTrafficMirrorSession",
        "requestParameters": {
            "CreateTrafficMirrorSessionRequest": {"NetworkInterfaceId": stage.interface(instance)},
        },
    });
    let verdict = json!({
        "resourceId": instance, "resourceType": "AWS::EC2::Instance",
        "newEvaluationResult": {"complianceType": "NON_COMPLIANT"},
    });
    let running = json!({"instance-id": instance, "state": "running"});
    vec![
        event("aws.ec2", "EC2 Instance State-change Notification", running),
        event("aws.tag", "Tag Change on Resource", tags),
        event("aws.ec2", "AWS API Call via CloudTrail", deleted),
        event("aws.ec2", "AWS API Call via CloudTrail", created),
        event("aws.config", "Config Rules Compliance Change", verdict),
        event("aws.events", "Scheduled Event", json!({})),
    ]
}

#[tokio::test]
async fn events_of_other_accounts_regions_and_senders_cost_no_call() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let elsewhere =
        [("account", "444455556666"), ("region", "eu-west-1"), ("source", "my.own.application")];
    for event in of_each_kind(&stage, &instance) {
        for (field, other) in elsewhere {
            let mut event = event.clone();
            event[field] = json!(other);
            let (again, invocation) = stage.batch(&[event.to_string()]).await;
            assert_eq!(again, Vec::<String>::new(), "{event}");
            let said = said(&invocation.log, "INFO");
            assert!(
                said[0].starts_with("ignored an event: ") && said[0].contains(other),
                "{said:?}"
            );
        }
    }
    assert_eq!(stage.take_calls().len(), 0);
    for event in of_each_kind(&stage, &instance) {
        stage.batch(&[event.to_string()]).await;
        assert!(!stage.take_calls().is_empty(), "{event}");
    }
}

#[tokio::test]
async fn what_is_odd_and_not_needed_does_no_harm() {
    for odd in [
        json!({"messageAttributes": {"k": {"stringListValues": null, "dataType": "String"}}}),
        json!({"attributes": {"ApproximateReceiveCount": 2}}),
        json!({"attributes": null, "md5OfBody": 7}),
    ] {
        let stage = stage().await;
        let instance = stage.launch(&tagged());
        stage.let_run();
        let mut record = json!({"messageId": "m-0", "body": running(&instance)});
        for (name, value) in odd.as_object().unwrap() {
            record[name] = value.clone();
        }
        let invocation = stage.invoke(&json!({"Records": [record]})).await;
        assert_eq!(returned(&invocation), Vec::<String>::new());
        stage.session(&instance);
    }
    for (field, value) in [
        ("time", json!("soon")),
        ("id", json!(7)),
        ("resources", json!([7])),
        ("version", json!(0)),
    ] {
        let stage = stage().await;
        let instance = stage.launch(&tagged());
        stage.let_run();
        let mut event: Value = serde_json::from_str(&running(&instance)).unwrap();
        event[field] = value;
        let (again, _) = stage.batch(&[event.to_string()]).await;
        assert_eq!(again, Vec::<String>::new(), "{event}");
        stage.session(&instance);
    }
}

#[tokio::test]
async fn the_detail_of_a_schedule_may_be_text_and_a_call_may_have_further_keys() {
    let scheduled = json!({
        "version": "0", "id": "x", "detail-type": "Scheduled Event", "source": "aws.scheduler",
        "account": "111122223333", "time": "2026-03-01T02:00:00Z", "region": "us-east-1",
        "resources": ["arn:aws:scheduler:us-east-1:111122223333:schedule/default/nightly"],
        "detail": "{}",
    });
    let by_hand =
        json!({"sweep": true, "source": "nightly", "time": "<aws.scheduler.scheduled-time>"});
    for payload in [scheduled, by_hand] {
        let stage = stage().await;
        let instance = stage.launch(&tagged());
        stage.let_run();
        stage.invoke(&payload).await;
        stage.session(&instance);
    }
}

#[tokio::test]
async fn an_event_from_the_future_is_not_looked_up_for_ever() {
    let stage = stage().await;
    let mut event: Value = serde_json::from_str(&running("i-0123456789abcdef0")).unwrap();
    event["time"] = json!("2199-01-01T00:00:00Z");
    let receive = |count: usize| {
        json!({"Records": [{
            "messageId": "m-0", "body": event.to_string(),
            "attributes": {"ApproximateReceiveCount": count.to_string()},
        }]})
    };
    assert_eq!(returned(&stage.invoke(&receive(1)).await), ["m-0"]);
    assert_eq!(returned(&stage.invoke(&receive(2)).await), Vec::<String>::new());
}

#[tokio::test]
async fn a_record_that_names_too_much_is_refused_and_takes_no_other_with_it() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let many: Vec<_> = (0..101)
        .map(|n| format!("arn:aws:ec2:us-east-1:111122223333:instance/i-{n:017x}"))
        .collect();
    let tags = json!({
        "detail-type": "Tag Change on Resource", "source": "aws.tag", "resources": many,
        "detail": {"changed-tag-keys": ["Mirror"], "service": "ec2", "resource-type": "instance"},
    });
    let (again, _) = stage.batch(&[tags.to_string(), running(&instance)]).await;
    assert_eq!(again, ["m-0"]);
    stage.session(&instance);
    let ids: Vec<_> = (0..101).map(|n| format!("i-{n:017x}")).collect();
    let invocation = stage.invoke(&json!({"instances": ids})).await;
    let Answer::Error(error) = &invocation.answer else { panic!("{invocation:?}") };
    assert!(error.error_message.contains("from 1 to 100"), "{error:?}");
}

#[tokio::test]
async fn a_direct_call_that_only_looks_changes_nothing_and_says_what_it_would_do() {
    let stage = stage().await;
    let (wanted, other) = (stage.launch(&tagged()), stage.launch(&machine(&[("Mirror", "Yes")])));
    stage.let_run();
    let call = json!({"instances": [wanted, other], "detect": true});
    let Answer::Response(answer) = stage.invoke(&call).await.answer else { panic!() };
    assert_eq!(stage.sessions(&wanted), []);
    let steps = answer["steps"].as_array().unwrap();
    let said: Vec<_> = steps
        .iter()
        .map(|step| {
            let text = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
            [text("instance"), text("action"), text("reason"), text("outcome")]
        })
        .collect();
    let expected = [
        [&*wanted, "create", "not-mirrored", "withheld"].map(str::to_owned),
        [&*other, "ignore", "not-selected", ""].map(str::to_owned),
    ];
    assert_eq!(said, expected);
    assert!(steps[1]["text"].as_str().unwrap().contains("no tag `Mirror` with the value `True`"));
    assert_eq!(steps[0]["interface"], stage.interface(&wanted));
}
