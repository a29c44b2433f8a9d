# Checks what a plan contains: with the defaults, and with each option.

mock_provider "aws" {
  source = "./tests/aws"
}

# These tests accept any file as a zip, because nothing opens it.
variables {
  automirror_zip  = "README.md"
  config_rule_zip = "README.md"
}

run "defaults" {
  command = plan

  assert {
    condition     = output.automirror_function_name == "automirror" && output.config_rule_name == "automirror" && output.config_rule_function_name == "automirror-config-rule"
    error_message = "Names must begin with var.name, and the rule has a name of its own."
  }

  assert {
    condition     = output.topic_arn == null
    error_message = "There must be no topic by default."
  }

  assert {
    condition     = output.dashboard_name == "automirror-eu-central-1"
    error_message = "The name of the dashboard must contain the region: it must be unique across all regions."
  }
}

run "the_config_rule_is_optional" {
  command = plan

  variables {
    config_rule_zip    = null
    create_config_rule = false
    create_topic       = true
  }

  assert {
    condition     = output.config_rule_name == null && output.config_rule_function_name == null
    error_message = "There must be no AWS Config rule if create_config_rule is false."
  }
}

run "applies" {
  variables {
    create_topic = true
  }

  assert {
    condition     = output.filter_id == "tmf-0123456789abcdef0" && output.topic_arn == "arn:aws:sns:eu-central-1:123456789012:mock"
    error_message = "The default filter and the topic must be created."
  }

  assert {
    condition     = output.sweep.problem == null && !output.sweep.summary.broken_settings && output.sweep.evaluation == "started"
    error_message = "What the sweep said must be an output."
  }
}

run "rights_by_default" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip = "README.md"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      statement.Sid == "ReadEc2" || !contains(flatten([statement.Resource]), "*")
    ])
    error_message = "Only the statement that reads EC2 may name all resources."
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid => flatten([statement.Resource])
      if contains(["MirrorInterfaces", "UseAllowedTargets", "UseAllowedFilters"], statement.Sid)
      } == {
      MirrorInterfaces  = ["arn:aws:ec2:eu-central-1:123456789012:network-interface/*"]
      UseAllowedTargets = ["arn:aws:ec2:eu-central-1:123456789012:traffic-mirror-target/*"]
      UseAllowedFilters = ["arn:aws:ec2:eu-central-1:123456789012:traffic-mirror-filter/*"]
    }
    error_message = "Sources, targets and filters must be limited to this account."
  }

  assert {
    condition     = length(aws_ec2_traffic_mirror_filter.default) == 1 && length(aws_ec2_traffic_mirror_filter_rule.default) == 4
    error_message = "The default filter must have a rule for each direction and IP version."
  }

  assert {
    condition     = keys(aws_cloudwatch_event_rule.this) == ["api_call", "instance_state", "sweep", "tag"] && length(aws_sns_topic.this) == 0
    error_message = "Without an AWS Config rule and a topic there must be no event rules for compliance."
  }
}

run "rights_with_given_targets_and_filter" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip                  = "README.md"
    mirror_target_ids    = ["tmt-0123456789abcdef0"]
    mirror_target_owners = ["210987654321"]
    mirror_filter_id     = "tmf-0123456789abcdef0"
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid => flatten([statement.Resource])
      if contains(["UseAllowedTargets", "UseAllowedFilters"], statement.Sid)
      } == {
      UseAllowedTargets = ["arn:aws:ec2:eu-central-1:*:traffic-mirror-target/tmt-0123456789abcdef0"]
      UseAllowedFilters = ["arn:aws:ec2:eu-central-1:123456789012:traffic-mirror-filter/tmf-0123456789abcdef0"]
    }
    error_message = "Only the given target, whoever owns it, and the given filter may be used."
  }

  assert {
    condition     = length(aws_ec2_traffic_mirror_filter.default) == 0
    error_message = "There must be no new filter if mirror_filter_id is set."
  }
}

run "rights_with_target_owners" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip                  = "README.md"
    mirror_target_owners = ["210987654321"]
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Resource
      if statement.Sid == "UseAllowedTargets"
    ][0] == ["arn:aws:ec2:eu-central-1:210987654321:traffic-mirror-target/*"]
    error_message = "Targets must be limited to the given accounts."
  }
}

run "rights_with_this_account_among_the_owners" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip                  = "README.md"
    mirror_target_owners = ["210987654321", "self"]
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Resource
      if statement.Sid == "UseAllowedTargets"
      ][0] == [
      "arn:aws:ec2:eu-central-1:210987654321:traffic-mirror-target/*",
      "arn:aws:ec2:eu-central-1:123456789012:traffic-mirror-target/*",
    ]
    error_message = "self must stand for this account."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables.MIRROR_TARGET_OWNERS == "210987654321,self"
    error_message = "The function must get the word self."
  }
}

run "session_tags" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip                 = "README.md"
    mirror_session_tags = { CostCenter = "42", Team = "sec=ops" }
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Condition["ForAllValues:StringEquals"]
      if statement.Sid == "TagNewSession"
    ] == [{ "aws:TagKeys" = ["ManagedBy", "Name", "Invocation", "Installation", "CostCenter", "Team"] }]
    error_message = "The role must be able to set exactly the keys of the tags."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables.MIRROR_SESSION_TAGS == "CostCenter=42,Team=sec=ops"
    error_message = "The function must get the tags as Key=Value pairs."
  }
}

run "only_our_rules_may_send" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip              = "README.md"
    config_rule_name = "automirror-config-rule"
    create_topic     = true
  }

  assert {
    condition = jsondecode(aws_sqs_queue.this.policy).Statement[1].Condition.ArnEquals["aws:SourceArn"] == [
      for role in ["api-call", "compliance", "instance-state", "sweep", "tag"] :
      "arn:aws:events:eu-central-1:123456789012:rule/automirror-${role}"
    ]
    error_message = "Only the five event rules may send to the queue."
  }

  assert {
    condition = contains(
      jsondecode(aws_sqs_queue.dead_letters.policy).Statement[1].Condition.ArnEquals["aws:SourceArn"],
      "arn:aws:events:eu-central-1:123456789012:rule/automirror-compliance-message",
    )
    error_message = "The rule for compliance messages must be able to send to the dead-letter queue."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.message["compliance_message"].event_pattern).detail.configRuleName == ["automirror-config-rule"]
    error_message = "Only compliance changes of our AWS Config rule may be sent."
  }
}

run "options_of_the_functions" {
  command = plan

  module {
    source = "./modules/config-rule"
  }

  variables {
    zip                      = "README.md"
    architecture             = "x86_64"
    kms_key_arn              = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d"
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
    code_signing_config_arn  = "arn:aws:lambda:eu-central-1:123456789012:code-signing-config:csc-0123456789abcdef0"
    subnet_ids               = ["subnet-0123456789abcdef0"]
    security_group_ids       = ["sg-0123456789abcdef0"]
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid] == ["ReadEc2", "ReportVerdicts", "ReadVerdicts", "WriteLog", "ReadSubnets", "ConnectToVpc", "DisconnectFromVpc"]
    error_message = "In a VPC, the role must have the permissions that Lambda needs."
  }

  assert {
    condition     = aws_config_config_rule.this.input_parameters == null
    error_message = "The rule must have no parameters by default. The settings are environment variables."
  }
}

run "the_parameter_of_the_config_rule" {
  command = plan

  module {
    source = "./modules/config-rule"
  }

  variables {
    zip                    = "README.md"
    unsupported_compliance = "NOT_APPLICABLE"
  }

  assert {
    condition     = jsondecode(aws_config_config_rule.this.input_parameters) == { unsupported = "NOT_APPLICABLE" }
    error_message = "The rule must have one parameter, unsupported."
  }
}

run "the_config_rule_that_looks_behind_targets" {
  command = plan

  module {
    source = "./modules/config-rule"
  }

  variables {
    zip                       = "README.md"
    config_rule_target_health = 30
  }

  assert {
    condition     = jsondecode(aws_config_config_rule.this.input_parameters) == { targetHealth = "30" }
    error_message = "The rule must have one parameter, targetHealth."
  }

  assert {
    condition     = contains(aws_config_config_rule.this.scope[0].compliance_resource_types, "AWS::EC2::TrafficMirrorTarget")
    error_message = "The rule must evaluate targets."
  }

  assert {
    condition     = strcontains(aws_iam_role_policy.this.policy, "elasticloadbalancing:DescribeTargetHealth")
    error_message = "The role must be allowed to read load balancers."
  }
}

run "failures_of_the_config_rule" {
  command = plan

  module {
    source = "./modules/config-rule"
  }

  variables {
    zip                   = "README.md"
    dead_letter_queue_arn = "arn:aws:sqs:eu-central-1:123456789012:automirror-dead-letters"
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this.destination_config[0].on_failure[0].destination == var.dead_letter_queue_arn
    error_message = "What fails for good must go to the dead-letter queue."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Resource if statement.Sid == "SendFailures"] == [var.dead_letter_queue_arn]
    error_message = "The role must be able to send to that queue."
  }
}

run "detect_has_no_permission_to_change_anything" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip         = "README.md"
    mirror_mode = "detect"
  }

  assert {
    condition = alltrue([
      for action in flatten([for policy in [aws_iam_role_policy.this.policy, aws_iam_role_policy.lifecycle.policy] : [for statement in jsondecode(policy).Statement : statement.Action]]) :
      startswith(action, "ec2:Describe") if startswith(action, "ec2:")
    ])
    error_message = "No role may change anything in EC2."
  }
}

# Lambda itself needs the interfaces of a function in a VPC, in every mode. No code of ours can use those permissions.
run "detect_in_a_vpc_has_lambdas_permissions_for_its_interfaces_only" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip                = "README.md"
    mirror_mode        = "detect"
    subnet_ids         = ["subnet-0123456789abcdef0"]
    security_group_ids = ["sg-0123456789abcdef0"]
  }

  assert {
    condition = toset([
      for action in flatten([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Action]) :
      action if startswith(action, "ec2:") && !startswith(action, "ec2:Describe")
    ]) == toset(["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"])
    error_message = "The role may change nothing but Lambda's own interfaces."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      statement.Condition.Null == { "lambda:SourceFunctionArn" = "true" }
      if length([for action in flatten([statement.Action]) : action if strcontains(action, "NetworkInterface") && !startswith(action, "ec2:Describe")]) > 0
    ])
    error_message = "The function's own code may not use them."
  }
}

run "alarms_and_dashboard_are_optional" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip              = "README.md"
    create_alarms    = false
    create_dashboard = false

    sensor_load_balancers = ["net/sensors/0123456789abcdef"]
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) + length(aws_cloudwatch_dashboard.this) + length(aws_cloudwatch_log_metric_filter.this) == 0
    error_message = "There must be no alarm, dashboard or metric."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.nothing_arrives) == 0
    error_message = "create_alarms must count for each alarm."
  }
}

run "without_load_balancers_nothing_watches_them" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip = "README.md"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 10 && length(aws_cloudwatch_metric_alarm.nothing_arrives) == 0
    error_message = "There must be ten alarms by default, which is what costs nothing."
  }
}

run "the_load_balancers_of_the_sensors" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip                   = "README.md"
    sensor_load_balancers = ["net/east/0123456789abcdef", "net/west/0123456789abcdee"]
  }

  assert {
    condition     = [for query in aws_cloudwatch_metric_alarm.nothing_arrives[0].metric_query : query.expression if query.return_data] == ["IF(mirrored, bytes1 + bytes2, 1)"]
    error_message = "The alarm must watch the bytes of both, while there are sessions."
  }

  assert {
    condition     = toset([for query in aws_cloudwatch_metric_alarm.nothing_arrives[0].metric_query : query.metric[0].dimensions.LoadBalancer if startswith(query.id, "bytes")]) == toset(var.sensor_load_balancers)
    error_message = "The alarm must read the bytes of both."
  }

  assert {
    condition     = contains(keys(output.alarm_arns), "nothing_arrives")
    error_message = "The output must name the alarm."
  }
}

run "code_from_a_bucket_of_the_region" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    code_bucket_prefix = "zips"
    code_key_prefix    = "v1/"
  }

  assert {
    condition     = aws_lambda_function.this.s3_bucket == "zips-eu-central-1" && aws_lambda_function.this.s3_key == "v1/automirror-arm64.zip"
    error_message = "The zip must come from the bucket of the region."
  }

  assert {
    condition     = aws_lambda_function.this.s3_object_version == null
    error_message = "Without a version, the zip must be the newest one."
  }
}

run "code_of_one_version_of_an_object" {
  command = plan

  variables {
    automirror_zip             = null
    config_rule_zip            = null
    code_bucket                = "zips"
    automirror_object_version  = "3sL4kqtJlcpXroDTDmJ_rmSpXd3dIbrHY-MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo"
    config_rule_object_version = "null"
  }

  assert {
    condition     = output.version != ""
    error_message = "Zips of a version must be accepted."
  }
}

run "the_function_takes_the_version" {
  command = plan

  module {
    source = "./modules/config-rule"
  }

  variables {
    code_bucket    = "zips"
    object_version = "null"
  }

  assert {
    condition     = aws_lambda_function.this.s3_object_version == "null"
    error_message = "The zip must be the one of the version."
  }
}

run "alarms_need_the_summary" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip       = "README.md"
    log_level = "WARN"
  }

  expect_failures = [aws_lambda_function.this]
}

run "no_code" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  expect_failures = [aws_lambda_function.this]
}

run "no_code_for_the_config_rule" {
  command = plan

  module {
    source = "./modules/config-rule"
  }

  expect_failures = [aws_lambda_function.this]
}

run "code_in_two_places" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip         = "README.md"
    code_bucket = "zips"
  }

  expect_failures = [aws_lambda_function.this]
}

run "a_zip_that_does_not_exist" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip = "no-such.zip"
  }

  expect_failures = [aws_lambda_function.this]
}

run "a_zip_of_the_config_rule_that_does_not_exist" {
  command = plan

  module {
    source = "./modules/config-rule"
  }

  variables {
    zip = "no-such.zip"
  }

  expect_failures = [aws_lambda_function.this]
}

run "what_the_sweep_of_an_older_version_said" {
  module {
    source = "./modules/automirror"
  }

  variables {
    zip = "README.md"
  }

  override_resource {
    target = aws_lambda_invocation.lifecycle
    values = { result = "" }
  }

  assert {
    condition     = output.sweep == null
    error_message = "A result that is no JSON must not fail a plan."
  }
}

run "subnets_without_security_groups" {
  command = plan

  module {
    source = "./modules/config-rule"
  }

  variables {
    zip        = "README.md"
    subnet_ids = ["subnet-0123456789abcdef0"]
  }

  expect_failures = [aws_lambda_function.this]
}

run "two_topics" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip             = "README.md"
    create_topic    = true
    alarm_topic_arn = "arn:aws:sns:eu-central-1:123456789012:given"
  }

  expect_failures = [aws_sns_topic.this]
}

run "two_filters" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip              = "README.md"
    create_filter    = true
    mirror_filter_id = "tmf-0123456789abcdef0"
  }

  expect_failures = [aws_ec2_traffic_mirror_filter.default]
}

run "the_metric_that_no_alarm_reads_goes_with_the_dashboard" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip              = "README.md"
    create_dashboard = false
  }

  assert {
    condition     = length(aws_cloudwatch_log_metric_filter.this) == 9 && !contains(keys(aws_cloudwatch_log_metric_filter.this), "RoomOnTargets")
    error_message = "Without the dashboard, nothing shows RoomOnTargets."
  }
}
