provider "aws" {
  region = var.region
}

data "aws_availability_zones" "available" {
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_ami" "al2023" {
  owners      = ["amazon"]
  most_recent = true

  filter {
    name   = "name"
    values = ["al2023-ami-2023.*-arm64"]
  }
}

# A VPC without internet access, because nothing here needs it

resource "aws_vpc" "this" {
  cidr_block = "10.20.0.0/16"

  tags = { Name = "automirror-example" }
}

resource "aws_subnet" "this" {
  count = 2

  vpc_id            = aws_vpc.this.id
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 8, count.index)
  availability_zone = data.aws_availability_zones.available.names[count.index]

  tags = { Name = "automirror-example-${count.index}" }
}

# Resources without a security group of their own get this one, which allows no traffic.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
}

# The mirror target: a sensor behind a Network Load Balancer

resource "aws_security_group" "sensor" {
  name_prefix = "automirror-example-sensor-"
  description = "Mirrored packets (VXLAN) and health checks"
  vpc_id      = aws_vpc.this.id

  ingress {
    description = "Mirrored packets from their sources"
    protocol    = "udp"
    from_port   = 4789
    to_port     = 4789
    cidr_blocks = [aws_vpc.this.cidr_block]
  }

  ingress {
    description = "Health checks of the load balancer"
    protocol    = "tcp"
    from_port   = 8080
    to_port     = 8080
    cidr_blocks = [aws_vpc.this.cidr_block]
  }
}

resource "aws_instance" "sensor" {
  ami                    = data.aws_ami.al2023.id
  instance_type          = "t4g.micro"
  subnet_id              = aws_subnet.this[0].id
  vpc_security_group_ids = [aws_security_group.sensor.id]
  user_data              = file("${path.module}/sensor.sh")

  metadata_options {
    http_tokens = "required"
  }

  root_block_device {
    encrypted   = true
    volume_size = 8
  }

  tags = {
    Name   = "automirror-example-sensor"
    Mirror = "False"
  }

  lifecycle {
    ignore_changes = [ami]
  }
}

resource "aws_lb" "sensor" {
  name_prefix                      = "mirror"
  load_balancer_type               = "network"
  internal                         = true
  subnets                          = aws_subnet.this[*].id
  enable_cross_zone_load_balancing = true
}

resource "aws_lb_target_group" "sensor" {
  name_prefix = "mirror"
  protocol    = "UDP"
  port        = 4789
  vpc_id      = aws_vpc.this.id

  health_check {
    protocol = "TCP"
    port     = "8080"
  }
}

resource "aws_lb_target_group_attachment" "sensor" {
  target_group_arn = aws_lb_target_group.sensor.arn
  target_id        = aws_instance.sensor.id
}

resource "aws_lb_listener" "vxlan" {
  load_balancer_arn = aws_lb.sensor.arn
  protocol          = "UDP"
  port              = 4789

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.sensor.arn
  }
}

resource "aws_ec2_traffic_mirror_target" "sensor" {
  description               = "The sensor"
  network_load_balancer_arn = aws_lb.sensor.arn

  tags = { Name = "automirror-example" }

  # Without a listener on the load balancer, mirroring fails and nothing reports it.
  depends_on = [aws_lb_listener.vxlan]
}

# automirror and the AWS Config rule

module "automirror" {
  source = "../.."

  automirror_zip     = var.automirror_zip
  config_rule_zip    = var.config_rule_zip
  create_config_rule = var.config_rule_zip != null
  create_topic       = true
  mirror_target_ids  = [aws_ec2_traffic_mirror_target.sensor.id]
  mirror_vpc_ids     = [aws_vpc.this.id]

  # An alarm rings when nothing arrives.
  sensor_load_balancers = [aws_lb.sensor.arn_suffix]
}

# The mirrored instances. The console output of the sensor shows which packets arrive.

resource "aws_security_group" "mirrored" {
  name_prefix = "automirror-example-"
  description = "ICMP within the VPC"
  vpc_id      = aws_vpc.this.id

  ingress {
    description = "ICMP from the VPC"
    protocol    = "icmp"
    from_port   = -1
    to_port     = -1
    cidr_blocks = [aws_vpc.this.cidr_block]
  }

  egress {
    description = "Anything within the VPC"
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = [aws_vpc.this.cidr_block]
  }
}

resource "aws_instance" "mirrored" {
  count = var.instances

  ami                    = data.aws_ami.al2023.id
  instance_type          = "t4g.nano"
  subnet_id              = aws_subnet.this[count.index % 2].id
  vpc_security_group_ids = [aws_security_group.mirrored.id]

  # Each instance pings the sensor, so that there is traffic to mirror. The sensor does not answer.
  user_data = "#!/bin/sh\nsystemd-run ping -i 5 ${aws_instance.sensor.private_ip}\n"

  metadata_options {
    http_tokens = "required"
  }

  root_block_device {
    encrypted   = true
    volume_size = 8
  }

  tags = {
    Name   = "automirror-example-${count.index}"
    Mirror = "True"
  }

  lifecycle {
    ignore_changes = [ami]
  }

  # Terraform creates the instances after automirror, so that their events reach it. It destroys them before the
  # target, and EC2 deletes their sessions with them.
  depends_on = [module.automirror]
}
