locals {
  config_rule_name = "${var.name}-config-rule"
}

module "automirror" {
  source = "./modules/automirror"

  zip                        = var.automirror_zip
  name                       = var.name
  mirror_tag_key             = var.mirror_tag_key
  mirror_tag_value           = var.mirror_tag_value
  mirror_scope               = var.mirror_scope
  mirror_vpc_ids             = var.mirror_vpc_ids
  mirror_target_ids          = var.mirror_target_ids
  mirror_target_owners       = var.mirror_target_owners
  mirror_trusted_targets     = var.mirror_trusted_targets
  mirror_filter_id           = var.mirror_filter_id
  create_filter              = var.create_filter
  mirror_interfaces          = var.mirror_interfaces
  mirror_packet_length       = var.mirror_packet_length
  mirror_vni                 = var.mirror_vni
  mirror_precedence          = var.mirror_precedence
  mirror_keep_stopped        = var.mirror_keep_stopped
  mirror_mode                = var.mirror_mode
  mirror_rate_share          = var.mirror_rate_share
  mirror_owner               = var.mirror_owner
  mirror_supported_types     = var.mirror_supported_types
  mirror_unsupported_types   = var.mirror_unsupported_types
  mirror_session_tags        = var.mirror_session_tags
  mirror_accepted_reasons    = var.mirror_accepted_reasons
  maximum_concurrency        = var.maximum_concurrency
  sweep_schedule             = var.sweep_schedule
  config_rule_name           = var.create_config_rule ? local.config_rule_name : null
  architecture               = var.architecture
  memory_size                = var.memory_size
  timeout                    = var.timeout
  log_level                  = var.log_level
  log_retention_days         = var.log_retention_days
  permissions_boundary_arn   = var.permissions_boundary_arn
  kms_key_arn                = var.kms_key_arn
  subnet_ids                 = var.subnet_ids
  security_group_ids         = var.security_group_ids
  code_signing_config_arn    = var.code_signing_config_arn
  alarm_topic_arn            = var.alarm_topic_arn
  create_topic               = var.create_topic
  create_compliance_messages = var.create_compliance_messages
}

module "config_rule" {
  source = "./modules/config-rule"
  count  = var.create_config_rule ? 1 : 0

  zip                      = var.config_rule_zip
  name                     = local.config_rule_name
  mirror_tag_key           = var.mirror_tag_key
  mirror_tag_value         = var.mirror_tag_value
  mirror_scope             = var.mirror_scope
  mirror_vpc_ids           = var.mirror_vpc_ids
  mirror_target_ids        = var.mirror_target_ids
  mirror_target_owners     = var.mirror_target_owners
  mirror_trusted_targets   = var.mirror_trusted_targets
  mirror_filter_id         = module.automirror.filter_id
  mirror_interfaces        = var.mirror_interfaces
  mirror_packet_length     = var.mirror_packet_length
  mirror_vni               = var.mirror_vni
  mirror_precedence        = var.mirror_precedence
  mirror_keep_stopped      = var.mirror_keep_stopped
  mirror_mode              = var.mirror_mode
  mirror_rate_share        = var.mirror_rate_share
  mirror_owner             = var.mirror_owner
  mirror_supported_types   = var.mirror_supported_types
  mirror_unsupported_types = var.mirror_unsupported_types
  mirror_session_tags      = var.mirror_session_tags
  mirror_accepted_reasons  = var.mirror_accepted_reasons
  config_rule_interval     = var.config_rule_interval
  unsupported_compliance   = var.unsupported_compliance
  architecture             = var.architecture
  memory_size              = var.config_rule_memory_size
  log_level                = var.log_level
  log_retention_days       = var.log_retention_days
  permissions_boundary_arn = var.permissions_boundary_arn
  kms_key_arn              = var.kms_key_arn
  subnet_ids               = var.subnet_ids
  security_group_ids       = var.security_group_ids
  code_signing_config_arn  = var.code_signing_config_arn
  alarm_topic_arn          = module.automirror.topic_arn
}
