data "oci_identity_availability_domains" "all" {
  compartment_id = var.compartment_id
}

data "oci_containerengine_node_pool_option" "this" {
  compartment_id      = var.compartment_id
  node_pool_option_id = oci_containerengine_cluster.this.id
}

locals {
  domains = data.oci_identity_availability_domains.all.availability_domains[*].name

  # Oracle Linux for x86 of the cluster's version; the newest is the first one.
  images = [
    for source in data.oci_containerengine_node_pool_option.this.sources : source.image_id
    if can(regex("^Oracle-Linux-8[.][0-9]+-[0-9.]+-[0-9]+-OKE-${trimprefix(var.kubernetes_version, "v")}-", source.source_name))
  ]

  public_labels  = { nodegroup = "public", kubeip = "use" }
  private_labels = { nodegroup = "private" }

  # OKE has no setting for taints: the nodes' first script tells the kubelet ("Using Custom Cloud-init Initialization Scripts").
  tainting_script = <<-EOT
    #!/bin/bash
    curl --fail -H "Authorization: Bearer Oracle" -L0 http://169.254.169.254/opc/v2/instance/metadata/oke_init_script | base64 --decode >/var/run/oke-init.sh
    bash /var/run/oke-init.sh --kubelet-extra-args "--register-with-taints=${local.taint_key}=true:NoSchedule"
  EOT
}

resource "oci_containerengine_node_pool" "public" {
  compartment_id     = var.compartment_id
  cluster_id         = oci_containerengine_cluster.this.id
  name               = "public"
  kubernetes_version = var.kubernetes_version
  node_shape         = var.node_shape
  node_metadata      = var.taint ? { user_data = base64encode(local.tainting_script) } : {}
  freeform_tags      = local.tags

  node_shape_config {
    ocpus         = var.node_ocpus
    memory_in_gbs = var.node_memory_gb
  }

  node_source_details {
    image_id    = local.images[0]
    source_type = "IMAGE"
  }

  node_config_details {
    size          = var.public_nodes
    freeform_tags = local.tags

    dynamic "placement_configs" {
      for_each = local.domains

      content {
        availability_domain = placement_configs.value
        subnet_id           = oci_core_subnet.public.id
      }
    }

    node_pool_pod_network_option_details {
      cni_type = "FLANNEL_OVERLAY"
    }
  }

  dynamic "initial_node_labels" {
    for_each = local.public_labels

    content {
      key   = initial_node_labels.key
      value = initial_node_labels.value
    }
  }

  lifecycle {
    # A newer image is for an upgrade.
    ignore_changes = [node_source_details]
  }

  # The addresses are deleted after the nodes that hold them.
  depends_on = [oci_core_public_ip.reserved]
}

resource "oci_containerengine_node_pool" "private" {
  compartment_id     = var.compartment_id
  cluster_id         = oci_containerengine_cluster.this.id
  name               = "private"
  kubernetes_version = var.kubernetes_version
  node_shape         = var.node_shape
  freeform_tags      = local.tags

  node_shape_config {
    ocpus         = var.node_ocpus
    memory_in_gbs = var.node_memory_gb
  }

  node_source_details {
    image_id    = local.images[0]
    source_type = "IMAGE"
  }

  node_config_details {
    size          = var.private_nodes
    freeform_tags = local.tags

    dynamic "placement_configs" {
      for_each = local.domains

      content {
        availability_domain = placement_configs.value
        subnet_id           = oci_core_subnet.private.id
      }
    }

    node_pool_pod_network_option_details {
      cni_type = "FLANNEL_OVERLAY"
    }
  }

  dynamic "initial_node_labels" {
    for_each = local.private_labels

    content {
      key   = initial_node_labels.key
      value = initial_node_labels.value
    }
  }

  lifecycle {
    # A newer image is for an upgrade.
    ignore_changes = [node_source_details]
  }
}
