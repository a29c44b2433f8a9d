terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # 5.32 is the first version that supports a function's log group and log format.
      version = ">= 5.32, < 7.0"
    }
  }
}
