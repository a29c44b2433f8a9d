//! Where a stack is, and what its resources are called there.

use anyhow::bail;
use md5::{Digest, Md5};

/// The pseudo parameters.
#[derive(Clone, Debug)]
pub(super) struct Place {
    region: String,
    account: String,
    partition: String,
    stack: String,
    stack_id: String,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            account: "111122223333".to_owned(),
            partition: "aws".to_owned(),
            stack: "stack".to_owned(),
            stack_id: "arn:aws:cloudformation:us-east-1:111122223333:stack/stack/0a1b2c3d-4e5f-6a7b-8c9d-0e1f2a3b4c5d".to_owned(),
        }
    }
}

impl Place {
    /// Whether this is one of the pseudo parameters; if so, it has this value from now on.
    pub(super) fn set(&mut self, name: &str, value: &str) -> bool {
        let place = match name {
            "AWS::Region" => &mut self.region,
            "AWS::AccountId" => &mut self.account,
            "AWS::Partition" => &mut self.partition,
            "AWS::StackName" => &mut self.stack,
            "AWS::StackId" => &mut self.stack_id,
            _ => return false,
        };
        value.clone_into(place);
        true
    }

    pub(super) fn pseudo_parameter(&self, name: &str) -> Option<&str> {
        match name {
            "AWS::Region" => Some(&self.region),
            "AWS::AccountId" => Some(&self.account),
            "AWS::Partition" => Some(&self.partition),
            "AWS::StackName" => Some(&self.stack),
            "AWS::StackId" => Some(&self.stack_id),
            "AWS::URLSuffix" => Some("amazonaws.com"),
            _ => None,
        }
    }

    /// What `Ref` gives for a resource of this type.
    pub(super) fn reference(&self, kind: &str, id: &str) -> anyhow::Result<String> {
        let name = self.name(id);
        Ok(match kind {
            "AWS::SQS::Queue" => {
                format!("https://sqs.{}.amazonaws.com/{}/{name}", self.region, self.account)
            }
            "AWS::SNS::Topic" => self.arn("sns", &name),
            "AWS::EC2::TrafficMirrorFilter" => format!("tmf-0{}", self.digits(id, 16)),
            "AWS::EC2::TrafficMirrorFilterRule" => format!("tmfr-0{}", self.digits(id, 16)),
            "AWS::CloudFormation::StackSet" => format!("{}:{}", self.stack, self.digits(id, 12)),
            "AWS::CloudWatch::Alarm"
            | "AWS::CloudWatch::Dashboard"
            | "AWS::Config::ConfigRule"
            | "AWS::Events::Rule"
            | "AWS::IAM::Role"
            | "AWS::Lambda::Function"
            | "AWS::Logs::LogGroup"
            | "AWS::Logs::MetricFilter" => name,
            _ => bail!("what Ref gives for {kind} is not known"),
        })
    }

    /// What `Fn::GetAtt` gives for a resource of this type.
    pub(super) fn attribute(
        &self,
        kind: &str,
        id: &str,
        attribute: &str,
    ) -> anyhow::Result<String> {
        let name = self.name(id);
        Ok(match (kind, attribute) {
            ("AWS::SQS::Queue", "QueueName") | ("AWS::SNS::Topic", "TopicName") => name,
            ("AWS::SQS::Queue", "Arn") => self.arn("sqs", &name),
            ("AWS::SNS::Topic", "TopicArn") => self.arn("sns", &name),
            ("AWS::CloudWatch::Alarm", "Arn") => self.arn("cloudwatch", &format!("alarm:{name}")),
            ("AWS::Events::Rule", "Arn") => self.arn("events", &format!("rule/{name}")),
            ("AWS::Lambda::Function", "Arn") => self.arn("lambda", &format!("function:{name}")),
            ("AWS::Logs::LogGroup", "Arn") => self.arn("logs", &format!("log-group:{name}:*")),
            ("AWS::Config::ConfigRule", "ConfigRuleId") => self.config_rule(id),
            ("AWS::Config::ConfigRule", "Arn") => {
                self.arn("config", &format!("config-rule/{}", self.config_rule(id)))
            }
            ("AWS::IAM::Role", "Arn") => {
                format!("arn:{}:iam::{}:role/{name}", self.partition, self.account)
            }
            _ => bail!("{kind} has no attribute {attribute} that is known"),
        })
    }

    fn config_rule(&self, id: &str) -> String {
        format!("config-rule-{}", self.digits(id, 6))
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition, self.region, self.account)
    }

    /// As CloudFormation names what is not named: stack, logical id, and something random.
    fn name(&self, id: &str) -> String {
        format!("{}-{id}-{}", self.stack, self.digits(id, 12).to_uppercase())
    }

    /// Hexadecimal digits that belong to a resource.
    fn digits(&self, id: &str, count: usize) -> String {
        let hash = Md5::digest(format!("{}/{id}", self.stack));
        let digits = format!("{:032x}", u128::from_be_bytes(hash.into()));
        digits.chars().take(count).collect()
    }
}
