//! Whose settings count.

use local_cloud::aws::lambda::DeployedFunction;

use super::{Answer, command};
use crate::stage::{Stage, stage, tagged, tags};

/// Two instances, one of them tagged.
async fn two() -> Stage {
    let stage = stage().await;
    stage.launch(&tagged());
    stage.launch(&crate::stage::machine(&[]));
    stage.let_run();
    stage
}

fn created(answer: &Answer) -> u64 {
    assert_eq!(answer.code, 2, "{}", answer.err);
    answer.json()["places"][0]["counts"]["create"].as_u64().unwrap()
}

#[tokio::test]
async fn the_only_function_counts_then_the_environment_and_flags_before_both() {
    let stage = two().await;
    let endpoint = stage.deployment.cloud.endpoint();
    let plan = |arguments: &[&str]| {
        let arguments = [&["plan", "--output", "json"], arguments].concat();
        let all = ("MIRROR_SCOPE", "all");
        let output = command(&endpoint, &arguments).env(all.0, all.1).output().unwrap();
        created(&output.into())
    };
    // Nobody has deployed automirror.
    assert_eq!(plan(&[]), 2);
    assert_eq!(plan(&["--set", "scope=tagged"]), 1);
    stage.deploy(&[("MIRROR_SCOPE", "tagged")]);
    assert_eq!(plan(&[]), 1);
    assert_eq!(plan(&["--function", "automirror"]), 1);
    assert_eq!(plan(&["--set", "scope=all"]), 2);
    assert_eq!(plan(&["--no-function"]), 2);
}

#[tokio::test]
async fn a_function_that_is_unclear_unknown_or_newer_is_a_problem() {
    let stage = two().await;
    let fails = |arguments: &[&str], code: &str| {
        let answer = stage.mirrorctl(&[&["plan"], arguments].concat());
        assert_eq!(answer.code, 1, "{}", answer.err);
        assert!(answer.err.contains(&format!("error[{code}]")), "{}", answer.err);
    };
    fails(&["--function", "nobody"], "no-such-function");
    stage.deploy(&[("MIRROR_SCOPE", "every")]);
    fails(&[], "bad-setting");
    // Its settings are the same, and it mirrors nothing.
    fails(&["--function", "config-rule"], "no-such-function");
    let other = DeployedFunction {
        name: "other".to_owned(),
        environment: tags(&[("MIRROR_FROM_THE_FUTURE", "1")]),
        ..DeployedFunction::default()
    };
    stage.deployment.cloud.functions().push(other);
    fails(&[], "several-functions");
    fails(&["--function", "other"], "function-is-newer");
}

#[tokio::test]
async fn several_accounts_stand_side_by_side() {
    let stage = two().await;
    let roles = "arn:aws:iam::111122223333:role/reader,arn:aws:iam::444455556666:role/reader";
    let answer = stage.mirrorctl(&["status", "--role-arn", roles, "--output", "json"]);
    let places = answer.json()["places"].clone();
    let accounts: Vec<_> =
        places.as_array().unwrap().iter().map(|it| it["account"].as_str().unwrap()).collect();
    assert_eq!(accounts, ["111122223333", "444455556666"]);
    let calls = stage.deployment.cloud.calls();
    let is_role = |principal: &str| principal == "assumed-role/reader/mirrorctl";
    assert!(calls.iter().any(|call| is_role(&call.caller.principal)), "it reads as the role");
    let answer = stage.mirrorctl(&["status", "--region", "all", "--output", "json"]);
    let regions: Vec<_> = answer.json()["places"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["region"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(regions, ["eu-central-1", "us-east-1"]);
}
