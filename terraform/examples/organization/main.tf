# automirror in the accounts of an organization, as a StackSet. It is what cloudformation/organization.yaml creates, for
# those who manage their organization with Terraform. cloudformation/publish.sh prints five of the variables.

provider "aws" {}

variable "template_url" {
  description = "URL of automirror.yaml in S3."
  type        = string
}

variable "code_bucket_prefix" {
  description = "Name of the buckets with the zips, without a hyphen and the region."
  type        = string
}

variable "code_key_prefix" {
  description = "Beginning of the keys of the zips."
  type        = string
}

variable "architecture" {
  description = "Processor architecture of the zips."
  type        = string
}

variable "organizational_unit_ids" {
  description = "Organizational units whose accounts get automirror."
  type        = list(string)
}

variable "regions" {
  description = "Regions in which each account gets automirror."
  type        = list(string)
}

variable "mirror_target_owner" {
  description = "Account with the sensors, which shares its targets."
  type        = string
}

variable "event_bus_arn" {
  description = "ARN of the event bus that gets the alarms and compliance changes of all accounts."
  type        = string
}

variable "mirror_mode" {
  description = "With `detect`, automirror only logs what it would do."
  type        = string
  default     = "detect"
}

variable "role_name_prefix" {
  description = "Beginning of the names of the roles, the same in every account. If empty, CloudFormation chooses the names."
  type        = string
  default     = ""
}

resource "aws_cloudformation_stack_set" "automirror" {
  name             = "automirror"
  description      = "automirror in each account and region"
  permission_model = "SERVICE_MANAGED"
  template_url     = var.template_url
  capabilities     = ["CAPABILITY_NAMED_IAM"]

  parameters = {
    Architecture       = var.architecture
    CodeBucketPrefix   = var.code_bucket_prefix
    CodeKeyPrefix      = var.code_key_prefix
    CreateDashboard    = "false"
    EventBusArn        = var.event_bus_arn
    MirrorMode         = var.mirror_mode
    MirrorTargetOwners = var.mirror_target_owner
    RoleNamePrefix     = var.role_name_prefix
  }

  auto_deployment {
    enabled                          = true
    retain_stacks_on_account_removal = false
  }

  managed_execution {
    active = true
  }

  operation_preferences {
    failure_tolerance_percentage = 10
    max_concurrent_percentage    = 25
    region_concurrency_type      = "PARALLEL"
  }

  lifecycle {
    # AWS Organizations manages the permissions.
    ignore_changes = [administration_role_arn]
  }
}

# When an instance is destroyed, its stacks delete their sessions first.
resource "aws_cloudformation_stack_set_instance" "each" {
  for_each = toset(var.regions)

  stack_set_name = aws_cloudformation_stack_set.automirror.name
  region         = each.value

  deployment_targets {
    organizational_unit_ids = var.organizational_unit_ids
  }
}
