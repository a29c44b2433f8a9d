//! AWS Config's protocol: JSON in and out. All rules are in [`Config`]; this only translates.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

mod details;
mod evaluations;
mod history;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Config;
use crate::aws::ec2::{Caller, Refusal, World};

/// What is asked.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) action: &'a str,
    pub(crate) body: &'a [u8],
    /// How many of the evaluations fail.
    pub(crate) failing: usize,
}

/// Does what a request asks for; the answer is the body of the response.
pub(crate) fn answer(
    world: &mut World,
    config: &mut Config,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    if request.caller.account != config.account {
        // Every account has a Config; those of others have nothing in them.
        let mut empty = Config { account: request.caller.account.clone(), ..Config::default() };
        return answer(world, &mut empty, request);
    }
    match request.action {
        "GetComplianceDetailsByConfigRule" => details::get(config, &read(request.body)?),
        "GetResourceConfigHistory" => history::get(config, read(request.body)?),
        "PutEvaluations" => evaluations::put(world, config, read(request.body)?, request.failing),
        action => {
            let message = format!("The operation {action} is not known");
            Err(Refusal::new("UnknownOperationException", message))
        }
    }
}

/// The body of an error response.
pub(crate) fn refuse(refusal: &Refusal) -> String {
    json!({ "__type": refusal.code, "message": refusal.message }).to_string()
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|err| Refusal::new("SerializationException", err.to_string()))
}

fn respond(body: &impl Serialize) -> Result<String, Refusal> {
    serde_json::to_string(body).map_err(|err| Refusal::new("InternalFailure", err.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::{PutRule, ResourceKey};
    use super::*;
    use crate::aws::ec2::{RunInstances, Tags};

    struct Stage {
        world: World,
        config: Config,
        token: String,
        instance: String,
    }

    impl Stage {
        fn new() -> Self {
            let (mut world, mut config) = (World::default(), Config::default());
            let request = RunInstances {
                tags: Tags::from([("Mirror".to_owned(), "True".to_owned())]),
                ..RunInstances::default()
            };
            let instance = world.run_instances(&Caller::default(), &request).unwrap().remove(0);
            config.record(&world);
            config.put_rule(&PutRule::new("mirroring")).unwrap();
            let token = config.issue_token(&world, "mirroring");
            world.take_events();
            Self { world, config, token, instance }
        }

        fn send_as(
            &mut self,
            caller: &Caller,
            action: &str,
            body: &Value,
        ) -> Result<Value, Refusal> {
            let body = body.to_string();
            let request = Request { caller, action, body: body.as_bytes(), failing: 0 };
            let text = answer(&mut self.world, &mut self.config, &request)?;
            Ok(serde_json::from_str(&text).unwrap())
        }

        fn send(&mut self, action: &str, body: &Value) -> Result<Value, Refusal> {
            self.send_as(&Caller::default(), action, body)
        }

        fn evaluation(&self) -> Value {
            json!({
                "ComplianceResourceType": "AWS::EC2::Instance",
                "ComplianceResourceId": self.instance,
                "ComplianceType": "NON_COMPLIANT",
                "Annotation": "not mirrored",
                "OrderingTimestamp": 1_767_225_600.043,
            })
        }
    }

    #[test]
    fn a_verdict_that_was_put_can_be_read() {
        let mut stage = Stage::new();
        let put = json!({ "Evaluations": [stage.evaluation()], "ResultToken": stage.token });
        let answer = stage.send("PutEvaluations", &put).unwrap();
        assert_eq!(answer, json!({ "FailedEvaluations": [] }));
        let query = json!({ "ConfigRuleName": "mirroring", "Limit": 100 });
        let details = stage.send("GetComplianceDetailsByConfigRule", &query).unwrap();
        let result = &details["EvaluationResults"][0];
        assert_eq!(result["ComplianceType"], "NON_COMPLIANT");
        assert_eq!(result["Annotation"], "not mirrored");
        let identifier = &result["EvaluationResultIdentifier"];
        assert_eq!(identifier["OrderingTimestamp"], 1_767_225_600.043);
        assert_eq!(identifier["EvaluationResultQualifier"]["ResourceId"], stage.instance.as_str());
        assert!(details.get("NextToken").is_none());
        assert_eq!(stage.world.take_events().len(), 1);
    }

    #[test]
    fn failed_evaluations_are_returned_as_they_were_sent() {
        let mut stage = Stage::new();
        let put = json!({ "Evaluations": [stage.evaluation()], "ResultToken": stage.token });
        let body = put.to_string();
        let request = Request {
            caller: &Caller::default(),
            action: "PutEvaluations",
            body: body.as_bytes(),
            failing: 1,
        };
        let text = answer(&mut stage.world, &mut stage.config, &request).unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer, json!({ "FailedEvaluations": [stage.evaluation()] }));
    }

    #[test]
    fn evaluations_that_lack_something_or_have_too_little_data_are_refused() {
        let mut stage = Stage::new();
        for (name, value) in [
            ("ComplianceType", json!("INSUFFICIENT_DATA")),
            ("ComplianceType", json!("compliant")),
            ("ComplianceType", json!(null)),
            ("ComplianceResourceType", json!(null)),
            ("ComplianceResourceId", json!("")),
            ("OrderingTimestamp", json!(null)),
            ("Annotation", json!("")),
        ] {
            let mut evaluation = stage.evaluation();
            evaluation[name] = value;
            let put = json!({ "Evaluations": [evaluation], "ResultToken": stage.token });
            let refusal = stage.send("PutEvaluations", &put).unwrap_err();
            assert_eq!(refusal.code, "InvalidParameterValueException", "{put}");
        }
        let put = json!({ "Evaluations": [stage.evaluation()] });
        let refusal = stage.send("PutEvaluations", &put).unwrap_err();
        assert_eq!(refusal.code, "InvalidResultTokenException");
    }

    #[test]
    fn the_history_is_that_of_the_resource() {
        let mut stage = Stage::new();
        let query = json!({
            "resourceType": "AWS::EC2::Instance",
            "resourceId": stage.instance,
            "chronologicalOrder": "Forward",
            "limit": 1,
        });
        let history = stage.send("GetResourceConfigHistory", &query).unwrap();
        let item = &history["configurationItems"][0];
        assert_eq!(item["tags"], json!({ "Mirror": "True" }));
        assert!(item["configuration"].is_string());
        assert!(history.get("nextToken").is_none());
        let wrong =
            json!({ "resourceType": "i", "resourceId": "i", "chronologicalOrder": "forward" });
        let refusal = stage.send("GetResourceConfigHistory", &wrong).unwrap_err();
        assert_eq!(refusal.code, "ValidationException");
    }

    #[test]
    fn other_accounts_see_and_change_nothing() {
        let mut stage = Stage::new();
        let bob = Caller::user("444455556666");
        let put = json!({ "Evaluations": [stage.evaluation()], "ResultToken": stage.token });
        let refusal = stage.send_as(&bob, "PutEvaluations", &put).unwrap_err();
        assert_eq!(refusal.code, "InvalidResultTokenException");
        let query = json!({ "ConfigRuleName": "mirroring" });
        let refusal = stage.send_as(&bob, "GetComplianceDetailsByConfigRule", &query).unwrap_err();
        assert_eq!(refusal.code, "NoSuchConfigRuleException");
        let key = ResourceKey::instance(&stage.instance);
        assert!(stage.config.rule("mirroring").unwrap().verdict(&key).is_none());
    }

    #[test]
    fn what_is_not_json_or_not_known_is_refused() {
        let mut stage = Stage::new();
        let refusal = stage.send("PutEvaluations", &json!([])).unwrap_err();
        assert_eq!(refusal.code, "SerializationException");
        let refusal = stage.send("DescribeUnicorns", &json!({})).unwrap_err();
        assert_eq!(refusal.code, "UnknownOperationException");
        assert_eq!(
            refuse(&Refusal::new("Teapot", "short")),
            r#"{"__type":"Teapot","message":"short"}"#
        );
    }
}
