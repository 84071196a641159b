resource "oci_containerengine_cluster" "this" {
  compartment_id     = var.compartment_id
  name               = var.cluster_name
  kubernetes_version = var.kubernetes_version
  vcn_id             = oci_core_vcn.this.id
  freeform_tags      = local.tags

  # Gives the worker its permissions by workload identity: no key. A basic cluster does not have it.
  type = "ENHANCED_CLUSTER"

  # Nodes have one VNIC each, with the public IP; pods have addresses of an overlay.
  cluster_pod_network_options {
    cni_type = "FLANNEL_OVERLAY"
  }

  endpoint_config {
    is_public_ip_enabled = true
    subnet_id            = oci_core_subnet.api.id
  }
}
