locals {
  statements = [
    {
      Sid    = "ReadEc2"
      Effect = "Allow"
      # EC2 knows no resources for these calls.
      Action = [
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeTrafficMirrorFilters",
        "ec2:DescribeTrafficMirrorSessions",
        "ec2:DescribeTrafficMirrorTargets",
      ]
      Resource  = "*"
      Condition = { StringEquals = { "ec2:Region" = local.region } }
    },
    {
      Sid    = "ReportAndReadHistory"
      Effect = "Allow"
      # AWS Config knows no resources for these calls.
      Action   = ["config:GetResourceConfigHistory", "config:PutEvaluations"]
      Resource = "*"
    },
    {
      Sid    = "ReadVerdicts"
      Effect = "Allow"
      Action = "config:GetComplianceDetailsByConfigRule"
      # The rule's id is AWS Config's choice, made after this role.
      Resource = "${local.arn.config}:config-rule/*"
    },
    {
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${local.arn.logs}:log-group:${local.log_group}:*"
    },
  ]

  # What Lambda itself needs to reach a VPC, as its guide lists it. The function's own code may not use it: its
  # calls carry lambda:SourceFunctionArn, Lambda's do not.
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
        # A VPC that is shared has the subnets of another account.
        "arn:${local.partition}:ec2:${local.region}:*:subnet/*",
      ]
      Condition = local.not_from_our_code
    },
    {
      Sid    = "DisconnectFromVpc"
      Effect = "Allow"
      Action = ["ec2:DeleteNetworkInterface"]
      # Lambda's guide: one interface's id, or this form.
      Resource  = ["${local.arn.ec2}:*/*"]
      Condition = local.not_from_our_code
    },
  ] : statement if length(var.subnet_ids) > 0]
}

resource "aws_iam_role" "this" {
  name                 = local.role_name
  description          = "What config-rule may do"
  permissions_boundary = var.permissions_boundary_arn

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
    Statement = concat(local.statements, local.vpc_statements)
  })
}
