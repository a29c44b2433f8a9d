resource "aws_ec2_traffic_mirror_filter" "default" {
  count = local.create_filter ? 1 : 0

  description      = "Everything, Amazon DNS too"
  network_services = ["amazon-dns"]

  tags = merge(var.tags, {
    Name      = var.name
    ManagedBy = var.mirror_owner
  })

  lifecycle {
    precondition {
      condition     = var.mirror_filter_id == null
      error_message = "Set mirror_filter_id or create_filter = true, not both."
    }
  }
}

locals {
  filter_rules = {
    ingress_ipv4 = { description = "Every ingress IPv4 packet", direction = "ingress", number = 100, cidr = "0.0.0.0/0" }
    ingress_ipv6 = { description = "Every ingress IPv6 packet", direction = "ingress", number = 200, cidr = "::/0" }
    egress_ipv4  = { description = "Every egress IPv4 packet", direction = "egress", number = 100, cidr = "0.0.0.0/0" }
    egress_ipv6  = { description = "Every egress IPv6 packet", direction = "egress", number = 200, cidr = "::/0" }
  }
}

resource "aws_ec2_traffic_mirror_filter_rule" "default" {
  for_each = { for name, rule in local.filter_rules : name => rule if local.create_filter }

  description              = each.value.description
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.default[0].id
  traffic_direction        = each.value.direction
  rule_number              = each.value.number
  rule_action              = "accept"
  source_cidr_block        = each.value.cidr
  destination_cidr_block   = each.value.cidr
}
