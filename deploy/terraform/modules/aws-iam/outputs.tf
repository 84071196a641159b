output "role_arn" {
  description = "ARN of the worker's role. With IRSA it goes into the chart as `worker.identity.awsRoleArn`."
  value       = aws_iam_role.worker.arn
}

output "role_name" {
  description = "Name of the worker's role."
  value       = aws_iam_role.worker.name
}
