locals {
  statements = [
    {
      Sid    = "ReadEc2"
      Effect = "Allow"
      # EC2 supports no resource-level permissions for these actions.
      Action = [
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeTags",
        "ec2:DescribeTrafficMirrorFilters",
        "ec2:DescribeTrafficMirrorSessions",
        "ec2:DescribeTrafficMirrorTargets",
      ]
      Resource  = "*"
      Condition = { StringEquals = { "ec2:Region" = local.region } }
    },
    {
      Sid    = "ReportVerdicts"
      Effect = "Allow"
      # AWS Config supports no resource-level permissions for these actions.
      Action   = ["config:GetComplianceDetailsByResource", "config:PutEvaluations"]
      Resource = "*"
    },
    {
      Sid    = "ReadVerdicts"
      Effect = "Allow"
      Action = "config:GetComplianceDetailsByConfigRule"
      # AWS Config chooses the id of the rule after this role is created.
      Resource = "${local.arn.config}:config-rule/*"
    },
    {
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${local.arn.logs}:log-group:${local.log_group}:*"
    },
  ]

  # Elastic Load Balancing, as EC2, supports no resource-level permissions for these actions.
  health_statements = [for statement in [
    {
      Sid       = "ReadSecurityGroups"
      Effect    = "Allow"
      Action    = ["ec2:DescribeSecurityGroups"]
      Resource  = "*"
      Condition = { StringEquals = { "ec2:Region" = local.region } }
    },
    {
      Sid    = "ReadLoadBalancers"
      Effect = "Allow"
      Action = [
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTargetHealth",
      ]
      Resource  = "*"
      Condition = { StringEquals = { "aws:RequestedRegion" = local.region } }
    },
  ] : statement if var.config_rule_target_health != null]

  failure_statements = [for queue in [var.dead_letter_queue_arn] : {
    Sid    = "SendFailures"
    Effect = "Allow"
    # Lambda sends what failed three times to the dead-letter queue.
    Action   = "sqs:SendMessage"
    Resource = queue
  } if queue != null]

  kms_statements = [for key in [var.kms_key_arn] : {
    Sid      = "EncryptFailures"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = key
  } if key != null && var.dead_letter_queue_arn != null]

  # Lambda needs the permissions below to connect the function to a VPC (Lambda developer guide). The function's
  # own code cannot use them: its requests carry lambda:SourceFunctionArn, Lambda's do not.
  not_from_our_code = { Null = { "lambda:SourceFunctionArn" = "true" } }

  vpc_statements = [for statement in [
    {
      Sid       = "ReadSubnets"
      Effect    = "Allow"
      Action    = ["ec2:DescribeSubnets"]
      Resource  = ["*"]
      Condition = merge({ StringEquals = { "ec2:Region" = local.region } }, local.not_from_our_code)
    },
    {
      Sid    = "ConnectToVpc"
      Effect = "Allow"
      Action = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:UnassignPrivateIpAddresses",
      ]
      Resource = [
        "${local.arn.ec2}:network-interface/*",
        "${local.arn.ec2}:security-group/*",
        # Another account owns the subnets of a shared VPC.
        "arn:${local.partition}:ec2:${local.region}:*:subnet/*",
      ]
      Condition = local.not_from_our_code
    },
    {
      Sid    = "DisconnectFromVpc"
      Effect = "Allow"
      Action = ["ec2:DeleteNetworkInterface"]
      # The Lambda developer guide asks for this form, or for the id of a single interface.
      Resource  = ["${local.arn.ec2}:*/*"]
      Condition = local.not_from_our_code
    },
  ] : statement if length(var.subnet_ids) > 0]
}

resource "aws_iam_role" "this" {
  name                 = local.role_name
  description          = "The permissions of config-rule"
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

resource "aws_iam_role_policy" "this" {
  name = "config-rule"
  role = aws_iam_role.this.name

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.statements, local.health_statements, local.failure_statements, local.kms_statements, local.vpc_statements)
  })
}
