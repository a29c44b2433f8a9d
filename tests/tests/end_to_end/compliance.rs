//! The real config-rule under AWS Config: its evaluations say what is true about mirroring.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use local_cloud::{
    aws::config::{Compliance, ResourceKey, Status},
    aws::ec2::{CreateSession, RunInstances, Tags},
    cloud::call::{Call, Outcome},
    cloud::fault::{Fault, Kind},
    lambda::{Answer, FunctionError},
};
use serde_json::{Value, json};

use crate::stage::{
    Stage, full_filter, load_balancer, machine, other_account, tagged, two_interfaces, user,
};

use Compliance::{Compliant, NonCompliant, NotApplicable};

/// A stage with the rule, on which automirror gets no events unless a test delivers them.
pub(crate) async fn ruled(parameters: &[(&str, &str)]) -> Stage {
    let mut stage = Stage::new(&[]).await;
    stage.deployment.add_rule(&[], parameters).await.unwrap();
    // The reads of the warm-up do not count as calls of the first event.
    stage.deployment.cloud.clear_calls();
    stage
}

impl Stage {
    /// What the rule says of a resource.
    pub(crate) fn said_of(&self, key: &ResourceKey) -> Option<(Compliance, String)> {
        let rule = self.deployment.rule.as_ref().unwrap();
        let verdict = rule.verdict(&self.deployment.cloud, key)?;
        Some((verdict.compliance, verdict.annotation.unwrap_or_default()))
    }

    #[track_caller]
    pub(crate) fn is_said(&self, instance: &str, compliance: Compliance, why: &str) {
        let (said, annotation) = self.said_of(&ResourceKey::instance(instance)).unwrap();
        assert_eq!(said, compliance, "{annotation}");
        assert!(annotation.contains(why), "{annotation:?} has no {why:?}");
    }

    /// Brings a message to the rule's function by hand, and returns its error if it answers with one.
    pub(crate) async fn tell(
        &mut self,
        message: &Value,
        left_scope: bool,
    ) -> Result<(), FunctionError> {
        self.call_rule(&self.event(message, left_scope)).await
    }

    /// The event that brings a message to the rule's function.
    pub(crate) fn event(&self, message: &Value, left_scope: bool) -> Value {
        let world = self.world();
        let mut config = self.deployment.cloud.config();
        config.invocation(&world, "mirroring", message, left_scope)
    }

    /// The event of the rule's schedule.
    pub(crate) fn scheduled_event(&self) -> Value {
        let message = {
            let world = self.world();
            self.deployment.cloud.config().scheduled_notification(&world)
        };
        self.event(&message, false)
    }

    pub(crate) async fn call_rule(&self, event: &Value) -> Result<(), FunctionError> {
        let function = &self.deployment.rule.as_ref().unwrap().function;
        let invocation = function.invoke(event.to_string().as_bytes()).await.unwrap();
        match invocation.answer {
            Answer::Response(_) => Ok(()),
            Answer::Error(error) => Err(error),
            Answer::NotJson(text) => panic!("{text}"),
        }
    }

    /// The rule's schedule, which must succeed.
    pub(crate) async fn schedule(&mut self) {
        let attempt = self.deployment.schedule_rule().await.unwrap();
        assert!(!attempt.has_failed(), "{attempt:?}");
    }

    /// The calls of config-rule since the last time, by service.
    pub(crate) fn take_rule_calls(&self) -> (Vec<Call>, Vec<Call>) {
        let calls = self.deployment.cloud.calls();
        self.deployment.cloud.clear_calls();
        let of_rule = calls
            .into_iter()
            .filter(|call| call.caller.principal.starts_with("assumed-role/config-rule/"));
        of_rule.partition(|call| call.action.starts_with("Describe"))
    }

    /// Gives each instance the session that automirror would create.
    pub(crate) fn mirror(&self, instances: &[String]) {
        for instance in instances {
            let request = CreateSession {
                interface: self.interface(instance),
                target: self.target.clone(),
                filter: self.filter.clone(),
                number: Some(1),
                tags: crate::stage::tags(&[("ManagedBy", "automirror")]),
                ..CreateSession::default()
            };
            self.world().create_session(&user(), &request).unwrap();
        }
    }

    pub(crate) fn bare_item(&self, key: ResourceKey, status: Status) -> Value {
        let world = self.world();
        self.deployment.cloud.config().bare_item(&world, key, status).notification()
    }

    pub(crate) fn compliances(&self, instances: &[String]) -> BTreeMap<Compliance, usize> {
        let mut counts = BTreeMap::new();
        for instance in instances {
            let said = self.said_of(&ResourceKey::instance(instance));
            *counts.entry(said.map_or(NotApplicable, |(said, _)| said)).or_default() += 1;
        }
        counts
    }
}

#[tokio::test]
async fn a_tagged_instance_without_any_session_in_the_account_is_not_compliant() {
    let mut stage = ruled(&[]).await;
    let (instance, untagged) = (stage.launch(&tagged()), stage.launch(&machine(&[])));
    stage.deployment.evaluate().await;
    stage.is_said(&instance, NonCompliant, "should be mirrored and is not yet");
    stage.is_said(&untagged, NotApplicable, "the instance has no tag `Mirror`");
}

#[tokio::test]
async fn a_mirror_on_one_of_two_interfaces_is_not_enough() {
    let mut stage = ruled(&[]).await;
    let instance = stage.launch(&two_interfaces());
    let interfaces = stage.instance(&instance).interfaces;
    stage.foreign(&interfaces[0], 1, &stage.target);
    stage.deployment.evaluate().await;
    let expected = format!("{}: should be mirrored and is not yet", interfaces[1]);
    stage.is_said(&instance, NonCompliant, &expected);
    stage.foreign(&interfaces[1], 1, &stage.target);
    stage.deployment.evaluate().await;
    stage.is_said(&instance, Compliant, "[covered] ");
    stage.is_said(&instance, Compliant, "mirrors it as it should be");
}

#[tokio::test]
async fn what_is_deleted_or_out_of_scope_is_not_applicable() {
    let mut stage = ruled(&[]).await;
    let instance = stage.launch(&tagged());
    stage.deployment.evaluate().await;
    stage.is_said(&instance, NonCompliant, "");
    let key = ResourceKey::instance(&instance);
    let item = stage.bare_item(key.clone(), Status::Ok);
    stage.tell(&item, true).await.unwrap();
    stage.is_said(&instance, NotApplicable, "out of the rule's scope");
    for status in
        [Status::ResourceDeleted, Status::ResourceDeletedNotRecorded, Status::ResourceNotRecorded]
    {
        stage.schedule().await;
        stage.is_said(&instance, NonCompliant, "");
        let item = stage.bare_item(key.clone(), status);
        stage.tell(&item, false).await.unwrap();
        let is_recorded = status != Status::ResourceNotRecorded;
        let why = if is_recorded { "it no longer exists" } else { "AWS Config does not record it" };
        stage.is_said(&instance, NotApplicable, why);
    }
    // An old item about an instance that EC2 does not show.
    let mut item = stage.bare_item(ResourceKey::instance("i-0123456789abcdef0"), Status::Ok);
    item["configurationItem"]["configurationItemCaptureTime"] = json!("2020-01-01T00:00:00.000Z");
    stage.tell(&item, false).await.unwrap();
    stage.is_said("i-0123456789abcdef0", NotApplicable, "it no longer exists");
    // A new item: EC2 may only lag behind, so there is no verdict.
    let item = stage.bare_item(ResourceKey::instance("i-0123456789abcdef1"), Status::Ok);
    let error = stage.tell(&item, false).await.unwrap_err();
    assert!(error.error_message.contains("EC2 does not show i-0123456789abcdef1 yet"), "{error:?}");
    assert_eq!(stage.said_of(&ResourceKey::instance("i-0123456789abcdef1")), None);
}

#[tokio::test]
async fn a_session_that_a_person_deletes_is_recreated_after_the_rules_verdict() {
    let mut stage = ruled(&[]).await;
    stage.deployment.trail = false;
    stage.world().token_outlives_session = false;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    stage.is_said(&instance, Compliant, "mirrored as it should be");
    let session = stage.session(&instance);
    stage.world().delete_session(&user(), &session.id).unwrap();
    // The rule gets the item of the deleted session and evaluates the instance it was on.
    stage.deployment.evaluate().await;
    stage.is_said(&instance, NonCompliant, "should be mirrored and is not yet");
    let gone = stage.said_of(&ResourceKey::session(&session.id)).unwrap();
    assert_eq!(gone.0, NotApplicable);
    // automirror gets the event about the verdict, and the rule the item of the new session.
    stage.settle().await;
    assert_ne!(stage.session(&instance).id, session.id);
    stage.is_said(&instance, Compliant, "mirrored as it should be");
}

#[tokio::test]
async fn a_late_item_is_evaluated_by_what_is_true_now() {
    let mut stage = ruled(&[]).await;
    let instance = stage.launch(&tagged());
    let mut item = stage.bare_item(ResourceKey::instance(&instance), Status::Ok);
    stage.deployment.evaluate().await;
    stage.is_said(&instance, NonCompliant, "should be mirrored and is not yet");
    stage.foreign(&stage.interface(&instance), 1, &stage.target);
    // It was captured long before the verdict that stands.
    item["configurationItem"]["configurationItemCaptureTime"] = json!("2020-01-01T00:00:00.000Z");
    stage.tell(&item, false).await.unwrap();
    stage.is_said(&instance, Compliant, "");
}

#[tokio::test]
async fn a_session_to_a_target_that_is_not_allowed_is_named_with_its_owner() {
    let mut stage = ruled(&[]).await;
    let instance = stage.launch(&machine(&[]));
    let theirs = load_balancer(&mut stage.world(), &other_account());
    stage.world().share_target(&theirs, "111122223333");
    let interface = stage.interface(&instance);
    let good = stage.foreign(&interface, 5, &stage.target);
    let stolen = stage.foreign(&interface, 1, &theirs);
    stage.deployment.evaluate().await;
    let (said, why) = stage.said_of(&ResourceKey::session(&stolen.id)).unwrap();
    assert_eq!(said, NonCompliant);
    let place = format!("[target-not-allowed] {interface} of {instance}");
    assert_eq!(why, format!("{place}: target {theirs} of account 999999999999 is not allowed"));
    assert_eq!(stage.said_of(&ResourceKey::session(&good.id)).unwrap().0, Compliant);
    // Once it is tagged, its instance is shadowed.
    stage.tag(&instance, &[("Mirror", "True")]);
    stage.deployment.evaluate().await;
    stage.is_said(&instance, NonCompliant, "of account 999999999999, which is not allowed");
    // The documentation shows both annotations, with shorter ids.
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/compliance.md");
    let document = fs::read_to_string(document).unwrap();
    let ids = [
        (&interface, "eni-0b2…"),
        (&instance, "i-0a1…"),
        (&stolen.id, "tms-0c3…"),
        (&theirs, "tmt-0d4…"),
    ];
    for resource in [ResourceKey::instance(&instance), ResourceKey::session(&stolen.id)] {
        let said = stage.said_of(&resource).unwrap().1;
        let short = ids.iter().fold(said, |said, (id, short)| said.replace(id.as_str(), short));
        assert!(document.contains(&short), "docs/compliance.md lacks {short}");
    }
}

#[tokio::test]
async fn each_obstacle_has_its_annotation() {
    let mut stage = ruled(&[("unsupported", "NON_COMPLIANT")]).await;
    let empty = stage.world().create_filter(&user(), None, Tags::new()).unwrap();
    let other = full_filter(&mut stage.world());
    let with = |pairs: &[(&str, &str)]| machine(&[&[("Mirror", "True")], pairs].concat());
    let filter = stage.filter.clone();
    let cases = [
        (with(&[("Mirror-Filter", &empty)]), "accepts no packets: give it rules"),
        (with(&[("Mirror-Filter", "tmf-9")]), "filter tmf-9 does not exist"),
        (with(&[("Mirror-Target", "tmt-9")]), "target tmt-9 does not exist"),
        (with(&[("Mirror-Target", "odd")]), "accepted is an id that starts with `tmt-`"),
        (with(&[]), "no filter: MIRROR_FILTER_ID is not set"),
        (
            RunInstances {
                instance_type: "t2.micro".to_owned(),
                ..with(&[("Mirror-Filter", &filter)])
            },
            "EC2 cannot mirror instance type `t2.micro`",
        ),
    ];
    let cases = cases.map(|(request, why)| (stage.launch(&request), why));
    let full = stage.launch(&with(&[("Mirror-Filter", &other)]));
    for number in 1..=3 {
        stage.foreign(&stage.interface(&full), number, &stage.target);
    }
    let out = stage.launch(&machine(&[("Mirror", "False")]));
    stage.deployment.evaluate().await;
    for (instance, why) in &cases {
        stage.is_said(instance, NonCompliant, why);
    }
    stage.is_said(&full, NonCompliant, "at most 3 fit, and 3 are foreign");
    stage.is_said(&out, NotApplicable, "the tag `Mirror` of the instance opts it out");
}

#[tokio::test]
async fn an_annotation_is_cut_and_what_asks_by_its_tag_and_cannot_be_mirrored_is_not_compliant() {
    let mut stage = ruled(&[]).await;
    let interface = || local_cloud::aws::ec2::LaunchInterface::default();
    let interfaces = (0..6)
        .map(|device_index| local_cloud::aws::ec2::LaunchInterface { device_index, ..interface() });
    let request = RunInstances { interfaces: interfaces.collect(), ..tagged() };
    let many = stage.launch(&request);
    let odd = stage.launch(&machine(&[("Mirror", "True"), ("Mirror-Target", &"é".repeat(256))]));
    let old = stage.launch(&RunInstances { instance_type: "t2.micro".to_owned(), ..tagged() });
    stage.deployment.evaluate().await;
    let (_, annotation) = stage.said_of(&ResourceKey::instance(&many)).unwrap();
    assert_eq!(annotation.chars().count(), 256);
    assert!(annotation.ends_with('…'), "{annotation}");
    stage.is_said(&odd, NonCompliant, "accepted is");
    stage.is_said(&old, NonCompliant, "EC2 cannot mirror instance type `t2.micro`");
}

#[tokio::test]
async fn the_rules_parameters_override_the_settings() {
    let mut stage = Stage::new(&[]).await;
    let settings = [("MIRROR_SCOPE", "all"), ("MIRROR_TAG_KEY", "Watch")];
    let parameters = [("scope", "tagged"), ("tagValue", "yes")];
    stage.deployment.add_rule(&settings, &parameters).await.unwrap();
    let watched = stage.launch(&machine(&[("watch", "YES")]));
    let other = stage.launch(&tagged());
    stage.deployment.evaluate().await;
    stage.is_said(&watched, NonCompliant, "should be mirrored and is not yet");
    stage.is_said(&other, NotApplicable, "no tag `Watch` with the value `yes`");
}

#[tokio::test]
async fn a_bad_parameter_is_an_error_that_names_it() {
    for (parameter, value, expected) in [
        ("tag", "x", "unknown rule parameter \"tag\": known are tagKey, tagValue, scope"),
        ("targetIds", "tmf-1", "rule parameter targetIds: MIRROR_TARGET_IDS is `tmf-1`"),
    ] {
        let mut stage = ruled(&[(parameter, value)]).await;
        let attempt = stage.deployment.schedule_rule().await.unwrap();
        let answer = &attempt.outcome.as_ref().unwrap().answer;
        let Answer::Error(error) = answer else { panic!("{answer:?}") };
        assert!(error.error_message.contains(expected), "{error:?}");
    }
}

#[tokio::test]
async fn an_oversized_item_is_evaluated_like_any_other() {
    let mut stage = ruled(&[]).await;
    stage.deployment.cloud.config().item_limit = 0;
    stage.deployment.trail = false;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    stage.is_said(&instance, Compliant, "mirrored as it should be");
    let session = stage.session(&instance);
    assert_eq!(stage.said_of(&ResourceKey::session(&session.id)).unwrap().0, Compliant);
    stage.world().delete_session(&user(), &session.id).unwrap();
    stage.deployment.evaluate().await;
    stage.is_said(&instance, NonCompliant, "should be mirrored and is not yet");
}

#[tokio::test]
async fn ec2_is_connected_to_before_the_first_event() {
    let mut stage = Stage::new(&[]).await;
    stage.deployment.add_rule(&[], &[]).await.unwrap();
    let (reads, others) = stage.take_rule_calls();
    let reads: BTreeSet<_> = reads.iter().map(|call| call.action.as_str()).collect();
    assert_eq!(reads, ["DescribeTrafficMirrorFilters", "DescribeTrafficMirrorTargets"].into());
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn a_scheduled_run_of_a_thousand_instances_takes_sixteen_reads_and_ten_calls_at_most() {
    let mut stage = ruled(&[]).await;
    let instances = stage.launch_many(&RunInstances { count: 1000, ..tagged() });
    stage.let_run();
    stage.schedule().await;
    let (reads, others) = stage.take_rule_calls();
    let puts = others.iter().filter(|call| call.action == "PutEvaluations").count();
    assert!(reads.len() <= 16 && puts <= 10, "{} reads, {puts} calls", reads.len());
    assert_eq!(stage.compliances(&instances), [(NonCompliant, 1000)].into());

    stage.mirror(&instances);
    stage.take_rule_calls();
    stage.schedule().await;
    let (reads, others) = stage.take_rule_calls();
    let puts = others.iter().filter(|call| call.action == "PutEvaluations").count();
    assert!(reads.len() <= 16 && puts <= 10, "{} reads, {puts} calls", reads.len());
    assert_eq!(stage.compliances(&instances), [(Compliant, 1000)].into());

    // Nothing has changed: only the token is sent.
    stage.schedule().await;
    let (_, others) = stage.take_rule_calls();
    let puts = others.iter().filter(|call| call.action == "PutEvaluations");
    let sent: Vec<_> = puts.map(|call| call.parameters.len()).collect();
    assert_eq!(sent.len(), 1);
}

#[tokio::test]
async fn a_scheduled_run_of_ten_thousand_instances_fits_into_64_megabytes() {
    let mut stage = ruled(&[]).await;
    let rule = stage.deployment.rule.as_mut().unwrap();
    rule.function.set_timeout(Duration::from_mins(5));
    let instances = stage.launch_many(&RunInstances { count: 10_000, ..tagged() });
    stage.let_run();
    stage.schedule().await;
    assert_eq!(stage.compliances(&instances), [(NonCompliant, 10_000)].into());
    let peak = stage.deployment.rule.as_ref().unwrap().function.peak_memory().unwrap();
    assert!(peak < 64 << 20, "{peak} bytes");
}

#[tokio::test]
async fn a_scheduled_run_clears_the_verdicts_of_what_is_gone_or_no_longer_selected() {
    let mut stage = ruled(&[]).await;
    let (kept, gone) = (stage.launch(&tagged()), stage.launch(&tagged()));
    stage.let_run();
    stage.deployment.cloud.config().max_page = Some(1);
    stage.schedule().await;
    stage.world().terminate_instances(&user(), std::slice::from_ref(&gone)).unwrap();
    stage.let_run();
    stage.untag(&kept, "Mirror");
    stage.schedule().await;
    stage.is_said(&gone, NotApplicable, "no network interface");
    stage.is_said(&kept, NotApplicable, "no tag `Mirror`");
}

#[tokio::test]
async fn a_scheduled_run_clears_any_number_of_verdicts_of_what_is_no_longer_selected() {
    let mut stage = ruled(&[]).await;
    let instances = stage.launch_many(&RunInstances { count: 1_100, ..tagged() });
    stage.let_run();
    stage.schedule().await;
    assert_eq!(stage.compliances(&instances), [(NonCompliant, 1_100)].into());
    for instance in &instances {
        stage.untag(instance, "Mirror");
    }
    stage.schedule().await;
    for instance in &instances {
        stage.is_said(instance, NotApplicable, "no tag `Mirror`");
    }
}

#[tokio::test]
async fn evaluations_that_are_not_stored_are_sent_again_and_then_an_error() {
    let mut stage = ruled(&[]).await;
    let instances = stage.launch_many(&RunInstances { count: 150, ..tagged() });
    stage.let_run();
    let twice = Fault::once("PutEvaluations", Kind::FailEvaluations(30));
    stage.deployment.cloud.faults().add(Fault { hits: Some(2), ..twice });
    stage.take_rule_calls();
    stage.schedule().await;
    assert_eq!(stage.compliances(&instances), [(NonCompliant, 150)].into());
    let (_, calls) = stage.take_rule_calls();
    let puts = calls.iter().filter(|call| call.action == "PutEvaluations").count();
    assert_eq!(puts, 3, "two, and one for what both left");

    let more = stage.launch(&tagged());
    stage.let_run();
    stage.deployment.cloud.faults().add(Fault::new("PutEvaluations", Kind::FailEvaluations(1)));
    let attempt = stage.deployment.schedule_rule().await.unwrap();
    let answer = &attempt.outcome.as_ref().unwrap().answer;
    let Answer::Error(error) = answer else { panic!("{answer:?}") };
    let expected = format!(
        "did not accept 1 evaluations, such as that of {more}: AWS Config did not store it"
    );
    assert!(error.error_message.contains(&expected), "{error:?}");
}

#[tokio::test]
async fn throttled_calls_are_retried() {
    let mut stage = ruled(&[]).await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    for action in ["PutEvaluations", "GetComplianceDetailsByConfigRule", "DescribeInstances"] {
        stage.deployment.cloud.faults().add(Fault::once(action, Kind::Throttle));
    }
    stage.schedule().await;
    stage.is_said(&instance, NonCompliant, "");
}

#[tokio::test]
async fn there_is_no_verdict_from_missing_data() {
    let mut stage = ruled(&[]).await;
    let instance = stage.launch(&tagged());
    for action in [
        "DescribeInstances",
        "DescribeTrafficMirrorSessions",
        "DescribeTrafficMirrorTargets",
        "DescribeTrafficMirrorFilters",
    ] {
        let refused = Kind::Refuse {
            code: "UnauthorizedOperation".to_owned(),
            message: "You are not authorized".to_owned(),
            status: 403,
        };
        stage.deployment.cloud.faults().clear();
        stage.deployment.cloud.faults().add(Fault::new(action, refused));
        let attempt = stage.deployment.schedule_rule().await.unwrap();
        let answer = &attempt.outcome.as_ref().unwrap().answer;
        let Answer::Error(error) = answer else { panic!("{answer:?}") };
        assert!(error.error_message.contains("UnauthorizedOperation"), "{error:?}");
    }
    assert_eq!(stage.said_of(&ResourceKey::instance(&instance)), None);
    let (_, others) = stage.take_rule_calls();
    assert!(others.iter().all(|call| call.action != "PutEvaluations"), "{others:?}");
}

#[tokio::test]
async fn a_test_stores_nothing() {
    let stage = ruled(&[]).await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let mut event = stage.scheduled_event();
    event["resultToken"] = json!("TESTMODE");
    stage.call_rule(&event).await.unwrap();
    assert_eq!(stage.said_of(&ResourceKey::instance(&instance)), None);
    let (_, others) = stage.take_rule_calls();
    assert_eq!(others.len(), 1, "one call, in test mode");
    assert_eq!(others[0].outcome, Outcome::Done);
}

#[expect(clippy::too_many_lines, reason = "a list of malformed events")]
#[tokio::test]
async fn every_malformed_event_is_a_clear_error_and_the_next_is_evaluated() {
    let stage = ruled(&[]).await;
    let instance = stage.launch(&tagged());
    let good = stage.bare_item(ResourceKey::instance(&instance), Status::Ok);
    let sound = stage.event(&good, false);
    let event = |key: &str, value: Value| {
        let mut event = sound.clone();
        event[key] = value;
        event
    };
    let message = |change: &dyn Fn(&mut Value)| {
        let mut message = good.clone();
        change(&mut message);
        event("invokingEvent", json!(message.to_string()))
    };
    let cases = [
        (json!(null), "not an event of an AWS Config rule"),
        (json!([]), "not an event of an AWS Config rule"),
        (json!({"detail-type": "Scheduled Event"}), "not an event of an AWS Config rule"),
        (event("invokingEvent", json!(null)), "no `invokingEvent`"),
        (event("invokingEvent", json!("{")), "`invokingEvent` cannot be read"),
        (event("invokingEvent", json!("{}")), "`invokingEvent` cannot be read"),
        (event("resultToken", json!("")), "no `resultToken`"),
        (event("accountId", json!("me")), "an account id of twelve digits"),
        (event("ruleParameters", json!("[1]")), "`ruleParameters` is not a JSON object"),
        (
            message(&|m| m["messageType"] = json!("ConfigurationSnapshotDeliveryCompleted")),
            "not for this rule",
        ),
        (message(&|m| m["configurationItem"] = json!(null)), "no `configurationItem`"),
        (
            message(&|m| m["configurationItem"]["resourceType"] = json!("AWS::S3::Bucket")),
            "narrow its scope",
        ),
        (message(&|m| m["configurationItem"]["resourceId"] = json!("i-\n1")), "`resourceId` is"),
        (
            message(&|m| m["configurationItem"]["configurationItemStatus"] = json!("Fine")),
            "status `Fine` is unknown",
        ),
        (
            message(&|m| m["configurationItem"]["configurationItemCaptureTime"] = json!("soon")),
            "is not a time",
        ),
    ];
    for (event, expected) in cases {
        let error = stage.call_rule(&event).await.unwrap_err();
        assert_eq!(error.error_type, "EvaluationFailed");
        assert!(error.error_message.contains(expected), "{expected}: {error:?}");
    }
    let function = &stage.deployment.rule.as_ref().unwrap().function;
    let invocation = function.invoke(b"not JSON").await.unwrap();
    assert!(matches!(invocation.answer, Answer::Error(_)), "{invocation:?}");
    stage.call_rule(&sound).await.unwrap();
    stage.is_said(&instance, NonCompliant, "should be mirrored and is not yet");
}

#[tokio::test]
async fn automirror_and_config_rule_never_disagree() {
    let mut stage = ruled(&[]).await;
    let theirs = load_balancer(&mut stage.world(), &other_account());
    let instances = [
        stage.launch(&tagged()),
        stage.launch(&two_interfaces()),
        stage.launch(&machine(&[])),
        stage.launch(&machine(&[("Mirror", "False")])),
        stage.launch(&RunInstances { instance_type: "t2.micro".to_owned(), ..tagged() }),
        stage.launch(&machine(&[("Mirror", "True"), ("Mirror-Target", &theirs)])),
    ];
    let leftover = stage.launch(&machine(&[]));
    stage.mirror(std::slice::from_ref(&leftover));
    stage.let_run();
    stage.schedule().await;
    stage.is_said(&leftover, NonCompliant, "the instance has no tag `Mirror`");
    let before = stage.compliances(&instances);
    assert_eq!(before, [(NonCompliant, 4), (NotApplicable, 2)].into());
    stage.sweep().await;
    stage.schedule().await;
    stage.is_said(&leftover, NotApplicable, "");
    assert_eq!(
        stage.compliances(&instances),
        [(Compliant, 2), (NonCompliant, 2), (NotApplicable, 2)].into(),
        "what asks for a target that is not allowed, or for what EC2 cannot do, is left"
    );
}

#[tokio::test]
async fn a_session_that_config_says_is_deleted_does_not_count_though_ec2_still_shows_it() {
    let mut stage = ruled(&[]).await;
    stage.deployment.trail = false;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    stage.world().freeze();
    let session = stage.session(&instance);
    stage.world().delete_session(&user(), &session.id).unwrap();
    stage.fault(Fault::new("DescribeTrafficMirrorSessions", Kind::StaleRead));
    stage.deployment.evaluate().await;
    stage.is_said(&instance, NonCompliant, "should be mirrored and is not yet");
}

#[tokio::test]
async fn an_instance_shown_without_its_interfaces_is_not_evaluated_yet() {
    let mut stage = ruled(&[]).await;
    let instance = stage.launch(&tagged());
    stage.freeze_without_interfaces(&instance);
    stage.fault(Fault::once("DescribeInstances", Kind::StaleRead));
    let item = stage.bare_item(ResourceKey::instance(&instance), Status::Ok);
    let error = stage.tell(&item, false).await.unwrap_err();
    assert!(error.error_message.contains("or no network interface of it"), "{error:?}");
    stage.tell(&item, false).await.unwrap();
    stage.is_said(&instance, NonCompliant, "should be mirrored and is not yet");
}

#[tokio::test]
async fn a_session_that_ec2_shows_by_its_interface_first_is_evaluated_by_the_targets_that_exist() {
    let mut stage = ruled(&[]).await;
    let instance = stage.launch(&machine(&[]));
    stage.deployment.evaluate().await;
    stage.world().freeze();
    let session = stage.foreign(&stage.interface(&instance), 1, &stage.target);
    stage.fault(Fault::once("DescribeTrafficMirrorSessions", Kind::StaleRead));
    stage.deployment.evaluate().await;
    assert_eq!(stage.said_of(&ResourceKey::session(&session.id)).unwrap().0, Compliant);
}

#[tokio::test]
async fn a_scheduled_run_does_not_override_a_newer_verdict() {
    let mut stage = ruled(&[]).await;
    stage.world().freeze();
    let instance = stage.launch(&tagged());
    stage.deployment.evaluate().await;
    stage.is_said(&instance, NonCompliant, "");
    stage.fault(Fault::new("DescribeInstances", Kind::StaleRead));
    stage.schedule().await;
    stage.is_said(&instance, NonCompliant, "");
}

#[tokio::test]
async fn a_rule_of_another_account_is_refused() {
    let mut stage = ruled(&[]).await;
    let mut event = stage.scheduled_event();
    event["accountId"] = json!("999999999999");
    let error = stage.call_rule(&event).await.unwrap_err();
    assert!(error.error_message.contains("the rule is in account 999999999999"), "{error:?}");
    stage.schedule().await;
}

#[tokio::test]
async fn a_session_to_a_target_that_ec2_does_not_show_is_not_compliant() {
    let mut stage = ruled(&[]).await;
    let instance = stage.launch(&machine(&[]));
    let theirs = load_balancer(&mut stage.world(), &other_account());
    stage.world().share_target(&theirs, "111122223333");
    let session = stage.foreign(&stage.interface(&instance), 1, &theirs);
    stage.world().unshare_target(&theirs);
    stage.deployment.evaluate().await;
    let (said, why) = stage.said_of(&ResourceKey::session(&session.id)).unwrap();
    assert_eq!(said, NonCompliant);
    let place = format!("[target-unknown] {} of {instance}", session.interface);
    let expected = format!("target {theirs} does not exist or is not shared with this account");
    assert_eq!(why, format!("{place}: {expected}"));
}

#[tokio::test]
async fn an_evaluation_that_fails_three_times_is_a_dead_letter() {
    let mut stage = ruled(&[]).await;
    let code = "UnauthorizedOperation".to_owned();
    let denied = Kind::Refuse { code, message: "because".to_owned(), status: 403 };
    stage.fault(Fault::new("DescribeInstances", denied));
    stage.launch(&tagged());
    for _ in 0..3 {
        stage.deployment.evaluate().await;
    }
    let rule = stage.deployment.rule.as_ref().unwrap();
    // Lambda sends it to the dead-letter queue with the permission of the function's role.
    assert!(rule.attempts.iter().any(local_cloud::deployment::Attempt::is_given_up));
}
