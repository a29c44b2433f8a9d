locals {
  queue_arn        = "${local.arn.sqs}:${var.name}"
  dead_letters_arn = "${local.arn.sqs}:${var.name}-dead-letters"

  # Only the event rules of this installation can send to the queues, and only over TLS. An IAM policy of this account
  # may allow sqs:SendMessage on every queue, so the policy of the queue also denies it to everybody else. A call
  # without a source has no aws:SourceArn and is denied too.
  queue_policies = { for arn, rules in {
    (local.queue_arn)        = values(local.rule_arns)
    (local.dead_letters_arn) = concat(values(local.rule_arns), values(local.message_rule_arns))
    } : arn => jsonencode({
      Version = "2012-10-17"
      Statement = concat([
        {
          Sid       = "DenyWithoutTls"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:*"
          Resource  = arn
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
        {
          Sid       = "AllowOurRules"
          Effect    = "Allow"
          Principal = { Service = "events.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = arn
          Condition = {
            ArnEquals    = { "aws:SourceArn" = sort(rules) }
            StringEquals = { "aws:SourceAccount" = local.account }
          }
        },
        ], [for queue in [local.queue_arn] : {
          Sid       = "DenyAllButOurRules"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:SendMessage"
          Resource  = arn
          Condition = { ArnNotEqualsIfExists = { "aws:SourceArn" = sort(rules) } }
      } if queue == arn])
  }) }
}

resource "aws_sqs_queue" "this" {
  name                       = var.name
  visibility_timeout_seconds = 6 * var.timeout + 1
  message_retention_seconds  = 4 * 24 * 60 * 60
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn
  policy                     = local.queue_policies[local.queue_arn]
  tags                       = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = local.dead_letters_arn
    # With the visibility timeout, EC2 may be down for an hour before events are lost to the sweep.
    maxReceiveCount = 11
  })

  depends_on = [aws_sqs_queue.dead_letters]
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
  policy                    = local.queue_policies[local.dead_letters_arn]
  tags                      = var.tags
}
