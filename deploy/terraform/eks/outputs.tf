output "cluster_name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "kubeconfig_command" {
  description = "Makes kubectl know the cluster."
  value       = "aws eks update-kubeconfig --region ${var.region} --name ${aws_eks_cluster.this.name}"
}

output "addresses" {
  description = "The reserved IPv4 addresses: what others put on their allow-lists."
  value       = aws_eip.pool[*].public_ip
}

output "ipv6_ranges" {
  description = "The reserved IPv6 ranges, one for each public subnet. Empty without `ipv6_support`."
  value       = aws_ec2_subnet_cidr_reservation.pool[*].cidr_block
}

output "role_arn" {
  description = "ARN of the worker's role."
  value       = module.worker_role.role_arn
}

output "kubeip_config" {
  description = "The configuration of kubeip-temporal, as YAML: what the chart's `config` and a kubeip.yaml contain."
  value       = yamlencode(local.kubeip_config)
}
