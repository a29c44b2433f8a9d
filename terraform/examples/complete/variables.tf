variable "region" {
  description = "Where to build all of it."
  type        = string
  default     = "eu-central-1"
  nullable    = false
}

variable "automirror_zip" {
  description = "Path of the package of automirror for arm64, as `make package` builds it."
  type        = string
  nullable    = false
}

variable "config_rule_zip" {
  description = "Path of the package of config-rule for arm64, as `make package` builds it; null leaves the Config rule out, which needs a recorder of AWS Config."
  type        = string
  default     = null
}

variable "instances" {
  description = "How many instances to mirror."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.instances >= 0 && var.instances <= 10 && floor(var.instances) == var.instances
    error_message = "It must be a whole number from 0 to 10."
  }
}
