output "policy_id" {
  description = "OCID of the policy."
  value       = oci_identity_policy.worker.id
}
