# Values whose format the provider checks, or from which the modules build policies and names.

mock_data "aws_caller_identity" {
  defaults = {
    account_id = "123456789012"
  }
}

mock_data "aws_partition" {
  defaults = {
    partition = "aws"
  }
}

mock_data "aws_region" {
  defaults = {
    id = "eu-central-1"
  }
}

mock_resource "aws_iam_role" {
  defaults = {
    arn = "arn:aws:iam::123456789012:role/mock"
  }
}

mock_resource "aws_lambda_function" {
  defaults = {
    arn = "arn:aws:lambda:eu-central-1:123456789012:function:mock"
  }
}

mock_resource "aws_sqs_queue" {
  defaults = {
    arn = "arn:aws:sqs:eu-central-1:123456789012:mock"
  }
}

mock_resource "aws_sns_topic" {
  defaults = {
    arn = "arn:aws:sns:eu-central-1:123456789012:mock"
  }
}

mock_resource "aws_ec2_traffic_mirror_filter" {
  defaults = {
    id = "tmf-0123456789abcdef0"
  }
}

mock_resource "aws_lambda_invocation" {
  defaults = {
    result = "{\"problem\":null,\"summary\":{\"broken_settings\":false},\"steps\":[],\"evaluation\":\"started\"}"
  }
}
