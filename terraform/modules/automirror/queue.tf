locals {
  queue_arn        = "${local.arn.sqs}:${var.name}"
  dead_letters_arn = "${local.arn.sqs}:${var.name}-dead-letters"

  # Both queues have the same policy: only the event rules of this installation can send, and only over TLS.
  queue_policies = { for arn, rules in {
    (local.queue_arn)        = values(local.rule_arns)
    (local.dead_letters_arn) = concat(values(local.rule_arns), local.send_compliance ? [local.compliance_message_rule_arn] : [])
    } : arn => jsonencode({
      Version = "2012-10-17"
      Statement = [
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
      ]
  }) }
}

resource "aws_sqs_queue" "this" {
  name                       = var.name
  visibility_timeout_seconds = 6 * var.timeout
  message_retention_seconds  = 4 * 24 * 60 * 60
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn
  policy                     = local.queue_policies[local.queue_arn]

  redrive_policy = jsonencode({
    deadLetterTargetArn = local.dead_letters_arn
    maxReceiveCount     = 5
  })

  depends_on = [aws_sqs_queue.dead_letters]
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
  policy                    = local.queue_policies[local.dead_letters_arn]
}
