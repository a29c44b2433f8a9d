resource "aws_ec2_traffic_mirror_filter" "default" {
  count = local.create_filter ? 1 : 0

  description      = "All IPv4 and IPv6 traffic and Amazon DNS"
  network_services = ["amazon-dns"]

  tags = {
    Name      = var.name
    ManagedBy = var.mirror_owner
  }
}

locals {
  filter_rules = {
    ingress_ipv4 = { direction = "ingress", number = 1, cidr = "0.0.0.0/0" }
    ingress_ipv6 = { direction = "ingress", number = 2, cidr = "::/0" }
    egress_ipv4  = { direction = "egress", number = 1, cidr = "0.0.0.0/0" }
    egress_ipv6  = { direction = "egress", number = 2, cidr = "::/0" }
  }
}

resource "aws_ec2_traffic_mirror_filter_rule" "default" {
  for_each = { for name, rule in local.filter_rules : name => rule if local.create_filter }

  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.default[0].id
  traffic_direction        = each.value.direction
  rule_number              = each.value.number
  rule_action              = "accept"
  source_cidr_block        = each.value.cidr
  destination_cidr_block   = each.value.cidr
}
