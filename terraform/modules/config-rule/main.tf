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
  role_name    = var.role_name_prefix == null ? "${var.name}-${local.region}" : "${var.role_name_prefix}-config-rule-${local.region}"

  code_bucket   = var.code_bucket_prefix == null ? var.code_bucket : "${var.code_bucket_prefix}-${local.region}"
  boundary_name = var.permissions_boundary_arn == null ? "" : var.permissions_boundary_arn
  boundary      = var.permissions_boundary_arn == null || startswith(local.boundary_name, "arn:") ? var.permissions_boundary_arn : "arn:${local.partition}:iam::${local.account}:policy/${local.boundary_name}"

  # What the function runs. In a bucket, a new zip has a new place.
  code = var.zip == null ? join("/", [for part in [local.code_bucket, var.code_key_prefix, var.object_version] : part == null ? "" : part]) : aws_lambda_function.this.source_code_hash

  # This release. The output and the tags and descriptions of the functions show it.
  version = "0.1.0"
  tags    = merge(var.tags, { "automirror:version" = local.version })

  # The function treats an empty setting as not set.
  settings = {
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
    MIRROR_DELETION_LIMIT    = tostring(var.mirror_deletion_limit)
    MIRROR_INSTALLATION      = var.installation
  }

  # The rule's own parameters.
  parameters = { for name, value in {
    unsupported  = var.unsupported_compliance
    targetHealth = var.config_rule_target_health == null ? null : tostring(var.config_rule_target_health)
  } : name => value if value != null }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_lambda_function" "this" {
  function_name           = var.name
  description             = "Evaluates for AWS Config whether instances are mirrored as they should be (version ${local.version})"
  role                    = aws_iam_role.this.arn
  filename                = var.zip
  source_code_hash        = var.zip == null ? null : filebase64sha256(var.zip)
  s3_bucket               = local.code_bucket
  s3_key                  = local.code_bucket == null ? null : "${var.code_key_prefix}config-rule-${var.architecture}.zip"
  s3_object_version       = var.object_version
  runtime                 = "provided.al2023"
  handler                 = "bootstrap"
  architectures           = [var.architecture]
  memory_size             = var.memory_size
  timeout                 = var.config_rule_timeout
  kms_key_arn             = var.kms_key_arn
  code_signing_config_arn = var.code_signing_config_arn

  reserved_concurrent_executions = var.config_rule_concurrency == null ? -1 : var.config_rule_concurrency

  tags = local.tags

  logging_config {
    log_format            = "JSON"
    application_log_level = var.log_level
    log_group             = aws_cloudwatch_log_group.this.name
  }

  environment {
    variables = local.settings
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

    precondition {
      condition     = length([for place in [var.zip, var.code_bucket, var.code_bucket_prefix] : place if place != null]) == 1
      error_message = "Set the path of the zip, code_bucket or code_bucket_prefix, and only one of them. For config-rule, that is config_rule_zip; create_config_rule = false does without it."
    }

    precondition {
      condition     = var.zip == null ? true : fileexists(var.zip)
      error_message = "There is no file with the path of the zip. make package writes target/package/config-rule-arm64.zip."
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
  name             = var.config_rule_name
  tags             = var.tags
  description      = "Checks that each instance is mirrored as its tags and the settings of automirror require, and that no session sends packets to a target that is not allowed."
  input_parameters = length(local.parameters) == 0 ? null : jsonencode(local.parameters)

  scope {
    compliance_resource_types = concat(
      ["AWS::EC2::Instance", "AWS::EC2::TrafficMirrorSession"],
      var.config_rule_target_health == null ? [] : ["AWS::EC2::TrafficMirrorTarget"],
    )
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

# AWS Config invokes the function asynchronously. Lambda repeats what fails after one and after two minutes, and keeps
# what is throttled for hours. What fails for good goes to the dead-letter queue, whose alarm rings.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  qualifier                    = "$LATEST"
  maximum_event_age_in_seconds = 6 * 60 * 60
  maximum_retry_attempts       = 2

  dynamic "destination_config" {
    for_each = var.dead_letter_queue_arn == null ? [] : [var.dead_letter_queue_arn]

    content {
      on_failure {
        destination = destination_config.value
      }
    }
  }

  depends_on = [aws_iam_role_policy.this]
}
