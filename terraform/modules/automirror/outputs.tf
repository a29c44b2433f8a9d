output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "function_arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = aws_iam_role.this.arn
}

output "log_group_name" {
  description = "Name of the function's log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "queue_url" {
  description = "URL of the queue of events."
  value       = aws_sqs_queue.this.url
}

output "queue_arn" {
  description = "ARN of the queue of events."
  value       = aws_sqs_queue.this.arn
}

output "dead_letter_queue_url" {
  description = "URL of the dead-letter queue, which keeps events that could not be delivered or processed."
  value       = aws_sqs_queue.dead_letters.url
}

output "dead_letter_queue_arn" {
  description = "ARN of the dead-letter queue, which keeps events that could not be delivered or processed."
  value       = local.dead_letters_arn

  depends_on = [aws_sqs_queue.dead_letters]
}

output "filter_id" {
  description = "Id of the default mirror filter."
  value       = local.filter_id
}

output "topic_arn" {
  description = "ARN of the topic for alarms and messages. Null if there is none."
  value       = local.creates_topic ? aws_sns_topic.this[0].arn : var.alarm_topic_arn
}

output "dashboard_name" {
  description = "Name of the dashboard. Null if `create_dashboard` is false."
  value       = one(aws_cloudwatch_dashboard.this[*].dashboard_name)
}

output "alarm_arns" {
  description = "ARNs of the alarms, by what they are for."
  value = merge(
    { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.arn },
    { for alarm in aws_cloudwatch_metric_alarm.nothing_arrives : "nothing_arrives" => alarm.arn },
  )
}

output "event_rule_arns" {
  description = "ARNs of the event rules, by what they are for."
  value       = merge(local.rule_arns, local.message_rule_arns)
}

output "message_role_arn" {
  description = "ARN of the role with which EventBridge publishes to a topic of another account and to a bus. Null if it needs none."
  value       = one(aws_iam_role.messages[*].arn)
}

output "sweep" {
  description = "What the sweep after the last change said: `summary` with its numbers, `steps` with the first ten, `problem` if it failed, and whether an `evaluation` was started."
  value       = local.sweep
}

output "lifecycle_log_group_name" {
  description = "Name of the log group of the function that deletes the sessions before the module is destroyed."
  value       = aws_cloudwatch_log_group.lifecycle.name
}

output "version" {
  description = "Version of automirror."
  value       = local.version
}
