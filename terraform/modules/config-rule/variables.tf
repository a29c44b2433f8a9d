# Code and names

variable "zip" {
  description = "Path of the package of the function, as `make package` builds it."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the function and the rule, and beginning of all other names; two deployments in one account and region need two."
  type        = string
  default     = "automirror-config-rule"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,43}$", var.name))
    error_message = "It must be at most 44 letters, digits and hyphens, and start with a letter."
  }
}

# What is mirrored, and to where

variable "mirror_tag_key" {
  description = "Key of the tag that selects an instance."
  type        = string
  default     = "Mirror"
  nullable    = false

  validation {
    condition     = can(regex("^[\\p{L}\\p{N} +=._:/@-]{1,128}$", var.mirror_tag_key)) && trimspace(var.mirror_tag_key) == var.mirror_tag_key && !startswith(lower(var.mirror_tag_key), "aws:") && !contains(["mirror-target", "mirror-filter", "mirror-interfaces"], lower(var.mirror_tag_key))
    error_message = "It must be a tag key of at most 128 characters, not starting with aws: and none of Mirror-Target, Mirror-Filter and Mirror-Interfaces."
  }
}

variable "mirror_tag_value" {
  description = "Value of the tag that selects an instance."
  type        = string
  default     = "True"
  nullable    = false

  validation {
    condition     = can(regex("^[\\p{L}\\p{N} +=._:/@-]{1,256}$", var.mirror_tag_value)) && trimspace(var.mirror_tag_value) == var.mirror_tag_value && !startswith(lower(var.mirror_tag_value), "aws:") && lower(var.mirror_tag_value) != "false"
    error_message = "It must be a tag value of at most 256 characters, not starting with aws: and not False, which opts an instance out."
  }
}

variable "mirror_scope" {
  description = "`tagged` mirrors only what is tagged, `all` everything but what is tagged `False`."
  type        = string
  default     = "tagged"
  nullable    = false

  validation {
    condition     = contains(["tagged", "all"], var.mirror_scope)
    error_message = "It must be tagged or all."
  }
}

variable "mirror_vpc_ids" {
  description = "The VPCs to look after; none means all."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.mirror_vpc_ids : can(regex("^vpc-[0-9a-f]{8,17}$", id))])
    error_message = "Each must be an id that starts with vpc-, such as vpc-0123456789abcdef0."
  }
}

variable "mirror_target_ids" {
  description = "The allowed targets; none means every target of this account and those of `mirror_target_owners`."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.mirror_target_ids : can(regex("^tmt-[0-9a-f]{8,17}$", id))])
    error_message = "Each must be an id that starts with tmt-, such as tmt-0123456789abcdef0."
  }
}

variable "mirror_target_owners" {
  description = "Accounts whose shared targets are allowed too; of no effect with `mirror_target_ids`."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for account in var.mirror_target_owners : can(regex("^[0-9]{12}$", account))])
    error_message = "Each must be an account id of 12 digits."
  }
}

variable "mirror_filter_id" {
  description = "The default filter; null means the one tagged `ManagedBy` with `mirror_owner`, else the only one there is."
  type        = string
  default     = null

  validation {
    condition     = var.mirror_filter_id == null || can(regex("^tmf-[0-9a-f]{8,17}$", var.mirror_filter_id))
    error_message = "It must be an id that starts with tmf-, such as tmf-0123456789abcdef0."
  }
}

variable "mirror_interfaces" {
  description = "Which interfaces of an instance are mirrored: `all`, or `primary` for device index 0 only."
  type        = string
  default     = "all"
  nullable    = false

  validation {
    condition     = contains(["all", "primary"], var.mirror_interfaces)
    error_message = "It must be all or primary."
  }
}

variable "mirror_packet_length" {
  description = "Bytes kept of each packet; null is EC2's default."
  type        = number
  default     = null

  validation {
    condition     = var.mirror_packet_length == null ? true : var.mirror_packet_length >= 1 && var.mirror_packet_length <= 8500 && floor(var.mirror_packet_length) == var.mirror_packet_length
    error_message = "It must be a whole number from 1 to 8500."
  }
}

variable "mirror_vni" {
  description = "VXLAN network identifier; null lets EC2 choose."
  type        = number
  default     = null

  validation {
    condition     = var.mirror_vni == null ? true : var.mirror_vni >= 1 && var.mirror_vni <= 16777215 && floor(var.mirror_vni) == var.mirror_vni
    error_message = "It must be a whole number from 1 to 16777215."
  }
}

variable "mirror_precedence" {
  description = "Session numbers beside foreign sessions: `after` all of them, or `before`."
  type        = string
  default     = "after"
  nullable    = false

  validation {
    condition     = contains(["after", "before"], var.mirror_precedence)
    error_message = "It must be after or before."
  }
}

variable "mirror_keep_stopped" {
  description = "Keep the sessions of stopped instances; AWS bills them."
  type        = bool
  default     = false
  nullable    = false
}

variable "mirror_mode" {
  description = "`enforce` carries the plan out, `detect` logs it and changes nothing."
  type        = string
  default     = "enforce"
  nullable    = false

  validation {
    condition     = contains(["enforce", "detect"], var.mirror_mode)
    error_message = "It must be enforce or detect."
  }
}

variable "mirror_rate_share" {
  description = "How much of the rate at which EC2 takes changes one process of automirror uses, in percent."
  type        = number
  default     = 80
  nullable    = false

  validation {
    condition     = var.mirror_rate_share >= 1 && var.mirror_rate_share <= 100 && floor(var.mirror_rate_share) == var.mirror_rate_share
    error_message = "It must be a whole number from 1 to 100."
  }
}

variable "mirror_owner" {
  description = "Value of the tag `ManagedBy` on our sessions; two deployments in one account and region need two."
  type        = string
  default     = "automirror"
  nullable    = false

  validation {
    condition     = can(regex("^[\\p{L}\\p{N} +=._:/@-]{1,256}$", var.mirror_owner)) && trimspace(var.mirror_owner) == var.mirror_owner && !startswith(lower(var.mirror_owner), "aws:")
    error_message = "It must be a tag value of at most 256 characters, not starting with aws:."
  }
}

variable "mirror_supported_types" {
  description = "Instance families and types to add to what can be mirrored."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for type in var.mirror_supported_types : can(regex("^[A-Za-z0-9-]+([.][A-Za-z0-9-]+)?$", type))])
    error_message = "Each must be a family such as m8g or a type such as m7i.metal-24xl."
  }
}

variable "mirror_unsupported_types" {
  description = "Instance families and types that are not to be tried."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for type in var.mirror_unsupported_types : can(regex("^[A-Za-z0-9-]+([.][A-Za-z0-9-]+)?$", type))])
    error_message = "Each must be a family such as m8g or a type such as m7i.metal-24xl."
  }
}

# The Config rule

variable "config_rule_interval" {
  description = "How often the Config rule judges everything, besides at each change."
  type        = string
  default     = "TwentyFour_Hours"
  nullable    = false

  validation {
    condition     = contains(["One_Hour", "Three_Hours", "Six_Hours", "Twelve_Hours", "TwentyFour_Hours"], var.config_rule_interval)
    error_message = "It must be One_Hour, Three_Hours, Six_Hours, Twelve_Hours or TwentyFour_Hours."
  }
}

variable "unsupported_compliance" {
  description = "The verdict on instances that cannot be mirrored."
  type        = string
  default     = "NOT_APPLICABLE"
  nullable    = false

  validation {
    condition     = contains(["NOT_APPLICABLE", "NON_COMPLIANT"], var.unsupported_compliance)
    error_message = "It must be NOT_APPLICABLE or NON_COMPLIANT."
  }
}

# Functions

variable "architecture" {
  description = "Processor of the function: that of the package."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "It must be arm64 or x86_64."
  }
}

variable "memory_size" {
  description = "Memory of the function in MB."
  type        = number
  default     = 128
  nullable    = false

  validation {
    condition     = var.memory_size >= 128 && var.memory_size <= 10240 && floor(var.memory_size) == var.memory_size
    error_message = "It must be a whole number from 128 to 10240."
  }
}

variable "log_level" {
  description = "The least level of what the function logs."
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["TRACE", "DEBUG", "INFO", "WARN", "ERROR"], var.log_level)
    error_message = "It must be TRACE, DEBUG, INFO, WARN or ERROR."
  }
}

variable "log_retention_days" {
  description = "Days the log is kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "It must be a number of days that CloudWatch Logs accepts, such as 7, 30 or 365."
  }
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds the role."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z-]*:iam:[^:]*:[^:]+:policy/", var.permissions_boundary_arn))
    error_message = "It must be the ARN of a policy."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts log and settings; its policy must admit the services (see README)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[^:]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "It must be the ARN of a key, not of an alias."
  }
}

variable "subnet_ids" {
  description = "Subnets the function runs in, with a way to the endpoint of EC2 and AWS Config; none is outside any VPC."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]{8,17}$", id))])
    error_message = "Each must be an id that starts with subnet-, such as subnet-0123456789abcdef0."
  }
}

variable "security_group_ids" {
  description = "Security groups of the function in these subnets."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.security_group_ids : can(regex("^sg-[0-9a-f]{8,17}$", id))])
    error_message = "Each must be an id that starts with sg-, such as sg-0123456789abcdef0."
  }
}

variable "code_signing_config_arn" {
  description = "Code signing configuration of the function."
  type        = string
  default     = null

  validation {
    condition     = var.code_signing_config_arn == null || can(regex("^arn:aws[a-z-]*:lambda:[^:]+:[0-9]{12}:code-signing-config:", var.code_signing_config_arn))
    error_message = "It must be the ARN of a code signing configuration."
  }
}

# Alarms and messages

variable "alarm_topic_arn" {
  description = "SNS topic for alarms; its policy must admit CloudWatch."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:aws[a-z-]*:sns:[^:]+:[0-9]{12}:", var.alarm_topic_arn))
    error_message = "It must be the ARN of an SNS topic."
  }
}
