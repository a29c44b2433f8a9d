output "target_id" {
  description = "Id of the mirror target in front of the sensor."
  value       = aws_ec2_traffic_mirror_target.sensor.id
}

output "sensor_instance_id" {
  description = "Id of the sensor's instance. `aws ec2 get-console-output --latest --instance-id …` shows how many packets it received."
  value       = aws_instance.sensor.id
}

output "mirrored_instance_ids" {
  description = "Ids of the mirrored instances."
  value       = aws_instance.mirrored[*].id
}

output "toolkit" {
  description = "All outputs of the module automirror."
  value       = module.automirror
}
