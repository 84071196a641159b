# The policy of the worker, and no more than it calls: clouds/oci/permissions.ts, explained in docs/permissions.md. A test compares them.
# All of them, or none: with half of them an ephemeral address goes, and no static one comes.
locals {
  on_nodes = [
    "INSTANCE_READ",
    "INSTANCE_INSPECT",
    "VNIC_ATTACHMENT_READ",
    "VNIC_READ",
    "PRIVATE_IP_READ",
    "PRIVATE_IP_ASSIGN_PUBLIC_IP",
    "PRIVATE_IP_UNASSIGN_PUBLIC_IP",
  ]
  # It may create and delete no reserved address.
  on_addresses = [
    "PUBLIC_IP_READ",
    "PUBLIC_IP_UPDATE",
    "PUBLIC_IP_ASSIGN_PRIVATE_IP",
    "PUBLIC_IP_UNASSIGN_PRIVATE_IP",
  ]

  # OKE's workload identity: the Kubernetes ServiceAccount of this cluster, without a key.
  worker = "all {request.principal.type = 'workload', request.principal.namespace = '${var.namespace}', request.principal.service_account = '${var.service_account}', request.principal.cluster_id = '${var.cluster_id}'}"

  nodes_compartment_id = coalesce(var.nodes_compartment_id, var.addresses_compartment_id)
}

resource "oci_identity_policy" "worker" {
  compartment_id = coalesce(var.policy_compartment_id, var.addresses_compartment_id)
  name           = var.name
  description    = "Lets kubeip-temporal assign reserved public IPs to nodes."
  statements = [
    "Allow any-user to {${join(", ", local.on_nodes)}} in compartment id ${local.nodes_compartment_id} where ${local.worker}",
    "Allow any-user to {${join(", ", local.on_addresses)}} in compartment id ${var.addresses_compartment_id} where ${local.worker}",
  ]
}
