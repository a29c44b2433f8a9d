# The function that starts a sweep after each change and deletes the sessions before the module is destroyed. Its code is
# lifecycle.py in the folder cloudformation, which lifecycle.zip contains.

locals {
  lifecycle_name      = "${var.name}-lifecycle"
  lifecycle_log_group = "/aws/lambda/${local.lifecycle_name}"

  lifecycle_statements = [for statement in [
    {
      Sid      = "InvokeAutomirror"
      Effect   = "Allow"
      Action   = "lambda:InvokeFunction"
      Resource = local.function_arn
    },
    {
      Sid    = "ReadSessions"
      Effect = "Allow"
      # EC2 supports no resource-level permissions for this action.
      Action    = "ec2:DescribeTrafficMirrorSessions"
      Resource  = "*"
      Condition = { StringEquals = { "ec2:Region" = local.region } }
    },
    var.mirror_mode != "enforce" ? null : {
      Sid      = "DeleteOwnSession"
      Effect   = "Allow"
      Action   = "ec2:DeleteTrafficMirrorSession"
      Resource = local.sessions
      Condition = {
        StringEquals = { "aws:ResourceTag/ManagedBy" = var.mirror_owner }
        # A session without this tag is of this installation too.
        StringEqualsIfExists = { "aws:ResourceTag/Installation" = var.name }
      }
    },
    var.config_rule_name == null ? null : {
      Sid    = "StartEvaluation"
      Effect = "Allow"
      Action = "config:StartConfigRulesEvaluation"
      # AWS Config chooses the id of the rule.
      Resource = "${local.arn.config}:config-rule/*"
    },
    {
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${local.arn.logs}:log-group:${local.lifecycle_log_group}:*"
    },
  ] : statement if statement != null]
}

resource "aws_cloudwatch_log_group" "lifecycle" {
  name              = local.lifecycle_log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_iam_role" "lifecycle" {
  name                 = "${local.role_prefix}-lifecycle-${local.region}"
  description          = "The permissions of the function that deletes the sessions before the stack is deleted"
  path                 = var.role_path
  permissions_boundary = local.boundary
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "lifecycle" {
  name = "lifecycle"
  role = aws_iam_role.lifecycle.name

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = local.lifecycle_statements
  })
}

resource "aws_lambda_function" "lifecycle" {
  function_name    = local.lifecycle_name
  description      = "Starts a sweep after each deployment and deletes the sessions before the stack is deleted (version ${local.version})"
  role             = aws_iam_role.lifecycle.arn
  filename         = "${path.module}/lifecycle.zip"
  source_code_hash = filebase64sha256("${path.module}/lifecycle.zip")
  runtime          = "python3.13"
  handler          = "index.handler"
  architectures    = [var.architecture]
  memory_size      = 128
  timeout          = 900
  kms_key_arn      = var.kms_key_arn
  tags             = local.tags

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.lifecycle.name
  }

  environment {
    variables = {
      FUNCTION     = aws_lambda_function.this.function_name
      OWNER        = var.mirror_owner
      MODE         = var.mirror_mode
      INSTALLATION = var.name
      RULE         = var.config_rule_name == null ? "" : var.config_rule_name
    }
  }

  depends_on = [aws_iam_role_policy.lifecycle]
}

# When the module is destroyed, this is destroyed before all that sessions depend on, and that deletes the sessions. When
# a setting or the code of a function changes, it starts a sweep and an evaluation, both of which must find the new functions.
resource "aws_lambda_invocation" "lifecycle" {
  function_name   = aws_lambda_function.lifecycle.function_name
  lifecycle_scope = "CRUD"

  input = jsonencode({
    settings    = local.settings
    code        = local.code
    config_rule = var.config_rule_revision
  })

  depends_on = [
    aws_iam_role_policy.this,
    aws_iam_role_policy.lifecycle,
    aws_ec2_traffic_mirror_filter_rule.default,
    # The sweep must be counted, or the alarm for the heartbeat would ring at once.
    aws_cloudwatch_log_metric_filter.this,
  ]
}

locals {
  # A result of an older version is a text.
  sweep = try(jsondecode(aws_lambda_invocation.lifecycle.result), null)
}
