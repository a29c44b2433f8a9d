variable "region" {
  description = "Region of all resources."
  type        = string
  default     = "eu-central-1"
  nullable    = false
}

variable "automirror_zip" {
  description = "Path of the zip of automirror for arm64, which `make package` builds."
  type        = string
  nullable    = false
}

variable "config_rule_zip" {
  description = "Path of the zip of config-rule for arm64, which `make package` builds. Null means no AWS Config rule. The rule needs a configuration recorder in the region."
  type        = string
  default     = null
}

variable "instances" {
  description = "Number of mirrored instances."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.instances >= 0 && var.instances <= 10 && floor(var.instances) == var.instances
    error_message = "It must be a whole number from 0 to 10."
  }
}
