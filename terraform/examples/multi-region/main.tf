# automirror in two regions. Each has a provider and a mirror target of its own.

provider "aws" {
  region = "eu-central-1"
}

provider "aws" {
  alias  = "west"
  region = "eu-west-1"
}

module "central" {
  source = "../.."

  automirror_zip    = var.automirror_zip
  config_rule_zip   = var.config_rule_zip
  mirror_target_ids = [var.targets["eu-central-1"]]
}

module "west" {
  source    = "../.."
  providers = { aws = aws.west }

  automirror_zip    = var.automirror_zip
  config_rule_zip   = var.config_rule_zip
  mirror_target_ids = [var.targets["eu-west-1"]]
}
