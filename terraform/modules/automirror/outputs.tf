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
  value       = aws_sqs_queue.dead_letters.arn
}

output "filter_id" {
  description = "Id of the default mirror filter."
  value       = local.filter_id
}

output "topic_arn" {
  description = "ARN of the topic for alarms and compliance changes. Null if there is none."
  value       = var.create_topic ? aws_sns_topic.this[0].arn : var.alarm_topic_arn
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
