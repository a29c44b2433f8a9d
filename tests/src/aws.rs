//! AWS's services that the functions call, or that bring them events, each under the name AWS gives it.

/// CloudFormation templates, resolved.
pub mod cloudformation;
/// CloudTrail: who called what.
pub mod cloudtrail;
/// CloudWatch: what EC2 and Elastic Load Balancing count.
pub(crate) mod cloudwatch;
/// AWS Config: the recorder, the rules, and their verdicts.
pub mod config;
/// EC2: instances, network interfaces and traffic mirroring.
pub mod ec2;
/// Elastic Load Balancing: the load balancers behind targets.
pub(crate) mod elb;
/// IAM: what roles may do.
pub mod iam;
/// Lambda: which functions are deployed, and their settings.
pub mod lambda;
/// CloudWatch Logs: what the functions write.
pub mod logs;
/// The SQS queue between EventBridge and a function.
pub mod sqs;
/// STS: whose credentials these are.
pub(crate) mod sts;
