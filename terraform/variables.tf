# Zips and names

variable "automirror_zip" {
  description = "Path of the zip of automirror, which `make package` builds. Null if the zips are in a bucket."
  type        = string
  default     = null
}

variable "config_rule_zip" {
  description = "Path of the zip of config-rule, which `make package` builds. Null if the zips are in a bucket or `create_config_rule` is false."
  type        = string
  default     = null
}

variable "code_bucket" {
  description = "S3 bucket with the zips of the functions, in the region of the functions. Set it, or `code_bucket_prefix`, or the paths of the zips."
  type        = string
  default     = null

  validation {
    condition     = var.code_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.code_bucket))
    error_message = "It must be the name of a bucket."
  }
}

variable "code_bucket_prefix" {
  description = "Name, without a hyphen and the region at its end, of the buckets with the zips. The module takes the bucket of its own region, such as zips-eu-west-1 for zips."
  type        = string
  default     = null

  validation {
    condition     = var.code_bucket_prefix == null || can(regex("^[a-z0-9][a-z0-9.-]{1,40}$", var.code_bucket_prefix))
    error_message = "It must be the beginning of the name of a bucket."
  }
}

variable "code_key_prefix" {
  description = "Beginning of the keys of the zips, such as automirror/0.1.0/. What follows is automirror-arm64.zip, for example. Lambda takes new zips only if this changes."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9!_.*()/-]{0,512}$", var.code_key_prefix))
    error_message = "It must be at most 512 characters that are allowed in a key of S3."
  }
}

variable "automirror_object_version" {
  description = "S3 object version of the zip of automirror, if the bucket keeps versions. Lambda then takes a new zip if this changes. Null means the newest one at the time when the key changes."
  type        = string
  default     = null

  validation {
    condition     = var.automirror_object_version == null ? true : can(regex("^[A-Za-z0-9._-]+$", var.automirror_object_version)) && length(var.automirror_object_version) <= 1024
    error_message = "It must be the version id of an object in S3."
  }
}

variable "config_rule_object_version" {
  description = "S3 object version of the zip of config-rule, if the bucket keeps versions. Lambda then takes a new zip if this changes. Null means the newest one at the time when the key changes."
  type        = string
  default     = null

  validation {
    condition     = var.config_rule_object_version == null ? true : can(regex("^[A-Za-z0-9._-]+$", var.config_rule_object_version)) && length(var.config_rule_object_version) <= 1024
    error_message = "It must be the version id of an object in S3."
  }
}

variable "name" {
  description = "Prefix of the names of all resources. Two installations in one account and region need different values."
  type        = string
  default     = "automirror"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,31}$", var.name))
    error_message = "It must be 1 to 32 letters, digits and hyphens, and must start with a letter."
  }
}

variable "tags" {
  description = "Tags of all resources that the module creates."
  type        = map(string)
  default     = {}
  nullable    = false
}

# Settings of automirror

variable "mirror_tag_key" {
  description = "Key of the tag that selects an instance for mirroring. Case is ignored. It can be a key that AWS sets, such as `aws:autoscaling:groupName`. A change of such a tag has no event, so automirror sees it at the next state change of the instance or at the next sweep."
  type        = string
  default     = "Mirror"
  nullable    = false

  validation {
    condition     = can(regex("^[\\p{L}\\p{N} +=._:/@-]{1,128}$", var.mirror_tag_key)) && trimspace(var.mirror_tag_key) == var.mirror_tag_key && !contains(["mirror-target", "mirror-filter", "mirror-interfaces"], lower(var.mirror_tag_key))
    error_message = "It must be a tag key of at most 128 characters with no space at either end. It must not be Mirror-Target, Mirror-Filter or Mirror-Interfaces."
  }
}

variable "mirror_tag_value" {
  description = "Value of the tag that selects an instance for mirroring. Case is ignored."
  type        = string
  default     = "True"
  nullable    = false

  validation {
    condition     = can(regex("^[\\p{L}\\p{N} +=._:/@-]{1,256}$", var.mirror_tag_value)) && trimspace(var.mirror_tag_value) == var.mirror_tag_value && !startswith(lower(var.mirror_tag_value), "aws:") && lower(var.mirror_tag_value) != "false"
    error_message = "It must be a tag value of at most 256 characters with no space at either end. It must not start with aws: and must not be False, which opts an instance out."
  }
}

variable "mirror_scope" {
  description = "With `tagged`, only instances with the selecting tag are mirrored. With `all`, every instance is mirrored unless the value of that tag is `False`."
  type        = string
  default     = "tagged"
  nullable    = false

  validation {
    condition     = contains(["tagged", "all"], var.mirror_scope)
    error_message = "It must be tagged or all."
  }
}

variable "mirror_vpc_ids" {
  description = "VPCs whose instances are mirrored. An empty list means all VPCs. Sessions in other VPCs stay as they are."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.mirror_vpc_ids : can(regex("^vpc-[0-9a-f]{8,17}$", id))])
    error_message = "Each item must be an id that starts with vpc-, such as vpc-0123456789abcdef0."
  }
}

variable "mirror_target_ids" {
  description = "Allowed mirror targets. An empty list allows all targets of the accounts in `mirror_target_owners`."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.mirror_target_ids) <= 100
    error_message = "There must be at most 100 targets."
  }

  validation {
    condition     = alltrue([for id in var.mirror_target_ids : can(regex("^tmt-[0-9a-f]{8,17}$", id))])
    error_message = "Each item must be an id that starts with tmt-, such as tmt-0123456789abcdef0."
  }
}

variable "mirror_target_owners" {
  description = "Accounts whose mirror targets are allowed. The word `self` stands for this account. An empty list means `self`. Ignored if `mirror_target_ids` is set."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for account in var.mirror_target_owners : can(regex("^(self|[0-9]{12})$", account))])
    error_message = "Each item must be an account id of 12 digits, or self."
  }
}

variable "mirror_trusted_targets" {
  description = "Mirror targets to which the sessions of others may lead too. automirror never chooses them."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.mirror_trusted_targets) <= 100
    error_message = "There must be at most 100 targets."
  }

  validation {
    condition     = alltrue([for id in var.mirror_trusted_targets : can(regex("^tmt-[0-9a-f]{8,17}$", id))])
    error_message = "Each item must be an id that starts with tmt-, such as tmt-0123456789abcdef0."
  }
}

variable "mirror_filter_id" {
  description = "Id of the default mirror filter. If it is set, automirror has no permission to use another filter. If it is null, the module creates a filter for IPv4, IPv6 and Amazon DNS."
  type        = string
  default     = null

  validation {
    condition     = var.mirror_filter_id == null || can(regex("^tmf-[0-9a-f]{8,17}$", var.mirror_filter_id))
    error_message = "It must be an id that starts with tmf-, such as tmf-0123456789abcdef0."
  }
}

variable "create_filter" {
  description = "Whether to create the default mirror filter. If this is null, the module creates it if `mirror_filter_id` is null. Set this to false if `mirror_filter_id` is known only after apply."
  type        = bool
  default     = null
}

variable "mirror_interfaces" {
  description = "With `all`, every network interface of an instance is mirrored. With `primary`, only the one with device index 0 is."
  type        = string
  default     = "all"
  nullable    = false

  validation {
    condition     = contains(["all", "primary"], var.mirror_interfaces)
    error_message = "It must be all or primary."
  }
}

variable "mirror_packet_length" {
  description = "Number of bytes of each packet that are mirrored. Null means EC2's default, the whole packet."
  type        = number
  default     = null

  validation {
    condition     = var.mirror_packet_length == null ? true : var.mirror_packet_length >= 1 && var.mirror_packet_length <= 8500 && floor(var.mirror_packet_length) == var.mirror_packet_length
    error_message = "It must be a whole number from 1 to 8500."
  }
}

variable "mirror_vni" {
  description = "VXLAN network identifier (VNI) of the sessions. If it is null, EC2 chooses one."
  type        = number
  default     = null

  validation {
    condition     = var.mirror_vni == null ? true : var.mirror_vni >= 1 && var.mirror_vni <= 16777215 && floor(var.mirror_vni) == var.mirror_vni
    error_message = "It must be a whole number from 1 to 16777215."
  }
}

variable "mirror_precedence" {
  description = "Whether the session numbers of this installation are higher than those of all other sessions on the interface (`after`), or lower (`before`)."
  type        = string
  default     = "after"
  nullable    = false

  validation {
    condition     = contains(["after", "before"], var.mirror_precedence)
    error_message = "It must be after or before."
  }
}

variable "mirror_keep_stopped" {
  description = "Whether stopped instances keep their sessions, which AWS bills."
  type        = bool
  default     = false
  nullable    = false
}

variable "mirror_mode" {
  description = "With `enforce`, automirror creates, modifies and deletes sessions. With `detect`, it only logs what it would do."
  type        = string
  default     = "enforce"
  nullable    = false

  validation {
    condition     = contains(["enforce", "detect"], var.mirror_mode)
    error_message = "It must be enforce or detect."
  }
}

variable "mirror_rate_share" {
  description = "Percentage of EC2's request rate limits for changes that one execution environment of automirror uses."
  type        = number
  default     = 80
  nullable    = false

  validation {
    condition     = var.mirror_rate_share >= 1 && var.mirror_rate_share <= 100 && floor(var.mirror_rate_share) == var.mirror_rate_share
    error_message = "It must be a whole number from 1 to 100."
  }
}

variable "mirror_deletion_limit" {
  description = "Percentage of the sessions of this installation that may be deleted within an hour because of tags or settings. What is beyond it is held back, and an alarm rings."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.mirror_deletion_limit >= 1 && var.mirror_deletion_limit <= 100 && floor(var.mirror_deletion_limit) == var.mirror_deletion_limit
    error_message = "It must be a whole number from 1 to 100."
  }
}

variable "mirror_owner" {
  description = "Value of the tag `ManagedBy` on the sessions of this installation. Two installations in one account and region need different values."
  type        = string
  default     = "automirror"
  nullable    = false

  validation {
    condition     = can(regex("^[\\p{L}\\p{N} +=._:/@-]{1,256}$", var.mirror_owner)) && trimspace(var.mirror_owner) == var.mirror_owner && !startswith(lower(var.mirror_owner), "aws:")
    error_message = "It must be a tag value of at most 256 characters with no space at either end. It must not start with aws:."
  }
}

variable "mirror_supported_types" {
  description = "Instance families (`m8g`) or types (`m7i.metal-24xl`) that support mirroring, in addition to the built-in list."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for type in var.mirror_supported_types : can(regex("^[A-Za-z0-9-]+([.][A-Za-z0-9-]+)?$", type))])
    error_message = "Each item must be an instance family such as m8g or an instance type such as m7i.metal-24xl."
  }
}

variable "mirror_unsupported_types" {
  description = "Instance families (`t3`) or types (`t3.micro`) that automirror does not try to mirror."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for type in var.mirror_unsupported_types : can(regex("^[A-Za-z0-9-]+([.][A-Za-z0-9-]+)?$", type))])
    error_message = "Each item must be an instance family such as m8g or an instance type such as m7i.metal-24xl."
  }
}

variable "mirror_session_tags" {
  description = "Further tags of new sessions, by key, at most 40. The role of automirror has permission for these keys and for no other."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.mirror_session_tags) <= 40
    error_message = "There must be at most 40 tags."
  }

  validation {
    condition     = alltrue([for key, value in var.mirror_session_tags : can(regex("^[\\p{L}\\p{N} +._:/@-]{1,128}$", key)) && trimspace(key) == key && !startswith(lower(key), "aws:") && !contains(["managedby", "name", "invocation", "installation"], lower(key))])
    error_message = "Each key must be a tag key of at most 128 characters without = and with no space at either end. It must not start with aws: and must not be ManagedBy, Name, Invocation or Installation."
  }

  validation {
    condition     = alltrue([for value in values(var.mirror_session_tags) : can(regex("^[\\p{L}\\p{N} +=._:/@-]{0,256}$", value)) && trimspace(value) == value && !startswith(lower(value), "aws:")])
    error_message = "Each value must be a tag value of at most 256 characters with no space at either end. It must not start with aws:."
  }
}

variable "mirror_accepted_reasons" {
  description = "Codes of reasons that do not make an instance NON_COMPLIANT."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for reason in var.mirror_accepted_reasons : contains(["filter-partial", "instance-type", "instance-type-unknown", "interface-type", "requester-managed", "is-target", "ipv6-only"], reason)])
    error_message = "Each item must be one of filter-partial, instance-type, instance-type-unknown, interface-type, requester-managed, is-target and ipv6-only."
  }
}

# Events and queue

variable "maximum_concurrency" {
  description = "Maximum number of concurrent invocations that Lambda starts for the queue."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.maximum_concurrency >= 2 && var.maximum_concurrency <= 1000 && floor(var.maximum_concurrency) == var.maximum_concurrency
    error_message = "It must be a whole number from 2 to 1000."
  }
}

variable "sweep_schedule" {
  description = "Schedule of the sweep, as an EventBridge `rate(…)` or `cron(…)` expression. The sweep checks all interfaces and sessions and repairs what events missed."
  type        = string
  default     = "rate(15 minutes)"
  nullable    = false

  validation {
    condition     = can(regex("^(rate|cron)[(][^()]+[)]$", var.sweep_schedule))
    error_message = "It must be an EventBridge rate(…) or cron(…) expression, such as rate(15 minutes)."
  }
}

variable "heartbeat_periods" {
  description = "Number of quarters of an hour without a completed sweep after which an alarm rings. If `sweep_schedule` is slower than every 15 minutes, set it to three times that interval."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.heartbeat_periods >= 2 && var.heartbeat_periods <= 96 && floor(var.heartbeat_periods) == var.heartbeat_periods
    error_message = "It must be a whole number from 2 to 96."
  }
}

# AWS Config

variable "create_config_rule" {
  description = "Whether to create the AWS Config rule and its function."
  type        = bool
  default     = true
  nullable    = false
}

variable "config_rule_name" {
  description = "Name of the AWS Config rule. The same name in every account lets an aggregator query the rule in all of them. Two installations in one account and region need different names."
  type        = string
  default     = "automirror"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.config_rule_name))
    error_message = "It must be 1 to 64 letters, digits, hyphens and underscores."
  }
}

variable "config_rule_interval" {
  description = "How often config-rule evaluates all instances and sessions. It also evaluates each change that AWS Config records."
  type        = string
  default     = "One_Hour"
  nullable    = false

  validation {
    condition     = contains(["One_Hour", "Three_Hours", "Six_Hours", "Twelve_Hours", "TwentyFour_Hours"], var.config_rule_interval)
    error_message = "It must be One_Hour, Three_Hours, Six_Hours, Twelve_Hours or TwentyFour_Hours."
  }
}

variable "unsupported_compliance" {
  description = "Compliance type of instances that EC2 cannot mirror. Null means NON_COMPLIANT for an instance with the selecting tag, and NOT_APPLICABLE for an instance without it."
  type        = string
  default     = null

  validation {
    condition     = var.unsupported_compliance == null ? true : contains(["NOT_APPLICABLE", "NON_COMPLIANT"], var.unsupported_compliance)
    error_message = "It must be NOT_APPLICABLE or NON_COMPLIANT."
  }
}

variable "config_rule_target_health" {
  description = "If it is set, config-rule also looks at what is behind the targets (state, listener and health of load balancers, security groups), with permissions of its own. An instance is NON_COMPLIANT when nothing has received its packets for so many minutes. AWS Config must record Traffic Mirror targets. Null means that it does not look there."
  type        = number
  default     = null

  validation {
    condition     = var.config_rule_target_health == null ? true : var.config_rule_target_health >= 1 && var.config_rule_target_health <= 1440 && floor(var.config_rule_target_health) == var.config_rule_target_health
    error_message = "It must be a whole number from 1 to 1440."
  }
}

variable "config_rule_memory_size" {
  description = "Memory of config-rule in MB."
  type        = number
  default     = 128
  nullable    = false

  validation {
    condition     = var.config_rule_memory_size >= 128 && var.config_rule_memory_size <= 10240 && floor(var.config_rule_memory_size) == var.config_rule_memory_size
    error_message = "It must be a whole number from 128 to 10240."
  }
}

variable "config_rule_timeout" {
  description = "Timeout of config-rule in seconds. In an account with more instances than it can evaluate in this time, it fails and its log says what it did not reach."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.config_rule_timeout >= 30 && var.config_rule_timeout <= 900 && floor(var.config_rule_timeout) == var.config_rule_timeout
    error_message = "It must be a whole number from 30 to 900."
  }
}

variable "config_rule_concurrency" {
  description = "Number of concurrent executions that are reserved for config-rule, which also limits it. 5 is enough for most accounts. Null reserves none, for accounts whose quota of concurrent executions is too small."
  type        = number
  default     = null

  validation {
    condition     = var.config_rule_concurrency == null ? true : var.config_rule_concurrency >= 1 && var.config_rule_concurrency <= 9999 && floor(var.config_rule_concurrency) == var.config_rule_concurrency
    error_message = "It must be a whole number from 1 to 9999."
  }
}

# Functions

variable "architecture" {
  description = "Processor architecture of the functions. The zips must be built for it."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "It must be arm64 or x86_64."
  }
}

variable "memory_size" {
  description = "Memory of automirror in MB."
  type        = number
  default     = 128
  nullable    = false

  validation {
    condition     = var.memory_size >= 128 && var.memory_size <= 10240 && floor(var.memory_size) == var.memory_size
    error_message = "It must be a whole number from 128 to 10240."
  }
}

variable "timeout" {
  description = "Timeout of automirror in seconds. The visibility timeout of the queue is six times as long, and a second longer."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.timeout >= 30 && var.timeout <= 900 && floor(var.timeout) == var.timeout
    error_message = "It must be a whole number from 30 to 900."
  }
}

variable "log_level" {
  description = "Lowest level of the log lines that Lambda keeps."
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["TRACE", "DEBUG", "INFO", "WARN", "ERROR"], var.log_level)
    error_message = "It must be TRACE, DEBUG, INFO, WARN or ERROR."
  }
}

variable "log_retention_days" {
  description = "Number of days that CloudWatch Logs keeps the logs."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "It must be a number of days that CloudWatch Logs accepts, such as 7, 30 or 365."
  }
}

variable "role_path" {
  description = "Path of the roles. With the same path in every account, a service control policy can name them."
  type        = string
  default     = "/automirror/"
  nullable    = false

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.role_path))
    error_message = "It must begin and end with a slash."
  }
}

variable "role_name_prefix" {
  description = "Beginning of the names of the roles, such as automirror for automirror-eu-west-1, automirror-config-rule-eu-west-1 and automirror-lifecycle-eu-west-1. Null means `name`."
  type        = string
  default     = null

  validation {
    condition     = var.role_name_prefix == null ? true : can(regex("^[A-Za-z0-9+=,.@_-]{1,37}$", var.role_name_prefix))
    error_message = "It must be 1 to 37 letters, digits or + = , . @ _ -."
  }
}

variable "permissions_boundary_arn" {
  description = "IAM policy that is the permissions boundary of the roles, as its ARN, or as its name if it is a policy of the same account."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^(arn:aws[a-z-]*:iam:[^:]*:[^:]+:policy/.+|[A-Za-z0-9+=,.@_/-]+)$", var.permissions_boundary_arn))
    error_message = "It must be the ARN or the name of an IAM policy."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the queues, the logs, the topic and the functions' settings. The README says what its key policy must allow."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[^:]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "It must be the ARN of a KMS key, not of an alias."
  }
}

variable "subnet_ids" {
  description = "Subnets that the functions run in. They must reach the APIs of EC2 and AWS Config. An empty list means that the functions are not connected to a VPC."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]{8,17}$", id))])
    error_message = "Each item must be an id that starts with subnet-, such as subnet-0123456789abcdef0."
  }
}

variable "security_group_ids" {
  description = "Security groups of the functions. Set them if `subnet_ids` is set, and only then."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.security_group_ids : can(regex("^sg-[0-9a-f]{8,17}$", id))])
    error_message = "Each item must be an id that starts with sg-, such as sg-0123456789abcdef0."
  }
}

variable "code_signing_config_arn" {
  description = "ARN of the code signing configuration of the functions."
  type        = string
  default     = null

  validation {
    condition     = var.code_signing_config_arn == null || can(regex("^arn:aws[a-z-]*:lambda:[^:]+:[0-9]{12}:code-signing-config:", var.code_signing_config_arn))
    error_message = "It must be the ARN of a Lambda code signing configuration."
  }
}

# Alarms and notifications

variable "alarm_topic_arn" {
  description = "ARN of an SNS topic of yours for alarms and messages, of this account or another. Its policy must allow CloudWatch and EventBridge to publish (see README)."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:aws[a-z-]*:sns:[^:]+:[0-9]{12}:", var.alarm_topic_arn))
    error_message = "It must be the ARN of an SNS topic."
  }
}

variable "create_topic" {
  description = "Whether to create an SNS topic for alarms and messages. It must be false if `alarm_topic_arn` is set."
  type        = bool
  default     = false
  nullable    = false
}

variable "create_compliance_messages" {
  description = "Whether to send messages about compliance and about filters and targets to the topic. If this is null, they are sent if there is a topic. Set this to true if `alarm_topic_arn` is known only after apply."
  type        = bool
  default     = null
}

variable "compliance_messages" {
  description = "With `problems`, the topic gets a message when a resource becomes NON_COMPLIANT and when it stops being so. With `all`, it gets one for each change of compliance."
  type        = string
  default     = "problems"
  nullable    = false

  validation {
    condition     = contains(["problems", "all"], var.compliance_messages)
    error_message = "It must be problems or all."
  }
}

variable "alarm_email" {
  description = "E-mail address that gets the alarms and messages. The module then creates a topic. AWS sends a mail with a link first, which must be followed. It must be null if `alarm_topic_arn` is set."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null || can(regex("^[^@\\s]+@[^@\\s]+$", var.alarm_email))
    error_message = "It must be an e-mail address."
  }
}

variable "event_bus_arn" {
  description = "ARN of an event bus, mostly of a central account, that gets the state changes of the alarms, the compliance changes and each change of a mirror filter or target. It can be in another region. Its policy must allow this account or its organization to put events."
  type        = string
  default     = null

  validation {
    condition     = var.event_bus_arn == null || can(regex("^arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/.+$", var.event_bus_arn))
    error_message = "It must be the ARN of an event bus."
  }
}

variable "create_alarms" {
  description = "Whether to create the alarms and the metrics that they need."
  type        = bool
  default     = true
  nullable    = false
}

variable "sensor_load_balancers" {
  description = "At most three Network Load Balancers of sensors, in this account and region, each as the end of its ARN (`net/NAME/ID`, the attribute `arn_suffix` of an `aws_lb`). With them, an alarm rings when nothing arrives at any of them for about three hours although there are sessions. An empty list means no such alarm."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.sensor_load_balancers) <= 3
    error_message = "There must be at most three load balancers."
  }

  validation {
    condition     = alltrue([for name in var.sensor_load_balancers : can(regex("^net/[A-Za-z0-9-]{1,32}/[0-9a-f]{16}$", name))])
    error_message = "Each item must be the end of the ARN of a Network Load Balancer, such as net/sensors/0123456789abcdef."
  }
}

variable "create_dashboard" {
  description = "Whether to create the dashboard."
  type        = bool
  default     = true
  nullable    = false
}
