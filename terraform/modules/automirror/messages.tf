locals {
  topic_name = var.name
  topic_arn  = "${local.arn.sns}:${local.topic_name}"

  creates_topic   = var.create_topic || var.alarm_email != null
  has_topic       = var.create_compliance_messages == null ? local.creates_topic || var.alarm_topic_arn != null : var.create_compliance_messages
  send_compliance = var.config_rule_name != null && local.has_topic

  # EventBridge publishes to a topic of another account only with a role.
  has_foreign_topic = var.alarm_topic_arn == null ? false : split(":", var.alarm_topic_arn)[4] != local.account

  has_message_role = local.has_foreign_topic || var.event_bus_arn != null

  compliance_pattern = jsonencode({
    source      = ["aws.config"]
    detail-type = ["Config Rules Compliance Change"]
    detail = merge({
      messageType    = ["ComplianceChangeNotification"]
      configRuleName = [var.config_rule_name]
      }, var.compliance_messages == "all" ? {} : {
      "$or" = [
        { newEvaluationResult = { complianceType = ["NON_COMPLIANT"] } },
        { oldEvaluationResult = { complianceType = ["NON_COMPLIANT"] } },
      ]
    })
  })

  # Changes that decide which packets go where.
  change_pattern = jsonencode({
    source      = ["aws.ec2"]
    detail-type = ["AWS API Call via CloudTrail"]
    detail = {
      eventSource = ["ec2.amazonaws.com"]
      eventName = [
        "CreateTrafficMirrorFilterRule",
        "CreateTrafficMirrorTarget",
        "DeleteTrafficMirrorFilter",
        "DeleteTrafficMirrorFilterRule",
        "DeleteTrafficMirrorTarget",
        "ModifyTrafficMirrorFilterNetworkServices",
        "ModifyTrafficMirrorFilterRule",
      ]
      errorCode = [{ exists = false }]
    }
  })

  bus_rules = { for role, rule in {
    alarm_bus = !var.create_alarms ? null : {
      name        = "${var.name}-alarm-bus"
      description = "Sends each change of the state of an alarm to the event bus"
      pattern = jsonencode({
        source      = ["aws.cloudwatch"]
        detail-type = ["CloudWatch Alarm State Change"]
        detail      = { alarmName = [{ prefix = "${var.name}-" }] }
      })
    }
    compliance_bus = var.config_rule_name == null ? null : {
      name        = "${var.name}-compliance-bus"
      description = "Sends compliance changes of the AWS Config rule to the event bus"
      pattern     = local.compliance_pattern
    }
    change_bus = {
      name        = "${var.name}-change-bus"
      description = "Sends each change of a mirror filter or target to the event bus. Such a change decides which packets go where."
      pattern     = local.change_pattern
    }
  } : role => rule if rule != null && var.event_bus_arn != null }

  message_rules = { for role, rule in {
    compliance_message = !local.send_compliance ? null : {
      name        = "${var.name}-compliance-message"
      description = "Sends compliance changes of the AWS Config rule to the topic, each as a sentence"
      pattern     = local.compliance_pattern
      paths = {
        resource = "$.detail.resourceId"
        account  = "$.detail.awsAccountId"
        region   = "$.detail.awsRegion"
        verdict  = "$.detail.newEvaluationResult.complianceType"
        reason   = "$.detail.newEvaluationResult.annotation"
      }
      template = "\"<resource> in account <account>, region <region>, is <verdict>: <reason>\""
    }
    change_message = !local.has_topic ? null : {
      name        = "${var.name}-change-message"
      description = "Sends each change of a mirror filter or target to the topic. Such a change decides which packets go where."
      pattern     = local.change_pattern
      paths = {
        call    = "$.detail.eventName"
        account = "$.account"
        region  = "$.region"
        who     = "$.detail.userIdentity.arn"
        event   = "$.detail.eventID"
      }
      template = "\"<who> called <call> in account <account>, region <region>. CloudTrail has it as event <event>.\""
    }
  } : role => rule if rule != null }

  message_rule_arns = { for role, rule in merge(local.message_rules, local.bus_rules) : role => "${local.arn.events}:rule/${rule.name}" }

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
  count = local.creates_topic ? 1 : 0

  name              = local.topic_name
  kms_master_key_id = var.kms_key_arn
  tags              = var.tags

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = local.topic_statements
  })

  lifecycle {
    precondition {
      condition     = var.alarm_topic_arn == null
      error_message = "Set alarm_topic_arn or create_topic = true, not both. With alarm_email, the module creates a topic too."
    }
  }
}

resource "aws_sns_topic_subscription" "alarm_email" {
  count = var.alarm_email == null ? 0 : 1

  topic_arn = aws_sns_topic.this[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

resource "aws_iam_role" "messages" {
  count = local.has_message_role ? 1 : 0

  name                 = "${local.role_prefix}-messages-${local.region}"
  description          = "EventBridge sends messages to a topic of another account and events to a bus with it"
  path                 = var.role_path
  permissions_boundary = local.boundary
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "messages" {
  count = local.has_message_role ? 1 : 0

  name = "messages"
  role = aws_iam_role.messages[0].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for arn in [var.alarm_topic_arn] : { Sid = "PublishMessages", Effect = "Allow", Action = "sns:Publish", Resource = arn } if local.has_foreign_topic],
      [for arn in [var.event_bus_arn] : { Sid = "PutEvents", Effect = "Allow", Action = "events:PutEvents", Resource = arn } if arn != null],
    )
  })
}

resource "aws_cloudwatch_event_rule" "message" {
  for_each = local.message_rules

  name          = each.value.name
  description   = each.value.description
  event_pattern = each.value.pattern
  tags          = var.tags
}

resource "aws_cloudwatch_event_target" "topic" {
  for_each = local.message_rules

  rule      = aws_cloudwatch_event_rule.message[each.key].name
  target_id = "Topic"
  arn       = local.topics[0]
  role_arn  = local.has_foreign_topic ? aws_iam_role.messages[0].arn : null

  input_transformer {
    input_paths    = each.value.paths
    input_template = each.value.template
  }

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}

resource "aws_cloudwatch_event_rule" "bus" {
  for_each = local.bus_rules

  name          = each.value.name
  description   = each.value.description
  event_pattern = each.value.pattern
  tags          = var.tags
}

resource "aws_cloudwatch_event_target" "bus" {
  for_each = local.bus_rules

  rule      = aws_cloudwatch_event_rule.bus[each.key].name
  target_id = "Bus"
  arn       = var.event_bus_arn
  role_arn  = aws_iam_role.messages[0].arn

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}

# The rule and the target had addresses of their own before there were two.
moved {
  from = aws_cloudwatch_event_rule.compliance_message[0]
  to   = aws_cloudwatch_event_rule.message["compliance_message"]
}

moved {
  from = aws_cloudwatch_event_target.topic[0]
  to   = aws_cloudwatch_event_target.topic["compliance_message"]
}
