locals {
  topics    = compact([local.creates_topic ? aws_sns_topic.this[0].arn : var.alarm_topic_arn])
  namespace = "automirror/${var.name}"

  # Where the summary of an invocation is in a line of automirror's log.
  summary = "$.fields"
  swept   = "{ (${local.summary}.sweep IS TRUE) && (${local.summary}.complete IS TRUE) }"

  # What the metrics count, from which lines of the log.
  metrics = {
    SweepsCompleted  = { pattern = local.swept, value = "1" }
    ShouldBeMirrored = { pattern = local.swept, value = "${local.summary}.wanted" }
    Mirrored         = { pattern = local.swept, value = "${local.summary}.mirrored" }
    CannotBeMirrored = { pattern = local.swept, value = "${local.summary}.cannot" }
    MustAct          = { pattern = local.swept, value = "${local.summary}.must_act" }
    Refused          = { pattern = local.swept, value = "${local.summary}.refused" }
    HeldBack         = { pattern = local.swept, value = "${local.summary}.held_back" }
    BrokenSettings   = { pattern = local.swept, value = "${local.summary}.broken_settings" }
    Unreadable       = { pattern = "{ ${local.summary}.unreadable > 0 }", value = "${local.summary}.unreadable" }
    RoomOnTargets    = { pattern = local.swept, value = "${local.summary}.room" }
  }

  # No alarm reads these, so they are there with the dashboard only: each metric beyond the free ones costs 0.30 USD a month.
  only_shown = var.create_dashboard ? [] : ["RoomOnTargets"]

  alarms = {
    dead_letters = {
      name        = "dead-letters"
      description = "Events could not be delivered or processed, or evaluations failed. They are in the dead-letter queue, and this alarm closes when it is empty. What to do is in docs/alarms.md#deadletters"
      namespace   = "AWS/SQS"
      metric      = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = aws_sqs_queue.dead_letters.name }
      statistic   = "Maximum"
      period      = 300
      periods     = 1
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      missing     = "notBreaching"
    }
    oldest_message = {
      name        = "oldest-message"
      description = "The oldest event in the queue waits for too long. Events fail again and again, or there are more than automirror can process. What to do is in docs/alarms.md#oldestmessage"
      namespace   = "AWS/SQS"
      metric      = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = aws_sqs_queue.this.name }
      statistic   = "Maximum"
      period      = 300
      periods     = 1
      comparison  = "GreaterThanThreshold"
      threshold   = max(60 * 60, 36 * var.timeout)
      missing     = "notBreaching"
    }
    errors = {
      name        = "errors"
      description = "automirror crashes, runs out of time or rejects its settings. Its log says why. What to do is in docs/alarms.md#errors"
      namespace   = "AWS/Lambda"
      metric      = "Errors"
      dimensions  = { FunctionName = aws_lambda_function.this.function_name }
      statistic   = "Sum"
      period      = 300
      periods     = 1
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      missing     = "notBreaching"
    }
    throttles = {
      name        = "throttles"
      description = "Lambda throttles automirror because the account's concurrency is used up. What to do is in docs/alarms.md#throttles"
      namespace   = "AWS/Lambda"
      metric      = "Throttles"
      dimensions  = { FunctionName = aws_lambda_function.this.function_name }
      statistic   = "Sum"
      period      = 300
      periods     = 1
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      missing     = "notBreaching"
    }
    heartbeat = {
      name        = "heartbeat"
      description = "automirror has completed no sweep for too long, so it may repair nothing. What to do is in docs/alarms.md#heartbeat"
      namespace   = local.namespace
      metric      = "SweepsCompleted"
      dimensions  = {}
      statistic   = "Sum"
      period      = 900
      periods     = var.heartbeat_periods
      comparison  = "LessThanThreshold"
      threshold   = 1
      missing     = "breaching"
    }
    must_act = {
      name        = "must-act"
      description = "Interfaces that should be mirrored are not, and automirror cannot change that. Somebody must act. What to do is in docs/alarms.md#mustact"
      namespace   = local.namespace
      metric      = "MustAct"
      dimensions  = {}
      statistic   = "Minimum"
      period      = 900
      periods     = 1
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      missing     = "ignore"
    }
    refused = {
      name        = "refused"
      description = "EC2 refuses changes that automirror tries, for example because of a service control policy or a quota. What to do is in docs/alarms.md#refused"
      namespace   = local.namespace
      metric      = "Refused"
      dimensions  = {}
      statistic   = "Minimum"
      period      = 900
      periods     = 1
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      missing     = "ignore"
    }
    held_back = {
      name        = "held-back"
      description = "automirror holds deletions of sessions back because they are more than MirrorDeletionLimit allows within an hour. What to do is in docs/alarms.md#heldback"
      namespace   = local.namespace
      metric      = "HeldBack"
      dimensions  = {}
      statistic   = "Minimum"
      period      = 900
      periods     = 1
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      missing     = "ignore"
    }
    broken_settings = {
      name        = "broken-settings"
      description = "Settings or tags name something that does not exist or cannot be used. What to do is in docs/alarms.md#brokensettings"
      namespace   = local.namespace
      metric      = "BrokenSettings"
      dimensions  = {}
      statistic   = "Minimum"
      period      = 900
      periods     = 1
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      missing     = "ignore"
    }
    unreadable = {
      name        = "unreadable"
      description = "automirror gets messages that it cannot read, so somebody or something else may write to its queue. What to do is in docs/alarms.md#unreadable"
      namespace   = local.namespace
      metric      = "Unreadable"
      dimensions  = {}
      statistic   = "Sum"
      period      = 900
      periods     = 1
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      missing     = "notBreaching"
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each = { for name, metric in local.metrics : name => metric if(var.create_alarms || var.create_dashboard) && !contains(local.only_shown, name) }

  name           = "${var.name}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.this.name
  pattern        = each.value.pattern

  metric_transformation {
    namespace = local.namespace
    name      = each.key
    value     = each.value.value
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = { for name, alarm in local.alarms : name => alarm if var.create_alarms }

  alarm_name          = "${var.name}-${each.value.name}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = local.topics
  ok_actions          = local.topics
  tags                = var.tags

  # They are created after the first sweep.
  depends_on = [aws_lambda_invocation.lifecycle]
}

# IF is 0 where the first series has sessions and the second has no value, 1 where there are no sessions, and nothing
# where no sweep counted them (CloudWatch user guide, "Using IF expressions"). A load balancer without traffic has no
# values, and + takes those that are missing for 0. One hour without a sweep neither rings nor closes: nobody saw
# whether copies arrive. There are at most three load balancers because the template, which cannot loop, has three.
resource "aws_cloudwatch_metric_alarm" "nothing_arrives" {
  count = var.create_alarms && length(var.sensor_load_balancers) > 0 ? 1 : 0

  alarm_name          = "${var.name}-nothing-arrives"
  alarm_description   = "There are sessions, and nothing has arrived at the load balancers of the sensors for about three hours. Copies get lost, or no source has sent anything that its filter accepts, for example at night in a small account. What to do is in docs/alarms.md#nothingarrives"
  evaluation_periods  = 3
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "ignore"
  alarm_actions       = local.topics
  ok_actions          = local.topics
  tags                = var.tags

  metric_query {
    id          = "arrived"
    expression  = "IF(mirrored, ${join(" + ", [for place in range(length(var.sensor_load_balancers)) : "bytes${place + 1}"])}, 1)"
    return_data = true
  }

  metric_query {
    id          = "mirrored"
    return_data = false

    metric {
      namespace   = local.namespace
      metric_name = "Mirrored"
      stat        = "Minimum"
      period      = 3600
    }
  }

  dynamic "metric_query" {
    for_each = var.sensor_load_balancers

    content {
      id          = "bytes${metric_query.key + 1}"
      return_data = false

      metric {
        namespace   = "AWS/NetworkELB"
        metric_name = "ProcessedBytes_UDP"
        dimensions  = { LoadBalancer = metric_query.value }
        stat        = "Sum"
        period      = 3600
      }
    }
  }
}

locals {
  # Saved queries of CloudWatch Logs Insights.
  queries = {
    last_sweep = {
      name  = "last sweep"
      query = "filter fields.sweep = 1 | sort @timestamp desc | limit 1 | display @timestamp, fields.wanted, fields.mirrored, fields.cannot, fields.must_act, fields.refused, fields.withheld, fields.held_back, fields.targets, fields.targets_full, fields.room"
    }
    problems = {
      name  = "problems"
      query = "filter level in [\"WARN\", \"ERROR\"] | sort @timestamp desc | limit 200 | display @timestamp, level, fields.message"
    }
    blocked = {
      name  = "blocked by reason"
      query = "filter ispresent(fields.reason) and level in [\"WARN\", \"ERROR\"] and not ispresent(fields.error_code) | stats count_distinct(fields.source_id) as interfaces, latest(fields.message) as example by fields.reason | sort interfaces desc"
    }
    refusals = {
      name  = "refused by error"
      query = "filter ispresent(fields.error_code) | stats count(*) as refusals, count_distinct(fields.source_id) as interfaces, latest(fields.message) as example by fields.error_code | sort refusals desc"
    }
    changes = {
      name  = "changes"
      query = "filter fields.message like /^done: / | sort @timestamp desc | limit 200 | display @timestamp, fields.message"
    }
    detect = {
      name  = "what detect would do"
      query = "filter fields.message like /^only looked, not done: / | sort @timestamp desc | limit 1000 | display @timestamp, fields.message"
    }
  }

  # Each graph has a place, a title and a list of metrics: namespace, metric name, dimension, its value, and options.
  graphs = concat([
    [0, 2, 8, "Interfaces that should be mirrored", [
      for name in ["ShouldBeMirrored", "Mirrored", "CannotBeMirrored"] :
      [local.namespace, name, { stat = "Minimum", period = 900 }]
    ]],
    [8, 2, 8, "What keeps interfaces from being mirrored", [
      for name in ["MustAct", "Refused", "HeldBack", "BrokenSettings"] :
      [local.namespace, name, { stat = "Minimum", period = 900 }]
    ]],
    [16, 2, 8, "Sources that the targets still take", [
      [local.namespace, "RoomOnTargets", { stat = "Minimum", period = 900 }],
    ]],
    [0, 26, 12, "Invocations of automirror", [
      for name in ["Invocations", "Errors", "Throttles"] :
      ["AWS/Lambda", name, "FunctionName", var.name, { stat = "Sum" }]
    ]],
    [12, 26, 12, "Duration in milliseconds", [
      for stat in ["Average", "Maximum"] :
      ["AWS/Lambda", "Duration", "FunctionName", var.name, { stat = stat }]
    ]],
    [0, 32, 12, "Events", [
      ["AWS/SQS", "NumberOfMessagesSent", "QueueName", var.name, { stat = "Sum" }],
      ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${var.name}-dead-letters", { stat = "Maximum", label = "Dead letters" }],
    ]],
    [12, 32, 12, "Age of the oldest event in seconds", [
      ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.name, { stat = "Maximum" }],
    ]],
    ], [for rule in [var.config_rule_name] : [0, 38, 24, "Invocations of config-rule", [
      for name in ["Invocations", "Errors", "Throttles"] :
      ["AWS/Lambda", name, "FunctionName", "${var.name}-config-rule", { stat = "Sum" }]
  ]] if rule != null])

  # Each table has a place, a title and a query.
  tables = [
    [0, 8, 24, 4, "The last sweep", local.queries.last_sweep.query],
    [0, 12, 12, 8, "Problems", local.queries.problems.query],
    [12, 12, 12, 8, "Changes", local.queries.changes.query],
    [0, 20, 12, 6, "Blocked by reason", local.queries.blocked.query],
    [12, 20, 12, 6, "Refused by error of EC2", local.queries.refusals.query],
  ]
}

resource "aws_cloudwatch_query_definition" "this" {
  for_each = local.queries

  name            = "automirror/${var.name}/${each.value.name}"
  log_group_names = [aws_cloudwatch_log_group.this.name]
  query_string    = each.value.query
}

# A dashboard name must be unique in an account, across all regions. So the name contains the region.
resource "aws_cloudwatch_dashboard" "this" {
  count = var.create_dashboard ? 1 : 0

  dashboard_name = "${var.name}-${local.region}"

  # It begins a day ago: what lasts is logged once a day.
  dashboard_body = jsonencode({
    start = "-P1D"
    widgets = concat([{
      type   = "text"
      x      = 0
      y      = 0
      width  = 24
      height = 2
      properties = {
        markdown = "automirror ${local.version}, installation ${var.name}. What to do when an alarm rings is in docs/alarms.md."
      }
      }], [for graph in local.graphs : {
      type   = "metric"
      x      = graph[0]
      y      = graph[1]
      width  = graph[2]
      height = 6
      properties = {
        title   = graph[3]
        metrics = graph[4]
        region  = local.region
        view    = "timeSeries"
        period  = 300
      }
      }], [for table in local.tables : {
      type   = "log"
      x      = table[0]
      y      = table[1]
      width  = table[2]
      height = table[3]
      properties = {
        title  = table[4]
        query  = "SOURCE '${local.log_group}' | ${table[5]}"
        region = local.region
        view   = "table"
      }
    }])
  })
}

moved {
  from = aws_cloudwatch_dashboard.this
  to   = aws_cloudwatch_dashboard.this[0]
}
