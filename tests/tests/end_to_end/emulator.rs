//! The binary under AWS's own Runtime Interface Emulator, so that it is right for Lambda and not only for our server.

use local_cloud::{
    aws::ec2::{Caller, Endpoint, Tags},
    aws::iam::Role,
    cloud::{Cloud, Options},
    lambda::binary::binary,
    lambda::emulator::Emulator,
};
use serde_json::json;

use crate::{stage::tagged, wire::tool};

/// The account in the ARN that the emulator gives to every function.
const ACCOUNT: &str = "012345678912";

#[tokio::test]
async fn the_binary_works_under_awss_own_emulator() {
    let cloud = Cloud::start(&Options::default()).unwrap();
    let role = Role::of_function("automirror", "automirror", &[("AWS::AccountId", ACCOUNT)]);
    cloud.permit(&role.unwrap());
    let caller = Caller::user(ACCOUNT);
    let instance = {
        let mut world = cloud.world();
        let endpoint = Endpoint::NetworkLoadBalancer("arn:aws:elasticloadbalancing:x".to_owned());
        world.create_target(&caller, endpoint, None, Tags::new()).unwrap();
        world.create_filter(&caller, None, Tags::new()).unwrap();
        let instance = world.run_instances(&caller, &tagged()).unwrap().remove(0);
        world.tick();
        instance
    };
    let env = [
        ("AWS_ENDPOINT_URL_EC2", cloud.endpoint()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", ACCOUNT.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ("AWS_SESSION_TOKEN", "assumed-role/automirror/automirror".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let rie = tool("rie");
    let rie = std::fs::read_to_string(rie).unwrap();
    let rie = std::path::Path::new(rie.trim());
    let emulator = Emulator::start(rie, &binary("automirror"), &env).await.unwrap();

    let answer = emulator.invoke(json!({"instances": [instance]}).to_string().as_bytes()).await;
    assert_eq!(answer.unwrap()["summary"]["created"], 1);
    assert_eq!(cloud.world().sessions().count(), 1);
    let answer = emulator.invoke(br#"{"Records":[{"messageId":"m-1","body":"odd"}]}"#).await;
    assert_eq!(answer.unwrap(), json!({"batchItemFailures": [{"itemIdentifier": "m-1"}]}));
    let answer = emulator.invoke(br#"{"instances":"odd"}"#).await;
    assert_eq!(answer.unwrap()["errorType"], "UnreadableEvent");
}
