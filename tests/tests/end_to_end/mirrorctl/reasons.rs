//! Every reason of the catalogue: a world that has it, the advice that the catalogue gives, and what becomes of the
//! reason when somebody follows that advice.

mod cases;

use std::collections::BTreeSet;

use local_cloud::{
    aws::config::{Compliance, ResourceKey},
    aws::ec2::{CreateInterface, Endpoint, Query, Target},
    cloud::fault::{Fault, Kind},
    deployment::worker,
};
use serde_json::{Value, json};

use super::folder;
use crate::stage::{Stage, stage, steps, tagged, two_interfaces, user};
use cases::CASES;

/// How a reason is produced, and how it ends.
struct Case {
    code: &'static str,
    /// Words of the advice that the case follows: with other advice it is another case.
    advice: &'static str,
    /// Makes the world. The answer is the settings, as --set takes them.
    world: fn(&Stage) -> Settings,
    mend: Mend,
}

type Settings = Vec<String>;

/// Who ends it.
enum Mend {
    /// Nobody need do anything.
    Nobody,
    /// automirror does, by itself.
    Sweep,
    /// A person does what the advice says. The answer is the settings from then on.
    Person(fn(&Stage, Settings) -> Settings),
    /// The operator accepts it: it stays, and AWS Config does not count it.
    Accept,
}

/// The codes that a plan gives to a source, and the instances that have this one.
fn codes(stage: &Stage, settings: &[String]) -> Vec<(String, Option<String>)> {
    let set = settings.iter().flat_map(|it| ["--set", it.as_str()]);
    let arguments: Vec<_> =
        ["plan", "--no-function", "--output", "json"].into_iter().chain(set).collect();
    let answer = stage.mirrorctl(&arguments);
    assert!(answer.code != 1 && answer.code != 64, "{settings:?}: {}", answer.err);
    let steps = answer.json()["places"][0]["steps"].as_array().unwrap().clone();
    let row = |it: &Value| {
        (it["reason"].as_str().unwrap().to_owned(), it["instance"].as_str().map(str::to_owned))
    };
    steps.iter().map(row).collect()
}

fn has(codes: &[(String, Option<String>)], code: &str) -> bool {
    codes.iter().any(|(it, _)| it == code)
}

/// What the catalogue says of a code.
fn advice(stage: &Stage, code: &str) -> String {
    let answer = stage.mirrorctl(&["explain", code, "--output", "json"]);
    answer.json()["places"][0]["mend"].as_str().unwrap().to_owned()
}

/// The function with these settings sweeps.
async fn sweep(stage: &Stage, settings: &[String]) {
    let variables: Vec<_> = settings
        .iter()
        .map(|it| it.split_once('=').unwrap())
        .map(|(name, value)| (format!("MIRROR_{}", name.to_uppercase().replace('-', "_")), value))
        .collect();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let function = worker(&stage.deployment.cloud, &variables).await.unwrap();
    function.invoke(br#"{"sweep":true}"#).await.unwrap();
}

/// What AWS Config says of the instances that have the code, with and without accepting it.
async fn is_accepted(code: &str, world: fn(&Stage) -> Settings) {
    for (accepted, expected) in [("", true), (code, false)] {
        let mut stage = stage().await;
        let settings = world(&stage);
        let instances: Vec<_> = codes(&stage, &settings)
            .into_iter()
            .filter_map(|(it, instance)| (it == code).then_some(instance?))
            .collect();
        let settings = [("MIRROR_ACCEPTED_REASONS", accepted)];
        // An operator for whom what EC2 cannot mirror counts.
        let parameters = [("unsupported", "NON_COMPLIANT")];
        stage.deployment.add_rule(&settings, &parameters).await.unwrap();
        // What can be mirrored of them is.
        stage.sweep().await;
        stage.deployment.schedule_rule().await.unwrap();
        for instance in &instances {
            let rule = stage.deployment.rule.as_ref().unwrap();
            let verdict = rule.verdict(&stage.deployment.cloud, &ResourceKey::instance(instance));
            let is_red = verdict.is_some_and(|it| it.compliance == Compliance::NonCompliant);
            assert_eq!(is_red, expected, "{code}: {instance}");
        }
    }
}

#[tokio::test]
async fn each_reason_occurs_and_ends_when_its_advice_is_followed() {
    for Case { code, advice: words, world, mend } in CASES.iter().copied().flatten() {
        let stage = stage().await;
        let settings = world(&stage);
        let found = codes(&stage, &settings);
        assert!(has(&found, code), "{code} does not occur: {found:?}");
        let advice = advice(&stage, code);
        assert!(advice.contains(words), "{code}: the advice is another: {advice}");
        let settings = match mend {
            Mend::Nobody => continue,
            Mend::Accept => {
                is_accepted(code, *world).await;
                continue;
            }
            Mend::Sweep => {
                sweep(&stage, &settings).await;
                settings
            }
            Mend::Person(mend) => mend(&stage, settings),
        };
        let left = codes(&stage, &settings);
        assert!(!has(&left, code), "{code} is still there: {left:?}");
        stage.recover();
    }
}

/// Those that no world of the local cloud shows at once, each with a test of its own below; and the one that no plan
/// has, only config-rule, with tests in `health.rs`.
const OTHERS: [&str; 4] = ["removed", "tags-unconfirmed", "interface-unknown", "target-unhealthy"];

/// A new reason needs a case.
#[tokio::test]
async fn every_reason_has_a_case_and_every_case_is_a_reason() {
    let stage = stage().await;
    let listed = stage.mirrorctl(&["codes", "--output", "json"]).json();
    // The others are not the plan's: of `doctor`, or of the command line.
    let others = ["error", "limited", "broken", "cannot-tell"];
    let is_reason = |it: &&Value| others.iter().all(|level| it["level"] != *level);
    let reasons = listed["places"].as_array().unwrap().iter().filter(is_reason);
    let reasons: BTreeSet<_> = reasons.map(|it| it["code"].as_str().unwrap().to_owned()).collect();
    let cases =
        CASES.iter().copied().flatten().map(|case| case.code).chain(OTHERS).map(str::to_owned);
    let cases: Vec<_> = cases.collect();
    assert_eq!(cases.iter().cloned().collect::<BTreeSet<_>>(), reasons);
    assert_eq!(cases.len(), reasons.len(), "each has one");
}

#[tokio::test]
async fn removed_sessions_come_back_with_the_sweep_that_the_advice_names() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.sweep().await;
    let removal = stage.invoke(&json!({"remove": true})).await;
    assert_eq!(steps(&removal.log), [("delete".to_owned(), "removed".to_owned())]);
    assert_eq!(stage.sessions(&instance), []);
    let advice = advice(&stage, "removed");
    let payload = advice.split_once('{').unwrap().1.split_once('}').unwrap().0;
    stage.invoke(&serde_json::from_str(&format!("{{{payload}}}")).unwrap()).await;
    stage.session(&instance);
}

/// The codes of a plan from the file of a world, which may be changed before.
fn codes_from(stage: &Stage, name: &str, change: impl Fn(&mut Value)) -> Vec<String> {
    let path = folder(name).join("world.json");
    let text = path.to_str().unwrap();
    assert_eq!(stage.mirrorctl(&["observe", "--out", text]).code, 0);
    let mut file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut file["worlds"][0]["observed"]);
    std::fs::write(&path, file.to_string()).unwrap();
    let answer = stage.mirrorctl(&["plan", "--from", text, "--output", "json"]);
    assert!(answer.code != 1, "{}", answer.err);
    let steps = answer.json()["places"][0]["steps"].clone();
    steps.as_array().unwrap().iter().map(|it| it["reason"].as_str().unwrap().to_owned()).collect()
}

/// A list that leaves something out is answered by asking EC2 again. Only in a file is there nobody to ask.
#[tokio::test]
async fn what_one_list_left_out_and_nothing_confirms_waits_for_the_next_look() {
    let stage = stage().await;
    stage.launch(&tagged());
    stage.let_run();
    stage.sweep().await;
    let untagged = |observed: &mut Value| {
        for list in ["instances", "sources"] {
            clear_tags(&mut observed[list]);
        }
    };
    assert_eq!(codes_from(&stage, "untagged", untagged), ["tags-unconfirmed"]);
    let unseen = |observed: &mut Value| {
        for source in observed["sources"].as_array_mut().unwrap() {
            source["interface"] = json!("NotInList");
        }
    };
    assert_eq!(codes_from(&stage, "unseen", unseen), ["interface-unknown"]);
    for code in ["tags-unconfirmed", "interface-unknown"] {
        assert!(advice(&stage, code).contains("Wait for the next sweep"), "{code}");
    }
    assert_eq!(codes_from(&stage, "next", |_| {}), ["as-wanted"]);
}

/// Empties every list of tags within.
fn clear_tags(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if name == "tags" {
                    *field = json!([]);
                } else {
                    clear_tags(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(clear_tags),
        _ => {}
    }
}

/// An instance with a second interface, which a service manages.
fn with_interface_of_a_service(stage: &Stage) -> String {
    let instance = stage.launch(&two_interfaces());
    let second = stage.instance(&instance).interfaces[1].clone();
    stage.world().interface_mut(&second).unwrap().requester = Some("amazon-elb".to_owned());
    instance
}

impl Stage {
    /// From now on, answers to this call are from the world as it was frozen.
    fn answers_late(&self, action: &str) {
        self.fault(Fault::new(action, Kind::StaleRead));
    }

    /// The target behind this interface.
    fn target_on(&self, interface: &str) -> String {
        let endpoint = Endpoint::Interface(interface.to_owned());
        let world = self.world();
        let targets = world.describe::<Target>(&user(), &Query::default()).unwrap().rows;
        targets.iter().find(|it| it.endpoint == endpoint).unwrap().id.clone()
    }
}

/// An interface more, attached to the instance.
fn attach(stage: &Stage, instance: &str) -> String {
    let mut world = stage.world();
    let interface = world.create_interface(&user(), &CreateInterface::default()).unwrap();
    world.attach_interface(&user(), &interface, instance, 1).unwrap();
    interface
}
