//! Input that is malformed or meant to harm: a clear message, no crash, and other events are served.

use local_cloud::lambda::Answer;
use serde_json::{Value, json};

use crate::stage::{machine, returned, running, said, stage, tagged};

fn malformed() -> Vec<String> {
    let state = "EC2 Instance State-change Notification";
    let tag = "Tag Change on Resource";
    let trail = "AWS API Call via CloudTrail";
    let compliance = "Config Rules Compliance Change";
    let non_compliant = json!({"complianceType": "NON_COMPLIANT"});
    let event = |detail_type: &str, detail: Value| {
        let source = match detail_type {
            "Tag Change on Resource" => "aws.tag",
            "Config Rules Compliance Change" => "aws.config",
            _ => "aws.ec2",
        };
        json!({"detail-type": detail_type, "source": source, "detail": detail}).to_string()
    };
    vec![
        String::new(),
        "not JSON".to_owned(),
        "[".repeat(100_000),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"instances":"i-1"}"#.to_owned(),
        r#"{"instances":["i-1","x"]}"#.to_owned(),
        r#"{"instances":[]}"#.to_owned(),
        r#"{"sweep":"yes"}"#.to_owned(),
        r#"{"swep":true}"#.to_owned(),
        json!({"detail-type": 7}).to_string(),
        json!({"detail-type": state}).to_string(),
        json!({"detail-type": state, "source": "aws.ec2", "detail": {}, "time": "soon"})
            .to_string(),
        event(state, json!(null)),
        event(state, json!({"instance-id": 7, "state": "running"})),
        event(state, json!({"instance-id": "i-1; DROP", "state": "running"})),
        event(state, json!({"instance-id": "i-".to_owned() + &"a".repeat(5000), "state": "x"})),
        event(tag, json!({"service": "ec2", "resource-type": "instance", "changed-tag-keys": 1})),
        event(trail, json!({})),
        event(trail, json!({"eventName": ["CreateTrafficMirrorSession"]})),
        event(trail, json!({"eventName": "CreateTrafficMirrorSession", "requestParameters": ""})),
        event(
            trail,
            json!({"eventName": "AttachNetworkInterface", "requestParameters": {"instanceId": {}}}),
        ),
        event(
            compliance,
            json!({"newEvaluationResult": non_compliant, "resourceType": "AWS::EC2::Instance"}),
        ),
    ]
}

#[tokio::test]
async fn malformed_messages_come_again_until_they_ring_and_stop_no_other() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let mut bodies = malformed();
    let count = bodies.len();
    bodies.insert(count / 2, running(&instance));
    let (again, invocation) = stage.batch(&bodies).await;
    let good = format!("m-{}", count / 2);
    let expected: Vec<_> = (0..=count).map(|n| format!("m-{n}")).filter(|it| *it != good).collect();
    assert_eq!(again, expected);
    stage.session(&instance);
    let errors = said(&invocation.log, "ERROR");
    assert_eq!(errors.len(), 11, "ten and how many there are: {errors:#?}");
    for line in &errors[..10] {
        assert!(line.starts_with("a message cannot be read and comes again: "), "{line}");
        assert!(line.len() < 400, "{line}");
    }
    assert_eq!(errors[10], format!("{count} records in all cannot be read"));
}

#[tokio::test]
async fn a_malformed_direct_call_gets_an_error_that_names_what_is_accepted() {
    let stage = stage().await;
    for body in malformed().iter().filter(|body| serde_json::from_str::<Value>(body).is_ok()) {
        let payload: Value = serde_json::from_str(body).unwrap();
        let invocation = stage.invoke(&payload).await;
        let Answer::Error(error) = &invocation.answer else { panic!("{body}: {invocation:?}") };
        assert_eq!(error.error_type, "UnreadableEvent", "{body}");
    }
    let invocation = stage.invoke(&json!({"records": []})).await;
    let Answer::Error(error) = &invocation.answer else { panic!("{invocation:?}") };
    assert!(error.error_message.contains(r#"{"sweep":true}"#), "{error:?}");
}

#[tokio::test]
async fn a_payload_that_is_not_json_fails_and_the_next_event_is_served() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let worker = &stage.deployment.workers[0];
    let invocation = worker.invoke(b"\xff\x00{").await.unwrap();
    assert!(matches!(invocation.answer, Answer::Error(_)), "{invocation:?}");
    stage.sweep().await;
    stage.session(&instance);
}

#[tokio::test]
async fn records_of_any_shape_are_survived() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    // Nothing names what comes again, so the whole batch does.
    for records in [json!(7), json!({}), json!([null, 7, [], {}, {"body": 7}])] {
        let invocation = stage.invoke(&json!({ "Records": records })).await;
        assert!(matches!(invocation.answer, Answer::Error(_)), "{records}: {invocation:?}");
    }
    let invocation = stage.invoke(&json!({"Records": []})).await;
    assert_eq!(returned(&invocation), Vec::<String>::new());
    let records = json!([{"messageId": 7}, {"messageId": "m-1", "body": running(&instance)}]);
    stage.invoke(&json!({ "Records": records })).await;
    stage.session(&instance);
}

#[tokio::test]
async fn of_ten_thousand_messages_a_thousand_are_one_read_and_the_rest_comes_again() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let (again, invocation) = stage.batch(&vec![running(&instance); 10_000]).await;
    let rest: Vec<_> = (1_000..10_000).map(|n| format!("m-{n}")).collect();
    assert_eq!(again, rest);
    stage.session(&instance);
    assert_eq!(stage.take_calls().len(), 5, "four reads and a create");
    assert!(invocation.log.len() < 20, "{:#?}", invocation.log);
}

#[tokio::test]
async fn tag_values_cannot_do_more_than_tags() {
    let odd = [
        "é".repeat(256),
        "\u{202e}tmt-1\u{feff}\n\r\t".to_owned(),
        "tmt-1&Action=TerminateInstances".to_owned(),
        "<tmt-1/>".to_owned(),
        ",".repeat(200) + "tmt-",
        "🦀".repeat(256),
    ];
    let stage = stage().await;
    let sound = stage.launch(&tagged());
    let odd_ones: Vec<_> = odd
        .iter()
        .flat_map(|value| {
            ["Mirror-Target", "Mirror-Filter", "Mirror-Interfaces"].map(|key| (key, value))
        })
        .map(|(key, value)| stage.launch(&machine(&[("Mirror", "True"), (key, value)])))
        .collect();
    stage.let_run();
    let invocation = stage.sweep().await;
    stage.session(&sound);
    for instance in &odd_ones {
        assert_eq!(stage.sessions(instance), []);
    }
    let warned = said(&invocation.log, "WARN");
    assert_eq!(warned.len(), odd_ones.len());
    for line in &warned {
        assert!(line.contains(": accepted is ") && !line.contains(['\n', '\u{feff}', '\u{202e}']));
        assert!(line.chars().count() < 300, "{line}");
    }
}
