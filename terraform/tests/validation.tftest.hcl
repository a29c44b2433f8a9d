# Each input rejects, before anything is created, what the functions or AWS would reject. Terraform validates each
# input by itself, so one run can test many: it passes only if exactly the listed inputs are rejected.

mock_provider "aws" {
  source = "./tests/aws"
}

# These tests accept any file as a zip, because nothing opens it.
variables {
  automirror_zip  = "README.md"
  config_rule_zip = "README.md"
}

run "rejects" {
  command = plan

  variables {
    name                       = "has space"
    mirror_tag_key             = "Mirror*"
    mirror_tag_value           = "False"
    mirror_scope               = "some"
    mirror_vpc_ids             = ["subnet-0123456789abcdef0"]
    mirror_target_ids          = ["tmf-0123456789abcdef0"]
    mirror_target_owners       = ["12345678901"]
    mirror_trusted_targets     = ["eni-0123456789abcdef0"]
    mirror_filter_id           = "tmt-0123456789abcdef0"
    mirror_interfaces          = "first"
    mirror_packet_length       = 0
    mirror_vni                 = 0
    mirror_precedence          = "between"
    mirror_mode                = "off"
    mirror_rate_share          = 0
    mirror_owner               = "$${aws:username}"
    mirror_supported_types     = ["m8g.large.x"]
    mirror_unsupported_types   = ["t3,"]
    mirror_session_tags        = { ManagedBy = "me" }
    mirror_accepted_reasons    = ["shadowed"]
    maximum_concurrency        = 1
    sweep_schedule             = "15 minutes"
    config_rule_interval       = "Two_Hours"
    unsupported_compliance     = "COMPLIANT"
    config_rule_target_health  = 0
    config_rule_memory_size    = 127
    config_rule_timeout        = 29
    architecture               = "amd64"
    memory_size                = 127
    timeout                    = 29
    log_level                  = "info"
    log_retention_days         = 31
    permissions_boundary_arn   = "arn:aws:iam::123456789012:role/not-a-policy"
    kms_key_arn                = "arn:aws:kms:eu-central-1:123456789012:alias/not-a-key"
    subnet_ids                 = ["vpc-0123456789abcdef0"]
    security_group_ids         = ["subnet-0123456789abcdef0"]
    code_signing_config_arn    = "arn:aws:lambda:eu-central-1:123456789012:function:f"
    alarm_topic_arn            = "arn:aws:sqs:eu-central-1:123456789012:queue"
    mirror_deletion_limit      = 0
    heartbeat_periods          = 1
    config_rule_name           = "has space"
    config_rule_concurrency    = 0
    role_path                  = "automirror"
    role_name_prefix           = "auto mirror"
    code_bucket                = "Zips"
    code_bucket_prefix         = "Zips"
    automirror_object_version  = "a b"
    config_rule_object_version = "a b"
    code_key_prefix            = "a b"
    alarm_email                = "nobody"
    event_bus_arn              = "arn:aws:sqs:eu-central-1:123456789012:queue"
    compliance_messages        = "some"
    sensor_load_balancers      = ["app/sensors/0123456789abcdef"]
  }

  expect_failures = [
    var.name,
    var.mirror_tag_key,
    var.mirror_tag_value,
    var.mirror_scope,
    var.mirror_vpc_ids,
    var.mirror_target_ids,
    var.mirror_target_owners,
    var.mirror_trusted_targets,
    var.mirror_filter_id,
    var.mirror_interfaces,
    var.mirror_packet_length,
    var.mirror_vni,
    var.mirror_precedence,
    var.mirror_mode,
    var.mirror_rate_share,
    var.mirror_owner,
    var.mirror_supported_types,
    var.mirror_unsupported_types,
    var.mirror_session_tags,
    var.mirror_accepted_reasons,
    var.maximum_concurrency,
    var.sweep_schedule,
    var.config_rule_interval,
    var.unsupported_compliance,
    var.config_rule_target_health,
    var.config_rule_memory_size,
    var.config_rule_timeout,
    var.architecture,
    var.memory_size,
    var.timeout,
    var.log_level,
    var.log_retention_days,
    var.permissions_boundary_arn,
    var.kms_key_arn,
    var.subnet_ids,
    var.security_group_ids,
    var.code_signing_config_arn,
    var.alarm_topic_arn,
    var.mirror_deletion_limit,
    var.heartbeat_periods,
    var.config_rule_name,
    var.config_rule_concurrency,
    var.role_path,
    var.role_name_prefix,
    var.code_bucket,
    var.code_bucket_prefix,
    var.automirror_object_version,
    var.config_rule_object_version,
    var.code_key_prefix,
    var.alarm_email,
    var.event_bus_arn,
    var.compliance_messages,
    var.sensor_load_balancers,
  ]
}

run "rejects_at_the_other_end" {
  command = plan

  variables {
    name                    = "a23456789012345678901234567890123"
    mirror_tag_key          = "MIRROR-target"
    mirror_tag_value        = "aws:mirror"
    mirror_target_ids       = ["tmt-0123456789abcdef0,tmt-0123456789abcdef1"]
    mirror_target_owners    = ["1234567890123"]
    mirror_trusted_targets  = ["tmt-0123456789abcdef0,tmt-0123456789abcdef1"]
    mirror_session_tags     = { for n in range(41) : "key${n}" => "x" }
    mirror_accepted_reasons = ["is-target,ipv6-only"]
    mirror_filter_id        = "tmf-"
    mirror_packet_length    = 8501
    mirror_vni              = 16777216
    mirror_rate_share       = 101
    mirror_owner            = "aws:me"
    maximum_concurrency     = 1001
    config_rule_memory_size = 10241
    config_rule_timeout     = 901
    memory_size             = 10241
    timeout                 = 901
    sensor_load_balancers   = [for name in ["a", "b", "c", "d"] : "net/${name}/0123456789abcdef"]
  }

  expect_failures = [
    var.name,
    var.mirror_tag_key,
    var.mirror_tag_value,
    var.mirror_target_ids,
    var.mirror_target_owners,
    var.mirror_trusted_targets,
    var.mirror_session_tags,
    var.mirror_accepted_reasons,
    var.mirror_filter_id,
    var.mirror_packet_length,
    var.mirror_vni,
    var.mirror_rate_share,
    var.mirror_owner,
    var.maximum_concurrency,
    var.config_rule_memory_size,
    var.config_rule_timeout,
    var.memory_size,
    var.timeout,
    var.sensor_load_balancers,
  ]
}

run "rejects_widening" {
  command = plan

  variables {
    mirror_tag_key         = " Mirror"
    mirror_target_ids      = ["*"]
    mirror_target_owners   = ["*"]
    mirror_trusted_targets = ["*"]
    mirror_session_tags    = { "*" = "x" }
    mirror_filter_id       = "*"
    mirror_packet_length   = 1.5
    mirror_owner           = "*"
  }

  expect_failures = [
    var.mirror_tag_key,
    var.mirror_target_ids,
    var.mirror_target_owners,
    var.mirror_trusted_targets,
    var.mirror_session_tags,
    var.mirror_filter_id,
    var.mirror_packet_length,
    var.mirror_owner,
  ]
}

run "rejects_more_targets_than_have_room" {
  command = plan

  variables {
    mirror_target_ids      = [for n in range(101) : format("tmt-%017x", n)]
    mirror_trusted_targets = [for n in range(101) : format("tmt-%017x", n)]
  }

  expect_failures = [var.mirror_target_ids, var.mirror_trusted_targets]
}

run "rejects_empty" {
  command = plan

  variables {
    mirror_tag_key          = ""
    mirror_target_ids       = [""]
    mirror_target_owners    = [""]
    mirror_session_tags     = { "" = "x" }
    mirror_accepted_reasons = [""]
    unsupported_compliance  = ""
    mirror_filter_id        = ""
    mirror_owner            = ""
    sensor_load_balancers   = [""]
  }

  expect_failures = [
    var.mirror_tag_key,
    var.mirror_target_ids,
    var.mirror_target_owners,
    var.mirror_session_tags,
    var.mirror_accepted_reasons,
    var.unsupported_compliance,
    var.mirror_filter_id,
    var.mirror_owner,
    var.sensor_load_balancers,
  ]
}

run "accepts" {
  command = plan

  variables {
    mirror_tag_key          = "aws:autoscaling:groupName"
    mirror_target_owners    = ["210987654321", "self"]
    mirror_target_ids       = [for n in range(100) : format("tmt-%017x", n)]
    mirror_trusted_targets  = [for n in range(100) : format("tmt-%017x", n)]
    mirror_session_tags     = merge({ for n in range(37) : "key${n}" => "x" }, { "Cost center" = "42", team = "sec=ops", empty = "" })
    mirror_accepted_reasons = ["filter-partial", "instance-type", "instance-type-unknown", "interface-type", "requester-managed", "is-target", "ipv6-only"]
    unsupported_compliance  = null
    sensor_load_balancers   = [for name in ["a", "East-1", "c"] : "net/${name}/0123456789abcdef"]
  }
}

run "rejects_session_tags_with_a_key_of_aws" {
  command = plan

  variables {
    mirror_session_tags = { "aws:x" = "1" }
  }

  expect_failures = [var.mirror_session_tags]
}

run "rejects_session_tags_with_a_key_of_aws_in_another_spelling" {
  command = plan

  variables {
    mirror_session_tags = { "AWS:x" = "1" }
  }

  expect_failures = [var.mirror_session_tags]
}

run "rejects_session_tags_with_the_tag_name" {
  command = plan

  variables {
    mirror_session_tags = { name = "x" }
  }

  expect_failures = [var.mirror_session_tags]
}

run "rejects_session_tags_with_the_tag_invocation" {
  command = plan

  variables {
    mirror_session_tags = { Invocation = "x" }
  }

  expect_failures = [var.mirror_session_tags]
}

run "rejects_session_tags_with_the_tag_installation" {
  command = plan

  variables {
    mirror_session_tags = { Installation = "x" }
  }

  expect_failures = [var.mirror_session_tags]
}

run "rejects_session_tags_with_a_key_with_an_equals_sign" {
  command = plan

  variables {
    mirror_session_tags = { "a=b" = "x" }
  }

  expect_failures = [var.mirror_session_tags]
}

run "rejects_session_tags_with_a_key_with_a_space_at_its_end" {
  command = plan

  variables {
    mirror_session_tags = { "a " = "x" }
  }

  expect_failures = [var.mirror_session_tags]
}

run "rejects_session_tags_with_a_long_key" {
  command = plan

  variables {
    mirror_session_tags = { (join("", [for n in range(129) : "k"])) = "x" }
  }

  expect_failures = [var.mirror_session_tags]
}

run "rejects_session_tags_with_a_value_with_a_comma" {
  command = plan

  variables {
    mirror_session_tags = { a = "1,2" }
  }

  expect_failures = [var.mirror_session_tags]
}

run "rejects_session_tags_with_a_value_of_aws" {
  command = plan

  variables {
    mirror_session_tags = { a = "aws:1" }
  }

  expect_failures = [var.mirror_session_tags]
}

run "rejects_session_tags_with_a_value_with_a_space_before_it" {
  command = plan

  variables {
    mirror_session_tags = { a = " 1" }
  }

  expect_failures = [var.mirror_session_tags]
}

run "rejects_session_tags_with_a_long_value" {
  command = plan

  variables {
    mirror_session_tags = { a = join("", [for n in range(257) : "v"]) }
  }

  expect_failures = [var.mirror_session_tags]
}

# The modules can also be used alone. They reject the same values.

run "module_automirror_rejects" {
  command = plan

  module {
    source = "./modules/automirror"
  }

  variables {
    zip                      = "README.md"
    name                     = "has space"
    mirror_tag_key           = "Mirror*"
    mirror_tag_value         = "False"
    mirror_scope             = "some"
    mirror_vpc_ids           = ["subnet-0123456789abcdef0"]
    mirror_target_ids        = ["tmf-0123456789abcdef0"]
    mirror_target_owners     = ["12345678901"]
    mirror_trusted_targets   = ["eni-0123456789abcdef0"]
    mirror_filter_id         = "tmt-0123456789abcdef0"
    mirror_interfaces        = "first"
    mirror_packet_length     = 0
    mirror_vni               = 0
    mirror_precedence        = "between"
    mirror_mode              = "off"
    mirror_rate_share        = 0
    mirror_owner             = "$${aws:username}"
    mirror_supported_types   = ["m8g.large.x"]
    mirror_unsupported_types = ["t3,"]
    mirror_session_tags      = { ManagedBy = "me" }
    mirror_accepted_reasons  = ["shadowed"]
    maximum_concurrency      = 1
    sweep_schedule           = "15 minutes"
    config_rule_name         = "a rule"
    architecture             = "amd64"
    memory_size              = 127
    timeout                  = 29
    log_level                = "info"
    log_retention_days       = 31
    permissions_boundary_arn = "arn:aws:iam::123456789012:role/not-a-policy"
    kms_key_arn              = "arn:aws:kms:eu-central-1:123456789012:alias/not-a-key"
    subnet_ids               = ["vpc-0123456789abcdef0"]
    security_group_ids       = ["subnet-0123456789abcdef0"]
    code_signing_config_arn  = "arn:aws:lambda:eu-central-1:123456789012:function:f"
    object_version           = "a b"
    alarm_topic_arn          = "arn:aws:sqs:eu-central-1:123456789012:queue"
    sensor_load_balancers    = ["arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/net/sensors/0123456789abcdef"]
  }

  expect_failures = [
    var.name,
    var.mirror_tag_key,
    var.mirror_tag_value,
    var.mirror_scope,
    var.mirror_vpc_ids,
    var.mirror_target_ids,
    var.mirror_target_owners,
    var.mirror_trusted_targets,
    var.mirror_filter_id,
    var.mirror_interfaces,
    var.mirror_packet_length,
    var.mirror_vni,
    var.mirror_precedence,
    var.mirror_mode,
    var.mirror_rate_share,
    var.mirror_owner,
    var.mirror_supported_types,
    var.mirror_unsupported_types,
    var.mirror_session_tags,
    var.mirror_accepted_reasons,
    var.maximum_concurrency,
    var.sweep_schedule,
    var.config_rule_name,
    var.architecture,
    var.memory_size,
    var.timeout,
    var.log_level,
    var.log_retention_days,
    var.permissions_boundary_arn,
    var.kms_key_arn,
    var.subnet_ids,
    var.security_group_ids,
    var.code_signing_config_arn,
    var.alarm_topic_arn,
    var.sensor_load_balancers,
    var.object_version,
  ]
}

run "module_config_rule_rejects" {
  command = plan

  module {
    source = "./modules/config-rule"
  }

  variables {
    zip                       = "README.md"
    name                      = "has space"
    mirror_tag_key            = "Mirror*"
    mirror_tag_value          = "False"
    mirror_scope              = "some"
    mirror_vpc_ids            = ["subnet-0123456789abcdef0"]
    mirror_target_ids         = ["tmf-0123456789abcdef0"]
    mirror_target_owners      = ["12345678901"]
    mirror_trusted_targets    = ["eni-0123456789abcdef0"]
    mirror_filter_id          = "tmt-0123456789abcdef0"
    mirror_interfaces         = "first"
    mirror_packet_length      = 0
    mirror_vni                = 0
    mirror_precedence         = "between"
    mirror_mode               = "off"
    mirror_rate_share         = 0
    mirror_owner              = "$${aws:username}"
    mirror_supported_types    = ["m8g.large.x"]
    mirror_unsupported_types  = ["t3,"]
    mirror_session_tags       = { ManagedBy = "me" }
    mirror_accepted_reasons   = ["shadowed"]
    config_rule_interval      = "Two_Hours"
    unsupported_compliance    = "COMPLIANT"
    config_rule_target_health = 0
    architecture              = "amd64"
    memory_size               = 127
    log_level                 = "info"
    log_retention_days        = 31
    permissions_boundary_arn  = "arn:aws:iam::123456789012:role/not-a-policy"
    kms_key_arn               = "arn:aws:kms:eu-central-1:123456789012:alias/not-a-key"
    subnet_ids                = ["vpc-0123456789abcdef0"]
    security_group_ids        = ["subnet-0123456789abcdef0"]
    code_signing_config_arn   = "arn:aws:lambda:eu-central-1:123456789012:function:f"
    config_rule_name          = "has space"
    mirror_deletion_limit     = 0
    config_rule_timeout       = 29
    config_rule_concurrency   = 0
    role_path                 = "automirror"
    role_name_prefix          = "auto mirror"
    code_bucket               = "Zips"
    object_version            = "a b"
  }

  expect_failures = [
    var.name,
    var.mirror_tag_key,
    var.mirror_tag_value,
    var.mirror_scope,
    var.mirror_vpc_ids,
    var.mirror_target_ids,
    var.mirror_target_owners,
    var.mirror_trusted_targets,
    var.mirror_filter_id,
    var.mirror_interfaces,
    var.mirror_packet_length,
    var.mirror_vni,
    var.mirror_precedence,
    var.mirror_mode,
    var.mirror_rate_share,
    var.mirror_owner,
    var.mirror_supported_types,
    var.mirror_unsupported_types,
    var.mirror_session_tags,
    var.mirror_accepted_reasons,
    var.config_rule_interval,
    var.unsupported_compliance,
    var.config_rule_target_health,
    var.architecture,
    var.memory_size,
    var.log_level,
    var.log_retention_days,
    var.permissions_boundary_arn,
    var.kms_key_arn,
    var.subnet_ids,
    var.security_group_ids,
    var.code_signing_config_arn,
    var.config_rule_name,
    var.mirror_deletion_limit,
    var.config_rule_timeout,
    var.config_rule_concurrency,
    var.role_path,
    var.role_name_prefix,
    var.code_bucket,
    var.object_version,
  ]
}
