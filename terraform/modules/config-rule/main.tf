data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

# The ARNs are built from names and not taken from the resources. So the first plan already shows the policies
# in full, before any resource exists.
locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.id

  arn = { for service in ["config", "ec2", "lambda", "logs"] :
    service => "arn:${local.partition}:${service}:${local.region}:${local.account}"
  }

  function_arn = "${local.arn.lambda}:function:${var.name}"
  log_group    = "/aws/lambda/${var.name}"
  role_name    = "${var.name}-${local.region}"
}

resource "aws_cloudwatch_log_group" "this" {
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  function_name           = var.name
  description             = "Evaluates for AWS Config whether instances are mirrored as they should be"
  role                    = aws_iam_role.this.arn
  filename                = var.zip
  source_code_hash        = filebase64sha256(var.zip)
  runtime                 = "provided.al2023"
  handler                 = "bootstrap"
  architectures           = [var.architecture]
  memory_size             = var.memory_size
  timeout                 = 300
  kms_key_arn             = var.kms_key_arn
  code_signing_config_arn = var.code_signing_config_arn

  logging_config {
    log_format            = "JSON"
    application_log_level = var.log_level
    log_group             = aws_cloudwatch_log_group.this.name
  }

  # The function treats an empty setting as not set.
  environment {
    variables = {
      MIRROR_TAG_KEY           = var.mirror_tag_key
      MIRROR_TAG_VALUE         = var.mirror_tag_value
      MIRROR_SCOPE             = var.mirror_scope
      MIRROR_VPC_IDS           = join(",", var.mirror_vpc_ids)
      MIRROR_TARGET_IDS        = join(",", var.mirror_target_ids)
      MIRROR_TARGET_OWNERS     = join(",", var.mirror_target_owners)
      MIRROR_TRUSTED_TARGETS   = join(",", var.mirror_trusted_targets)
      MIRROR_FILTER_ID         = var.mirror_filter_id == null ? "" : var.mirror_filter_id
      MIRROR_INTERFACES        = var.mirror_interfaces
      MIRROR_PACKET_LENGTH     = var.mirror_packet_length == null ? "" : tostring(var.mirror_packet_length)
      MIRROR_VNI               = var.mirror_vni == null ? "" : tostring(var.mirror_vni)
      MIRROR_PRECEDENCE        = var.mirror_precedence
      MIRROR_KEEP_STOPPED      = tostring(var.mirror_keep_stopped)
      MIRROR_MODE              = var.mirror_mode
      MIRROR_RATE_SHARE        = tostring(var.mirror_rate_share)
      MIRROR_OWNER             = var.mirror_owner
      MIRROR_SUPPORTED_TYPES   = join(",", var.mirror_supported_types)
      MIRROR_UNSUPPORTED_TYPES = join(",", var.mirror_unsupported_types)
      MIRROR_SESSION_TAGS      = join(",", [for key, value in var.mirror_session_tags : "${key}=${value}"])
      MIRROR_ACCEPTED_REASONS  = join(",", var.mirror_accepted_reasons)
    }
  }

  dynamic "vpc_config" {
    for_each = length(var.subnet_ids) == 0 ? [] : [true]

    content {
      subnet_ids         = var.subnet_ids
      security_group_ids = var.security_group_ids
    }
  }

  lifecycle {
    precondition {
      condition     = (length(var.subnet_ids) == 0) == (length(var.security_group_ids) == 0)
      error_message = "Set both subnet_ids and security_group_ids, or neither."
    }
  }

  # When the function is created, Lambda checks that the role may create network interfaces.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_permission" "config" {
  statement_id   = "ConfigMayInvoke"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this.function_name
  principal      = "config.amazonaws.com"
  source_account = local.account
}

resource "aws_config_config_rule" "this" {
  name             = var.name
  description      = "Checks that each instance is mirrored as its tags and the settings of automirror require, and that no session sends packets to a target that is not allowed."
  input_parameters = var.unsupported_compliance == null ? null : jsonencode({ unsupported = var.unsupported_compliance })

  scope {
    compliance_resource_types = ["AWS::EC2::Instance", "AWS::EC2::TrafficMirrorSession"]
  }

  source {
    owner             = "CUSTOM_LAMBDA"
    source_identifier = aws_lambda_function.this.arn

    source_detail {
      message_type = "ConfigurationItemChangeNotification"
    }

    source_detail {
      message_type = "OversizedConfigurationItemChangeNotification"
    }

    source_detail {
      message_type                = "ScheduledNotification"
      maximum_execution_frequency = var.config_rule_interval
    }
  }

  # AWS Config rejects a rule whose function it has no permission to invoke.
  depends_on = [aws_lambda_permission.config]
}

locals {
  alarms = {
    Errors    = "Invocations of config-rule fail, so evaluations may be out of date. Its log says why."
    Throttles = "Lambda throttles config-rule because the account's concurrency is used up, so evaluations may be out of date."
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${lower(each.key)}"
  alarm_description   = each.value
  namespace           = "AWS/Lambda"
  metric_name         = each.key
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([var.alarm_topic_arn])
  ok_actions          = compact([var.alarm_topic_arn])
}
