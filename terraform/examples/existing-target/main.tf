# The smallest use: a mirror target exists, and automirror only says what it would do.

provider "aws" {}

variable "mirror_target_id" {
  description = "Id of the traffic mirror target."
  type        = string
}

variable "alarm_email" {
  description = "E-mail address that gets the alarms."
  type        = string
}

variable "packages" {
  description = "Folder with the zips, which `make package` builds."
  type        = string
}

module "automirror" {
  source = "../.."

  automirror_zip    = "${var.packages}/automirror-arm64.zip"
  config_rule_zip   = "${var.packages}/config-rule-arm64.zip"
  mirror_target_ids = [var.mirror_target_id]
  alarm_email       = var.alarm_email
  mirror_mode       = "detect"
}

# Terraform shows what the sweep said, and warns if a setting names what does not exist, such as a mistyped target.
output "sweep" {
  description = "What the sweep after the last change said."
  value       = module.automirror.sweep
}

check "sweep" {
  assert {
    condition     = try(module.automirror.sweep.problem == null && !module.automirror.sweep.summary.broken_settings, false)
    error_message = "The sweep failed, or a setting is broken: the output sweep says which."
  }
}
