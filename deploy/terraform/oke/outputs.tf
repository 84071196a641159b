output "cluster_id" {
  description = "OCID of the cluster."
  value       = oci_containerengine_cluster.this.id
}

output "kubeconfig_command" {
  description = "Makes kubectl know the cluster."
  value       = "oci ce cluster create-kubeconfig --region ${var.region} --cluster-id ${oci_containerengine_cluster.this.id} --token-version 2.0.0"
}

output "addresses" {
  description = "The reserved addresses: what others put on their allow-lists."
  value       = oci_core_public_ip.reserved[*].ip_address
}

output "policy_id" {
  description = "OCID of the worker's policy."
  value       = module.worker_policy.policy_id
}

output "kubeip_config" {
  description = "The configuration of kubeip-temporal, as YAML: what the chart's `config` and a kubeip.yaml contain."
  value       = yamlencode(local.kubeip_config)
}
