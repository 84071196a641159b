output "cluster_name" {
  description = "Name of the cluster."
  value       = google_container_cluster.this.name
}

output "kubeconfig_command" {
  description = "Makes kubectl know the cluster."
  value       = "gcloud container clusters get-credentials ${google_container_cluster.this.name} --region ${var.region} --project ${var.project_id}"
}

output "addresses" {
  description = "The reserved IPv4 addresses: what others put on their allow-lists."
  value       = google_compute_address.ipv4[*].address
}

output "ipv6_ranges" {
  description = "The reserved IPv6 ranges, a /96 each. Empty without `ipv6_support`."
  value       = [for reserved in google_compute_address.ipv6 : "${reserved.address}/96"]
}

output "role_name" {
  description = "Full name of the worker's custom role."
  value       = module.worker_role.role_name
}

output "kubeip_config" {
  description = "The configuration of kubeip-temporal, as YAML: what the chart's `config` and a kubeip.yaml contain."
  value       = yamlencode(local.kubeip_config)
}
