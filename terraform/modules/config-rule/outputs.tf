output "rule_name" {
  description = "Name of the AWS Config rule."
  value       = aws_config_config_rule.this.name
}

output "rule_arn" {
  description = "ARN of the AWS Config rule."
  value       = aws_config_config_rule.this.arn
}

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

output "revision" {
  description = "A text that changes with the code, the settings and the parameters of config-rule. What depends on it comes after them."
  value       = sha256(jsonencode([local.code, local.settings, aws_config_config_rule.this.input_parameters]))

  depends_on = [aws_lambda_function.this, aws_config_config_rule.this]
}
