# What the nodes get. Both tags are in the pool's filter.
resource "oci_core_public_ip" "reserved" {
  count = var.addresses

  compartment_id = var.compartment_id
  display_name   = "${var.cluster_name}-node-${count.index}"
  lifetime       = "RESERVED"
  freeform_tags  = { kubeip = "reserved", environment = var.environment }

  lifecycle {
    # What kubeip-temporal does with them.
    ignore_changes = [private_ip_id, freeform_tags["kubeip-temporal-in-place-of-ephemeral"]]
  }
}
