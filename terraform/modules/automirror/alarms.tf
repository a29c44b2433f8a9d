locals {
  topics = compact([var.create_topic ? aws_sns_topic.this[0].arn : var.alarm_topic_arn])

  alarms = {
    dead_letters = {
      name        = "dead-letters"
      description = "Events could not be delivered or processed. They are in the dead-letter queue."
      namespace   = "AWS/SQS"
      metric      = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = aws_sqs_queue.dead_letters.name }
      statistic   = "Maximum"
      threshold   = 0
    }
    oldest_message = {
      name        = "oldest-message"
      description = "The oldest event in the queue has waited for more than 15 minutes."
      namespace   = "AWS/SQS"
      metric      = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = aws_sqs_queue.this.name }
      statistic   = "Maximum"
      threshold   = 15 * 60
    }
    errors = {
      name        = "errors"
      description = "Invocations of automirror fail. Its log says why."
      namespace   = "AWS/Lambda"
      metric      = "Errors"
      dimensions  = { FunctionName = aws_lambda_function.this.function_name }
      statistic   = "Sum"
      threshold   = 0
    }
    throttles = {
      name        = "throttles"
      description = "Lambda throttles automirror because the account's concurrency is used up."
      namespace   = "AWS/Lambda"
      metric      = "Throttles"
      dimensions  = { FunctionName = aws_lambda_function.this.function_name }
      statistic   = "Sum"
      threshold   = 0
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.value.name}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.topics
  ok_actions          = local.topics
}

locals {
  # Each graph has a title and a list of metrics: namespace, metric name, dimension, its value, and options.
  graphs = [
    ["Invocations", [
      ["AWS/Lambda", "Invocations", "FunctionName", var.name, { stat = "Sum" }],
      ["AWS/Lambda", "Errors", "FunctionName", var.name, { stat = "Sum" }],
      ["AWS/Lambda", "Throttles", "FunctionName", var.name, { stat = "Sum" }],
    ]],
    ["Duration in milliseconds", [
      ["AWS/Lambda", "Duration", "FunctionName", var.name, { stat = "Average" }],
      ["AWS/Lambda", "Duration", "FunctionName", var.name, { stat = "Maximum" }],
    ]],
    ["Events", [
      ["AWS/SQS", "NumberOfMessagesSent", "QueueName", var.name, { stat = "Sum" }],
      ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${var.name}-dead-letters", { stat = "Maximum", label = "Dead letters" }],
    ]],
    ["Age of the oldest event in seconds", [
      ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.name, { stat = "Maximum" }],
    ]],
  ]
}

# A dashboard name must be unique in an account, across all regions. So the name contains the region.
resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${var.name}-${local.region}"

  dashboard_body = jsonencode({
    widgets = [for i, graph in local.graphs : {
      type   = "metric"
      x      = 12 * (i % 2)
      y      = 6 * floor(i / 2)
      width  = 12
      height = 6
      properties = {
        title   = graph[0]
        metrics = graph[1]
        region  = local.region
        view    = "timeSeries"
        period  = 300
      }
    }]
  })
}
