locals {
  statements = [
    {
      Sid    = "ReadEc2"
      Effect = "Allow"
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
      Sid      = "AnswerConfig"
      Effect   = "Allow"
      Action   = ["config:GetResourceConfigHistory", "config:PutEvaluations"]
      Resource = "*"
    },
    {
      Sid      = "ReadVerdicts"
      Effect   = "Allow"
      Action   = "config:GetComplianceDetailsByConfigRule"
      Resource = "${local.arn.config}:config-rule/*"
    },
    {
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${local.arn.logs}:log-group:${local.log_group}:*"
    },
  ]

  # What Lambda documents for functions in a VPC, and refuses to make the function without. Lambda uses
  # these rights, the function's code never may.
  vpc_calls = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
  ]
  vpc_statements = [for statement in [
    {
      Sid       = "ReadSubnets"
      Effect    = "Allow"
      Action    = ["ec2:DescribeSubnets"]
      Resource  = ["*"]
      Condition = { StringEquals = { "ec2:Region" = local.region } }
    },
    {
      Sid       = "AttachToVpc"
      Effect    = "Allow"
      Action    = local.vpc_calls
      Resource  = concat(["${local.arn.ec2}:*/*"], [for id in var.subnet_ids : "arn:${local.partition}:ec2:${local.region}:*:subnet/${id}"])
      Condition = {}
    },
    {
      Sid       = "NotFromOurCode"
      Effect    = "Deny"
      Action    = local.vpc_calls
      Resource  = ["*"]
      Condition = { ArnEquals = { "lambda:SourceFunctionArn" = local.function_arn } }
    },
  ] : { for key, value in statement : key => value if key != "Condition" || length(value) > 0 } if length(var.subnet_ids) > 0]
}

resource "aws_iam_role" "this" {
  name                 = local.role_name
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
  name = "least"
  role = aws_iam_role.this.name

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.statements, local.vpc_statements)
  })
}
