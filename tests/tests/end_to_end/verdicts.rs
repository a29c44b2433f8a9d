//! What becomes of the rule's verdicts where AWS Config refuses, forgets or is slow, and what the function says.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering},
    time::{Duration, SystemTime},
};

use local_cloud::{
    aws::config::{Compliance, Evaluation, PutEvaluations, PutRule, ResourceKey, Status, Time},
    aws::ec2::{CreateSession, RunInstances},
    cloud::Cloud,
    cloud::call::{Call, count},
    cloud::fault::{Fault, Kind},
    lambda::{Answer, Credentials, Function, FunctionOptions, Invocation, LogLine, binary::binary},
    simulation::rule::Rule,
};
use serde_json::{Value, json};

use crate::{
    compliance::ruled,
    stage::{Stage, full_filter, load_balancer, machine, other_account, said, tagged, user},
};

use Compliance::{Compliant, NonCompliant, NotApplicable};

const SESSION: &str = "AWS::EC2::TrafficMirrorSession";
const INSTANCE: &str = "AWS::EC2::Instance";
const PUT: &str = "PutEvaluations";
const DETAILS: &str = "GetComplianceDetailsByConfigRule";

impl Stage {
    /// From now on AWS Config refuses any call with an evaluation of this type, or of this resource.
    fn config_dislikes(&self, what: &str, code: &str) {
        let mut config = self.deployment.cloud.config();
        config.dislikes.insert(what.to_owned(), code.to_owned());
    }

    /// A foreign session to a target that nobody allowed.
    fn hijack(&self, instance: &str) -> String {
        let theirs = load_balancer(&mut self.world(), &other_account());
        self.world().share_target(&theirs, "111122223333");
        self.foreign(&self.interface(instance), 7, &theirs).id
    }

    /// The answer of the rule's schedule, and its log.
    async fn scheduled(&mut self) -> Invocation {
        let function = &self.deployment.rule.as_ref().unwrap().function;
        let event = self.scheduled_event();
        function.invoke(event.to_string().as_bytes()).await.unwrap()
    }

    /// The same with this time-out, in an execution environment of its own.
    async fn scheduled_within(&mut self, timeout: Duration) -> Invocation {
        let event = self.scheduled_event();
        let function = self.impatient(timeout).await;
        function.invoke(event.to_string().as_bytes()).await.unwrap()
    }

    async fn impatient(&self, timeout: Duration) -> Function {
        let mut options = self.options("config-rule");
        options.timeout = timeout;
        Function::start(options).await.unwrap()
    }

    fn options(&self, function: &str) -> FunctionOptions {
        let mut options = FunctionOptions::new(binary(function));
        for service in ["EC2", "CONFIG_SERVICE"] {
            let endpoint = self.deployment.cloud.endpoint();
            options.env.push((format!("AWS_ENDPOINT_URL_{service}"), endpoint));
        }
        options
    }

    /// What the rule says of some resources.
    fn verdicts(&self, keys: &[ResourceKey]) -> Vec<Option<Compliance>> {
        keys.iter().map(|key| self.said_of(key).map(|(said, _)| said)).collect()
    }

    /// Another execution environment of the function has looked at the resource now, and stored this.
    fn another_says(&self, key: &ResourceKey, compliance: Compliance, annotation: &str) {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
        self.another_said(key, compliance, annotation, u64::try_from(now.as_millis()).unwrap());
    }

    fn another_said(&self, key: &ResourceKey, compliance: Compliance, annotation: &str, at: u64) {
        let mut world = self.world();
        let mut config = self.deployment.cloud.config();
        let result_token = config.issue_token(&world, "mirroring");
        let annotation = Some(annotation.to_owned());
        let evaluation =
            Evaluation { key: key.clone(), compliance, annotation, ordering: Time(at) };
        let request =
            PutEvaluations { evaluations: vec![evaluation], result_token, test_mode: false };
        config.put_evaluations(&mut world, &request, 0).unwrap();
    }

    /// The types of the resources in each call that reached AWS Config with evaluations, in their order.
    fn put_types(&self) -> Vec<BTreeSet<String>> {
        let (_, calls) = self.take_rule_calls();
        let puts = calls.iter().filter(|call| call.action == PUT);
        let kind = |it: &Value| it["ComplianceResourceType"].as_str().unwrap().to_owned();
        puts.map(|call| call.evaluations().iter().map(kind).collect()).collect()
    }
}

#[track_caller]
fn error_of(invocation: &Invocation) -> &str {
    let Answer::Error(error) = &invocation.answer else { panic!("{invocation:?}") };
    &error.error_message
}

/// The line about the whole invocation.
fn summary_line(log: &[LogLine]) -> Value {
    let lines = log.iter().filter_map(|line| match line {
        LogLine::Json(line) if line["fields"]["judged"].is_number() => Some(line["fields"].clone()),
        _ => None,
    });
    let lines: Vec<_> = lines.collect();
    let [line] = &lines[..] else { panic!("{log:?}") };
    line.clone()
}

fn evaluations(calls: &[Call]) -> Vec<Value> {
    calls.iter().filter(|call| call.action == PUT).flat_map(Call::evaluations).collect()
}

// Nobody's verdict is lost for another's (field-cases 4 and 26)

#[tokio::test]
async fn a_type_that_config_refuses_costs_no_instance_its_verdict() {
    for code in ["InvalidParameterValueException", "ValidationException"] {
        let mut stage = ruled(&[]).await;
        let instances = stage.launch_many(&RunInstances { count: 50, ..tagged() });
        stage.let_run();
        stage.mirror(&instances[..30]);
        let hijack = stage.hijack(&instances[49]);
        stage.config_dislikes(SESSION, code);
        let invocation = stage.scheduled().await;
        let error = error_of(&invocation);
        assert!(error.contains(&format!("such as that of {hijack}: {code}")), "{error}");
        let expected = [(Compliant, 30), (NonCompliant, 20)].into();
        assert_eq!(stage.compliances(&instances), expected);
        assert_eq!(stage.said_of(&ResourceKey::session(&hijack)), None);
    }
}

#[tokio::test]
async fn a_call_that_config_refuses_is_split_until_what_it_refuses_is_alone() {
    let mut stage = ruled(&[]).await;
    let instances = stage.launch_many(&RunInstances { count: 250, ..tagged() });
    stage.let_run();
    let mut sorted = instances.clone();
    sorted.sort();
    let mut refused = BTreeSet::new();
    // One in the middle of a call, the first and the last of one, all of a third of one.
    for (number, code) in [(50, "InvalidParameterValueException"), (100, "ValidationException")] {
        refused.insert(sorted[number].clone());
        stage.config_dislikes(&sorted[number], code);
    }
    for id in &sorted[199..232] {
        refused.insert(id.clone());
        stage.config_dislikes(id, "SomeNewException");
    }
    stage.take_rule_calls();
    let invocation = stage.scheduled().await;
    let error = error_of(&invocation);
    assert!(error.contains("AWS Config did not accept 35 evaluations"), "{error}");
    for id in &instances {
        let said = stage.said_of(&ResourceKey::instance(id)).map(|(said, _)| said);
        assert_eq!(said, (!refused.contains(id)).then_some(NonCompliant), "{id}");
    }
    let (_, calls) = stage.take_rule_calls();
    assert!(count(&calls, PUT) < 3 + 2 * 8 + 2 * 80, "{}", count(&calls, PUT));
    // Each is told of, and the numbers add up.
    let warnings: BTreeSet<_> = said(&invocation.log, "WARN").into_iter().collect();
    assert_eq!(warnings.len(), 35);
    assert!(warnings.iter().all(|it| refused.iter().any(|id| it.contains(id))), "{warnings:?}");
    let line = summary_line(&invocation.log);
    let numbers = ["judged", "news", "sent", "refused", "not_reached"].map(|name| &line[name]);
    assert_eq!(numbers, [250, 250, 215, 35, 0], "{line}");
}

#[tokio::test]
async fn a_call_that_is_refused_whatever_is_in_it_is_not_split() {
    for (code, status) in [
        ("InvalidResultTokenException", 400),
        ("NoSuchConfigRuleException", 400),
        ("AccessDeniedException", 400),
        ("ExpiredTokenException", 400),
    ] {
        let mut stage = ruled(&[]).await;
        let instances = stage.launch_many(&RunInstances { count: 250, ..tagged() });
        stage.let_run();
        let (code, message) = (code.to_owned(), "because".to_owned());
        stage.fault(Fault::once(PUT, Kind::Refuse { code: code.clone(), message, status }));
        stage.take_rule_calls();
        let invocation = stage.scheduled().await;
        assert!(error_of(&invocation).contains(&code), "{invocation:?}");
        // Nor does it hold up the others.
        assert_eq!(stage.compliances(&instances)[&NonCompliant], 150);
        let (_, calls) = stage.take_rule_calls();
        assert_eq!(count(&calls, PUT), 3);
    }
}

#[tokio::test]
async fn the_items_own_verdict_goes_first_and_alone() {
    for (disliked, expected) in
        [(INSTANCE, [Some(Compliant), None]), (SESSION, [None, Some(Compliant)])]
    {
        let mut stage = ruled(&[]).await;
        let instance = stage.launch(&tagged());
        stage.let_run();
        stage.mirror(std::slice::from_ref(&instance));
        let session = ResourceKey::session(&stage.session(&instance).id);
        let both = [session.clone(), ResourceKey::instance(&instance)];
        stage.config_dislikes(disliked, "InvalidParameterValueException");
        let item = stage.bare_item(session, Status::Ok);
        stage.take_rule_calls();
        let error = stage.tell(&item, false).await.unwrap_err();
        assert!(error.error_message.contains("AWS Config did not accept 1 evaluations"));
        assert_eq!(stage.verdicts(&both), expected);
        let types = stage.put_types();
        assert_eq!(types, [[SESSION.to_owned()].into(), [INSTANCE.to_owned()].into()]);
    }
}

#[tokio::test]
async fn the_worst_verdicts_are_sent_first() {
    let mut stage = ruled(&[]).await;
    let instances = stage.launch_many(&RunInstances { count: 1_250, ..tagged() });
    stage.let_run();
    let mut sorted = instances.clone();
    sorted.sort();
    stage.mirror(&sorted[..620]);
    let hijack = stage.hijack(&instances[0]);
    stage.take_rule_calls();
    stage.schedule().await;
    let (_, calls) = stage.take_rule_calls();
    let puts: Vec<_> = calls.iter().filter(|it| it.action == PUT).map(Call::evaluations).collect();
    assert_eq!(puts.iter().map(Vec::len).sum::<usize>(), 1_251);
    let is_red: Vec<_> =
        puts.iter().map(|it| it.iter().any(|it| it["ComplianceType"] == "NON_COMPLIANT")).collect();
    assert_eq!(is_red.iter().filter(|is_red| **is_red).count(), 8);
    // Four calls are under way at once, and may arrive in any order.
    assert!(is_red[..5].iter().all(|is_red| *is_red), "{is_red:?}");
    let mut red = puts.iter().zip(&is_red).filter(|(_, is_red)| **is_red).map(|(put, _)| put);
    assert!(red.any(|it| it[0]["ComplianceResourceId"] == *hijack), "it is in a call of its own");
}

// A verdict from a later look stays, whatever AWS Config does with ordering times (review-code 1.5)

#[tokio::test]
async fn what_was_judged_while_the_schedule_was_reading_stays() {
    for keeps_later_verdicts in [true, false] {
        let mut stage = ruled(&[]).await;
        stage.deployment.cloud.config().keeps_later_verdicts = keeps_later_verdicts;
        let instances = stage.launch_many(&RunInstances { count: 3, ..tagged() });
        stage.let_run();
        stage.mirror(&instances);
        stage.schedule().await;
        let keys: Vec<_> = instances.iter().map(|id| ResourceKey::instance(id)).collect();
        // The schedule sees the first without and the others with a session, and then things change.
        let session = stage.session(&instances[0]);
        stage.world().delete_session(&user(), &session.id).unwrap();
        stage.fault(Fault::once(DETAILS, Kind::Hold));
        let event = stage.scheduled_event().to_string();
        let hijack = ResourceKey::session("tms-0123456789abcdef9");
        {
            let function = &stage.deployment.rule.as_ref().unwrap().function;
            let meanwhile = async {
                stage.deployment.cloud.faults().held(1).await;
                stage.another_says(&keys[0], Compliant, "[as-wanted] eni-1: mirrored");
                stage.another_says(&keys[1], NonCompliant, "[not-mirrored] eni-2: not yet");
                stage.another_says(&hijack, NonCompliant, "[target-not-allowed] eni-3: stolen");
                stage.deployment.cloud.faults().release();
            };
            let (invocation, ()) = tokio::join!(function.invoke(event.as_bytes()), meanwhile);
            assert!(matches!(invocation.unwrap().answer, Answer::Response(_)));
        }
        let all = [keys, vec![hijack]].concat();
        let expected = [Some(Compliant), Some(NonCompliant), Some(Compliant), Some(NonCompliant)];
        assert_eq!(stage.verdicts(&all), expected, "{keeps_later_verdicts}");
    }
}

/// What is not in the lists any more, or not yet, was judged after they were read.
#[tokio::test]
async fn what_was_judged_after_the_lists_were_read_stays() {
    let stage = ruled(&[]).await;
    stage.deployment.cloud.config().keeps_later_verdicts = false;
    let instances = stage.launch_many(&RunInstances { count: 4, ..tagged() });
    stage.let_run();
    stage.mirror(&instances[..2]);
    let keys: Vec<_> = instances.iter().map(|id| ResourceKey::instance(id)).collect();
    // The last list that is read is that of the compliant ones, and there are none.
    stage.fault(Fault { skip: 1, hits: Some(1), ..Fault::new(DETAILS, Kind::Hold) });
    // All four are news, and read once more at the same time.
    let once_more = Fault::new("GetComplianceDetailsByResource", Kind::Hold);
    stage.fault(Fault { hits: Some(4), ..once_more });
    let event = stage.scheduled_event().to_string();
    let function = &stage.deployment.rule.as_ref().unwrap().function;
    let meanwhile = async {
        stage.deployment.cloud.faults().held(1).await;
        stage.another_says(&keys[0], NotApplicable, "[not-selected] its tag is gone");
        stage.deployment.cloud.faults().release();
        stage.deployment.cloud.faults().held(4).await;
        stage.another_says(&keys[1], NonCompliant, "[not-mirrored] eni-2: not yet");
        stage.another_says(&keys[2], Compliant, "[as-wanted] eni-3: mirrored");
        stage.deployment.cloud.faults().release();
    };
    let (invocation, ()) = tokio::join!(function.invoke(event.as_bytes()), meanwhile);
    assert!(matches!(invocation.unwrap().answer, Answer::Response(_)));
    let expected = [NotApplicable, NonCompliant, Compliant, NonCompliant].map(Some);
    assert_eq!(stage.verdicts(&keys), expected);
}

#[tokio::test]
async fn a_verdict_that_cannot_be_read_back_alone_is_sent() {
    let mut stage = ruled(&[]).await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.fault(Fault::new("GetComplianceDetailsByResource", Kind::ServerError));
    stage.schedule().await;
    stage.is_said(&instance, NonCompliant, "should be mirrored and is not yet");
}

#[tokio::test]
async fn a_verdict_from_an_earlier_look_is_corrected_though_it_was_recorded_later() {
    let stage = ruled(&[]).await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.mirror(std::slice::from_ref(&instance));
    let key = ResourceKey::instance(&instance);
    stage.fault(Fault::once(DETAILS, Kind::Hold));
    let event = stage.scheduled_event().to_string();
    let function = &stage.deployment.rule.as_ref().unwrap().function;
    let before = u64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let meanwhile = async {
        stage.deployment.cloud.faults().held(1).await;
        stage.another_said(&key, NonCompliant, "[not-mirrored] eni-1: not yet", before - 1_000);
        stage.deployment.cloud.faults().release();
    };
    let (invocation, ()) = tokio::join!(function.invoke(event.as_bytes()), meanwhile);
    invocation.unwrap();
    assert_eq!(stage.verdicts(&[key]), [Some(Compliant)]);
}

// News is what differs in compliance or codes (review-code 1.7)

#[tokio::test]
async fn a_sentence_with_other_words_is_no_news_and_another_code_is() {
    let mut stage = ruled(&[]).await;
    let instances = stage.launch_many(&RunInstances { count: 3, ..tagged() });
    stage.let_run();
    stage.mirror(&instances[..1]);
    stage.schedule().await;
    let keys: Vec<_> = instances.iter().map(|id| ResourceKey::instance(id)).collect();
    stage.another_said(&keys[0], Compliant, "[as-wanted] words of another version", 1);
    stage.deployment.cloud.config().keeps_later_verdicts = false;
    stage.another_said(&keys[0], Compliant, "[as-wanted] words of another version", 1);
    stage.another_said(&keys[1], NonCompliant, "[not-mirrored] words of another version", 1);
    stage.another_said(&keys[2], NonCompliant, "[no-target] words of another version", 1);
    stage.take_rule_calls();
    stage.schedule().await;
    let (_, calls) = stage.take_rule_calls();
    let sent = evaluations(&calls);
    let [only] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(only["ComplianceResourceId"], instances[2]);
    assert!(stage.said_of(&keys[1]).unwrap().1.contains("another version"));
}

// Before the deadline (review-code 1.6)

#[tokio::test]
async fn what_a_list_of_instances_shows_before_the_time_is_up_is_judged() {
    let mut stage = ruled(&[]).await;
    let instances = stage.launch_many(&RunInstances { count: 30, ..tagged() });
    stage.let_run();
    stage.schedule().await;
    stage.mirror(&instances);
    let hijack = stage.hijack(&instances[0]);
    stage.world().max_page = Some(10);
    stage.fault(Fault { skip: 1, ..Fault::new("DescribeInstances", Kind::HangBefore) });
    let invocation = stage.scheduled_within(Duration::from_secs(12)).await;
    let error = error_of(&invocation);
    assert!(error.contains("not every instance was evaluated"), "{error}");
    assert!(error.contains("there was no time to read the list to its end"), "{error}");
    // Those on the second and third page keep their verdicts: nothing is known about them.
    let expected = [(Compliant, 10), (NonCompliant, 20)].into();
    assert_eq!(stage.compliances(&instances), expected);
    assert_eq!(stage.verdicts(&[ResourceKey::session(&hijack)]), [Some(NonCompliant)]);
    let line = summary_line(&invocation.log);
    assert_eq!((&line["sent"], &line["not_reached"]), (&json!(11), &json!(20)), "{line}");
}

#[tokio::test]
async fn what_a_list_of_instances_shows_before_it_breaks_is_judged() {
    let refused = Kind::Refuse {
        code: "InternalError".to_owned(),
        message: "because".to_owned(),
        status: 500,
    };
    for kind in [refused, Kind::RepeatToken] {
        let mut stage = ruled(&[]).await;
        let instances = stage.launch_many(&RunInstances { count: 30, ..tagged() });
        stage.let_run();
        stage.world().max_page = Some(10);
        let skip = u32::from(kind != Kind::RepeatToken);
        stage.fault(Fault { skip, ..Fault::new("DescribeInstances", kind.clone()) });
        let invocation = stage.scheduled().await;
        assert!(error_of(&invocation).contains("not every instance was evaluated"), "{kind:?}");
        let judged = instances.iter().filter(|id| {
            let said = stage.said_of(&ResourceKey::instance(id));
            said.is_some_and(|(said, _)| said == NonCompliant)
        });
        assert!((10..30).contains(&judged.count()), "{kind:?}");
        stage.recover();
        stage.schedule().await;
        assert_eq!(stage.compliances(&instances), [(NonCompliant, 30)].into());
    }
}

/// A cloud whose time stands still while anything is done, with tagged instances and config-rule.
struct Slow {
    cloud: Arc<Cloud>,
    rule: Rule,
    filter: String,
    target: String,
    instances: Vec<String>,
}

impl Slow {
    /// Each call takes so long.
    fn new(count: usize, call: Duration) -> Self {
        let cloud = Arc::new(Cloud::in_process(0));
        let rule = Rule::new(&cloud, call);
        let mut world = cloud.world();
        world.now = clock_begin();
        let target = load_balancer(&mut world, &user());
        let filter = full_filter(&mut world);
        let mut instances =
            world.run_instances(&user(), &RunInstances { count, ..tagged() }).unwrap();
        instances.sort();
        world.tick();
        drop(world);
        Self { cloud, rule, filter, target, instances }
    }

    fn mirror(&self, instances: &[String]) {
        let mut world = self.cloud.world();
        for id in instances {
            let interface = world.instance(id).unwrap().interfaces[0].clone();
            let request = CreateSession {
                interface,
                target: self.target.clone(),
                filter: self.filter.clone(),
                number: Some(1),
                tags: crate::stage::tags(&[("ManagedBy", "automirror")]),
                ..CreateSession::default()
            };
            world.create_session(&user(), &request).unwrap();
        }
    }

    /// The error with which the schedule ends in this time; nothing if it does not.
    fn error_within(&self, timeout: Duration) -> Option<String> {
        let begin = self.rule.elapsed();
        let answer = self.rule.scheduled(timeout);
        assert!(self.rule.elapsed() < begin + timeout + Duration::from_secs(1), "it was late");
        match answer {
            Answer::Response(_) => None,
            Answer::Error(error) => Some(error.error_message),
            Answer::NotJson(text) => panic!("{text}"),
        }
    }

    /// How many instances are said to be this.
    fn said(&self, compliance: Compliance) -> usize {
        let config = self.cloud.config();
        let verdicts = config.rule("mirroring").unwrap().verdicts();
        let of_instances = verdicts.filter(|it| it.key.resource_type == INSTANCE);
        of_instances.filter(|it| it.compliance == compliance).count()
    }

    fn evaluations(&self) -> usize {
        let count = evaluations(&self.cloud.calls()).len();
        self.cloud.clear_calls();
        count
    }
}

/// When the time of a [`Rule`] begins, in seconds.
fn clock_begin() -> u64 {
    1_767_225_600
}

const MINUTE: Duration = Duration::from_mins(1);
/// Shorter than the SDK waits for an answer: what hangs is not tried again.
const SHORT: Duration = Duration::from_secs(4);
const TICK: Duration = Duration::from_millis(10);

#[test]
fn an_account_that_is_too_large_for_the_time_is_judged_as_far_as_it_was_read() {
    // A page of five instances takes three seconds: in 23 of the 58 seconds seven or eight of twelve.
    let slow = Slow::new(60, Duration::from_secs(3));
    slow.cloud.world().max_page = Some(5);
    slow.mirror(&slow.instances[..10]);
    let error = slow.error_within(MINUTE).unwrap();
    assert!(error.starts_with("not every instance was evaluated: "), "{error}");
    let (red, green) = (slow.said(NonCompliant), slow.said(Compliant));
    assert!((20..45).contains(&(red + green)) && red > 0, "{red} {green}");
    // With more time it is whole.
    assert_eq!(slow.error_within(10 * MINUTE), None);
    assert_eq!((slow.said(NonCompliant), slow.said(Compliant)), (50, 10));
}

#[test]
fn what_cannot_be_read_back_in_time_is_sent_if_it_is_not_compliant() {
    let slow = Slow::new(1_200, TICK);
    slow.mirror(&slow.instances[..800]);
    // Those that are not compliant are read back first, and there are none.
    slow.cloud.faults().add(Fault { skip: 1, ..Fault::new(DETAILS, Kind::HangBefore) });
    let error = slow.error_within(SHORT).unwrap();
    assert!(error.contains("there was no time for 800 resources"), "{error}");
    assert_eq!((slow.said(NonCompliant), slow.said(Compliant)), (400, 0));
    // Where even these cannot be read, nothing is sent again: it would be paid for each time.
    slow.cloud.faults().clear();
    slow.cloud.faults().add(Fault::new(DETAILS, Kind::HangBefore));
    slow.evaluations();
    let error = slow.error_within(SHORT).unwrap();
    assert!(error.contains("there was no time for 2000 resources"), "{error}");
    assert_eq!(slow.evaluations(), 0);
    slow.cloud.faults().clear();
    assert_eq!(slow.error_within(MINUTE), None);
    assert_eq!(slow.evaluations(), 800, "the others are held already");
}

#[test]
fn what_cannot_be_read_back_is_sent_if_it_is_not_compliant() {
    let slow = Slow::new(1_200, TICK);
    slow.mirror(&slow.instances[..800]);
    slow.cloud.faults().add(Fault { skip: 1, ..Fault::new(DETAILS, Kind::ServerError) });
    let error = slow.error_within(MINUTE).unwrap();
    assert!(error.contains("could not read the compliance details of rule"), "{error}");
    assert_eq!((slow.said(NonCompliant), slow.said(Compliant)), (400, 0));
    slow.cloud.faults().clear();
    slow.cloud.faults().add(Fault::new(DETAILS, Kind::ServerError));
    slow.evaluations();
    assert!(slow.error_within(MINUTE).is_some());
    assert_eq!(slow.evaluations(), 0, "it would be paid for each time");
}

#[test]
fn what_cannot_be_sent_in_time_is_said_and_the_worst_is_sent() {
    let slow = Slow::new(600, TICK);
    slow.mirror(&slow.instances[..500]);
    slow.cloud.faults().add(Fault { skip: 1, ..Fault::new(PUT, Kind::HangBefore) });
    let error = slow.error_within(SHORT).unwrap();
    assert!(error.contains("there was no time for 500 resources"), "{error}");
    assert_eq!((slow.said(NonCompliant), slow.said(Compliant)), (100, 0));
}

#[test]
fn a_call_that_is_never_answered_holds_up_no_other() {
    let slow = Slow::new(2_000, TICK);
    slow.cloud.faults().add(Fault { skip: 1, ..Fault::once(PUT, Kind::HangBefore) });
    let error = slow.error_within(SHORT).unwrap();
    assert!(error.contains("there was no time for 100 resources"), "{error}");
    assert_eq!(slow.said(NonCompliant), 1_900);
}

#[test]
fn what_is_held_and_cannot_be_looked_at_in_time_keeps_its_verdict_and_is_said() {
    let slow = Slow::new(2_500, TICK);
    assert_eq!(slow.error_within(MINUTE), None);
    let all: Vec<String> = slow.instances.clone();
    slow.cloud.world().delete_tags(&user(), &all, &[("Mirror".to_owned(), None)].into()).unwrap();
    // A thousand at a time are asked about. The second thousand is not answered.
    let hang = Fault { skip: 8, ..Fault::new("DescribeInstances", Kind::HangBefore) };
    slow.cloud.faults().add(hang);
    assert!(slow.error_within(MINUTE).is_some());
    assert_eq!((slow.said(NotApplicable), slow.said(NonCompliant)), (1_000, 1_500));
    slow.cloud.faults().clear();
    assert_eq!(slow.error_within(MINUTE), None);
    assert_eq!(slow.said(NotApplicable), 2_500);
}

#[test]
fn nobody_waits_for_the_verdict_on_one_resource_until_there_is_no_time_to_send() {
    let by_resource = || Fault::new("GetComplianceDetailsByResource", Kind::HangBefore);
    let slow = Slow::new(20, TICK);
    slow.cloud.faults().add(by_resource());
    assert_eq!(slow.error_within(MINUTE), None);
    assert_eq!(slow.said(NonCompliant), 20);

    // Nor for those on targets behind which nothing receives.
    let mut slow = Slow::new(40, TICK);
    let parameters = [("targetHealth".to_owned(), "30".to_owned())].into();
    let rule = PutRule { parameters, ..PutRule::new("mirroring") };
    slow.cloud.config().put_rule(&rule).unwrap();
    for instance in slow.instances.split_off(20) {
        slow.target = load_balancer(&mut slow.cloud.world(), &user());
        slow.mirror(&[instance]);
    }
    slow.cloud.faults().add(by_resource());
    let error = slow.error_within(MINUTE).unwrap();
    assert!(error.starts_with("AWS Config could not be read "), "{error}");
    assert_eq!((slow.said(NonCompliant), slow.said(Compliant)), (20, 0));
    let config = slow.cloud.config();
    let verdicts = config.rule("mirroring").unwrap().verdicts();
    assert_eq!(verdicts.filter(|it| it.compliance == NonCompliant).count(), 40);
}

#[tokio::test]
async fn a_list_of_verdicts_that_does_not_end_is_an_error() {
    let mut stage = ruled(&[]).await;
    stage.launch_many(&RunInstances { count: 30, ..tagged() });
    stage.let_run();
    stage.schedule().await;
    stage.deployment.cloud.config().max_page = Some(10);
    stage.fault(Fault::new(DETAILS, Kind::RepeatToken));
    let invocation = stage.scheduled().await;
    let error = error_of(&invocation);
    assert!(error.contains("the same page token"), "{error}");
}

// The session's own verdict says where it was (attack-cases 16)

#[tokio::test]
async fn a_deleted_sessions_instance_is_found_by_the_sessions_own_verdict() {
    let mut stage = ruled(&[]).await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.mirror(std::slice::from_ref(&instance));
    stage.deployment.evaluate().await;
    stage.is_said(&instance, Compliant, "");
    let session = stage.session(&instance);
    let key = ResourceKey::session(&session.id);
    stage.world().delete_session(&user(), &session.id).unwrap();
    let item = stage.bare_item(key.clone(), Status::ResourceDeleted);
    // Of two rules, only the own one's word counts.
    stage.deployment.cloud.config().put_rule(&PutRule::new("another")).unwrap();
    stage.take_rule_calls();
    stage.tell(&item, false).await.unwrap();
    stage.is_said(&instance, NonCompliant, "should be mirrored and is not yet");
    let gone = format!("[gone] {}: it no longer exists", session.interface);
    assert_eq!(stage.said_of(&key), Some((NotApplicable, gone)));
    let (_, calls) = stage.take_rule_calls();
    let actions: Vec<_> = calls.iter().map(|call| call.action.as_str()).collect();
    assert_eq!(actions, ["GetComplianceDetailsByResource", PUT, PUT]);
    // Should the second call fail, the next attempt finds the instance again.
    stage.another_said(&ResourceKey::instance(&instance), Compliant, "[as-wanted] old", 1);
    stage.deployment.cloud.config().keeps_later_verdicts = false;
    stage.another_said(&ResourceKey::instance(&instance), Compliant, "[as-wanted] old", 1);
    stage.tell(&item, false).await.unwrap();
    stage.is_said(&instance, NonCompliant, "should be mirrored and is not yet");
}

#[tokio::test]
async fn a_deleted_session_that_the_rule_never_evaluated_is_evaluated_alone() {
    let stage = ruled(&[]).await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.mirror(std::slice::from_ref(&instance));
    let key = ResourceKey::session("tms-0123456789abcdef0");
    let item = stage.bare_item(key.clone(), Status::ResourceDeleted);
    stage.take_rule_calls();
    let event = stage.event(&item, false).to_string();
    let function = &stage.deployment.rule.as_ref().unwrap().function;
    let invocation = function.invoke(event.as_bytes()).await.unwrap();
    assert!(matches!(invocation.answer, Answer::Response(_)));
    assert_eq!(stage.said_of(&key), Some((NotApplicable, "[gone] it no longer exists".to_owned())));
    let warnings = said(&invocation.log, "WARN");
    assert!(warnings[0].contains("the rule holds no verdict on tms-0123456789abcdef0"));
    let (reads, _) = stage.take_rule_calls();
    assert!(reads.is_empty(), "{reads:?}");
}

// Odd events (field-cases 24)

#[tokio::test]
async fn an_event_that_does_not_say_that_it_left_the_scope_has_not() {
    let stage = ruled(&[]).await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let item = stage.bare_item(ResourceKey::instance(&instance), Status::Ok);
    for left_scope in [None, Some(json!(null)), Some(json!(false))] {
        let mut event = stage.event(&item, false);
        event.as_object_mut().unwrap().remove("eventLeftScope");
        // What is not needed may be missing, too.
        for name in ["executionRoleArn", "configRuleArn", "configRuleId", "version"] {
            event.as_object_mut().unwrap().remove(name);
        }
        if let Some(left_scope) = left_scope {
            event["eventLeftScope"] = left_scope;
        }
        stage.call_rule(&event).await.unwrap();
        stage.is_said(&instance, NonCompliant, "should be mirrored and is not yet");
    }
}

#[tokio::test]
async fn a_long_word_in_a_tag_that_looks_like_an_id_is_cut() {
    let mut stage = ruled(&[]).await;
    let word = "ishallnotbecopiedintothemailofthesecurityteam";
    let cut = |prefix: &str| format!("{prefix}{}", &word[..20]);
    for (tag, prefix, reason) in
        [("Mirror-Target", "tmt-", "target-unknown"), ("Mirror-Filter", "tmf-", "filter-unknown")]
    {
        let id = format!("{prefix}{word}");
        let instance = stage.launch(&machine(&[("Mirror", "True"), (tag, &id)]));
        stage.let_run();
        stage.schedule().await;
        let (said, why) = stage.said_of(&ResourceKey::instance(&instance)).unwrap();
        assert_eq!(said, NonCompliant);
        assert!(why.starts_with(&format!("[{reason}] ")), "{why}");
        assert!(why.contains(&format!("{} ", cut(prefix))) && !why.contains(&id), "{why}");
    }
}

// The log (design 6)

/// Each name in a line of the log.
fn names(value: &Value, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                all.insert(name.clone());
                names(value, all);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| names(value, all)),
        _ => {}
    }
}

#[tokio::test]
async fn the_log_can_be_filtered_and_counted() {
    let mut stage = Stage::new(&[]).await;
    let settings = [("MIRROR_SCOPE", "all"), ("MIRROR_OWNER", "blue")];
    stage.deployment.add_rule(&settings, &[]).await.unwrap();
    let instances = stage.launch_many(&RunInstances { count: 4, ..tagged() });
    stage.let_run();
    let invocation = stage.scheduled().await;
    let line = summary_line(&invocation.log);
    assert_eq!((&line["rule"], &line["trigger"]), (&json!("mirroring"), &json!("schedule")));
    let numbers = ["judged", "compliant", "non_compliant", "not_applicable", "news", "sent"];
    assert_eq!(numbers.map(|name| &line[name]), [4, 0, 4, 0, 4, 4], "{line}");
    let Answer::Response(answer) = &invocation.answer else { panic!("{invocation:?}") };
    assert_eq!((&answer["judged"], &answer["nonCompliant"]), (&json!(4), &json!(4)));
    // A change says which resource it was about.
    let item = stage.bare_item(ResourceKey::instance(&instances[0]), Status::Ok);
    stage.tell(&item, false).await.unwrap();
    let function = &stage.deployment.rule.as_ref().unwrap().function;
    let log = function.log();
    let LogLine::Json(last) = log.last().unwrap() else { panic!("{log:?}") };
    let fields = &last["fields"];
    assert_eq!(
        (&fields["trigger"], &fields["trigger_id"]),
        (&json!("change"), &json!(instances[0]))
    );
    // The first line says what runs here.
    let LogLine::Json(first) = &log[0] else { panic!("{log:?}") };
    assert_eq!(first["fields"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(first["fields"]["settings"], "MIRROR_SCOPE=all MIRROR_OWNER=blue");
    for line in &log {
        let LogLine::Json(line) = line else { panic!("{line}") };
        // RFC 3339, in UTC.
        let time = line["timestamp"].as_str().unwrap();
        let is_time = time.len() > 20 && time.ends_with('Z') && time.as_bytes()[10] == b'T';
        assert!(is_time && line["level"].is_string(), "{line}");
        let mut all = BTreeSet::new();
        names(line, &mut all);
        assert!(all.iter().all(|name| !name.contains('.')), "{line}");
    }
}

#[tokio::test]
async fn the_log_follows_lambdas_own_settings() {
    for (name, value) in [("AWS_LAMBDA_LOG_FORMAT", "Text"), ("AWS_LAMBDA_LOG_LEVEL", "WARN")] {
        let mut stage = Stage::new(&[]).await;
        stage.deployment.add_rule(&[(name, value)], &[]).await.unwrap();
        stage.launch(&tagged());
        stage.let_run();
        let log = stage.scheduled().await.log;
        let is_text = log.iter().all(|line| matches!(line, LogLine::Text(_)));
        assert!(is_text && log.is_empty() == (value == "WARN"), "{log:?}");
    }
}

#[tokio::test]
async fn an_invocation_that_fails_has_its_summary_too() {
    let stage = ruled(&[]).await;
    let mut event = stage.scheduled_event();
    event["accountId"] = json!("999999999999");
    let function = &stage.deployment.rule.as_ref().unwrap().function;
    for payload in [event.to_string(), "{}".to_owned()] {
        let invocation = function.invoke(payload.as_bytes()).await.unwrap();
        error_of(&invocation);
        assert_eq!(summary_line(&invocation.log)["judged"], 0);
        let errors = said(&invocation.log, "ERROR");
        assert!(errors[0].starts_with("not everything was evaluated: "), "{errors:?}");
    }
}

#[tokio::test]
async fn the_log_stays_small_however_much_is_wrong() {
    let mut stage = ruled(&[]).await;
    stage.launch_many(&RunInstances { count: 1_000, ..tagged() });
    stage.let_run();
    let invocation = stage.scheduled().await;
    assert!(invocation.log.len() < 110, "{}", invocation.log.len());
    let told = said(&invocation.log, "INFO");
    assert!(told.iter().any(|line| line.starts_with("900 more are NON_COMPLIANT")), "{told:?}");
}

#[tokio::test]
async fn a_permission_that_is_missing_is_named() {
    for (action, code, permission) in [
        ("DescribeInstances", "UnauthorizedOperation", "ec2:DescribeInstances"),
        (
            "DescribeTrafficMirrorSessions",
            "UnauthorizedOperation",
            "ec2:DescribeTrafficMirrorSessions",
        ),
        ("DescribeNetworkInterfaces", "UnauthorizedOperation", "ec2:DescribeNetworkInterfaces"),
        (DETAILS, "AccessDeniedException", "config:GetComplianceDetailsByConfigRule"),
        (PUT, "AccessDeniedException", "config:PutEvaluations"),
    ] {
        let mut stage = ruled(&[]).await;
        stage.launch(&tagged());
        stage.let_run();
        let message = "You are not authorized to perform this operation.".to_owned();
        let code = code.to_owned();
        stage.fault(Fault::new(action, Kind::Refuse { code, message, status: 403 }));
        let invocation = stage.scheduled().await;
        let expected = format!("lacks the permission {permission}");
        assert!(error_of(&invocation).contains(&expected), "{invocation:?}");
        assert!(said(&invocation.log, "ERROR")[0].contains(&expected));
    }
}

// Credentials at an endpoint (review-code 1.13)

#[tokio::test]
async fn a_function_takes_its_credentials_from_where_lambda_offers_them() {
    let stage = ruled(&[]).await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    for name in ["config-rule", "automirror"] {
        let asked = Arc::new(AtomicUsize::new(0));
        let mut options = stage.options(name);
        for (_, endpoint) in &mut options.env {
            *endpoint = endpoint.replace("127.0.0.1", "localhost");
        }
        // A proxy where nobody answers: what goes to the endpoint of the credentials needs none.
        options.env.push(("HTTP_PROXY".to_owned(), "http://127.0.0.1:9".to_owned()));
        options.env.push(("NO_PROXY".to_owned(), "localhost".to_owned()));
        // They end soon, so that each invocation needs new ones.
        let lifetime = Duration::from_secs(5);
        options.credentials = Credentials::Endpoint { lifetime, asked: Arc::clone(&asked) };
        let function = Function::start(options).await.unwrap();
        let event = match name {
            "config-rule" => stage.scheduled_event(),
            _ => json!({"instances": [instance]}),
        };
        stage.deployment.cloud.clear_calls();
        for _ in 0..2 {
            let before = asked.load(Ordering::Relaxed);
            let invocation = function.invoke(event.to_string().as_bytes()).await.unwrap();
            assert!(matches!(invocation.answer, Answer::Response(_)), "{invocation:?}");
            assert!(asked.load(Ordering::Relaxed) > before, "{name}");
        }
        let calls = stage.deployment.cloud.calls();
        let principal = format!("assumed-role/{name}/{name}");
        assert!(!calls.is_empty() && calls.iter().all(|it| it.caller.principal == principal));
    }
    stage.session(&instance);
}

#[tokio::test]
async fn without_credentials_the_log_says_so() {
    let stage = ruled(&[]).await;
    let mut options = stage.options("config-rule");
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        options.env.push((name.to_owned(), String::new()));
    }
    let function = Function::start(options).await.unwrap();
    let warnings = said(&function.log(), "WARN");
    assert!(warnings.iter().any(|line| line.contains("credentials")), "{:?}", function.log());
    let event = stage.scheduled_event().to_string();
    let invocation = function.invoke(event.as_bytes()).await.unwrap();
    assert!(error_of(&invocation).contains("credentials"), "{invocation:?}");
}

#[tokio::test]
async fn every_call_says_which_version_of_which_function_has_made_it() {
    let mut stage = ruled(&[]).await;
    stage.launch(&tagged());
    stage.settle().await;
    stage.schedule().await;
    let calls = stage.deployment.cloud.calls().clone();
    let version = env!("CARGO_PKG_VERSION");
    let made_by = |call: &Call, function| {
        call.user_agent.split(' ').any(|word| word == format!("app/{function}-{version}"))
    };
    for function in ["automirror", "config-rule"] {
        assert!(calls.iter().any(|call| made_by(call, function)), "{function}: {calls:#?}");
    }
    for call in calls {
        assert!(made_by(&call, "automirror") || made_by(&call, "config-rule"), "{call:?}");
    }
}
