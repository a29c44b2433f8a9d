output "target_id" {
  description = "The mirror target in front of the sensor."
  value       = aws_ec2_traffic_mirror_target.sensor.id
}

output "sensor_instance_id" {
  description = "The sensor; `aws ec2 get-console-output --latest --instance-id …` shows the packets it counts."
  value       = aws_instance.sensor.id
}

output "mirrored_instance_ids" {
  description = "The instances that are mirrored."
  value       = aws_instance.mirrored[*].id
}

output "toolkit" {
  description = "All outputs of the toolkit."
  value       = module.automirror
}
