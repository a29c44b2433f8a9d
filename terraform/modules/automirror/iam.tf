locals {
  sessions = "${local.arn.ec2}:traffic-mirror-session/*"

  # Another account may own a target. Its ARN contains the owner's account id, which the target id does not tell.
  targets = length(var.mirror_target_ids) > 0 ? [
    for id in var.mirror_target_ids : "arn:${local.partition}:ec2:${local.region}:*:traffic-mirror-target/${id}"
    ] : [
    for owner in length(var.mirror_target_owners) > 0 ? distinct(var.mirror_target_owners) : ["self"] :
    "arn:${local.partition}:ec2:${local.region}:${owner == "self" ? local.account : owner}:traffic-mirror-target/*"
  ]

  # A filter that this module creates is only the default: tags can name any other filter of this account.
  filter = "${local.arn.ec2}:traffic-mirror-filter/${local.create_filter || var.mirror_filter_id == null ? "*" : var.mirror_filter_id}"

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
      Sid      = "ReceiveMessages"
      Effect   = "Allow"
      Action   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
      Resource = local.queue_arn
    },
    {
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${local.arn.logs}:log-group:${local.log_group}:*"
    },
  ]

  # With detect, the role has no permission to change anything. To create a session, it needs permissions on the
  # interface, the target, the filter and the session.
  change_statements = [for statement in [
    {
      Sid      = "MirrorInterfaces"
      Effect   = "Allow"
      Action   = "ec2:CreateTrafficMirrorSession"
      Resource = "${local.arn.ec2}:network-interface/*"
      Condition = length(var.mirror_vpc_ids) == 0 ? null : {
        ArnLike = { "ec2:Vpc" = [for id in var.mirror_vpc_ids : "arn:${local.partition}:ec2:${local.region}:*:vpc/${id}"] }
      }
    },
    {
      Sid       = "UseAllowedTargets"
      Effect    = "Allow"
      Action    = ["ec2:CreateTrafficMirrorSession", "ec2:ModifyTrafficMirrorSession"]
      Resource  = local.targets
      Condition = { StringEquals = { "ec2:Region" = local.region } }
    },
    {
      Sid      = "UseAllowedFilters"
      Effect   = "Allow"
      Action   = ["ec2:CreateTrafficMirrorSession", "ec2:ModifyTrafficMirrorSession"]
      Resource = local.filter
    },
    {
      Sid       = "CreateOwnSession"
      Effect    = "Allow"
      Action    = "ec2:CreateTrafficMirrorSession"
      Resource  = local.sessions
      Condition = { StringEquals = { "aws:RequestTag/ManagedBy" = var.mirror_owner } }
    },
    {
      Sid      = "TagNewSession"
      Effect   = "Allow"
      Action   = "ec2:CreateTags"
      Resource = local.sessions
      Condition = {
        StringEquals = {
          "ec2:CreateAction"         = "CreateTrafficMirrorSession"
          "aws:RequestTag/ManagedBy" = var.mirror_owner
        }
        "ForAllValues:StringEquals" = { "aws:TagKeys" = concat(["ManagedBy", "Name", "Invocation", "Installation"], keys(var.mirror_session_tags)) }
      }
    },
    {
      Sid       = "ChangeOwnSession"
      Effect    = "Allow"
      Action    = ["ec2:DeleteTrafficMirrorSession", "ec2:ModifyTrafficMirrorSession"]
      Resource  = local.sessions
      Condition = { StringEquals = { "aws:ResourceTag/ManagedBy" = var.mirror_owner } }
    },
  ] : { for name, value in statement : name => value if value != null } if var.mirror_mode == "enforce"]

  kms_statements = [for key in [var.kms_key_arn] : {
    Sid      = "DecryptMessages"
    Effect   = "Allow"
    Action   = "kms:Decrypt"
    Resource = key
  } if key != null]

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
  description          = "The permissions of automirror"
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
  name = "automirror"
  role = aws_iam_role.this.name

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.statements, local.change_statements, local.kms_statements, local.vpc_statements)
  })
}
