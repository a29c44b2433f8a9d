output "automirror_function_name" {
  description = "Name of automirror's function."
  value       = module.automirror.function_name
}

output "automirror_function_arn" {
  description = "ARN of automirror's function."
  value       = module.automirror.function_arn
}

output "automirror_role_arn" {
  description = "ARN of automirror's role."
  value       = module.automirror.role_arn
}

output "automirror_log_group_name" {
  description = "Name of automirror's log group."
  value       = module.automirror.log_group_name
}

output "queue_url" {
  description = "URL of the queue of events."
  value       = module.automirror.queue_url
}

output "queue_arn" {
  description = "ARN of the queue of events."
  value       = module.automirror.queue_arn
}

output "dead_letter_queue_url" {
  description = "URL of the dead-letter queue, which keeps events that could not be delivered or processed."
  value       = module.automirror.dead_letter_queue_url
}

output "dead_letter_queue_arn" {
  description = "ARN of the dead-letter queue, which keeps events that could not be delivered or processed."
  value       = module.automirror.dead_letter_queue_arn
}

output "filter_id" {
  description = "Id of the default mirror filter."
  value       = module.automirror.filter_id
}

output "topic_arn" {
  description = "ARN of the topic for alarms and messages. Null if there is none."
  value       = module.automirror.topic_arn
}

output "dashboard_name" {
  description = "Name of the dashboard. Null if `create_dashboard` is false."
  value       = module.automirror.dashboard_name
}

output "config_rule_name" {
  description = "Name of the AWS Config rule. Null if `create_config_rule` is false."
  value       = one(module.config_rule[*].rule_name)
}

output "config_rule_arn" {
  description = "ARN of the AWS Config rule. Null if `create_config_rule` is false."
  value       = one(module.config_rule[*].rule_arn)
}

output "config_rule_function_name" {
  description = "Name of config-rule's function. Null if `create_config_rule` is false."
  value       = one(module.config_rule[*].function_name)
}

output "config_rule_function_arn" {
  description = "ARN of config-rule's function. Null if `create_config_rule` is false."
  value       = one(module.config_rule[*].function_arn)
}

output "config_rule_role_arn" {
  description = "ARN of config-rule's role. Null if `create_config_rule` is false."
  value       = one(module.config_rule[*].role_arn)
}

output "config_rule_log_group_name" {
  description = "Name of config-rule's log group. Null if `create_config_rule` is false."
  value       = one(module.config_rule[*].log_group_name)
}

output "alarm_arns" {
  description = "ARNs of the alarms, by what they are for."
  value       = module.automirror.alarm_arns
}

output "event_rule_arns" {
  description = "ARNs of the event rules, by what they are for."
  value       = module.automirror.event_rule_arns
}

output "message_role_arn" {
  description = "ARN of the role with which EventBridge publishes to a topic of another account and to a bus. Null if it needs none."
  value       = module.automirror.message_role_arn
}

output "sweep" {
  description = "What the sweep after the last change said: `summary` with its numbers, `steps` with the first ten, `problem` if it failed, and whether an `evaluation` was started."
  value       = module.automirror.sweep
}

output "lifecycle_log_group_name" {
  description = "Name of the log group of the function that deletes the sessions before the module is destroyed."
  value       = module.automirror.lifecycle_log_group_name
}

output "version" {
  description = "Version of automirror."
  value       = module.automirror.version
}
