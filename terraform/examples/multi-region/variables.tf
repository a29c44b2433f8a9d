variable "automirror_zip" {
  description = "Path of the zip of automirror."
  type        = string
}

variable "config_rule_zip" {
  description = "Path of the zip of config-rule."
  type        = string
}

variable "targets" {
  description = "Id of the mirror target in each region."
  type        = map(string)
}
