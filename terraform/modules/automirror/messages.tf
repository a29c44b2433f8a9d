locals {
  topic_name                  = var.name
  topic_arn                   = "${local.arn.sns}:${local.topic_name}"
  compliance_message_rule     = "${var.name}-compliance-message"
  compliance_message_rule_arn = "${local.arn.events}:rule/${local.compliance_message_rule}"

  has_topic       = var.create_compliance_messages == null ? var.create_topic || var.alarm_topic_arn != null : var.create_compliance_messages
  send_compliance = var.config_rule_name != null && local.has_topic

  topic_statements = [
    {
      Sid       = "DenyWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sns:Publish"
      Resource  = local.topic_arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    },
    {
      Sid       = "AllowAlarms"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = local.topic_arn
      Condition = {
        ArnLike      = { "aws:SourceArn" = "${local.arn.cloudwatch}:alarm:*" }
        StringEquals = { "aws:SourceAccount" = local.account }
      }
    },
    # EventBridge does not support conditions in topic policies (EventBridge user guide).
    {
      Sid       = "AllowRules"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = local.topic_arn
    },
  ]
}

# Without a customer managed key the topic is not encrypted: the policy of the AWS managed key for SNS does not
# allow CloudWatch to use it, and cannot be changed.
resource "aws_sns_topic" "this" {
  count = var.create_topic ? 1 : 0

  name              = local.topic_name
  kms_master_key_id = var.kms_key_arn

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = local.topic_statements
  })

  lifecycle {
    precondition {
      condition     = var.alarm_topic_arn == null
      error_message = "Set alarm_topic_arn or create_topic = true, not both."
    }
  }
}

resource "aws_cloudwatch_event_rule" "compliance_message" {
  count = local.send_compliance ? 1 : 0

  name        = local.compliance_message_rule
  description = "Sends compliance changes of the AWS Config rule to the topic, each as a sentence"

  event_pattern = jsonencode({
    source      = ["aws.config"]
    detail-type = ["Config Rules Compliance Change"]
    detail = {
      messageType    = ["ComplianceChangeNotification"]
      configRuleName = [var.config_rule_name]
    }
  })
}

resource "aws_cloudwatch_event_target" "topic" {
  count = local.send_compliance ? 1 : 0

  rule      = aws_cloudwatch_event_rule.compliance_message[0].name
  target_id = "Topic"
  arn       = local.topics[0]

  input_transformer {
    input_paths = {
      resource = "$.detail.resourceId"
      account  = "$.detail.awsAccountId"
      region   = "$.detail.awsRegion"
      verdict  = "$.detail.newEvaluationResult.complianceType"
      reason   = "$.detail.newEvaluationResult.annotation"
    }
    input_template = "\"<resource> in account <account>, region <region>, is <verdict>: <reason>\""
  }

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}
