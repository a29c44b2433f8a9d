locals {
  rules = { for role, rule in {
    instance_state = {
      name        = "${var.name}-instance-state"
      description = "An instance starts, stops or is terminated"
      schedule    = null
      pattern = jsonencode({
        source      = ["aws.ec2"]
        detail-type = ["EC2 Instance State-change Notification"]
      })
    }
    tag = {
      name        = "${var.name}-tag"
      description = "A tag that automirror reads is added, changed or removed"
      schedule    = null
      pattern = jsonencode({
        source      = ["aws.tag"]
        detail-type = ["Tag Change on Resource"]
        detail = {
          service       = ["ec2"]
          resource-type = ["instance"]
          changed-tag-keys = [
            for key in [var.mirror_tag_key, "Mirror-Target", "Mirror-Filter", "Mirror-Interfaces"] : { equals-ignore-case = key }
          ]
        }
      })
    }
    api_call = {
      name        = "${var.name}-api-call"
      description = "Somebody other than automirror attaches or detaches a network interface, creates, modifies or deletes a session, or creates a target"
      schedule    = null
      pattern = jsonencode({
        source      = ["aws.ec2"]
        detail-type = ["AWS API Call via CloudTrail"]
        detail = {
          eventSource = ["ec2.amazonaws.com"]
          eventName = [
            "AttachNetworkInterface",
            "DetachNetworkInterface",
            "CreateTrafficMirrorSession",
            "ModifyTrafficMirrorSession",
            "DeleteTrafficMirrorSession",
            # EC2 refuses to mirror an interface that is behind a target.
            "CreateTrafficMirrorTarget",
          ]
          errorCode = [{ exists = false }]
          # Calls that are not made with a role, such as those of an IAM user, have no sessionIssuer.
          "$or" = [
            { userIdentity = { sessionContext = { sessionIssuer = { arn = [{ anything-but = [local.role_arn] }] } } } },
            { userIdentity = { sessionContext = { sessionIssuer = { arn = [{ exists = false }] } } } },
          ]
        }
      })
    }
    compliance = var.config_rule_name == null ? null : {
      name        = "${var.name}-compliance"
      description = "AWS Config reports an instance or a session as NON_COMPLIANT"
      schedule    = null
      pattern = jsonencode({
        source      = ["aws.config"]
        detail-type = ["Config Rules Compliance Change"]
        detail = {
          messageType         = ["ComplianceChangeNotification"]
          configRuleName      = [var.config_rule_name]
          newEvaluationResult = { complianceType = ["NON_COMPLIANT"] }
        }
      })
    }
    sweep = {
      name        = "${var.name}-sweep"
      description = "Starts the sweep, which checks all interfaces and sessions and repairs what events missed"
      schedule    = var.sweep_schedule
      pattern     = null
    }
  } : role => rule if rule != null }

  rule_arns = { for role, rule in local.rules : role => "${local.arn.events}:rule/${rule.name}" }
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.rules

  name                = each.value.name
  description         = each.value.description
  event_pattern       = each.value.pattern
  schedule_expression = each.value.schedule
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "queue" {
  for_each = aws_cloudwatch_event_rule.this

  rule      = each.value.name
  target_id = "Queue"
  arn       = aws_sqs_queue.this.arn

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}
